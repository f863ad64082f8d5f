//! The roads that the parts of a range come by: through the tool, which always works, or straight
//! from the host that has them.

use std::sync::Arc;

use crate::peer::PartFailure;
use crate::spool::Spool;
use crate::wire::exchange::{RelayRequest, RelayedPart};
use crate::wire::message::{Part, Reply};
use crate::worker::state::WorkerState;

/// A part that is wanted.
pub(crate) struct Want<'a> {
    /// The host that has it.
    pub(crate) peer: &'a str,
    /// The request for the merge, and which of its sources this is.
    pub(crate) of: RelayedPart,
    /// What is asked for.
    pub(crate) part: &'a Part,
    /// Why it does not come by another road, where that was tried.
    pub(crate) why: Option<String>,
    /// Whether it is not wanted any more.
    pub(crate) stopped: &'a (dyn Fn() -> bool + Sync),
}

/// A way from hosts to this one.
pub(crate) trait Road: Send + Sync {
    /// Brings all of a part into `to`.
    fn bring(&self, want: &Want<'_>, to: Spool) -> std::result::Result<Spool, PartFailure>;
}

/// The road through the tool.
pub(crate) struct RelayRoad<'a>(pub(crate) &'a Arc<WorkerState>);

impl Road for RelayRoad<'_> {
    fn bring(&self, want: &Want<'_>, _: Spool) -> std::result::Result<Spool, PartFailure> {
        let deliveries = &self.0.deliveries;
        deliveries.expect(want.of.clone());
        let wanted = RelayRequest { source: want.of.source, why: want.why.clone() };
        let asked = self.0.to_tool.message(want.of.merge, &Reply::Relay(wanted));
        let came = asked.and_then(|()| deliveries.wait(&want.of, want.stopped));
        deliveries.forget(&want.of);
        came.map_err(PartFailure::Failed)
    }
}

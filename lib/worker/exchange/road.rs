//! The roads that the parts of a range come by: through the tool, which always works, or straight
//! from the host that has them.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::wire::exchange::{Deliver, Wanted};
use crate::wire::message::{Part, Reply};
use crate::worker::exchange::lock;
use crate::worker::peers::Broken;
use crate::worker::serve::Shared;
use crate::worker::spool::Spool;

/// How often who waits looks whether the part is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A part that is wanted.
pub(crate) struct Want<'a> {
    /// The host that has it.
    pub(crate) peer: &'a str,
    /// The request for the merge, and which of its sources this is.
    pub(crate) of: Deliver,
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
    fn bring(&self, want: &Want<'_>, to: Spool) -> std::result::Result<Spool, Broken>;
}

/// The road through the tool.
pub(crate) struct Relay<'a>(pub(crate) &'a Arc<Shared>);

impl Road for Relay<'_> {
    fn bring(&self, want: &Want<'_>, _: Spool) -> std::result::Result<Spool, Broken> {
        let deliveries = &self.0.deliveries;
        deliveries.expect(want.of.clone());
        let wanted = Wanted { source: want.of.source, why: want.why.clone() };
        let asked = self.0.outbox.message(want.of.merge, &Reply::Relay(wanted));
        let came = asked.and_then(|()| deliveries.wait(&want.of, want.stopped));
        deliveries.forget(&want.of);
        came.map_err(Broken::Failed)
    }
}

/// What the tool brings, and who waits for it.
#[derive(Default)]
pub(crate) struct Deliveries {
    expected: Mutex<HashMap<Deliver, Option<Result<Spool>>>>,
    changed: Condvar,
}

impl Deliveries {
    fn expect(&self, what: Deliver) {
        lock(&self.expected).insert(what, None);
    }

    fn forget(&self, what: &Deliver) {
        lock(&self.expected).remove(what);
    }

    /// Hands it to who waits for it; nobody may, any more.
    pub(crate) fn hand_over(&self, what: &Deliver, came: Result<Spool>) {
        if let Some(place) = lock(&self.expected).get_mut(what) {
            *place = Some(came);
        }
        self.changed.notify_all();
    }

    fn wait(&self, what: &Deliver, stopped: &dyn Fn() -> bool) -> Result<Spool> {
        let mut expected = lock(&self.expected);
        loop {
            if let Some(came) = expected.get_mut(what).and_then(Option::take) {
                return came;
            }
            if stopped() {
                return Err(Error::incomplete("stopped"));
            }
            let waited = self.changed.wait_timeout(expected, LOOK_EVERY);
            expected = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

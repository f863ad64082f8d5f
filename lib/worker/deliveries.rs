//! The parts of ranges that the tool brings, and who waits for them.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::parallel::lock;
use crate::spool::Spool;
use crate::wire::exchange::RelayedPart;

/// How often who waits looks whether the part is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What the tool brings.
#[derive(Default)]
pub(crate) struct Deliveries {
    expected: Mutex<HashMap<RelayedPart, Option<Result<Spool>>>>,
    changed: Condvar,
}

impl Deliveries {
    /// Says that somebody will wait for it.
    pub(crate) fn expect(&self, what: RelayedPart) {
        lock(&self.expected).insert(what, None);
    }

    /// Nobody waits for it any more.
    pub(crate) fn forget(&self, what: &RelayedPart) {
        lock(&self.expected).remove(what);
    }

    /// Hands it to who waits for it; nobody may, any more.
    pub(crate) fn hand_over(&self, what: &RelayedPart, came: Result<Spool>) {
        if let Some(place) = lock(&self.expected).get_mut(what) {
            *place = Some(came);
        }
        self.changed.notify_all();
    }

    /// Waits for it.
    pub(crate) fn wait(&self, what: &RelayedPart, stopped: &dyn Fn() -> bool) -> Result<Spool> {
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

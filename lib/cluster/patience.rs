//! How long to go on knocking at a host that turns logins away because it has too many of them, or
//! whose link broke.

use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::{Duration, Instant};

/// How often a login is tried in all.
const TRIES: u32 = 8;

/// How long it is tried in all.
const TOTAL_MAX: Duration = Duration::from_secs(10);

/// The shortest wait before the second try; it doubles from try to try.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// The longest wait that doubling leads to.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// What is left of it for one host.
pub(crate) struct Patience {
    tried: u32,
    until: Instant,
}

impl Patience {
    /// All of it.
    pub(crate) fn new() -> Patience {
        Patience { tried: 1, until: Instant::now() + TOTAL_MAX }
    }

    /// Waits before another try; false when there is to be none.
    pub(crate) fn wait(&mut self) -> bool {
        let wait = (FIRST_WAIT * 2u32.pow(self.tried.min(TRIES))).min(WAIT_MAX) / 2;
        // Half of it is left to chance, so that those who were turned away together do not come
        // back together.
        let wait = wait + wait * (chance() % 1000) / 1000;
        if self.tried >= TRIES || Instant::now() + wait > self.until {
            return false;
        }
        self.tried += 1;
        thread::sleep(wait);
        true
    }
}

/// A number that nobody foresees.
fn chance() -> u32 {
    RandomState::new().hash_one(0) as u32
}

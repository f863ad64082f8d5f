//! What commands said when they failed: each thing is passed on once, whatever the number of
//! attempts, tasks and hosts that say it.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

use crate::parallel::lock;

/// How many different things are passed on.
const MOST: usize = 20;

/// What was passed on, by its hash.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<HashSet<u64>>);

impl Heard {
    /// Whether `said` is to be passed on: it is new, and not the umpteenth of its kind.
    pub(crate) fn is_new(&self, said: impl Hash) -> bool {
        let mut heard = lock(&self.0);
        heard.len() < MOST && heard.insert(hash(said))
    }

    /// Whether `said` was never passed on: of what ends the stage that is all that matters.
    pub(crate) fn is_unheard(&self, said: impl Hash) -> bool {
        lock(&self.0).insert(hash(said))
    }
}

fn hash(said: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    said.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_passed_on_once_and_not_without_end() {
        let heard = Heard::default();
        assert!(heard.is_new(["a"]) && !heard.is_new(["a"]) && heard.is_new(["b"]));
        assert_eq!((0..100).filter(|n| heard.is_new(n)).count(), MOST - 2);
        assert!(heard.is_unheard(100) && !heard.is_unheard(100) && !heard.is_unheard(["a"]));
    }
}

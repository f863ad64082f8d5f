//! The slots of a host: locks that all workers of a user on it share, so that stages and pipelines
//! together run no more commands than there are slots.
//!
//! Who holds a slot waits for nothing but its own command; so every wait for a slot ends.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use crate::error::Result;
use crate::worker::file_lock;

/// The first and the longest wait before the locks are tried again.
const FIRST_WAIT: Duration = Duration::from_micros(200);
const LONGEST_WAIT: Duration = Duration::from_millis(10);

/// The slots.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    directory: PathBuf,
    count: u32,
}

/// A slot that is held; dropped, it is free.
#[derive(Debug)]
pub(super) struct HeldSlot {
    _lock: Flock<File>,
}

impl Slots {
    /// The first `count` slots, whose locks lie in `directory`.
    pub(super) fn new(directory: PathBuf, count: u32) -> Slots {
        Slots { directory, count: count.max(1) }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Waits for a free slot; none when `stop` says to give up. `near` spreads those who ask.
    ///
    /// # Errors
    /// `Storage` when the locks cannot be had at all.
    pub(super) fn take(&self, near: u64, stop: &dyn Fn() -> bool) -> Result<Option<HeldSlot>> {
        let mut wait = FIRST_WAIT;
        while !stop() {
            for turn in 0..u64::from(self.count) {
                let number = near.wrapping_add(turn) % u64::from(self.count);
                if let Some(held) = self.try_one(number)? {
                    return Ok(Some(held));
                }
            }
            std::thread::sleep(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        Ok(None)
    }

    fn try_one(&self, number: u64) -> Result<Option<HeldSlot>> {
        let lock =
            file_lock::try_lock(&self.directory.join(number.to_string()), FlockArg::LockExclusive)?;
        Ok(lock.map(|lock| HeldSlot { _lock: lock }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn no_more_than_there_are_slots_hold_one_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for near in 0..8 {
                let slots = Slots::new(folder.path().into(), 3);
                let (now, most) = (&now, &most);
                scope.spawn(move || {
                    for _ in 0..5 {
                        let held = slots.take(near, &|| false).unwrap().unwrap();
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        // The first three wait for one another.
                        while most.load(Ordering::SeqCst) < 3 {
                            std::thread::yield_now();
                        }
                        std::thread::sleep(Duration::from_millis(2));
                        now.fetch_sub(1, Ordering::SeqCst);
                        drop(held);
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 3);
    }

    #[test]
    fn who_is_told_to_stop_stops_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let slots = Slots::new(folder.path().into(), 1);
        let _held = slots.take(0, &|| false).unwrap().unwrap();
        let tries = AtomicUsize::new(0);
        let stop = || tries.fetch_add(1, Ordering::SeqCst) > 3;
        assert!(slots.take(0, &stop).unwrap().is_none());
    }
}

//! Memory that was used and is free again, for blocks and parts that come next: memory that the
//! system has to give, page by page and cleared, costs more than the bytes that are put there.

use std::sync::Mutex;

use crate::parallel::lock;

/// The share of a task's memory that may lie idle: one in so many.
pub(super) const SPARE_SHARE: usize = 4;

/// Memory that is free.
#[derive(Default)]
pub(super) struct BufferPool(Mutex<Vec<Vec<u8>>>);

impl BufferPool {
    /// Some of it; none at all if there is none.
    pub(super) fn take(&self) -> Vec<u8> {
        lock(&self.0).pop().unwrap_or_default()
    }

    /// Takes `more`, as long as all of it is at most `most` bytes.
    pub(super) fn give(&self, more: impl IntoIterator<Item = Vec<u8>>, most: usize) {
        let mut all = lock(&self.0);
        let mut bytes: usize = all.iter().map(Vec::capacity).sum();
        for memory in more {
            bytes += memory.capacity();
            if bytes > most {
                return;
            }
            all.push(memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_taken_and_no_more_is_held_than_is_allowed() {
        let spare = BufferPool::default();
        assert_eq!(spare.take().capacity(), 0);
        spare.give((0..5).map(|_| Vec::with_capacity(100)), 250);
        let taken = [(); 3].map(|()| spare.take().capacity());
        assert!(taken[0] >= 100 && taken[1] >= 100 && taken[2] == 0, "{taken:?}");
    }
}

//! How large blocks are, and how much of the memory and of the descriptors each part of the work
//! may have.

use nix::sys::resource::{Resource, getrlimit};

/// The first block: small, so that a small input keeps every slot busy.
const FIRST_BLOCK: usize = 256 * 1024;

/// The largest block, unless the user asks for more: by then the start of a process hardly counts.
/// Few slots may have larger ones, so long as all that goes round is about this much.
const LARGEST_BLOCK: usize = 4 * 1024 * 1024;
const LARGEST_BLOCK_OF_FEW: usize = 2 * LARGEST_BLOCK;
const GOES_ROUND: usize = 10 * LARGEST_BLOCK;

/// The smallest share of memory that anything gets.
const LEAST: usize = 4 * 1024;

/// How many outputs may wait in files of their own.
const WAITING_FILES: usize = 64;

/// Descriptors that a slot needs: both ends of three pipes, one of the starting itself, and the
/// files that its input and its output may take.
const SLOT_DESCRIPTORS: usize = 10;

/// Descriptors that are in use already, or may be.
const OTHER_DESCRIPTORS: usize = 14;

/// How many slots, of those wished for, and waiting files the limit of descriptors leaves room for.
pub(crate) fn within_descriptors(slots: usize) -> (usize, usize) {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(256, |(soft, _)| soft);
    share_descriptors(slots, usize::try_from(limit).unwrap_or(usize::MAX))
}

fn share_descriptors(slots: usize, limit: usize) -> (usize, usize) {
    let free = limit.saturating_sub(OTHER_DESCRIPTORS);
    let slots = slots.min(free / SLOT_DESCRIPTORS).max(1);
    (slots, free.saturating_sub(slots * SLOT_DESCRIPTORS).min(WAITING_FILES))
}

/// Sizes in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskBudget {
    /// The size of the first block, and of the largest.
    pub(crate) first: usize,
    pub(crate) largest: usize,
    /// How much of its input, and of its output, a task keeps in memory.
    pub(crate) task: usize,
    /// How much output of finished tasks waits in memory.
    pub(crate) waiting: usize,
}

impl TaskBudget {
    /// `given` is the size of blocks that the user asked for; `grows` makes it that of the first.
    pub(crate) fn new(
        memory: usize,
        slots: usize,
        given: Option<usize>,
        grows: bool,
    ) -> TaskBudget {
        // A slot has a block and its output; there is a block in the reader's hands, and outputs
        // wait, as many as there are slots.
        let parts = 3 * slots + 2;
        let share = (memory / parts).max(LEAST);
        let largest = (GOES_ROUND / parts).clamp(LARGEST_BLOCK, LARGEST_BLOCK_OF_FEW).min(share);
        let grows = grows || given.is_none();
        let first = given.unwrap_or(FIRST_BLOCK);
        let block = if grows { largest.max(given.unwrap_or(0)) } else { first };
        TaskBudget {
            first,
            largest: block,
            task: share.max(largest),
            waiting: (slots * block).min(slots * share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_descriptors_make_few_slots() {
        assert_eq!(share_descriptors(8, 1024), (8, 64));
        assert_eq!(share_descriptors(64, 256), (24, 2));
        assert_eq!(share_descriptors(4, 32), (1, 8));
        assert_eq!(share_descriptors(4, 0), (1, 0));
    }

    #[test]
    fn blocks_stay_within_the_memory() {
        let budget = TaskBudget::new(1 << 30, 3, None, false);
        assert_eq!((budget.first, budget.largest), (FIRST_BLOCK, LARGEST_BLOCK));
        assert_eq!(TaskBudget::new(1 << 30, 1, None, false).largest, LARGEST_BLOCK_OF_FEW);
        for memory in [0, 1, 1 << 16, 1 << 20, 1 << 26] {
            let budget = TaskBudget::new(memory, 4, None, false);
            let all = 5 * budget.largest + 4 * budget.task + budget.waiting;
            assert!(all <= memory.max(14 * LEAST), "{memory}: {budget:?}");
        }
        let given = TaskBudget::new(1 << 30, 2, Some(5), false);
        assert_eq!((given.first, given.largest), (5, 5));
        let growing = TaskBudget::new(1 << 30, 2, Some(5), true);
        let largest = TaskBudget::new(1 << 30, 2, None, false).largest;
        assert_eq!((growing.first, growing.largest), (5, largest));
        assert_eq!(TaskBudget::new(1 << 30, 2, Some(1 << 28), true).largest, 1 << 28);
    }
}

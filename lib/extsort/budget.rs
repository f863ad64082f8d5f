//! How a memory limit is divided: blocks being read and sorted, runs waiting, buffers of a merge.

use crate::parallel::in_flight;

/// What one tool may hold, divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of text in a block.
    pub block: usize,
    /// Bytes that sorted runs may hold before they are spilled.
    pub runs: usize,
    /// Bytes of text in a range of a merge in memory.
    pub range: usize,
    /// How many spilled runs are merged at once, at most.
    pub fan_in: usize,
    /// Bytes of the read buffer of each of them.
    pub buffer: usize,
}

/// Blocks need not be larger than this, and what sorts one fits into a core's cache.
const BLOCK_MAX: usize = 1 << 20;

/// A run holds, beside its text, the items and keys: so many times its text, for small records.
const RUN_WEIGHT: usize = 3;

/// A range holds, beside what is merged, its items, and what its growth leaves: so many times its
/// text.
const RANGE_WEIGHT: usize = 4;

/// Large enough to be worth a turn, small enough to stay in a core's cache.
const RANGE_MAX: usize = 1 << 20;

/// Smaller ranges are all overhead.
const RANGE_MIN: usize = 4 << 10;

/// What a tool holds whatever it does: its code, stacks, and the buffers of its streams.
const FIXED: usize = 6 << 20;

/// Larger read buffers make a merge no faster.
const BUFFER_MAX: usize = 1 << 20;

/// Smaller ones make it slow: fewer runs at once are better then.
const BUFFER_MIN: usize = 16 << 10;

/// Fewer runs at once would mean passes without end.
const FAN_IN_MIN: usize = 16;

impl Budget {
    /// Bytes of text that all blocks in flight together may hold, with so many threads.
    pub fn in_flight(&self, jobs: usize) -> usize {
        self.block * in_flight(jobs)
    }

    /// A part of the budget: one in `parts`.
    pub fn shrunk(self, parts: usize) -> Budget {
        let part = |bytes: usize| (bytes / parts.max(1)).max(1);
        Budget {
            block: part(self.block),
            runs: part(self.runs),
            range: part(self.range).max(RANGE_MIN),
            buffer: part(self.buffer),
            ..self
        }
    }

    /// Divides `memory` bytes among `jobs` threads.
    pub fn new(memory: usize, jobs: usize) -> Budget {
        // Two fifths for runs, a quarter for the blocks in flight, an eighth for ranges in flight;
        // the rest covers what an allocator adds. Merging from disk has all but the fixed part.
        let usable = memory - FIXED.min(memory / 4);
        let block = usable / 4 / (in_flight(jobs) * RUN_WEIGHT);
        let range = usable / 8 / (in_flight(jobs) * RANGE_WEIGHT);
        let fan_in = (usable / 2 / BUFFER_MIN).max(FAN_IN_MIN);
        Budget {
            block: block.clamp(1, BLOCK_MAX),
            runs: usable / 5 * 2,
            range: range.clamp(RANGE_MIN, RANGE_MAX),
            fan_in,
            buffer: (usable / 2 / fan_in).clamp(1, BUFFER_MAX),
        }
    }
}

//! Shards that are made in any order, and leave in that of their numbers.
//!
//! What waits is a few numbers of each, as it is with no other results in order: so it needs no bound,
//! and none of what a [`Schedule`](crate::engine::schedule::Schedule) knows of memory and failures.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::exchange::{Merged, Tally};
use crate::record::digest::Contents;

/// The shards that wait for those before them.
#[derive(Default)]
pub(super) struct Resequencer {
    /// How many are out.
    out: u64,
    /// Those that are to be made and are not out yet, where it is not all.
    wanted: Option<BTreeSet<u64>>,
    /// What is made of ranges, or of shards, by number from 1; and the host where it lies, if it
    /// holds anything.
    waiting: BTreeMap<u64, (Option<usize>, Merged)>,
    /// What those that are out come to.
    pub(super) total: MergedTotal,
}

/// What came of several merges.
#[derive(Default)]
pub(super) struct MergedTotal {
    /// The records and the bytes of the shards.
    pub(super) records: u64,
    pub(super) bytes: u64,
    /// The items that came.
    pub(super) came: Tally,
    /// Records without the key, and those that lack an operand.
    pub(super) missing: u64,
    pub(super) lacking: u64,
    /// Bytes of temporary files.
    pub(super) spilled: u64,
    /// Bytes from host to host, and through here.
    pub(super) direct: u64,
    pub(super) relayed: u64,
    /// How large the shards are, in bytes.
    pub(super) sizes: Vec<u64>,
}

impl Resequencer {
    /// The shard of this number is made, and lies on `host`.
    pub(super) fn push(&mut self, number: u64, host: Option<usize>, merged: Merged) {
        self.waiting.insert(number, (host, merged));
    }

    /// For the shards of these numbers, or all.
    pub(super) fn of(wanted: Option<BTreeSet<u64>>) -> Resequencer {
        Resequencer { wanted, ..Resequencer::default() }
    }

    /// The next shard, if it is there: its number, where it lies, and what it holds.
    pub(super) fn next(&mut self) -> Option<(u64, Option<usize>, Contents)> {
        let number = match &self.wanted {
            Some(wanted) => *wanted.first()?,
            None => self.out + 1,
        };
        let (host, merged) = self.waiting.remove(&number)?;
        self.out += 1;
        if let Some(wanted) = &mut self.wanted {
            wanted.remove(&number);
        }
        self.total.add(&merged);
        Some((number, host, merged.contents))
    }

    /// How many shards are out.
    pub(super) fn out(&self) -> u64 {
        self.out
    }
}

impl MergedTotal {
    fn add(&mut self, merged: &Merged) {
        let MergedTotal { records, bytes, missing, lacking, spilled, direct, relayed, .. } = self;
        for (sum, more) in [
            (records, merged.contents.records),
            (bytes, merged.contents.bytes),
            (missing, merged.missing),
            (lacking, merged.lacking),
            (spilled, merged.spilled),
            (direct, merged.direct),
            (relayed, merged.relayed),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.came.add(merged.came);
        self.sizes.push(merged.contents.bytes);
    }
}

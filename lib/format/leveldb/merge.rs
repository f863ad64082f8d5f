//! Merges the sorted entries of logs and tables, and keeps what is true: of each key the newest
//! entry, unless that deletes it, or is hidden by damage.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::chain::Chain;
use super::damage::{Age, Damage};
use super::key::InternalKey;
use super::memtable::Memtable;
use super::unordered::Spilled;
use crate::error::{Error, Result};

/// Entries in order. In the heap the least key is the greatest.
pub(super) enum EntryRun {
    /// Some that were sorted in memory, such as those of the logs.
    Memory(Memtable),
    /// Tables.
    Tables(Box<Chain>),
    /// Some that were sorted and lie in a temporary file.
    Spilled(Box<Spilled>),
}

impl EntryRun {
    fn advance(&mut self, damage: &mut Damage) -> Result<bool> {
        match self {
            EntryRun::Memory(table) => Ok(table.advance()),
            EntryRun::Tables(chain) => chain.advance(damage),
            EntryRun::Spilled(spilled) => spilled.advance(),
        }
    }

    /// How new its table is; nothing is newer than a log.
    fn age(&self) -> Option<Age> {
        match self {
            EntryRun::Tables(chain) => Some(chain.table().age()),
            _ => None,
        }
    }

    #[inline]
    fn key(&self) -> InternalKey<'_> {
        match self {
            EntryRun::Memory(table) => table.key(),
            EntryRun::Tables(chain) => chain.table().key(),
            EntryRun::Spilled(spilled) => spilled.key(),
        }
    }

    fn value(&self) -> &[u8] {
        match self {
            EntryRun::Memory(table) => table.value(),
            EntryRun::Tables(chain) => chain.table().value(),
            EntryRun::Spilled(spilled) => spilled.value(),
        }
    }

    fn wrong(&self, what: &str) -> Error {
        match self {
            EntryRun::Tables(chain) => chain.table().wrong(what),
            _ => Error::input(what),
        }
    }
}

impl Ord for EntryRun {
    fn cmp(&self, other: &EntryRun) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl PartialOrd for EntryRun {
    fn partial_cmp(&self, other: &EntryRun) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for EntryRun {
    fn eq(&self, other: &EntryRun) -> bool {
        self.key() == other.key()
    }
}

impl Eq for EntryRun {}

/// The merged runs, and an entry of them.
pub(super) struct RunMerge {
    runs: BinaryHeap<EntryRun>,
    /// Whether the entry at hand, the first run's, was given already.
    given: bool,
    /// The last key that was met.
    last: Vec<u8>,
    last_tag: Option<u64>,
    damage: Damage,
}

impl RunMerge {
    /// Merges these runs, each of which stands before its first entry.
    ///
    /// # Errors
    /// What keeps a run from going to its first entry.
    pub(super) fn new(
        runs: impl IntoIterator<Item = EntryRun>,
        mut damage: Damage,
    ) -> Result<RunMerge> {
        let mut heap = BinaryHeap::new();
        for mut run in runs {
            if run.advance(&mut damage)? {
                heap.push(run);
            }
        }
        Ok(RunMerge { runs: heap, given: false, last: Vec::new(), last_tag: None, damage })
    }

    /// Goes to the next key that has a value; `false` behind the last.
    ///
    /// # Errors
    /// `BadInput` for damage, and for entries out of order: a newer one that came too late would
    /// be taken for an older one.
    pub(super) fn advance(&mut self) -> Result<bool> {
        loop {
            if std::mem::replace(&mut self.given, true) {
                self.pass()?;
            }
            let Some(first) = self.runs.peek() else { return Ok(false) };
            let key = first.key();
            if let Some(last_tag) = self.last_tag {
                match key.user.cmp(&self.last) {
                    Ordering::Greater => (),
                    Ordering::Equal if key.tag <= last_tag => {
                        self.last_tag = Some(key.tag);
                        continue;
                    }
                    _ => return Err(first.wrong("its keys are out of order")),
                }
            }
            self.last.clear();
            self.last.extend_from_slice(key.user);
            self.last_tag = Some(key.tag);
            if key.deletes() {
                continue;
            }
            if !self.damage.hides(&self.last, first.age()) {
                return Ok(true);
            }
            self.damage.doubt(&self.last, first.value(), first.wrong("passed over"))?;
        }
    }

    /// The key at hand.
    pub(super) fn key(&self) -> &[u8] {
        &self.last
    }

    /// The value of the key at hand.
    pub(super) fn value(&self) -> &[u8] {
        self.runs.peek().map_or(&[], EntryRun::value)
    }

    /// Goes past the first run's entry.
    fn pass(&mut self) -> Result<()> {
        if let Some(mut first) = self.runs.peek_mut()
            && !first.advance(&mut self.damage)?
        {
            PeekMut::pop(first);
        }
        Ok(())
    }
}

//! A hash table of right records by their keys, in the memory of the runs that they came as.

use std::sync::atomic::{AtomicBool, Ordering};

use xxhash_rust::xxh3::xxh3_64;

use super::side::{NO_KEY, RightRow};
use crate::error::Result;
use crate::extsort::run::{Item, Run};

/// The right records of a join.
pub(super) struct MatchTable {
    runs: Vec<Run>,
    spans: Vec<Span>,
    /// Places in `spans`, one more than they are; 0 for none. A power of two of them, at most half
    /// in use.
    slots: Vec<u32>,
}

/// The records of a run that have one key; they follow one another.
struct Span {
    hash: u64,
    run: u32,
    /// The first of them, and the one behind the last.
    from: u32,
    to: u32,
    /// Where the next span of the key is, in a later run: one more than its place; 0 for none.
    next: u32,
    /// Whether a left record has the key.
    is_matched: AtomicBool,
}

/// Where a record of a match is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MatchPlace {
    span: usize,
    item: u32,
}

/// Bytes that a table holds for each record of a run, at most.
const RECORD_BYTES: usize = size_of::<Span>() + 4 * size_of::<u32>();

/// The memory that a table takes for `run`, beside it.
pub(super) fn weight(run: &Run) -> usize {
    run.items().len() * RECORD_BYTES
}

impl MatchTable {
    /// Of runs that follow one another.
    pub(super) fn new(runs: Vec<Run>) -> MatchTable {
        let mut table = MatchTable { runs, spans: Vec::new(), slots: Vec::new() };
        let mut key = Vec::new();
        // From the last run on, so that each span comes to lie before those of later runs.
        for number in (0..table.runs.len()).rev() {
            let run = &table.runs[number];
            let (items, mut from) = (run.items(), 0);
            while let Some(first) = items.get(from) {
                key.clear();
                run.push_key(first, &mut key);
                let same = items[from..].iter().take_while(|item| run.has_key(item, &key));
                let to = from + same.count();
                table.spans.push(Span {
                    hash: if key == NO_KEY { 0 } else { xxh3_64(&key) },
                    run: number as u32,
                    from: from as u32,
                    to: to as u32,
                    next: 0,
                    is_matched: AtomicBool::new(false),
                });
                from = to;
            }
        }
        table.slots = vec![0; (table.spans.len() * 2).next_power_of_two()];
        for span in 0..table.spans.len() {
            table.chain(span);
        }
        table
    }

    /// Puts a span before those of its key.
    fn chain(&mut self, span: usize) {
        let Span { hash, run, from, .. } = self.spans[span];
        let (run, mut key) = (&self.runs[run as usize], Vec::new());
        run.push_key(&run.items()[from as usize], &mut key);
        if key == NO_KEY {
            return;
        }
        let slot = self.slot(hash, &key);
        self.spans[span].next = self.slots[slot];
        self.slots[slot] = span as u32 + 1;
    }

    /// The slot of a key: that of its first span, or the free one where that would be.
    fn slot(&self, hash: u64, key: &[u8]) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        while let Some(place) = (self.slots[slot] as usize).checked_sub(1) {
            let span = &self.spans[place];
            if span.hash == hash {
                let run = &self.runs[span.run as usize];
                if run.has_key(&run.items()[span.from as usize], key) {
                    break;
                }
            }
            slot = (slot + 1) & mask;
        }
        slot
    }

    /// The first record with this key.
    pub(super) fn find(&self, key: &[u8]) -> Option<MatchPlace> {
        if key == NO_KEY {
            return None;
        }
        let slot = self.slot(xxh3_64(key), key);
        self.first_of(self.slots[slot])
    }

    fn first_of(&self, link: u32) -> Option<MatchPlace> {
        let span = (link as usize).checked_sub(1)?;
        Some(MatchPlace { span, item: self.spans[span].from })
    }

    /// Notes that a left record has the key of the records from `place` on.
    pub(super) fn note_match(&self, mut place: Option<MatchPlace>) {
        while let Some(MatchPlace { span, .. }) = place {
            let span = &self.spans[span];
            if span.is_matched.load(Ordering::Relaxed) {
                return;
            }
            span.is_matched.store(true, Ordering::Relaxed);
            place = self.first_of(span.next);
        }
    }

    /// The record at `place`, and where the next one of its key is.
    ///
    /// # Errors
    /// As [`RightRow::read`].
    pub(super) fn row(&self, place: MatchPlace) -> Result<(RightRow<'_>, Option<MatchPlace>)> {
        let MatchPlace { span, item } = place;
        let Span { run, to, next, .. } = &self.spans[span];
        let run = &self.runs[*run as usize];
        let next = match item + 1 < *to {
            true => Some(MatchPlace { span, item: item + 1 }),
            false => self.first_of(*next),
        };
        Ok((RightRow::read(run.text(&run.items()[item as usize]))?, next))
    }

    /// Gives the records to `take` that no left record has the key of, in their order.
    ///
    /// # Errors
    /// As [`RightRow::read`]; what `take` says.
    pub(super) fn each_alone(
        &self,
        mut take: impl FnMut(&RightRow<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut spans = self.spans.iter().rev().peekable();
        for (number, run) in self.runs.iter().enumerate() {
            let mut alone: Vec<&Item> = Vec::new();
            while let Some(span) = spans.next_if(|span| span.run as usize == number) {
                if !span.is_matched.load(Ordering::Relaxed) {
                    alone.extend(&run.items()[span.from as usize..span.to as usize]);
                }
            }
            let rows = alone.into_iter().map(|item| RightRow::read(run.text(item)));
            let mut rows = rows.collect::<Result<Vec<_>>>()?;
            rows.sort_unstable_by_key(|row| row.number);
            rows.iter().try_for_each(&mut take)?;
        }
        Ok(())
    }
}

//! A batch of records that are built alike, as columns: of each its key, and its operands as numbers. Most batches of
//! most streams can be read so, and what is the same for all of a batch is then asked once.

use std::ops::Range;

use super::fill::Filling;
use super::grouping::Grouping;
use super::reader::GroupReader;
use super::table::Spelled;
use crate::aggregate::{BATCH, Grouped, OperandColumn, Plain, RecordPosition};
use crate::error::Result;
use crate::record::block::{Block, Line};
use crate::record::fields::Lines;
use crate::record::key::{KeyPlace, Keyer};

/// For how many batches none is tried after one that cannot be read so, at most.
const PAUSE_MAX: u32 = 256;

/// The columns of the batch that was read last.
pub(super) struct BatchColumns {
    pub(super) lines: Lines,
    pub(super) keys: [RowKey; BATCH],
    pub(super) operands: Vec<OperandColumn>,
    /// How many batches are not tried, and how many the next time.
    paused: u32,
    pause: u32,
}

/// How a record spells its key.
#[derive(Clone, Copy, Default)]
pub(super) struct RowKey {
    start: u32,
    length: u32,
    pub(super) hash: u64,
    head: [u64; 2],
}

impl RowKey {
    #[inline(always)]
    fn of(text: &[u8], place: Range<usize>) -> RowKey {
        let (start, length) = (place.start as u32, place.len() as u32);
        let Spelled { hash, head, .. } = Spelled::at(text, place);
        RowKey { start, length, hash, head }
    }

    /// As a table looks for it: `text` is that of the batch.
    #[inline(always)]
    pub(super) fn spelled<'a>(&self, text: &'a [u8]) -> Spelled<'a> {
        let text = &text[self.start as usize..][..self.length as usize];
        Spelled { text, hash: self.hash, head: self.head }
    }
}

impl BatchColumns {
    /// For records of these groups, if any can be read so.
    pub(super) fn new(grouping: &Grouping) -> Option<Box<BatchColumns>> {
        grouping.plan.takes_columns().then(|| {
            Box::new(BatchColumns {
                lines: Lines::default(),
                keys: [RowKey::default(); BATCH],
                operands: vec![[Plain::Integer(0); BATCH]; grouping.plan.paths().len()],
                paused: 0,
                pause: 0,
            })
        })
    }

    /// Reads the batch of whole lines that begins at byte `at` of `text`. Returns where it ends; `None` if it
    /// cannot be read so, or is not tried.
    #[inline]
    pub(super) fn read(
        &mut self,
        grouping: &Grouping,
        keyer: &mut Keyer,
        text: &[u8],
        at: usize,
    ) -> Option<usize> {
        if self.paused > 0 {
            self.paused -= 1;
            return None;
        }
        let read = self.try_read(grouping, keyer, text, at);
        self.pause = match read {
            Some(_) => 0,
            None => (self.pause * 2).clamp(1, PAUSE_MAX),
        };
        self.paused = self.pause;
        read
    }

    /// Where value `value` of a record lies in it.
    pub(super) fn place(&self, value: usize, row: usize) -> KeyPlace {
        let (start, place) = (self.lines.line(row).start, self.lines.value(value)?(row));
        Some(place.start - start..place.end - start)
    }

    #[inline(always)]
    fn try_read(
        &mut self,
        grouping: &Grouping,
        keyer: &mut Keyer,
        text: &[u8],
        at: usize,
    ) -> Option<usize> {
        let BatchColumns { lines, keys, operands, .. } = self;
        let (BATCH, end) = keyer.find_lines(text, at, BATCH, lines) else { return None };
        // What is no pair is its own value.
        if grouping.values.contains(&true) && !text[at..].trim_ascii_start().starts_with(b"[") {
            return None;
        }
        let first = keyer.width() - operands.len();
        for (field, column) in operands.iter_mut().enumerate() {
            let places = lines.value(first + field)?;
            if !grouping.plan.read_column(field, text, places, column) {
                return None;
            }
        }
        let place = lines.value(keyer.key_of(lines)?)?;
        keys.iter_mut().enumerate().for_each(|(row, key)| *key = RowKey::of(text, place(row)));
        Some(end)
    }
}

impl Filling<'_, '_> {
    /// Adds the batch that was read as columns, whose first record stands in line `first` of `block`.
    pub(super) fn add_columns(
        &mut self,
        reader: &mut GroupReader,
        block: &Block,
        first: u64,
    ) -> Result<()> {
        let mut new = Ok(());
        self.find_columns(reader, block, |filling, reader, row, spelled| {
            let line = reader.recall_row(row);
            let (number, at) = (first + row as u64, line.start);
            let line = Line { text: &block.bytes[line], number, at };
            let at = RecordPosition { shard: filling.shard, index: number };
            match filling.insert_line(reader, line, at, spelled) {
                Ok(group) => group,
                Err(error) => {
                    new = Err(error);
                    None
                }
            }
        });
        new?;
        self.add_grouped(reader, block, first)?;
        if self.table.memory() > self.share {
            let plan = reader.grouping().plan();
            self.runs.push(std::mem::take(self.table).into_run(plan)?);
        }
        Ok(())
    }

    /// The same where the records of groups that the table does not have are given to `other`, by their number in
    /// the batch.
    pub(super) fn add_known_columns(
        &mut self,
        reader: &mut GroupReader,
        block: &Block,
        first: u64,
        mut other: impl FnMut(&mut GroupReader, usize, &Spelled<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut dealt = Ok(());
        self.find_columns(reader, block, |_, reader, row, spelled| {
            if dealt.is_ok() {
                dealt = other(reader, row, spelled);
            }
            None
        });
        dealt?;
        self.add_grouped(reader, block, first)
    }

    /// Finds the groups of the records of a batch. `new` gives that of one which the table does not have, if it is
    /// to be added to any.
    #[inline(always)]
    fn find_columns(
        &mut self,
        reader: &mut GroupReader,
        block: &Block,
        mut new: impl FnMut(&mut Self, &mut GroupReader, usize, &Spelled<'_>) -> Option<usize>,
    ) {
        self.grouped.clear();
        let Some(columns) = reader.columns() else { return };
        let keys = columns.keys;
        let guesses = self.table.guess(keys.iter().map(|key| key.hash), reader.width());
        for (row, (key, guess)) in keys.iter().zip(guesses).enumerate() {
            let spelled = key.spelled(&block.bytes);
            let known = self.table.get(&spelled, guess);
            if let Some(group) = known.or_else(|| new(self, reader, row, &spelled)) {
                self.grouped.push(Grouped { row: row as u32, group: group as u32 });
            }
        }
    }

    /// Adds the records of a batch whose groups were found.
    fn add_grouped(&mut self, reader: &mut GroupReader, block: &Block, first: u64) -> Result<()> {
        self.kept += self.grouped.len() as u64;
        let shard = self.shard;
        let at = |row: usize| RecordPosition { shard, index: first + row as u64 };
        let states = self.table.all_states();
        let added = reader.add_columns(states, &self.grouped, &block.bytes, at);
        let grown = added.map_err(|(row, error)| {
            let line = reader.recall_row(row);
            let (number, at) = (first + row as u64, line.start);
            error.at(self.judge.place(Line { text: &block.bytes[line], number, at }))
        })?;
        self.table.grow(grown);
        Ok(())
    }

    /// Adds the group of a record that is known as number 0. `None` if that has no key after all.
    #[cold]
    fn insert_line(
        &mut self,
        reader: &GroupReader,
        line: Line<'_>,
        at: RecordPosition,
        spelled: &Spelled<'_>,
    ) -> Result<Option<usize>> {
        self.key.clear();
        if let Err(fault) = reader.push_key(0, line.text, &mut self.key) {
            self.judge.fault(line, fault)?;
            return Ok(None);
        }
        let label = |out: &mut Vec<u8>| reader.push_label(0, line.text, out);
        let plan = reader.grouping().plan();
        Ok(Some(self.table.insert(plan, spelled, &self.key, at, label)))
    }
}

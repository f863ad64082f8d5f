//! Records to a hash table of their groups, some at once: what they need of a large table lies
//! anywhere in memory, and the memory is then waited for once for all of them.

use std::sync::Arc;

use super::batch::{KeyedRow, ROWS, RecordBatch, each_batch};
use super::kept::{Kept, ShortRow};
use super::order::Judge;
use super::reader::GroupReader;
use super::spelled::Spelled;
use super::table::Table;
use crate::aggregate::{Grouped, OperandColumn, Plain, RecordPosition};
use crate::error::{Error, Result};
use crate::extsort::run::Run;
use crate::record::block::Line;
use crate::record::rows::StreamBlock;

/// What gets the key of each record.
pub type EachKey<'a> = &'a mut dyn FnMut(&[u8], Line<'_>) -> Result<()>;

/// Adds the records of a block, which is of shard `shard`, to the groups of a table. Returns the
/// runs that the table became where it outgrew its share, in bytes. `seen`, if there is one, gets
/// each key.
///
/// # Errors
/// `BadInput` for a record that gives no key, or an operand that is none.
pub fn fill(
    reader: &mut GroupReader,
    table: &mut Table,
    block: &StreamBlock,
    shard: u64,
    share: usize,
    judge: &Judge,
    seen: Option<EachKey<'_>>,
) -> Result<Vec<Run>> {
    let mut filling = Filling::new(table, shard, share, judge);
    let may_be_columns = seen.is_none();
    filling.seen = seen;
    each_batch(reader, block, judge, may_be_columns, |reader, batch| match batch {
        RecordBatch::Rows(rows, put_together) => filling.add(reader, rows, put_together),
        RecordBatch::Columns(text, first) => filling.add_columns(reader, text, first),
    })?;
    Ok(filling.finish())
}

/// A table that is being filled.
pub(super) struct Filling<'a, 's> {
    pub(super) table: &'a mut Table,
    pub(super) shard: u64,
    pub(super) share: usize,
    pub(super) judge: &'a Judge,
    seen: Option<EachKey<'s>>,
    pub(super) key: Vec<u8>,
    /// The records of a batch of columns, and their groups.
    pub(super) grouped: Vec<Grouped>,
    pub(super) runs: Vec<Run>,
    pub(super) kept: u64,
    lacking: u64,
}

impl<'a> Filling<'a, '_> {
    /// A table for records of shard `shard`, which may take `share` bytes.
    pub(super) fn new(table: &'a mut Table, shard: u64, share: usize, judge: &'a Judge) -> Self {
        let (key, grouped, runs) = (Vec::new(), Vec::with_capacity(ROWS), Vec::new());
        Filling { table, shard, share, judge, seen: None, key, grouped, runs, kept: 0, lacking: 0 }
    }

    /// How many records were added.
    pub(super) fn kept(&self) -> u64 {
        self.kept
    }

    /// The runs that the table became, after it was counted what was added.
    pub(super) fn finish(self) -> Vec<Run> {
        self.judge.count(0, self.kept, 0);
        self.judge.count_lacking(self.lacking);
        self.runs
    }

    /// Adds the records that were read to their groups.
    pub(super) fn add(
        &mut self,
        reader: &mut GroupReader,
        rows: &[KeyedRow<'_>],
        put_together: &[u8],
    ) -> Result<()> {
        let grouping = Arc::clone(reader.grouping());
        let plan = grouping.plan();
        let guesses = self.table.guess(rows.iter().map(|row| row.hash), plan.width());
        for ((number, row), guess) in rows.iter().enumerate().zip(guesses) {
            let (line, spelled) = (row.line, row.spelled(put_together));
            let at = RecordPosition { shard: self.shard, index: line.number };
            let known = self.table.get(&spelled, guess);
            if known.is_none() || self.seen.is_some() {
                self.key.clear();
                if let Err(fault) = reader.push_key(number, line.text, &mut self.key) {
                    self.judge.fault(line, fault)?;
                    continue;
                }
                if let Some(seen) = &mut self.seen {
                    seen(&self.key, line)?;
                }
            }
            let entry = known.unwrap_or_else(|| {
                let label = |out: &mut Vec<u8>| reader.push_label(number, line.text, out);
                self.table.insert(plan, &spelled, &self.key, at, label)
            });
            let grown = self.add_to(entry, reader, number, row)?;
            if (known.is_none() || grown > 0) && self.table.memory() > self.share {
                self.runs.push(std::mem::take(self.table).into_run(plan)?);
            }
        }
        Ok(())
    }

    /// Adds those of the records that were read that are of groups that the table has, and gives the others to
    /// `other`, with how their key is spelled: all in their order.
    pub(super) fn add_known(
        &mut self,
        reader: &mut GroupReader,
        rows: &[KeyedRow<'_>],
        put_together: &[u8],
        mut other: impl FnMut(&mut GroupReader, usize, &KeyedRow<'_>, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let width = reader.grouping().plan().width();
        let guesses = self.table.guess(rows.iter().map(|row| row.hash), width);
        for ((number, row), guess) in rows.iter().enumerate().zip(guesses) {
            let spelled = row.spelled(put_together);
            match self.table.get(&spelled, guess) {
                Some(entry) => self.add_to(entry, reader, number, row).map(|_| ())?,
                None => other(reader, number, row, row.text(put_together))?,
            }
        }
        Ok(())
    }

    /// Adds records that were [kept](super::kept).
    pub(super) fn add_kept(&mut self, reader: &mut GroupReader, bytes: &[u8]) -> Result<()> {
        let (_, operands) = reader.widths();
        let mut columns = vec![[Plain::Integer(0); ROWS]; operands];
        let (mut left, mut short) = (bytes, Vec::with_capacity(ROWS));
        while !left.is_empty() {
            short.clear();
            ShortRow::take(&mut left, operands, ROWS, &mut short);
            match short.is_empty() {
                true => self.add_others(reader, &mut left)?,
                false => self.add_short(reader, &short, &mut columns)?,
            }
        }
        Ok(())
    }

    /// Adds short rows, as columns.
    fn add_short(
        &mut self,
        reader: &mut GroupReader,
        rows: &[ShortRow<'_>],
        columns: &mut [OperandColumn],
    ) -> Result<()> {
        let grouping = Arc::clone(reader.grouping());
        let plan = grouping.plan();
        self.grouped.clear();
        let guesses = self.table.guess(rows.iter().map(|row| row.spelled.hash), plan.width());
        for (number, (row, guess)) in rows.iter().zip(guesses).enumerate() {
            // They come from several threads, and in no order.
            let at = RecordPosition { shard: self.shard, index: row.number };
            let group = match self.table.get(&row.spelled, guess) {
                Some(group) => {
                    self.table.comes_at(group, at);
                    group
                }
                None => {
                    row.recall(reader);
                    self.insert_kept(reader, &row.spelled, row.spelled.text(), at)?
                }
            };
            for (column, integer) in columns.iter_mut().zip(row.integers) {
                column[number] = Plain::Integer(i64::from_le_bytes(*integer));
            }
            self.grouped.push(Grouped { row: number as u32, group: group as u32 });
        }
        self.kept += rows.len() as u64;
        plan.add_integer_columns(self.table.all_states(), &self.grouped, columns)
    }

    /// Adds the next of the other rows, some at once.
    fn add_others(&mut self, reader: &mut GroupReader, bytes: &mut &[u8]) -> Result<()> {
        let grouping = Arc::clone(reader.grouping());
        let (plan, widths) = (grouping.plan(), reader.widths());
        let next = || Kept::next(bytes, widths);
        let batch: Vec<Kept<'_>> = std::iter::from_fn(next).take(ROWS).collect();
        if batch.is_empty() {
            return Err(Error::incomplete("internal error: a record was not kept whole"));
        }
        let mut integers = Vec::new();
        let guesses = self.table.guess(batch.iter().map(|kept| kept.hash), plan.width());
        for (kept, guess) in batch.iter().zip(guesses) {
            let (line, spelled) = (kept.line(), Spelled::known(kept.spelling, kept.hash));
            let at = RecordPosition { shard: self.shard, index: kept.number };
            let known = self.table.get(&spelled, guess);
            if known.is_none() || kept.integers.is_none() {
                kept.recall(reader);
            }
            let group = match known {
                Some(group) => group,
                None => self.insert_kept(reader, &spelled, line.text, at)?,
            };
            self.table.comes_at(group, at);
            let Some(values) = kept.integers else {
                let (hash, head) = (kept.hash, spelled.head);
                let spelling = 0..kept.spelling.len();
                let row = KeyedRow { line, spelling, in_text: true, hash, head };
                self.add_to(group, reader, 0, &row)?;
                continue;
            };
            self.kept += 1;
            integers.clear();
            integers.extend(values.iter().map(|value| i64::from_le_bytes(*value)));
            let grown = plan.add_integers(self.table.states(plan.width(), group), &integers)?;
            self.table.grow(grown);
        }
        Ok(())
    }

    /// Adds the group of a record that is known as number 0.
    #[cold]
    fn insert_kept(
        &mut self,
        reader: &GroupReader,
        spelled: &Spelled<'_>,
        record: &[u8],
        at: RecordPosition,
    ) -> Result<usize> {
        self.key.clear();
        reader
            .push_key(0, record, &mut self.key)
            .map_err(|_| Error::incomplete("internal error: a record that was kept has no key"))?;
        let label = |out: &mut Vec<u8>| reader.push_label(0, record, out);
        let plan = reader.grouping().plan();
        Ok(self.table.insert(plan, spelled, &self.key, at, label))
    }

    /// Adds a record that was read to a group. Returns by how many bytes its states grew.
    #[inline(always)]
    fn add_to(
        &mut self,
        entry: usize,
        reader: &mut GroupReader,
        number: usize,
        row: &KeyedRow<'_>,
    ) -> Result<usize> {
        self.kept += 1;
        let at = RecordPosition { shard: self.shard, index: row.line.number };
        let states = self.table.states(reader.width(), entry);
        let added = reader.add(number, row.line.text, at, states);
        let (lacks, grown) = added.map_err(|e| e.at(self.judge.place(row.line)))?;
        self.lacking += u64::from(lacks);
        self.table.grow(grown);
        Ok(grown)
    }
}

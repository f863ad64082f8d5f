//! Records to a hash table of their groups, some at once: what they need of a large table lies
//! anywhere in memory, and the memory is then waited for once for all of them.

use std::sync::Arc;

use super::batch::{KeyedRow, ROWS, RecordBatch, each_batch};
use super::kept::Kept;
use super::order::Judge;
use super::reader::GroupReader;
use super::table::{Spelled, Table};
use crate::aggregate::{Grouped, Plain, RecordPosition};
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
        let grouping = Arc::clone(reader.grouping());
        let (plan, widths) = (grouping.plan(), reader.widths());
        let (mut left, mut integers) = (bytes, Vec::new());
        let mut batch = Vec::with_capacity(ROWS);
        let as_columns = plan.takes_columns();
        let mut columns = match as_columns {
            true => vec![[Plain::Integer(0); ROWS]; widths.1],
            false => Vec::new(),
        };
        while !left.is_empty() {
            batch.clear();
            self.grouped.clear();
            batch.extend(std::iter::from_fn(|| Kept::next(&mut left, widths)).take(ROWS));
            if batch.is_empty() {
                return Err(Error::incomplete("internal error: a record was not kept whole"));
            }
            let guesses = self.table.guess(batch.iter().map(|kept| kept.hash), plan.width());
            for (row, (kept, guess)) in batch.iter().zip(guesses).enumerate() {
                let spelled = Spelled::known(kept.spelling, kept.hash);
                let known = self.table.get(&spelled, guess);
                if known.is_none() || kept.integers.is_none() {
                    kept.recall(reader);
                }
                let entry = match known {
                    Some(entry) => entry,
                    None => self.insert_kept(reader, kept, &spelled)?,
                };
                // They come from several threads, and in no order.
                self.table
                    .comes_at(entry, RecordPosition { shard: self.shard, index: kept.number });
                let Some(values) = kept.integers else {
                    let (line, spelling) = (kept.line(), 0..kept.spelling.len());
                    let (hash, head) = (kept.hash, spelled.head);
                    let row = KeyedRow { line, spelling, in_text: true, hash, head };
                    self.add_to(entry, reader, 0, &row)?;
                    continue;
                };
                self.kept += 1;
                let values = values.iter().map(|bytes| i64::from_le_bytes(*bytes));
                if as_columns {
                    let both = columns.iter_mut().zip(values);
                    both.for_each(|(column, value)| column[row] = Plain::Integer(value));
                    self.grouped.push(Grouped { row: row as u32, group: entry as u32 });
                    continue;
                }
                integers.clear();
                integers.extend(values);
                let states = self.table.states(plan.width(), entry);
                let grown = plan.add_integers(states, &integers)?;
                self.table.grow(grown);
            }
            plan.add_integer_columns(self.table.all_states(), &self.grouped, &columns)?;
        }
        Ok(())
    }

    #[cold]
    fn insert_kept(
        &mut self,
        reader: &GroupReader,
        kept: &Kept<'_>,
        spelled: &Spelled<'_>,
    ) -> Result<usize> {
        let (line, plan) = (kept.line(), reader.grouping().plan());
        self.key.clear();
        reader
            .push_key(0, line.text, &mut self.key)
            .map_err(|_| Error::incomplete("internal error: a record that was kept has no key"))?;
        let at = RecordPosition { shard: self.shard, index: kept.number };
        let label = |out: &mut Vec<u8>| reader.push_label(0, line.text, out);
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

//! Records to a hash table of their groups, some at once: what they need of a large table lies
//! anywhere in memory, and the memory is then waited for once for all of them.

use std::ops::Range;
use std::sync::Arc;

use super::kept::Kept;
use super::order::Judge;
use super::reader::GroupReader;
use super::table::{GUESSES, Spelled, Table};
use crate::aggregate::{Grouped, Plain, RecordPosition};
use crate::error::{Error, Result};
use crate::extsort::run::Run;
use crate::record::block::{Block, Line};
use crate::record::key::KeyFault;

/// How many records are looked up at once.
pub(super) const ROWS: usize = GUESSES;

/// A record whose group is to be looked up.
pub(super) struct KeyedRow<'a> {
    pub(super) line: Line<'a>,
    /// Where its key is spelled: in its text, or else in what was put together.
    pub(super) spelling: Range<usize>,
    pub(super) in_text: bool,
    pub(super) hash: u64,
    head: [u64; 2],
}

impl<'a> KeyedRow<'a> {
    #[inline(always)]
    pub(super) fn spelled<'b>(&self, put_together: &'b [u8]) -> Spelled<'b>
    where
        'a: 'b,
    {
        let text = match self.in_text {
            true => &self.line.text[self.spelling.clone()],
            false => &put_together[self.spelling.clone()],
        };
        Spelled { text, hash: self.hash, head: self.head }
    }
}

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
    block: &Block,
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
        RecordBatch::Columns(first) => filling.add_columns(reader, block, first),
    })?;
    Ok(filling.finish())
}

/// Records that were read together.
pub(super) enum RecordBatch<'a> {
    /// As they are, with what was put together for their spellings.
    Rows(&'a [KeyedRow<'a>], &'a [u8]),
    /// As the columns of the reader. The first stands in this line, and one in each that follows.
    Columns(u64),
}

/// Reads the records of a block, and gives them to `add`, some at once. They are counted, but not as kept.
///
/// # Errors
/// `BadInput` for a record that has no key; what `add` says.
pub(super) fn each_batch(
    reader: &mut GroupReader,
    block: &Block,
    judge: &Judge,
    may_be_columns: bool,
    mut add: impl FnMut(&mut GroupReader, RecordBatch<'_>) -> Result<()>,
) -> Result<()> {
    let (mut records, mut put_together) = (0, Vec::new());
    let (mut rows, mut at, mut number) = (Vec::with_capacity(ROWS), 0, block.first_line);
    loop {
        if may_be_columns && let Some(end) = reader.read_columns(&block.bytes, at) {
            add(reader, RecordBatch::Columns(number))?;
            (records, at, number) = (records + ROWS as u64, end, number + ROWS as u64);
            continue;
        }
        rows.clear();
        put_together.clear();
        reader.clear();
        let mut fault = None;
        while rows.len() < ROWS {
            let (line, read) = match reader.read_line(&block.bytes, at) {
                Some(end) => (Line { text: &block.bytes[at..end], number, at }, Ok(())),
                None => match block.line_at(at, number) {
                    Some(line) => (line, reader.read(line.text)),
                    None => break,
                },
            };
            records += 1;
            (at, number) = (block.after(&line), line.number + 1);
            let row = read
                .map_err(KeyFault::Flaw)
                .and_then(|()| row(reader, rows.len(), block, line, &mut put_together));
            match row {
                Ok(row) => rows.push(row),
                Err(why) => {
                    fault = Some((line, why));
                    break;
                }
            }
        }
        add(reader, RecordBatch::Rows(&rows, &put_together))?;
        match fault {
            Some((line, fault)) => judge.fault(line, fault)?,
            None if rows.len() < ROWS => break,
            None => (),
        }
    }
    judge.count(records, 0, block.bytes.len());
    Ok(())
}

/// Where record `number`, which was read, spells its key.
#[inline(always)]
fn row<'a>(
    reader: &GroupReader,
    number: usize,
    block: &Block,
    line: Line<'a>,
    put_together: &mut Vec<u8>,
) -> std::result::Result<KeyedRow<'a>, KeyFault> {
    if let [Some(place)] = reader.parts(number) {
        // In the block, where as many bytes as a word has mostly follow it.
        let Spelled { hash, head, .. } =
            Spelled::at(&block.bytes, line.at + place.start..line.at + place.end);
        return Ok(KeyedRow { line, spelling: place.clone(), in_text: true, hash, head });
    }
    if reader.parts(number).contains(&None) {
        // Whether it may have no such part.
        reader.push_key(number, line.text, &mut Vec::new())?;
    }
    let start = put_together.len();
    reader.push_spelling(number, line.text, put_together);
    let spelling = start..put_together.len();
    let Spelled { hash, head, .. } = Spelled::at(put_together, spelling.clone());
    Ok(KeyedRow { line, spelling, in_text: false, hash, head })
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
                None => other(reader, number, row, spelled.text)?,
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

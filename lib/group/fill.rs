//! Records to a hash table of their groups, some at once: what they need of a large table lies
//! anywhere in memory, and the memory is then waited for once for all of them.

use std::ops::Range;
use std::sync::Arc;

use super::kept::Kept;
use super::order::Judge;
use super::reader::GroupReader;
use super::table::{GUESSES, Table, hash};
use crate::aggregate::RecordPosition;
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
}

impl<'a> KeyedRow<'a> {
    pub(super) fn spelling<'b>(&self, put_together: &'b [u8]) -> &'b [u8]
    where
        'a: 'b,
    {
        match self.in_text {
            true => &self.line.text[self.spelling.clone()],
            false => &put_together[self.spelling.clone()],
        }
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
    filling.seen = seen;
    each_batch(reader, block, judge, |reader, rows, put_together| {
        filling.add(reader, rows, put_together)
    })?;
    Ok(filling.finish())
}

/// Reads the records of a block, and gives them to `add`, some at once, with what was put together for their
/// spellings. They are counted, but not as kept.
///
/// # Errors
/// `BadInput` for a record that has no key; what `add` says.
pub(super) fn each_batch(
    reader: &mut GroupReader,
    block: &Block,
    judge: &Judge,
    mut add: impl FnMut(&mut GroupReader, &[KeyedRow<'_>], &[u8]) -> Result<()>,
) -> Result<()> {
    let (mut records, mut put_together) = (0, Vec::new());
    let (mut rows, mut at, mut number) = (Vec::with_capacity(ROWS), 0, block.first_line);
    loop {
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
                .and_then(|()| row(reader, rows.len(), line, &mut put_together));
            match row {
                Ok(row) => rows.push(row),
                Err(why) => {
                    fault = Some((line, why));
                    break;
                }
            }
        }
        add(reader, &rows, &put_together)?;
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
    line: Line<'a>,
    put_together: &mut Vec<u8>,
) -> std::result::Result<KeyedRow<'a>, KeyFault> {
    if let [Some(place)] = reader.parts(number) {
        let hash = hash(&line.text[place.clone()]);
        return Ok(KeyedRow { line, spelling: place.clone(), in_text: true, hash });
    }
    if reader.parts(number).contains(&None) {
        // Whether it may have no such part.
        reader.push_key(number, line.text, &mut Vec::new())?;
    }
    let start = put_together.len();
    reader.push_spelling(number, line.text, put_together);
    let spelling = start..put_together.len();
    Ok(KeyedRow { line, hash: hash(&put_together[start..]), spelling, in_text: false })
}

/// A table that is being filled.
pub(super) struct Filling<'a, 's> {
    table: &'a mut Table,
    shard: u64,
    share: usize,
    judge: &'a Judge,
    seen: Option<EachKey<'s>>,
    key: Vec<u8>,
    runs: Vec<Run>,
    kept: u64,
    lacking: u64,
}

impl<'a> Filling<'a, '_> {
    /// A table for records of shard `shard`, which may take `share` bytes.
    pub(super) fn new(table: &'a mut Table, shard: u64, share: usize, judge: &'a Judge) -> Self {
        let (runs, key) = (Vec::new(), Vec::new());
        Filling { table, shard, share, judge, seen: None, key, runs, kept: 0, lacking: 0 }
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
            let (line, spelling) = (row.line, row.spelling(put_together));
            let at = RecordPosition { shard: self.shard, index: line.number };
            let known = self.table.get(spelling, row.hash, guess);
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
                self.table.insert(plan, (spelling, row.hash), &self.key, at, label)
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
            let spelling = row.spelling(put_together);
            match self.table.get(spelling, row.hash, guess) {
                Some(entry) => self.add_to(entry, reader, number, row).map(|_| ())?,
                None => other(reader, number, row, spelling)?,
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
        while !left.is_empty() {
            batch.clear();
            batch.extend(std::iter::from_fn(|| Kept::next(&mut left, widths)).take(ROWS));
            if batch.is_empty() {
                return Err(Error::incomplete("internal error: a record was not kept whole"));
            }
            let guesses = self.table.guess(batch.iter().map(|kept| kept.hash), plan.width());
            for (kept, guess) in batch.iter().zip(guesses) {
                let known = self.table.get(kept.spelling, kept.hash, guess);
                if known.is_none() || kept.integers.is_none() {
                    kept.recall(reader);
                }
                let entry = match known {
                    Some(entry) => entry,
                    None => self.insert_kept(reader, kept)?,
                };
                // They come from several threads, and in no order.
                self.table
                    .comes_at(entry, RecordPosition { shard: self.shard, index: kept.number });
                let Some(values) = kept.integers else {
                    let (line, spelling) = (kept.line(), 0..kept.spelling.len());
                    let row = KeyedRow { line, spelling, in_text: true, hash: kept.hash };
                    self.add_to(entry, reader, 0, &row)?;
                    continue;
                };
                integers.clear();
                integers.extend(values.iter().map(|bytes| i64::from_le_bytes(*bytes)));
                self.kept += 1;
                let states = self.table.states(plan.width(), entry);
                let grown = plan.add_integers(states, &integers)?;
                self.table.grow(grown);
            }
        }
        Ok(())
    }

    #[cold]
    fn insert_kept(&mut self, reader: &GroupReader, kept: &Kept<'_>) -> Result<usize> {
        let (line, plan) = (kept.line(), reader.grouping().plan());
        self.key.clear();
        reader
            .push_key(0, line.text, &mut self.key)
            .map_err(|_| Error::incomplete("internal error: a record that was kept has no key"))?;
        let at = RecordPosition { shard: self.shard, index: kept.number };
        let label = |out: &mut Vec<u8>| reader.push_label(0, line.text, out);
        Ok(self.table.insert(plan, (kept.spelling, kept.hash), &self.key, at, label))
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

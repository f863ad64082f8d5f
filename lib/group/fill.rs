//! Records to a hash table of their groups, some at once: what they need of a large table lies
//! anywhere in memory, and the memory is then waited for once for all of them.

use std::ops::Range;
use std::sync::Arc;

use super::grouping::GroupReader;
use super::order::Judge;
use super::table::{GUESSES, Table, hash};
use crate::aggregate::RecordPosition;
use crate::error::Result;
use crate::extsort::run::Run;
use crate::record::block::{Block, Line};
use crate::record::key::KeyFault;

/// How many records are looked up at once.
const ROWS: usize = GUESSES;

/// A record whose group is to be looked up.
struct Row<'a> {
    line: Line<'a>,
    /// Where its key is spelled: in its text, or else in what was put together.
    spelling: Range<usize>,
    in_text: bool,
    hash: u64,
}

impl<'a> Row<'a> {
    fn spelling<'b>(&self, put_together: &'b [u8]) -> &'b [u8]
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
    let (runs, key) = (Vec::new(), Vec::new());
    let mut filling =
        Filling { reader, table, shard, share, judge, seen, key, runs, kept: 0, lacking: 0 };
    let (mut records, mut put_together) = (0, Vec::new());
    let (mut rows, mut at, mut number) = (Vec::with_capacity(ROWS), 0, block.first_line);
    loop {
        rows.clear();
        put_together.clear();
        filling.reader.clear();
        let mut fault = None;
        while rows.len() < ROWS {
            let (line, read) = match filling.reader.read_line(&block.bytes, at) {
                Some(end) => (Line { text: &block.bytes[at..end], number, at }, Ok(())),
                None => match block.line_at(at, number) {
                    Some(line) => (line, filling.reader.read(line.text)),
                    None => break,
                },
            };
            records += 1;
            (at, number) = (block.after(&line), line.number + 1);
            let row = read
                .map_err(KeyFault::Flaw)
                .and_then(|()| row(filling.reader, rows.len(), line, &mut put_together));
            match row {
                Ok(row) => rows.push(row),
                Err(why) => {
                    fault = Some((line, why));
                    break;
                }
            }
        }
        filling.add(&rows, &put_together)?;
        match fault {
            Some((line, fault)) => judge.fault(line, fault)?,
            None if rows.len() < ROWS => break,
            None => (),
        }
    }
    judge.count(records, filling.kept, block.bytes.len());
    judge.count_lacking(filling.lacking);
    Ok(filling.runs)
}

/// Where record `number`, which was read, spells its key.
#[inline]
fn row<'a>(
    reader: &GroupReader,
    number: usize,
    line: Line<'a>,
    put_together: &mut Vec<u8>,
) -> std::result::Result<Row<'a>, KeyFault> {
    if let [Some(place)] = reader.parts(number) {
        let hash = hash(&line.text[place.clone()]);
        return Ok(Row { line, spelling: place.clone(), in_text: true, hash });
    }
    if reader.parts(number).contains(&None) {
        // Whether it may have no such part.
        reader.push_key(number, line.text, &mut Vec::new())?;
    }
    let start = put_together.len();
    reader.push_spelling(number, line.text, put_together);
    let spelling = start..put_together.len();
    Ok(Row { line, hash: hash(&put_together[start..]), spelling, in_text: false })
}

/// A table that is being filled.
struct Filling<'a, 's> {
    reader: &'a mut GroupReader,
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

impl Filling<'_, '_> {
    /// Adds the records that were read to their groups.
    fn add(&mut self, rows: &[Row<'_>], put_together: &[u8]) -> Result<()> {
        let grouping = Arc::clone(self.reader.grouping());
        let plan = grouping.plan();
        let guesses = self.table.guess(rows.iter().map(|row| row.hash), plan.width());
        for ((number, row), guess) in rows.iter().enumerate().zip(guesses) {
            let (line, spelling) = (row.line, row.spelling(put_together));
            let at = RecordPosition { shard: self.shard, index: line.number };
            let known = self.table.get(spelling, row.hash, guess);
            if known.is_none() || self.seen.is_some() {
                self.key.clear();
                if let Err(fault) = self.reader.push_key(number, line.text, &mut self.key) {
                    self.judge.fault(line, fault)?;
                    continue;
                }
                if let Some(seen) = &mut self.seen {
                    seen(&self.key, line)?;
                }
            }
            self.kept += 1;
            let entry = known.unwrap_or_else(|| {
                let reader = &self.reader;
                let label = |out: &mut Vec<u8>| reader.push_label(number, line.text, out);
                self.table.insert(plan, (spelling, row.hash), &self.key, at, label)
            });
            let states = self.table.states(plan, entry);
            let added = self.reader.add(number, line.text, at, states);
            let (lacks, grown) = added.map_err(|e| e.at(self.judge.place(line)))?;
            self.lacking += u64::from(lacks);
            self.table.grow(grown);
            if (known.is_none() || grown > 0) && self.table.memory() > self.share {
                self.runs.push(std::mem::take(self.table).into_run(plan)?);
            }
        }
        Ok(())
    }
}

//! The join of two sides neither of which is held: both are sorted by key and go by each other once.
//!
//! What comes of a left record is one item under the number of its line, by which the items are
//! sorted again. It holds the lines themselves where these are few bytes, and otherwise the left
//! record and the place of its matches in a file, where the records of such a key lie once: so a key
//! that many records of both sides have takes room for the records, and not for their pairs.

use std::sync::Arc;

use super::JoinKind;
use super::joined::ClashCheck;
use super::side::{NO_KEY, RightRow, Sides, part};
use crate::error::{Error, Result};
use crate::extsort::budget::Budget;
use crate::extsort::merge::Cursor;
use crate::extsort::run::{Run, RunBuilder};
use crate::extsort::sorter::{Sorted, Sorter};
use crate::extsort::spill::{Items, Spill, SpillWriter, push_parts};
use crate::group::order::Limits;
use crate::parallel;
use crate::record::bad::Bad;
use crate::record::block::{Block, Blocks};
use crate::record::key::{KeyFault, Keyer};
use crate::record::stream::{Input, Output, Summary};

/// How many bytes the lines of one left record may be, to be kept as they are.
const LINES_MAX: usize = 64 << 10;

/// Bytes that are written at once.
const WRITE_BYTES: usize = 256 << 10;

/// Bytes of the number behind the key of a left record, which is the key of what comes of it.
const NUMBER: usize = size_of::<u64>();

/// Joins `left` with the records that `right` has.
///
/// # Errors
/// As [`super::join`].
pub(super) fn join(
    sides: &Arc<Sides>,
    limits: &Limits,
    bad: &Arc<Bad>,
    mut right: Sorter,
    left: impl Input + 'static,
    output: &mut impl Output,
) -> Result<Summary> {
    let mut left = sort_left(sides, &part(limits, 2), bad, left)?;
    let quarter = part(limits, 4);
    let check = ClashCheck::new(sides.shapes.all());
    let mut group = RightGroup::new(&quarter)?;
    let (mut results, mut alone) = (Collection::new(&quarter), Collection::new(&quarter));
    let (mut left, mut right) = (left.cursor()?, right.cursor()?);
    let spilled = left.spilled_bytes + right.spilled_bytes;
    let mut meeting =
        Meeting { sides, check, group: &mut group, results: &mut results, alone: &mut alone };
    meeting.meet(&mut left, &mut right)?;
    let Meeting { check, .. } = meeting;
    drop((left, right));
    let mut writing = Writing {
        sides,
        check,
        groups: group.finish()?,
        buffer: quarter.settings(false).budget.buffer,
        output,
        lines: Vec::with_capacity(WRITE_BYTES),
        written: Summary { spilled_bytes: spilled, ..Summary::default() },
    };
    writing.written.spilled_bytes += writing.groups.bytes();
    for part in [results, alone] {
        let spilled = part.finish(|number, item| writing.item(number, item))?;
        writing.written.spilled_bytes += spilled;
    }
    writing.write()?;
    Ok(writing.written)
}

/// Sorts the left side by key, and by the numbers of its lines behind.
fn sort_left(
    sides: &Arc<Sides>,
    limits: &Limits,
    bad: &Arc<Bad>,
    left: impl Input + 'static,
) -> Result<Sorter> {
    let settings = limits.settings(false);
    let size = settings.budget.block;
    let mut sorter = Sorter::new(settings);
    let mut blocks = Blocks::new(left, limits.max_record);
    let (bad, judged) = (Arc::clone(bad), Arc::clone(sides));
    parallel::ordered(
        limits.jobs,
        move || blocks.next(size, Vec::new(), &bad),
        || sides.left.keyer(),
        move |keyer, block| left_run(keyer, block, &judged),
        |_| Ok(None),
        |run| sorter.add(run),
    )?;
    Ok(sorter)
}

/// The sorted run of a block of the left side.
fn left_run(keyer: &mut Keyer, block: Block, sides: &Sides) -> Result<Run> {
    let lines = usize::try_from(block.line_count).unwrap_or(usize::MAX);
    let mut run = RunBuilder::expecting(block.bytes.len(), lines);
    let mut records = 0;
    for line in block.lines() {
        records += 1;
        let key = |out: &mut Vec<u8>| {
            sides.left.key(keyer, line.text, out)?;
            out.extend_from_slice(&line.number.to_be_bytes());
            Ok(())
        };
        if let Err(flaw) = run.push(line.at, line.text.len(), key) {
            sides.left.judge.fault(line, KeyFault::Flaw(flaw))?;
        }
    }
    sides.left.judge.count(records, run.len() as u64, block.bytes.len());
    run.finish(block.bytes)
}

/// Items under numbers, to be sorted by these.
struct Collection {
    sorter: Sorter,
    block: usize,
    run: RunBuilder,
    text: Vec<u8>,
}

impl Collection {
    fn new(limits: &Limits) -> Collection {
        let budget = Budget::new(limits.memory, limits.jobs);
        let (run, text) = (RunBuilder::default(), Vec::new());
        Collection { sorter: Sorter::new(limits.settings(false)), block: budget.block, run, text }
    }

    /// Adds what `push` appends.
    fn add(&mut self, number: u64, push: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        let at = self.text.len();
        push(&mut self.text)?;
        self.run.push(at, self.text.len() - at, |key| {
            key.extend_from_slice(&number.to_be_bytes());
            Ok::<(), Error>(())
        })?;
        if self.text.len() >= self.block { self.end_run() } else { Ok(()) }
    }

    fn end_run(&mut self) -> Result<()> {
        let (run, text) = (std::mem::take(&mut self.run), std::mem::take(&mut self.text));
        self.sorter.add(run.finish(text)?)
    }

    /// Gives all items to `take`, by number. Returns the bytes that were spilled.
    fn finish(mut self, mut take: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<u64> {
        self.end_run()?;
        self.sorter.finish_items(|key, item| take(number_of(key), item))
    }
}

/// The number at the end of a key.
fn number_of(key: &[u8]) -> u64 {
    key.last_chunk::<NUMBER>().map_or(0, |number| u64::from_be_bytes(*number))
}

/// The right records of one key, in memory as long as they are few; and the file for those of keys
/// that have many.
struct RightGroup {
    key: Vec<u8>,
    /// Those in memory, in the form of a spilled run.
    rows: Vec<u8>,
    count: u64,
    /// Where those in the file begin, once there are some.
    start: Option<u64>,
    file: SpillWriter,
    /// Bytes in memory before the others go to the file.
    most: usize,
}

impl RightGroup {
    fn new(limits: &Limits) -> Result<RightGroup> {
        Ok(RightGroup {
            key: Vec::new(),
            rows: Vec::new(),
            count: 0,
            start: None,
            file: SpillWriter::new(&limits.directory)?,
            most: limits.settings(false).budget.range.max(LINES_MAX),
        })
    }

    /// Takes the records of the key that `right` is at, if `wanted`. Returns whether there are more
    /// behind.
    fn read(&mut self, right: &mut Sorted, wanted: bool) -> Result<bool> {
        self.key.clear();
        self.key.extend_from_slice(right.cursor.key());
        self.rows.clear();
        (self.count, self.start) = (0, None);
        loop {
            if wanted {
                self.count += 1;
                push_parts(&mut self.rows, &[], right.cursor.text());
                if self.rows.len() > self.most {
                    self.spool()?;
                }
            }
            if !right.cursor.advance()? {
                return Ok(false);
            }
            if right.cursor.key() != self.key {
                return Ok(true);
            }
        }
    }

    /// Moves what is in memory to the file.
    fn spool(&mut self) -> Result<()> {
        self.start.get_or_insert(self.file.bytes());
        self.file.write(&self.rows)?;
        self.rows.clear();
        Ok(())
    }

    /// The records, where they are in memory and give no more than a few lines with a left record of
    /// so many bytes.
    fn few(&self, left: usize) -> Option<Items<'_>> {
        let lines = (left as u64).saturating_mul(self.count) + self.rows.len() as u64;
        (self.start.is_none() && lines <= LINES_MAX as u64).then(|| Items::new(&self.rows))
    }

    /// Where all of them lie in the file.
    fn place(&mut self) -> Result<(u64, u64)> {
        if !self.rows.is_empty() {
            self.spool()?;
        }
        let end = self.file.bytes();
        Ok((self.start.unwrap_or(end), end))
    }

    /// Ends the writing.
    fn finish(self) -> Result<Spill> {
        self.file.finish()
    }
}

/// What an item begins with: lines, or the place of a group and a left record.
const LINES: u8 = b'L';
const PLACE: u8 = b'P';

/// Both sides as they go by each other.
struct Meeting<'a> {
    sides: &'a Sides,
    check: ClashCheck,
    group: &'a mut RightGroup,
    results: &'a mut Collection,
    alone: &'a mut Collection,
}

impl Meeting<'_> {
    fn meet(&mut self, left: &mut Sorted, right: &mut Sorted) -> Result<()> {
        let (mut is_left, mut is_right) = (left.cursor.advance()?, right.cursor.advance()?);
        while is_left {
            let key = key_of(left);
            if is_right && right.cursor.key() < key {
                self.stays_alone(right.cursor.text())?;
                is_right = right.cursor.advance()?;
            } else if is_right && right.cursor.key() == key && key != NO_KEY {
                is_right = self.group.read(right, self.sides.kind.merges())?;
                while is_left && key_of(left) == self.group.key {
                    self.has_partner(left)?;
                    is_left = left.cursor.advance()?;
                }
            } else {
                self.keep(left, false)?;
                is_left = left.cursor.advance()?;
            }
        }
        while is_right {
            self.stays_alone(right.cursor.text())?;
            is_right = right.cursor.advance()?;
        }
        Ok(())
    }

    /// Takes a right record whose key no left one has.
    fn stays_alone(&mut self, row: &[u8]) -> Result<()> {
        if self.sides.kind != JoinKind::Outer {
            return Ok(());
        }
        let row = RightRow::read(row)?;
        self.alone.add(row.number, |item| {
            item.push(LINES);
            item.extend_from_slice(row.alone);
            item.push(b'\n');
            Ok(())
        })
    }

    /// Takes a left record as it is, where such come out.
    fn keep(&mut self, left: &Sorted, has_partner: bool) -> Result<()> {
        if !self.sides.kind.keeps(has_partner) {
            return Ok(());
        }
        self.results.add(number_of(left.cursor.key()), |item| {
            item.push(LINES);
            item.extend_from_slice(left.cursor.text());
            item.push(b'\n');
            Ok(())
        })
    }

    /// Takes a left record whose key the group has.
    fn has_partner(&mut self, left: &Sorted) -> Result<()> {
        if !self.sides.kind.merges() {
            return self.keep(left, true);
        }
        let (record, number) = (left.cursor.text(), number_of(left.cursor.key()));
        let Some(mut rows) = self.group.few(record.len()) else {
            let (from, to) = self.group.place()?;
            return self.results.add(number, |item| {
                item.push(PLACE);
                item.extend_from_slice(&from.to_le_bytes());
                item.extend_from_slice(&to.to_le_bytes());
                item.extend_from_slice(record);
                Ok(())
            });
        };
        self.check.restart();
        self.results.add(number, |item| {
            item.push(LINES);
            while rows.advance()? {
                let row = RightRow::read(rows.text())?;
                self.sides.push(&mut self.check, (record, number), &row, item)?;
            }
            Ok(())
        })
    }
}

/// The key of the left record that is the current one.
fn key_of(left: &Sorted) -> &[u8] {
    let key = left.cursor.key();
    &key[..key.len().saturating_sub(NUMBER)]
}

/// The results as they are written.
struct Writing<'a, O> {
    sides: &'a Sides,
    check: ClashCheck,
    /// The records of keys that have many.
    groups: Spill,
    /// Bytes of these that are read at once.
    buffer: usize,
    output: &'a mut O,
    lines: Vec<u8>,
    written: Summary,
}

impl<O: Output> Writing<'_, O> {
    /// Writes what came of the record of this number.
    fn item(&mut self, number: u64, item: &[u8]) -> Result<()> {
        let cut = || Error::incomplete("a result of the join is damaged");
        let (form, rest) = item.split_first().ok_or_else(cut)?;
        if *form == LINES {
            self.written.records_out += memchr::memchr_iter(b'\n', rest).count() as u64;
            self.lines.extend_from_slice(rest);
            return self.write_many();
        }
        let (place, left) = rest.split_first_chunk::<16>().ok_or_else(cut)?;
        let place = u128::from_le_bytes(*place);
        let mut rows = self.groups.read_part(place as u64, (place >> 64) as u64, self.buffer);
        self.check.restart();
        while rows.advance()? {
            let row = RightRow::read(rows.text())?;
            self.sides.push(&mut self.check, (left, number), &row, &mut self.lines)?;
            self.written.records_out += 1;
            self.write_many()?;
        }
        Ok(())
    }

    fn write_many(&mut self) -> Result<()> {
        if self.lines.len() >= WRITE_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        self.written.bytes_out += self.lines.len() as u64;
        self.output.write(&self.lines)?;
        self.lines.clear();
        Ok(())
    }
}

//! The records of a block, some at once: as columns where they are alike, or each with where its key is spelled.

use std::ops::Range;

use super::columns::BatchText;
use super::order::Judge;
use super::reader::GroupReader;
use super::spelled::Spelled;
use super::table::GUESSES;
use crate::error::Result;
use crate::record::block::{Block, Line};
use crate::record::key::KeyFault;
use crate::record::rows::{RowBlock, StreamBlock};

/// How many records are looked up at once.
pub(super) const ROWS: usize = GUESSES;

/// A record whose group is to be looked up.
pub(super) struct KeyedRow<'a> {
    pub(super) line: Line<'a>,
    /// Where its key is spelled: in its text, or else in what was put together.
    pub(super) spelling: Range<usize>,
    pub(super) in_text: bool,
    pub(super) hash: u64,
    pub(super) head: [u64; 2],
}

impl<'a> KeyedRow<'a> {
    /// How its key is spelled.
    #[inline(always)]
    pub(super) fn text<'b>(&self, put_together: &'b [u8]) -> &'b [u8]
    where
        'a: 'b,
    {
        match self.in_text {
            true => &self.line.text[self.spelling.clone()],
            false => &put_together[self.spelling.clone()],
        }
    }

    #[inline(always)]
    pub(super) fn spelled<'b>(&self, put_together: &'b [u8]) -> Spelled<'b>
    where
        'a: 'b,
    {
        Spelled::found(self.text(put_together), false, self.hash, self.head)
    }
}

/// Records that were read together.
pub(super) enum RecordBatch<'a> {
    /// As they are, with what was put together for their spellings.
    Rows(&'a [KeyedRow<'a>], &'a [u8]),
    /// As the columns of the reader, with their text. The first stands in this line, and one in each that follows.
    Columns(BatchText<'a>, u64),
}

/// Reads the records of a block, and gives them to `add`, some at once. They are counted, but not as kept.
///
/// # Errors
/// `BadInput` for a record that has no key; what `add` says.
pub(super) fn each_batch(
    reader: &mut GroupReader,
    block: &StreamBlock,
    judge: &Judge,
    may_be_columns: bool,
    mut add: impl FnMut(&mut GroupReader, RecordBatch<'_>) -> Result<()>,
) -> Result<()> {
    let rows = match block {
        StreamBlock::Lines(block) => {
            return each_batch_of_lines(reader, block, judge, may_be_columns, add);
        }
        StreamBlock::Rows(rows) => rows,
    };
    let (count, end) = match may_be_columns {
        true => each_batch_of_rows(reader, rows, judge, &mut add)?,
        false => (0, 0),
    };
    // The others are written down.
    let mut bytes = Vec::new();
    rows.records.push_records(&rows.bytes[end..], count, &mut bytes)?;
    let line_count = memchr::memchr_iter(b'\n', &bytes).count() as u64;
    let others = Block { bytes, first_line: rows.first_line + count, line_count };
    each_batch_of_lines(reader, &others, judge, may_be_columns, add)
}

/// Reads the first rows of a block, as long as they can be read as columns, and gives them to `add`. How many those
/// are, and where the next begins.
fn each_batch_of_rows(
    reader: &mut GroupReader,
    rows: &RowBlock,
    judge: &Judge,
    mut add: impl FnMut(&mut GroupReader, RecordBatch<'_>) -> Result<()>,
) -> Result<(u64, usize)> {
    let (mut count, mut at) = (0, 0);
    if std::str::from_utf8(&rows.bytes).is_err() {
        return Ok((count, at));
    }
    let form = rows.records.form();
    let text = BatchText { bytes: &rows.bytes, form: Some(form) };
    while let Some(end) = reader.read_rows(form, &rows.bytes, at) {
        add(reader, RecordBatch::Columns(text, rows.first_line + count))?;
        (count, at) = (count + ROWS as u64, end);
    }
    judge.count(count, 0, at + count as usize * form.longer());
    Ok((count, at))
}

/// As [`each_batch`].
fn each_batch_of_lines(
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
            let text = BatchText { bytes: &block.bytes, form: None };
            add(reader, RecordBatch::Columns(text, number))?;
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

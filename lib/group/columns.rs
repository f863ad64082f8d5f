//! A batch of records that are built alike, as columns: of each its key, and its operands as numbers. Most batches of
//! most streams can be read so, and what is the same for all of a batch is then asked once. Rows that stand for records
//! are read so as they are.

use std::borrow::Cow;
use std::ops::Range;

use super::fill::Filling;
use super::grouping::Grouping;
use super::reader::GroupReader;
use super::spelled::Spelled;
use crate::aggregate::{BATCH, Grouped, OperandColumn, Plain, RecordPosition};
use crate::error::Result;
use crate::record::block::Line;
use crate::record::fields::Lines;
use crate::record::key::{KeyPlace, Keyer};
use crate::record::rows::{FieldPlaces, RowForm};

/// For how many batches none is tried after one that cannot be read so, at most.
const PAUSE_MAX: u32 = 256;

/// What a batch was read from.
#[derive(Clone, Copy)]
pub(super) struct BatchText<'a> {
    pub(super) bytes: &'a [u8],
    /// How the records look, if these are rows.
    pub(super) form: Option<&'a RowForm>,
}

/// What one of the values that are looked for is in records that rows stand for.
#[derive(Clone, Copy)]
enum RowValue {
    NotThere,
    Field(usize),
    /// The whole record.
    Whole,
}

/// The columns of the batch that was read last.
pub(super) struct BatchColumns {
    lines: Lines,
    /// Where the fields lie if it was one of rows, and what the values of its records are.
    fields: FieldPlaces,
    values: Vec<RowValue>,
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
    fn of(spelled: Spelled<'_>, place: &Range<usize>) -> RowKey {
        let (start, length) = (place.start as u32, place.len() as u32);
        RowKey { start, length, hash: spelled.hash, head: spelled.head }
    }

    /// As a table looks for it: `text` is that of the batch.
    #[inline(always)]
    fn spelled<'a>(&self, text: &BatchText<'a>) -> Spelled<'a> {
        let place = &text.bytes[self.start as usize..][..self.length as usize];
        Spelled::found(place, text.form.is_some(), self.hash, self.head)
    }
}

impl BatchColumns {
    /// For records of these groups, if any can be read so.
    pub(super) fn new(grouping: &Grouping) -> Option<Box<BatchColumns>> {
        grouping.plan.takes_columns().then(|| {
            Box::new(BatchColumns {
                lines: Lines::default(),
                fields: FieldPlaces::default(),
                values: Vec::new(),
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

    /// Reads the batch of rows that begins at byte `at` of `text`. Returns where it ends; `None` if it cannot be read
    /// so.
    #[inline]
    pub(super) fn read_rows(
        &mut self,
        grouping: &Grouping,
        keyer: &mut Keyer,
        form: &RowForm,
        (text, at): (&[u8], usize),
    ) -> Option<usize> {
        let (BATCH, end) = form.read(text, at, BATCH, &mut self.fields) else { return None };
        if at == 0 {
            self.values = values_of(grouping, keyer, form, &text[self.fields.row(0)])?;
        }
        let BatchColumns { fields, values, keys, operands, .. } = self;
        let field = |value: usize| match values[value] {
            RowValue::Field(field) => Some(fields.field(field)),
            _ => None,
        };
        let first = keyer.width() - operands.len();
        for (number, column) in operands.iter_mut().enumerate() {
            let places = field(first + number)?;
            if !grouping.plan.read_string_column(number, text, places, column) {
                return None;
            }
        }
        let place = field(keyer.key_of(|value| !matches!(values[value], RowValue::NotThere))?)?;
        keys.iter_mut().enumerate().for_each(|(row, key)| {
            let place = place(row);
            *key = RowKey::of(Spelled::within_quotes(text, place.clone()), &place);
        });
        Some(end)
    }

    /// Record `row` of the batch, and where it begins in its text. Where its values lie in it, so many, is appended to
    /// `places`.
    pub(super) fn record<'a>(
        &self,
        text: BatchText<'a>,
        row: usize,
        width: usize,
        places: &mut Vec<KeyPlace>,
    ) -> (Cow<'a, [u8]>, usize) {
        let Some(form) = text.form else {
            let line = self.lines.line(row);
            let start = line.start;
            places.extend((0..width).map(|value| {
                let place = self.lines.value(value)?(row);
                Some(place.start - start..place.end - start)
            }));
            return (Cow::Borrowed(&text.bytes[line]), start);
        };
        let row = self.fields.row(row);
        let start = row.start;
        let (record, fields) = record_of(form, &text.bytes[row]);
        places.extend(self.values.iter().map(|value| match value {
            RowValue::NotThere => None,
            RowValue::Field(field) => fields.get(*field).cloned(),
            RowValue::Whole => Some(0..record.len()),
        }));
        (Cow::Owned(record), start)
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
        let place = lines.value(keyer.key_of(|value| lines.has(value))?)?;
        keys.iter_mut().enumerate().for_each(|(row, key)| {
            let place = place(row);
            *key = RowKey::of(Spelled::at(text, place.clone()), &place);
        });
        Some(end)
    }
}

/// The record that a row stands for, and where its fields lie in it.
fn record_of(form: &RowForm, row: &[u8]) -> (Vec<u8>, Vec<Range<usize>>) {
    let (mut record, mut values) = (Vec::new(), Vec::new());
    form.push_record(row, &mut record, &mut values);
    record.pop();
    (record, values)
}

/// What the values that are looked for are in records that rows like this one stand for. `None` if that cannot be told
/// of all.
fn values_of(
    grouping: &Grouping,
    keyer: &mut Keyer,
    form: &RowForm,
    row: &[u8],
) -> Option<Vec<RowValue>> {
    let (record, fields) = record_of(form, row);
    // What is no pair is its own value.
    if grouping.values.contains(&true) && !record.starts_with(b"[") {
        return None;
    }
    let mut places = Vec::new();
    keyer.find(&record, &mut places).ok()?;
    let value = |place: KeyPlace| match place {
        None => Some(RowValue::NotThere),
        Some(place) if place == (0..record.len()) => Some(RowValue::Whole),
        Some(place) => fields.iter().position(|field| *field == place).map(RowValue::Field),
    };
    places.into_iter().map(value).collect()
}

impl Filling<'_, '_> {
    /// Adds the batch that was read as columns of `text`, whose first record stands in line `first`.
    pub(super) fn add_columns(
        &mut self,
        reader: &mut GroupReader,
        text: BatchText<'_>,
        first: u64,
    ) -> Result<()> {
        let mut new = Ok(());
        self.find_columns(reader, text, |filling, reader, row, spelled| {
            let (record, at) = reader.recall_row(text, row);
            let number = first + row as u64;
            let line = Line { text: &record, number, at };
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
        self.add_grouped(reader, text, first)?;
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
        text: BatchText<'_>,
        first: u64,
        mut other: impl FnMut(&mut GroupReader, usize, &Spelled<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut dealt = Ok(());
        self.find_columns(reader, text, |_, reader, row, spelled| {
            if dealt.is_ok() {
                dealt = other(reader, row, spelled);
            }
            None
        });
        dealt?;
        self.add_grouped(reader, text, first)
    }

    /// Finds the groups of the records of a batch. `new` gives that of one which the table does not have, if it is
    /// to be added to any.
    #[inline(always)]
    fn find_columns(
        &mut self,
        reader: &mut GroupReader,
        text: BatchText<'_>,
        mut new: impl FnMut(&mut Self, &mut GroupReader, usize, &Spelled<'_>) -> Option<usize>,
    ) {
        self.grouped.clear();
        let Some(columns) = reader.columns() else { return };
        let keys = columns.keys;
        let guesses = self.table.guess(keys.iter().map(|key| key.hash), reader.width());
        for (row, (key, guess)) in keys.iter().zip(guesses).enumerate() {
            let spelled = key.spelled(&text);
            let known = self.table.get(&spelled, guess);
            if let Some(group) = known.or_else(|| new(self, reader, row, &spelled)) {
                self.grouped.push(Grouped { row: row as u32, group: group as u32 });
            }
        }
    }

    /// Adds the records of a batch whose groups were found.
    fn add_grouped(
        &mut self,
        reader: &mut GroupReader,
        text: BatchText<'_>,
        first: u64,
    ) -> Result<()> {
        self.kept += self.grouped.len() as u64;
        let shard = self.shard;
        let at = |row: usize| RecordPosition { shard, index: first + row as u64 };
        let states = self.table.all_states();
        let added = reader.add_columns(states, &self.grouped, text, at);
        let grown = added.map_err(|(row, error)| {
            let (record, at) = reader.recall_row(text, row);
            error.at(self.judge.place(Line { text: &record, number: first + row as u64, at }))
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

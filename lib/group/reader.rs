//! Reading records: their group, and what they add to it.

use std::borrow::Cow;
use std::sync::Arc;

use super::columns::{BatchColumns, BatchText};
use super::grouping::{Grouping, ResultForm};
use super::kept::keep_short;
use super::spelled::Spelled;
use crate::aggregate::{Grouped, OpState, OperandColumn, Plain, RecordPosition, Scratch, WholeRow};
use crate::error::{Error, Result};
use crate::record::Flaw;
use crate::record::fields::Fields;
use crate::record::key::{KeyFault, KeyPlace, Keyer};
use crate::record::rows::RowForm;

/// Reads records: their group, and what they add to it. Each thread has its own. It knows some records at
/// once, by their numbers.
pub struct GroupReader {
    grouping: Arc<Grouping>,
    finder: Finder,
    scratch: Scratch,
    /// How many operands and parts of a key a record has, and how many places there are of each.
    operands: usize,
    key_parts: usize,
    width: usize,
    /// Those of all records, one after the other.
    places: Vec<KeyPlace>,
    columns: Option<Box<BatchColumns>>,
}

/// Finds the key, or only the operands where there is none.
enum Finder {
    Keyer(Keyer),
    Fields(Fields),
}

impl GroupReader {
    /// For records of these groups.
    pub fn new(grouping: &Arc<Grouping>) -> GroupReader {
        let paths = grouping.plan.paths();
        let operands = paths.len();
        let finder = match &grouping.keys {
            None => Finder::Fields(Fields::new(paths)),
            Some(keys) => {
                let keyer = Keyer::new(keys, grouping.missing, &paths);
                Finder::Keyer(keyer.reversed(grouping.reverse))
            }
        };
        let width = match &finder {
            Finder::Fields(fields) => fields.width(),
            Finder::Keyer(keyer) => keyer.width(),
        };
        let columns = match &finder {
            Finder::Fields(_) => None,
            Finder::Keyer(_) => BatchColumns::new(grouping),
        };
        GroupReader {
            grouping: Arc::clone(grouping),
            finder,
            scratch: Scratch::default(),
            operands,
            key_parts: grouping.key_parts(),
            width,
            places: Vec::new(),
            columns,
        }
    }

    /// Forgets the records that were read.
    pub fn clear(&mut self) {
        self.places.clear();
    }

    /// Reads a record, the first one since [`GroupReader::clear`] being number 0: then it can be added, and its
    /// group be told.
    ///
    /// # Errors
    /// The first flaw and its place; then it is as if it had not been read.
    #[inline]
    pub fn read(&mut self, record: &[u8]) -> std::result::Result<(), Flaw> {
        match &mut self.finder {
            Finder::Fields(fields) => self.places.extend_from_slice(fields.locate(record)?),
            Finder::Keyer(keyer) => keyer.find(record, &mut self.places)?,
        }
        self.find_values(record);
        Ok(())
    }

    /// Reads the record that begins at byte `at` of `text`, if it is built as the last one was and a line end
    /// follows it. Returns where it ends.
    #[inline(always)]
    pub fn read_line(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let places = &mut self.places;
        let end = match &mut self.finder {
            Finder::Fields(fields) => fields.locate_line(text, at, places)?,
            Finder::Keyer(keyer) => keyer.find_line(text, at, places)?,
        };
        self.find_values(&text[at..end]);
        Some(end)
    }

    /// Reads the batch of records that begins at byte `at` of `text`, if they are built alike and their operands are
    /// ordinary numbers: where it ends. They are known by [`GroupReader::columns`] and
    /// [`GroupReader::add_columns`] then.
    #[inline]
    pub(super) fn read_columns(&mut self, text: &[u8], at: usize) -> Option<usize> {
        match (&mut self.columns, &mut self.finder) {
            (Some(columns), Finder::Keyer(keyer)) => columns.read(&self.grouping, keyer, text, at),
            _ => None,
        }
    }

    /// The same of rows.
    #[inline]
    pub(super) fn read_rows(&mut self, form: &RowForm, text: &[u8], at: usize) -> Option<usize> {
        match (&mut self.columns, &mut self.finder) {
            (Some(columns), Finder::Keyer(keyer)) => {
                columns.read_rows(&self.grouping, keyer, form, (text, at))
            }
            _ => None,
        }
    }

    /// The columns of the batch that was read last, if this one reads batches.
    #[inline(always)]
    pub(super) fn columns(&self) -> Option<&BatchColumns> {
        self.columns.as_deref()
    }

    /// Knows record `row` of the batch, which was read from `text`, as number 0, and no other. Returns it, and where it
    /// begins there.
    #[cold]
    pub(super) fn recall_row<'a>(
        &mut self,
        text: BatchText<'a>,
        row: usize,
    ) -> (Cow<'a, [u8]>, usize) {
        self.places.clear();
        let Some(columns) = &self.columns else { return Default::default() };
        columns.record(text, row, self.width, &mut self.places)
    }

    /// Keeps record `row` of the batch, which stands in line `number`, at the end of `out`, if no more than integers
    /// and a short key are needed of it; whether that is so.
    #[inline]
    pub(super) fn keep_short(
        &self,
        row: usize,
        number: u64,
        spelled: &Spelled<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(columns) = &self.columns else { return false };
        let integer = |column: &OperandColumn| match column[row] {
            Plain::Integer(integer) => Some(integer),
            Plain::Double(_) => None,
        };
        let operands = &columns.operands;
        self.grouping.plan.takes_integers()
            && operands.iter().all(|column| integer(column).is_some())
            && keep_short(number, spelled, operands.iter().filter_map(integer), out)
    }

    /// Adds records of the batch to the states of their groups: see [`add_columns`](crate::aggregate::ReductionPlan::add_columns). `at` says
    /// where a record stands, and `text` is that of the batch.
    ///
    /// # Errors
    /// As [`GroupReader::add`], with the number of the record.
    #[inline]
    pub(super) fn add_columns(
        &mut self,
        states: &mut [OpState],
        records: &[Grouped],
        text: BatchText<'_>,
        at: impl Fn(usize) -> RecordPosition,
    ) -> std::result::Result<usize, (usize, Error)> {
        let Some(columns) = &self.columns else { return Ok(0) };
        let row = |row| {
            let mut places = Vec::new();
            let (record, _) = columns.record(text, row, self.width, &mut places);
            places.drain(..self.width - self.operands);
            WholeRow { record, places, at: at(row) }
        };
        let plan = &self.grouping.plan;
        plan.add_columns(&mut self.scratch, states, records, &columns.operands, row)
    }

    /// What is no pair is its own value.
    #[inline(always)]
    fn find_values(&mut self, record: &[u8]) {
        let start = self.places.len() - self.operands;
        for (place, value) in self.places[start..].iter_mut().zip(&self.grouping.values) {
            if *value && !record.trim_ascii_start().starts_with(b"[") {
                let start = record.len() - record.trim_ascii_start().len();
                *place = Some(start..start + record.trim_ascii().len());
            }
        }
    }

    /// The places of record `number`.
    #[inline(always)]
    fn places(&self, number: usize) -> &[KeyPlace] {
        &self.places[number * self.width..][..self.width]
    }

    /// Where the parts of the key of record `number` lie.
    #[inline(always)]
    pub fn parts(&self, number: usize) -> &[KeyPlace] {
        match &self.finder {
            Finder::Fields(_) => &[],
            Finder::Keyer(keyer) => keyer.found(self.places(number)).key,
        }
    }

    /// Appends the canonical bytes of the key of record `number`.
    ///
    /// # Errors
    /// Why it has none; `out` may then hold a part of one.
    pub fn push_key(
        &self,
        number: usize,
        record: &[u8],
        out: &mut Vec<u8>,
    ) -> std::result::Result<(), KeyFault> {
        match &self.finder {
            Finder::Fields(_) => Ok(()),
            Finder::Keyer(keyer) => keyer.push_key(record, self.parts(number), out),
        }
    }

    /// Appends how record `number` spells its key: two that spell it alike are of one group.
    pub fn push_spelling(&self, number: usize, record: &[u8], out: &mut Vec<u8>) {
        for (n, part) in self.parts(number).iter().enumerate() {
            if n > 0 {
                out.push(b',');
            }
            out.extend_from_slice(value_at(record, part));
        }
    }

    /// Appends how the result of the group of record `number` begins.
    pub fn push_label(&self, number: usize, record: &[u8], out: &mut Vec<u8>) {
        let parts = self.parts(number);
        match &self.grouping.form {
            ResultForm::All => (),
            ResultForm::Object(names) => {
                for (n, (name, place)) in names.iter().zip(parts).enumerate() {
                    out.push(if n == 0 { b'{' } else { b',' });
                    out.extend_from_slice(name);
                    out.push(b':');
                    out.extend_from_slice(value_at(record, place));
                }
            }
            ResultForm::Pair => {
                let several = parts.len() > 1;
                out.extend_from_slice(if several { b"[[" } else { b"[" });
                self.push_spelling(number, record, out);
                if several {
                    out.push(b']');
                }
            }
        }
    }

    /// Adds record `number` to the states of its group. Returns whether an operand was missing and
    /// left out, and by how many bytes the states grew.
    ///
    /// # Errors
    /// `BadInput` for an operand that is not what its op needs.
    #[inline]
    pub fn add(
        &mut self,
        number: usize,
        record: &[u8],
        at: RecordPosition,
        states: &mut [OpState],
    ) -> Result<(bool, usize)> {
        let places = &self.places[number * self.width..][self.width - self.operands..self.width];
        let added = self.grouping.plan.add(&mut self.scratch, states, record, places, at)?;
        Ok((added.missing, added.grown))
    }

    /// Checks that record `number` can be added, whatever its group. Gives its operands to `integer` if they are
    /// all that is needed of it, and are integers; whether they are.
    ///
    /// # Errors
    /// As [`GroupReader::add`].
    #[inline]
    pub(super) fn check(
        &mut self,
        number: usize,
        record: &[u8],
        integer: impl FnMut(i64),
    ) -> Result<bool> {
        let places = &self.places[number * self.width..][self.width - self.operands..self.width];
        self.grouping.plan.check(&mut self.scratch, record, places, integer)
    }

    /// How many parts of a key, and how many operands, there are of a record.
    #[inline]
    pub(super) fn widths(&self) -> (usize, usize) {
        (self.key_parts, self.operands)
    }

    /// Where the operands of record `number` lie.
    #[inline]
    pub(super) fn operands(&self, number: usize) -> &[KeyPlace] {
        &self.places(number)[self.width - self.operands..]
    }

    /// Knows a record as number 0, and no other, by where its parts of the key and its operands lie.
    pub(super) fn recall(
        &mut self,
        parts: impl Iterator<Item = KeyPlace>,
        operands: impl Iterator<Item = KeyPlace>,
    ) {
        self.clear();
        self.places.extend(parts);
        // Where the key is implied, it is looked for in two places; it was found in the first, now.
        self.places.resize(self.width - self.operands, None);
        self.places.extend(operands);
        self.places.resize(self.width, None);
    }

    /// How many states a group has.
    #[inline]
    pub(super) fn width(&self) -> usize {
        self.grouping.plan.width()
    }

    /// How the records are grouped.
    pub fn grouping(&self) -> &Arc<Grouping> {
        &self.grouping
    }
}

/// How a value that is not there is spelled.
pub(super) const NULL: &[u8] = b"null";

/// The value at a place of a record.
#[inline]
fn value_at<'a>(record: &'a [u8], place: &KeyPlace) -> &'a [u8] {
    place.clone().map_or(NULL, |place| &record[place])
}

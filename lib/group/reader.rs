//! Reading records: their group, and what they add to it.

use std::sync::Arc;

use super::grouping::{Grouping, ResultForm};
use crate::aggregate::{OpState, RecordPosition, Scratch};
use crate::error::Result;
use crate::record::Flaw;
use crate::record::fields::Fields;
use crate::record::key::{KeyFault, KeyPlace, Keyer};

/// Reads records: their group, and what they add to it. Each thread has its own. It knows some records at
/// once, by their numbers.
pub struct GroupReader {
    grouping: Arc<Grouping>,
    finder: Finder,
    scratch: Scratch,
    /// How many places of operands, and of parts of a key, there are of each record, one after the
    /// other.
    operands: usize,
    places: Vec<KeyPlace>,
    key_parts: usize,
    parts: Vec<KeyPlace>,
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
        GroupReader {
            grouping: Arc::clone(grouping),
            finder,
            scratch: Scratch::default(),
            operands,
            places: Vec::new(),
            key_parts: grouping.key_parts(),
            parts: Vec::new(),
        }
    }

    /// Forgets the records that were read.
    pub fn clear(&mut self) {
        self.places.clear();
        self.parts.clear();
    }

    /// Reads a record, the first one since [`GroupReader::clear`] being number 0: then it can be added, and its
    /// group be told.
    ///
    /// # Errors
    /// The first flaw and its place; then it is as if it had not been read.
    #[inline]
    pub fn read(&mut self, record: &[u8]) -> std::result::Result<(), Flaw> {
        let start = self.places.len();
        match &mut self.finder {
            Finder::Fields(fields) => self.places.extend_from_slice(fields.locate(record)?),
            Finder::Keyer(keyer) => {
                let found = keyer.find(record)?;
                self.parts.extend_from_slice(found.key);
                self.places.extend_from_slice(found.others);
            }
        }
        self.find_values(start, record);
        Ok(())
    }

    /// Reads the record that begins at byte `at` of `text`, if it is built as the last one was and a line end
    /// follows it. Returns where it ends.
    #[inline(always)]
    pub fn read_line(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let start = self.places.len();
        let end = match &mut self.finder {
            Finder::Fields(fields) => {
                let (end, places) = fields.locate_line(text, at)?;
                self.places.extend_from_slice(places);
                end
            }
            Finder::Keyer(keyer) => {
                let (end, found) = keyer.find_line(text, at)?;
                self.parts.extend_from_slice(found.key);
                self.places.extend_from_slice(found.others);
                end
            }
        };
        self.find_values(start, &text[at..end]);
        Some(end)
    }

    /// What is no pair is its own value.
    #[inline(always)]
    fn find_values(&mut self, start: usize, record: &[u8]) {
        for (place, value) in self.places[start..].iter_mut().zip(&self.grouping.values) {
            if *value && !record.trim_ascii_start().starts_with(b"[") {
                let start = record.len() - record.trim_ascii_start().len();
                *place = Some(start..start + record.trim_ascii().len());
            }
        }
    }

    /// Where the parts of the key of record `number` lie.
    #[inline]
    pub fn parts(&self, number: usize) -> &[KeyPlace] {
        &self.parts[number * self.key_parts..][..self.key_parts]
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
        let places = &self.places[number * self.operands..][..self.operands];
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
        let places = &self.places[number * self.operands..][..self.operands];
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
        &self.places[number * self.operands..][..self.operands]
    }

    /// Knows a record as number 0, and no other, by where its parts of the key and its operands lie.
    pub(super) fn recall(
        &mut self,
        parts: impl Iterator<Item = KeyPlace>,
        operands: impl Iterator<Item = KeyPlace>,
    ) {
        self.clear();
        self.parts.extend(parts);
        self.places.extend(operands);
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

//! Finding the key of a record, and the bytes that stand for it.

use std::ops::Range;

use super::{KeyPart, Keys, Missing, Sense};
use crate::record::Flaw;
use crate::record::absent;
use crate::record::canonical::{self, AsText, NULL, push_value};
use crate::record::fields::{Fields, Lines};
use crate::record::number;
use crate::record::scan::Step;
use crate::record::text::string_bytes;

/// Why a record gave no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// The record is not valid.
    Flaw(Flaw),
    /// It has no such part; the text says which, and what to do.
    Missing(String),
    /// It has no such part, and is to be dropped.
    Skip,
}

/// Finds the keys of records, and other values of them on the same pass.
#[derive(Clone, Debug)]
pub struct Keyer {
    keys: Keys,
    missing: Missing,
    fields: Fields,
    /// Orders the records that have the same key.
    order: Vec<KeyPart>,
    /// Turns the whole round.
    reverse: bool,
}

/// Where a value lies in its record, if it has it.
pub type KeyPlace = Option<Range<usize>>;

impl Keyer {
    /// To find `keys`, and the values at the paths `others` beside.
    pub fn new(keys: &Keys, missing: Missing, others: &[Vec<Step>]) -> Keyer {
        Keyer::with_order(keys, &[], missing, others)
    }

    /// The same with more parts, `order`, behind the key: they order what has the same key.
    pub fn with_order(
        keys: &Keys,
        order: &[KeyPart],
        missing: Missing,
        others: &[Vec<Step>],
    ) -> Keyer {
        let mut paths: Vec<Vec<Step>> = keys.parts.iter().map(|part| part.path.clone()).collect();
        if paths.is_empty() {
            paths = vec![vec![Step::Index(0)], vec![]];
        }
        paths.extend(order.iter().map(|part| part.path.clone()));
        paths.extend_from_slice(others);
        let (keys, order) = (keys.clone(), order.to_vec());
        Keyer { keys, missing, fields: Fields::new(paths), order, reverse: false }
    }

    /// The same with the order of all turned round, if `reverse`.
    pub fn reversed(mut self, reverse: bool) -> Keyer {
        self.reverse = reverse;
        self
    }

    /// Checks `record`, appends its canonical key bytes to `out`, and says where the values are.
    ///
    /// # Errors
    /// Why there is no key; `out` may then hold a part of one.
    #[inline]
    pub fn key(
        &mut self,
        record: &[u8],
        out: &mut Vec<u8>,
    ) -> std::result::Result<Found<'_>, KeyFault> {
        let start = out.len();
        let (keys, order) = (&self.keys.parts, &self.order);
        let places = self.fields.locate(record).map_err(KeyFault::Flaw)?;
        let found = parted(keys, order, places);
        push_keys(out, keys, found.key, record, self.missing)?;
        push_parts(out, order, found.order, record, self.missing)?;
        if self.reverse {
            complement(&mut out[start..]);
        }
        Ok(found)
    }

    /// How many places are looked for in each record.
    pub fn width(&self) -> usize {
        self.fields.width()
    }

    /// Checks `record`, and appends where the values lie: of the key, too, which may have none.
    /// [`Keyer::found`] says which is which.
    ///
    /// # Errors
    /// The first flaw and its place.
    #[inline]
    pub fn find(
        &mut self,
        record: &[u8],
        places: &mut Vec<KeyPlace>,
    ) -> std::result::Result<(), Flaw> {
        places.extend_from_slice(self.fields.locate(record)?);
        Ok(())
    }

    /// The same of the record that begins at byte `at` of `text`, as [`Fields::locate_line`] does it: where it ends.
    #[inline(always)]
    pub fn find_line(
        &mut self,
        text: &[u8],
        at: usize,
        places: &mut Vec<KeyPlace>,
    ) -> Option<usize> {
        self.fields.locate_line(text, at, places)
    }

    /// Reads lines that are built alike, as [`Fields::locate_lines`] does.
    #[inline]
    pub fn find_lines(
        &mut self,
        text: &[u8],
        at: usize,
        count: usize,
        lines: &mut Lines,
    ) -> (usize, usize) {
        self.fields.locate_lines(text, at, count, lines)
    }

    /// Which of the values of records is the key, where `has` says which values they have: `None` if it has several
    /// parts, or is not there.
    pub fn key_of(&self, has: impl Fn(usize) -> bool) -> Option<usize> {
        match self.keys.parts.len() {
            0 => Some(usize::from(!has(0))),
            1 => has(0).then_some(0),
            _ => None,
        }
    }

    /// Appends the canonical key bytes of line `row` of such lines of `text`, as [`Keyer::key`] does. Whether it has
    /// a key; `out` may else hold a part of one.
    #[inline]
    pub fn push_line_key(&self, text: &[u8], lines: &Lines, row: usize, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let value = |number| lines.value(number).map(|place| &text[place(row)]);
        let first = match self.keys.parts.len() {
            0 => {
                let Some(value) = value(usize::from(!lines.has(0))) else { return false };
                push_unescaped_value(out, value);
                2
            }
            _ => 0,
        };
        for (number, part) in self.keys.parts.iter().chain(&self.order).enumerate() {
            let Some(value) = value(first + number) else { return false };
            let start = out.len();
            match part.sense {
                Sense::Plain => push_unescaped_value(out, value),
                _ if !push_part(out, part, Some(value)) => return false,
                _ => (),
            }
            if part.reverse {
                complement(&mut out[start..]);
            }
        }
        if self.reverse {
            complement(&mut out[start..]);
        }
        true
    }

    /// Which of the places of a record are those of what.
    #[inline(always)]
    pub fn found<'a>(&self, places: &'a [KeyPlace]) -> Found<'a> {
        parted(&self.keys.parts, &self.order, places)
    }

    /// Appends the canonical key bytes of a record, of whose key the values lie at `places`, without what
    /// orders records of one key.
    ///
    /// # Errors
    /// As [`Keyer::key`].
    pub fn push_key(
        &self,
        record: &[u8],
        places: &[KeyPlace],
        out: &mut Vec<u8>,
    ) -> std::result::Result<(), KeyFault> {
        let start = out.len();
        push_keys(out, &self.keys.parts, places, record, self.missing)?;
        if self.reverse {
            complement(&mut out[start..]);
        }
        Ok(())
    }
}

/// Which of `places` are those of what.
#[inline]
fn parted<'a>(keys: &[KeyPart], order: &[KeyPart], places: &'a [KeyPlace]) -> Found<'a> {
    let (key, behind) = match keys.len() {
        0 => {
            let at = usize::from(places[0].is_none());
            (&places[at..=at], &places[2..])
        }
        parts => places.split_at(parts),
    };
    let (order, others) = behind.split_at(order.len());
    Found { key, order, others }
}

/// Appends the bytes of a key, whose values lie at `places`.
#[inline]
fn push_keys(
    out: &mut Vec<u8>,
    keys: &[KeyPart],
    places: &[KeyPlace],
    record: &[u8],
    missing: Missing,
) -> std::result::Result<(), KeyFault> {
    if keys.is_empty() {
        if let [Some(place)] = places {
            push_value(out, &record[place.clone()]);
        }
        return Ok(());
    }
    push_parts(out, keys, places, record, missing)
}

/// What a [`Keyer`] found in a record.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Where the parts of the key lie (one for the implied key).
    pub key: &'a [KeyPlace],
    /// Where the parts lie that order what has the same key.
    order: &'a [KeyPlace],
    /// Where the other values lie.
    pub others: &'a [KeyPlace],
}

/// Appends the bytes of some parts of a key, whose values lie at `places`.
#[inline]
fn push_parts(
    out: &mut Vec<u8>,
    parts: &[KeyPart],
    places: &[KeyPlace],
    record: &[u8],
    missing: Missing,
) -> std::result::Result<(), KeyFault> {
    for (part, place) in parts.iter().zip(places) {
        let start = out.len();
        let value = place.clone().map(|place| &record[place]);
        if !push_part(out, part, value) {
            match missing {
                Missing::Fail => return Err(KeyFault::Missing(lacks(part, value, record))),
                Missing::Skip => return Err(KeyFault::Skip),
                Missing::Null => out.push(NULL),
            }
        }
        if part.reverse {
            complement(&mut out[start..]);
        }
    }
    Ok(())
}

/// Appends the bytes of a value of such lines: their strings have no escapes.
#[inline]
fn push_unescaped_value(out: &mut Vec<u8>, value: &[u8]) {
    match value {
        [b'"', text @ .., b'"'] => canonical::push_unescaped_string(out, text),
        value => push_value(out, value),
    }
}

fn complement(bytes: &mut [u8]) {
    for byte in bytes {
        *byte = !*byte;
    }
}

/// Appends the bytes of one part's value; `false` when the value is not there or not a number
/// where one is due (nothing is appended then).
fn push_part(out: &mut Vec<u8>, part: &KeyPart, value: Option<&[u8]>) -> bool {
    let Some(value) = value else { return false };
    match part.sense {
        Sense::Plain => push_value(out, value),
        Sense::Text { fold, version } => canonical::push_by(out, value, &AsText { fold, version }),
        Sense::Number => match value[0] {
            b'-' | b'0'..=b'9' => number::push_key(out, value),
            b'"' => match number::lenient(&string_bytes(value)) {
                Some(text) => number::push_key(out, text),
                None => return false,
            },
            _ => return false,
        },
    }
    true
}

/// Says that `record` lacks `part`, whose value is `value` if that is merely no number.
#[cold]
fn lacks(part: &KeyPart, value: Option<&[u8]>, record: &[u8]) -> String {
    let ways = "--missing=null|skip accepts it";
    let Some(value) = value else { return absent::describe(record, &part.path, &part.text, ways) };
    let shown = String::from_utf8_lossy(&value[..value.len().min(SHOWN_BYTES)]);
    let version = match value.first() {
        Some(b'"') if is_version(&string_bytes(value)) => {
            format!("as a version: {}:V; ", part.text)
        }
        _ => String::new(),
    };
    let null = absent::placeholder(value)
        .map_or(String::new(), |text| format!("; when read as CSV, null={text} makes it null"));
    format!("'{}' is not a number: {shown} ({version}{ways}{null})", part.text)
}

/// The most bytes of a value that a message shows.
const SHOWN_BYTES: usize = 40;

/// Whether `text` is numbers with points between them, and more of these than a number has.
fn is_version(text: &[u8]) -> bool {
    let parts = text.split(|byte| *byte == b'.');
    let number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    parts.clone().count() > 2 && parts.clone().all(number)
}

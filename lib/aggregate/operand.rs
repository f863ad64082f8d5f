//! What a record holds for a field: found, classed, and read as the ops need it.

use std::borrow::Cow;
use std::ops::Range;

use super::number::Number;
use super::print::push_spelling;
use crate::error::{Error, Result};
use crate::record::canonical::push_value;
use crate::record::key::{Missing, Place};
use crate::record::number::{lenient, push_key};
use crate::record::scan::Step;
use crate::record::text::string_bytes;

/// A field that ops take their operands from.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) path: Vec<Step>,
    /// The first op that uses it, for messages.
    pub(super) text: String,
    /// An op needs it as a number.
    pub(super) numeric: bool,
    /// An op needs its canonical key bytes, numeric strings being numbers.
    pub(super) ordered: bool,
    /// An op takes neither null nor blank strings.
    pub(super) strict: bool,
    /// An op needs its canonical key bytes as it is.
    pub(super) literal: bool,
}

/// What a record holds for a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum What {
    #[default]
    Absent,
    /// Null or a blank string.
    Empty,
    Value,
}

/// An operand: where its parts lie in the record or in [`Texts`]. What no op needs is not set.
#[derive(Clone, Debug, Default)]
pub(super) struct Operand {
    pub(super) what: What,
    /// Where the value lies in the record.
    pub(super) raw: Range<usize>,
    /// Where the text of the number lies that a numeric string spells.
    pub(super) spelled: Option<Range<usize>>,
    pub(super) number: Number,
    /// Where the canonical key bytes lie, numeric strings being numbers.
    pub(super) ordered: Range<usize>,
    /// Where the canonical key bytes of the value as it is lie.
    pub(super) literal: Range<usize>,
}

/// The bytes that the operands of one record need beside it.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts {
    pub(super) bytes: Vec<u8>,
}

impl Texts {
    /// Appends the canonical key bytes of a value (or of a number as people spell it).
    fn push_key(&mut self, value: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        match value.first() {
            Some(b'+' | b'.') => push_key(&mut self.bytes, value),
            _ => push_value(&mut self.bytes, value),
        }
        start..self.bytes.len()
    }
}

impl Field {
    /// Reads the operand that a record holds for this field.
    ///
    /// # Errors
    /// `BadInput`, when it is not what the ops need, or missing where that is an error.
    #[inline]
    pub(super) fn read(
        &self,
        record: &[u8],
        place: &Place,
        missing: Missing,
        operand: &mut Operand,
        texts: &mut Texts,
    ) -> Result<()> {
        let Some(raw) = place else { return self.read_absent(missing, operand, texts) };
        operand.what = What::Value;
        operand.raw = raw.clone();
        let value = &record[raw.clone()];
        if !matches!(value.first(), Some(b'-' | b'0'..=b'9')) || self.ordered || self.literal {
            return self.read_any(value, missing, operand, texts);
        }
        if self.numeric {
            operand.number = self.number(value, value)?;
        }
        Ok(())
    }

    fn read_absent(
        &self,
        missing: Missing,
        operand: &mut Operand,
        texts: &mut Texts,
    ) -> Result<()> {
        if missing == Missing::Fail {
            return Err(self.lacks("the record has no"));
        }
        operand.what = What::Absent;
        if self.literal {
            operand.literal = texts.push_key(b"null");
        }
        Ok(())
    }

    fn read_any(
        &self,
        value: &[u8],
        missing: Missing,
        operand: &mut Operand,
        texts: &mut Texts,
    ) -> Result<()> {
        operand.spelled = None;
        if self.literal {
            operand.literal = texts.push_key(value);
        }
        let text = match value.first() {
            Some(b'"') if self.strict => string_bytes(value),
            _ => Cow::Borrowed(value),
        };
        let number = match value.first() {
            Some(b'-' | b'0'..=b'9') => Some(value),
            Some(b'"') if self.strict => lenient(&text),
            _ => None,
        };
        let blank = number.is_none() && text.trim_ascii().is_empty();
        if blank || value.first() == Some(&b'n') {
            operand.what = What::Empty;
            return match self.strict && missing == Missing::Fail {
                true => Err(self.lacks("null or empty is its")),
                false => Ok(()),
            };
        }
        if self.numeric {
            let number = number.ok_or_else(|| self.refuses(value, "is not a number"))?;
            operand.number = self.number(number, value)?;
        }
        if self.ordered {
            operand.ordered = texts.push_key(number.unwrap_or(value));
            if value.first() == Some(&b'"')
                && let Some(number) = number
            {
                let start = texts.bytes.len();
                texts.bytes.extend_from_slice(number);
                operand.spelled = Some(start..texts.bytes.len());
            }
        }
        Ok(())
    }

    #[inline]
    fn number(&self, number: &[u8], value: &[u8]) -> Result<Number> {
        Number::parse(number).map_err(|why| self.refuses(value, why))
    }

    #[cold]
    fn refuses(&self, value: &[u8], why: &str) -> Error {
        Error::input(format!("{}: {} {why}", self.text, shown(value)))
    }

    #[cold]
    fn lacks(&self, what: &str) -> Error {
        let field = self.text.split_once(':').map_or("value", |(_, field)| field);
        Error::input(format!(
            "{}: {what} '{field}' (--missing=skip or --missing=null leaves such values out)",
            self.text
        ))
    }
}

impl Operand {
    /// Appends the value for `min`, `max` and `top`: numeric strings as numbers.
    pub(super) fn push_ordered_value(&self, record: &[u8], texts: &Texts, out: &mut Vec<u8>) {
        match self.spelled.clone() {
            Some(spelled) => push_spelling(out, &texts.bytes[spelled]),
            None => out.extend_from_slice(&record[self.raw.clone()]),
        }
    }
}

/// The most bytes of a value that a message shows.
const SHOWN_BYTES: usize = 40;

fn shown(value: &[u8]) -> String {
    let shown = String::from_utf8_lossy(&value[..value.len().min(SHOWN_BYTES)]).into_owned();
    if value.len() > SHOWN_BYTES { shown + "..." } else { shown }
}

//! What a record holds for a field: found, classed, and read as the ops need it.

use std::ops::Range;

use super::number::Number;
use super::print::push_spelling;
use crate::error::{Error, Result};
use crate::record::key::{Missing, Place, push_value};
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Absent,
    /// Null or a blank string.
    Empty,
    Value,
}

/// An operand: where its parts lie in the record or in [`Texts`].
#[derive(Clone, Debug)]
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
    /// Reads the operand of a record.
    ///
    /// # Errors
    /// `BadInput`, when it is not what the ops need, or missing where that is an error.
    #[inline]
    pub(super) fn operand(
        &self,
        record: &[u8],
        place: &Place,
        missing: Missing,
        texts: &mut Texts,
    ) -> Result<Operand> {
        let mut operand = Operand {
            what: What::Value,
            raw: 0..0,
            spelled: None,
            number: Number::Integer(0),
            ordered: 0..0,
            literal: 0..0,
        };
        let Some(raw) = place.clone() else {
            operand.what = What::Absent;
            if missing == Missing::Fail {
                return Err(self.lacks("the record has no"));
            }
            if self.literal {
                operand.literal = texts.push_key(b"null");
            }
            return Ok(operand);
        };
        operand.raw = raw.clone();
        let value = &record[raw];
        match value.first() {
            Some(b'n') => operand.what = What::Empty,
            Some(b'"') if self.strict => self.read_string(value, &mut operand, texts),
            _ => {}
        }
        if operand.what == What::Empty && self.strict && missing == Missing::Fail {
            return Err(self.lacks("null or empty is its"));
        }
        if self.numeric && operand.what == What::Value {
            let text = match &operand.spelled {
                Some(spelled) => &texts.bytes[spelled.clone()],
                None => value,
            };
            operand.number = self.number(text, value)?;
        }
        if self.ordered && operand.what == What::Value {
            operand.ordered = match operand.spelled.clone() {
                None => texts.push_key(value),
                Some(spelled) => {
                    let number = texts.bytes[spelled].to_vec();
                    texts.push_key(&number)
                }
            };
        }
        if self.literal {
            operand.literal = texts.push_key(value);
        }
        Ok(operand)
    }

    /// Classes a string: blank, a number, or just a string.
    fn read_string(&self, literal: &[u8], operand: &mut Operand, texts: &mut Texts) {
        let text = string_bytes(literal);
        if text.trim_ascii().is_empty() {
            operand.what = What::Empty;
        } else if let Some(number) = lenient(&text) {
            let start = texts.bytes.len();
            texts.bytes.extend_from_slice(number);
            operand.spelled = Some(start..texts.bytes.len());
        }
    }

    #[inline]
    fn number(&self, text: &[u8], value: &[u8]) -> Result<Number> {
        match text.first() {
            Some(b'"' | b't' | b'f' | b'[' | b'{') => {
                Err(Error::input(format!("{}: not a number: {}", self.text, shown(value))))
            }
            _ => Number::parse(text)
                .map_err(|why| Error::input(format!("{}: {} {why}", self.text, shown(value)))),
        }
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

//! What a record holds for a field: found, classed, and read as the ops need it.

use std::borrow::Cow;
use std::ops::Range;

use super::number::Number;
use super::plan::Lacking;
use super::print::push_spelling;
use crate::error::{Error, Result};
use crate::record::absent::{self, placeholder};
use crate::record::canonical::push_value;
use crate::record::key::{KeyPlace, Missing};
use crate::record::number::{Short, lenient, push_key};
use crate::record::scan::Step;
use crate::record::text::string_bytes;

/// A field that ops take their operands from.
#[derive(Clone, Debug)]
pub(super) struct OperandField {
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum OperandValue {
    #[default]
    Absent,
    /// Null, a blank string, or one that counts as null.
    Empty,
    /// A value, but no number where one is due, and none is wanted then.
    NoNumber,
    Value,
}

/// An operand: where its parts lie in the record or in [`Texts`]. What no op needs is not set.
#[derive(Clone, Debug, Default)]
pub(super) struct Operand {
    pub(super) what: OperandValue,
    /// Where the value lies in the record.
    pub(super) raw: Range<usize>,
    /// Whether it is a number that a string spells.
    pub(super) spelled: bool,
    pub(super) number: Number,
    /// Where the canonical key bytes lie, numeric strings being numbers.
    pub(super) ordered: OrderedKey,
    /// Where the canonical key bytes of the value as it is lie.
    pub(super) literal: Range<usize>,
}

/// The canonical key bytes of an operand.
#[derive(Clone, Debug)]
pub(super) enum OrderedKey {
    /// They lie here in [`Texts`].
    Made(Range<usize>),
    /// Those of an ordinary number, which is the operand's `number`, too: most are never asked for them.
    Short(Short),
}

impl Default for OrderedKey {
    fn default() -> OrderedKey {
        OrderedKey::Made(0..0)
    }
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

impl OperandField {
    /// Reads the operand that a record holds for this field.
    ///
    /// # Errors
    /// `BadInput`, when it is not what the ops need, or missing where that is an error.
    #[inline(always)]
    pub(super) fn read(
        &self,
        record: &[u8],
        place: &KeyPlace,
        lacking: &Lacking,
        operand: &mut Operand,
        texts: &mut Texts,
    ) -> Result<()> {
        let Some(raw) = place else { return self.read_absent(record, lacking, operand, texts) };
        operand.what = OperandValue::Value;
        operand.raw = raw.clone();
        let value = &record[raw.clone()];
        if !self.literal && lacking.nulls.is_empty() && self.read_short(record, raw, operand) {
            return Ok(());
        }
        self.read_any(value, lacking, operand, texts)
    }

    /// Reads an ordinary number, in a string or as it is. Whether it is one; if not, nothing is set.
    #[inline]
    fn read_short(&self, record: &[u8], raw: &Range<usize>, operand: &mut Operand) -> bool {
        let spelled = self.strict && record[raw.start] == b'"';
        let quote = usize::from(spelled);
        let text = raw.start + quote..raw.end - quote;
        let Some(short) = Short::plain_in(record, text) else { return false };
        if self.numeric || self.ordered {
            let Some(number) = Number::short(&short) else { return false };
            operand.number = number;
        }
        if self.ordered {
            operand.ordered = OrderedKey::Short(short);
        }
        operand.spelled = spelled;
        true
    }

    fn read_absent(
        &self,
        record: &[u8],
        lacking: &Lacking,
        operand: &mut Operand,
        texts: &mut Texts,
    ) -> Result<()> {
        if lacking.missing == Missing::Fail {
            let ways = format!("{WAYS} leaves such values out");
            let why = absent::describe(record, &self.path, self.field_text(), &ways);
            return Err(Error::input(format!("{}: {why}", self.text)));
        }
        operand.what = OperandValue::Absent;
        if self.literal {
            operand.literal = texts.push_key(b"null");
        }
        Ok(())
    }

    fn read_any(
        &self,
        value: &[u8],
        lacking: &Lacking,
        operand: &mut Operand,
        texts: &mut Texts,
    ) -> Result<()> {
        operand.spelled = false;
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
        if blank || value.first() == Some(&b'n') || self.strict && lacking.names(&text) {
            operand.what = OperandValue::Empty;
            return match self.strict && lacking.missing == Missing::Fail {
                true => Err(self.is_empty(value)),
                false => Ok(()),
            };
        }
        if self.numeric {
            match number {
                Some(number) => operand.number = self.number(number, value)?,
                None if lacking.missing == Missing::Skip => operand.what = OperandValue::NoNumber,
                None => {
                    let why = format!("is not a number{}", stands_for_none(value));
                    return Err(self.refuses(value, &why));
                }
            }
        }
        if self.ordered {
            operand.ordered = OrderedKey::Made(texts.push_key(number.unwrap_or(value)));
            operand.spelled = number.is_some() && value.first() == Some(&b'"');
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

    /// The error for a value that comes to others of another kind, which are numbers if it is
    /// `text`.
    pub(super) fn mixes(&self, text: bool, value: &[u8]) -> Error {
        let hint = "; text that stands for no value: --null TEXT --missing=skip";
        match (text, stands_for_none(value)) {
            (true, hint) => {
                self.refuses(value, &format!("is text, and numbers are in its group{hint}"))
            }
            (false, _) => {
                self.refuses(value, &format!("is a number, and text is in its group{hint}"))
            }
        }
    }

    /// The error for a value that counts as none.
    #[cold]
    fn is_empty(&self, value: &[u8]) -> Error {
        let field = self.field_text();
        let value = shown(value);
        Error::input(format!("{}: '{field}' is {value} ({WAYS} leaves such values out)", self.text))
    }

    /// The field as it was written.
    fn field_text(&self) -> &str {
        self.text.split_once(':').map_or("value", |(_, field)| field)
    }
}

/// How values that are not there are left out.
const WAYS: &str = "--missing=skip or --missing=null";

impl Operand {
    /// Appends the value for `min`, `max` and `top`: numeric strings as numbers.
    pub(super) fn push_ordered_value(&self, record: &[u8], out: &mut Vec<u8>) {
        let value = &record[self.raw.clone()];
        match self.spelled {
            true => push_spelling(out, lenient(&string_bytes(value)).unwrap_or_default()),
            false => out.extend_from_slice(value),
        }
    }
}

impl Lacking {
    /// Whether `text` is named as one that counts as null, blanks around it aside.
    fn names(&self, text: &[u8]) -> bool {
        let text = text.trim_ascii();
        self.nulls.iter().any(|null| null.trim_ascii().as_bytes() == text)
    }
}

/// How to say that a string stands for no value, where it is one that people use for that.
fn stands_for_none(value: &[u8]) -> String {
    let Some(text) = placeholder(value) else { return String::new() };
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-.".contains(&byte));
    let word = if plain { text.clone() } else { format!("'{text}'") };
    format!(
        "; if it stands for no value: --null {word} --missing=skip, or read the CSV with null={text}"
    )
}

/// The most bytes of a value that a message shows.
const SHOWN_BYTES: usize = 40;

fn shown(value: &[u8]) -> String {
    let shown = String::from_utf8_lossy(&value[..value.len().min(SHOWN_BYTES)]).into_owned();
    if value.len() > SHOWN_BYTES { shown + "..." } else { shown }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::number::ShortKey;
    use crate::record::scan::check;

    /// What is read of a value, its bytes and all.
    fn shown(operand: &Operand, texts: &Texts, value: &[u8]) -> impl PartialEq + std::fmt::Debug {
        let mut kept = Vec::new();
        operand.push_ordered_value(value, &mut kept);
        let key = match &operand.ordered {
            OrderedKey::Made(place) => texts.bytes[place.clone()].to_vec(),
            OrderedKey::Short(short) => ShortKey::of(*short).unwrap().bytes().to_vec(),
        };
        (operand.what, key, operand.spelled, kept)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn short_numbers_are_read_as_all_are(
            text in "[ +]?-?[0-9]{0,20}(\\.[0-9]{0,20})?(e[0-9])?",
            quoted in any::<bool>(),
            numeric in any::<bool>(),
        ) {
            let is_number = check(text.as_bytes()).is_ok() && text.trim() == text;
            let value = if quoted || !is_number { format!("\"{text}\"") } else { text };
            let value = value.as_bytes();
            let (path, text) = (Vec::new(), "min:x".into());
            let field = OperandField {
                path, text, numeric, ordered: true, strict: true, literal: false,
            };
            let lacking = Lacking { missing: Missing::Null, nulls: Vec::new() };
            let mut fast = (Operand::default(), Texts::default());
            let mut slow = (Operand { raw: 0..value.len(), ..Operand::default() }, Texts::default());
            slow.0.what = OperandValue::Value;
            let place = Some(0..value.len());
            let read = field.read(value, &place, &lacking, &mut fast.0, &mut fast.1);
            let due = field.read_any(value, &lacking, &mut slow.0, &mut slow.1);
            prop_assert_eq!(read.is_ok(), due.is_ok());
            if due.is_ok() && slow.0.what == OperandValue::Value {
                prop_assert_eq!(shown(&fast.0, &fast.1, value), shown(&slow.0, &slow.1, value));
                prop_assert!(!numeric || fast.0.number == slow.0.number);
            }
        }
    }
}

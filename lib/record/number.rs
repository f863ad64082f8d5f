//! Exact decimal numbers as text: their parts, and key bytes in numeric order.
//!
//! Nothing here rounds, and no exponent is ever expanded: `1e99999999999999999999` costs as much as
//! its text. Arithmetic is `aggregate`'s.

mod key;

pub use key::{ShortKey, push_key, shown};

use std::ops::Range;

use super::wide::{digits_in, first_digits, low_bytes, word_at};

/// As many digits as always fit in a `u64`, a sum of a few included.
const SHORT_DIGITS: usize = 18;
/// Exponents of up to so many digits are an `i64`, and stay one with any count of digits added.
const SMALL_EXPONENT_DIGITS: usize = 18;

/// Powers of ten that fit in a `u64`.
pub const POWERS_OF_TEN: [u64; 20] = {
    let mut powers = [1; 20];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// A numeric string as people write them: blanks around, a leading `+` or `-`, leading zeros, `5.`,
/// `.5`, exponents; no hexadecimals, infinities or NaN. The text without the blanks, which all
/// functions here take, or `None`.
pub fn lenient(text: &[u8]) -> Option<&[u8]> {
    let text = text.trim_ascii();
    let mut rest = text.strip_prefix(b"+").or(text.strip_prefix(b"-")).unwrap_or(text);
    let whole = leading_digits(rest);
    rest = &rest[whole..];
    let mut fraction = 0;
    if let Some(after) = rest.strip_prefix(b".") {
        fraction = leading_digits(after);
        rest = &after[fraction..];
    }
    if whole + fraction == 0 {
        return None;
    }
    if let Some(after) = rest.strip_prefix(b"e").or(rest.strip_prefix(b"E")) {
        let after = after.strip_prefix(b"+").or(after.strip_prefix(b"-")).unwrap_or(after);
        let digits = leading_digits(after);
        if digits == 0 {
            return None;
        }
        rest = &after[digits..];
    }
    rest.is_empty().then_some(text)
}

fn leading_digits(text: &[u8]) -> usize {
    text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len())
}

/// The parts of a number's text: `whole.fraction * 10^exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberParts<'a> {
    /// Whether it begins with `-`.
    pub negative: bool,
    /// The digits before the point; may be empty.
    pub whole: &'a [u8],
    /// The digits behind the point; may be empty.
    pub fraction: &'a [u8],
    /// Whether the exponent begins with `-`.
    pub exponent_negative: bool,
    /// The digits of the exponent, without leading zeros; empty for 0.
    pub exponent: &'a [u8],
    /// Whether it is an integer by its spelling: no point, no exponent.
    pub integer: bool,
}

impl<'a> NumberParts<'a> {
    /// Takes apart `number`: a valid JSON number, or what [`lenient`] returned.
    pub fn of(number: &'a [u8]) -> NumberParts<'a> {
        let negative = number.first() == Some(&b'-');
        let rest = &number[usize::from(negative || number.first() == Some(&b'+'))..];
        let (whole, mut rest) = rest.split_at(leading_digits(rest));
        let integer = rest.is_empty();
        let mut fraction: &[u8] = &[];
        if let Some(after) = rest.strip_prefix(b".") {
            (fraction, rest) = after.split_at(leading_digits(after));
        }
        let rest = rest.get(1..).unwrap_or_default();
        let exponent_negative = rest.first() == Some(&b'-');
        let rest = &rest[usize::from(exponent_negative || rest.first() == Some(&b'+'))..];
        let zeros = rest.iter().position(|&b| b != b'0').unwrap_or(rest.len());
        NumberParts {
            negative,
            whole,
            fraction,
            exponent_negative,
            exponent: &rest[zeros..],
            integer,
        }
    }

    /// The exponent, if it is of an ordinary size (so that any count of digits can be added to it).
    pub fn small_exponent(&self) -> Option<i64> {
        if self.exponent.len() > SMALL_EXPONENT_DIGITS {
            return None;
        }
        let size = short_integer(self.exponent)? as i64;
        Some(if self.exponent_negative { -size } else { size })
    }
}

/// A number of at most 18 digits: `digits * 10^exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short {
    /// Whether it begins with `-`.
    pub negative: bool,
    /// The digits, without the point.
    pub digits: u64,
    /// The power of ten that they are multiplied with.
    pub exponent: i64,
    /// Whether it is an integer by its spelling: no point, no exponent.
    pub integer: bool,
}

impl Short {
    /// The value of `number` (valid JSON number text, or what [`lenient`] returned) if it is short.
    #[inline]
    pub fn of(number: &[u8]) -> Option<Short> {
        let negative = number.first() == Some(&b'-');
        let rest = &number[usize::from(negative)..];
        match plain(rest) {
            Some((digits, None)) => Some(Short { negative, digits, exponent: 0, integer: true }),
            Some((digits, Some(places))) => {
                Some(Short { negative, digits, exponent: -(places as i64), integer: false })
            }
            None => Short::of_parts(&NumberParts::of(number)),
        }
    }

    /// The value of a text that is digits, perhaps a sign before them and a point among them, and short.
    #[inline]
    pub fn plain(text: &[u8]) -> Option<Short> {
        let (negative, digits) = match text {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        let (value, places) = plain(digits)?;
        if digits.len() <= usize::from(places.is_some()) {
            return None;
        }
        let exponent = -(places.unwrap_or(0) as i64);
        Some(Short { negative, digits: value, exponent, integer: places.is_none() })
    }

    /// The same of the text that lies at `place` in `text`.
    #[inline]
    pub fn plain_in(text: &[u8], place: Range<usize>) -> Option<Short> {
        if place.len() > 8 {
            return Short::plain(&text[place]);
        }
        // All of it in a word, and no branch on its sign or its length.
        let word = word_at(text, place.start) & low_bytes(place.len());
        if digits_in(word) == place.len() && !place.is_empty() {
            let digits = first_digits(word, place.len());
            return Some(Short { negative: false, digits, exponent: 0, integer: true });
        }
        let negative = word as u8 == b'-';
        let (word, length) =
            (word >> (8 * u32::from(negative)), place.len() - usize::from(negative));
        let whole = digits_in(word);
        let point = (word >> (8 * (whole & 7))) as u8 == b'.' && whole < length;
        // The digits behind the point move up to those before it.
        let head = low_bytes(whole);
        let behind = if point { word >> 8 } else { word };
        let (digits, count) = (word & head | behind & !head, length - usize::from(point));
        if digits_in(digits) != count || count == 0 {
            return None;
        }
        let exponent = if point { whole as i64 - count as i64 } else { 0 };
        Some(Short { negative, digits: first_digits(digits, count), exponent, integer: !point })
    }

    #[cold]
    fn of_parts(parts: &NumberParts) -> Option<Short> {
        let length = parts.fraction.len();
        if parts.whole.len() + length > SHORT_DIGITS {
            return None;
        }
        let whole = short_integer(parts.whole)? * POWERS_OF_TEN[length];
        Some(Short {
            negative: parts.negative,
            digits: whole + short_integer(parts.fraction)?,
            exponent: parts.small_exponent()? - length as i64,
            integer: parts.integer,
        })
    }
}

/// The value of up to 18 decimal digits, which may have a point among them: without the point, and
/// how many of them lie behind it. `None` for anything else.
#[inline]
fn plain(number: &[u8]) -> Option<(u64, Option<usize>)> {
    if number.len() > SHORT_DIGITS + 1 {
        return None;
    }
    let (mut value, mut places, mut rest) = (0, None, number);
    while let Some((eight, behind)) = rest.split_first_chunk()
        && let Some(digits) = eight_digits(u64::from_le_bytes(*eight))
    {
        value = value * 100_000_000 + digits;
        rest = behind;
    }
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value * 10 + u64::from(digit);
        } else if *byte == b'.' && places.is_none() {
            places = Some(rest.len());
        } else {
            return None;
        }
    }
    let digits = number.len() - usize::from(places.is_some());
    (digits <= SHORT_DIGITS).then_some((value, places))
}

/// The value of up to 18 decimal digits (0 for none), or `None` for anything else.
fn short_integer(digits: &[u8]) -> Option<u64> {
    match plain(digits) {
        Some((value, None)) => Some(value),
        _ => None,
    }
}

/// The value of eight digits, the first in the lowest byte.
#[inline]
fn eight_digits(text: u64) -> Option<u64> {
    (digits_in(text) == 8).then(|| first_digits(text, 8))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn short_texts_are_read_in_a_word_as_byte_by_byte(
            before in ".{0,9}",
            text in prop_oneof![
                "-?[0-9]{0,9}(\\.[0-9]{0,8})?",
                "[-.0-9+e/:\"]{0,9}",
                ".{0,5}",
            ],
            behind in ".{0,9}",
        ) {
            let place = before.len()..before.len() + text.len();
            let all = [before, text, behind].concat();
            let due = Short::plain(&all.as_bytes()[place.clone()]);
            prop_assert_eq!(Short::plain_in(all.as_bytes(), place), due);
        }
    }

    #[test]
    fn lenient_takes_what_people_write_and_no_more() {
        for text in ["5", " 5\t", "+5", "-5", "007", "5.", ".5", "5e3", "5.e+3", "-.5E-3"] {
            assert_eq!(lenient(text.as_bytes()), Some(text.trim().as_bytes()));
        }
        for text in ["", " ", ".", "-", "+-5", "e5", "5e", "5e+", "0x5", "inf", "NaN", "1,5", "5 5"]
        {
            assert_eq!(lenient(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn short_numbers_are_read_exactly() {
        let short = |text: &str| Short::of(text.as_bytes()).map(|s| (s.digits, s.exponent));
        assert_eq!(short("-12345678.90"), Some((1_234_567_890, -2)));
        assert_eq!(short("999999999999999999"), Some((999_999_999_999_999_999, 0)));
        assert_eq!(short("1.5e-7"), Some((15, -8)));
        assert_eq!(short("1000000000000000000"), None);
        assert_eq!(short("1e1000000000000000000"), None);
        for (text, place) in [("1234567x", 7), ("1234:678", 4), ("/2345678", 0)] {
            assert_eq!(short_integer(text.as_bytes()), None, "byte {place}");
        }
    }
}

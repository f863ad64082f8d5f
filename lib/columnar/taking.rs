//! JSON as a column's values: only what comes back as it was.

use num_bigint::BigInt;
use parquet::basic::Type as Physical;
use parquet::data_type::{ByteArray, FixedLenByteArray};

use super::leaf::{ColumnValues, Leaf, Meaning};
use super::{calendar, decimal};
use crate::record::number::{NumberParts, lenient};
use crate::record::text::{string_bytes, value_bytes};

impl Leaf {
    /// Takes a JSON value, which is not null, into `values`.
    ///
    /// # Errors
    /// Why it is none of this column.
    pub(super) fn take(&self, json: &[u8], values: &mut ColumnValues) -> Result<(), String> {
        match values {
            ColumnValues::Bool(values) => match json {
                b"true" => values.push(true),
                b"false" => values.push(false),
                _ => return Err(refused(json, "true or false")),
            },
            ColumnValues::Int32(values) => {
                let value = self.integer(json)?;
                let value = match self.meaning {
                    Meaning::Unsigned(_) => u32::try_from(value).ok().map(|value| value as i32),
                    _ => i32::try_from(value).ok(),
                };
                values.push(value.ok_or_else(|| refused(json, "a number of 32 bits"))?);
            }
            ColumnValues::Int64(values) => {
                let value = self.integer(json)?;
                let value = match self.meaning {
                    Meaning::Unsigned(_) => u64::try_from(value).ok().map(|value| value as i64),
                    _ => i64::try_from(value).ok(),
                };
                values.push(value.ok_or_else(|| refused(json, "a number of 64 bits"))?);
            }
            ColumnValues::Int96(_) => {
                return Err("this kind of moment (INT96) is for reading only".into());
            }
            ColumnValues::Float(values) => {
                let value: f32 = parsed(json, "a number")?;
                same(json, &value)?;
                values.push(value);
            }
            ColumnValues::Double(values) => {
                let value: f64 = parsed(json, "a number")?;
                same(json, &value)?;
                values.push(value);
            }
            ColumnValues::Bytes(values) => values.push(ByteArray::from(self.bytes(json)?)),
            ColumnValues::Fixed(values) => {
                let bytes = self.bytes(json)?;
                if bytes.len() != self.length {
                    let length = self.length;
                    return Err(refused(json, &format!("a value of {length} bytes")));
                }
                values.push(FixedLenByteArray::from(bytes));
            }
        }
        Ok(())
    }

    /// The integer that stands for a JSON value.
    fn integer(&self, json: &[u8]) -> Result<i128, String> {
        let text = |what: &str, parse: &dyn Fn(&str) -> Option<i64>| {
            let text = text(json).and_then(|text| parse(&text));
            text.map(i128::from).ok_or_else(|| refused(json, what))
        };
        match self.meaning {
            Meaning::Date => text("a day (2026-11-30)", &calendar::parse_date),
            Meaning::Time(unit) => {
                text("a time (23:59:58.5)", &|text| calendar::parse_time(text, unit))
            }
            Meaning::Moment { unit, is_utc } => {
                let what =
                    if is_utc { "(2026-11-30T23:59:58.5Z)" } else { "(2026-11-30T23:59:58.5)" };
                let what = format!("a moment {what}");
                text(&what, &|text| calendar::parse_moment(text, unit, is_utc))
            }
            Meaning::Decimal { scale, precision } => {
                let digits = decimal_of(json, scale, precision)?;
                i128::try_from(digits).map_err(|_| refused(json, "a number of 64 bits"))
            }
            _ => {
                let digits = is_number(json).then(|| decimal::parse(json, 0, 40)).flatten();
                let value = digits.and_then(|digits| i128::try_from(digits).ok());
                let value = value.ok_or_else(|| refused(json, "an integer"))?;
                let fits = match self.meaning {
                    Meaning::Signed(bits) => (-(1 << (bits - 1))..1 << (bits - 1)).contains(&value),
                    Meaning::Unsigned(bits) => (0..1 << bits).contains(&value),
                    _ => true,
                };
                fits.then_some(value).ok_or_else(|| refused(json, "a number that fits the column"))
            }
        }
    }

    /// The bytes that stand for a JSON value.
    fn bytes(&self, json: &[u8]) -> Result<Vec<u8>, String> {
        match self.meaning {
            Meaning::Text => match text(json) {
                Some(text) => Ok(text.into_bytes()),
                None => Err(refused(json, "text")),
            },
            Meaning::Decimal { scale, precision } => {
                let digits = decimal_of(json, scale, precision)?;
                let length = match self.physical {
                    Physical::FIXED_LEN_BYTE_ARRAY => self.length,
                    _ => digits.to_signed_bytes_be().len(),
                };
                decimal::bytes(&digits, length).ok_or_else(|| refused(json, "a number that fits"))
            }
            Meaning::Uuid => {
                let hex = text(json).map(|text| text.replace('-', ""));
                let hex =
                    hex.filter(|hex| hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
                let hex = hex.ok_or_else(|| refused(json, "a UUID"))?;
                (0..16)
                    .map(|at| parsed(&hex.as_bytes()[2 * at..2 * at + 2], ""))
                    .collect::<Result<Vec<Hex>, _>>()
                    .map(|bytes| bytes.into_iter().map(|Hex(byte)| byte).collect())
            }
            Meaning::Half | Meaning::Interval => {
                Err("this kind of value is for reading only".into())
            }
            _ => value_bytes(json)
                .map(|bytes| bytes.into_owned())
                .map_err(|why| format!("it is {why}")),
        }
    }
}

/// A byte as two hexadecimal digits.
struct Hex(u8);

impl std::str::FromStr for Hex {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Hex, Self::Err> {
        u8::from_str_radix(text, 16).map(Hex)
    }
}

/// The text of a string.
fn text(json: &[u8]) -> Option<String> {
    let literal = json.first() == Some(&b'"');
    literal.then(|| String::from_utf8(string_bytes(json).into_owned()).ok()).flatten()
}

fn is_number(json: &[u8]) -> bool {
    matches!(json.first(), Some(b'-' | b'0'..=b'9'))
}

fn parsed<T: std::str::FromStr>(json: &[u8], what: &str) -> Result<T, String> {
    let text = std::str::from_utf8(json).ok().and_then(|text| text.parse().ok());
    text.ok_or_else(|| refused(json, what))
}

fn decimal_of(json: &[u8], scale: usize, precision: usize) -> Result<BigInt, String> {
    // As text, too: many write amounts so.
    let quoted = text(json);
    let number = quoted.as_deref().map_or(json, str::as_bytes);
    let number = lenient(number);
    let what = format!("a number of {precision} digits, {scale} of them behind the point");
    number
        .and_then(|number| decimal::parse(number, scale, precision))
        .ok_or_else(|| refused(json, &what))
}

/// Refuses a number that would come back as another.
pub(super) fn same(json: &[u8], value: &impl serde::Serialize) -> Result<(), String> {
    if !is_number(json) {
        return Err(refused(json, "a number"));
    }
    let back = serde_json::to_vec(value).map_err(|e| e.to_string())?;
    match is_number(&back) && plain(&back) == plain(json) {
        true => Ok(()),
        false => {
            let back = String::from_utf8_lossy(&back);
            Err(format!("{} would come back as {back}", String::from_utf8_lossy(json)))
        }
    }
}

/// A number as its digits and a power of ten, the same for all ways to write it.
fn plain(number: &[u8]) -> Option<(bool, Vec<u8>, i64)> {
    let parts = NumberParts::of(number);
    let mut digits = [parts.whole, parts.fraction].concat();
    let mut exponent = parts.small_exponent()? - parts.fraction.len() as i64;
    while digits.last() == Some(&b'0') {
        digits.pop();
        exponent += 1;
    }
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    digits.drain(..zeros);
    match digits.is_empty() {
        true => Some((false, digits, 0)),
        false => Some((parts.negative, digits, exponent)),
    }
}

fn refused(json: &[u8], what: &str) -> String {
    let shown = String::from_utf8_lossy(&json[..json.len().min(40)]);
    format!("{shown} is not {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_would_come_back_as_another_is_refused() {
        for sound in ["1.5", "1.50", "15e-1", "0.1", "-0.0", "1e300", "9007199254740992"] {
            let value: f64 = sound.parse().unwrap();
            assert_eq!(same(sound.as_bytes(), &value), Ok(()), "{sound}");
        }
        for lost in ["9007199254740993", "0.1000000000000000055511151231257827", "1e400"] {
            let value: f64 = lost.parse().unwrap();
            assert!(same(lost.as_bytes(), &value).is_err(), "{lost}");
        }
    }
}

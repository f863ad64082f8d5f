//! A column's values: what they are, and as JSON.

use num_bigint::BigInt;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, FixedLenByteArray, Int96};
use parquet::schema::types::{BasicTypeInfo, Type};

use super::calendar::{self, Unit};
use super::decimal;
use crate::record::text::{push_bytes, push_string};

/// The seconds from noon of day 0 of the Julian calendar, by which [`Int96`] counts days, to 1970.
const JULIAN_1970: i64 = 2_440_588;

/// What values mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Bool,
    Signed(u32),
    Unsigned(u32),
    Decimal { scale: usize, precision: usize },
    Date,
    Time(Unit),
    Moment { unit: Unit, is_utc: bool },
    Number,
    Half,
    Text,
    Bytes,
    Uuid,
    Interval,
}

/// What a column's values are: their meaning, and how they lie there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) meaning: Meaning,
    pub(super) physical: Physical,
    /// Of values that all have the same length, that.
    pub(super) length: usize,
}

/// What is done with what JSON has no word for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotNumbers {
    Refused,
    Null,
}

/// Values of one column.
#[derive(Debug)]
pub(super) enum ColumnValues {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Int96(Vec<Int96>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
}

impl ColumnValues {
    pub(super) fn new(physical: Physical) -> ColumnValues {
        match physical {
            Physical::BOOLEAN => ColumnValues::Bool(Vec::new()),
            Physical::INT32 => ColumnValues::Int32(Vec::new()),
            Physical::INT64 => ColumnValues::Int64(Vec::new()),
            Physical::INT96 => ColumnValues::Int96(Vec::new()),
            Physical::FLOAT => ColumnValues::Float(Vec::new()),
            Physical::DOUBLE => ColumnValues::Double(Vec::new()),
            Physical::BYTE_ARRAY => ColumnValues::Bytes(Vec::new()),
            Physical::FIXED_LEN_BYTE_ARRAY => ColumnValues::Fixed(Vec::new()),
        }
    }
}

fn unit(unit: &TimeUnit) -> Unit {
    match unit {
        TimeUnit::MILLIS => Unit::Millis,
        TimeUnit::MICROS => Unit::Micros,
        TimeUnit::NANOS => Unit::Nanos,
    }
}

/// What the values of a column mean.
fn meaning(physical: Physical, info: &BasicTypeInfo, scale: i32, precision: i32) -> Meaning {
    use ConvertedType as C;
    let decimal = || Meaning::Decimal {
        scale: usize::try_from(scale).unwrap_or(0),
        precision: usize::try_from(precision).unwrap_or(0),
    };
    match info.logical_type_ref() {
        Some(LogicalType::String | LogicalType::Enum | LogicalType::Json) => return Meaning::Text,
        Some(LogicalType::Decimal(_)) => return decimal(),
        Some(LogicalType::Date) => return Meaning::Date,
        Some(LogicalType::Time(time)) => return Meaning::Time(unit(&time.unit)),
        Some(LogicalType::Timestamp(moment)) => {
            let is_utc = moment.is_adjusted_to_u_t_c;
            return Meaning::Moment { unit: unit(&moment.unit), is_utc };
        }
        Some(LogicalType::Integer(integer)) => {
            let bits = u32::try_from(integer.bit_width).unwrap_or(64);
            return if integer.is_signed { Meaning::Signed(bits) } else { Meaning::Unsigned(bits) };
        }
        Some(LogicalType::Uuid) => return Meaning::Uuid,
        Some(LogicalType::Float16) => return Meaning::Half,
        _ => (),
    }
    match info.converted_type() {
        C::UTF8 | C::ENUM | C::JSON => Meaning::Text,
        C::DECIMAL => decimal(),
        C::DATE => Meaning::Date,
        C::TIME_MILLIS => Meaning::Time(Unit::Millis),
        C::TIME_MICROS => Meaning::Time(Unit::Micros),
        C::TIMESTAMP_MILLIS => Meaning::Moment { unit: Unit::Millis, is_utc: true },
        C::TIMESTAMP_MICROS => Meaning::Moment { unit: Unit::Micros, is_utc: true },
        C::UINT_8 => Meaning::Unsigned(8),
        C::UINT_16 => Meaning::Unsigned(16),
        C::UINT_32 => Meaning::Unsigned(32),
        C::UINT_64 => Meaning::Unsigned(64),
        C::INT_8 => Meaning::Signed(8),
        C::INT_16 => Meaning::Signed(16),
        C::INTERVAL => Meaning::Interval,
        _ => match physical {
            Physical::BOOLEAN => Meaning::Bool,
            Physical::INT32 => Meaning::Signed(32),
            Physical::INT64 => Meaning::Signed(64),
            Physical::INT96 => Meaning::Moment { unit: Unit::Nanos, is_utc: false },
            Physical::FLOAT | Physical::DOUBLE => Meaning::Number,
            Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY => Meaning::Bytes,
        },
    }
}

impl Leaf {
    /// That of a column; none for a group of columns.
    pub(super) fn of(column: &Type) -> Option<Leaf> {
        let Type::PrimitiveType { basic_info, physical_type, type_length, scale, precision } =
            column
        else {
            return None;
        };
        let meaning = meaning(*physical_type, basic_info, *scale, *precision);
        let length = usize::try_from(*type_length).unwrap_or(0);
        Some(Leaf { meaning, physical: *physical_type, length })
    }

    /// Appends a value as JSON.
    ///
    /// # Errors
    /// What JSON cannot hold.
    pub(super) fn show(
        &self,
        values: &ColumnValues,
        at: usize,
        not_numbers: NotNumbers,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        match values {
            ColumnValues::Bool(values) => {
                let word = if *get(values, at)? { "true" } else { "false" };
                out.extend_from_slice(word.as_bytes());
                Ok(())
            }
            ColumnValues::Int32(values) => {
                self.show_integer(i64::from(*get(values, at)?), true, out)
            }
            ColumnValues::Int64(values) => self.show_integer(*get(values, at)?, false, out),
            ColumnValues::Int96(values) => {
                let [low, high, day] = *get(values, at)?.data() else {
                    return Err("a moment that is none".into());
                };
                let nanos = i128::from(low) | i128::from(high) << 32;
                let of_days = i128::from(i64::from(day) - JULIAN_1970) * 86_400_000_000_000;
                let since =
                    i64::try_from(of_days + nanos).map_err(|_| "a moment beyond all years")?;
                push_string(out, &calendar::moment(since, Unit::Nanos, false));
                Ok(())
            }
            ColumnValues::Float(values) => {
                let value = *get(values, at)?;
                number(value.is_finite(), &value, not_numbers, out)
            }
            ColumnValues::Double(values) => {
                let value = *get(values, at)?;
                number(value.is_finite(), &value, not_numbers, out)
            }
            ColumnValues::Bytes(values) => {
                self.show_bytes(get(values, at)?.data(), not_numbers, out)
            }
            ColumnValues::Fixed(values) => {
                self.show_bytes(get(values, at)?.data(), not_numbers, out)
            }
        }
    }

    fn show_integer(&self, value: i64, is_short: bool, out: &mut Vec<u8>) -> Result<(), String> {
        match self.meaning {
            Meaning::Decimal { scale, .. } => {
                out.extend_from_slice(decimal::shown(&BigInt::from(value), scale).as_bytes());
            }
            Meaning::Date => push_string(out, &calendar::date(value)),
            Meaning::Time(unit) => push_string(out, &calendar::time(value, unit)),
            Meaning::Moment { unit, is_utc } => {
                push_string(out, &calendar::moment(value, unit, is_utc));
            }
            Meaning::Unsigned(_) if is_short => {
                out.extend_from_slice((value as u32).to_string().as_bytes());
            }
            Meaning::Unsigned(_) => out.extend_from_slice((value as u64).to_string().as_bytes()),
            _ => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
        }
        Ok(())
    }

    fn show_bytes(
        &self,
        bytes: &[u8],
        not_numbers: NotNumbers,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        match self.meaning {
            Meaning::Text => {
                let text = std::str::from_utf8(bytes).map_err(|_| "text that is not UTF-8")?;
                push_string(out, text);
            }
            Meaning::Decimal { scale, .. } => {
                let digits = BigInt::from_signed_bytes_be(bytes);
                out.extend_from_slice(decimal::shown(&digits, scale).as_bytes());
            }
            Meaning::Uuid if bytes.len() == 16 => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
                push_string(out, &parts.join("-"));
            }
            Meaning::Half if bytes.len() == 2 => {
                let value = half(u16::from_le_bytes([bytes[0], bytes[1]]));
                return number(value.is_finite(), &value, not_numbers, out);
            }
            Meaning::Interval if bytes.len() == 12 => {
                let part = |at: usize| {
                    bytes[at..at + 4].iter().rev().fold(0, |n, b| n << 8 | u32::from(*b))
                };
                let (months, days, millis) = (part(0), part(4), part(8));
                let text = format!("{{\"months\":{months},\"days\":{days},\"millis\":{millis}}}");
                out.extend_from_slice(text.as_bytes());
            }
            _ => push_bytes(out, bytes),
        }
        Ok(())
    }
}

fn get<T>(values: &[T], at: usize) -> Result<&T, String> {
    values.get(at).ok_or_else(|| "a column has fewer values than rows".to_string())
}

/// Appends a number that is not one of 64 bits at most, shortest so that it reads back.
fn number(
    is_finite: bool,
    value: &impl serde::Serialize,
    not_numbers: NotNumbers,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    match (is_finite, not_numbers) {
        (true, _) => serde_json::to_writer(out, value).map_err(|e| e.to_string()),
        (false, NotNumbers::Null) => {
            out.extend_from_slice(b"null");
            Ok(())
        }
        (false, NotNumbers::Refused) => {
            Err("NaN or infinity, which JSON has no word for (nan=null takes null for it)".into())
        }
    }
}

/// A number of 16 bits.
fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f32.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_16_bits_are_those_of_the_standard() {
        for (bits, value) in
            [(0x3c00, 1.0), (0xc000, -2.0), (0x0001, 2_f32.powi(-24)), (0x7bff, 65504.0)]
        {
            assert_eq!(half(bits), value);
        }
        assert!(half(0x7c01).is_nan() && half(0xfc00) == f32::NEG_INFINITY);
    }
}

//! The operands of arithmetic: integers exactly, all other numbers as the nearest double.

use num_bigint::{BigInt, BigUint};

use crate::record::number::{NumberParts, Short};

/// A number as arithmetic takes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Number {
    /// A number that is spelled without point and exponent.
    Integer(i64),
    /// The same, where it does not fit in 64 bits.
    Big(Box<BigInt>),
    /// The double nearest to any other number; finite.
    Double(f64),
}

/// The longest integer that arithmetic takes: to read one costs the square of its length.
const MAX_INTEGER_DIGITS: usize = 100_000;

/// Up to here, an integer is a double exactly.
const EXACT_DOUBLE: u64 = 1 << 53;

/// The powers of ten that are doubles exactly.
const DOUBLE_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// A number that takes no more than what a processor has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plain {
    /// As [`Number::Integer`].
    Integer(i64),
    /// As [`Number::Double`].
    Double(f64),
}

impl Plain {
    /// The number that `short` is, if it is such a one.
    #[inline]
    pub(super) fn of(short: &Short) -> Option<Plain> {
        if short.integer {
            let size = short.digits as i64;
            return Some(Plain::Integer(if short.negative { -size } else { size }));
        }
        // With exact operands, the processor rounds a product or quotient once.
        let power = DOUBLE_POWERS.get(short.exponent.unsigned_abs() as usize);
        let power = power.filter(|_| short.digits <= EXACT_DOUBLE)?;
        let digits = short.digits as f64;
        let size = if short.exponent < 0 { digits / power } else { digits * power };
        Some(Plain::Double(if short.negative { -size } else { size }))
    }

    /// As any number.
    #[inline]
    pub(super) fn number(self) -> Number {
        match self {
            Plain::Integer(integer) => Number::Integer(integer),
            Plain::Double(double) => Number::Double(double),
        }
    }

    /// The double nearest to it, as [`Number::nearest`].
    #[inline]
    pub(super) fn nearest(self) -> f64 {
        match self {
            Plain::Integer(integer) => integer as f64,
            Plain::Double(double) => double,
        }
    }
}

impl Default for Number {
    fn default() -> Number {
        Number::Integer(0)
    }
}

impl Number {
    /// Reads `text`: a valid JSON number, or what [`lenient`](crate::record::number::lenient) took.
    ///
    /// # Errors
    /// Why arithmetic does not take it, as a fragment that follows the number.
    #[inline]
    pub fn parse(text: &[u8]) -> Result<Number, &'static str> {
        match Short::of(text).and_then(|short| Number::short(&short)) {
            Some(number) => Ok(number),
            None => Number::parse_long(text),
        }
    }

    /// The number that `short` is, if that takes no more than what a processor has.
    #[inline]
    pub(super) fn short(short: &Short) -> Option<Number> {
        Plain::of(short).map(Plain::number)
    }

    /// The double nearest to it: of a number that is less than another, it is not greater. `None` of one that
    /// takes more than what a processor has.
    #[inline]
    pub(super) fn nearest(&self) -> Option<f64> {
        match self {
            Number::Integer(integer) => Some(*integer as f64),
            Number::Double(double) => Some(*double),
            Number::Big(_) => None,
        }
    }

    fn parse_long(text: &[u8]) -> Result<Number, &'static str> {
        let parts = NumberParts::of(text);
        if !parts.integer {
            let double = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
            return match double {
                Some(double) if double.is_finite() => Ok(Number::Double(double)),
                _ => Err("is beyond the range of doubles"),
            };
        }
        if parts.whole.len() > MAX_INTEGER_DIGITS {
            return Err("is too long an integer for arithmetic (more than 100000 digits)");
        }
        let size = BigUint::parse_bytes(parts.whole, 10).unwrap_or_default();
        let integer = if parts.negative { -BigInt::from(size) } else { size.into() };
        Ok(match i64::try_from(&integer) {
            Ok(integer) => Number::Integer(integer),
            Err(_) => Number::Big(Box::new(integer)),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Number, &'static str> {
        Number::parse(text.as_bytes())
    }

    #[test]
    fn the_spelling_says_what_is_an_integer() {
        assert_eq!(parse("-12"), Ok(Number::Integer(-12)));
        assert_eq!(parse("+012"), Ok(Number::Integer(12)));
        assert_eq!(parse("12.0"), Ok(Number::Double(12.0)));
        assert_eq!(parse("1e3"), Ok(Number::Double(1000.0)));
        assert_eq!(parse("-9223372036854775808"), Ok(Number::Integer(i64::MIN)));
        assert_eq!(parse("9223372036854775808"), Ok(Number::Big(Box::new((1u128 << 63).into()))));
        assert_eq!(parse("00000000000000000000000007"), Ok(Number::Integer(7)));
    }

    #[test]
    fn what_no_double_reaches_is_refused() {
        assert!(parse("1e400").is_err());
        assert!(parse("-1.5e99999999999999999999").is_err());
        assert_eq!(parse("1e-99999999999999999999"), Ok(Number::Double(0.0)));
        assert_eq!(parse("0e99999999999999999999"), Ok(Number::Double(0.0)));
        assert!(parse(&"9".repeat(MAX_INTEGER_DIGITS + 1)).is_err());
        assert!(matches!(parse(&"9".repeat(400)), Ok(Number::Big(_))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn decimals_are_the_nearest_doubles(
            text in "-?(0|[1-9][0-9]{0,17})\\.[0-9]{1,18}([eE][+-]?[0-9]{1,2})?"
        ) {
            prop_assert_eq!(parse(&text), Ok(Number::Double(text.parse().unwrap())));
        }
    }
}

//! Decimal numbers: an integer and where its point stands, as text and back, and as the bytes of files.

use num_bigint::{BigInt, Sign};

use crate::record::number::NumberParts;

/// The most digits that a decimal number may have.
const DIGITS_MAX: i64 = 1000;

/// An integer with its point moved so many digits to the left: `-1.50`.
pub(super) fn shown(digits: &BigInt, scale: usize) -> String {
    let text = digits.magnitude().to_string();
    let text = format!("{text:0>width$}", width = scale + 1);
    let sign = if digits.sign() == Sign::Minus { "-" } else { "" };
    match scale {
        0 => format!("{sign}{text}"),
        _ => format!("{sign}{}.{}", &text[..text.len() - scale], &text[text.len() - scale..]),
    }
}

/// The integer that a JSON number is, with its point moved so many digits to the right. None where a
/// part of it would be lost, or it has more digits than `precision`.
pub(super) fn parse(number: &[u8], scale: usize, precision: usize) -> Option<BigInt> {
    let parts = NumberParts::of(number);
    let mut digits = [parts.whole, parts.fraction].concat();
    // Where the point stands, counted from the left.
    let point = parts.whole.len() as i64 + parts.small_exponent()? + scale as i64;
    if digits.iter().all(|&digit| digit == b'0') {
        return Some(BigInt::ZERO);
    }
    if !(0..=DIGITS_MAX).contains(&point) {
        return None;
    }
    let point = point as usize;
    if digits.len() > point && digits.drain(point..).any(|digit| digit != b'0') {
        return None;
    }
    digits.resize(point, b'0');
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    if digits.len() - zeros > precision {
        return None;
    }
    let value = BigInt::parse_bytes(&digits, 10).unwrap_or(BigInt::ZERO);
    Some(if parts.negative { -value } else { value })
}

/// The integer in two's complement, the most significant byte first, in `length` bytes.
pub(super) fn bytes(value: &BigInt, length: usize) -> Option<Vec<u8>> {
    let short = value.to_signed_bytes_be();
    let fill = if value.sign() == Sign::Minus { 0xff } else { 0 };
    let lacking = length.checked_sub(short.len())?;
    Some([vec![fill; lacking], short].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_numbers_are_exact_both_ways() {
        for (digits, scale, text) in
            [(150, 2, "1.50"), (-5, 3, "-0.005"), (0, 0, "0"), (7, 0, "7"), (-12, 1, "-1.2")]
        {
            assert_eq!(shown(&BigInt::from(digits), scale), text);
            assert_eq!(parse(text.as_bytes(), scale, 9), Some(BigInt::from(digits)), "{text}");
        }
        let parse = |text: &str| parse(text.as_bytes(), 2, 4);
        assert_eq!(parse("1.5e1"), Some(BigInt::from(1500)));
        assert_eq!(parse("1500e-2"), Some(BigInt::from(1500)));
        assert_eq!(parse("0.000"), Some(BigInt::ZERO));
        assert_eq!(parse("99.990"), Some(BigInt::from(9999)));
        for lost in ["0.001", "100", "1e99999999999", "1e-99999999999", "1e300"] {
            assert_eq!(parse(lost), None, "{lost}");
        }
    }

    #[test]
    fn bytes_are_twos_complement() {
        assert_eq!(bytes(&BigInt::from(-1), 3), Some(vec![255; 3]));
        assert_eq!(bytes(&BigInt::from(256), 4), Some(vec![0, 0, 1, 0]));
        assert_eq!(bytes(&BigInt::from(128), 1), None);
    }
}

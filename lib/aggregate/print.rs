//! Numbers as JSON text: doubles as ECMAScript (and RFC 8785) prints them, and the spellings that
//! people use made JSON.

use std::fmt::Display;
use std::io::Write;

use crate::record::number::NumberParts;

/// Doubles from 1e-6 to below 1e21 print without an exponent: with their point so many places
/// behind the start of their digits.
const PLAIN_POINTS_FROM: i64 = -5;
const PLAIN_POINTS_TO: i64 = 21;

/// No double's shortest text is longer (`-2.2250738585072014e-308` is one of the longest).
const LONGEST_DOUBLE: usize = 32;

/// Appends a finite double: the shortest digits that read back as it (of those the closest), plain
/// from 1e-6 to below 1e21, and without a sign if it is zero.
pub fn push_double(out: &mut Vec<u8>, double: f64) {
    if double == 0.0 {
        out.push(b'0');
        return;
    }
    // serde_json finds the digits; where it puts the point and the exponent is its own way.
    let mut text = [0; LONGEST_DOUBLE];
    let left = {
        let mut rest = text.as_mut_slice();
        let written = serde_json::to_writer(&mut rest, &double);
        debug_assert!(written.is_ok());
        rest.len()
    };
    let text = &text[..LONGEST_DOUBLE - left];
    match memchr::memchr(b'e', text) {
        None => out.extend_from_slice(text.strip_suffix(b".0").unwrap_or(text)),
        Some(_) => push_with_exponent(out, text),
    }
}

/// Appends a double as ECMAScript would that is given with an exponent.
fn push_with_exponent(out: &mut Vec<u8>, text: &[u8]) {
    let parts = NumberParts::of(text);
    let mut digits = [parts.whole, parts.fraction].concat();
    let zeros = leading_zeros(&digits);
    digits.drain(..zeros);
    while digits.last() == Some(&b'0') {
        digits.pop();
    }
    let point = parts.whole.len() as i64 - zeros as i64;
    let point = point + parts.small_exponent().unwrap_or_default();
    if parts.negative {
        out.push(b'-');
    }
    push_digits(out, &digits, point);
}

/// Appends `0.DIGITS * 10^point`.
fn push_digits(out: &mut Vec<u8>, digits: &[u8], point: i64) {
    let zeros = |out: &mut Vec<u8>, count: i64| out.resize(out.len() + count as usize, b'0');
    let count = digits.len() as i64;
    match point {
        PLAIN_POINTS_FROM..=0 => {
            out.extend_from_slice(b"0.");
            zeros(out, -point);
            out.extend_from_slice(digits);
        }
        1..=PLAIN_POINTS_TO if count <= point => {
            out.extend_from_slice(digits);
            zeros(out, point - count);
        }
        1..=PLAIN_POINTS_TO => {
            let (whole, fraction) = digits.split_at(point as usize);
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
        _ => {
            let (first, fraction) = digits.split_at(digits.len().min(1));
            out.extend_from_slice(first);
            if !fraction.is_empty() {
                out.push(b'.');
                out.extend_from_slice(fraction);
            }
            out.extend_from_slice(if point <= 0 { b"e-" } else { b"e+" });
            out.extend_from_slice((point - 1).unsigned_abs().to_string().as_bytes());
        }
    }
}

/// Appends an integer in full.
pub(super) fn push_integer(out: &mut Vec<u8>, integer: impl Display) {
    let written = write!(out, "{integer}");
    debug_assert!(written.is_ok(), "a vector takes everything");
}

/// Appends what [`lenient`](crate::record::number::lenient) accepted as a JSON number: the same
/// digits, without the `+`, the leading zeros and the bare points that JSON does not know.
pub fn push_spelling(out: &mut Vec<u8>, number: &[u8]) {
    let parts = NumberParts::of(number);
    if parts.negative {
        out.push(b'-');
    }
    match &parts.whole[leading_zeros(parts.whole)..] {
        [] => out.push(b'0'),
        whole => out.extend_from_slice(whole),
    }
    if !parts.fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(parts.fraction);
    }
    if !parts.exponent.is_empty() {
        out.extend_from_slice(if parts.exponent_negative { b"e-" } else { b"e" });
        out.extend_from_slice(parts.exponent);
    }
}

fn leading_zeros(digits: &[u8]) -> usize {
    digits.iter().position(|&b| b != b'0').unwrap_or(digits.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_in_rfc_8785() {
        let table = [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ];
        for (bits, text) in table {
            let mut out = Vec::new();
            push_double(&mut out, f64::from_bits(bits));
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn spellings_become_json() {
        let table = [
            ("+5", "5"),
            ("007", "7"),
            ("-00", "-0"),
            ("5.", "5"),
            (".50", "0.50"),
            ("-.5E+03", "-0.5e3"),
            ("1e-0", "1"),
            ("1.50", "1.50"),
        ];
        for (given, json) in table {
            let mut out = Vec::new();
            push_spelling(&mut out, given.as_bytes());
            assert_eq!(String::from_utf8(out).unwrap(), json);
        }
    }
}

//! The key bytes of numbers: memcmp order is numeric order.
//!
//! A number that is not zero is `0.DDD * 10^E`, the first and the last D not 0. Its key bytes are
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | class: the sign, and whether E is ordinary (one byte), huge or tiny |
//! | 1 or more | E: ordinary as one byte; else the count of its digits, then the digits |
//! | 6 | the first 14 digits as a number, shifted left by one bit; the bit says that more follow |
//! | 2 each | the next 4 digits, in the same way |
//!
//! Zero is its class alone. A tiny number's E is complemented, and of a negative number all behind
//! the class. So memcmp order is numeric order, equal numbers have equal bytes, no encoding is the
//! beginning of another, and the first 8 bytes tell any two ordinary numbers of up to 14 digits
//! apart.

use super::{NumberParts, POWERS_OF_TEN, SHORT_DIGITS, Short};

const NEGATIVE_HUGE: u8 = 0x40;
const NEGATIVE: u8 = 0x41;
const NEGATIVE_TINY: u8 = 0x42;
const ZERO: u8 = 0x43;
const POSITIVE_TINY: u8 = 0x44;
const POSITIVE: u8 = 0x45;
const POSITIVE_HUGE: u8 = 0x46;

/// The least ordinary E; with it, 256 values fit in a byte.
const LEAST_ORDINARY: i64 = -127;
/// How many digits the first 8 bytes hold, and each 2 bytes behind them; both together are short.
const HEAD_DIGITS: usize = SHORT_DIGITS - TAIL_DIGITS;
const TAIL_DIGITS: usize = 4;
/// From this on, the count of an E's digits takes 8 more bytes.
const LONG_EXPONENT: u8 = 0xff;

/// Appends the key bytes of `number`: a valid JSON number, or what [`lenient`](super::lenient)
/// returned. Their memcmp order is numeric order, and equal numbers (`1`, `1.0`, `1e0`; `0`, `-0`)
/// have equal bytes.
#[inline]
pub fn push_key(out: &mut Vec<u8>, number: &[u8]) {
    if !Short::of(number).is_some_and(|short| push_short_key(out, short)) {
        push_long_key(out, &NumberParts::of(number));
    }
}

/// The same of a short number; `false`, and nothing appended, if E is not ordinary.
#[inline]
fn push_short_key(out: &mut Vec<u8>, short: Short) -> bool {
    let key = ShortKey::of(short);
    out.extend_from_slice(key.as_ref().map_or(&[], ShortKey::bytes));
    key.is_some()
}

/// The key bytes of a short number.
#[derive(Clone, Copy, Debug)]
pub struct ShortKey {
    bytes: [u8; 10],
    length: usize,
}

impl ShortKey {
    /// Those of `short`; there are always some of one that is [plain](Short::plain). `None` if E is not
    /// ordinary.
    #[inline]
    pub fn of(short: Short) -> Option<ShortKey> {
        let mut bytes = [0; 10];
        let Some(log) = short.digits.checked_ilog10() else {
            bytes[0] = ZERO;
            return Some(ShortKey { bytes, length: 1 });
        };
        let count = log as usize + 1;
        let exponent = short.exponent + count as i64 - LEAST_ORDINARY;
        if !(0..=0xff).contains(&exponent) {
            return None;
        }
        let all = short.digits * POWERS_OF_TEN[SHORT_DIGITS - count];
        let (head, tail) =
            (all / POWERS_OF_TEN[TAIL_DIGITS], (all % POWERS_OF_TEN[TAIL_DIGITS]) as u16);
        let word = (exponent as u64) << 48 | head << 1 | u64::from(tail != 0);
        let (class, flip) = if short.negative { (NEGATIVE, !0 >> 8) } else { (POSITIVE, 0) };
        bytes[..8].copy_from_slice(&(u64::from(class) << 56 | word ^ flip).to_be_bytes());
        bytes[8..].copy_from_slice(&(tail << 1 ^ flip as u16).to_be_bytes());
        Some(ShortKey { bytes, length: if tail == 0 { 8 } else { 10 } })
    }

    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The short number that `key` begins with, as it is written, and the rest; `None` of any other.
pub fn shown(key: &[u8]) -> Option<(String, &[u8])> {
    let class = *key.first()?;
    let flip = match class {
        ZERO => return Some(("0".into(), &key[1..])),
        POSITIVE => 0,
        NEGATIVE => 0xff,
        _ => return None,
    };
    let bytes = |from: usize, to: usize| -> Option<u64> {
        Some(key.get(from..to)?.iter().fold(0, |word, byte| word << 8 | u64::from(byte ^ flip)))
    };
    let (exponent, head) = (bytes(1, 2)? as i64 + LEAST_ORDINARY, bytes(2, 8)?);
    let tail = if head & 1 == 1 { bytes(8, 10)? } else { 0 };
    if tail & 1 == 1 || head >> 1 >= POWERS_OF_TEN[HEAD_DIGITS] || !(-6..=21).contains(&exponent) {
        return None;
    }
    let length = if head & 1 == 1 { 10 } else { 8 };
    let digits = (head >> 1) * POWERS_OF_TEN[TAIL_DIGITS] + (tail >> 1);
    let digits = format!("{digits:0SHORT_DIGITS$}");
    let digits = digits.trim_end_matches('0');
    let sign = if class == NEGATIVE { "-" } else { "" };
    let whole = usize::try_from(exponent).unwrap_or(0);
    let text = match digits.len() {
        count if count <= whole => format!("{sign}{digits}{}", "0".repeat(whole - count)),
        _ if exponent > 0 => format!("{sign}{}.{}", &digits[..whole], &digits[whole..]),
        _ => format!("{sign}0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize)),
    };
    Some((text, &key[length..]))
}

/// Any number.
#[cold]
fn push_long_key(out: &mut Vec<u8>, parts: &NumberParts) {
    let mut digits = [parts.whole, parts.fraction].concat();
    let zeros = digits.iter().position(|&b| b != b'0').unwrap_or(digits.len());
    digits.drain(..zeros);
    while digits.last() == Some(&b'0') {
        digits.pop();
    }
    if digits.is_empty() {
        out.push(ZERO);
        return;
    }
    let start = out.len();
    push_exponent(out, parts, parts.whole.len() as i64 - zeros as i64);
    push_digits(out, &digits);
    if parts.negative {
        out[start] = match out[start] {
            POSITIVE_TINY => NEGATIVE_TINY,
            POSITIVE_HUGE => NEGATIVE_HUGE,
            _ => NEGATIVE,
        };
        out[start + 1..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}

/// Appends the class of a positive number, and E: the exponent in `parts` plus `shift`.
fn push_exponent(out: &mut Vec<u8>, parts: &NumberParts, shift: i64) {
    let (negative, size) = match parts.small_exponent() {
        Some(exponent) => {
            let exponent = exponent + shift;
            if let Ok(byte) = u8::try_from(exponent - LEAST_ORDINARY) {
                out.extend_from_slice(&[POSITIVE, byte]);
                return;
            }
            (exponent < 0, exponent.unsigned_abs().to_string().into_bytes())
        }
        None => {
            let shift = if parts.exponent_negative { -shift } else { shift };
            (parts.exponent_negative, plus(parts.exponent, shift))
        }
    };
    out.push(if negative { POSITIVE_TINY } else { POSITIVE_HUGE });
    let start = out.len();
    match u8::try_from(size.len()) {
        Ok(length) if length < LONG_EXPONENT => out.push(length),
        _ => {
            out.push(LONG_EXPONENT);
            out.extend_from_slice(&(size.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&size);
    if negative {
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}

/// The digits of `digits + shift`, where `digits` is much larger than `shift`.
fn plus(digits: &[u8], shift: i64) -> Vec<u8> {
    let mut sum = digits.to_vec();
    let mut carry = shift;
    for digit in sum.iter_mut().rev() {
        carry += i64::from(*digit - b'0');
        *digit = b'0' + carry.rem_euclid(10) as u8;
        carry = carry.div_euclid(10);
        if carry == 0 {
            break;
        }
    }
    if carry > 0 {
        sum.splice(0..0, carry.to_string().into_bytes());
    }
    let zeros = sum.iter().position(|&b| b != b'0').unwrap_or(sum.len());
    sum.drain(..zeros);
    sum
}

/// Appends digits: 14 in 6 bytes, then 4 in 2 bytes each, the lowest bit saying that more follow.
fn push_digits(out: &mut Vec<u8>, digits: &[u8]) {
    let padded = |digits: &[u8], length: usize| {
        let value = digits.iter().fold(0, |value, d| value * 10 + u64::from(d - b'0'));
        value * POWERS_OF_TEN[length - digits.len()]
    };
    let (head, rest) = digits.split_at(digits.len().min(HEAD_DIGITS));
    let head = padded(head, HEAD_DIGITS) << 1 | u64::from(!rest.is_empty());
    out.extend_from_slice(&head.to_be_bytes()[2..]);
    let mut left = rest.len();
    for tail in rest.chunks(TAIL_DIGITS) {
        left -= tail.len();
        let tail = padded(tail, TAIL_DIGITS) << 1 | u64::from(left > 0);
        out.extend_from_slice(&(tail as u16).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use proptest::prelude::*;

    use super::*;

    fn key(number: &str) -> Vec<u8> {
        let mut out = Vec::new();
        push_key(&mut out, number.as_bytes());
        out
    }

    /// The number times 10^700, for exponents from -600 to 600.
    fn scaled(number: &str) -> BigInt {
        let lower = number.to_lowercase();
        let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: BigInt = format!("{whole}{fraction}").parse().unwrap();
        let exponent: i32 = exponent.parse().unwrap();
        digits * BigInt::from(10).pow((exponent + 700 - fraction.len() as i32) as u32)
    }

    #[test]
    fn evil_spellings_are_in_order() {
        let ascending = [
            "-1e100000000000000000000",
            "-1e99999999999999999999",
            "-9e99999999999999999998",
            "-1e1000000000000000000",
            "-1e400",
            "-123456789012345678901",
            "-12345678901234567890",
            "-10",
            "-9.99999999999999999999",
            "-1",
            "-1e-400",
            "-1e-99999999999999999999",
            "0",
            "1e-99999999999999999999",
            "1e-400",
            "1e-128",
            "1e-127",
            "0.1",
            "0.10000000000000000001",
            "1",
            "1.00000000000000000001",
            "99999999999999",
            "99999999999999.5",
            "999999999999999999",
            "1e127",
            "1e128",
            "1e400",
            "1e999999999999999999",
            "1e1000000000000000000",
            "1e99999999999999999999",
            "1.5e99999999999999999999",
            "1e100000000000000000000",
        ];
        for pair in ascending.windows(2) {
            assert!(key(pair[0]) < key(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn equal_numbers_have_equal_keys() {
        let long_exponent = format!("1e{}", "9".repeat(300));
        let classes: [&[&str]; 8] = [
            &["0", "-0", "-0.0", "0e5", "0.000e-99999999999999999999", "00", "+0", ".0", "0."],
            &["1", "1.0", "1e0", "0.1e1", "100e-2", "1E+0", "+1", "01", "1.", "10e-000000001"],
            &["-1.5", "-15e-1", "-0.00000000000000000000015e22"],
            &["1e400", "10e399", "0.1E+401", "1e+0000000000000000000000400"],
            &["1e99999999999999999999", "10e99999999999999999998", "0.1e100000000000000000000"],
            &["1e1000000000000000000", "10e999999999999999999", "0.01e1000000000000000002"],
            &["1e-99999999999999999999", "0.1e-99999999999999999998"],
            &[&long_exponent, &format!("100e{}7", "9".repeat(299)), &format!("0.1e1{:0300}", 0)],
        ];
        for class in classes {
            for number in class {
                assert_eq!(key(number), key(class[0]), "{number} = {}", class[0]);
            }
        }
    }

    #[test]
    fn ordinary_numbers_take_eight_bytes() {
        for number in ["1", "-7.25", "1700000000000", "99999999999999", "1e100", "0.001"] {
            assert_eq!(key(number).len(), 8);
        }
        assert_eq!(key("123456789012345678").len(), 10);
        assert_eq!(key("0.0"), [ZERO]);
    }

    fn number() -> impl Strategy<Value = String> {
        prop_oneof![
            "-?(0|[1-9][0-9]{0,3})",
            "-?[1-9][0-9]{10,24}",
            "-?(0|[1-9][0-9]{0,20})\\.[0-9]{1,24}",
            "-?(0|[1-9]0{0,4})(\\.0{0,3}[0-9]{1,2})?[eE][+-]?[0-9]{1,2}",
            "-?[1-9]\\.[0-9]{1,3}[eE][+-]?[1-5][0-9][0-9]",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn keys_compare_as_the_numbers_do(a in number(), b in number()) {
            prop_assert_eq!(key(&a).cmp(&key(&b)), scaled(&a).cmp(&scaled(&b)), "{} {}", a, b);
        }

        #[test]
        fn spellings_do_not_matter(a in number(), zeros in 0usize..30) {
            let lower = a.to_lowercase();
            let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
            let exponent: i64 = exponent.parse().unwrap();
            let point = if mantissa.contains('.') { "" } else { "." };
            let padded = format!("{mantissa}{point}{}e{exponent}", "0".repeat(zeros));
            prop_assert_eq!(key(&padded), key(&a));
            let whole = mantissa.replace('.', "");
            let places = mantissa.split_once('.').map_or(0, |(_, f)| f.len() as i64);
            prop_assert_eq!(key(&format!("{whole}e{}", exponent - places)), key(&a));
        }

        #[test]
        fn no_key_begins_another(a in number(), b in number()) {
            let (a, b) = (key(&a), key(&b));
            prop_assert!(a == b || !a.starts_with(&b) && !b.starts_with(&a));
        }
    }
}

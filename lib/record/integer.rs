//! Integers of 64 bits in their shortest spelling: lines that are nothing else, and numbers that compare as
//! they do.

use super::wide::{digits_in, first_digits};

/// Bits that compare, as a number without a sign, as the integer does.
const SIGN: u64 = 1 << 63;

/// Appends the integers that the lines of `text` are, as numbers that compare as they do, the other way round
/// if `reverse`; each line ends with its LF. Whether each of them is one: an integer of 64 bits in its shortest
/// spelling, and nothing else; if not, some may have been appended.
pub fn read_lines(text: &[u8], reverse: bool, out: &mut Vec<u64>) -> bool {
    let flip = if reverse { !SIGN } else { SIGN };
    let mut at = 0;
    while at < text.len() {
        let Some((integer, end)) = short(text, at).or_else(|| long(text, at)) else { return false };
        out.push(integer as u64 ^ flip);
        at = end;
    }
    true
}

/// Appends integers as lines; from the numbers that [`read_lines`] makes of them.
pub fn push_lines(numbers: &[u64], out: &mut Vec<u8>) {
    push(numbers, SIGN, out);
}

/// The same of those that compare the other way round.
pub fn push_lines_reversed(numbers: &[u64], out: &mut Vec<u8>) {
    push(numbers, !SIGN, out);
}

fn push(numbers: &[u64], flip: u64, out: &mut Vec<u8>) {
    let mut spelled = itoa::Buffer::new();
    for number in numbers {
        out.extend_from_slice(spelled.format((number ^ flip) as i64).as_bytes());
        out.push(b'\n');
    }
}

/// The integer on the line that begins at `at`, and where the next line begins, if it has at most 15 digits
/// and does not lie at the very end.
#[inline]
fn short(text: &[u8], at: usize) -> Option<(i64, usize)> {
    let negative = text.get(at) == Some(&b'-');
    let start = at + usize::from(negative);
    let sixteen = text.get(start..)?.first_chunk::<16>()?;
    let (mut low, mut high) = ([0; 8], [0; 8]);
    low.copy_from_slice(&sixteen[..8]);
    high.copy_from_slice(&sixteen[8..]);
    let (low, high) = (u64::from_le_bytes(low), u64::from_le_bytes(high));
    let (mut digits, mut value) = (digits_in(low), 0);
    if digits < 8 {
        value = first_digits(low, digits);
    } else {
        let more = digits_in(high);
        if more == 8 {
            return None;
        }
        value += first_digits(low, 8) * POWERS[more] + first_digits(high, more);
        digits += more;
    }
    let zeros_first = sixteen[0] == b'0' && (digits > 1 || negative);
    if digits == 0 || zeros_first || sixteen[digits] != b'\n' {
        return None;
    }
    let value = value as i64;
    Some((if negative { -value } else { value }, start + digits + 1))
}

/// Powers of ten.
const POWERS: [u64; 8] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000];

/// The same of any integer.
#[cold]
fn long(text: &[u8], at: usize) -> Option<(i64, usize)> {
    let length = memchr::memchr(b'\n', &text[at..])?;
    let line = std::str::from_utf8(&text[at..at + length]).ok()?;
    let integer: i64 = line.parse().ok()?;
    (itoa::Buffer::new().format(integer) == line).then_some((integer, at + length + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str, reverse: bool) -> Option<Vec<u64>> {
        let mut out = Vec::new();
        read_lines(text.as_bytes(), reverse, &mut out).then_some(out)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn integers_come_back_and_compare(
            raw in prop::collection::vec((any::<i64>(), 0u32..64), 0..40),
        ) {
            let integers: Vec<i64> = raw.iter().map(|(bits, shift)| bits >> shift).collect();
            let text: String = integers.iter().map(|n| format!("{n}\n")).collect();
            for reverse in [false, true] {
                let numbers = read(&text, reverse).unwrap();
                let mut lines = Vec::new();
                let push = if reverse { push_lines_reversed } else { push_lines };
                push(&numbers, &mut lines);
                prop_assert_eq!(String::from_utf8(lines).unwrap(), &*text);
                for (a, b) in integers.iter().zip(&numbers) {
                    for (c, d) in integers.iter().zip(&numbers) {
                        let due = if reverse { c.cmp(a) } else { a.cmp(c) };
                        prop_assert_eq!(b.cmp(d), due);
                    }
                }
            }
        }

        #[test]
        fn nothing_else_is_an_integer(
            before in "(-?[1-9][0-9]{0,20}\n){0,3}",
            line in "[-+ 0-9.eE\r\"]{0,25}",
            after in "(-?[1-9][0-9]{0,20}\n){0,3}",
        ) {
            let text = format!("{before}{line}\n{after}");
            let is_one = |line: &str| line.parse::<i64>().is_ok_and(|n| n.to_string() == line);
            prop_assert_eq!(read(&text, false).is_some(), text.lines().all(is_one) && !text.contains('\r'));
        }
    }

    #[test]
    fn the_least_and_the_greatest_are_integers() {
        for good in ["-9223372036854775808\n9223372036854775807\n", "0\n", ""] {
            assert!(read(good, false).is_some(), "{good}");
        }
        for bad in ["9223372036854775808\n", "-0\n", "00\n", "\n", "1 \n", "1\n\n2\n", "1"] {
            assert!(read(bad, false).is_none(), "{bad}");
        }
    }
}

//! The key bytes of texts that hold versions: memcmp order is that of `sort -V`.
//!
//! The order is GNU's `filevercmp`. A text is runs of other characters and of digits in turn. The
//! former compare character by character: `~` before the end of the run, that before letters, and
//! those before all else. The latter compare as numbers of any size. Texts are first compared
//! without their file suffixes (`.tar.gz`), then with them. The empty text comes first, then `.`,
//! `..`, and what begins with a point.
//!
//! A text's key bytes begin with its class (a byte), and where that does not tell all, the bytes of
//! its runs without the suffix follow, and those of the whole. Runs are
//!
//! | bytes | what |
//! | --- | --- |
//! | `01` | `~` |
//! | `02` | here the run ends, and a number follows: the count of its digits, and they |
//! | `03` | here the text ends |
//! | `41`..`7a` | this letter |
//! | `80` and a byte | any other byte |
//!
//! Leading zeros of a number count for nothing, and its absence is zero: `1`, `01` and `a`, `a0`
//! have the same bytes.

const EMPTY: u8 = 1;
const DOT: u8 = 2;
const DOT_DOT: u8 = 3;
const HIDDEN: u8 = 4;
const PLAIN: u8 = 5;

const TILDE: u8 = 1;
const NUMBER: u8 = 2;
const END: u8 = 3;
const OTHER: u8 = 0x80;

/// From this on, the count of a number's digits takes 8 more bytes.
const LONG_NUMBER: u8 = 0xff;

/// Appends the key bytes of `text`, which end by themselves.
pub(super) fn push_key(out: &mut Vec<u8>, text: &[u8]) {
    let class = match text {
        b"" => EMPTY,
        b"." => DOT,
        b".." => DOT_DOT,
        [b'.', ..] => HIDDEN,
        _ => PLAIN,
    };
    out.push(class);
    if class >= HIDDEN {
        push_runs(out, &text[..without_suffix(text)]);
        push_runs(out, text);
    }
}

/// The length of `text` without its file suffix: the longest end of it that is made of parts like
/// `.tar` (a point, a letter or `~`, then letters, digits and `~`), but never all of it.
fn without_suffix(text: &[u8]) -> usize {
    let letter = |at: usize| text.get(at).is_some_and(|b| b.is_ascii_alphabetic() || *b == b'~');
    let (mut at, mut length) = (0, 0);
    while at < text.len() {
        at += 1;
        length = at;
        while text.get(at) == Some(&b'.') && letter(at + 1) {
            at += 2;
            while letter(at) || text.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
        }
    }
    length
}

/// Appends the bytes of the runs of `text`.
fn push_runs(out: &mut Vec<u8>, mut text: &[u8]) {
    let mut first = true;
    while first || !text.is_empty() {
        let digits = text.iter().position(u8::is_ascii_digit).unwrap_or(text.len());
        for &byte in &text[..digits] {
            match byte {
                b'~' => out.push(TILDE),
                b'A'..=b'Z' | b'a'..=b'z' => out.push(byte),
                _ => out.extend_from_slice(&[OTHER, byte]),
            }
        }
        out.push(NUMBER);
        text = &text[digits..];
        let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
        push_number(out, &text[..end]);
        (text, first) = (&text[end..], false);
    }
    out.push(END);
}

/// Appends a number: the count of its digits, then they, without leading zeros.
fn push_number(out: &mut Vec<u8>, digits: &[u8]) {
    let zeros = digits.iter().position(|&b| b != b'0').unwrap_or(digits.len());
    let digits = &digits[zeros..];
    match u8::try_from(digits.len()) {
        Ok(count) if count < LONG_NUMBER => out.push(count),
        _ => {
            out.push(LONG_NUMBER);
            out.extend_from_slice(&(digits.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(digits);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        push_key(&mut out, text.as_bytes());
        out
    }

    #[test]
    fn versions_are_in_order() {
        let long = format!("1{}", "0".repeat(300));
        let ascending = [
            "",
            ".",
            "..",
            ".a",
            ".b",
            "1.0~rc1",
            "1.0",
            "1.0.1",
            "1.2",
            "1.10",
            "1.10a",
            "1.10.1",
            "9",
            "10",
            &long,
            "a~",
            "a",
            "a1",
            "a2.tar.gz",
            "a10.tar.gz",
            "a10.tar.xz",
            "aa",
            "a-",
            "é",
        ];
        for pair in 1..ascending.len() {
            let (a, b) = (ascending[pair - 1], ascending[pair]);
            assert!(key(a) < key(b), "{a} {b}");
        }
    }

    #[test]
    fn leading_zeros_count_for_nothing() {
        for (a, b) in [("1.0", "01.000"), ("a", "a0"), ("x007y", "x7y")] {
            assert_eq!(key(a), key(b), "{a} {b}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn no_key_begins_another(
            a in "([.~0-9aZ-]|\\PC){0,8}",
            b in "([.~0-9aZ-]|\\PC){0,8}",
            tail in "[.~0-9aZ-]{0,3}"
        ) {
            for (a, b) in [(&a, &b), (&a, &format!("{a}{tail}"))] {
                let (one, other) = (key(a), key(b));
                prop_assert!(one == other || !one.starts_with(&other), "{a:?} {b:?}");
                prop_assert!(one == other || !other.starts_with(&one), "{a:?} {b:?}");
            }
        }
    }
}

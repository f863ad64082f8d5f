//! The scanner: is this text one JSON value, and where in it are the parts that a key or a
//! reducer needs? One pass, nothing built, nothing copied.
//!
//! A record is UTF-8 and follows RFC 8259; arrays and objects nest at most
//! [`MAX_DEPTH`] deep. Of duplicate members the last counts.

use std::ops::Range;

use super::wide::{digits_end, digits_in, stops, word_at};
use super::{Flaw, MAX_DEPTH};

pub(super) type Scan<T> = Result<T, Flaw>;

/// Checks that `record` is one valid JSON value, with nothing but white space around it.
///
/// # Errors
/// The first flaw and its place.
pub fn check(record: &[u8]) -> Scan<()> {
    check_utf8(record)?;
    let start = skip_space(record, 0);
    let end = value::<false>(record, start, 0)?;
    expect_end(record, end)
}

/// The same, where NaN and Infinity count as values.
///
/// # Errors
/// As [`check`].
pub fn check_with_nan(record: &[u8]) -> Scan<()> {
    check_utf8(record)?;
    let start = skip_space(record, 0);
    let end = value::<true>(record, start, 0)?;
    expect_end(record, end)
}

/// Where the value ends that `text` begins with, whatever comes behind it; with `nan`, NaN and
/// Infinity are values too. Whether it is UTF-8 is not looked at.
///
/// # Errors
/// The first flaw and its place. One less than [`OPEN_BYTES`] before the end of the text may be
/// none with more text behind it.
pub fn prefix(text: &[u8], nan: bool) -> Scan<usize> {
    if nan { value::<true>(text, 0, 0) } else { value::<false>(text, 0, 0) }
}

/// How close to the end of a text a flaw may be but the text's being cut: no word, escape or
/// character is longer.
pub const OPEN_BYTES: usize = 12;

/// How long the text is of what Python writes for a number that JSON has not, if `text` begins so.
pub fn not_a_number(text: &[u8]) -> Option<usize> {
    let names: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];
    names.iter().find(|name| text.starts_with(name)).map(|name| name.len())
}

/// One step of a path into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The member of an object with this name (its bytes in WTF-8).
    Name(Vec<u8>),
    /// The element of an array, from 0.
    Index(usize),
}

/// The members of a valid object, in order, as `(name literal, value)`; none for another value.
pub fn members(object: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut parts = Parts::of(object, b'{');
    std::iter::from_fn(move || {
        let name = parts.next()?;
        parts.at = skip_space(parts.text, parts.at) + 1; // the colon
        Some((&object[name], &object[parts.next()?]))
    })
}

/// Where the value ends that begins at byte `at` of a valid record.
pub fn value_end(record: &[u8], at: usize) -> Option<usize> {
    value::<false>(record, at, 0).ok()
}

/// The elements of a valid array, in order; none for another value.
pub fn elements(array: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut parts = Parts::of(array, b'[');
    std::iter::from_fn(move || parts.next().map(|part| &array[part]))
}

/// A walk over the direct parts of a valid object or array.
struct Parts<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parts<'_> {
    fn of(text: &[u8], open: u8) -> Parts<'_> {
        let start = skip_space(text, 0);
        let at = if text.get(start) == Some(&open) { start + 1 } else { text.len() };
        Parts { text, at }
    }

    fn next(&mut self) -> Option<Range<usize>> {
        let mut start = skip_space(self.text, self.at);
        if self.text.get(start) == Some(&b',') {
            start = skip_space(self.text, start + 1);
        }
        match self.text.get(start) {
            None | Some(b'}' | b']') => None,
            Some(_) => {
                self.at = value::<false>(self.text, start, 0).ok()?;
                Some(start..self.at)
            }
        }
    }
}

fn flaw<T>(at: usize, what: &'static str) -> Scan<T> {
    Err(Flaw { at, what })
}

pub(super) fn check_utf8(record: &[u8]) -> Scan<()> {
    match std::str::from_utf8(record) {
        Ok(_) => Ok(()),
        Err(e) => flaw(e.valid_up_to(), "not UTF-8"),
    }
}

pub(super) fn expect_end(record: &[u8], end: usize) -> Scan<()> {
    match skip_space(record, end) {
        at if at == record.len() => Ok(()),
        at => flaw(at, "something follows the value"),
    }
}

/// The place of the first byte from `at` on that is no white space.
#[inline]
pub fn skip_space(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\r' | b'\n') = text.get(at) {
        at += 1;
    }
    at
}

/// Scans the value that starts at `at`; returns its end.
pub(super) fn value<const NAN: bool>(text: &[u8], at: usize, depth: usize) -> Scan<usize> {
    match text.get(at) {
        Some(b'"') => string(text, at),
        Some(b'-' | b'0'..=b'9') => number(text, at).or_else(|flaw| {
            // A sign may be that of Infinity.
            if text[at] == b'-' && flaw.at == at + 1 {
                no_value::<NAN>(text, at, flaw)
            } else {
                Err(flaw)
            }
        }),
        Some(b'{') => object::<NAN>(text, at, depth, |_, _| ()),
        Some(b'[') => array::<NAN>(text, at, depth, |_, _| ()),
        Some(b't') => word(text, at, b"true"),
        Some(b'f') => word(text, at, b"false"),
        Some(b'n') => word(text, at, b"null"),
        Some(_) => no_value::<NAN>(text, at, Flaw { at, what: "expected a value" }),
        None => flaw(at, "the record ends where a value should be"),
    }
}

/// The flaw of what is no value; with `NAN`, the end of what is NaN or Infinity.
#[cold]
fn no_value<const NAN: bool>(text: &[u8], at: usize, other: Flaw) -> Scan<usize> {
    let what = match not_a_number(&text[at..]) {
        None => return Err(other),
        Some(length) if NAN => return Ok(at + length),
        Some(3) => "NaN is no JSON (nan=null takes it for null)",
        Some(8) => "Infinity is no JSON (nan=null takes it for null)",
        Some(_) => "-Infinity is no JSON (nan=null takes it for null)",
    };
    flaw(at, what)
}

#[inline]
fn word(text: &[u8], at: usize, word: &[u8]) -> Scan<usize> {
    if text[at..].starts_with(word) { Ok(at + word.len()) } else { flaw(at, "expected a value") }
}

/// Scans an object from its brace, and shows each member's name literal and value.
#[inline]
pub(super) fn object<const NAN: bool>(
    text: &[u8],
    open: usize,
    depth: usize,
    mut member: impl FnMut(Range<usize>, Range<usize>),
) -> Scan<usize> {
    if depth >= MAX_DEPTH {
        return flaw(open, "nested too deeply (more than 1024 levels)");
    }
    let mut at = skip_space(text, open + 1);
    if text.get(at) == Some(&b'}') {
        return Ok(at + 1);
    }
    loop {
        if text.get(at) != Some(&b'"') {
            return flaw(at, "expected a member name in quotes");
        }
        let name = at..string(text, at)?;
        at = skip_space(text, name.end);
        if text.get(at) != Some(&b':') {
            return flaw(at, "expected ':' after a member name");
        }
        at = skip_space(text, at + 1);
        let end = value::<NAN>(text, at, depth + 1)?;
        member(name, at..end);
        at = skip_space(text, end);
        match text.get(at) {
            Some(b',') => at = skip_space(text, at + 1),
            Some(b'}') => return Ok(at + 1),
            Some(_) => return flaw(at, "expected ',' or '}'"),
            None => return flaw(at, "the record ends inside an object"),
        }
    }
}

/// Scans an array from its bracket, and shows each element's index and place.
#[inline]
pub(super) fn array<const NAN: bool>(
    text: &[u8],
    open: usize,
    depth: usize,
    mut element: impl FnMut(usize, Range<usize>),
) -> Scan<usize> {
    if depth >= MAX_DEPTH {
        return flaw(open, "nested too deeply (more than 1024 levels)");
    }
    let mut at = skip_space(text, open + 1);
    if text.get(at) == Some(&b']') {
        return Ok(at + 1);
    }
    for index in 0.. {
        let end = value::<NAN>(text, at, depth + 1)?;
        element(index, at..end);
        at = skip_space(text, end);
        match text.get(at) {
            Some(b',') => at = skip_space(text, at + 1),
            Some(b']') => return Ok(at + 1),
            Some(_) => return flaw(at, "expected ',' or ']'"),
            None => break,
        }
    }
    flaw(at, "the record ends inside an array")
}

/// Scans a string from its opening quote; returns the place behind its closing quote.
#[inline]
pub(super) fn string(text: &[u8], open: usize) -> Scan<usize> {
    let mut at = open + 1;
    loop {
        while let Some(eight) = text.get(at..at + 8) {
            let mut word = [0; 8];
            word.copy_from_slice(eight);
            let marks = stops(u64::from_le_bytes(word));
            if marks != 0 {
                at += marks.trailing_zeros() as usize / 8;
                break;
            }
            at += 8;
        }
        match text.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = escape(text, at)?,
            Some(0..=0x1f) => return flaw(at, "a raw control character in a string"),
            Some(_) => at += 1,
            None => return flaw(at, "the record ends inside a string"),
        }
    }
}

/// Scans an escape from its backslash.
fn escape(text: &[u8], at: usize) -> Scan<usize> {
    match text.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match text.get(at + 2..at + 6) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
            _ => flaw(at, "\\u needs four hexadecimal digits"),
        },
        Some(_) => flaw(at, "unknown escape in a string"),
        None => flaw(at + 1, "the record ends inside a string"),
    }
}

/// Where the number ends that begins at `at`, if one does.
#[inline(always)]
pub(super) fn number_end(text: &[u8], at: usize) -> Option<usize> {
    // Up to seven digits, and what ends them, are in a word.
    let word = word_at(text, at);
    let count = digits_in(word);
    let (first, behind) = (word as u8, (word >> (8 * (count as u32 & 7))) as u8);
    let short = count.wrapping_sub(1) < 7 && (first != b'0' || count == 1);
    match behind {
        _ if !short => other_number_end(text, at),
        b'.' | b'e' | b'E' => other_number_end(text, at),
        _ => Some(at + count),
    }
}

/// The same of any number.
fn other_number_end(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at) {
        Some(b'-' | b'0'..=b'9') => number(text, at).ok(),
        _ => None,
    }
}

/// Scans a number from its first byte.
#[inline]
pub(super) fn number(text: &[u8], start: usize) -> Scan<usize> {
    let digits = |at: usize| digits_end(text, at);
    let whole = start + usize::from(text[start] == b'-');
    let mut at = digits(whole);
    if at == whole {
        return flaw(at, "a number needs a digit here");
    }
    if text[whole] == b'0' && at > whole + 1 {
        return flaw(whole, "a number may not begin with 0");
    }
    if text.get(at) == Some(&b'.') {
        let fraction = at + 1;
        at = digits(fraction);
        if at == fraction {
            return flaw(at, "a number needs a digit here");
        }
    }
    if let Some(b'e' | b'E') = text.get(at) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        let exponent = at + 1 + sign;
        at = digits(exponent);
        if at == exponent {
            return flaw(at, "a number needs a digit here");
        }
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::super::fields::Fields;
    use super::*;

    fn good(text: &str) -> bool {
        let ours = check(text.as_bytes()).is_ok();
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        assert_eq!(ours, theirs, "{text:?}");
        ours
    }

    #[test]
    fn agrees_with_serde_json_on_small_texts() {
        for text in [
            "0",
            "-0",
            "01",
            "-",
            "1.",
            "1.5e",
            "1e+5",
            ".5",
            "+1",
            "null",
            "nul",
            "truex",
            "\"\"",
            "\"",
            "\"\\",
            "\"\\u12\"",
            "\"\\u12G4\"",
            "\"\\x\"",
            "[]",
            "[1,]",
            "[,]",
            "[1 2]",
            "{}",
            "{\"a\":1}",
            "{\"a\" 1}",
            "{a:1}",
            "{\"a\":1,}",
            " [ 1 , { \"b\" : [ ] } ] ",
            "",
            " ",
            "1 2",
            "\"a\u{1}b\"",
            "\"aaaaaaaaaaaaaaaa\\n\"",
            "{\"a\":{\"a\":{\"a\":[[[]]]}}}",
            "[",
            "{",
            "[1",
            "{\"a\"",
            "{\"a\":",
            "\"€😀\"",
        ] {
            good(text);
        }
        assert!(good("[\"12345678\\\"12345678\"]"));
    }

    #[test]
    fn names_the_place() {
        assert_eq!(
            check(b"{\"a\":1,,}"),
            Err(Flaw { at: 7, what: "expected a member name in quotes" })
        );
        assert_eq!(check(b"\"a\xff\""), Err(Flaw { at: 2, what: "not UTF-8" }));
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
        assert!(check(&nested(MAX_DEPTH)).is_ok());
        assert!(check(&nested(MAX_DEPTH + 1)).is_err());
        assert!(check(&vec![b'['; 1_000_000]).is_err());
    }

    #[test]
    fn fields_are_found_wherever_they_are() {
        let name = |n: &str| Step::Name(n.as_bytes().to_vec());
        let mut fields = Fields::new(vec![
            vec![name("b")],
            vec![name("a"), Step::Index(1), name("x")],
            vec![],
            vec![Step::Index(0)],
        ]);
        let record = br#" {"a":[0,{"x":7,"\u0078":8}],"b" : "two","b":2} "#;
        let found = fields.locate(record).unwrap().to_vec();
        let texts: Vec<_> = found.iter().map(|f| f.clone().map(|f| &record[f])).collect();
        assert_eq!(texts[0], Some(b"2".as_slice()));
        assert_eq!(texts[1], Some(b"8".as_slice()));
        assert_eq!(texts[2], Some(record.trim_ascii()));
        assert_eq!(texts[3], None);
    }
}

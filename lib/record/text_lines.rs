//! Lines of text as strings, and strings as lines of text, many at once: each line is looked at and copied in
//! the same pass, eight bytes at a time.
//!
//! Both ways stop at the first line that needs more thought than that, and say where it begins.

use super::text::{Escape, escape};
use super::wide::{HIGH, stops, word_at};

/// How lines of text end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnd {
    /// With an LF; a CR before it belongs to the text.
    Lf,
    /// With an LF, or with a CR and an LF.
    CrLf,
}

/// Appends the records that lines of text stand for, a JSON string each, from byte `at` of `text` on. Stops at a
/// line that is not UTF-8, or that has no end: says where, and how many records there are.
pub fn push_strings(out: &mut Vec<u8>, text: &[u8], mut at: usize, ends: LineEnd) -> (usize, u64) {
    let (mut pen, mut records) = (Pen::new(out), 0);
    while at < text.len() {
        let start = pen.len;
        pen.put(b"\"");
        let Some(next) = pen.string_of(text, at, ends) else {
            pen.len = start;
            break;
        };
        pen.put(b"\"\n");
        (at, records) = (next, records + 1);
    }
    pen.finish();
    (at, records)
}

/// Appends the lines of text that records stand for, from byte `at` of `records` on. Stops at one that is no
/// sound string, that has white space around it, or of whose text this cannot say that it is a line which can be
/// read again: says where, and how many lines there are.
pub fn push_texts(out: &mut Vec<u8>, records: &[u8], mut at: usize) -> (usize, u64) {
    if records.get(at) != Some(&b'"') {
        return (at, 0);
    }
    let (mut pen, mut lines) = (Pen::new(out), 0);
    while at < records.len() {
        let start = pen.len;
        let Some(next) = pen.text_of(records, at) else {
            pen.len = start;
            break;
        };
        pen.put(b"\n");
        (at, lines) = (next, lines + 1);
    }
    pen.finish();
    (at, lines)
}

/// The character that an escape stands for, and how long the escape is; none for a line end, or half a
/// character.
#[inline]
fn escaped(literal: &[u8]) -> Option<(char, usize)> {
    Some(match literal.get(1)? {
        letter @ (b'"' | b'\\' | b'/') => (char::from(*letter), 2),
        b't' => ('\t', 2),
        b'b' => ('\x08', 2),
        b'f' => ('\x0c', 2),
        b'u' => code_point(literal)?,
        _ => return None,
    })
}

/// The same for one that says its code point, or for two that say it together.
fn code_point(literal: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = literal.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
    };
    let first = unit(0)?;
    let (code, length) = match first {
        0xd800..0xdc00 => {
            let second = unit(6).filter(|low| (0xdc00..0xe000).contains(low))?;
            (0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00), 12)
        }
        _ => (first, 6),
    };
    let ends_line = code == u32::from(b'\n') || code == u32::from(b'\r');
    char::from_u32(code).filter(|_| !ends_line).map(|found| (found, length))
}

/// Writes over bytes that are there already, so that nothing is asked for at each byte.
struct Pen<'a> {
    out: &'a mut Vec<u8>,
    /// Where it began, and how far it came.
    start: usize,
    len: usize,
}

/// The most bytes that are written at once.
const STEP: usize = 8;

/// The least room that is made at once.
const ROOM_MIN: usize = 256;

impl Pen<'_> {
    /// To write behind `out`.
    fn new(out: &mut Vec<u8>) -> Pen<'_> {
        let len = out.len();
        Pen { out, start: len, len }
    }

    fn finish(self) {
        self.out.truncate(self.len);
    }

    /// Writes a few bytes, up to [`STEP`].
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let mut step = [0; STEP];
        step[..bytes.len()].copy_from_slice(bytes);
        self.step(step, bytes.len());
    }

    /// Writes bytes of which the first `count` count.
    #[inline]
    fn step(&mut self, bytes: [u8; STEP], count: usize) {
        loop {
            if let Some(room) = self.out[self.len..].first_chunk_mut() {
                *room = bytes;
                break;
            }
            self.grow();
        }
        self.len += count;
    }

    /// Makes room: as much again as was written, so that it costs no more than that.
    #[cold]
    fn grow(&mut self) {
        self.out.resize(self.len + ROOM_MIN.max(self.len - self.start), 0);
    }

    /// Copies the bytes at `at` up to the first that cannot stand in a string literal as it is, and says where
    /// that is; none if they are not UTF-8.
    #[inline]
    fn copy(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let (mut end, mut above) = (at, 0);
        loop {
            let word = word_at(text, end);
            let marks = stops(word);
            if marks == 0 {
                self.step(word.to_le_bytes(), STEP);
                above |= word & HIGH;
                end += STEP;
                continue;
            }
            let count = marks.trailing_zeros() as usize / 8;
            self.step(word.to_le_bytes(), count);
            above |= word & HIGH & !(!0 << (count * 8));
            end += count;
            break;
        }
        (above == 0 || std::str::from_utf8(&text[at..end]).is_ok()).then_some(end)
    }

    /// Writes the inside of the literal for the line at `at`, and says where the next one begins.
    #[inline]
    fn string_of(&mut self, text: &[u8], mut at: usize, ends: LineEnd) -> Option<usize> {
        loop {
            at = self.copy(text, at)?;
            match *text.get(at)? {
                b'\n' => return Some(at + 1),
                b'\r' if ends == LineEnd::CrLf && text.get(at + 1) == Some(&b'\n') => {
                    return Some(at + 2);
                }
                byte => match escape(byte) {
                    Escape::Letter(letter) => self.put(&[b'\\', letter]),
                    Escape::Code(code) => self.put(&code),
                },
            }
            at += 1;
        }
    }

    /// Writes the text of the literal at `at`, and says where the next line begins.
    #[inline]
    fn text_of(&mut self, records: &[u8], mut at: usize) -> Option<usize> {
        if records[at] != b'"' {
            return None;
        }
        at += 1;
        loop {
            at = self.copy(records, at)?;
            match *records.get(at)? {
                b'"' => return (records.get(at + 1) == Some(&b'\n')).then_some(at + 2),
                b'\\' => {
                    let (found, length) = escaped(&records[at..])?;
                    self.put(found.encode_utf8(&mut [0; 4]).as_bytes());
                    at += length;
                }
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::notation::Notation;
    use super::super::scan;
    use super::*;

    /// Lines, some of which are no UTF-8.
    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![
            "[a-c\"\\\\\t\r\u{0}\u{1f}\u{7f}é€😀]{0,20}".prop_map(String::into_bytes),
            "[a-z ]{0,60}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>().prop_filter("", |b| *b != b'\n'), 0..12),
        ];
        prop::collection::vec(line, 0..12).prop_map(|lines| {
            lines.into_iter().flat_map(|line| [line, b"\n".to_vec()].concat()).collect()
        })
    }

    /// What all lines become, each that stops the way as `other` says.
    fn whole(
        bytes: &[u8],
        mut some: impl FnMut(&mut Vec<u8>, usize) -> (usize, u64),
        mut other: impl FnMut(&mut Vec<u8>, &[u8]),
    ) -> (Vec<u8>, u64) {
        let (mut out, mut at, mut count) = (b"before".to_vec(), 0, 0);
        while at < bytes.len() {
            let (end, some) = some(&mut out, at);
            (at, count) = (end, count + some);
            if let Some(length) = memchr::memchr(b'\n', &bytes[at..]) {
                other(&mut out, &bytes[at..at + length]);
                (at, count) = (at + length + 1, count + 1);
            }
        }
        (out, count)
    }

    proptest! {
        #[test]
        fn lines_become_the_strings_that_they_become_one_by_one(
            text in hostile(),
            crlf in any::<bool>(),
        ) {
            let ends = if crlf { LineEnd::CrLf } else { LineEnd::Lf };
            let one = |out: &mut Vec<u8>, line: &[u8]| {
                let cut = if crlf { line.strip_suffix(b"\r") } else { None };
                Notation::Text.push_record(out, cut.unwrap_or(line));
            };
            let (mut due, mut lines) = (b"before".to_vec(), 0);
            for line in text.split_inclusive(|b| *b == b'\n') {
                one(&mut due, &line[..line.len() - 1]);
                lines += 1;
            }
            let other = |out: &mut Vec<u8>, line: &[u8]| {
                // Nothing else stops it.
                assert!(std::str::from_utf8(line).is_err());
                one(out, line);
            };
            let found = whole(&text, |out, at| push_strings(out, &text, at, ends), other);
            prop_assert_eq!(found, (due, lines));
        }

        #[test]
        fn strings_become_the_lines_that_they_become_one_by_one(
            text in hostile(),
            records in prop::collection::vec(
                "(\"([a-c\u{1f}é😀]|\\\\[\"tnrbfx/\\\\]|\\\\u00[0-4a-f][aDE]|\\\\ud83d|\\\\ude00|\\\\u12x4){0,12}\"? ?)|[a-c1 \"{}]{0,4}",
                0..12,
            ),
            cut in 0usize..4,
        ) {
            // Those that lines become, and others, sound or not; the last may lack its end.
            let mut all = Vec::new();
            push_strings(&mut all, &text, 0, LineEnd::Lf);
            all.extend(records.iter().flat_map(|record| [record.as_bytes(), b"\n"].concat()));
            all.truncate(all.len().saturating_sub(cut));
            let one = |out: &mut Vec<u8>, record: &[u8]| {
                if scan::check(record).is_err() || Notation::Text.push(out, record).is_err() {
                    out.extend_from_slice(b"(refused)\n");
                }
            };
            let (mut due, mut lines) = (b"before".to_vec(), 0);
            for record in all.split_inclusive(|b| *b == b'\n').filter(|r| r.ends_with(b"\n")) {
                one(&mut due, &record[..record.len() - 1]);
                lines += 1;
            }
            all.truncate(memchr::memrchr(b'\n', &all).map_or(0, |end| end + 1));
            let found = whole(&all, |out, at| push_texts(out, &all, at), one);
            prop_assert_eq!(found, (due, lines));
        }
    }

    #[test]
    fn what_has_no_end_is_left() {
        let mut out = Vec::new();
        assert_eq!(push_strings(&mut out, b"ab\ncd", 0, LineEnd::Lf), (3, 1));
        assert_eq!(out, b"\"ab\"\n");
        for rest in ["\"cd", "\"cd\"", "\"cd\\", "\"", "\"cd\\t"] {
            out.clear();
            let records = format!("\"ab\"\n{rest}");
            assert_eq!(push_texts(&mut out, records.as_bytes(), 0), (5, 1), "{rest}");
            assert_eq!(out, b"ab\n");
        }
    }

    #[test]
    fn lines_that_grow_much_find_room() {
        let text = [vec![1; 100], vec![b'\n']].concat();
        let mut out = Vec::new();
        assert_eq!(push_strings(&mut out, &text, 0, LineEnd::Lf), (101, 1));
        assert_eq!(out.len(), 603);
    }
}

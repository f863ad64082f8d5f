//! Where to go on behind a bad value: at the next line that begins a value itself, is indented no
//! further than the line the bad one began on, and stands outside all brackets that the bad one
//! opened; or at a record separator. Where such a line stands inside of them, either they lack their
//! end or it is a part of the bad value: only of an object on a line of its own, where none can stand
//! inside, it is clear that it is another record; else nobody can tell, and that ends the reading. So
//! nothing inside a bad value becomes a record, and no good value is passed over.

use super::reader::{Expects, JsonReader, ReadStep};
use crate::error::{Error, Result};
use crate::format::encoding::HINT;
use crate::record::block::{Line, flaw_error_behind};
use crate::record::stream::Input;
use crate::record::{Flaw, scan};

/// How much must be at hand behind a flaw, or the end of its line, to show it.
const SHOWN: usize = 64;

/// What RFC 7464 puts before each value.
pub(super) const SEPARATOR: u8 = 0x1e;

/// Where it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SkipState {
    /// A value begins behind so many bytes (and white space).
    Value(usize),
    /// The array around the bad value ends there.
    End(usize),
    /// It cannot be told yet; what comes before so many bytes is out of the question.
    Unknown(usize),
    /// Nobody can tell whether the line behind so many bytes is a part of the bad value.
    Unclear(usize),
}

/// A walk through a bad value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BadValueWalk {
    /// How far the line is indented on which the value began.
    indent: usize,
    /// The first byte and the last, but for space.
    first: Option<u8>,
    last: u8,
    /// The brackets that are open.
    open: Vec<u8>,
    in_string: bool,
    escaped: bool,
}

impl BadValueWalk {
    /// A walk that begins where the bad value does.
    pub(super) fn new(indent: usize) -> BadValueWalk {
        BadValueWalk { indent, ..BadValueWalk::default() }
    }

    /// Walks over a piece of a line, as well as what is bad allows.
    fn walk(&mut self, piece: &[u8]) {
        for &byte in piece.iter().filter(|byte| !byte.is_ascii_whitespace()) {
            self.first.get_or_insert(byte);
            self.last = byte;
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = self.in_string,
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => self.open.push(byte),
                b'}' | b']' if !self.in_string => drop(self.open.pop()),
                _ => (),
            }
        }
    }

    /// Whether `line` is the next of a file with an object on each line, of which this one lacks
    /// its end: an object too, where none can stand in what is open.
    fn lacks_its_end_before(&self, line: &[u8]) -> bool {
        let in_place = match self.open.last() {
            Some(b'[') => matches!(self.last, b'[' | b','),
            _ => self.last == b':',
        };
        let objects = self.first == Some(b'{') && line.first() == Some(&b'{');
        objects && !in_place && scan::check(line.trim_ascii_end()).is_ok()
    }

    /// Looks for the place to go on in `text`, which begins within a line that is passed over.
    /// Within an array (`items`), a line that closes it or goes on with a comma ends the search too.
    pub(super) fn next(&mut self, text: &[u8], items: bool) -> SkipState {
        let mut from = 0;
        while let Some(at) = memchr::memchr2(b'\n', SEPARATOR, &text[from..]).map(|at| at + from) {
            if text[at] == SEPARATOR && !items {
                return SkipState::Value(at);
            }
            self.walk(&text[from..at]);
            from = at + 1;
            if text[at] == SEPARATOR {
                continue;
            }
            let line = &text[from..];
            let blank = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            let Some(&byte) = line.get(blank) else { return SkipState::Unknown(at) };
            // No string holds a line end.
            (self.in_string, self.escaped) = (false, false);
            let outside = self.open.is_empty();
            match byte {
                _ if blank > self.indent => (),
                b']' if items && (outside || blank < self.indent) => return SkipState::End(from),
                b',' if items && outside => return SkipState::End(from),
                _ if begins_value(byte) && outside => return SkipState::Value(from),
                _ if begins_value(byte) => match memchr::memchr(b'\n', line) {
                    None => return SkipState::Unknown(at),
                    Some(end) if !items && self.lacks_its_end_before(&line[blank..end]) => {
                        return SkipState::Value(from);
                    }
                    Some(_) => return SkipState::Unclear(from),
                },
                _ => (),
            }
        }
        self.walk(&text[from..]);
        SkipState::Unknown(text.len())
    }
}

/// Whether a value may begin with `byte`.
pub(super) fn begins_value(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' | b'N' | b'I')
}

/// What is bad, and where it goes on behind it.
impl JsonReader {
    /// Rejects the value that begins here and has a flaw. Its end is `end` bytes on, or where
    /// [`BadValueWalk::next`] finds it if that is 0.
    pub(super) fn reject(&mut self, flaw: Flaw, end: usize) -> Result<ReadStep> {
        let text = &self.window.bytes[self.window.at..];
        let behind = &text[flaw.at.min(text.len())..];
        if !self.window.whole && behind.len() < SHOWN && memchr::memchr(b'\n', behind).is_none() {
            return Ok(ReadStep::More);
        }
        let error = self.flaw_error(text, flaw);
        let indent = self.place.indent.map_or(self.place.column as usize, |indent| indent);
        let in_array = self.expects.array();
        if end > 0 {
            self.options.bad.reject(error, &text[..end])?;
            self.pass(end);
            self.expects = in_array.map_or(Expects::Value, Expects::Comma);
            return Ok(ReadStep::Done);
        }
        if self.options.bad.is_strict() || in_array.is_some() && self.place.indent.is_some() {
            // Where the next element begins on a line that holds several, nobody can say.
            return Err(error);
        }
        let most = self.options.max_record;
        let (length, expects) = match BadValueWalk::new(indent).next(text, in_array.is_some()) {
            SkipState::Value(at) => (at, in_array.map_or(Expects::Value, Expects::Element)),
            SkipState::End(at) => (at, in_array.map_or(Expects::Value, Expects::Comma)),
            SkipState::Unclear(at) => return Err(error.hint(self.unclear(at))),
            SkipState::Unknown(_) if !self.window.whole && text.len() <= most => {
                return Ok(ReadStep::More);
            }
            SkipState::Unknown(_) => {
                self.skipping = Some(BadValueWalk::new(indent));
                (text.len().min(most), self.expects)
            }
        };
        self.options.bad.reject(error, text[..length].trim_ascii_end())?;
        if self.skipping.is_none() {
            self.pass(length);
        }
        self.expects = expects;
        Ok(ReadStep::Done)
    }

    /// Rejects the value that begins here, which is longer than a record may be.
    pub(super) fn reject_long(&mut self) -> Result<ReadStep> {
        let most = self.options.max_record;
        let text = &self.window.bytes[self.window.at..];
        let place = format!("{}: line {}", self.input.name(), self.place.line);
        let error = Error::input(format!("a record over {most} bytes (--max-record)")).at(place);
        let shares = self.expects.array().is_some() && self.place.indent.is_some();
        if shares {
            return Err(error);
        }
        self.options.bad.reject(error, &text[..most.min(text.len())])?;
        let indent = self.place.indent.map_or(self.place.column as usize, |indent| indent);
        self.skipping = Some(BadValueWalk::new(indent));
        Ok(ReadStep::Done)
    }

    /// Passes over what is left of a bad value.
    ///
    /// # Errors
    /// When nobody can tell where it ends.
    pub(super) fn skip(&mut self, mut search: BadValueWalk) -> Result<ReadStep> {
        let text = &self.window.bytes[self.window.at..];
        let in_array = self.expects.array();
        let (length, expects) = match search.next(text, in_array.is_some()) {
            SkipState::Unclear(at) => {
                let place = format!("{}: line {}", self.input.name(), self.place.line);
                return Err(Error::input(format!(
                    "the bad value here has no end {}",
                    self.unclear(at)
                ))
                .at(place));
            }
            SkipState::Value(at) => (at, in_array.map_or(Expects::Value, Expects::Element)),
            SkipState::End(at) => (at, in_array.map_or(Expects::Value, Expects::Comma)),
            SkipState::Unknown(_) if self.window.whole => (text.len(), self.expects),
            SkipState::Unknown(at) => {
                self.pass(at);
                self.skipping = Some(search);
                return Ok(ReadStep::More);
            }
        };
        self.pass(length);
        (self.skipping, self.expects) = (None, expects);
        Ok(ReadStep::Done)
    }

    /// What is said where nobody can tell whether the line `at` bytes on belongs to a bad value.
    fn unclear(&self, at: usize) -> String {
        let passed = &self.window.bytes[self.window.at..self.window.at + at];
        let line = self.place.line + memchr::memchr_iter(b'\n', passed).count() as u64;
        format!(
            "whether line {line} is a part of it cannot be told; ndjson reads each line by itself"
        )
    }

    /// The error for a flaw of the value that begins `text`.
    fn flaw_error(&self, text: &[u8], flaw: Flaw) -> Error {
        let from = memchr::memrchr(b'\n', &text[..flaw.at]).map_or(0, |end| end + 1);
        let rest = text.get(flaw.at..).unwrap_or_default();
        let to = memchr::memchr(b'\n', rest).map_or(text.len(), |length| flaw.at + length);
        let lines = memchr::memchr_iter(b'\n', &text[..from]).count() as u64;
        let line = Line { text: &text[from..to], number: self.place.line + lines, at: 0 };
        let before = if from == 0 { self.place.column } else { 0 };
        let what = flaw.what;
        let mut error =
            flaw_error_behind(self.input.name(), line, before, Flaw { at: flaw.at - from, what });
        if lines > 0 {
            error = error.hint(format!("in the value that begins on line {}", self.place.line));
        }
        if what == self.input.charset().flaw() { error.hint(HINT) } else { error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(text: &[u8], indent: usize, items: bool) -> SkipState {
        BadValueWalk::new(indent).next(text, items)
    }

    #[test]
    fn it_goes_on_where_a_line_outside_of_it_begins_a_value() {
        let text = b"{\n  \"a\": 1,\n  [\n]}\n{\"b\":2}\n";
        assert_eq!(next(text, 0, false), SkipState::Value(19));
        assert_eq!(&text[19..], b"{\"b\":2}\n");
        assert_eq!(next(b"x\n  {}\n {", 1, false), SkipState::Value(7));
        assert_eq!(next(b"x {\x1e{}\n", 0, false), SkipState::Value(3));
        assert_eq!(next(b"x\n \t", 0, false), SkipState::Unknown(1));
        assert_eq!(next(b"x\n}\n,\nyes\n", 0, false), SkipState::Unknown(9));
    }

    #[test]
    fn a_line_that_may_be_a_part_of_it_is_no_record_and_is_not_passed_over() {
        assert_eq!(next(b"{\"a\":\n{\"b\":2}\n", 0, false), SkipState::Unclear(6));
        assert_eq!(next(b"{\"a\":[1,\n{\"b\":2}\n", 0, false), SkipState::Unclear(9));
        assert_eq!(next(b"{\"a\"\n{\"b\":2\n", 0, false), SkipState::Unclear(5));
        assert_eq!(next(b"{\"a\":[\n\"b\"]\n", 0, false), SkipState::Unclear(7));
        assert_eq!(next(b"{\"{[\\\"[\"x}\n1\n", 0, false), SkipState::Value(11));
        // Lines of objects, the first of which lacks its end.
        assert_eq!(next(b"{\"a}\n{}\n", 0, false), SkipState::Value(5));
        assert_eq!(next(b"{\"a\":1,\n{\"b\":2}\n", 0, false), SkipState::Value(8));
        assert_eq!(next(b"{\"a\":1,\n{\"b\"", 0, false), SkipState::Unknown(7));
    }

    #[test]
    fn an_array_may_end_before_it_goes_on() {
        assert_eq!(next(b"  {\n    ]\n  }\n]\n{}", 2, true), SkipState::End(14));
        assert_eq!(next(b"  {\n  {\n]", 2, true), SkipState::Unclear(4));
        assert_eq!(next(b"{\n    [\n]", 2, true), SkipState::End(8));
        assert_eq!(next(b"x\n,{}]", 0, true), SkipState::End(2));
        assert_eq!(next(b"{\x1e1\n", 0, true), SkipState::Unknown(3));
    }

    #[test]
    fn a_walk_goes_on_with_what_is_read_later() {
        let text = b"{\"a\":[x\n  \"b\\\"[\"\n ]\n}\n[1]\n";
        for cut in 1..text.len() {
            let mut search = BadValueWalk::new(0);
            let found = match search.next(&text[..cut], false) {
                SkipState::Unknown(at) => match search.next(&text[at..], false) {
                    SkipState::Value(more) => SkipState::Value(at + more),
                    other => other,
                },
                other => other,
            };
            assert_eq!(found, SkipState::Value(22), "{cut}");
        }
    }
}

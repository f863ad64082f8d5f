//! Where to go on behind a bad value: at the next line that is indented no further than the one it
//! began on and begins a value itself, or at a record separator. So the lines inside a bad value that is laid
//! out over several are no records; and a good value that begins a line is never passed over, as
//! all lines are tried but the first.

use super::reader::{Expects, Reader, Step};
use crate::error::{Error, Result};
use crate::format::encoding::HINT;
use crate::record::Flaw;
use crate::record::block::{Line, flaw_error_behind};
use crate::record::stream::Input;

/// How much must be at hand behind a flaw, or the end of its line, to show it.
const SHOWN: usize = 64;

/// What RFC 7464 puts before each value.
pub(super) const SEPARATOR: u8 = 0x1e;

/// Where it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A value begins behind so many bytes (and white space).
    Value(usize),
    /// The array around the bad value ends there.
    End(usize),
    /// It cannot be told yet; what comes before so many bytes is out of the question.
    Unknown(usize),
}

/// Looks for the place to go on in `text`, which begins within a line that is passed over; the
/// lines of interest are indented by no more than `indent` bytes. Within an array (`items`), a line that closes
/// it, indented no further, ends the search too.
pub(super) fn next(text: &[u8], indent: usize, items: bool) -> Next {
    let mut from = 0;
    while let Some(at) = memchr::memchr2(b'\n', SEPARATOR, &text[from..]).map(|at| at + from) {
        if text[at] == SEPARATOR && !items {
            return Next::Value(at);
        }
        from = at + 1;
        if text[at] == SEPARATOR {
            continue;
        }
        let line = &text[from..];
        let blank = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match line.get(blank) {
            None => return Next::Unknown(at),
            Some(b']') if items && blank <= indent => return Next::End(from),
            Some(&byte) if blank <= indent && begins_value(byte) => return Next::Value(from),
            Some(_) => (),
        }
    }
    Next::Unknown(text.len())
}

/// Whether a value may begin with `byte`.
pub(super) fn begins_value(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' | b'N' | b'I')
}

/// What is bad, and where it goes on behind it.
impl Reader {
    /// Rejects the value that begins here and has a flaw. Its end is `end` bytes on, or where
    /// [`next`] finds it if that is 0.
    pub(super) fn reject(&mut self, flaw: Flaw, end: usize) -> Result<Step> {
        let text = &self.window.bytes[self.window.at..];
        let behind = &text[flaw.at.min(text.len())..];
        if !self.window.whole && behind.len() < SHOWN && memchr::memchr(b'\n', behind).is_none() {
            return Ok(Step::More);
        }
        let error = self.flaw_error(text, flaw);
        let indent = self.place.indent.map_or(self.place.column as usize, |indent| indent);
        let in_array = self.expects.array();
        if end > 0 {
            self.options.bad.reject(error, &text[..end])?;
            self.pass(end);
            self.expects = in_array.map_or(Expects::Value, Expects::Comma);
            return Ok(Step::Done);
        }
        if self.options.bad.is_strict() || in_array.is_some() && self.place.indent.is_some() {
            // Where the next element begins on a line that holds several, nobody can say.
            return Err(error);
        }
        let most = self.options.max_record;
        let (length, expects) = match next(text, indent, in_array.is_some()) {
            Next::Value(at) => (at, in_array.map_or(Expects::Value, Expects::Element)),
            Next::End(at) => (at, in_array.map_or(Expects::Value, Expects::Comma)),
            Next::Unknown(_) if !self.window.whole && text.len() <= most => return Ok(Step::More),
            Next::Unknown(_) => {
                self.skipping = Some(indent);
                (text.len().min(most), self.expects)
            }
        };
        self.options.bad.reject(error, text[..length].trim_ascii_end())?;
        if self.skipping.is_none() {
            self.pass(length);
        }
        self.expects = expects;
        Ok(Step::Done)
    }

    /// Rejects the value that begins here, which is longer than a record may be.
    pub(super) fn reject_long(&mut self) -> Result<Step> {
        let most = self.options.max_record;
        let text = &self.window.bytes[self.window.at..];
        let place = format!("{}: line {}", self.input.name(), self.place.line);
        let error = Error::input(format!("a record over {most} bytes (--max-record)")).at(place);
        let shares = self.expects.array().is_some() && self.place.indent.is_some();
        if shares {
            return Err(error);
        }
        self.options.bad.reject(error, &text[..most.min(text.len())])?;
        self.skipping = Some(self.place.indent.map_or(self.place.column as usize, |indent| indent));
        Ok(Step::Done)
    }

    /// Passes over what is left of a bad value.
    pub(super) fn skip(&mut self, indent: usize) -> Step {
        let text = &self.window.bytes[self.window.at..];
        let in_array = self.expects.array();
        let (length, expects) = match next(text, indent, in_array.is_some()) {
            Next::Value(at) => (at, in_array.map_or(Expects::Value, Expects::Element)),
            Next::End(at) => (at, in_array.map_or(Expects::Value, Expects::Comma)),
            Next::Unknown(_) if self.window.whole => (text.len(), self.expects),
            Next::Unknown(at) => {
                self.pass(at);
                return Step::More;
            }
        };
        self.pass(length);
        (self.skipping, self.expects) = (None, expects);
        Step::Done
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

    #[test]
    fn it_goes_on_where_a_line_is_indented_no_further_and_begins_a_value() {
        let text = b"{\n  \"a\": 1,\n  [\n}\n{\"b\":2}\n";
        assert_eq!(next(text, 0, false), Next::Value(18));
        assert_eq!(&text[18..], b"{\"b\":2}\n");
        assert_eq!(next(b"x\n  {\n {", 1, false), Next::Value(6));
        assert_eq!(next(b"x {\x1e{}\n", 0, false), Next::Value(3));
        assert_eq!(next(b"x\n \t", 0, false), Next::Unknown(1));
        assert_eq!(next(b"x\n}\n,\nyes\n", 0, false), Next::Unknown(9));
    }

    #[test]
    fn an_array_may_end_before_it_goes_on() {
        assert_eq!(next(b"  {\n    ]\n  }\n]\n{}", 2, true), Next::End(14));
        assert_eq!(next(b"  {\n  {\n]", 2, true), Next::Value(4));
        assert_eq!(next(b"{\n]\n", 0, true), Next::End(2));
        assert_eq!(next(b"{\x1e1\n", 0, true), Next::Unknown(3));
    }
}

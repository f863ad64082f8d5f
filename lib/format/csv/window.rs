//! What was read of a file and not yet used.

use super::general::line_end;
use crate::error::Result;
use crate::format::bytes::Memory;
use crate::format::encoding::{Charset, Coding, Decoded};
use crate::record::stream::Input;

/// How many bytes one read asks for.
const READ_BYTES: usize = 256 * 1024;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// A piece of a file, which moves on through it.
pub(super) struct Window {
    pub(super) input: Decoded<Box<dyn Input>>,
    bytes: Vec<u8>,
    /// Where the next row begins.
    at: usize,
    /// How far the bytes are known to be UTF-8.
    valid: usize,
    /// Whether nothing comes after `bytes`.
    pub(super) whole: bool,
    begun: bool,
    /// The number of the line that the next row begins in.
    pub(super) line: u64,
}

impl Window {
    pub(super) fn new(input: Decoded<Box<dyn Input>>) -> Window {
        Window { input, bytes: Vec::new(), at: 0, valid: 0, whole: false, begun: false, line: 1 }
    }

    /// One on these bytes of the middle of the file `name`, in UTF-8, which begin on this line of it.
    pub(super) fn on(name: &str, bytes: Vec<u8>, line: u64) -> Window {
        let nothing: Box<dyn Input> = Box::new(Memory::new(name, b""));
        let input = Decoded::new(nothing, Coding::default()).in_the_middle(Charset::Utf8);
        let input = input.behind(bytes.len() as u64);
        Window { bytes, whole: true, begun: true, line, ..Window::new(input) }
    }

    /// Its memory.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Takes the next so many bytes out. `buffer` gives its memory to these, or to those behind them: the fewer are
    /// copied.
    pub(super) fn take(&mut self, length: usize, mut buffer: Vec<u8>) -> Vec<u8> {
        let end = self.at + length;
        buffer.clear();
        if length < self.bytes.len() - end {
            buffer.extend_from_slice(&self.bytes[self.at..end]);
            self.at = end;
            return buffer;
        }
        buffer.extend_from_slice(&self.bytes[end..]);
        self.bytes.truncate(end);
        self.bytes.drain(..self.at);
        (self.at, self.valid) = (0, 0);
        std::mem::replace(&mut self.bytes, buffer)
    }

    /// Where in the file the row begins that is so many bytes behind the next one.
    pub(super) fn position(&self, behind: usize) -> u64 {
        self.input.position(&self.bytes[self.at + behind..])
    }

    /// Whether the next row is not to be read any more.
    pub(super) fn is_behind_end(&self) -> bool {
        self.input.before_end(self.bytes.len() - self.at) == 0
    }

    /// What is here, from the next row on.
    #[inline]
    pub(super) fn text(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    /// What is here that is known to be UTF-8, and how much of it is before where rows are to be read no more.
    pub(super) fn valid_text(&mut self) -> (&[u8], u64) {
        if self.valid <= self.at {
            let rest = &self.bytes[self.at..];
            self.valid = self.at
                + match std::str::from_utf8(rest) {
                    Ok(_) => rest.len(),
                    Err(e) => e.valid_up_to(),
                };
        }
        (&self.bytes[self.at..self.valid], self.input.before_end(self.bytes.len() - self.at))
    }

    /// Whether nothing is here.
    pub(super) fn is_used_up(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Goes on by `length` bytes, and so many lines.
    pub(super) fn pass(&mut self, length: usize, lines: u64) {
        self.at += length;
        self.line += lines;
    }

    /// Reads more behind what is there; drops what was used.
    pub(super) fn read(&mut self) -> Result<()> {
        self.bytes.drain(..self.at);
        self.valid = self.valid.saturating_sub(self.at);
        self.at = 0;
        loop {
            let old = self.bytes.len();
            // A row that does not fit is scanned again from its start: so the room grows with it.
            self.bytes.resize(old + READ_BYTES.max(old), 0);
            let got = self.input.read(&mut self.bytes[old..])?;
            self.bytes.truncate(old + got);
            self.whole = got == 0;
            if self.begun || self.whole || self.bytes.len() >= BOM.len() {
                break;
            }
        }
        if !std::mem::replace(&mut self.begun, true) && self.bytes.starts_with(BOM) {
            self.bytes.drain(..BOM.len());
        }
        Ok(())
    }

    /// Passes over the rest of the line at hand, however long it is; whether there was any.
    pub(super) fn skip_line(&mut self) -> Result<bool> {
        let mut any = false;
        loop {
            let text = self.text();
            any |= !text.is_empty();
            match line_end(text, self.whole) {
                Some(end) => {
                    self.pass(end, 1);
                    return Ok(any);
                }
                None => {
                    // A CR waits for the LF that may follow it.
                    self.at = self.bytes.len() - usize::from(text.last() == Some(&b'\r'));
                    self.read()?;
                }
            }
        }
    }

    /// Whether what is here is UTF-8 up to `end`.
    pub(super) fn is_valid(&mut self, end: usize) -> bool {
        let end = self.at + end;
        if end <= self.valid {
            return true;
        }
        let from = self.valid.max(self.at);
        match std::str::from_utf8(&self.bytes[from..]) {
            Ok(_) => self.valid = self.bytes.len(),
            Err(e) => self.valid = from + e.valid_up_to(),
        }
        end <= self.valid || {
            self.valid = end;
            false
        }
    }
}

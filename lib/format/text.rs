//! The format `text`: a JSON string for each line of text; `text,kv` is `key TAB value` pairs, and
//! `text,words` (read only) a record for each word.
//!
//! A last line without its end counts; a first BOM and the CR of CRLF are dropped; empty lines are
//! records. A line that is not text in its encoding is bad, unless `invalid=` says otherwise. What
//! a line cannot hold is refused when writing: a line end inside, a CR at the end, a BOM at the
//! very start, in a key also a TAB.

use super::encoding::{Charset, Coding, Decoded, HINT, Invalid};
use super::pairs;
use super::spec::Spec;
use super::target::Target;
use super::{FILL_BYTES, Position, ReadOptions, Sink, Source};
use crate::error::{Error, Result};
use crate::record::block::{Block, Blocks, Line, flaw_error};
use crate::record::notation::Notation;
use crate::record::stream::Input;
use crate::record::text::{push_string, string_bytes, value_bytes};
use crate::record::text_lines::{LineEnd, push_strings, push_texts};
use crate::record::{Flaw, scan};

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The line, a string.
    Line,
    /// `["key","value"]`; `["line",null]` for a line without a TAB.
    Pair,
    /// Each word of the line: letters, digits and `'` in a row.
    Word,
}

impl Shape {
    /// Reads the options of the format: what a record is, and how text is written down.
    ///
    /// # Errors
    /// When one is unknown, or they do not go together.
    pub fn parse(spec: &Spec) -> Result<(Shape, Coding)> {
        let mut spec = spec.clone();
        let (pairs, words) = (spec.flag("kv")?, spec.flag("words")?);
        let coding = Coding::take(&mut spec)?;
        spec.finish("kv, words, encoding=, invalid=")?;
        match (pairs, words) {
            (false, false) => Ok((Shape::Line, coding)),
            (true, false) => Ok((Shape::Pair, coding)),
            (true, true) => Err(spec.refuse("kv and words do not go together")),
            (false, true) if coding.invalid == Invalid::Base64 => {
                Err(spec.refuse("invalid=base64 and words do not go together"))
            }
            (false, true) => Ok((Shape::Word, coding)),
        }
    }
}

/// Records from lines of text.
pub struct TextReader {
    blocks: Blocks<Decoded<Box<dyn Input>>>,
    shape: Shape,
    invalid: Invalid,
    options: ReadOptions,
    spare: Vec<u8>,
}

impl TextReader {
    /// Reads the lines of `input`, as UTF-8; `invalid` says what becomes of those that are none.
    pub fn new(
        input: Decoded<Box<dyn Input>>,
        shape: Shape,
        invalid: Invalid,
        options: &ReadOptions,
    ) -> TextReader {
        let blocks = Blocks::new(input, options.max_record).eager();
        TextReader { blocks, shape, invalid, options: options.clone(), spare: Vec::new() }
    }

    /// The same, but these bytes do not begin their file.
    pub(super) fn in_the_middle(mut self) -> TextReader {
        self.blocks = self.blocks.in_the_middle();
        self
    }

    fn convert(&self, block: &Block, out: &mut Vec<u8>) -> Result<()> {
        if self.shape != Shape::Line {
            return self.convert_each(block, out);
        }
        let (mut at, mut number) = (0, block.first_line);
        loop {
            let (stop, records) = push_strings(out, &block.bytes, at, LineEnd::CrLf);
            number += records;
            let rest = &block.bytes[stop..];
            let Some(length) = memchr::memchr(b'\n', rest) else { return Ok(()) };
            let text = rest[..length].strip_suffix(b"\r").unwrap_or(&rest[..length]);
            let flaw = std::str::from_utf8(text).map_or_else(|e| e.valid_up_to(), str::len);
            self.convert_invalid(Line { text, number, at: stop }, flaw, out)?;
            (at, number) = (stop + length + 1, number + 1);
        }
    }

    /// Converts lines of which each has parts.
    fn convert_each(&self, block: &Block, out: &mut Vec<u8>) -> Result<()> {
        let valid = std::str::from_utf8(&block.bytes).ok();
        let mut at = 0;
        let ends = memchr::memchr_iter(b'\n', &block.bytes);
        for (number, end) in (block.first_line..).zip(ends) {
            let stop = if end > at && block.bytes[end - 1] == b'\r' { end - 1 } else { end };
            let raw = &block.bytes[at..stop];
            // A block that is valid as a whole is so between any two line ends.
            let text = match valid {
                Some(all) => all.get(at..stop).ok_or(0),
                None => std::str::from_utf8(raw).map_err(|e| e.valid_up_to()),
            };
            match text {
                Ok(text) => push_records(text, self.shape, out),
                Err(flaw) => self.convert_invalid(Line { text: raw, number, at }, flaw, out)?,
            }
            at = end + 1;
        }
        Ok(())
    }

    /// Converts a line that is not UTF-8 from byte `flaw` on.
    fn convert_invalid(&self, line: Line<'_>, flaw: usize, out: &mut Vec<u8>) -> Result<()> {
        let charset = self.blocks.ahead().0.charset();
        match self.invalid {
            Invalid::Replace => {
                push_records(&String::from_utf8_lossy(line.text), self.shape, out);
                Ok(())
            }
            // Of another encoding, which its byte order mark told, the bytes are gone.
            Invalid::Base64 if charset == Charset::Utf8 => {
                push_raw(line.text, self.shape, out);
                Ok(())
            }
            Invalid::Fail | Invalid::Base64 => {
                let flaw = Flaw { at: flaw, what: charset.flaw() };
                let error = flaw_error(self.blocks.name(), line, flaw).hint(HINT);
                self.options.bad.reject(error, line.text)
            }
        }
    }
}

impl Source for TextReader {
    fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        let spare = std::mem::take(&mut self.spare);
        let Some(block) = self.blocks.next(FILL_BYTES, spare, &self.options.bad)? else {
            return Ok(false);
        };
        self.convert(&block, out)?;
        self.spare = block.bytes;
        Ok(true)
    }

    fn position(&self) -> Option<Position> {
        let (input, rest) = self.blocks.ahead();
        Some(Position { head: 0, next: input.position(rest) })
    }
}

/// The record of a line that is not UTF-8.
fn push_raw(line: &[u8], shape: Shape, out: &mut Vec<u8>) {
    match shape {
        Shape::Line | Shape::Word => Notation::Text.push_record(out, line),
        Shape::Pair => Notation::Kv.push_record(out, line),
    }
}

fn push_records(text: &str, shape: Shape, out: &mut Vec<u8>) {
    match shape {
        Shape::Line => {
            push_string(out, text);
            out.push(b'\n');
        }
        Shape::Pair => {
            out.push(b'[');
            match text.split_once('\t') {
                Some((key, value)) => {
                    push_string(out, key);
                    out.push(b',');
                    push_string(out, value);
                }
                None => {
                    push_string(out, text);
                    out.extend_from_slice(b",null");
                }
            }
            out.extend_from_slice(b"]\n");
        }
        Shape::Word => {
            let between = |c: char| !(c.is_alphanumeric() || c == '\'');
            for word in text.split(between).filter(|word| !word.is_empty()) {
                out.push(b'"');
                out.extend_from_slice(word.as_bytes());
                out.extend_from_slice(b"\"\n");
            }
        }
    }
}

/// Records to lines of text.
pub struct TextWriter {
    target: Target,
    shape: Shape,
    records: u64,
    lines: Vec<u8>,
}

impl TextWriter {
    /// Writes lines to `target`.
    ///
    /// # Errors
    /// When words shall be written.
    pub fn new(target: Target, shape: Shape) -> Result<TextWriter> {
        if shape == Shape::Word {
            return Err(Error::usage("format text: words are for reading only"));
        }
        Ok(TextWriter { target, shape, records: 0, lines: Vec::new() })
    }

    fn push_line(&mut self, record: &[u8]) -> std::result::Result<(), &'static str> {
        let start = self.lines.len();
        match self.shape {
            Shape::Line | Shape::Word => push_text(&mut self.lines, record, "the record")?,
            Shape::Pair => {
                let mut elements = scan::elements(record);
                let (Some(key), Some(value), None) =
                    (elements.next(), elements.next(), elements.next())
                else {
                    return Err("it is no [key, value] pair");
                };
                push_text(&mut self.lines, key, "the key")?;
                if memchr::memchr(b'\t', &self.lines[start..]).is_some() {
                    return Err("its key holds a TAB");
                }
                match value {
                    b"null" => (),
                    _ if value[0] == b'"' || is_base64(value) => {
                        self.lines.push(b'\t');
                        push_text(&mut self.lines, value, "the value")?;
                    }
                    _ => {
                        self.lines.push(b'\t');
                        self.lines.extend_from_slice(value);
                    }
                }
            }
        }
        let line = &self.lines[start..];
        if memchr::memchr(b'\n', line).is_some() {
            return Err("a line of text cannot hold a line end");
        }
        if line.last() == Some(&b'\r') {
            return Err("a line of text cannot end with a CR");
        }
        if self.records == 1 && line.starts_with("\u{feff}".as_bytes()) {
            return Err("a text cannot begin with a byte order mark");
        }
        self.lines.push(b'\n');
        Ok(())
    }
}

impl Sink for TextWriter {
    fn write(&mut self, records: &[u8]) -> Result<()> {
        self.lines.clear();
        let mut at = 0;
        loop {
            // The first one may begin with a mark.
            if self.shape == Shape::Line && self.records > 0 {
                let (stop, count) = push_texts(&mut self.lines, records, at);
                (at, self.records) = (stop, self.records + count);
            }
            let Some(length) = memchr::memchr(b'\n', &records[at..]) else { break };
            let record = records[at..at + length].trim_ascii();
            at += length + 1;
            self.records += 1;
            if let Err(why) = self.push_line(record) {
                let (name, number) = (self.target.name(), self.records);
                let hint = match self.shape {
                    Shape::Pair => pairs::hint(record, true),
                    Shape::Line | Shape::Word => String::new(),
                };
                let text = format!("{name}: record {number} is no text: {why}{hint}");
                return Err(Error::input(text));
            }
        }
        self.target.write(&self.lines)
    }

    fn prepare(&mut self) -> Result<()> {
        self.target.prepare()
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.target.finish()
    }
}

/// Whether a value is bytes that travel as `{"$base64":"..."}`.
fn is_base64(value: &[u8]) -> bool {
    value.first() == Some(&b'{') && value_bytes(value).is_ok()
}

/// Appends the text of a string, or the bytes that travel as `{"$base64":"..."}`.
fn push_text(
    out: &mut Vec<u8>,
    value: &[u8],
    what: &'static str,
) -> std::result::Result<(), &'static str> {
    if is_base64(value) {
        out.extend_from_slice(&value_bytes(value)?);
        return Ok(());
    }
    if value.first() != Some(&b'"') {
        return Err(match what {
            "the key" => "its key is not a string",
            _ => "it is not a string (ndjson holds any record, csv holds objects)",
        });
    }
    let text = string_bytes(value);
    if text.contains(&0xed) && std::str::from_utf8(&text).is_err() {
        return Err("it holds a lone surrogate, which has no UTF-8 form");
    }
    out.extend_from_slice(&text);
    Ok(())
}

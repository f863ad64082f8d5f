//! CSV to records.

use super::layout::{Layout, push_field, take, text_of};
use super::row::{Classes, Field, Row, split};
use super::{Dialect, duplicate};
use crate::error::{Error, Result};
use crate::format::encoding::{Decoded, HINT, Invalid};
use crate::format::{FILL_BYTES, Position, ReadOptions, Source};
use crate::record::stream::Input;

/// How many bytes one read asks for.
const READ_BYTES: usize = 256 * 1024;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Records from the rows of a file.
pub struct Reader {
    input: Decoded<Box<dyn Input>>,
    dialect: Dialect,
    classes: Classes,
    options: ReadOptions,
    window: Window,
    /// How records are written; known once the header (or the first row) was read.
    layout: Option<Layout>,
    /// How long the header is, with what stands before it; without a header, the first row, which
    /// says how many fields there are.
    head: u64,
    /// Whether what comes behind the head is not the file's next row.
    in_the_middle: bool,
    /// The number of the next row, the header not counted, and of its first line.
    row: u64,
    line: u64,
}

/// What was read and not yet used.
#[derive(Default)]
struct Window {
    bytes: Vec<u8>,
    /// Where the next row begins.
    at: usize,
    /// How far the bytes are known to be UTF-8.
    valid: usize,
    /// Whether nothing comes after `bytes`.
    whole: bool,
    begun: bool,
}

impl Reader {
    /// Reads the rows of `input`.
    pub fn new(input: Box<dyn Input>, dialect: &Dialect, options: &ReadOptions) -> Reader {
        Reader::of(Decoded::new(input, dialect.coding), dialect, options)
    }

    /// Reads the rows of `input`, as UTF-8.
    pub(in crate::format) fn of(
        input: Decoded<Box<dyn Input>>,
        dialect: &Dialect,
        options: &ReadOptions,
    ) -> Reader {
        Reader {
            input,
            classes: Classes::new(dialect.delimiter),
            dialect: dialect.clone(),
            options: options.clone(),
            window: Window::default(),
            layout: None,
            head: 0,
            in_the_middle: false,
            row: 1,
            line: 1,
        }
    }

    /// The same, but what comes behind the head is not the row behind it in the file.
    pub(in crate::format) fn in_the_middle(mut self) -> Reader {
        self.in_the_middle = true;
        self
    }

    /// Where in the file the next row begins.
    fn next_row(&self) -> u64 {
        self.input.position(&self.window.bytes[self.window.at..])
    }

    /// Reads more behind what is there; drops what was used.
    fn read(&mut self) -> Result<()> {
        let window = &mut self.window;
        window.bytes.drain(..window.at);
        window.valid = window.valid.saturating_sub(window.at);
        window.at = 0;
        loop {
            let old = window.bytes.len();
            // A row that does not fit is scanned again from its start: so the room grows with it.
            window.bytes.resize(old + READ_BYTES.max(old), 0);
            let got = self.input.read(&mut window.bytes[old..])?;
            window.bytes.truncate(old + got);
            window.whole = got == 0;
            if window.begun || window.whole || window.bytes.len() >= BOM.len() {
                break;
            }
        }
        if !std::mem::replace(&mut window.begun, true) && window.bytes.starts_with(BOM) {
            window.bytes.drain(..BOM.len());
        }
        Ok(())
    }

    /// Reads until the row at hand is whole; its fields are shown to nobody. `None` at the end.
    fn first_row(&mut self) -> Result<Option<(Vec<Vec<u8>>, usize)>> {
        loop {
            let window = &self.window;
            let text = &window.bytes[window.at..];
            if text.is_empty() && window.whole {
                return Ok(None);
            }
            let mut names = Vec::new();
            let found = match text.is_empty() {
                true => Row::Cut,
                false => self.split(text, |_, field| names.push(text_of(field).into_owned())),
            };
            match found {
                Row::Whole { end, breaks, blank: true, .. } => {
                    self.window.at += end;
                    self.line += breaks;
                }
                Row::Whole { end, .. } if end <= self.options.max_record => {
                    return Ok(Some((names, end)));
                }
                Row::Cut if text.len() <= self.options.max_record => self.read()?,
                Row::Whole { .. } | Row::Cut => {
                    return Err(self.error("the first row is over --max-record"));
                }
                Row::Unclosed { quote } | Row::Stray { quote } => {
                    let why = self.quote_error(found, quote);
                    return Err(self.error(&why));
                }
            }
        }
    }

    fn split<'a>(&self, text: &'a [u8], field: impl FnMut(usize, Field<'a>)) -> Row {
        let (whole, lax) = (self.window.whole, self.dialect.lax);
        split(text, self.dialect.delimiter, &self.classes, whole, lax, field)
    }

    /// Reads the header, or counts the fields of the first row. `false` when there is none.
    fn begin(&mut self) -> Result<bool> {
        let Some((first, end)) = self.first_row()? else { return Ok(false) };
        let given = &self.dialect.columns;
        if !self.dialect.header {
            if !given.is_empty() && given.len() != first.len() {
                let (fields, names) = (first.len(), given.len());
                return Err(self.error(&format!("{fields} fields, and {names} names by col=")));
            }
            self.layout = Some(match given.is_empty() {
                true => Layout::arrays(first.len()),
                false => Layout::objects(given),
            });
            self.head = self.input.position(&self.window.bytes[self.window.at + end..]);
            if self.in_the_middle {
                self.window.at += end;
            }
            return Ok(true);
        }
        let mut names = Vec::with_capacity(first.len());
        let replace = self.dialect.coding.invalid == Invalid::Replace;
        for name in first {
            if !replace && std::str::from_utf8(&name).is_err() {
                let flaw = self.input.charset().flaw();
                return Err(self.error(&format!("the header is {flaw}")).hint(HINT));
            }
            names.push(String::from_utf8_lossy(&name).into_owned());
        }
        if let Some(name) = duplicate(&names) {
            return Err(self.error(&format!("the header has two columns '{name}'")));
        }
        self.layout = Some(match given.is_empty() || *given == names {
            true => Layout::objects(&names),
            false => Layout::taken(given, &names).map_err(|name| {
                self.error(&format!("col={name}: the header has no such column"))
            })?,
        });
        let header = &self.window.bytes[self.window.at..self.window.at + end];
        self.line += memchr::memchr_iter(b'\n', header).count() as u64;
        self.window.at += end;
        self.head = self.next_row();
        Ok(true)
    }

    /// An error at the header, or before the rows can be told.
    fn error(&self, why: &str) -> Error {
        Error::input(format!("{}: line {}: {why}", self.input.name(), self.line))
    }

    fn quote_error(&self, found: Row, quote: usize) -> String {
        let text = &self.window.bytes[self.window.at..];
        let line = self.line + memchr::memchr_iter(b'\n', &text[..quote]).count() as u64;
        match found {
            Row::Stray { .. } => {
                format!("text follows the closing quote on line {line} (lax takes it)")
            }
            _ => format!("a quote opens on line {line} and is never closed"),
        }
    }

    /// Rejects the row at hand, which ends at `end` (from its start) and has so many lines.
    fn reject(&mut self, why: &str, end: usize, breaks: u64) -> Result<()> {
        let text = &self.window.bytes[self.window.at..self.window.at + end];
        let place = format!("{}: row {} (line {})", self.input.name(), self.row, self.line);
        let mut raw = text;
        while let [rest @ .., b'\n' | b'\r'] = raw {
            raw = rest;
        }
        let raw = &raw[..raw.len().min(self.options.max_record)];
        self.options.bad.reject(Error::input(why).at(place), raw)?;
        self.pass(end, breaks);
        Ok(())
    }

    /// Goes on behind the row at hand.
    fn pass(&mut self, end: usize, breaks: u64) {
        self.window.at += end;
        self.row += 1;
        self.line += breaks;
    }

    /// Rejects the first line of a row whose quotes are not in order, and goes on at the next
    /// line: so a stray quote costs a line, not the rest of the file.
    fn reject_line(&mut self, why: &str) -> Result<()> {
        let text = &self.window.bytes[self.window.at..];
        match memchr::memchr(b'\n', text) {
            Some(end) => self.reject(why, end + 1, 1),
            None => {
                self.reject(why, text.len(), 1)?;
                self.skip_line()
            }
        }
    }

    /// Passes over the rest of the line at hand, which was used as far as it is here.
    fn skip_line(&mut self) -> Result<()> {
        let mut end = None;
        while end.is_none() && !self.window.whole {
            self.read()?;
            let text = &self.window.bytes[self.window.at..];
            end = memchr::memchr(b'\n', text).map(|end| end + 1);
            self.window.at += end.unwrap_or(text.len());
        }
        Ok(())
    }

    /// Whether the row at hand is UTF-8.
    fn is_valid(&mut self, end: usize) -> bool {
        let window = &mut self.window;
        let end = window.at + end;
        if end <= window.valid {
            return true;
        }
        let from = window.valid.max(window.at);
        match std::str::from_utf8(&window.bytes[from..]) {
            Ok(_) => window.valid = window.bytes.len(),
            Err(e) => window.valid = from + e.valid_up_to(),
        }
        end <= window.valid || {
            window.valid = end;
            false
        }
    }

    /// Rejects a row that is longer than a record may be, as far as it is here; whether it is.
    fn refuse_long_row(&mut self, length: usize) -> Result<bool> {
        let most = self.options.max_record;
        if length > most {
            let why = format!("over {most} bytes (--max-record); is a quote not closed?");
            self.reject_line(&why)?;
        }
        Ok(length > most)
    }

    /// Appends the record of the row at hand to `out`. `false` when the row is not whole yet.
    fn next(&mut self, layout: &Layout, out: &mut Vec<u8>) -> Result<bool> {
        let text = &self.window.bytes[self.window.at..];
        let start = out.len();
        let mut cells = Vec::new();
        let (typed, null) = (self.dialect.typed, self.dialect.null.as_deref());
        let simple = !typed && null.is_none();
        let found = self.split(text, |number, field| {
            let Some(before) = layout.before.get(number) else { return };
            if layout.taken.is_some() {
                cells.push(out.len());
            }
            out.extend_from_slice(before);
            if simple && field.plain {
                out.extend_from_slice(field.raw);
                out.push(b'"');
            } else {
                push_field(out, field, typed, null);
            }
        });
        let (end, fields, breaks) = match found {
            Row::Whole { end, fields, breaks, blank: false } if end <= self.options.max_record => {
                (end, fields, breaks)
            }
            Row::Whole { end, breaks, blank: true, .. } => {
                out.truncate(start);
                self.window.at += end;
                self.line += breaks;
                return Ok(true);
            }
            // One that is too long is refused alike, whether it happens to be here whole or not.
            Row::Cut | Row::Whole { .. } => {
                out.truncate(start);
                return self.refuse_long_row(text.len());
            }
            Row::Unclosed { quote } | Row::Stray { quote } => {
                out.truncate(start);
                let why = self.quote_error(found, quote);
                self.reject_line(&why)?;
                return Ok(true);
            }
        };
        let columns = layout.before.len();
        if fields != columns && (fields > columns || !self.dialect.pad) {
            out.truncate(start);
            let hint = if fields < columns { " (ragged=pad fills it up)" } else { "" };
            let why = format!("it has {fields} fields, and {columns} are expected{hint}");
            self.reject(&why, end, breaks)?;
            return Ok(true);
        }
        for before in &layout.before[fields..] {
            cells.push(out.len());
            out.extend_from_slice(before);
            push_field(out, Field { raw: b"", doubled: false, plain: true }, typed, null);
        }
        match &layout.taken {
            None => out.extend_from_slice(layout.behind),
            Some(taken) => take(out, start, &cells, taken),
        }
        self.pass_valid((end, breaks), start, out)?;
        Ok(true)
    }

    /// Goes on behind the row at hand, whose record begins at `start` of `out`; takes it back where
    /// it is no text, or too long.
    fn pass_valid(
        &mut self,
        (end, breaks): (usize, u64),
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if !self.is_valid(end) {
            let text = String::from_utf8_lossy(&out[start..]).into_owned();
            out.truncate(start);
            if self.dialect.coding.invalid != Invalid::Replace {
                let why = format!("it is {} {HINT}", self.input.charset().flaw());
                return self.reject(&why, end, breaks);
            }
            out.extend_from_slice(text.as_bytes());
        }
        if out.len() - start > self.options.max_record {
            out.truncate(start);
            let why = format!("a record over {} bytes (--max-record)", self.options.max_record);
            return self.reject(&why, end, breaks);
        }
        self.pass(end, breaks);
        Ok(())
    }
}

impl Source for Reader {
    fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        if self.layout.is_none() && !self.begin()? {
            return Ok(false);
        }
        let (start, full) = (out.len(), out.len() + FILL_BYTES);
        let Some(layout) = self.layout.take() else { return Ok(false) };
        let mut more = true;
        while out.len() < full && more {
            let used_up = self.window.at == self.window.bytes.len();
            let unread = self.window.bytes.len() - self.window.at;
            if used_up && self.window.whole || self.input.is_behind_end(unread) {
                more = false;
            } else if used_up || !self.next(&layout, out)? {
                // What there is goes out before more is waited for.
                if out.len() > start {
                    break;
                }
                self.read()?;
            }
        }
        self.layout = Some(layout);
        Ok(more)
    }

    fn position(&self) -> Option<Position> {
        Some(Position { head: self.head, next: self.next_row() })
    }
}

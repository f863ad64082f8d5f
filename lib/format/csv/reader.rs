//! CSV to records.

use super::general::{Scanner, line_end};
use super::layout::{RecordLayout, Values, take};
use super::plain::{Converted, PlainRows};
use super::row::{Coded, Field, Row};
use super::rows::RowTaking;
use super::window::Window;
use super::{Dialect, hint};
use crate::error::{Error, Result};
use crate::format::encoding::{Decoded, HINT, Invalid};
use crate::format::{FILL_BYTES, Position, ReadOptions, Source, Unmade};
use crate::record::rows::RowBlock;
use crate::record::stream::Input;

/// Records from the rows of a file.
pub struct CsvReader {
    pub(super) window: Window,
    pub(super) dialect: Dialect,
    pub(super) scanner: Scanner,
    pub(super) options: ReadOptions,
    /// How records are written; known once the header (or the first row) was read.
    pub(super) layout: Option<RecordLayout>,
    plain: Option<PlainRows>,
    pub(super) taken: RowTaking,
    /// How long the header is, with what stands before it; without a header, the first row, which
    /// says how many fields there are.
    pub(super) head: u64,
    /// Whether what comes behind the head is not the file's next row.
    pub(super) in_the_middle: bool,
    /// The number of the next row, the header not counted.
    pub(super) row: u64,
}

impl CsvReader {
    /// Reads the rows of `input`.
    pub fn new(input: Box<dyn Input>, dialect: &Dialect, options: &ReadOptions) -> CsvReader {
        CsvReader::of(Decoded::new(input, dialect.coding), dialect, options)
    }

    /// Reads the rows of `input`, as UTF-8.
    pub(in crate::format) fn of(
        input: Decoded<Box<dyn Input>>,
        dialect: &Dialect,
        options: &ReadOptions,
    ) -> CsvReader {
        CsvReader::on(Window::new(input), dialect, options)
    }

    /// Reads the rows in `window`.
    pub(super) fn on(window: Window, dialect: &Dialect, options: &ReadOptions) -> CsvReader {
        CsvReader {
            window,
            scanner: Scanner::new(dialect),
            dialect: dialect.clone(),
            options: options.clone(),
            layout: None,
            plain: None,
            taken: RowTaking::default(),
            head: 0,
            in_the_middle: false,
            row: 1,
        }
    }

    /// The same, but what comes behind the head is not the row behind it in the file.
    pub(in crate::format) fn in_the_middle(mut self) -> CsvReader {
        self.in_the_middle = true;
        self
    }

    /// Rejects the row at hand, which ends at `end` (from its start) and has so many lines.
    fn reject(&mut self, why: &str, end: usize, breaks: u64) -> Result<()> {
        let Window { input, line, .. } = &self.window;
        let place = format!("{}: row {} (line {line})", input.name(), self.row);
        let mut raw = &self.window.text()[..end];
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
        self.window.pass(end, breaks);
        self.row += 1;
    }

    /// Rejects the first line of a row whose quotes are not in order, and goes on at the next
    /// line: so a stray quote costs a line, not the rest of the file.
    fn reject_line(&mut self, why: &str) -> Result<()> {
        let text = self.window.text();
        match line_end(text, self.window.whole) {
            Some(end) => self.reject(why, end, 1),
            None => {
                // A CR at the end of what is here may be the line's end, which is still to be found.
                let length = text.len() - usize::from(text.ends_with(b"\r"));
                self.reject(why, length, 0)?;
                self.window.skip_line().map(drop)
            }
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

    /// Appends the records of the rows at hand that need no closer look; whether there are any.
    fn next_plain(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(plain) = &mut self.plain else { return false };
        let (text, until) = self.window.valid_text();
        let Converted { end, rows, records } = plain.convert(text, until);
        out.extend_from_slice(records);
        self.window.pass(end, rows);
        self.row += rows;
        rows > 0
    }

    /// Appends the record of the row at hand to `out`. `false` when the row is not whole yet.
    fn next(&mut self, layout: &RecordLayout, out: &mut Vec<u8>) -> Result<bool> {
        let (text, whole) = (self.window.text(), self.window.whole);
        let start = out.len();
        let mut cells = Vec::new();
        let values = Values::of(&self.dialect);
        let simple = values.are_text();
        let found = self.scanner.split(text, whole, |number, field| {
            let Some(before) = layout.before.get(number) else { return };
            if layout.taken.is_some() {
                cells.push(out.len());
            }
            out.extend_from_slice(before);
            if simple && field.plain {
                out.extend_from_slice(field.raw);
                out.push(b'"');
            } else {
                values.push(out, field);
            }
        });
        let found = match found {
            // All that is left, in which a row is not whole either.
            Row::Unclosed { .. } if text.len() > self.options.max_record => Row::Cut,
            found => found,
        };
        let (end, fields, breaks) = match found {
            Row::Whole { end, fields, breaks, blank: false } if end <= self.options.max_record => {
                (end, fields, breaks)
            }
            Row::Whole { end, breaks, blank: true, .. } => {
                out.truncate(start);
                self.window.pass(end, breaks);
                return Ok(true);
            }
            // One that is too long is refused alike, whether it happens to be here whole or not.
            Row::Cut | Row::Whole { .. } => {
                out.truncate(start);
                return self.refuse_long_row(text.len());
            }
            Row::Unclosed { .. } | Row::Stray { .. } | Row::Dangling => {
                out.truncate(start);
                let why = hint::broken(self, found, Some(layout.before.len()));
                self.reject_line(&why)?;
                return Ok(true);
            }
        };
        let columns = layout.before.len();
        if fields < columns && !self.dialect.pad || fields > columns && !self.dialect.cut {
            out.truncate(start);
            let why = hint::ragged(self, layout, end, fields);
            self.reject(&why, end, breaks)?;
            return Ok(true);
        }
        for before in layout.before.get(fields..).unwrap_or_default() {
            cells.push(out.len());
            out.extend_from_slice(before);
            values.push(out, Field { raw: b"", coded: Coded::No, plain: true });
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
        if !self.window.is_valid(end) {
            let text = String::from_utf8_lossy(&out[start..]).into_owned();
            out.truncate(start);
            if self.dialect.coding.invalid != Invalid::Replace {
                let why = format!("it is {} {HINT}", self.window.input.charset().flaw());
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

impl Source for CsvReader {
    fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        if self.layout.is_none() && !self.begin()? {
            return Ok(false);
        }
        let (start, full) = (out.len(), out.len() + FILL_BYTES);
        let Some(layout) = self.layout.take() else { return Ok(false) };
        if self.plain.is_none() {
            self.plain = PlainRows::new(&self.dialect, &layout, self.options.max_record);
        }
        let mut more = true;
        while out.len() < full && more {
            let used_up = self.window.is_used_up();
            if used_up && self.window.whole || self.window.is_behind_end() {
                more = false;
            } else if self.next_plain(out) {
                continue;
            } else if used_up || !self.next(&layout, out)? {
                // What there is goes out before more is waited for.
                if out.len() > start {
                    break;
                }
                self.window.read()?;
            }
        }
        self.layout = Some(layout);
        Ok(more)
    }

    fn rows(&mut self, size: usize, buffer: &mut Vec<u8>) -> Result<Option<RowBlock>> {
        self.take_rows(size, buffer)
    }

    fn unmade(&mut self, buffer: &mut Vec<u8>) -> Result<Option<Box<dyn Unmade>>> {
        self.take_unmade(buffer)
    }

    fn position(&self) -> Option<Position> {
        Some(Position { head: self.head, next: self.window.position(0) })
    }
}

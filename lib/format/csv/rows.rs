//! The rows of a file as they are, for whoever reads them faster than the records that they stand for. Of most files
//! all rows are such: a line each, without quotes.

use std::sync::Arc;

use super::Dialect;
use super::general::Scanner;
use super::layout::RecordLayout;
use super::plain::plain_delimiter;
use super::reader::CsvReader;
use super::window::Window;
use crate::error::Result;
use crate::format::bytes::Memory;
use crate::format::encoding::{Charset, Decoded};
use crate::format::{ReadOptions, Source};
use crate::record::rows::{RowBlock, RowForm, RowRecords};
use crate::record::stream::Input;

/// What is the same for all rows of a file.
pub(super) struct RowFile {
    name: String,
    dialect: Dialect,
    options: ReadOptions,
    layout: RecordLayout,
    form: RowForm,
}

/// Rows of a file, and where they stand in it.
struct FileRows {
    file: Arc<RowFile>,
    row: u64,
    line: u64,
}

impl RowRecords for FileRows {
    fn form(&self) -> &RowForm {
        &self.file.form
    }

    fn push_records(&self, rows: &[u8], before: u64, out: &mut Vec<u8>) -> Result<()> {
        let RowFile { name, dialect, options, layout, .. } = &*self.file;
        let input: Box<dyn Input> = Box::new(Memory::new(name, rows));
        let input = Decoded::new(input, dialect.coding).in_the_middle(Charset::Utf8);
        let place = (self.row + before, self.line + before);
        let mut reader = CsvReader::of(input, dialect, options).behind(layout.clone(), place);
        while reader.fill(out)? {}
        Ok(())
    }
}

/// Whether the rows of a file are given as they are.
#[derive(Default)]
pub(super) enum GivenRows {
    /// Nothing is known yet.
    #[default]
    Unknown,
    /// They are.
    Given(Arc<RowFile>),
    /// They are not, or no more.
    Never,
}

impl CsvReader {
    /// See [`Source::rows`].
    pub(super) fn take_rows(
        &mut self,
        size: usize,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<RowBlock>> {
        if self.layout.is_none() && !self.begin()? {
            return Ok(None);
        }
        if matches!(self.given, GivenRows::Unknown) {
            self.given = self.given_rows();
        }
        let GivenRows::Given(file) = &self.given else { return Ok(None) };
        while self.window.text().len() < size && !self.window.whole {
            self.window.read()?;
        }
        let text = self.window.text();
        let text = &text[..text.len().min(size)];
        let Some(end) = memchr::memrchr(b'\n', text).map(|at| at + 1) else { return Ok(None) };
        let rows = &text[..end];
        let are_lines = memchr::memchr2(b'"', b'\r', rows).is_none()
            && rows[0] != b'\n'
            && memchr::memmem::find(rows, b"\n\n").is_none();
        if !are_lines {
            self.given = GivenRows::Never;
            return Ok(None);
        }
        let count = memchr::memchr_iter(b'\n', rows).count() as u64;
        let (file, row, line) = (Arc::clone(file), self.row, self.window.line);
        let records = Box::new(FileRows { file, row, line });
        let bytes = self.window.take(end, std::mem::take(buffer));
        self.window.line += count;
        self.row += count;
        Ok(Some(RowBlock { bytes, count, first_line: 0, records }))
    }

    /// Whether rows of this file can be given as they are: one that is bad must end the tool, or else it would have to
    /// be known which are, to number the records.
    fn given_rows(&self) -> GivenRows {
        let Some(layout) = &self.layout else { return GivenRows::Unknown };
        let dialect = &self.dialect;
        let whole = !self.in_the_middle && self.window.input.is_whole_as_it_is();
        match plain_delimiter(dialect, layout) {
            Some(delimiter) if whole && self.options.bad.is_strict() => {
                let max_record = self.options.max_record;
                let form = RowForm::new(delimiter, &layout.before, layout.behind, max_record);
                GivenRows::Given(Arc::new(RowFile {
                    name: self.window.input.name().to_string(),
                    dialect: dialect.clone(),
                    options: self.options.clone(),
                    layout: layout.clone(),
                    form,
                }))
            }
            _ => GivenRows::Never,
        }
    }

    /// The same reader behind a header: its first row is that of this number, on this line.
    fn behind(mut self, layout: RecordLayout, (row, line): (u64, u64)) -> CsvReader {
        self.window = Window::behind(self.window.input, line);
        self.scanner = Scanner::new(&self.dialect);
        (self.layout, self.row, self.in_the_middle) = (Some(layout), row, true);
        self
    }
}

//! Whole rows of a file, taken out of it before they are converted: for whoever does that on several threads, or reads
//! them faster than the records that they stand for.

use std::sync::Arc;

use super::Dialect;
use super::layout::RecordLayout;
use super::plain::{plain_delimiter, usual_delimiter};
use super::reader::CsvReader;
use super::whole_rows::{WholeRows, whole_rows};
use super::window::Window;
use crate::error::Result;
use crate::format::{FILL_BYTES, ReadOptions, Source, Unmade};
use crate::record::fields::Checker;
use crate::record::rows::{RowBlock, RowForm, RowRecords};
use crate::record::stream::Input;

/// What is the same for all rows of a file.
struct RowFile {
    name: String,
    dialect: Dialect,
    options: ReadOptions,
    layout: RecordLayout,
    delimiter: u8,
}

/// Rows of a file, and where they stand in it.
struct FileRows {
    file: Arc<RowFile>,
    row: u64,
    line: u64,
}

impl FileRows {
    /// Appends the records of `rows`, whatever is in them, of which as many as `before` come before them, each a line.
    /// Their memory comes back.
    fn push_records(&self, rows: Vec<u8>, before: u64, out: &mut Vec<u8>) -> (Vec<u8>, Result<()>) {
        let window = Window::on(&self.file.name, rows, self.line + before);
        let mut reader = CsvReader::in_rows(window, &self.file, self.row + before);
        let mut more = Ok(true);
        while let Ok(true) = more {
            more = reader.fill(out);
        }
        (reader.window.into_bytes(), more.map(drop))
    }
}

/// Rows that are lines, and how the records look of most of them.
struct FormedRows {
    form: Arc<RowForm>,
    rows: FileRows,
}

impl RowRecords for FormedRows {
    fn form(&self) -> &RowForm {
        &self.form
    }

    fn push_records(&self, rows: &[u8], before: u64, out: &mut Vec<u8>) -> Result<()> {
        self.rows.push_records(rows.to_vec(), before, out).1
    }
}

/// Rows to be converted.
struct UnmadeRows {
    rows: FileRows,
    bytes: Vec<u8>,
    count: u64,
}

impl Unmade for UnmadeRows {
    fn push_records(
        self: Box<Self>,
        _: &mut Checker,
        out: &mut Vec<u8>,
        spare: &mut Vec<u8>,
    ) -> Result<()> {
        let (bytes, made) = self.rows.push_records(self.bytes, 0, out);
        *spare = bytes;
        made
    }

    fn length(&self) -> usize {
        let longer: usize = self.rows.file.layout.before.iter().map(Vec::len).sum();
        self.bytes.len() + self.count as usize * longer
    }
}

/// Whether rows of a file can be taken before they are converted.
#[derive(Default)]
pub(super) enum RowTaking {
    /// Nothing is known yet.
    #[default]
    Unknown,
    /// They can.
    Given(RowsToTake),
    /// They cannot.
    Never,
}

#[derive(Clone)]
pub(super) struct RowsToTake {
    file: Arc<RowFile>,
    /// How the records look of rows that are lines, as long as all are.
    form: Option<Arc<RowForm>>,
}

impl CsvReader {
    /// See [`Source::rows`].
    pub(super) fn take_rows(
        &mut self,
        size: usize,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<RowBlock>> {
        let Some(RowsToTake { file, form: Some(form) }) = self.taking()? else { return Ok(None) };
        let Some(whole) = self.whole_rows(&file, size)?.filter(|whole| whole.are_lines) else {
            if let RowTaking::Given(taking) = &mut self.taken {
                taking.form = None;
            }
            return Ok(None);
        };
        let (rows, bytes) = self.take(file, whole, buffer);
        let records = Box::new(FormedRows { form, rows });
        Ok(Some(RowBlock { bytes, count: whole.rows, first_line: 0, records }))
    }

    /// See [`Source::unmade`].
    pub(super) fn take_unmade(&mut self, buffer: &mut Vec<u8>) -> Result<Option<Box<dyn Unmade>>> {
        let Some(RowsToTake { file, .. }) = self.taking()? else { return Ok(None) };
        let Some(whole) = self.whole_rows(&file, FILL_BYTES)? else { return Ok(None) };
        let (rows, bytes) = self.take(file, whole, buffer);
        Ok(Some(Box::new(UnmadeRows { rows, bytes, count: whole.rows })))
    }

    /// The rows at hand, of about `size` bytes, if there are such that can be told without a closer look.
    fn whole_rows(&mut self, file: &RowFile, size: usize) -> Result<Option<WholeRows>> {
        while self.window.text().len() < size && !self.window.whole {
            // What there is goes on before more is waited for.
            let has_some = memchr::memchr(b'\n', self.window.text()).is_some();
            if has_some && !self.window.input.is_ready() {
                break;
            }
            self.window.read()?;
        }
        let text = self.window.text();
        Ok(whole_rows(&text[..text.len().min(size)], file.delimiter))
    }

    /// Takes these rows out.
    fn take(
        &mut self,
        file: Arc<RowFile>,
        whole: WholeRows,
        buffer: &mut Vec<u8>,
    ) -> (FileRows, Vec<u8>) {
        let rows = FileRows { file, row: self.row, line: self.window.line };
        let bytes = self.window.take(whole.end, std::mem::take(buffer));
        self.window.line += whole.lines;
        self.row += whole.rows;
        (rows, bytes)
    }

    /// How rows can be taken, if they can: one that is bad must end the tool, or else it would have to be known which
    /// are, to number the records.
    fn taking(&mut self) -> Result<Option<RowsToTake>> {
        if self.layout.is_none() && !self.begin()? {
            return Ok(None);
        }
        if matches!(self.taken, RowTaking::Unknown) {
            self.taken = self.find_taking().map_or(RowTaking::Never, RowTaking::Given);
        }
        match &self.taken {
            RowTaking::Given(taking) => Ok(Some(taking.clone())),
            _ => Ok(None),
        }
    }

    fn find_taking(&self) -> Option<RowsToTake> {
        let (layout, dialect, max_record) =
            (self.layout.as_ref()?, &self.dialect, self.options.max_record);
        let whole = !self.in_the_middle && self.window.input.is_whole_as_it_is();
        if !whole || !self.options.bad.is_strict() {
            return None;
        }
        let form = plain_delimiter(dialect, layout).map(|delimiter| {
            Arc::new(RowForm::new(delimiter, &layout.before, layout.behind, max_record))
        });
        let file = Arc::new(RowFile {
            name: self.window.input.name().to_string(),
            dialect: dialect.clone(),
            options: self.options.clone(),
            layout: layout.clone(),
            delimiter: usual_delimiter(dialect)?,
        });
        Some(RowsToTake { file, form })
    }

    /// Reads rows of a file from its middle, the first of which has this number.
    fn in_rows(window: Window, file: &RowFile, row: u64) -> CsvReader {
        let mut reader = CsvReader::on(window, &file.dialect, &file.options).in_the_middle();
        (reader.layout, reader.row) = (Some(file.layout.clone()), row);
        reader
    }
}

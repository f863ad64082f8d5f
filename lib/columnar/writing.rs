//! Records as the rows of a file.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use parquet::column::writer::ColumnWriter;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{SchemaDescriptor, TypePtr};

use super::cells::ColumnCells;
use super::failed;
use super::leaf::ColumnValues;
use super::options::{SchemaFrom, WriteWishes};
use super::shape::{self, Node};
use super::{infer, shred};
use crate::error::{Error, Result};
use crate::record::scan;

/// How many bytes of records a group of rows holds, about: what is in memory at once, several times as
/// large there.
const GROUP_BYTES: usize = 32 << 20;

/// Makes the file `path` of the records in `input`, lines of JSON; `words` are the options. Where the
/// columns are not told, the records are kept in a temporary file in `directory` until all are known.
///
/// # Errors
/// `Usage` for what is no option and a file that cannot be made, `BadInput` naming the record for what
/// no column holds, `Storage` for a full disk.
pub fn write(
    path: &Path,
    words: &[String],
    input: &mut dyn BufRead,
    directory: &Path,
) -> Result<()> {
    let wishes = WriteWishes::parse(words)?;
    match &wishes.schema {
        Some(from) => {
            let schema = told(from)?;
            make(path, schema, &wishes, input)
        }
        None => {
            let (schema, kept) = inferred(input, directory)?;
            make(path, schema, &wishes, &mut BufReader::new(kept))
        }
    }
}

/// The columns that a file tells.
fn told(from: &SchemaFrom) -> Result<TypePtr> {
    match from {
        SchemaFrom::Text(path) => {
            let text = std::fs::read_to_string(path).map_err(|e| Error::path("read", path, &e))?;
            let schema = parse_message_type(&text);
            schema.map(Arc::new).map_err(|e| Error::usage(format!("{}: {e}", path.display())))
        }
        SchemaFrom::Like(path) => {
            let file = File::open(path).map_err(|e| Error::path("read", path, &e))?;
            let reader = SerializedFileReader::new(file).map_err(|e| failed("read", path, &e))?;
            Ok(reader.metadata().file_metadata().schema_descr().root_schema_ptr())
        }
    }
}

/// The columns that the records need, and the records.
fn inferred(input: &mut dyn BufRead, directory: &Path) -> Result<(TypePtr, File)> {
    let failed = |e: std::io::Error| Error::path("write a temporary file in", directory, &e);
    let mut kept = BufWriter::new(tempfile::tempfile_in(directory).map_err(failed)?);
    let mut seen = Vec::new();
    each(input, &mut |number, record| {
        infer::note(&mut seen, record).map_err(|why| refused(number, &why))?;
        kept.write_all(record).map_err(failed)?;
        kept.write_all(b"\n").map_err(failed)
    })?;
    let schema = infer::schema(&seen).map_err(|why| Error::input(format!("the records: {why}")))?;
    let mut kept = kept.into_inner().map_err(|e| failed(e.into_error()))?;
    kept.rewind().map_err(failed)?;
    Ok((schema, kept))
}

fn refused(number: u64, why: &str) -> Error {
    Error::input(format!("record {number} does not fit in the columns: {why}"))
}

/// Calls `take` with each record and its number, from 1.
fn each(input: &mut dyn BufRead, take: &mut dyn FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        line.clear();
        let read = input.read_until(b'\n', &mut line);
        if read.map_err(|e| Error::io("read", "the records", &e))? == 0 {
            return Ok(());
        }
        let record = line.trim_ascii();
        if record.is_empty() {
            continue;
        }
        number += 1;
        if let Err(flaw) = scan::check(record) {
            return Err(Error::input(format!("record {number}: {}", flaw.what)));
        }
        take(number, record)?;
    }
}

/// Makes the file.
fn make(path: &Path, schema: TypePtr, wishes: &WriteWishes, input: &mut dyn BufRead) -> Result<()> {
    let broken = |e| failed("write", path, &e);
    let file = File::create_new(path).map_err(|e| Error::path("write", path, &e))?;
    let properties = WriterProperties::builder()
        .set_compression(wishes.compression)
        .set_created_by(concat!("mycloud ", env!("CARGO_PKG_VERSION")).into())
        .build();
    let columns = SchemaDescriptor::new(Arc::clone(&schema));
    let mut writer =
        SerializedFileWriter::new(BufWriter::new(file), Arc::clone(&schema), Arc::new(properties))
            .map_err(broken)?;
    let cells = columns.columns().iter().map(|column| ColumnCells::of(column)).collect();
    let nodes = shape::of(&schema).map_err(|why| Error::input(format!("the records: {why}")))?;
    let mut group = Group { nodes, cells, bytes: 0 };
    each(input, &mut |number, record| {
        group.take(record).map_err(|why| refused(number, &why))?;
        match group.bytes >= GROUP_BYTES {
            true => group.end(&mut writer).map_err(broken),
            false => Ok(()),
        }
    })?;
    group.end(&mut writer).map_err(broken)?;
    let file = writer.into_inner().map_err(broken)?;
    let file = file.into_inner().map_err(|e| Error::path("write", path, e.error()))?;
    file.sync_all().map_err(|e| Error::path("write", path, &e))
}

/// Rows that are not in the file yet.
struct Group {
    nodes: Vec<Node>,
    cells: Vec<ColumnCells>,
    /// How many bytes of records they were.
    bytes: usize,
}

impl Group {
    fn take(&mut self, record: &[u8]) -> std::result::Result<(), String> {
        self.bytes += record.len();
        shred::record(&self.nodes, record, &mut self.cells)
    }

    /// Writes them; nothing where there are none.
    fn end(
        &mut self,
        writer: &mut SerializedFileWriter<BufWriter<File>>,
    ) -> parquet::errors::Result<()> {
        if self.bytes == 0 {
            return Ok(());
        }
        let mut group = writer.next_row_group()?;
        for cells in &mut self.cells {
            if let Some(column) = group.next_column()? {
                put(column, cells)?;
            }
            cells.clear();
        }
        group.close()?;
        self.bytes = 0;
        Ok(())
    }
}

/// Writes the cells of a column.
fn put(mut column: SerializedColumnWriter<'_>, cells: &ColumnCells) -> parquet::errors::Result<()> {
    let (there, again) = cells.levels();
    match (column.untyped(), &cells.values) {
        (ColumnWriter::BoolColumnWriter(to), ColumnValues::Bool(values)) => {
            to.write_batch(values, there, again)?
        }
        (ColumnWriter::Int32ColumnWriter(to), ColumnValues::Int32(values)) => {
            to.write_batch(values, there, again)?
        }
        (ColumnWriter::Int64ColumnWriter(to), ColumnValues::Int64(values)) => {
            to.write_batch(values, there, again)?
        }
        (ColumnWriter::FloatColumnWriter(to), ColumnValues::Float(values)) => {
            to.write_batch(values, there, again)?
        }
        (ColumnWriter::DoubleColumnWriter(to), ColumnValues::Double(values)) => {
            to.write_batch(values, there, again)?
        }
        (ColumnWriter::ByteArrayColumnWriter(to), ColumnValues::Bytes(values)) => {
            to.write_batch(values, there, again)?
        }
        (ColumnWriter::FixedLenByteArrayColumnWriter(to), ColumnValues::Fixed(values)) => {
            to.write_batch(values, there, again)?
        }
        (ColumnWriter::Int96ColumnWriter(to), ColumnValues::Int96(values)) => {
            to.write_batch(values, there, again)?
        }
        _ => return Err(ParquetError::General("a column of another type than it was".into())),
    };
    column.close()
}

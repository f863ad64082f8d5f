//! The rows of a file as records, put together of their columns some at a time: one thread reads the columns,
//! others put rows together.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use parquet::column::reader::ColumnReader;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::SchemaDescPtr;

use super::cells::ColumnCells;
use super::leaf::{Meaning, NotNumbers};
use super::options::ReadWishes;
use super::shape::{self, ListLevels, Node, NodeKind};
use super::{failed, guarded, row_groups};
use crate::error::{Error, Result};
use crate::parallel;

/// How many rows are put together at a time: first, and at the most.
const ROWS_FIRST: usize = 64;
const ROWS_MAX: usize = 8192;

/// How many bytes of values they have, about.
const BATCH_BYTES: usize = 1 << 20;

/// The most threads that put rows together: one reads for no more than these.
const JOBS_MAX: usize = 6;

/// Calls `take` with the records of the file `path`, whole ones on lines each time. `words` are the
/// options.
///
/// # Errors
/// `Usage` for what is no option and a file that cannot be opened, `BadInput` for a file that is damaged
/// or holds what no record can.
pub fn read(
    path: &Path,
    words: &[String],
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let jobs = available_parallelism().map_or(1, usize::from);
    read_by(jobs.min(JOBS_MAX), path, words, take)
}

/// The same by so many threads beside the one that reads; by one, all on this thread.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_by(
    jobs: usize,
    path: &Path,
    words: &[String],
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let wishes = ReadWishes::parse(words)?;
    let (mut rows, nodes) = guarded(path, || FileRows::open(path, &wishes))?;
    if let Some(bytes) = wishes.parts {
        return take(&row_groups::parts(path, &rows.reader, &nodes, rows.groups, bytes)?);
    }
    if jobs <= 1 {
        while let Some(some) = guarded(path, || rows.next())? {
            take(&guarded(path, || some.records(path, &nodes, wishes.not_numbers))?)?;
        }
        return Ok(());
    }
    let place = path.to_path_buf();
    let work = move |_: &mut (), rows: RowCells| {
        guarded(&place, || rows.records(&place, &nodes, wishes.not_numbers))
    };
    let path = path.to_path_buf();
    let next = move || guarded(&path, || rows.next());
    parallel::ordered(jobs, next, || (), work, |()| Ok(None), |records: Vec<u8>| take(&records))
}

/// The rows of a file that are to be read.
struct FileRows {
    path: PathBuf,
    reader: SerializedFileReader<File>,
    columns: SchemaDescPtr,
    /// The columns that are asked for, by their numbers.
    wanted: Vec<usize>,
    /// The groups that are left.
    groups: Range<usize>,
    /// The columns of the group at hand, and how many of its rows are left.
    readers: Vec<(usize, ColumnReader)>,
    left: usize,
    /// How many rows came before, and how many come at a time.
    row: u64,
    at_once: usize,
}

/// Some rows, in columns.
struct RowCells {
    cells: Vec<ColumnCells>,
    count: usize,
    /// How many rows came before, in this reading.
    before: u64,
}

impl FileRows {
    /// The rows, and the members of the records that they become.
    fn open(path: &Path, wishes: &ReadWishes) -> Result<(FileRows, Vec<Node>)> {
        let file = File::open(path).map_err(|e| Error::path("read", path, &e))?;
        let reader = SerializedFileReader::new(file).map_err(|e| failed("read", path, &e))?;
        let columns = reader.metadata().file_metadata().schema_descr_ptr();
        let refused = |why| Error::input(format!("{}: {why}", path.display()));
        let nodes = shape::of(columns.root_schema()).map_err(refused)?;
        let nodes = wanted(nodes, &wishes.columns, path)?;
        let count = reader.num_row_groups();
        let groups = wishes.groups.clone().unwrap_or(0..count);
        if groups.end > count {
            let (path, from, to) = (path.display(), groups.start, groups.end);
            return Err(Error::usage(format!("{path}: groups={from}..{to}: it has {count}")));
        }
        if let Some(footer) = wishes.footer {
            row_groups::check(path, footer)?;
        }
        let rows = FileRows {
            path: path.to_path_buf(),
            reader,
            columns,
            wanted: nodes.iter().flat_map(|node| node.first..node.end).collect(),
            groups,
            readers: Vec::new(),
            left: 0,
            row: 0,
            at_once: ROWS_FIRST,
        };
        Ok((rows, nodes))
    }

    /// The next rows; none at the end.
    fn next(&mut self) -> Result<Option<RowCells>> {
        while self.left == 0 {
            let Some(group) = self.groups.next() else { return Ok(None) };
            self.begin(group)?;
        }
        let damaged = |e| failed("read", &self.path, &e);
        let mut cells: Vec<ColumnCells> =
            self.columns.columns().iter().map(|column| ColumnCells::of(column)).collect();
        let count = self.left.min(self.at_once);
        for (column, reader) in &mut self.readers {
            cells[*column].read(reader, count).map_err(damaged)?;
        }
        let rows = RowCells { cells, count, before: self.row };
        (self.row, self.left) = (self.row + count as u64, self.left - count);
        // As many as make a piece of about the same size each time.
        let bytes: usize = rows.cells.iter().map(ColumnCells::bytes).sum();
        let fit = count.saturating_mul(BATCH_BYTES) / bytes.max(1);
        self.at_once = fit.clamp(1, ROWS_MAX).min(self.at_once * 4);
        Ok(Some(rows))
    }

    /// Begins a group.
    fn begin(&mut self, number: usize) -> Result<()> {
        let damaged = |e| failed("read", &self.path, &e);
        let group = self.reader.get_row_group(number).map_err(damaged)?;
        let rows = group.metadata().num_rows();
        let why = || Error::input(format!("{}: a group of {rows} rows", self.path.display()));
        self.left = usize::try_from(rows).map_err(|_| why())?;
        self.readers.clear();
        for &column in &self.wanted {
            self.readers.push((column, group.get_column_reader(column).map_err(damaged)?));
        }
        Ok(())
    }
}

impl RowCells {
    /// The records, on lines.
    fn records(mut self, path: &Path, nodes: &[Node], not_numbers: NotNumbers) -> Result<Vec<u8>> {
        let mut records = Vec::new();
        let refused = |row: u64, why: &str| {
            Error::input(format!("{}: row {}: {why}", path.display(), row + 1))
        };
        for row in (self.before..).take(self.count) {
            let shown = members(nodes, &mut self.cells, not_numbers, &mut records);
            shown.map_err(|why| refused(row, &why))?;
            records.push(b'\n');
        }
        let mut read = nodes.iter().flat_map(|node| node.first..node.end);
        if let Some(column) = read.find(|&column| !self.cells[column].is_done()) {
            let last = self.before + self.count as u64;
            return Err(refused(last - 1, &format!("column {column} has more than its rows")));
        }
        Ok(records)
    }
}

/// The members of the records that are asked for, in the order of the file.
fn wanted(nodes: Vec<Node>, names: &[String], path: &Path) -> Result<Vec<Node>> {
    for name in names {
        if !nodes.iter().any(|node| node.name == *name) {
            let there: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
            let text = format!(
                "{}: it has no column '{name}'; there are {}",
                path.display(),
                there.join(", ")
            );
            return Err(Error::usage(text));
        }
    }
    Ok(nodes.into_iter().filter(|node| names.is_empty() || names.contains(&node.name)).collect())
}

/// What is shown, or why it cannot be, with the column in front.
type Shown = std::result::Result<(), String>;

/// Appends the next object with these members.
fn members(
    nodes: &[Node],
    cells: &mut [ColumnCells],
    not_numbers: NotNumbers,
    out: &mut Vec<u8>,
) -> Shown {
    out.push(b'{');
    for (number, node) in nodes.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&node.label);
        show(node, cells, not_numbers, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// Appends the next value of a part of the tree.
fn show(
    node: &Node,
    cells: &mut [ColumnCells],
    not_numbers: NotNumbers,
    out: &mut Vec<u8>,
) -> Shown {
    let level = level(node, cells)?;
    if node.is_optional && level < node.there {
        out.extend_from_slice(b"null");
        return pass(node, cells);
    }
    match &node.kind {
        NodeKind::Members(nodes) => members(nodes, cells, not_numbers, out),
        NodeKind::List(levels, element) => {
            let (open, close) = (b'[', b']');
            let each = |cells: &mut [ColumnCells], out: &mut Vec<u8>| {
                show(element, cells, not_numbers, out)
            };
            several(node, *levels, (open, close), cells, out, &each)
        }
        NodeKind::Map(levels, key, value) => {
            let is_object = is_text(key);
            let around = if is_object { (b'{', b'}') } else { (b'[', b']') };
            let between = if is_object { b':' } else { b',' };
            let each = |cells: &mut [ColumnCells], out: &mut Vec<u8>| {
                if !is_object {
                    out.push(b'[');
                }
                show(key, cells, not_numbers, out)?;
                out.push(between);
                match value {
                    Some(value) => show(value, cells, not_numbers, out)?,
                    None => out.extend_from_slice(b"null"),
                }
                if !is_object {
                    out.push(b']');
                }
                Ok(())
            };
            several(node, *levels, around, cells, out, &each)
        }
        NodeKind::Column(leaf) => {
            let cells = &mut cells[node.first];
            let at = cells.next().ok_or_else(|| broken(node))?;
            let shown = leaf.show(&cells.values, at, not_numbers, out);
            shown.map_err(|why| format!("{}: {why}", node.name))
        }
    }
}

/// Whether a key is shown as text, so that it can be the name of a member.
pub(super) fn is_text(key: &Node) -> bool {
    let NodeKind::Column(leaf) = &key.kind else { return false };
    let is_text = matches!(
        leaf.meaning,
        Meaning::Text | Meaning::Date | Meaning::Time(_) | Meaning::Moment { .. } | Meaning::Uuid
    );
    is_text && !key.is_optional
}

/// Appends what there is several times of.
fn several(
    node: &Node,
    levels: ListLevels,
    (open, close): (u8, u8),
    cells: &mut [ColumnCells],
    out: &mut Vec<u8>,
    each: &dyn Fn(&mut [ColumnCells], &mut Vec<u8>) -> Shown,
) -> Shown {
    out.push(open);
    if level(node, cells)? < levels.there {
        pass(node, cells)?;
    } else {
        each(cells, out)?;
        while cells[node.first].goes_on(levels.again) {
            out.push(b',');
            each(cells, out)?;
        }
    }
    out.push(close);
    Ok(())
}

/// How much of the way down a part is there, as its first column tells.
fn level(node: &Node, cells: &[ColumnCells]) -> std::result::Result<i16, String> {
    if node.first == node.end {
        // A group without columns; it is there when what is around it is.
        return Ok(node.there);
    }
    cells[node.first].level().ok_or_else(|| broken(node))
}

/// Passes over what is not there, in each of its columns.
fn pass(node: &Node, cells: &mut [ColumnCells]) -> Shown {
    for cells in &mut cells[node.first..node.end] {
        if cells.next().is_some() {
            return Err(broken(node));
        }
    }
    Ok(())
}

fn broken(node: &Node) -> String {
    format!("{}: its columns do not belong together: the file is damaged", node.name)
}

//! Records to CSV.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use super::cell::{CellRefusal, Cells};
use super::union::Union;
use super::{Dialect, is_number};
use crate::error::{Error, Result};
use crate::format::{Sink, lines, target::Target};
use crate::record::scan;
use crate::record::text::{push_string, string_bytes};

/// Rows from records: objects (with a header, unless `header=no`) or, with `header=no`, arrays.
pub struct CsvWriter {
    target: Target,
    cells: Cells,
    /// The records, until all their columns are known.
    union: Option<Union>,
    shape: Option<Shape>,
    records: u64,
    rows: Vec<u8>,
}

/// What all records look like: as the first.
enum Shape {
    Objects(Columns),
    Arrays(usize),
}

struct Columns {
    /// Each column's name as a JSON string.
    literals: Vec<Vec<u8>>,
    /// Where a column of this name is.
    places: HashMap<Vec<u8>, usize>,
}

impl CsvWriter {
    /// Writes rows to `target`, the header with the first of them. Records that must wait for the
    /// columns of others are kept in `directory`.
    ///
    /// # Errors
    /// `Usage` for what cannot be written in this dialect.
    pub fn new(target: Target, dialect: &Dialect, directory: &Path) -> Result<CsvWriter> {
        let refused = |why: &str| Error::usage(format!("format csv: {why}"));
        let cells = Cells::new(dialect).map_err(|why| refused(&why))?;
        let union = if dialect.union { Some(Union::new(directory)) } else { None };
        let mut writer =
            CsvWriter { target, cells, union, shape: None, records: 0, rows: Vec::new() };
        if !dialect.columns.is_empty() {
            let names = dialect.columns.iter().map(|name| name.as_bytes().to_vec()).collect();
            writer.begin(names).map_err(|why| refused(&why))?;
        }
        Ok(writer)
    }

    /// Sets the columns and writes the header.
    fn begin(&mut self, names: Vec<Vec<u8>>) -> CellRefusal {
        if self.cells.dialect.header {
            for (number, name) in names.iter().enumerate() {
                if name.is_empty() {
                    return Err("a column has no name (header=no writes none)".into());
                }
                self.cells
                    .push(&mut self.rows, name, number == 0)
                    .map_err(|why| format!("in the header {why}"))?;
            }
            self.cells.end_row(&mut self.rows, 0)?;
        }
        let literal = |name: &Vec<u8>| {
            let mut literal = Vec::new();
            push_string(&mut literal, &String::from_utf8_lossy(name));
            literal
        };
        let literals = names.iter().map(literal).collect();
        let places = names.into_iter().enumerate().map(|(at, name)| (name, at)).collect();
        self.shape = Some(Shape::Objects(Columns { literals, places }));
        Ok(())
    }

    fn push_record(&mut self, record: &[u8]) -> CellRefusal {
        if self.shape.is_none() {
            self.begin_with(record)?;
        }
        let start = self.rows.len();
        let (cells, rows) = (&self.cells, &mut self.rows);
        match (&self.shape, record.first()) {
            (Some(Shape::Objects(columns)), Some(b'{')) => {
                if !push_in_order(rows, record, columns, cells)? {
                    rows.truncate(start);
                    push_by_name(rows, record, columns, cells)?;
                }
            }
            (Some(Shape::Arrays(width)), Some(b'[')) => push_array(rows, record, *width, cells)?,
            (Some(Shape::Objects(_)), _) => return Err("it is no object".into()),
            _ => return Err("it is no array".into()),
        }
        cells.end_row(rows, start)
    }

    /// Learns from the first record what all look like.
    fn begin_with(&mut self, record: &[u8]) -> CellRefusal {
        match record.first() {
            Some(b'{') => {
                let mut names: Vec<Vec<u8>> = Vec::new();
                let mut seen = std::collections::HashSet::new();
                for (literal, _) in scan::members(record) {
                    let name = string_bytes(literal).into_owned();
                    if std::str::from_utf8(&name).is_err() {
                        return Err("a name holds a lone surrogate".into());
                    }
                    if seen.insert(name.clone()) {
                        names.push(name);
                    }
                }
                if names.is_empty() {
                    return Err("an object without members gives no columns (col=NAME does)".into());
                }
                self.begin(names)?;
            }
            Some(b'[') if !self.cells.dialect.header => match scan::elements(record).count() {
                0 => return Err("an empty array gives no row".into()),
                width => self.shape = Some(Shape::Arrays(width)),
            },
            Some(b'[') => return Err("an array has no column names: say csv,header=no".into()),
            _ => {
                return Err(
                    "it is no object (nor, with header=no, an array); ndjson holds any".into()
                );
            }
        }
        Ok(())
    }
}

impl CsvWriter {
    /// Writes rows, after the header that waits for the first of them: of records that do not fit
    /// nothing is written, however late they come.
    fn write_rows(&mut self, records: &[u8]) -> Result<()> {
        for record in lines(records) {
            self.records += 1;
            self.push_record(record).map_err(|why| self.refused(&why))?;
        }
        self.write_out()
    }

    fn write_out(&mut self) -> Result<()> {
        if !self.rows.is_empty() {
            self.target.write(&self.rows)?;
            self.rows.clear();
        }
        Ok(())
    }

    /// Writes what waits: records for their columns, a header for its first row.
    fn write_rest(&mut self) -> Result<()> {
        let Some(mut union) = self.union.take() else { return self.write_out() };
        self.records = 0;
        let names = union.names();
        if !names.is_empty() {
            self.begin(names).map_err(|why| self.refused(&why))?;
        }
        union.replay(|records| self.write_rows(records))?;
        self.write_out()
    }

    fn refused(&self, why: &str) -> Error {
        let (name, number) = (self.target.name(), self.records);
        Error::input(format!("{name}: record {number} does not fit in CSV: {why}"))
    }
}

impl Sink for CsvWriter {
    fn write(&mut self, records: &[u8]) -> Result<()> {
        let Some(mut union) = self.union.take() else { return self.write_rows(records) };
        for record in lines(records) {
            self.records += 1;
            union.see(record).map_err(|why| self.refused(&why))?;
        }
        union.keep(records)?;
        self.union = Some(union);
        Ok(())
    }

    fn prepare(&mut self) -> Result<()> {
        self.write_rest()?;
        self.target.prepare()
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.write_rest()?;
        self.target.finish()
    }
}

/// Appends the row of an array.
fn push_array(rows: &mut Vec<u8>, record: &[u8], width: usize, cells: &Cells) -> CellRefusal {
    let mut count = 0;
    for value in scan::elements(record) {
        if count < width {
            push_value(rows, value, cells, count == 0)?;
        }
        count += 1;
    }
    let Dialect { pad, cut, .. } = cells.dialect;
    if count > width && !cut || count < width && !pad {
        let way = if count > width { "cut leaves out what is beyond" } else { "pad fills it up" };
        return Err(format!("it has {count} elements, the first has {width} (ragged={way})"));
    }
    (count..width).try_for_each(|place| cells.push_null(rows, place == 0))
}

/// Appends the row of an object whose members are the columns in order; `false` where they are not.
fn push_in_order(
    rows: &mut Vec<u8>,
    record: &[u8],
    columns: &Columns,
    cells: &Cells,
) -> std::result::Result<bool, String> {
    let mut at = scan::skip_space(record, 0) + 1;
    for (count, literal) in columns.literals.iter().enumerate() {
        // A brace before the first, a comma before the others.
        if count > 0 {
            at = scan::skip_space(record, at);
            if record.get(at) != Some(&b',') {
                return Ok(false);
            }
            at += 1;
        }
        at = scan::skip_space(record, at);
        if !record.get(at..).is_some_and(|rest| rest.starts_with(literal)) {
            return Ok(false);
        }
        // Behind the colon.
        at = scan::skip_space(record, scan::skip_space(record, at + literal.len()) + 1);
        let Some(end) = scan::value_end(record, at) else { return Ok(false) };
        push_value(rows, &record[at..end], cells, count == 0)?;
        at = end;
    }
    Ok(record.get(scan::skip_space(record, at)) == Some(&b'}'))
}

/// Appends the row of an object whose members come in any order; of duplicates the last counts.
fn push_by_name(
    rows: &mut Vec<u8>,
    record: &[u8],
    columns: &Columns,
    cells: &Cells,
) -> CellRefusal {
    let dialect = &cells.dialect;
    // What is chosen by col= is all that is wanted.
    let all = dialect.columns.is_empty() && !dialect.cut;
    let mut values = vec![None; columns.literals.len()];
    for (literal, value) in scan::members(record) {
        let name = string_bytes(literal);
        match columns.places.get(name.as_ref()) {
            Some(&place) => values[place] = Some(value),
            None if all => {
                let name = String::from_utf8_lossy(&name);
                return Err(format!(
                    "it has a member '{name}', which is no column as the first record has none \
                     (columns=union writes those of all records, col=NAME those that are named)"
                ));
            }
            None => (),
        }
    }
    for (place, value) in values.into_iter().enumerate() {
        match value {
            Some(value) => push_value(rows, value, cells, place == 0)?,
            None if dialect.pad => cells.push_null(rows, place == 0)?,
            None => {
                let literal = String::from_utf8_lossy(&columns.literals[place]);
                return Err(format!("it lacks the column {literal} (ragged=pad leaves it empty)"));
            }
        }
    }
    Ok(())
}

/// Appends a value as a cell: a string's text, null as its name (or nothing), else the JSON text.
fn push_value(rows: &mut Vec<u8>, value: &[u8], cells: &Cells, first: bool) -> CellRefusal {
    let shown = || String::from_utf8_lossy(value).into_owned();
    match value {
        b"null" => cells.push_null(rows, first),
        [b'"', ..] => {
            let text = string_bytes(value);
            // Only an escape brings one.
            if matches!(text, Cow::Owned(_)) && std::str::from_utf8(&text).is_err() {
                return Err("a value holds a lone surrogate, which has no UTF-8 form".into());
            }
            if cells.dialect.typed && is_number(&text) {
                return Err(format!(
                    "typed would read the string {} as a number (without typed it fits)",
                    shown()
                ));
            }
            if !cells.push_value(rows, &text, first)? {
                return Err(format!(
                    "the string {} is the name of null (another null= holds it)",
                    shown()
                ));
            }
            Ok(())
        }
        _ if cells.push_value(rows, value, first)? => Ok(()),
        _ => Err(format!("the value {} is the name of null (another null= holds it)", shown())),
    }
}

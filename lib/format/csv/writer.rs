//! Records to CSV.

use std::collections::HashMap;

use super::{Dialect, is_number};
use crate::error::{Error, Result};
use crate::format::{Sink, lines, target::Target};
use crate::record::scan;
use crate::record::text::{push_string, string_bytes};

type Refusal = std::result::Result<(), String>;

/// Rows from records: objects (with a header, unless `header=no`) or, with `header=no`, arrays.
pub struct Writer {
    target: Target,
    dialect: Dialect,
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

impl Writer {
    /// Writes rows to `target`; with `col=` the header at once.
    ///
    /// # Errors
    /// When the header cannot be written.
    pub fn new(target: Target, dialect: &Dialect) -> Result<Writer> {
        let mut writer =
            Writer { target, dialect: dialect.clone(), shape: None, records: 0, rows: Vec::new() };
        if !dialect.columns.is_empty() {
            let names = dialect.columns.iter().map(|name| name.as_bytes().to_vec()).collect();
            writer.begin(names);
            writer.target.write(&writer.rows)?;
        }
        Ok(writer)
    }

    /// Sets the columns and writes the header.
    fn begin(&mut self, names: Vec<Vec<u8>>) {
        if self.dialect.header {
            for (number, name) in names.iter().enumerate() {
                push_cell(&mut self.rows, name, self.dialect.delimiter, number == 0);
            }
            end_row(&mut self.rows, 0);
        }
        let literal = |name: &Vec<u8>| {
            let mut literal = Vec::new();
            push_string(&mut literal, &String::from_utf8_lossy(name));
            literal
        };
        let literals = names.iter().map(literal).collect();
        let places = names.into_iter().enumerate().map(|(at, name)| (name, at)).collect();
        self.shape = Some(Shape::Objects(Columns { literals, places }));
    }

    fn push_record(&mut self, record: &[u8]) -> Refusal {
        if self.shape.is_none() {
            self.begin_with(record)?;
        }
        let start = self.rows.len();
        match (&self.shape, record.first()) {
            (Some(Shape::Objects(columns)), Some(b'{')) => {
                if !push_in_order(&mut self.rows, record, columns, &self.dialect)? {
                    self.rows.truncate(start);
                    push_by_name(&mut self.rows, record, columns, &self.dialect)?;
                }
            }
            (Some(Shape::Arrays(width)), Some(b'[')) => {
                let mut count = 0;
                for value in scan::elements(record) {
                    push_value(&mut self.rows, value, &self.dialect, count == 0)?;
                    count += 1;
                }
                if count > *width || count < *width && !self.dialect.pad {
                    return Err(format!("it has {count} elements, the first has {width}"));
                }
                for _ in count..*width {
                    push_value(&mut self.rows, b"null", &self.dialect, false)?;
                }
            }
            (Some(Shape::Objects(_)), _) => return Err("it is no object".into()),
            _ => return Err("it is no array".into()),
        }
        end_row(&mut self.rows, start);
        Ok(())
    }

    /// Learns from the first record what all look like.
    fn begin_with(&mut self, record: &[u8]) -> Refusal {
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
                    return Err("an object without members gives no columns".into());
                }
                self.begin(names);
            }
            Some(b'[') if !self.dialect.header => match scan::elements(record).count() {
                0 => return Err("an empty array gives no row".into()),
                width => self.shape = Some(Shape::Arrays(width)),
            },
            Some(b'[') => return Err("an array has no column names: say csv,header=no".into()),
            _ => return Err("it is no object (nor, with header=no, an array)".into()),
        }
        Ok(())
    }
}

impl Sink for Writer {
    fn write(&mut self, records: &[u8]) -> Result<()> {
        self.rows.clear();
        for record in lines(records) {
            self.records += 1;
            self.push_record(record).map_err(|why| {
                let (name, number) = (self.target.name(), self.records);
                Error::input(format!("{name}: record {number} does not fit in CSV: {why}"))
            })?;
        }
        self.target.write(&self.rows)
    }

    fn prepare(&mut self) -> Result<()> {
        self.target.prepare()
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.target.finish()
    }
}

/// Appends the row of an object whose members are the columns in order; `false` where they are not.
fn push_in_order(
    rows: &mut Vec<u8>,
    record: &[u8],
    columns: &Columns,
    dialect: &Dialect,
) -> std::result::Result<bool, String> {
    let mut count = 0;
    for (name, value) in scan::members(record) {
        if columns.literals.get(count).is_none_or(|literal| literal != name) {
            return Ok(false);
        }
        push_value(rows, value, dialect, count == 0)?;
        count += 1;
    }
    Ok(count == columns.literals.len())
}

/// Appends the row of an object whose members come in any order; of duplicates the last counts.
fn push_by_name(
    rows: &mut Vec<u8>,
    record: &[u8],
    columns: &Columns,
    dialect: &Dialect,
) -> Refusal {
    let mut values = vec![None; columns.literals.len()];
    for (literal, value) in scan::members(record) {
        let name = string_bytes(literal);
        match columns.places.get(name.as_ref()) {
            Some(&place) => values[place] = Some(value),
            None => {
                let name = String::from_utf8_lossy(&name);
                return Err(format!("it has a member '{name}', which is no column"));
            }
        }
    }
    for (place, value) in values.into_iter().enumerate() {
        match value {
            Some(value) => push_value(rows, value, dialect, place == 0)?,
            None if dialect.pad => push_value(rows, b"null", dialect, place == 0)?,
            None => {
                let literal = String::from_utf8_lossy(&columns.literals[place]);
                return Err(format!("it lacks the column {literal} (ragged=pad leaves it empty)"));
            }
        }
    }
    Ok(())
}

/// Appends a value as a cell: a string's text, null as its name (or nothing), else the JSON text.
fn push_value(rows: &mut Vec<u8>, value: &[u8], dialect: &Dialect, first: bool) -> Refusal {
    let null = dialect.null.as_deref();
    match value {
        b"null" => push_cell(rows, null.unwrap_or_default(), dialect.delimiter, first),
        [b'"', ..] => {
            let text = string_bytes(value);
            if memchr::memchr(0xed, &text).is_some() && std::str::from_utf8(&text).is_err() {
                return Err("a value holds a lone surrogate, which has no UTF-8 form".into());
            }
            if null == Some(text.as_ref()) {
                return Err(format!("the string {} is the name of null", shown(value)));
            }
            if dialect.typed && is_number(&text) {
                return Err(format!("typed would read the string {} as a number", shown(value)));
            }
            push_cell(rows, &text, dialect.delimiter, first);
        }
        _ if null == Some(value) => {
            return Err(format!("the value {} is the name of null", shown(value)));
        }
        _ => push_cell(rows, value, dialect.delimiter, first),
    }
    Ok(())
}

fn shown(value: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(value)
}

/// Appends a cell, in quotes where it must be.
fn push_cell(rows: &mut Vec<u8>, text: &[u8], delimiter: u8, first: bool) {
    if !first {
        rows.push(delimiter);
    }
    let special = |b: &u8| *b == delimiter || matches!(*b, b'"' | b'\r' | b'\n');
    // A byte order mark at the very start would be taken for the file's.
    let quoted = text.iter().any(special) || first && text.starts_with(b"\xef\xbb\xbf");
    if !quoted {
        rows.extend_from_slice(text);
        return;
    }
    rows.push(b'"');
    for (number, part) in text.split(|&b| b == b'"').enumerate() {
        if number > 0 {
            rows.extend_from_slice(b"\"\"");
        }
        rows.extend_from_slice(part);
    }
    rows.push(b'"');
}

/// Ends the row that began at `start`; one that is empty gets quotes, so that it is no blank line.
fn end_row(rows: &mut Vec<u8>, start: usize) {
    if rows.len() == start {
        rows.extend_from_slice(b"\"\"");
    }
    rows.push(b'\n');
}

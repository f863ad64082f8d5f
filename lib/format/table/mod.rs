//! The format `table`: records as aligned columns, for people; for writing only.
//!
//! How wide a column is, and which columns there are, all records tell: so they are kept until the
//! end, what is much of them in a temporary file. Objects have a column for each name that any of
//! them has, in the order in which the names first came, under a header; arrays a column for each
//! place; any other record is a line. Numbers are to the right, also those in strings.
//!
//! Nothing is left out but on a terminal, where text is cut so that lines fit, and where `digits=`
//! says how exact numbers are to be.

mod cell;
mod layout;

use std::collections::HashMap;

use self::cell::Cell;
use self::layout::Column;
use super::contiguous::{MEMORY_BYTES, show_parts};
use super::spec::Spec;
use super::target::Target;
use super::{Sink, WriteOptions, lines};
use crate::error::{Error, Result};
use crate::record::scan;
use crate::record::text::string_bytes;
use crate::spool::Spool;

/// How many bytes of lines are written at once.
const WRITE_BYTES: usize = 128 * 1024;

/// The most columns: what has more is no table that anybody reads.
const MOST_COLUMNS: usize = 4096;

/// Lines from records.
pub struct TableWriter {
    target: Target,
    table: Table,
    /// The records, until all have come.
    kept: Option<Spool>,
    /// How wide the terminal is, where it is written to one.
    terminal: Option<usize>,
    records: u64,
}

/// No double has more digits behind its point that tell anything.
const MOST_DIGITS: u64 = 20;

/// What the records are that a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ColumnKind {
    Objects,
    Arrays,
    Others,
}

impl ColumnKind {
    fn of(record: &[u8]) -> ColumnKind {
        match record.first() {
            Some(b'{') => ColumnKind::Objects,
            Some(b'[') => ColumnKind::Arrays,
            _ => ColumnKind::Others,
        }
    }

    fn word(self) -> &'static str {
        match self {
            ColumnKind::Objects => "an object",
            ColumnKind::Arrays => "an array",
            ColumnKind::Others => "neither object nor array",
        }
    }
}

/// How many digits behind the point numbers get, where it is said.
fn digits(spec: &Spec) -> Result<Option<usize>> {
    let mut spec = spec.clone();
    let digits = spec.number("digits")?;
    spec.finish("digits=")?;
    Ok(digits.map(|digits| digits.min(MOST_DIGITS) as usize))
}

/// Checks the options of a table.
///
/// # Errors
/// When one is unknown.
pub fn check(spec: &Spec) -> Result<()> {
    digits(spec).map(drop)
}

impl TableWriter {
    /// Writes a table to `target`.
    ///
    /// # Errors
    /// When an option is unknown.
    pub fn new(spec: &Spec, target: Target, options: &WriteOptions) -> Result<TableWriter> {
        let digits = digits(spec)?;
        Ok(TableWriter {
            target,
            table: Table { digits, ..Table::default() },
            kept: Some(Spool::new(Vec::new(), MEMORY_BYTES, &options.directory)),
            terminal: options.terminal,
            records: 0,
        })
    }

    /// Writes all lines.
    fn print(&mut self) -> Result<()> {
        let Some(kept) = self.kept.take() else { return Ok(()) };
        if let Some(width) = self.terminal {
            layout::fit(&mut self.table.columns, width);
        }
        let TableWriter { target, table, .. } = self;
        let mut out = Vec::new();
        table.push_header(&mut out);
        let mut print = |records: &[u8]| {
            for record in lines(records) {
                table.push(record, &mut out);
                if out.len() > WRITE_BYTES {
                    target.write(&out)?;
                    out.clear();
                }
            }
            Ok(())
        };
        show_parts(&kept, 1, |_, records| print(records))?;
        self.target.write(&out)
    }
}

impl Sink for TableWriter {
    fn write(&mut self, records: &[u8]) -> Result<()> {
        for record in lines(records).filter(|record| !record.is_empty()) {
            self.records += 1;
            self.table.measure(record).map_err(|why| {
                let (name, number) = (self.target.name(), self.records);
                Error::input(format!("{name}: record {number} does not fit in the table: {why}"))
            })?;
        }
        self.kept.as_mut().map_or(Ok(()), |kept| kept.push(records))
    }

    fn prepare(&mut self) -> Result<()> {
        self.print()?;
        self.target.prepare()
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.prepare()?;
        self.target.finish()
    }
}

/// What is known of all records.
#[derive(Default)]
struct Table {
    kind: Option<ColumnKind>,
    columns: Vec<Column>,
    /// Where the column of a name is.
    places: HashMap<Vec<u8>, usize>,
    /// How many digits behind its point a number is shown with, if not all.
    digits: Option<usize>,
    /// The cells of a row at hand.
    row: Vec<Cell>,
}

impl Table {
    /// Learns what a record needs.
    fn measure(&mut self, record: &[u8]) -> std::result::Result<(), String> {
        let kind = ColumnKind::of(record);
        let first = *self.kind.get_or_insert(kind);
        if first != kind {
            return Err(format!("it is {}, the first is {}", kind.word(), first.word()));
        }
        let mut measured = Ok(());
        self.cells(record, true, |columns, place, cell| match columns.get_mut(place) {
            Some(column) => column.take(&cell),
            None => measured = Err(format!("there are over {MOST_COLUMNS} columns")),
        });
        measured
    }

    /// Shows the cells of a record, each with its place among the columns. New columns are made
    /// where there is room, or else the place is none of theirs.
    fn cells(
        &mut self,
        record: &[u8],
        new: bool,
        mut show: impl FnMut(&mut [Column], usize, Cell),
    ) {
        let Table { columns, places, digits, .. } = self;
        let add = |columns: &mut Vec<Column>, name: String| {
            if new && columns.len() < MOST_COLUMNS {
                columns.push(Column::new(name));
            }
        };
        match ColumnKind::of(record) {
            ColumnKind::Objects => {
                for (literal, value) in scan::members(record) {
                    let name = string_bytes(literal);
                    let place = match places.get(name.as_ref()) {
                        Some(&place) => place,
                        None => {
                            let place = columns.len();
                            add(columns, cell::shown(&String::from_utf8_lossy(&name)).into_owned());
                            places.insert(name.into_owned(), place);
                            place
                        }
                    };
                    show(columns, place, Cell::of(value, *digits));
                }
            }
            ColumnKind::Arrays => {
                for (place, value) in scan::elements(record).enumerate() {
                    if place == columns.len() {
                        add(columns, String::new());
                    }
                    show(columns, place, Cell::of(value, *digits));
                }
            }
            ColumnKind::Others => {
                if columns.is_empty() {
                    add(columns, String::new());
                }
                show(columns, 0, Cell::of(record, *digits));
            }
        }
    }

    fn push_header(&self, out: &mut Vec<u8>) {
        if self.kind == Some(ColumnKind::Objects) && !self.columns.is_empty() {
            let names: Vec<Cell> = self.columns.iter().map(|c| Cell::text(c.name())).collect();
            layout::push_line(&self.columns, &names, out);
        }
    }

    /// Appends the line of a record that was measured.
    fn push(&mut self, record: &[u8], out: &mut Vec<u8>) {
        let mut row = std::mem::take(&mut self.row);
        row.clear();
        row.resize_with(self.columns.len(), Cell::default);
        self.cells(record, false, |_, place, cell| {
            // Of members of the same name the last counts.
            if let Some(there) = row.get_mut(place) {
                *there = cell;
            }
        });
        layout::push_line(&self.columns, &row, out);
        self.row = row;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(records: &str, terminal: Option<usize>) -> std::result::Result<String, String> {
        let mut table = Table::default();
        for record in lines(records.as_bytes()) {
            table.measure(record)?;
        }
        if let Some(width) = terminal {
            layout::fit(&mut table.columns, width);
        }
        let mut out = Vec::new();
        table.push_header(&mut out);
        for record in lines(records.as_bytes()) {
            table.push(record, &mut out);
        }
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn columns_are_those_of_all_records() {
        let records =
            "{\"a\":1,\"b\":\"x\"}\n{\"c\":[1, 2],\"a\":22.5}\n{}\n{\"b\":\"y\",\"b\":null}\n";
        let want = "   a  b     c\n   1  x\n22.5        [1, 2]\n\n      null\n";
        assert_eq!(table(records, None).unwrap(), want);
        assert_eq!(table("[1,\"a\"]\n[10]\n[]\n", None).unwrap(), " 1  a\n10\n\n");
        assert_eq!(table("1\n\"text\"\n", None).unwrap(), "1\ntext\n");
        assert_eq!(table("", None).unwrap(), "");
        assert!(table("1\n[]\n", None).unwrap_err().contains("it is an array"));
        let many = format!("[{}1]\n", "1,".repeat(MOST_COLUMNS));
        assert!(table(&many, None).unwrap_err().contains("over 4096 columns"));
    }

    #[test]
    fn text_is_cut_only_on_a_terminal_and_numbers_never() {
        let records = "{\"n\":123456789,\"t\":\"日本語のとても長いテキスト\",\"u\":\"short\"}\n";
        let whole = "        n  t                           u\n123456789  日本語のとても長いテキスト  short\n";
        assert_eq!(table(records, None).unwrap(), whole);
        assert_eq!(table(records, Some(44)).unwrap(), whole);
        let cut = "        n  t               u\n123456789  日本語のとて…   short\n";
        assert_eq!(table(records, Some(32)).unwrap(), cut);
        // A number is not shown as another one, however narrow the terminal.
        assert!(table(records, Some(5)).unwrap().contains("123456789  日本語…"));
    }

    #[test]
    fn numbers_may_be_rounded() {
        let mut table = Table { digits: Some(2), ..Table::default() };
        let mut out = Vec::new();
        let row: &[u8] = b"[1.005,\"2.5\",3,\"x 1.234\",1e20,-0.001]";
        table.measure(row).unwrap();
        table.push(row, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "1.00  2.50  3  x 1.234  1e20  -0.00\n");
    }

    #[test]
    fn no_character_gets_through_that_a_terminal_obeys() {
        let records = "\"a\\u001b[2Jb\\n\\u009b\\u202ec\\\\\"\n{\"\\u0007\":1}\n";
        let shown = table(records.lines().next().map(|l| format!("{l}\n")).unwrap().as_str(), None);
        assert_eq!(shown.unwrap(), "a\\u001b[2Jb\\n\\u009b\\u202ec\\\n");
        assert_eq!(table("{\"\\u0007\":1}\n", None).unwrap(), "\\u0007\n     1\n");
    }

    proptest! {
        #[test]
        fn every_record_is_a_line_and_lines_fit(
            texts in proptest::collection::vec("\\PC{0,40}", 1..20),
            width in 1usize..100,
        ) {
            let mut records = String::new();
            for text in &texts {
                let text = serde_json::to_string(text).unwrap();
                records.push_str(&format!("{{\"n\":1,\"t\":{text},\"u\":{text}}}\n"));
            }
            let shown = table(&records, Some(width)).unwrap();
            prop_assert_eq!(shown.lines().count(), texts.len() + 1);
            let room = width.max(1 + 2 * (2 + layout::LEAST_WIDTH));
            for line in shown.lines() {
                prop_assert!(unicode_width::UnicodeWidthStr::width(line) <= room, "{}", line);
            }
        }
    }
}

//! What stands before the first record: lines to be passed over, the line by which Excel tells the
//! delimiter, and the header.

use std::collections::HashSet;

use super::general::Scanner;
use super::hint;
use super::layout::{RecordLayout, Values};
use super::reader::CsvReader;
use super::row::Row;
use super::{Dialect, duplicate};
use crate::error::{Error, Result};
use crate::format::encoding::{HINT, Invalid};
use crate::record::stream::Input;

/// What Excel's line begins with that tells the delimiter.
const SEP: &[u8] = b"sep=";

/// The first row.
struct First {
    fields: Vec<Vec<u8>>,
    end: usize,
    breaks: u64,
}

impl CsvReader {
    /// Reads what stands before the first record, or counts the fields of the first row. `false`
    /// when there is none.
    pub(super) fn begin(&mut self) -> Result<bool> {
        match self.dialect.skip {
            0 => self.read_separator()?,
            count => self.skip_lines(count)?,
        }
        let Some(First { fields: first, end, breaks }) = self.first_row()? else {
            return Ok(false);
        };
        let given = &self.dialect.columns;
        if !self.dialect.header {
            if !given.is_empty() && given.len() != first.len() {
                let (fields, names) = (first.len(), given.len());
                return Err(self.error(&format!("{fields} fields, and {names} names by col=")));
            }
            self.layout = Some(match given.is_empty() {
                true => RecordLayout::arrays(first.len()),
                false => RecordLayout::objects(given),
            });
            self.head = self.window.position(end);
            if self.in_the_middle {
                self.window.pass(end, breaks);
            }
            return Ok(true);
        }
        let names = self.names(first)?;
        self.layout = Some(match given.is_empty() || *given == names {
            true => RecordLayout::objects(&names),
            false => RecordLayout::taken(given, &names).map_err(|name| {
                self.error(&format!("col={name}: the header has no such column"))
            })?,
        });
        self.window.pass(end, breaks);
        self.head = self.window.position(0);
        Ok(true)
    }

    /// Passes over the lines before the first row.
    fn skip_lines(&mut self, count: u64) -> Result<()> {
        for line in 0..count {
            if self.window.skip_line()? {
                continue;
            }
            // An empty file has no lines to be passed over, and no rows.
            if line > 0 {
                return Err(self.error(&format!("{line} lines are all, and skip={count} is more")));
            }
            break;
        }
        Ok(())
    }

    /// Reads the line `sep=;` by which Excel tells the delimiter, if the file begins with it.
    fn read_separator(&mut self) -> Result<()> {
        loop {
            let text = self.window.text();
            let alike = text.iter().zip(SEP).all(|(a, b)| a.eq_ignore_ascii_case(b));
            if !alike {
                return Ok(());
            }
            // No more is waited for than shows what it is.
            let found = match text.get(SEP.len()..) {
                Some([byte, b'\n' | b'\r', ..]) => Some(*byte),
                Some([byte]) if self.window.whole => Some(*byte),
                None | Some([] | [_]) if !self.window.whole => None,
                _ => return Ok(()),
            };
            match found {
                Some(byte) if byte.is_ascii() && !b"\r\n".contains(&byte) => {
                    self.separate(byte)?;
                    return self.window.skip_line().map(drop);
                }
                Some(_) => return Ok(()),
                None => self.window.read()?,
            }
        }
    }

    /// Goes on with the delimiter that the file's first line tells.
    fn separate(&mut self, byte: u8) -> Result<()> {
        let told = Dialect { delimiter: vec![byte], ..self.dialect.clone() };
        let clash = match told.clash() {
            Some(clash) => Some(clash),
            None if self.dialect.delimiter_given && self.dialect.delimiter != told.delimiter => {
                let given = String::from_utf8_lossy(&self.dialect.delimiter);
                Some(format!("columns are to be parted by '{}'", given.escape_debug()))
            }
            None => None,
        };
        if let Some(clash) = clash {
            let line = format!("sep={}", char::from(byte).escape_debug());
            return Err(self.error(&format!(
                "this line says {line}, but {clash} (skip=1 passes over the line)"
            )));
        }
        self.scanner = Scanner::new(&told);
        self.dialect = told;
        Ok(())
    }

    /// Reads until the row at hand is whole. `None` at the end.
    fn first_row(&mut self) -> Result<Option<First>> {
        loop {
            let (text, whole) = (self.window.text(), self.window.whole);
            if text.is_empty() && whole {
                return Ok(None);
            }
            let mut fields = Vec::new();
            let values = Values::of(&self.dialect);
            let found = match text.is_empty() {
                true => Row::Cut,
                false => self.scanner.split(text, whole, |_, field| {
                    fields.push(values.text_of(field).into_owned());
                }),
            };
            match found {
                Row::Whole { end, breaks, blank: true, .. } => self.window.pass(end, breaks),
                Row::Whole { end, breaks, .. } if end <= self.options.max_record => {
                    return Ok(Some(First { fields, end, breaks }));
                }
                Row::Cut if text.len() <= self.options.max_record => self.window.read()?,
                Row::Whole { .. } | Row::Cut => {
                    return Err(self.error("the first row is over --max-record"));
                }
                Row::Unclosed { .. } | Row::Stray { .. } | Row::Dangling => {
                    return Err(self.error(&hint::broken(self, found, None)));
                }
            }
        }
    }

    /// The names of the columns.
    fn names(&self, row: Vec<Vec<u8>>) -> Result<Vec<String>> {
        let mut names = Vec::with_capacity(row.len());
        let replace = self.dialect.coding.invalid == Invalid::Replace;
        for name in row {
            if !replace && std::str::from_utf8(&name).is_err() {
                let flaw = self.window.input.charset().flaw();
                return Err(self.error(&format!("the header is {flaw}")).hint(HINT));
            }
            names.push(String::from_utf8_lossy(&name).into_owned());
        }
        if self.dialect.rename {
            return Ok(renamed(&names));
        }
        let ways = "say rename, or header=no for arrays";
        if let Some(name) = duplicate(&names).filter(|name| !name.is_empty()) {
            return Err(self.error(&format!("the header has two columns '{name}': {ways}")));
        }
        if let Some(number) = names.iter().position(String::is_empty) {
            let number = number + 1;
            return Err(self.error(&format!("column {number} of the header has no name: {ways}")));
        }
        Ok(names)
    }

    /// An error at the header, or before the rows can be told.
    fn error(&self, why: &str) -> Error {
        let CsvReader { window, .. } = self;
        Error::input(format!("{}: line {}: {why}", window.input.name(), window.line))
    }
}

/// Names that differ: `a`, `a_2`, and `column3` for the third without one. What is called so by
/// the header itself keeps its name.
fn renamed(names: &[String]) -> Vec<String> {
    let mut taken: HashSet<String> = names.iter().cloned().collect();
    let mut seen = HashSet::new();
    let mut differ = Vec::with_capacity(names.len());
    for (number, name) in (1..).zip(names) {
        if !name.is_empty() && seen.insert(name) {
            differ.push(name.clone());
            continue;
        }
        let unnamed = format!("column{number}");
        let base = if name.is_empty() { &unnamed } else { name };
        let first = name.is_empty().then(|| base.clone());
        let others = (2u64..).map(|count| format!("{base}_{count}"));
        let free = first.into_iter().chain(others).find(|name| !taken.contains(name));
        let free = free.unwrap_or_default();
        taken.insert(free.clone());
        differ.push(free);
    }
    differ
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renamed_columns_have_names_that_no_other_has() {
        let renamed =
            |names: &[&str]| renamed(&names.iter().map(|n| n.to_string()).collect::<Vec<_>>());
        assert_eq!(renamed(&["a", "b", "a", "", "a"]), ["a", "b", "a_2", "column4", "a_3"]);
        assert_eq!(renamed(&["a", "a", "a_2", "a_2"]), ["a", "a_3", "a_2", "a_2_2"]);
        assert_eq!(renamed(&["", "column1", ""]), ["column1_2", "column1", "column3"]);
        assert_eq!(renamed(&["x", "y"]), ["x", "y"]);
    }
}

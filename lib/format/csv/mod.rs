//! The format `csv`: comma-separated values (RFC 4180) to objects by the header, or to arrays.
//!
//! Values are strings unless `typed` or `null=` says otherwise. What the format does not allow is
//! refused with the row's number: ragged rows, text behind a closing quote, a quote that is never
//! closed. It guesses nothing: neither delimiter nor types.
//!
//! [`dialect`] is what the options say. Where the fields of a row are is told by [`row`], which
//! knows the usual dialects and is fast, or by [`general`], which knows all; [`layout`] makes a
//! record of them; [`plain`] knows most rows at a glance, and [`rows`] gives them as they are. [`window`] holds what was
//! read, [`header`] what stands before the first record,
//! [`hint`] the ways out of what is refused. [`cell`] writes, when [`union`] knows the
//! columns of all records at last.

mod cell;
mod dialect;
mod general;
mod header;
mod hint;
mod layout;
mod plain;
mod reader;
mod row;
mod rows;
mod union;
mod whole_rows;
mod window;
mod writer;

pub use dialect::Dialect;
pub use reader::CsvReader;
pub use writer::CsvWriter;

use crate::record::scan;

/// The first of the names that stands twice.
fn duplicate(names: &[String]) -> Option<&String> {
    let mut seen = std::collections::HashSet::new();
    names.iter().find(|name| !seen.insert(*name))
}

/// Whether a field is a number of JSON as it stands.
fn is_number(field: &[u8]) -> bool {
    matches!(field.first(), Some(b'-' | b'0'..=b'9'))
        && field.last().is_some_and(u8::is_ascii_digit)
        && scan::check(field).is_ok()
}

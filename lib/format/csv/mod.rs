//! The format `csv`: comma-separated values (RFC 4180) to objects by the header, or to arrays.
//!
//! Values are strings unless `typed` or `null=` says otherwise. What the format does not allow is
//! refused with the row's number: ragged rows, text behind a closing quote, a quote that is never
//! closed. It guesses nothing: neither delimiter nor types.

mod layout;
mod reader;
mod row;
mod writer;

pub use reader::Reader;
pub use writer::Writer;

use super::encoding::Coding;
use super::spec::Spec;
use crate::error::Result;
use crate::record::scan;

/// How a file of the format is written, as its options say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// What stands between two fields.
    delimiter: u8,
    /// Whether the first row holds the columns' names.
    header: bool,
    /// Whether rows (records) that lack fields at the end (columns) are filled up.
    pad: bool,
    /// Whether fields that look like numbers of JSON are numbers.
    typed: bool,
    /// The text that stands for null.
    null: Option<Vec<u8>>,
    /// The columns: to be taken, written, or (without header) to name the fields.
    columns: Vec<String>,
    /// Whether text may follow a closing quote (it then belongs to the field), as in Python's csv.
    lax: bool,
    /// How text is written down.
    pub(super) coding: Coding,
}

impl Dialect {
    /// Reads the options of the format.
    ///
    /// # Errors
    /// When one is unknown or its value is.
    pub fn parse(spec: &Spec) -> Result<Dialect> {
        let mut spec = spec.clone();
        let header = match spec.value("header")?.as_deref() {
            None | Some("yes") => true,
            Some("no") => false,
            Some(_) => return Err(spec.refuse("say header=yes or header=no")),
        };
        let pad = match spec.value("ragged")?.as_deref() {
            None | Some("refuse") => false,
            Some("pad") => true,
            Some(_) => return Err(spec.refuse("say ragged=refuse or ragged=pad")),
        };
        let delimiter = match spec.value("delim")?.as_deref() {
            None | Some("comma") => b',',
            Some("tab") => b'\t',
            Some("semicolon") => b';',
            Some("colon") => b':',
            Some("pipe") => b'|',
            Some("space") => b' ',
            Some(other) => match other.as_bytes() {
                [byte] if byte.is_ascii() && !b"\"\r\n\0".contains(byte) => *byte,
                _ => return Err(spec.refuse("delim= is one ASCII character, or tab")),
            },
        };
        let columns = spec.values("col")?;
        if let Some(twice) = duplicate(&columns) {
            return Err(spec.refuse(&format!("col={twice} is given twice")));
        }
        let typed = spec.flag("typed")?;
        let null = spec.value("null")?.map(String::into_bytes);
        let lax = spec.flag("lax")?;
        let coding = Coding::take(&mut spec)?;
        spec.finish("header=, delim=, ragged=, col=, typed, null=, lax, encoding=, invalid=")?;
        Ok(Dialect { delimiter, header, pad, typed, null, columns, lax, coding })
    }
}

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

//! What is wrong with a row, and the way out of it, where there is one that keeps every row: it is
//! tried on the row before it is said.

use super::Dialect;
use super::general::Scanner;
use super::layout::RecordLayout;
use super::reader::CsvReader;
use super::row::Row;

/// How much is looked at in search of a way out.
const LOOK_BYTES: usize = 16 * 1024;

/// Other delimiters, as `delim=` calls them and as JSON spells them.
const DELIMITERS: [(u8, &str, &str); 3] =
    [(b';', "semicolon", ";"), (b'\t', "tab", "\\t"), (b'|', "pipe", "|")];

/// What is wrong with the row at hand, which is no whole one; of so many fields, if that is known.
pub(super) fn broken(reader: &CsvReader, found: Row, columns: Option<usize>) -> String {
    let text = reader.window.text();
    let line_of =
        |at: usize| reader.window.line + memchr::memchr_iter(b'\n', &text[..at]).count() as u64;
    let fits = |change: &dyn Fn(&mut Dialect)| fits(reader, columns, change);
    let escaped = || {
        memchr::memmem::find(look(text), b"\\\"").is_some()
            && fits(&|dialect| dialect.escape = Some(b'\\'))
    };
    match found {
        Row::Unclosed { quote } => {
            let line = line_of(quote);
            let why = if reader.dialect.one_line() {
                "does not close in it: say quote=no if quotes are text, quote=\" if a field may \
                 hold line ends"
            } else if escaped() {
                "is never closed (escape=\\ if \\\" is a quote in the text)"
            } else {
                "is never closed"
            };
            format!("a quote opens on line {line} and {why}")
        }
        Row::Stray { quote } => {
            let line = line_of(quote);
            let way = if escaped() {
                "escape=\\ if \\\" is a quote in the text"
            } else if fits(&|dialect| dialect.trim = true) {
                "trim drops blanks around quotes"
            } else if reader.dialect.one_line() && fits(&|dialect| dialect.quote = None) {
                "quote=no if quotes are text"
            } else {
                "a quote in the text is to be doubled"
            };
            format!("text follows the closing quote on line {line} ({way})")
        }
        _ => "the file ends with the character of escape=".into(),
    }
}

/// What is wrong with the row at hand, the first `end` bytes, which has so many fields.
pub(super) fn ragged(
    reader: &CsvReader,
    layout: &RecordLayout,
    end: usize,
    fields: usize,
) -> String {
    let row = &reader.window.text()[..end];
    let columns = layout.before.len();
    // With quotes in it, it may be something else than what it seems.
    let is_plain = memchr::memchr(b'"', row).is_none();
    let trimmed = || fits(reader, Some(columns), &|dialect| dialect.trim = true);
    let way = match fields > columns {
        _ if row.contains(&0) => {
            Some("NUL bytes are in it, as in files that were not written to their end".to_string())
        }
        false => is_plain.then(|| "ragged=pad fills it up".to_string()),
        true if !is_plain => trimmed().then(|| "trim drops blanks around quotes".to_string()),
        true if surplus_is_empty(reader, row, columns) => {
            Some("ragged=cut leaves out the empty ones".to_string())
        }
        true if columns == 1 && reader.dialect.header => Some(one_column(reader, layout)),
        true => None,
    };
    let way = way.map_or(String::new(), |way| format!(" ({way})"));
    format!("it has {fields} fields, and {columns} are expected{way}")
}

/// The way out where the header has but one column, and the row at hand several fields.
fn one_column(reader: &CsvReader, layout: &RecordLayout) -> String {
    let header = layout.before.concat();
    for (byte, name, spelled) in DELIMITERS {
        let columns = memchr::memmem::find_iter(&header, spelled).count() + 1;
        let delimited = |dialect: &mut Dialect| dialect.delimiter = vec![byte];
        if columns > 1 && fits(reader, Some(columns), &delimited) {
            return format!("delim={name} if that parts the columns");
        }
    }
    let before = reader.window.line - 1;
    format!("skip={before} if the lines before this one are no data")
}

/// Whether the fields of a row beyond its columns are empty.
fn surplus_is_empty(reader: &CsvReader, row: &[u8], columns: usize) -> bool {
    let mut empty = true;
    reader.scanner.split(row, true, |number, field| {
        empty &= number < columns || field.raw.is_empty();
    });
    empty
}

/// Whether the row at hand is one of so many fields in a dialect that differs.
fn fits(reader: &CsvReader, columns: Option<usize>, change: &dyn Fn(&mut Dialect)) -> bool {
    let mut other = reader.dialect.clone();
    change(&mut other);
    if other == reader.dialect || other.clash().is_some() {
        return false;
    }
    let text = look(reader.window.text());
    let whole = reader.window.whole && text.len() == reader.window.text().len();
    match Scanner::new(&other).split(text, whole, |_, _| ()) {
        Row::Whole { fields, .. } => columns.is_none_or(|columns| columns == fields),
        _ => false,
    }
}

/// As much of some text as is looked at.
fn look(text: &[u8]) -> &[u8] {
    &text[..text.len().min(LOOK_BYTES)]
}

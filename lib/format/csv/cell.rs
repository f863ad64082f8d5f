//! Cells and rows as a dialect writes them: so that they read back as they were.

use super::Dialect;
use super::general::Scanner;
use crate::record::wide::holds_any;

/// Why something cannot be written.
pub(super) type CellRefusal = std::result::Result<(), String>;

/// How long a cell can be at most that begins a line which tells Excel the delimiter (`sep=;`).
const SEP_BYTES: usize = 5;

/// Writes cells in one dialect.
pub(super) struct Cells {
    pub(super) dialect: Dialect,
    /// The delimiter of the usual dialects.
    usual: Option<u8>,
}

impl Cells {
    /// Writes cells in `dialect`.
    ///
    /// # Errors
    /// Why null cannot be written in it.
    pub(super) fn new(dialect: &Dialect) -> std::result::Result<Cells, String> {
        let usual = match dialect.delimiter.as_slice() {
            [byte] if dialect.quote == Some(b'"') && dialect.escape.is_none() => Some(*byte),
            _ => None,
        };
        let usual = usual.filter(|_| !dialect.trim && !dialect.one_line());
        let usual = usual.filter(|_| dialect.comment.is_empty());
        let cells = Cells { dialect: dialect.clone(), usual };
        match dialect.nulls.first() {
            Some(null) if !cells.holds(null) => {
                let null = String::from_utf8_lossy(null);
                Err(format!("null={null} cannot be written so that it reads back"))
            }
            _ => Ok(cells),
        }
    }

    /// Appends a cell, in quotes where it must be.
    pub(super) fn push(&self, rows: &mut Vec<u8>, text: &[u8], first: bool) -> CellRefusal {
        if !first {
            rows.extend_from_slice(&self.dialect.delimiter);
        }
        let special = match self.usual {
            Some(delimiter) => {
                holds_any(text, [delimiter, b'"', b'\r', b'\n'])
                    || first && self.begins_otherwise(text)
            }
            None => self.is_special(text, first),
        };
        if !special {
            rows.extend_from_slice(text);
            return Ok(());
        }
        match (self.dialect.quote, self.dialect.escape) {
            (Some(quote), _) => self.push_quoted(rows, text, quote),
            (None, Some(escape)) => {
                self.push_escaped(rows, text, escape, first);
                Ok(())
            }
            (None, None) => Err("a value cannot be told from columns or rows without quotes \
                                 (escape=\\ gives quote=no a way)"
                .into()),
        }
    }

    /// Appends the cell of a value that is not null; `false` when it would read back as null.
    pub(super) fn push_value(
        &self,
        rows: &mut Vec<u8>,
        text: &[u8],
        first: bool,
    ) -> std::result::Result<bool, String> {
        let start = rows.len();
        self.push(rows, text, first)?;
        if self.dialect.nulls.is_empty() {
            return Ok(true);
        }
        let name = if self.dialect.escape.is_some() {
            // Null is what stands in the file, as far as it is not quotes.
            let delimiter = if first { 0 } else { self.dialect.delimiter.len() };
            match (self.dialect.quote, &rows[start + delimiter..]) {
                (Some(quote), [open, inside @ .., _]) if *open == quote => inside,
                (_, bare) => bare,
            }
        } else {
            text
        };
        Ok(self.dialect.nulls.iter().all(|null| null != name))
    }

    /// Appends the cell of null.
    pub(super) fn push_null(&self, rows: &mut Vec<u8>, first: bool) -> CellRefusal {
        let null = self.dialect.nulls.first().map_or(b"".as_slice(), Vec::as_slice);
        if self.dialect.escape.is_none() {
            return self.push(rows, null, first);
        }
        if !first {
            rows.extend_from_slice(&self.dialect.delimiter);
        }
        rows.extend_from_slice(null);
        Ok(())
    }

    /// Ends the row that began at `start`; one that is empty gets quotes, so that it is no blank
    /// line.
    pub(super) fn end_row(&self, rows: &mut Vec<u8>, start: usize) -> CellRefusal {
        if rows.len() == start {
            let Some(quote) = self.dialect.quote else {
                return Err("without quotes, a row of one empty value is a blank line".into());
            };
            rows.extend([quote, quote]);
        }
        rows.push(b'\n');
        Ok(())
    }

    /// Whether the name of null reads back where there are escapes, which it may hold.
    fn holds(&self, null: &[u8]) -> bool {
        if self.dialect.escape.is_none() {
            return true;
        }
        let row = [null, &self.dialect.delimiter, null, b"\n"].concat();
        let mut same = 0;
        Scanner::new(&self.dialect).split(&row, true, |_, field| {
            same += u8::from(field.raw == null);
        });
        same == 2 && null.first().copied() != self.dialect.quote
    }

    /// Whether a row that begins with this text would be taken for something else: a byte order
    /// mark at the very start for the file's, `sep=;` for what Excel says, or a comment.
    fn begins_otherwise(&self, text: &[u8]) -> bool {
        let comment = &self.dialect.comment;
        text.starts_with(b"\xef\xbb\xbf")
            || text.len() <= SEP_BYTES
                && text.get(..4).is_some_and(|four| four.eq_ignore_ascii_case(b"sep="))
            || !comment.is_empty()
                && !text.is_empty()
                && (text.starts_with(comment) || comment.starts_with(text))
    }

    /// Whether text would not read back as it stands.
    fn is_special(&self, text: &[u8], first: bool) -> bool {
        let Dialect { delimiter, quote, escape, trim, .. } = &self.dialect;
        let mark =
            |b: &u8| matches!(*b, b'\r' | b'\n') || Some(*b) == *quote || Some(*b) == *escape;
        let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
        // The delimiter behind it counts too: a text may end as that begins.
        let delimited = || {
            let text = [text, delimiter].concat();
            memchr::memmem::find(&text, delimiter) != Some(text.len() - delimiter.len())
        };
        text.iter().any(mark)
            || first && self.begins_otherwise(text)
            || *trim && (blank(text.first()) || blank(text.last()))
            || delimited()
    }

    fn push_quoted(&self, rows: &mut Vec<u8>, text: &[u8], quote: u8) -> CellRefusal {
        let escape = self.dialect.escape;
        let one_line = self.dialect.one_line();
        rows.push(quote);
        for &byte in text {
            let breaks = one_line && matches!(byte, b'\r' | b'\n');
            if byte == quote || Some(byte) == escape {
                rows.push(escape.unwrap_or(quote));
            } else if let (true, Some(escape)) = (breaks, escape) {
                rows.push(escape);
            } else if breaks {
                return Err(
                    "a value holds a line end, which tabs allow only with quote=\" (to be \
                            said when reading too), escape=\\ or another delim="
                        .into(),
                );
            }
            rows.push(byte);
        }
        rows.push(quote);
        Ok(())
    }

    fn push_escaped(&self, rows: &mut Vec<u8>, text: &[u8], escape: u8, first: bool) {
        let begins = first && self.begins_otherwise(text);
        for (at, &byte) in text.iter().enumerate() {
            let outer = at == 0 || at + 1 == text.len();
            if matches!(byte, b'\r' | b'\n')
                || byte == escape
                || self.dialect.delimiter.contains(&byte)
                || self.dialect.trim && outer && matches!(byte, b' ' | b'\t')
                || begins && at == 0
            {
                rows.push(escape);
            }
            rows.push(byte);
        }
    }
}

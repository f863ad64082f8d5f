//! One row of CSV in any dialect: where its fields are, as in [`row`](super::row), which is faster
//! and knows the usual dialects only. It reads nothing and knows no JSON.
//!
//! (The `csv` crate, which is twice as fast as this and half as fast as the other, says nothing of
//! quotes that are not in order, keeps a row that never ends in memory, knows escapes within quotes
//! only, and neither blanks around these nor delimiters of several characters.)

use super::Dialect;
use super::row::{Classes, Coded, Field, Quotes, Row, is_plain, split};

/// Tells where the fields of rows are, in one dialect.
pub(super) struct Scanner {
    rules: Rules,
    /// For the usual dialects.
    usual: Option<(u8, Classes)>,
}

/// What the rows of a dialect are made of.
struct Rules {
    delimiter: Vec<u8>,
    quote: Option<u8>,
    escape: Option<u8>,
    comment: Vec<u8>,
    trim: bool,
    quotes: Quotes,
}

impl Scanner {
    pub(super) fn new(dialect: &Dialect) -> Scanner {
        let rules = Rules {
            delimiter: dialect.delimiter.clone(),
            quote: dialect.quote,
            escape: dialect.escape,
            comment: dialect.comment.clone(),
            trim: dialect.trim,
            quotes: Quotes { lax: dialect.lax, one_line: dialect.one_line() },
        };
        let usual = match rules.delimiter.as_slice() {
            [byte] if rules.quote == Some(b'"') && rules.escape.is_none() && !rules.trim => {
                Some((*byte, Classes::new(*byte)))
            }
            _ => None,
        };
        Scanner { rules, usual }
    }

    /// Finds the fields of the row at the start of `text`, and shows each with its number. `whole`
    /// says that nothing comes after `text`. A comment is a blank row.
    #[inline]
    pub(super) fn split<'a>(
        &self,
        text: &'a [u8],
        whole: bool,
        field: impl FnMut(usize, Field<'a>),
    ) -> Row {
        let rules = &self.rules;
        if !rules.comment.is_empty() {
            if text.starts_with(&rules.comment) {
                return pass_line(text, whole);
            }
            if !whole && rules.comment.starts_with(text) {
                return Row::Cut;
            }
        }
        match &self.usual {
            Some((delimiter, classes)) => {
                split(text, *delimiter, classes, whole, rules.quotes, field)
            }
            None => rules.split(text, whole, field),
        }
    }
}

/// Passes over the line at the start of `text`.
fn pass_line(text: &[u8], whole: bool) -> Row {
    match line_end(text, whole) {
        Some(end) => Row::Whole { end, fields: 0, breaks: 1, blank: true },
        None => Row::Cut,
    }
}

/// The place behind the end of the line at the start of `text`: LF, CRLF, CR, or the end of all.
/// None when it is not known yet.
pub(super) fn line_end(text: &[u8], whole: bool) -> Option<usize> {
    match memchr::memchr2(b'\n', b'\r', text) {
        Some(at) => break_end(text, at, whole),
        None => whole.then_some(text.len()),
    }
}

/// The place behind the line end at `at`.
fn break_end(text: &[u8], at: usize, whole: bool) -> Option<usize> {
    match (text[at], text.get(at + 1)) {
        (b'\r', Some(b'\n')) => Some(at + 2),
        (b'\r', None) if !whole => None,
        _ => Some(at + 1),
    }
}

/// What was found of a field: its text and the place behind it.
struct Found<'a> {
    raw: &'a [u8],
    coded: Coded,
    end: usize,
}

impl Rules {
    fn split<'a>(
        &self,
        text: &'a [u8],
        whole: bool,
        mut field: impl FnMut(usize, Field<'a>),
    ) -> Row {
        let (mut at, mut fields, mut breaks) = (0, 0, 1);
        let mut blank = true;
        loop {
            at = self.pass_blanks(text, at);
            let quoted = self.quote.is_some() && text.get(at).copied() == self.quote;
            let found =
                if quoted { self.quoted(text, at, whole) } else { self.bare(text, at, whole) };
            let Found { raw, coded, end } = match found {
                Ok(found) => found,
                Err(row) => return row,
            };
            breaks += memchr::memchr_iter(b'\n', &text[at..end]).count() as u64;
            let plain = coded == Coded::No && is_plain(raw);
            field(fields, Field { raw, coded, plain });
            blank &= fields == 0 && !quoted && raw.is_empty();
            fields += 1;
            at = end;
            if !text[at..].starts_with(&self.delimiter) {
                break;
            }
            at += self.delimiter.len();
        }
        let end = match at == text.len() {
            true => Some(at),
            false => break_end(text, at, whole),
        };
        match end {
            Some(end) => Row::Whole { end, fields, breaks, blank },
            None => Row::Cut,
        }
    }

    /// Whether a field can end at `at`, for there is a delimiter, a line end, or the end of all.
    /// None when it is not known yet.
    fn ends(&self, text: &[u8], at: usize, whole: bool) -> Option<bool> {
        let rest = &text[at..];
        match rest.first() {
            None => whole.then_some(true),
            Some(b'\n' | b'\r') => Some(true),
            Some(_) if rest.starts_with(&self.delimiter) => Some(true),
            Some(_) if !whole && self.delimiter.starts_with(rest) => None,
            Some(_) => Some(false),
        }
    }

    /// The place of the first byte from `at` on that is no blank to be dropped.
    fn pass_blanks(&self, text: &[u8], mut at: usize) -> usize {
        if self.trim {
            while matches!(text.get(at), Some(b' ' | b'\t'))
                && !text[at..].starts_with(&self.delimiter)
            {
                at += 1;
            }
        }
        at
    }

    /// The field without quotes that begins at `start`.
    fn bare<'a>(&self, text: &'a [u8], start: usize, whole: bool) -> Result<Found<'a>, Row> {
        // Up to where nothing may be dropped at the end.
        let (mut at, mut kept) = (start, start);
        loop {
            let Some(&byte) = text.get(at) else {
                if whole {
                    break;
                }
                return Err(Row::Cut);
            };
            if Some(byte) == self.escape {
                at = Rules::escaped(text, at, whole)?;
                kept = at;
            } else if byte == b'\n'
                || byte == b'\r'
                || byte == self.delimiter[0] && text[at..].starts_with(&self.delimiter)
            {
                break;
            } else {
                at += 1;
            }
        }
        let mut end = at;
        while self.trim && end > kept && matches!(text[end - 1], b' ' | b'\t') {
            end -= 1;
        }
        let coded = if kept > start { Coded::Escaped } else { Coded::No };
        Ok(Found { raw: &text[start..end], coded, end: at })
    }

    /// The place behind the escape at `at` and the byte that it is for.
    fn escaped(text: &[u8], at: usize, whole: bool) -> Result<usize, Row> {
        match text.get(at + 1) {
            Some(_) => Ok(at + 2),
            None if whole => Err(Row::Dangling),
            None => Err(Row::Cut),
        }
    }

    /// The quoted field whose opening quote is at `open`.
    fn quoted<'a>(&self, text: &'a [u8], open: usize, whole: bool) -> Result<Found<'a>, Row> {
        let quote = text[open];
        let mut coded = Coded::No;
        let mut from = open + 1;
        let close = loop {
            let rest = &text[from..];
            let found = match self.escape {
                Some(escape) => memchr::memchr2(quote, escape, rest),
                None => memchr::memchr(quote, rest),
            };
            let between = &rest[..found.unwrap_or(rest.len())];
            if self.quotes.one_line && memchr::memchr2(b'\n', b'\r', between).is_some() {
                return Err(Row::Unclosed { quote: open });
            }
            let at = match found {
                Some(found) => from + found,
                None if whole => return Err(Row::Unclosed { quote: open }),
                None => return Err(Row::Cut),
            };
            if text[at] != quote {
                from = match Rules::escaped(text, at, whole) {
                    Err(Row::Dangling) => return Err(Row::Unclosed { quote: open }),
                    end => end?,
                };
            } else if text.get(at + 1) == Some(&quote) {
                from = at + 2;
            } else {
                break at;
            }
            coded = Coded::Quoted;
        };
        let end = self.pass_blanks(text, close + 1);
        match self.ends(text, end, whole) {
            Some(true) => Ok(Found { raw: &text[open + 1..close], coded, end }),
            None => Err(Row::Cut),
            // What follows belongs to the field, up to its end; quotes in it are plain text.
            Some(false) if self.quotes.lax => {
                let Found { raw, end, .. } = self.bare(text, close + 1, whole)?;
                let raw = &text[open + 1..close + 1 + raw.len()];
                Ok(Found { raw, coded: Coded::Quoted, end })
            }
            Some(false) => Err(Row::Stray { quote: close }),
        }
    }
}

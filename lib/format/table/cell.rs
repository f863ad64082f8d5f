//! A cell of a table: what a value looks like.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use crate::record::text::string_bytes;

/// From here on a double has no fraction.
const LEAST_WHOLE: f64 = 9_007_199_254_740_992.0;

/// What a value looks like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    /// Its text, on one line.
    pub(super) text: String,
    /// How many columns of a terminal that takes.
    pub(super) width: usize,
    /// Whether it says anything of what its column holds.
    pub(super) kind: CellKind,
}

/// What a cell says of what its column holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum CellKind {
    /// Nothing: there is nothing in it, or null.
    #[default]
    Unknown,
    Number,
    Text,
}

impl Cell {
    /// The cell of a JSON value: a string without its quotes, anything else as it is written, a
    /// number with so many `digits` behind its point.
    pub(super) fn of(value: &[u8], digits: Option<usize>) -> Cell {
        let (text, kind) = match value.first() {
            Some(b'"') => (string_bytes(value), None),
            Some(b'n') => (Cow::Borrowed(value), Some(CellKind::Unknown)),
            _ => (Cow::Borrowed(value), None),
        };
        let text = String::from_utf8_lossy(&text);
        let kind = kind.unwrap_or_else(|| match text.as_ref() {
            "" => CellKind::Unknown,
            text if is_number(text) => CellKind::Number,
            _ => CellKind::Text,
        });
        let rounded = digits.filter(|_| kind == CellKind::Number).and_then(|n| round(&text, n));
        let text = rounded.unwrap_or_else(|| shown(&text).into_owned());
        Cell { width: text.width(), text, kind }
    }

    /// The cell of a text that may be shown.
    pub(super) fn text(text: &str) -> Cell {
        Cell { width: text.width(), text: text.to_string(), kind: CellKind::Text }
    }
}

/// A number with a fraction, to so many digits behind its point; none for others, and for those
/// that are too large to have any.
fn round(number: &str, digits: usize) -> Option<String> {
    let value: f64 = number.parse().ok()?;
    let fits = number.contains(['.', 'e', 'E']) && value.abs() < LEAST_WHOLE;
    fits.then(|| format!("{value:.digits$}"))
}

/// Whether a text is a number, as a person writes it.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && digits.parse::<f64>().is_ok()
}

/// A text on one line, with no character that a terminal obeys: such are escaped as in JSON.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            // Writing to a string does not fail.
            c if obeyed(c) => _ = write!(shown, "\\u{:04x}", u32::from(c)),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_text() {
        let kind = |value: &str| Cell::of(value.as_bytes(), None).kind;
        for number in ["1", "-1.5e3", "\"12\"", "\"+.5\"", "\"1e400\""] {
            assert_eq!(kind(number), CellKind::Number, "{number}");
        }
        for text in
            ["true", "\"inf\"", "\"-inf\"", "\"nan\"", "\"1 2\"", "[1]", "{}", "\"-\"", "\"1,5\""]
        {
            assert_eq!(kind(text), CellKind::Text, "{text}");
        }
        assert_eq!([kind("null"), kind("\"\"")], [CellKind::Unknown; 2]);
    }
}

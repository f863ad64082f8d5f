//! One row of CSV: where its fields are. Bytes in, places out; it reads nothing and knows no JSON.
//!
//! This is for the usual dialects, which differ but in the delimiter, one byte.

/// What bytes mean outside quotes, for one delimiter.
pub(super) struct Classes([u8; 256]);

const PLAIN: u8 = 0;
/// Has to be escaped in JSON: a control character, a quote, a backslash.
const ESCAPED: u8 = 1;
/// Ends a field: the delimiter, CR, LF.
const END: u8 = 2;

impl Classes {
    pub(super) fn new(delimiter: u8) -> Classes {
        let mut classes = [PLAIN; 256];
        classes[..0x20].fill(ESCAPED);
        for byte in b"\"\\" {
            classes[usize::from(*byte)] = ESCAPED;
        }
        for byte in [delimiter, b'\r', b'\n'] {
            classes[usize::from(byte)] = END;
        }
        Classes(classes)
    }
}

/// Whether a field's text goes into a JSON string as it is.
pub(super) fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|&b| b >= 0x20 && b != b'"' && b != b'\\')
}

/// One field of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    /// Its text as it stands, without the quotes around it.
    pub(super) raw: &'a [u8],
    /// Whether its text is not what it stands for.
    pub(super) coded: Coded,
    /// Whether its text goes into a JSON string as it is.
    pub(super) plain: bool,
}

/// How the text of a field differs from what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coded {
    /// Not at all.
    No,
    /// It is quoted, and holds quotes (and escapes, where there are such).
    Quoted,
    /// It holds escapes.
    Escaped,
}

/// What quotes of a dialect may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quotes {
    /// Whether text may follow those that close.
    pub(super) lax: bool,
    /// Whether they must close in the line that they open in.
    pub(super) one_line: bool,
}

/// How a row ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// There are so many fields; the next row begins at `end`; `breaks` line ends are in it.
    Whole { end: usize, fields: usize, breaks: u64, blank: bool },
    /// The text ends before the row does.
    Cut,
    /// The text, which is all there is, ends inside the quotes that open at `quote`; or their line
    /// does, where they must close in it.
    Unclosed { quote: usize },
    /// Something follows the quote at `quote`, which closes a field.
    Stray { quote: usize },
    /// The text, which is all there is, ends with an escape.
    Dangling,
}

/// Finds the fields of the row at the start of `text`, and shows each with its number. `whole`
/// says that nothing comes after `text`.
#[inline]
pub(super) fn split<'a>(
    text: &'a [u8],
    delimiter: u8,
    classes: &Classes,
    whole: bool,
    quotes: Quotes,
    mut field: impl FnMut(usize, Field<'a>),
) -> Row {
    let (mut at, mut fields, mut breaks) = (0, 0, 1);
    loop {
        if text.get(at) == Some(&b'"') {
            match quoted(text, at, delimiter, whole, quotes.lax) {
                Err(Row::Cut) if quotes.one_line && is_broken(&text[at..]) => {
                    return Row::Unclosed { quote: at };
                }
                Ok((raw, ..)) if quotes.one_line && is_broken(raw) => {
                    return Row::Unclosed { quote: at };
                }
                Ok((raw, coded, end)) => {
                    breaks += memchr::memchr_iter(b'\n', raw).count() as u64;
                    let plain = coded == Coded::No && is_plain(raw);
                    field(fields, Field { raw, coded, plain });
                    at = end;
                }
                Err(row) => return row,
            }
        } else {
            let start = at;
            let mut plain = true;
            while let Some(&byte) = text.get(at) {
                match classes.0[usize::from(byte)] {
                    PLAIN => at += 1,
                    ESCAPED => {
                        plain = false;
                        at += 1;
                    }
                    _ => break,
                }
            }
            if at == text.len() && !whole {
                return Row::Cut;
            }
            field(fields, Field { raw: &text[start..at], coded: Coded::No, plain });
        }
        fields += 1;
        let end = match (text.get(at), text.get(at + 1)) {
            (Some(&byte), _) if byte == delimiter => {
                at += 1;
                continue;
            }
            (Some(b'\r'), Some(b'\n')) => at + 2,
            (Some(b'\r'), None) if !whole => return Row::Cut,
            (Some(_), _) => at + 1,
            (None, _) => at,
        };
        let blank = matches!(text.first(), Some(b'\n' | b'\r'));
        return Row::Whole { end, fields, breaks, blank };
    }
}

/// Whether there is a line end in some text.
fn is_broken(text: &[u8]) -> bool {
    memchr::memchr2(b'\n', b'\r', text).is_some()
}

/// The quoted field whose opening quote is at `open`: its text, whether there are quotes in it, and
/// the place behind it.
fn quoted(
    text: &[u8],
    open: usize,
    delimiter: u8,
    whole: bool,
    lax: bool,
) -> Result<(&[u8], Coded, usize), Row> {
    let mut coded = Coded::No;
    let mut from = open + 1;
    loop {
        let Some(quote) = memchr::memchr(b'"', &text[from..]).map(|n| from + n) else {
            return Err(if whole { Row::Unclosed { quote: open } } else { Row::Cut });
        };
        match text.get(quote + 1) {
            Some(b'"') => {
                coded = Coded::Quoted;
                from = quote + 2;
            }
            None if !whole => return Err(Row::Cut),
            Some(&byte) if byte != delimiter && byte != b'\n' && byte != b'\r' => {
                if !lax {
                    return Err(Row::Stray { quote });
                }
                // What follows belongs to the field, up to its end; quotes in it are plain text.
                let stop = |b: &u8| *b == delimiter || *b == b'\n' || *b == b'\r';
                let rest = &text[quote + 1..];
                return match rest.iter().position(stop) {
                    None if !whole => Err(Row::Cut),
                    found => {
                        let end = quote + 1 + found.unwrap_or(rest.len());
                        Ok((&text[open + 1..end], Coded::Quoted, end))
                    }
                };
            }
            _ => return Ok((&text[open + 1..quote], coded, quote + 1)),
        }
    }
}

/// What begins and ends a quoted field, and what takes its meaning from the byte behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    pub(super) quote: Option<u8>,
    pub(super) escape: Option<u8>,
}

/// Appends what the text of a field that is `coded` stands for. In a quoted field a doubled quote
/// is one; a single one ended the quoted part under `lax` reading: it is dropped, and what follows
/// it is no longer quoted.
pub(super) fn decode(raw: &[u8], coded: Coded, marks: Marks, out: &mut Vec<u8>) {
    let mut quote = if coded == Coded::Quoted { marks.quote } else { None };
    let mut rest = raw;
    loop {
        let found = match (quote, marks.escape) {
            (Some(quote), Some(escape)) => memchr::memchr2(quote, escape, rest),
            (Some(byte), None) | (None, Some(byte)) => memchr::memchr(byte, rest),
            (None, None) => None,
        };
        let Some(at) = found else { break };
        out.extend_from_slice(&rest[..at]);
        let next = rest.get(at + 1).copied();
        if Some(rest[at]) == marks.escape || next == quote {
            out.extend(next);
            rest = rest.get(at + 2..).unwrap_or_default();
        } else {
            quote = None;
            rest = &rest[at + 1..];
        }
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str, whole: bool, lax: bool) -> (Vec<String>, Row) {
        let mut all = Vec::new();
        let quotes = Quotes { lax, one_line: false };
        let row = split(text.as_bytes(), b',', &Classes::new(b','), whole, quotes, |_, field| {
            let mut bytes = Vec::new();
            let marks = Marks { quote: Some(b'"'), escape: None };
            decode(field.raw, field.coded, marks, &mut bytes);
            all.push(String::from_utf8(bytes).unwrap());
        });
        (all, row)
    }

    #[test]
    fn rows_end_at_lf_crlf_cr_or_the_end() {
        for (text, end) in [("a,,b\nx", 5), ("a,,b\r\nx", 6), ("a,,b\rx", 5), ("a,,b", 4)] {
            let (all, row) = fields(text, true, false);
            assert_eq!(all, ["a", "", "b"]);
            assert_eq!(row, Row::Whole { end, fields: 3, breaks: 1, blank: false });
        }
        assert_eq!(fields("a,b", false, false).1, Row::Cut);
        assert_eq!(fields("a\r", false, false).1, Row::Cut);
    }

    #[test]
    fn quotes_hold_anything() {
        let (all, row) = fields("\"a,\"\"b\"\"\n\",x\"y,\"\"\n", true, false);
        assert_eq!(all, ["a,\"b\"\n", "x\"y", ""]);
        assert_eq!(row, Row::Whole { end: 18, fields: 3, breaks: 2, blank: false });
        assert_eq!(fields("1,\"a\n\"\"b\n", true, false).1, Row::Unclosed { quote: 2 });
        assert_eq!(fields("1,\"a\"b\n", true, false).1, Row::Stray { quote: 4 });
        assert_eq!(fields("1,\"a\"\"b\"c\"d\",e\n", true, true).0, ["1", "a\"bc\"d\"", "e"]);
    }

    #[test]
    fn a_blank_line_is_no_row() {
        let blank = |text| matches!(fields(text, true, false).1, Row::Whole { blank: true, .. });
        assert!(blank("\n") && blank("\r\n") && blank("\r"));
        assert!(!blank("\"\"\n") && !blank(",\n") && !blank(" \n"));
    }
}

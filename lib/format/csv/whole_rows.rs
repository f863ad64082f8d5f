//! Where rows end, told by quotes and line ends alone: as long as these stand where they should, which they mostly do.

/// Whole rows at the start of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WholeRows {
    /// Where the last of them ends.
    pub(super) end: usize,
    /// How many they are.
    pub(super) rows: u64,
    /// How many lines.
    pub(super) lines: u64,
    /// Whether each is a line without quotes that ends with LF alone.
    pub(super) are_lines: bool,
}

/// The rows that `text` begins with, whose fields are parted by `delimiter` and may stand in quotes, in which a quote
/// is written twice. `None` where it begins none, and where only a closer look tells what is one: of quotes in the
/// middle of fields, of lines without rows, and of a CR alone.
pub(super) fn whole_rows(text: &[u8], delimiter: u8) -> Option<WholeRows> {
    // Line ends in quotes, so far and up to the last row's end.
    let (mut inner, mut inner_before_end) = (0, 0);
    let (mut from, mut end, mut are_lines) = (0, 0, true);
    loop {
        let open = memchr::memchr(b'"', &text[from..]).map(|at| from + at);
        let outside = &text[from..open.unwrap_or(text.len())];
        if let Some(last) = memchr::memrchr(b'\n', outside) {
            are_lines &= memchr::memchr(b'\r', &outside[..last]).is_none();
            if has_blank_lines(outside, from == 0) || !are_lines && has_lone_cr(&outside[..=last]) {
                return None;
            }
            (end, inner_before_end) = (from + last + 1, inner);
        }
        let Some(open) = open else { break };
        are_lines = false;
        if open > 0 && text[open - 1] != delimiter && text[open - 1] != b'\n' {
            return None;
        }
        let Some(close) = closing_quote(text, open) else { break };
        if text[close + 1] != delimiter && !matches!(text[close + 1], b'\n' | b'\r') {
            return None;
        }
        inner += lines(&text[open..close]);
        from = close + 1;
    }
    let lines = lines(&text[..end]);
    (end > 0).then_some(WholeRows { end, rows: lines - inner_before_end, lines, are_lines })
}

/// Whether lines of `text` are empty: only such as begin in it, and the first if it `begins` with one.
fn has_blank_lines(text: &[u8], begins: bool) -> bool {
    // No look at one ends the search, so that many are compared at once.
    let two = text.iter().zip(text.get(1..).unwrap_or_default());
    let has_two = two.fold(false, |found, (a, b)| found | ((*a == b'\n') & (*b == b'\n')));
    let is_blank = |cr: usize| {
        let before = cr.checked_sub(1).map(|before| text[before]);
        text.get(cr + 1) == Some(&b'\n') && before.map_or(begins, |byte| byte == b'\n')
    };
    has_two || begins && text.starts_with(b"\n") || memchr::memchr_iter(b'\r', text).any(is_blank)
}

/// Whether a CR in `text` stands without an LF behind it.
fn has_lone_cr(text: &[u8]) -> bool {
    memchr::memchr_iter(b'\r', text).any(|at| text.get(at + 1) != Some(&b'\n'))
}

/// The quote that closes the one at `open`, if it and a byte behind it are there.
fn closing_quote(text: &[u8], open: usize) -> Option<usize> {
    let mut from = open + 1;
    loop {
        let at = from + memchr::memchr(b'"', &text[from..])?;
        match text.get(at + 1)? {
            b'"' => from = at + 2,
            _ => return Some(at),
        }
    }
}

fn lines(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(usize, u64, u64, bool)> {
        whole_rows(text.as_bytes(), b',').map(|w| (w.end, w.rows, w.lines, w.are_lines))
    }

    #[test]
    fn rows_end_where_line_ends_stand_outside_of_quotes() {
        assert_eq!(found("a,b\nc\nd"), Some((6, 2, 2, true)));
        assert_eq!(found("a,b\r\nc,\r\n"), Some((9, 2, 2, false)));
        assert_eq!(found("a,\"b\n\"\"c\"\n\"\"\nd\n\"e\n"), Some((15, 3, 4, false)));
        assert_eq!(found("\"a\n\n\rb\"\r\nc\r"), Some((9, 1, 3, false)));
        assert_eq!(found("\"a\"\n\"b\"\"\n"), Some((4, 1, 1, false)));
        assert_eq!(found("\"a\"\n\"b\""), Some((4, 1, 1, false)));
    }

    #[test]
    fn what_needs_a_closer_look_is_not_told() {
        for text in [
            "",
            "a",
            "a\"b\nc,\"\n",
            "\"a\nb",
            "a\"\nb\n",
            "\"a\"b\n",
            "\na\n",
            "a\n\nb\n",
            "a\r\n\r\n",
            "a\rb\n",
        ] {
            assert_eq!(found(text), None, "{text:?}");
        }
    }
}

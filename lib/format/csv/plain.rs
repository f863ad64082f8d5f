//! Rows whose fields go into JSON strings as they stand, which most rows are: told and copied eight bytes
//! at a time. Whatever else a row may be is left to [`row`](super::row).

use super::Dialect;
use super::layout::{RecordLayout, Values};
use crate::record::wide::{CopiedText, copy_text};

/// What parts the fields of rows, where line ends and quotes alone tell what is one; none where the dialect wants a
/// closer look.
pub(super) fn usual_delimiter(dialect: &Dialect) -> Option<u8> {
    let usual = dialect.quote == Some(b'"')
        && dialect.escape.is_none()
        && dialect.comment.is_empty()
        && !dialect.trim;
    match dialect.delimiter.as_slice() {
        [delimiter] if usual => Some(*delimiter),
        _ => None,
    }
}

/// What parts the fields of rows that go into records of this layout as they stand; none where the dialect wants a
/// closer look at every row.
pub(super) fn plain_delimiter(dialect: &Dialect, layout: &RecordLayout) -> Option<u8> {
    let are_text = Values::of(dialect).are_text() && layout.taken.is_none();
    usual_delimiter(dialect).filter(|_| are_text)
}

/// How many bytes of records are made at once: they stay in the fastest cache.
const ROOM_BYTES: usize = 16 * 1024;

/// Converts plain rows of one file.
pub(super) struct PlainRows {
    delimiter: u8,
    /// What stands before the text of each field: the quote that closes the one before, too.
    before: Vec<CopiedText>,
    behind: CopiedText,
    /// A row and a record may be so long.
    max_record: usize,
    room: Vec<u8>,
}

/// Rows that were converted: so many, up to byte `end`.
pub(super) struct Converted<'a> {
    pub(super) end: usize,
    pub(super) rows: u64,
    pub(super) records: &'a [u8],
}

impl PlainRows {
    /// For records of this layout, if it knows such.
    pub(super) fn new(
        dialect: &Dialect,
        layout: &RecordLayout,
        max_record: usize,
    ) -> Option<PlainRows> {
        let delimiter = plain_delimiter(dialect, layout)?;
        let closed = |(number, before): (usize, &Vec<u8>)| match number {
            0 => CopiedText::new(before),
            _ => CopiedText::new(&[b"\"", before.as_slice()].concat()),
        };
        Some(PlainRows {
            delimiter,
            before: layout.before.iter().enumerate().map(closed).collect(),
            behind: CopiedText::new(&[b"\"", layout.behind].concat()),
            max_record,
            room: vec![0; ROOM_BYTES],
        })
    }

    /// Converts rows at the start of `text`, which is UTF-8: those that begin before `until`, up to one that
    /// is not plain or not whole, or as many as there is room for.
    pub(super) fn convert(&mut self, text: &[u8], until: u64) -> Converted<'_> {
        let mut room = std::mem::take(&mut self.room);
        let (mut end, mut rows, mut made) = (0, 0, 0);
        while (end as u64) < until
            && let Some((at, to)) = self.row(text, end, &mut room, made)
            && (at - end).max(to - made) <= self.max_record
        {
            (end, rows, made) = (at, rows + 1, to);
        }
        self.room = room;
        Converted { end, rows, records: &self.room[..made] }
    }

    /// Converts the row at byte `at` of `text`; its record begins at byte `to` of `room`. Where both end, or
    /// `None` of one that is not plain.
    #[inline(always)]
    fn row(
        &self,
        text: &[u8],
        mut at: usize,
        room: &mut [u8],
        mut to: usize,
    ) -> Option<(usize, usize)> {
        // A blank line is no row.
        if text.get(at) == Some(&b'\n') || text.get(at) == Some(&b'\r') {
            return None;
        }
        let mut left = self.before.len();
        for before in &self.before {
            left -= 1;
            to = before.copy(room, to)?;
            let quoted = text.get(at) == Some(&b'"');
            at += usize::from(quoted);
            let mark = if quoted { b'"' } else { self.delimiter };
            let length = copy_text(text, at, mark, room, to)?;
            at += length;
            to += length;
            if quoted {
                if text.get(at) != Some(&b'"') {
                    return None;
                }
                at += 1;
            }
            at += match (text.get(at)?, text.get(at + 1)) {
                (byte, _) if *byte == self.delimiter && left > 0 => 1,
                (b'\n', _) if left == 0 => 1,
                (b'\r', Some(b'\n')) if left == 0 => 2,
                _ => return None,
            };
        }
        Some((at, self.behind.copy(room, to)?))
    }
}

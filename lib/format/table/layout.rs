//! How wide the columns of a table are, and the lines that come of it.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::cell::{Cell, CellKind};

/// What stands between two columns.
const GAP: &str = "  ";

/// Text is not cut to less than this.
pub(super) const LEAST_WIDTH: usize = 8;

/// What stands where text was cut.
const CUT: &str = "…";

/// A column.
#[derive(Clone, Debug)]
pub(super) struct Column {
    name: String,
    width: usize,
    numbers: bool,
    text: bool,
}

impl Column {
    /// A column that is called so.
    pub(super) fn new(name: String) -> Column {
        Column { width: name.width(), name, numbers: false, text: false }
    }

    /// What it is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Takes note of a cell in it.
    pub(super) fn take(&mut self, cell: &Cell) {
        self.width = self.width.max(cell.width);
        self.numbers |= cell.kind == CellKind::Number;
        self.text |= cell.kind == CellKind::Text;
    }

    /// Whether there are but numbers in it, which stand to the right and are not cut.
    fn is_numbers(&self) -> bool {
        self.numbers && !self.text
    }

    fn width_within(&self, most: usize) -> usize {
        if self.is_numbers() { self.width } else { self.width.min(most) }
    }
}

/// Makes columns of text narrower, the widest first, until lines fit in `width`, as far as that
/// goes.
pub(super) fn fit(columns: &mut [Column], width: usize) {
    let gaps = GAP.len() * columns.len().saturating_sub(1);
    let total = |most: usize| -> usize {
        columns.iter().map(|column| column.width_within(most)).fold(gaps, usize::saturating_add)
    };
    let (mut fits, mut too_wide) =
        (LEAST_WIDTH, columns.iter().map(|c| c.width).max().unwrap_or(0));
    if total(too_wide) <= width {
        return;
    }
    while fits + 1 < too_wide {
        let middle = fits + (too_wide - fits) / 2;
        if total(middle) <= width { fits = middle } else { too_wide = middle }
    }
    for column in columns {
        column.width = column.width_within(fits);
    }
}

/// Appends the line of a row: a cell for each column.
pub(super) fn push_line(columns: &[Column], row: &[Cell], out: &mut Vec<u8>) {
    let start = out.len();
    for (number, (column, cell)) in columns.iter().zip(row).enumerate() {
        if number > 0 {
            out.extend_from_slice(GAP.as_bytes());
        }
        let before = out.len();
        let width = if cell.width > column.width {
            push_cut(&cell.text, column.width, out)
        } else {
            out.extend_from_slice(cell.text.as_bytes());
            cell.width
        };
        let space = column.width.saturating_sub(width);
        let at = if column.is_numbers() { before } else { out.len() };
        out.splice(at..at, std::iter::repeat_n(b' ', space));
    }
    while out.len() > start && out.last() == Some(&b' ') {
        out.pop();
    }
    out.push(b'\n');
}

/// Appends as much of a text as fits in `width`, with a mark that it goes on; how wide that is.
fn push_cut(text: &str, width: usize, out: &mut Vec<u8>) -> usize {
    let room = width.saturating_sub(CUT.width());
    let mut taken = 0;
    let fits = |&(_, c): &(usize, char)| {
        taken += c.width().unwrap_or(0);
        taken <= room
    };
    let end = text.char_indices().take_while(fits).last().map_or(0, |(at, c)| at + c.len_utf8());
    let mut shown = &text[..end];
    // Characters that are joined may be wider than each of them.
    while shown.width() > room {
        shown = shown.char_indices().next_back().map_or("", |(at, _)| &shown[..at]);
    }
    out.extend_from_slice(shown.as_bytes());
    out.extend_from_slice(CUT.as_bytes());
    shown.width() + CUT.width()
}

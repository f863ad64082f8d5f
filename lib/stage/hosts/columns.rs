//! A table for people: columns as wide as what stands in them.

use crate::record::harmless::is_harmless;

/// Lines of text in columns.
pub(super) struct Columns {
    to_the_right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Columns {
    /// A table with these heads; a `>` before a head puts its column to the right.
    pub(super) fn new(heads: &[&str]) -> Columns {
        let to_the_right = heads.iter().map(|head| head.starts_with('>')).collect();
        let heads = heads.iter().map(|head| head.trim_start_matches('>').to_string()).collect();
        Columns { to_the_right, rows: vec![heads] }
    }

    /// Adds a row; what it lacks is `-`.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().map(|cell| printable(&cell)).collect();
        cells.resize(self.to_the_right.len(), "-".into());
        self.rows.push(cells);
    }

    /// The table.
    pub(super) fn text(&self) -> String {
        let count = |cell: &String| cell.chars().count();
        let widest = |column| self.rows.iter().map(|row| count(&row[column])).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.to_the_right.len()).map(widest).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, width), to_the_right) in row.iter().zip(&widths).zip(&self.to_the_right) {
                let gap = " ".repeat(width - count(cell));
                let (before, behind) =
                    if *to_the_right { (gap, "".into()) } else { ("".into(), gap) };
                line.push_str(&format!("{before}{cell}{behind}  "));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// `text`, so that it can neither break the line nor speak to a terminal.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmless(c) { shown.push(c) } else { shown.extend(c.escape_default()) }
    }
    shown
}

/// A number of bytes in few digits: `640K`, `15.6G`.
pub(super) fn size(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, 0);
    let units = ["", "K", "M", "G", "T", "P", "E"];
    // What would round up to 1024 is the next unit's.
    while value >= 1023.5 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 || value >= 99.95 {
        format!("{value:.0}{}", units[unit])
    } else {
        format!("{value:.1}{}", units[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let mut columns = Columns::new(&["HOST", ">SLOTS", "ARCH"]);
        columns.row(["a\x1b[2J".into(), "4".into(), "x86_64".into()]);
        columns.row(["b".into()]);
        assert_eq!(
            columns.text(),
            "HOST        SLOTS  ARCH\na\\u{1b}[2J      4  x86_64\nb               -  -\n"
        );
    }

    #[test]
    fn sizes_have_few_digits() {
        for (bytes, shown) in [
            (0, "0"),
            (1023, "1023"),
            (1024, "1.0K"),
            (1 << 20, "1.0M"),
            ((1 << 20) - 1, "1.0M"),
            (16_750_000_000, "15.6G"),
            (640 << 10, "640K"),
            (u64::MAX, "16.0E"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }
}

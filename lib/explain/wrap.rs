//! Lines of at most so many columns.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

/// Appends `text` to `out` in lines that end at `width` at the latest, but for words that are longer.
/// The first line begins where `out` ends, in column `indent`, the others there as well, and those
/// after the first `hang` columns further on.
pub(super) fn wrap(text: &str, (indent, hang): (usize, usize), width: usize, out: &mut String) {
    let mut at = indent;
    let mut fresh = true;
    for word in text.split(' ') {
        let columns = word.width();
        if !fresh && at + 1 + columns > width {
            let begin = indent + hang;
            let _ = write!(out, "\n{:begin$}", "");
            (at, fresh) = (begin, true);
        }
        if !fresh {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at += columns;
        fresh = false;
    }
    out.push('\n');
}

/// Bytes for people: three digits, in powers of ten.
pub(super) fn size(bytes: u64) -> String {
    let units = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    // What rounds to a thousand is one of the next unit.
    match units.into_iter().find(|(_, unit)| bytes as f64 >= unit * 0.9995) {
        None if bytes == 1 => "1 byte".into(),
        None => format!("{bytes} bytes"),
        Some((name, unit)) => {
            let value = bytes as f64 / unit;
            match value {
                v if v < 9.95 => format!("{v:.1} {name}"),
                v => format!("{v:.0} {name}"),
            }
        }
    }
}

/// Bytes as an option would say them, where it can, or for people.
pub(super) fn said(bytes: u64) -> String {
    for (letter, shift) in [("G", 30), ("M", 20), ("K", 10)] {
        if bytes > 0 && bytes.is_multiple_of(1 << shift) && bytes >> shift < 10_000 {
            return format!("{}{letter}", bytes >> shift);
        }
    }
    size(bytes)
}

/// A number of things.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_time_and_hang() {
        let mut out = "12 ".to_string();
        wrap("aa bb cc dd", (3, 2), 9, &mut out);
        assert_eq!(out, "12 aa bb\n     cc\n     dd\n");
        let mut out = String::new();
        wrap("a-long-word b", (0, 0), 5, &mut out);
        assert_eq!(out, "a-long-word\nb\n");
    }

    #[test]
    fn sizes_have_three_digits() {
        let sizes = [0, 1, 999, 1000, 1234, 12_345, 999_499, 999_600, 67_108_864, 5 << 40];
        let shown = sizes.map(size);
        assert_eq!(shown[..6], ["0 bytes", "1 byte", "999 bytes", "1.0 kB", "1.2 kB", "12 kB"]);
        assert_eq!(shown[6..], ["999 kB", "1.0 MB", "67 MB", "5.5 TB"]);
        assert_eq!(
            [64 << 20, 3 << 30, 1000, 1536, 0].map(said),
            ["64M", "3G", "1.0 kB", "1.5 kB", "0 bytes"]
        );
    }
}

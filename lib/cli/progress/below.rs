//! A terminal for what is redrawn in place: it has its lines in memory, and puts them below the cursor of
//! the real one, where they are out of the way of all others.
//!
//! The cursor itself stays where it was, so what anybody writes meanwhile, a filter that is none of ours
//! or the shell, stands where it would stand without those lines, goes over them at worst, and is never
//! written over. Nothing needs to be known of it, of the size that the terminal had or of its own
//! wrapping: below the cursor everything goes, and is drawn anew.

use std::fmt::Write as _;
use std::io;
use std::sync::Mutex;

use indicatif::TermLike;
use unicode_width::UnicodeWidthChar;

use crate::cli::process::{self, WIPE};
use crate::parallel::lock;

/// The size of a terminal that does not say it.
const USUAL: (u16, u16) = (80, 24);

/// The least that is drawn on.
const LEAST_COLUMNS: u16 = 10;

/// How many columns and lines there are to draw on. The last column stays free: behind it terminals
/// differ.
pub(super) fn room() -> (u16, u16) {
    let size = terminal_size::terminal_size_of(std::io::stderr());
    let size = size.map_or(USUAL, |(columns, lines)| (columns.0, lines.0));
    let (columns, lines) =
        (if size.0 == 0 { USUAL.0 } else { size.0 }, if size.1 == 0 { USUAL.1 } else { size.1 });
    (columns.saturating_sub(1).max(LEAST_COLUMNS), lines.saturating_sub(1))
}

/// The terminal.
#[derive(Debug, Default)]
pub(super) struct Below(Mutex<Rows>);

/// Its lines, and where its cursor is in them.
#[derive(Debug, Default)]
struct Rows {
    rows: Vec<(String, usize)>,
    at: usize,
}

impl Rows {
    /// The line that the cursor is in.
    fn row(&mut self) -> &mut (String, usize) {
        if self.rows.len() <= self.at {
            self.rows.resize(self.at + 1, Default::default());
        }
        &mut self.rows[self.at]
    }

    /// Puts text behind what is there, as a terminal of so many columns would.
    fn put(&mut self, text: &str, columns: usize) {
        for c in text.chars().filter(|c| !c.is_control()) {
            let width = c.width().unwrap_or(0);
            if self.row().1 + width > columns {
                self.at += 1;
            }
            let (row, taken) = self.row();
            row.push(c);
            *taken += width;
        }
    }

    /// The lines up to the last with anything in it, as many as there is room for.
    fn shown(&self, lines: usize) -> Vec<&str> {
        let rows = self.rows.iter().map(|(row, _)| row.trim_end());
        let mut rows: Vec<&str> = rows.take(lines).collect();
        while rows.last().is_some_and(|row| row.is_empty()) {
            rows.pop();
        }
        rows
    }
}

/// What puts `lines` below the cursor: first it makes room for them, then it draws, and both times it
/// comes back.
fn frame(lines: &[&str]) -> Vec<u8> {
    if lines.is_empty() {
        return WIPE.to_vec();
    }
    let (count, mut text) = (lines.len(), String::new());
    // Down by lines without going to their begin, for somebody may be in the middle of one.
    let _ = write!(text, "\x1b[K{}\x1b[{count}A\x1b7", "\x1bD".repeat(count));
    for line in lines {
        let _ = write!(text, "\r\n{line}\x1b[K");
    }
    text.push_str("\x1b[J\x1b8");
    text.into_bytes()
}

impl TermLike for Below {
    fn width(&self) -> u16 {
        room().0
    }

    fn height(&self) -> u16 {
        room().1
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        let mut rows = lock(&self.0);
        rows.at = rows.at.saturating_sub(n);
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        lock(&self.0).at += n;
        Ok(())
    }

    // Lines are always written whole.
    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)?;
        lock(&self.0).at += 1;
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        lock(&self.0).put(text, usize::from(self.width()));
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        *lock(&self.0).row() = Default::default();
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let lines = usize::from(self.height());
        // In one piece, as what others write is: neither goes into the other.
        process::draw(&frame(&lock(&self.0).shown(lines)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_below_the_cursor_which_comes_back() {
        assert_eq!(frame(&[]), WIPE);
        assert_eq!(
            String::from_utf8(frame(&["one", "two"])).unwrap(),
            "\x1b[K\x1bD\x1bD\x1b[2A\x1b7\r\none\x1b[K\r\ntwo\x1b[K\x1b[J\x1b8"
        );
    }

    #[test]
    fn text_is_put_as_a_terminal_would() {
        let mut rows = Rows::default();
        rows.put("abc  ", 5);
        rows.put("d\x1b\u{4e2d}e", 5);
        rows.put("", 5);
        assert_eq!(rows.shown(9), ["abc", "d\u{4e2d}e"]);
        assert_eq!(rows.shown(1), ["abc"]);
        rows.put("\u{4e2d}", 5);
        assert_eq!(rows.shown(9), ["abc", "d\u{4e2d}e", "\u{4e2d}"]);
    }
}

//! What a command says on its standard error, passed on by whole lines with a name in front.

use std::collections::VecDeque;

/// The longest line that is passed on; the rest of a longer one is dropped.
pub const LINE_BYTES: usize = 4096;

/// How many of the last lines are kept for the message about a failure.
pub const LAST_LINES: usize = 10;

/// Cuts what it is given into lines, makes them harmless, and passes them on.
pub struct Relay<'a> {
    prefix: String,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// Whether that line is over the limit, its rest dropped.
    over: bool,
    last: VecDeque<String>,
    /// Whole lines, to be passed on at once.
    batch: String,
    pass_on: &'a (dyn Fn(&str) + Sync),
}

impl<'a> Relay<'a> {
    /// To put `prefix` before each line and hand whole lines, several at once, to `pass_on`.
    pub fn new(prefix: String, pass_on: &'a (dyn Fn(&str) + Sync)) -> Relay<'a> {
        Relay {
            prefix,
            line: Vec::new(),
            over: false,
            last: VecDeque::new(),
            batch: String::new(),
            pass_on,
        }
    }

    /// Takes what was said next.
    pub fn push(&mut self, mut said: &[u8]) {
        while let Some(end) = memchr::memchr(b'\n', said) {
            if self.line.is_empty() && !self.over && end <= LINE_BYTES {
                self.pass(&said[..end], false);
            } else {
                self.hold(&said[..end]);
                self.pass_held();
            }
            said = &said[end + 1..];
        }
        self.hold(said);
        self.hand_over();
    }

    /// Passes a last line without an end on, and gives the last lines back.
    pub fn finish(mut self) -> Vec<String> {
        if !self.line.is_empty() {
            self.pass_held();
            self.hand_over();
        }
        self.last.into()
    }

    fn hold(&mut self, part: &[u8]) {
        let room = LINE_BYTES - self.line.len();
        self.line.extend_from_slice(&part[..part.len().min(room)]);
        self.over |= part.len() > room;
    }

    fn pass_held(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.pass(&line, self.over);
        self.over = false;
        self.line = line;
        self.line.clear();
    }

    fn pass(&mut self, line: &[u8], over: bool) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let reuse = if self.last.len() == LAST_LINES { self.last.pop_front() } else { None };
        let mut text = reuse.unwrap_or_default();
        text.clear();
        push_harmless(&mut text, line);
        if over {
            text.push_str("...");
        }
        self.batch.push_str(&self.prefix);
        self.batch.push_str(&text);
        self.batch.push('\n');
        self.last.push_back(text);
    }

    fn hand_over(&mut self) {
        if !self.batch.is_empty() {
            (self.pass_on)(&self.batch);
            self.batch.clear();
        }
    }
}

/// Appends `line` with control characters, and bytes that are not UTF-8, escaped: no terminal
/// obeys what a command happens to print.
pub fn push_harmless(out: &mut String, line: &[u8]) {
    for chunk in line.utf8_chunks() {
        let valid = chunk.valid();
        if valid.chars().all(|c| !c.is_control() || c == '\t') {
            out.push_str(valid);
        } else {
            for c in valid.chars() {
                match c {
                    c if !c.is_control() || c == '\t' => out.push(c),
                    c => out.push_str(&format!("\\x{:02x}", u32::from(c))),
                }
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn relayed(parts: &[&[u8]]) -> (String, Vec<String>) {
        let heard = Mutex::new(String::new());
        let pass_on = |lines: &str| heard.lock().unwrap().push_str(lines);
        let mut relay = Relay::new("p: ".into(), &pass_on);
        for part in parts {
            relay.push(part);
        }
        let last = relay.finish();
        (heard.into_inner().unwrap(), last)
    }

    #[test]
    fn lines_are_whole_however_they_come() {
        let (heard, last) = relayed(&[b"on", b"e\ntw", b"o\r\n\nthr", b"ee"]);
        assert_eq!(heard, "p: one\np: two\np: \np: three\n");
        assert_eq!(last, ["one", "two", "", "three"]);
    }

    #[test]
    fn nothing_commands_the_terminal() {
        let (heard, _) = relayed(&[b"a\tb\x1b[31m\x07 \xff\xc2\x85 \xc3\xa9\n"]);
        assert_eq!(heard, "p: a\tb\\x1b[31m\\x07 \\xff\\x85 é\n");
    }

    #[test]
    fn long_lines_and_many_lines_stay_bounded() {
        let long = vec![b'x'; 3 * LINE_BYTES];
        let (heard, _) = relayed(&[&long, &long, b"\nnext\n"]);
        let want = format!("p: {}...\np: next\n", "x".repeat(LINE_BYTES));
        assert_eq!(heard, want);
        let many = (0..100).map(|n| format!("{n}\n")).collect::<String>();
        let (_, last) = relayed(&[many.as_bytes()]);
        assert_eq!(last.len(), LAST_LINES);
        assert_eq!((last[0].as_str(), last[9].as_str()), ("90", "99"));
    }
}

//! What a command says on its standard error, passed on by whole lines with a name in front.
//!
//! The last lines are held back a while, for what a command says at its end is mostly why it
//! failed: that is for whoever judges the failure to say, who knows whether it was said before.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::command::reporter::{Counted, HeardLine, Reporter};
use crate::record::harmless::push_harmless;

/// The longest line that is passed on; the rest of a longer one is dropped.
pub const LINE_BYTES: usize = 4096;

/// How many of the last lines are kept, and how many bytes of them, at the most.
pub const LAST_LINES: usize = 100;
const LAST_BYTES: usize = 64 * 1024;

/// How long a line is held back while the command runs.
const HELD_FOR: Duration = Duration::from_secs(1);

/// The last lines of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastWords {
    /// The lines.
    pub lines: Vec<String>,
    /// How many of them, the first ones, were passed on already.
    pub passed: usize,
}

impl LastWords {
    /// Passes on at once what was not yet, each line with `prefix` in front.
    pub fn pass_on(&self, prefix: &str, to: &(dyn Fn(&str) + Sync)) {
        pass_on(prefix, self.lines.get(self.passed..).unwrap_or_default(), to);
    }
}

/// Passes `lines` on at once, each with `prefix` in front. They may be another machine's.
pub fn pass_on(prefix: &str, lines: &[String], to: &(dyn Fn(&str) + Sync)) {
    let mut all = String::new();
    for line in lines {
        all.push_str(prefix);
        push_harmless(&mut all, line.as_bytes());
        all.push('\n');
    }
    if !all.is_empty() {
        to(&all);
    }
}

/// Cuts what it is given into lines, makes them harmless, and passes them on.
pub struct Relay<'a> {
    prefix: String,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// Whether that line is over the limit, its rest dropped.
    over: bool,
    /// The last lines, with the time at which they came, their bytes, and how many of them were
    /// passed on.
    last: VecDeque<(Instant, String)>,
    bytes: usize,
    passed: usize,
    /// When what is cut into lines now came.
    now: Instant,
    /// Takes the lines that are reports; none where all are data.
    reporter: Option<Reporter>,
    to: &'a (dyn Fn(&str) + Sync),
}

impl<'a> Relay<'a> {
    /// To put `prefix` before each line and hand whole lines, several at once, to `to`. Lines that
    /// report something are understood, where they `may_report`.
    pub fn new(prefix: String, may_report: bool, to: &'a (dyn Fn(&str) + Sync)) -> Relay<'a> {
        Relay {
            prefix,
            line: Vec::new(),
            over: false,
            last: VecDeque::new(),
            bytes: 0,
            passed: 0,
            now: Instant::now(),
            reporter: may_report.then(Reporter::default),
            to,
        }
    }

    /// Takes what was said next. What is more than the last lines is passed on.
    pub fn push(&mut self, mut said: &[u8]) {
        self.now = Instant::now();
        while let Some(end) = memchr::memchr(b'\n', said) {
            if self.line.is_empty() && !self.over && end <= LINE_BYTES {
                self.keep(&said[..end], false);
            } else {
                self.begin(&said[..end]);
                self.end();
            }
            said = &said[end + 1..];
        }
        self.begin(said);
        let (mut lines, mut bytes) = (self.last.len(), self.bytes);
        let is_over = |(_, line): &&(Instant, String)| {
            let over = lines > LAST_LINES || bytes > LAST_BYTES;
            (lines, bytes) = (lines - 1, bytes - line.len());
            over
        };
        let over = self.last.iter().take_while(is_over).count();
        self.pass_on(over);
        self.bytes -= self.last.drain(..over).map(|(_, line)| line.len()).sum::<usize>();
        self.passed -= over;
    }

    /// Passes on what was said a while ago, for the command still runs.
    pub fn pass_on_old(&mut self) {
        let is_old = |(came, _): &&(Instant, String)| came.elapsed() >= HELD_FOR;
        self.pass_on(self.last.iter().take_while(is_old).count());
    }

    /// The last lines, one without an end among them, and what was counted.
    pub fn finish(mut self) -> (LastWords, Counted) {
        if !self.line.is_empty() {
            self.end();
        }
        let lines = self.last.into_iter().map(|(_, line)| line).collect();
        let counted = self.reporter.map(Reporter::finish).unwrap_or_default();
        (LastWords { lines, passed: self.passed }, counted)
    }

    fn begin(&mut self, part: &[u8]) {
        let room = LINE_BYTES - self.line.len();
        self.line.extend_from_slice(&part[..part.len().min(room)]);
        self.over |= part.len() > room;
    }

    fn end(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.keep(&line, self.over);
        self.over = false;
        self.line = line;
        self.line.clear();
    }

    fn keep(&mut self, line: &[u8], over: bool) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // A long line is not whole, and what it would report is not either.
        let reporter = self.reporter.as_mut().filter(|_| !over);
        let text = match reporter.map_or(HeardLine::Words, |reporter| reporter.hear(line)) {
            HeardLine::Nothing => return,
            HeardLine::Status(status) => status,
            HeardLine::Words => {
                let mut text = String::new();
                push_harmless(&mut text, line);
                if over {
                    text.push_str("...");
                }
                text
            }
        };
        self.bytes += text.len();
        self.last.push_back((self.now, text));
    }

    /// Passes on the first `count` lines, but for those that were already.
    fn pass_on(&mut self, count: usize) {
        let mut all = String::new();
        for (_, line) in self.last.range(self.passed.min(count)..count) {
            all.extend([self.prefix.as_str(), line, "\n"]);
        }
        if !all.is_empty() {
            (self.to)(&all);
        }
        self.passed = self.passed.max(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// What was passed on, the last words in the end, and how many of these only then.
    fn relayed(parts: &[&[u8]]) -> (String, Vec<String>) {
        let heard = Mutex::new(String::new());
        let hear = |lines: &str| heard.lock().unwrap().push_str(lines);
        let mut relay = Relay::new("p: ".into(), true, &hear);
        for part in parts {
            relay.push(part);
        }
        let (last, _) = relay.finish();
        last.pass_on("p: ", &hear);
        (heard.into_inner().unwrap(), last.lines)
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
        let heard = Mutex::new(String::new());
        let hear = |lines: &str| heard.lock().unwrap().push_str(lines);
        pass_on("p: ", &["a\x1b[2J\nb".into()], &hear);
        assert_eq!(heard.into_inner().unwrap(), "p: a\\x1b[2J\\x0ab\n");
    }

    #[test]
    fn long_lines_and_many_lines_stay_bounded() {
        let long = vec![b'x'; 3 * LINE_BYTES];
        let (heard, _) = relayed(&[&long, &long, b"\nnext\n"]);
        let want = format!("p: {}...\np: next\n", "x".repeat(LINE_BYTES));
        assert_eq!(heard, want);
        let many = (0..1000).map(|n| format!("{n}\n")).collect::<String>();
        let (heard, last) = relayed(&[many.as_bytes()]);
        assert_eq!(heard.lines().count(), 1000);
        assert_eq!(last.len(), LAST_LINES);
        assert_eq!((last[0].as_str(), last[99].as_str()), ("900", "999"));
        let wide = [vec![b'x'; LINE_BYTES], vec![b'\n']].concat().repeat(50);
        let (heard, last) = relayed(&[&wide]);
        assert_eq!((heard.lines().count(), last.len()), (50, LAST_BYTES / LINE_BYTES));
    }

    #[test]
    fn reports_are_taken_out_where_they_may_be_made() {
        let said = b"a\nreporter:counter:g,n,2\r\nreporter:status:b\nreporter:count";
        for (may_report, want) in [
            (true, "a\nstatus: b\nreporter:counter:g,n\n".to_string()),
            (false, String::from_utf8_lossy(said).replace('\r', "") + "er:g,n\n"),
        ] {
            let heard = Mutex::new(String::new());
            let hear = |lines: &str| heard.lock().unwrap().push_str(lines);
            let mut relay = Relay::new(String::new(), may_report, &hear);
            relay.push(said);
            relay.push(b"er:g,n");
            let (last, counted) = relay.finish();
            last.pass_on("", &hear);
            assert_eq!(heard.into_inner().unwrap(), want);
            assert_eq!(counted.counters.each().count(), usize::from(may_report));
        }
        let long = format!("reporter:counter:{},n,2\n", "g".repeat(LINE_BYTES));
        assert!(relayed(&[long.as_bytes()]).0.starts_with("p: reporter:counter:ggg"));
    }

    #[test]
    fn what_is_old_is_not_held_back() {
        let heard = Mutex::new(String::new());
        let hear = |lines: &str| heard.lock().unwrap().push_str(lines);
        let mut relay = Relay::new("p: ".into(), true, &hear);
        relay.push(b"old\n");
        relay.last[0].0 -= HELD_FOR;
        relay.push(b"new\n");
        relay.pass_on_old();
        relay.pass_on_old();
        assert_eq!(heard.lock().unwrap().as_str(), "p: old\n");
        let (last, _) = relay.finish();
        assert_eq!((last.lines.as_slice(), last.passed), (&["old".into(), "new".into()][..], 1));
        last.pass_on("p: ", &hear);
        assert_eq!(heard.lock().unwrap().as_str(), "p: old\np: new\n");
    }
}

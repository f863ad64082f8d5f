//! Progress: a line on the terminal that says how far a tool is that has worked for a while.
//!
//! Only the last tool of a pipeline draws one, so that they do not write over each other. It is
//! drawn when data moves, by whoever moves it: there is no thread for it.

use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use nix::unistd::{getpgrp, tcgetpgrp};

use crate::parallel::lock;

/// Work that takes less is not worth a line.
const AFTER: Duration = Duration::from_secs(1);

/// How often the line changes.
const EVERY: Duration = Duration::from_millis(100);

/// The line of this process, once there is one.
static LINE: OnceLock<ProgressBar> = OnceLock::new();

/// How far a tool is.
#[derive(Debug)]
pub(super) struct Progress {
    tool: &'static str,
    begun: Instant,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    drawn: Instant,
    read: Count,
    written: Count,
    over: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Count {
    records: u64,
    bytes: u64,
}

impl Count {
    fn add(&mut self, bytes: &[u8]) {
        self.records += memchr::memchr_iter(b'\n', bytes).count() as u64;
        self.bytes += bytes.len() as u64;
    }
}

impl Progress {
    /// The progress of `tool`, which begins now.
    pub(super) fn new(tool: &'static str) -> Progress {
        let begun = Instant::now();
        let (read, written) = Default::default();
        let counts = Counts { drawn: begun, read, written, over: false };
        Progress { tool, begun, counts: Mutex::new(counts) }
    }

    /// Notes that `bytes` were read.
    pub(super) fn read(&self, bytes: &[u8]) {
        self.note(|counts| &mut counts.read, bytes);
    }

    /// Notes that `bytes` were written.
    pub(super) fn written(&self, bytes: &[u8]) {
        self.note(|counts| &mut counts.written, bytes);
    }

    fn note(&self, which: impl Fn(&mut Counts) -> &mut Count, bytes: &[u8]) {
        let mut counts = lock(&self.counts);
        which(&mut counts).add(bytes);
        let now = Instant::now();
        if counts.over || now - self.begun < AFTER || now - counts.drawn < EVERY {
            return;
        }
        counts.drawn = now;
        if in_background() {
            return;
        }
        let line = LINE.get_or_init(|| {
            let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{msg}");
            line.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        });
        line.set_message(words(self.tool, counts.read, counts.written, now - self.begun));
    }

    /// Takes the line away, for good.
    pub(super) fn end(&self) {
        lock(&self.counts).over = true;
        if let Some(line) = LINE.get() {
            line.finish_and_clear();
        }
    }
}

/// Whether the terminal is somebody else's now: that of a shell that waits for a command, say.
fn in_background() -> bool {
    tcgetpgrp(std::io::stderr()).is_ok_and(|foreground| foreground != getpgrp())
}

/// Does something on the terminal while the line is not there.
pub(super) fn aside(say: impl FnOnce()) {
    match LINE.get() {
        Some(line) => line.suspend(say),
        None => say(),
    }
}

fn words(tool: &str, read: Count, written: Count, took: Duration) -> String {
    let (first, verb) = if read.bytes > 0 { (read, "read") } else { (written, "written") };
    let rate = first.bytes as f64 / took.as_secs_f64().max(0.001);
    let mut words = format!(
        "{tool}: {} records, {} {verb}",
        HumanCount(first.records),
        DecimalBytes(first.bytes)
    );
    if read.bytes > 0 && written.bytes > 0 {
        words += &format!(", {} written", DecimalBytes(written.bytes));
    }
    words + &format!(", {}/s", DecimalBytes(rate as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_records_bytes_and_rate() {
        let count = |records, bytes| Count { records, bytes };
        let said = |read, written| words("mc-x", read, written, Duration::from_secs(2));
        let none = Count::default();
        assert_eq!(
            said(count(1234, 3_000_000), none),
            "mc-x: 1,234 records, 3.00 MB read, 1.50 MB/s"
        );
        assert_eq!(said(none, count(1, 20)), "mc-x: 1 records, 20 B written, 10 B/s");
        assert_eq!(
            said(count(1, 20), count(1, 8)),
            "mc-x: 1 records, 20 B read, 8 B written, 10 B/s"
        );
    }

    #[test]
    fn records_are_lines() {
        let mut count = Count::default();
        count.add(b"1\n2\n3");
        count.add(b"4\n");
        assert_eq!(count, Count { records: 3, bytes: 7 });
    }
}

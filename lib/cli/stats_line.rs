//! The lines of `--stats`: what stands in each (mycloud(7), STATISTICS).

use std::ffi::OsString;
use std::fs::DirEntry;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::cli::process;
use crate::command::quote;
use crate::engine::observer::{AttemptNote, AttemptOutcome, RunEvent, TaskWork};
use crate::error::{Error, Result};
use crate::explain::schema::StagePlan;
use crate::record::notation::Notation;
use crate::record::stream::Summary;

/// The version of the lines: it changes when a field comes to mean something else.
const VERSION: u32 = 1;

/// The option whose values are left out, for they may be secret: what it sets is taken from the environment
/// where it has none.
const ENV: &str = "--env";

/// What tells this stage from others, and is known when it begins.
pub(super) struct Ids {
    tool: &'static str,
    stage: String,
    words: String,
    directory: String,
    reads: Vec<u64>,
    writes: Option<u64>,
    begun: (SystemTime, Instant),
}

/// How a stage ended.
pub(super) struct StageEnd<'a> {
    pub(super) status: u8,
    pub(super) summary: Option<&'a Summary>,
    pub(super) took: Duration,
    pub(super) reads_runs: Vec<String>,
    pub(super) makes_run: Option<String>,
    pub(super) plan: Option<Box<StagePlan>>,
    pub(super) peak_rss: Option<u64>,
}

/// One line.
#[derive(Serialize)]
pub(super) struct StatsLine<'a> {
    v: u32,
    kind: &'static str,
    tool: &'static str,
    stage: &'a str,
    #[serde(flatten)]
    body: Body<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Stage(Box<StageFields<'a>>),
    Begin(StageIds<'a>),
    Command { command: &'a str, input: Notation, each: bool },
    Task(Box<TaskFields<'a>>),
    Shard { shard: u64, hosts: &'a [String], records: u64, bytes: u64 },
    Failure { task: u64, error: &'a str, by_hand: Option<&'a str> },
    Nothing {},
}

/// What is known of a stage from its begin on.
#[derive(Serialize)]
struct StageIds<'a> {
    pid: u32,
    begin: f64,
    words: &'a str,
    directory: &'a str,
    /// The pipes that it reads, and the one that it writes.
    reads: &'a [u64],
    writes: Option<u64>,
}

#[derive(Serialize)]
struct StageFields<'a> {
    status: u8,
    /// Nothing is known of a stage that failed.
    #[serde(flatten)]
    summary: Option<&'a Summary>,
    seconds: f64,
    peak_rss_bytes: Option<u64>,
    #[serde(flatten)]
    ids: StageIds<'a>,
    end: f64,
    reads_runs: &'a [String],
    makes_run: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a StagePlan>,
}

#[derive(Serialize)]
struct TaskFields<'a> {
    work: TaskWork,
    task: u64,
    attempt: u32,
    speculated: bool,
    host: &'a str,
    slot: usize,
    begin: f64,
    end: f64,
    at: f64,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ran_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<(u64, u64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records_out: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_out: Option<u64>,
    outcome: AttemptOutcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}

impl StatsLine<'_> {
    /// The line, with its end.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        let line = serde_json::to_vec(self);
        let mut line = line.map_err(|e| Error::incomplete(format!("a line of --stats: {e}")))?;
        line.push(b'\n');
        Ok(line)
    }
}

impl Ids {
    /// Those of this process, which is `tool` and begins now.
    pub(super) fn new(tool: &'static str) -> Ids {
        let begun = (SystemTime::now(), Instant::now());
        let since = begun.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let is_open = !process::closed_at_start(1);
        Ids {
            tool,
            stage: format!("{:x}-{}", since.as_micros(), std::process::id()),
            words: words(std::env::args_os()),
            directory: std::env::current_dir().unwrap_or_default().display().to_string(),
            reads: read_pipes(),
            writes: if is_open { pipe(1) } else { None },
            begun,
        }
    }

    fn line<'a>(&'a self, kind: &'static str, body: Body<'a>) -> StatsLine<'a> {
        StatsLine { v: VERSION, kind, tool: self.tool, stage: &self.stage, body }
    }

    /// The line of the begin.
    pub(super) fn begin(&self) -> StatsLine<'_> {
        self.line("begin", Body::Begin(self.ids()))
    }

    fn ids(&self) -> StageIds<'_> {
        StageIds {
            // Not that of the guard.
            pid: std::process::id(),
            begin: self.at(self.begun.1),
            words: &self.words,
            directory: &self.directory,
            reads: &self.reads,
            writes: self.writes,
        }
    }

    /// The line of the end.
    pub(super) fn stage<'a>(&'a self, end: &'a StageEnd<'a>) -> StatsLine<'a> {
        let fields = StageFields {
            status: end.status,
            summary: end.summary,
            seconds: end.took.as_secs_f64(),
            peak_rss_bytes: end.peak_rss,
            ids: self.ids(),
            end: self.at(Instant::now()),
            reads_runs: &end.reads_runs,
            makes_run: end.makes_run.as_deref(),
            plan: end.plan.as_deref(),
        };
        self.line("stage", Body::Stage(Box::new(fields)))
    }

    /// The line of an event.
    pub(super) fn event<'a>(&'a self, event: &'a RunEvent<'a>) -> StatsLine<'a> {
        match *event {
            RunEvent::Command { line, input, each } => {
                self.line("command", Body::Command { command: line, input, each })
            }
            RunEvent::Attempt(note) => self.line("task", Body::Task(Box::new(self.task(note)))),
            RunEvent::Shard { number, hosts, contents } => {
                let (records, bytes) = (contents.records, contents.bytes);
                self.line("shard", Body::Shard { shard: number, hosts, records, bytes })
            }
            RunEvent::Failure { task, error, by_hand } => {
                self.line("failure", Body::Failure { task, error, by_hand })
            }
            // They stand in the line of the stage.
            RunEvent::ReadsRun(_) | RunEvent::MakesRun(_) => self.line("run", Body::Nothing {}),
        }
    }

    fn task<'a>(&self, note: &'a AttemptNote) -> TaskFields<'a> {
        let relative = note.begin.saturating_duration_since(self.begun.1);
        TaskFields {
            work: note.work,
            task: note.task,
            attempt: note.attempt,
            speculated: note.speculated,
            host: &note.host,
            slot: note.slot,
            begin: self.at(note.begin),
            end: self.at(note.end),
            at: rounded(relative),
            seconds: rounded(note.end.saturating_duration_since(note.begin)),
            ran_seconds: note.ran.map(rounded),
            lines: note.fed.lines,
            shard: note.fed.shard,
            records_in: note.fed.records,
            bytes_in: note.fed.bytes,
            records_out: note.made.0,
            bytes_out: note.made.1,
            outcome: note.outcome,
            exit: note.exit,
            why: note.why.as_deref(),
        }
    }

    /// A moment in seconds since the epoch, by the clock of the begin: it never runs backwards.
    fn at(&self, moment: Instant) -> f64 {
        let time = self.begun.0 + moment.saturating_duration_since(self.begun.1);
        rounded(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

/// Seconds, to the microsecond.
fn rounded(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e6
}

/// What the words of a tool are as a shell takes them, without the values of variables.
fn words(words: impl Iterator<Item = OsString>) -> String {
    let mut is_variable = false;
    let shown = words.map(|word| {
        let bytes = word.as_bytes();
        let starts = bytes.strip_prefix(ENV.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        let from = if starts.is_some() { ENV.len() + 1 } else { 0 };
        let has_value =
            starts.is_some() || std::mem::replace(&mut is_variable, bytes == ENV.as_bytes());
        let end = memchr::memchr(b'=', &bytes[from..]).filter(|_| has_value);
        OsString::from_vec(bytes[..end.map_or(bytes.len(), |at| from + at)].to_vec())
    });
    let shown: Vec<OsString> = shown.collect();
    quote::words(shown.iter().map(OsString::as_os_str))
}

/// The pipes that this process was given to read: standard input, and those of `<( )`.
fn read_pipes() -> Vec<u64> {
    let Ok(found) = std::fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let number = |entry: std::io::Result<DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let mut numbers: Vec<u32> = found.filter_map(number).collect();
    numbers.retain(|fd| *fd > 2 || (*fd == 0 && !process::closed_at_start(0)));
    numbers.sort_unstable();
    numbers.into_iter().filter(|fd| is_for_reading(*fd)).filter_map(pipe).collect()
}

/// The inode of the pipe that a descriptor is of, which is the same at both ends.
fn pipe(fd: u32) -> Option<u64> {
    let link = std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
    link.to_str()?.strip_prefix("pipe:[")?.strip_suffix(']')?.parse().ok()
}

fn is_for_reading(fd: u32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    // The last two bits are the mode; 0 is that of reading.
    flags.is_some_and(|flags| flags & 3 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_variables_are_left_out() {
        let shown = |line: &str| words(line.split(' ').map(OsString::from));
        assert_eq!(
            shown("mc-map --env A=secret --env=B=c --env C --env A a=b --env"),
            "mc-map --env A --env=B --env C --env A a=b --env"
        );
    }

    #[test]
    fn pipes_are_known_by_their_inode_and_which_end_it_is() {
        use std::os::fd::AsRawFd;
        let (reader, writer) = std::io::pipe().unwrap();
        let number = |fd: i32| u32::try_from(fd).unwrap();
        let (read, write) = (number(reader.as_raw_fd()), number(writer.as_raw_fd()));
        assert_eq!(pipe(read), pipe(write));
        assert!(pipe(read).is_some() && is_for_reading(read) && !is_for_reading(write));
        assert!(read_pipes().contains(&pipe(read).unwrap()));
        let file = tempfile::tempfile().unwrap();
        assert_eq!(pipe(number(file.as_raw_fd())), None);
    }
}

//! `--stats`: what a run did, appended to a file as JSON objects, one a line.
//!
//! A tool writes lines for its tasks and shards while it works, and one of its own at the end. Several tools
//! append to one file at once: each write is of whole lines, and there are few of them.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::cli::stats_line::{Ids, StageEnd, StatsLine};
use crate::engine::observer::{EventSink, RunEvent};
use crate::error::{Error, Result};
use crate::explain::schema::StagePlan;
use crate::parallel::lock;
use crate::record::stream::Summary;

/// How long lines are held back at most while others come.
const EVERY: Duration = Duration::from_millis(250);

/// How many bytes of lines are held back at most.
const HELD_MAX: usize = 64 << 10;

/// The file that the lines go to, open for appending.
pub struct Stats(Arc<StatsFile>);

struct StatsFile {
    path: PathBuf,
    ids: Ids,
    state: Mutex<State>,
}

struct State {
    file: File,
    /// Lines that are to be written.
    held: Vec<u8>,
    /// When lines were written last.
    written: Option<Instant>,
    /// The runs of the shards that are read, and of those that are made.
    reads_runs: Vec<String>,
    makes_run: Option<String>,
    plan: Option<Box<StagePlan>>,
    /// Why nothing more can be written.
    failure: Option<Error>,
}

impl Stats {
    /// To append to `path`, which is made where it is not there, what becomes of `tool`.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path, tool: &'static str) -> Result<Stats> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(|e| Error::path("append to", path, &e))?;
        let (held, written, failure) = (Vec::new(), None, None);
        let (reads_runs, makes_run, plan) = Default::default();
        let state = State { file, held, written, reads_runs, makes_run, plan, failure };
        let (path, ids) = (path.to_path_buf(), Ids::new(tool));
        Ok(Stats(Arc::new(StatsFile { path, ids, state: Mutex::new(state) })))
    }

    /// What tasks and shards are to be told to.
    pub fn sink(&self) -> Arc<dyn EventSink> {
        Arc::clone(&self.0) as Arc<dyn EventSink>
    }

    /// Takes note of what the tool is to do.
    pub fn plan(&self, plan: StagePlan) {
        lock(&self.0.state).plan = Some(Box::new(plan));
    }

    /// Appends the line of the tool itself, which ends with `status`.
    ///
    /// # Errors
    /// When it cannot be written, or those before it could not be.
    pub fn append(self, status: u8, summary: Option<&Summary>, took: Duration) -> Result<()> {
        let (ids, mut state) = (&self.0.ids, lock(&self.0.state));
        let (reads_runs, makes_run) =
            (std::mem::take(&mut state.reads_runs), state.makes_run.take());
        let (plan, peak_rss) = (state.plan.take(), peak_rss());
        let end = StageEnd { status, summary, took, reads_runs, makes_run, plan, peak_rss };
        state.hold(&ids.stage(&end));
        state.write(&self.0.path);
        state.failure.take().map_or(Ok(()), Err)
    }
}

impl EventSink for StatsFile {
    fn take(&self, event: &RunEvent<'_>) {
        let mut state = lock(&self.state);
        match event {
            RunEvent::ReadsRun(run) => state.reads_runs.push((*run).into()),
            RunEvent::MakesRun(run) => state.makes_run = Some((*run).into()),
            _ => {
                if state.written.is_none() && state.held.is_empty() {
                    state.hold(&self.ids.begin());
                }
                state.hold(&self.ids.event(event));
                let is_due = state.written.is_none_or(|at| at.elapsed() >= EVERY);
                if is_due || state.held.len() >= HELD_MAX {
                    state.write(&self.path);
                }
            }
        }
    }
}

impl State {
    fn hold(&mut self, line: &StatsLine<'_>) {
        match line.to_json() {
            Ok(line) => self.held.extend_from_slice(&line),
            Err(error) => self.failure = self.failure.take().or(Some(error)),
        }
    }

    /// Writes what is held back, in one write.
    fn write(&mut self, path: &Path) {
        self.written = Some(Instant::now());
        let written = self.file.write_all(&self.held);
        self.held.clear();
        if let (Err(e), None) = (written, &self.failure) {
            self.failure = Some(Error::path("append to", path, &e));
        }
    }
}

/// The most memory that this process has held, in bytes. (`getrusage` would count what the
/// process held that started this one.)
fn peak_rss() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::digest::Contents;

    fn lines(path: &Path) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    #[test]
    fn lines_are_appended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stats");
        let summary = Summary { records_in: 7, ..Summary::default() };
        for (status, summary) in [(0, Some(&summary)), (3, None)] {
            let stats = Stats::open(&path, "mc-x").unwrap();
            stats.append(status, summary, Duration::from_millis(1500)).unwrap();
        }
        let lines = lines(&path);
        assert_eq!((&lines[0]["status"], &lines[0]["records_in"]), (&0.into(), &7.into()));
        assert_eq!((&lines[1]["status"], &lines[1]["seconds"]), (&3.into(), &1.5.into()));
        assert_eq!((&lines[0]["kind"], &lines[0]["v"]), (&"stage".into(), &1.into()));
        assert!(lines[0]["peak_rss_bytes"].as_u64().unwrap() > 1 << 16);
    }

    #[test]
    fn what_happens_is_written_now_and_then_and_all_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stats");
        let stats = Stats::open(&path, "mc-x").unwrap();
        let contents = Contents { records: 3, bytes: 9, ..Contents::default() };
        let shard = |number| {
            let hosts = &["a\"<b".to_string()];
            stats.0.take(&RunEvent::Shard { number, hosts, contents: &contents });
        };
        stats.0.take(&RunEvent::MakesRun("r"));
        assert_eq!(lines(&path).len(), 0);
        (1..=3000).for_each(shard);
        let before = lines(&path).len();
        assert!((2..3001).contains(&before), "{before} lines");
        stats.append(0, None, Duration::ZERO).unwrap();
        let lines = lines(&path);
        assert_eq!((lines.len(), &lines[0]["kind"]), (3002, &"begin".into()));
        assert_eq!((&lines[1]["hosts"][0], &lines[1]["records"]), (&"a\"<b".into(), &3.into()));
        assert_eq!(
            (&lines[3001]["kind"], &lines[3001]["makes_run"]),
            (&"stage".into(), &"r".into())
        );
        assert!(lines.iter().all(|line| line["stage"] == lines[0]["stage"]));
    }

    #[test]
    fn a_full_disk_is_an_error_at_the_end() {
        let stats = Stats::open(Path::new("/dev/full"), "mc-x").unwrap();
        let (error, by_hand) = ("bad", Some("f < in"));
        stats.0.take(&RunEvent::Failure { task: 1, error, by_hand });
        let error = stats.append(1, None, Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("/dev/full"), "{error}");
    }
}

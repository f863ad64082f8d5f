//! `--stats`: numbers about a run, appended to a file as one JSON object on a line.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::record::stream::Summary;

/// The file that the numbers go to, open for appending.
#[derive(Debug)]
pub struct Stats {
    file: File,
    path: PathBuf,
}

/// One line.
#[derive(Serialize)]
struct Line<'a> {
    tool: &'a str,
    status: u8,
    /// Nothing is known of a stage that failed.
    #[serde(flatten)]
    summary: Option<&'a Summary>,
    seconds: f64,
    peak_rss_bytes: Option<u64>,
}

impl Stats {
    /// To append to `path`, which is made where it is not there.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Stats> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(|e| Error::path("append to", path, &e))?;
        Ok(Stats { file, path: path.to_path_buf() })
    }

    /// Appends the line of a tool that ends with `status`, in one write, so that the lines of
    /// tools that end together stay whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(
        mut self,
        tool: &str,
        status: u8,
        summary: Option<&Summary>,
        took: Duration,
    ) -> Result<()> {
        let seconds = took.as_secs_f64();
        let line = Line { tool, status, summary, seconds, peak_rss_bytes: peak_rss() };
        let line = serde_json::to_string(&line).map_err(|e| Error::incomplete(e.to_string()))?;
        let written = self.file.write_all(format!("{line}\n").as_bytes());
        written.map_err(|e| Error::path("append to", &self.path, &e))
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

    #[test]
    fn lines_are_appended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stats");
        let summary = Summary { records_in: 7, ..Summary::default() };
        for (status, summary) in [(0, Some(&summary)), (3, None)] {
            let stats = Stats::open(&path).unwrap();
            stats.append("mc-x", status, summary, Duration::from_millis(1500)).unwrap();
        }
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!((&lines[0]["status"], &lines[0]["records_in"]), (&0.into(), &7.into()));
        assert_eq!((&lines[1]["status"], &lines[1]["seconds"]), (&3.into(), &1.5.into()));
        assert!(lines[0]["peak_rss_bytes"].as_u64().unwrap() > 1 << 16);
    }
}

//! The gauge: how far a tool is, as it says beside its entry in the registry while it works, for the
//! tool that draws for all of a pipe.
//!
//! It lies behind the entry in the same file, and is written in place, a few times a second. Whoever
//! reads it in the middle of that sees a sum that is wrong, and keeps what it knew. Behind it the
//! reader of the pipe leaves word that it draws for the writer too.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::pipe::entry::ENTRY_BYTES;
use crate::pipe::pipe_id::PipeId;

/// Where the gauge lies, and how long it is: the sum of its text, and the text.
const GAUGE_AT: u64 = ENTRY_BYTES as u64;
const SUM_DIGITS: usize = 16;
const GAUGE_BYTES: usize = 3 * 1024;

/// Where a drawer says until when it draws for the tool, in milliseconds, and in how many digits.
const CLAIM_AT: u64 = GAUGE_AT + GAUGE_BYTES as u64;
const CLAIM_DIGITS: usize = 20;

/// How long all that is.
pub(crate) const GAUGE_ROOM: u64 = (GAUGE_BYTES + CLAIM_DIGITS) as u64;

/// How far a tool is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gauge {
    /// Its name.
    pub tool: String,
    /// Whether it says more (`-v`).
    #[serde(default)]
    pub verbose: bool,
    /// Whether it locks its entry while it lives.
    #[serde(default)]
    pub is_locked: bool,
    /// What it has read.
    pub read: Passed,
    /// What it has written.
    pub written: Passed,
    /// Whether it has read all.
    #[serde(default)]
    pub at_end: bool,
    /// When it ended, in [milliseconds](now_ms).
    #[serde(default)]
    pub ended: Option<u64>,
    /// How much it has read of files, and how much there is of them, where all is known.
    #[serde(default)]
    pub files: Option<(u64, u64)>,
    /// Whether it reads or makes shards on hosts.
    #[serde(default)]
    pub on_hosts: bool,
    /// Its tasks, where there are any.
    #[serde(default)]
    pub tasks: Option<TaskCounts>,
    /// The hosts that it uses, each with how many of its slots are in use, and how many it has.
    #[serde(default)]
    pub hosts: Vec<(String, usize, usize)>,
    /// The pipes that it reads.
    #[serde(default)]
    pub inputs: Vec<PipeId>,
}

/// The tasks of a tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCounts {
    /// How many are worked on.
    pub running: u64,
    /// How many are done.
    pub done: u64,
    /// How many attempts failed and are made again.
    pub again: u64,
    /// How many there are, where that is known.
    pub all: Option<u64>,
}

/// What went through a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// How many records.
    pub records: u64,
    /// Whether that is an estimate.
    #[serde(default)]
    pub is_estimate: bool,
    /// How many bytes.
    pub bytes: u64,
    /// When the first came, in [milliseconds](now_ms).
    pub since: u64,
}

impl Gauge {
    /// Writes it into the file of an entry. That it cannot be written is no harm: nothing but what is
    /// shown depends on it.
    pub(crate) fn write(&self, file: &File) {
        if !put(file, GAUGE_AT, GAUGE_BYTES, self) {
            // There are too many of these; what is done on all of them can be told.
            put(file, GAUGE_AT, GAUGE_BYTES, &Gauge { hosts: Vec::new(), ..self.clone() });
        }
    }

    /// What the file of an entry has; none where the tool has said nothing yet, or says it right now.
    pub(crate) fn read(file: &File) -> Option<Gauge> {
        get(file, GAUGE_AT, GAUGE_BYTES)
    }
}

/// Writes `value` with its sum into a place of this length, unless it is too long for it.
pub(crate) fn put(file: &File, at: u64, length: usize, value: &impl Serialize) -> bool {
    let text = serde_json::to_string(value).unwrap_or_default();
    let fits = SUM_DIGITS + text.len() < length;
    if fits {
        let text = format!("{text:<width$}\n", width = length - SUM_DIGITS - 1);
        let text = format!("{:0SUM_DIGITS$x}{text}", xxh3_64(text.as_bytes()));
        let _ = file.write_all_at(text.as_bytes(), at);
    }
    fits
}

/// What lies whole in a place of this length.
pub(crate) fn get<T: DeserializeOwned>(file: &File, at: u64, length: usize) -> Option<T> {
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, at).ok()?;
    let (sum, text) = bytes.split_at(SUM_DIGITS);
    let sum = u64::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    if sum != xxh3_64(text) { None } else { serde_json::from_slice(text).ok() }
}

/// Says in the file of an entry that its tool is drawn by another one for so long from now.
pub(crate) fn claim(file: &File, how_long: Duration) {
    let until = now_ms().saturating_add(u64::try_from(how_long.as_millis()).unwrap_or(u64::MAX));
    let _ = file.write_all_at(format!("{until:0CLAIM_DIGITS$}").as_bytes(), CLAIM_AT);
}

/// Whether another tool draws that of the entry in this file.
pub(crate) fn is_claimed(file: &File) -> bool {
    let mut digits = [0; CLAIM_DIGITS];
    let read = file.read_exact_at(&mut digits, CLAIM_AT).ok();
    let until = read.and_then(|()| std::str::from_utf8(&digits).ok()?.parse::<u64>().ok());
    until.is_some_and(|until| until > now_ms())
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::pipe::entry::{Entry, Status, note_status};

    #[test]
    fn a_gauge_is_read_as_it_was_written_and_leaves_the_entry_alone() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&Entry::begin("mc-sort")).unwrap();
        assert_eq!((Gauge::read(&file), is_claimed(&file)), (None, false));
        let inputs = vec![PipeId { device: 1, inode: u64::MAX, changed: -1 }];
        let mut gauge = Gauge { tool: "mc-sort".into(), inputs, ..Gauge::default() };
        for bytes in [0, 7, u64::MAX] {
            gauge.read.bytes = bytes;
            gauge.write(&file);
            claim(&file, Duration::from_secs(60));
            assert_eq!((Gauge::read(&file).as_ref(), is_claimed(&file)), (Some(&gauge), true));
        }
        note_status(&file, 3).unwrap();
        assert_eq!(Entry::read(&file).status, Status::Ended(3));
        claim(&file, Duration::ZERO);
        assert!(!is_claimed(&file));
    }

    #[test]
    fn what_is_half_written_or_too_long_is_none() {
        let file = tempfile::tempfile().unwrap();
        let mut gauge = Gauge { tool: "mc-x".into(), ..Gauge::default() };
        gauge.write(&file);
        file.write_all_at(b"9", GAUGE_AT + 100).unwrap();
        assert_eq!(Gauge::read(&file), None);
        gauge.hosts = vec![("n".into(), 1, 2); GAUGE_BYTES / 8];
        gauge.write(&file);
        gauge.hosts.clear();
        assert_eq!(Gauge::read(&file).as_ref(), Some(&gauge));
        let other = Gauge { tool: "x".repeat(GAUGE_BYTES), ..Gauge::default() };
        other.write(&file);
        assert_eq!(Gauge::read(&file), Some(gauge));
    }
}

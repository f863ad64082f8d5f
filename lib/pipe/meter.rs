//! What this process has read and written so far. It is counted by whoever moves data, without a
//! lock, and read by whoever shows it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::pipe::gauge::{Gauge, Passed, now_ms};
use crate::pipe::pipe_id::PipeId;

/// The meter of a process.
#[derive(Debug, Default)]
pub struct Meter {
    /// What came by standard input.
    read: Flow,
    /// What went to standard output.
    written: Flow,
    at_end: AtomicBool,
    /// Whether standard input, and output, is a manifest: what lies on hosts is counted elsewhere.
    reads_shards: AtomicBool,
    writes_shards: AtomicBool,
    /// What was read of files, and how much there is of them.
    files: AtomicU64,
    total: AtomicU64,
    /// How many files are in the total that are not opened yet.
    foreseen: AtomicU64,
    /// Whether there is something to read beside files of a known length.
    unknown: AtomicBool,
    inputs: Mutex<Vec<PipeId>>,
}

/// A stream.
#[derive(Debug, Default)]
struct Flow {
    records: AtomicU64,
    bytes: AtomicU64,
    /// Bytes that came since records were counted.
    uncounted: AtomicU64,
    /// Bytes whose records somebody else has counted.
    counted: AtomicU64,
    since: AtomicU64,
}

/// How many bytes are all looked at for the ends of records. Of more, a part tells every so often what
/// came since: counting all would cost more than anything else that is done to show how far a tool is.
const ALL_COUNTED: u64 = 16 << 20;
const COUNTED_EVERY: u64 = 2 << 20;
const PART_BYTES: usize = 64 << 10;

impl Flow {
    /// More went through it.
    fn pass(&self, bytes: &[u8]) {
        let length = bytes.len() as u64;
        if length == 0 {
            return;
        }
        let before = self.bytes.fetch_add(length, Ordering::Relaxed);
        if before == 0 {
            self.since.store(now_ms(), Ordering::Relaxed);
        }
        let uncounted = self.uncounted.load(Ordering::Relaxed) + length;
        let part = match before < ALL_COUNTED {
            true => bytes,
            false if uncounted < COUNTED_EVERY => {
                self.uncounted.store(uncounted, Ordering::Relaxed);
                return;
            }
            false => &bytes[..bytes.len().min(PART_BYTES)],
        };
        let records = memchr::memchr_iter(b'\n', part).count() as u128;
        let records = records * u128::from(uncounted) / part.len() as u128;
        self.records.fetch_add(u64::try_from(records).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.uncounted.store(0, Ordering::Relaxed);
    }

    /// More records went through it, which were counted.
    fn add(&self, records: u64, bytes: u64) {
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) == 0 {
            self.since.store(now_ms(), Ordering::Relaxed);
        }
        self.records.fetch_add(records, Ordering::Relaxed);
        self.counted.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What went through it was none.
    fn forget(&self) {
        for count in [&self.records, &self.bytes, &self.since] {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// How many bytes this has told the records of.
    fn told_bytes(&self) -> u64 {
        let counted = self.counted.load(Ordering::Relaxed);
        self.bytes.load(Ordering::Relaxed).saturating_sub(counted)
    }

    fn passed(&self) -> Passed {
        Passed {
            records: self.records.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            is_estimate: self.told_bytes() > ALL_COUNTED,
            since: self.since.load(Ordering::Relaxed),
        }
    }
}

static OF_PROCESS: Meter = Meter {
    read: Flow::new(),
    written: Flow::new(),
    at_end: AtomicBool::new(false),
    reads_shards: AtomicBool::new(false),
    writes_shards: AtomicBool::new(false),
    files: AtomicU64::new(0),
    total: AtomicU64::new(0),
    foreseen: AtomicU64::new(0),
    unknown: AtomicBool::new(false),
    inputs: Mutex::new(Vec::new()),
};

impl Flow {
    const fn new() -> Flow {
        Flow {
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            uncounted: AtomicU64::new(0),
            counted: AtomicU64::new(0),
            since: AtomicU64::new(0),
        }
    }
}

/// The meter of this process.
pub fn of_process() -> &'static Meter {
    &OF_PROCESS
}

impl Meter {
    /// Standard input has these bytes next, none at its end.
    pub fn read_input(&self, bytes: &[u8]) {
        if !self.reads_shards.load(Ordering::Relaxed) {
            self.read(bytes);
        }
    }

    /// Records that were read are these, and there are no more where these are none.
    pub fn read(&self, bytes: &[u8]) {
        match bytes {
            [] => self.at_end.store(true, Ordering::Relaxed),
            bytes => self.read.pass(bytes),
        }
    }

    /// Standard output gets these bytes.
    pub fn write_output(&self, bytes: &[u8]) {
        if !self.writes_shards.load(Ordering::Relaxed) {
            self.written.pass(bytes);
        }
    }

    /// A shard of a manifest that was read was worked on.
    pub fn read_shard(&self, records: u64, bytes: u64) {
        if self.reads_shards.load(Ordering::Relaxed) {
            self.read.add(records, bytes);
        }
    }

    /// A shard was made.
    pub fn made_shard(&self, records: u64, bytes: u64) {
        if self.writes_shards.load(Ordering::Relaxed) {
            self.written.add(records, bytes);
        }
    }

    /// Standard input is a manifest.
    pub fn reads_shards(&self) {
        self.reads_shards.store(true, Ordering::Relaxed);
        self.read.forget();
    }

    /// What is made are shards; standard output, if it gets anything, a manifest.
    pub fn writes_shards(&self) {
        self.writes_shards.store(true, Ordering::Relaxed);
    }

    /// A pipe is going to be read.
    pub(crate) fn opens_pipe(&self, pipe: PipeId) {
        let mut inputs = self.inputs.lock().unwrap_or_else(PoisonError::into_inner);
        if inputs.len() < INPUTS_MAX && !inputs.contains(&pipe) {
            inputs.push(pipe);
        }
    }

    /// A file of this length is going to be read.
    pub(crate) fn opens_file(&self, bytes: u64) {
        let less = |files: u64| files.checked_sub(1);
        if self.foreseen.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err() {
            self.total.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// So much was read of a file.
    pub(crate) fn reads_file(&self, bytes: u64) {
        self.files.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Files of these lengths are going to be read; one without a length is none.
    pub(crate) fn foresee(&self, lengths: impl Iterator<Item = Option<u64>>) {
        for length in lengths {
            match length {
                Some(bytes) => {
                    self.foreseen.fetch_add(1, Ordering::Relaxed);
                    self.total.fetch_add(bytes, Ordering::Relaxed);
                }
                None => self.unknown.store(true, Ordering::Relaxed),
            }
        }
    }

    /// How far `tool` is.
    pub fn gauge(&self, tool: &str) -> Gauge {
        let (done, total) =
            (self.files.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        let inputs = self.inputs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // A pipe among what is read has no length.
        let shards = [&self.reads_shards, &self.writes_shards];
        let on_hosts = shards.iter().any(|shards| shards.load(Ordering::Relaxed));
        let known =
            total > 0 && !on_hosts && inputs.is_empty() && !self.unknown.load(Ordering::Relaxed);
        Gauge {
            tool: tool.to_string(),
            read: self.read.passed(),
            written: self.written.passed(),
            at_end: self.at_end.load(Ordering::Relaxed),
            files: known.then_some((done.min(total), total)),
            inputs,
            on_hosts,
            ..Gauge::default()
        }
    }
}

/// More pipes are read by nobody whose progress fits a screen.
const INPUTS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_lines() {
        let flow = Flow::default();
        flow.pass(b"1\n2\n3");
        flow.pass(b"4\n");
        let Passed { records, bytes, since, is_estimate } = flow.passed();
        assert_eq!((records, bytes, since > 0, is_estimate), (3, 7, true, false));
    }

    #[test]
    fn of_many_records_the_number_is_about_right() {
        let flow = Flow::default();
        let lines = b"123456789\n".repeat(10_000);
        let mut sizes = [1000, 64_000, 7, 99_990].into_iter().cycle();
        let mut passed = 0;
        while passed < 20 * ALL_COUNTED {
            let bytes = &lines[..sizes.next().unwrap()];
            flow.pass(bytes);
            passed += bytes.len() as u64;
        }
        let Passed { records, bytes, is_estimate, .. } = flow.passed();
        assert_eq!((bytes, is_estimate), (passed, true));
        assert!(records.abs_diff(passed / 10) < passed / 10 / 50, "{records} of {}", passed / 10);
    }

    #[test]
    fn a_total_is_known_where_all_are_files() {
        let meter = Meter::default();
        assert_eq!(meter.gauge("mc-x").files, None);
        meter.opens_file(10);
        meter.reads_file(4);
        assert_eq!(meter.gauge("mc-x").files, Some((4, 10)));
        meter.foresee([Some(15), Some(5)].into_iter());
        for bytes in [15, 5, 3] {
            meter.opens_file(bytes);
            meter.reads_file(bytes);
        }
        assert_eq!(meter.gauge("mc-x").files, Some((27, 33)));
        meter.foresee([Some(15), None].into_iter());
        assert_eq!(meter.gauge("mc-x").files, None);
        let meter = Meter::default();
        meter.opens_file(10);
        meter.opens_pipe(PipeId { device: 1, inode: 2, changed: 3 });
        assert_eq!(meter.gauge("mc-x").files, None);
    }
}

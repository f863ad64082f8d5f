//! Blocks of records to sorted runs, on many threads, and the external sort of a whole stream:
//! what `mc-sort` and `mc-shuffle` share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::extsort::budget::Budget;
use crate::extsort::run::{Run, RunBuilder};
use crate::extsort::sorter::{SortSettings, Sorter};
use crate::parallel;
use crate::record::bad::Bad;
use crate::record::block::{Block, Blocks, Line, flaw_error};
use crate::record::key::{KeyFault, KeyPart, Keyer, Keys, Missing};
use crate::record::stream::{Facts, Input, Output, Summary};

/// What a tool may use of its machine. Nothing here changes a result.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes that it may hold.
    pub memory: usize,
    /// Threads that work.
    pub jobs: usize,
    /// Where temporary files go.
    pub directory: PathBuf,
    /// The longest record in bytes.
    pub max_record: usize,
}

impl Limits {
    /// How a sort within them is done.
    pub fn settings(&self, unique: bool) -> SortSettings {
        SortSettings {
            budget: Budget::new(self.memory, self.jobs),
            jobs: self.jobs,
            directory: self.directory.clone(),
            unique,
        }
    }
}

/// What a sort is to do.
#[derive(Clone, Debug)]
pub struct Order {
    /// The key.
    pub keys: Keys,
    /// What orders the records of one key (`--order-by`).
    pub order_by: Vec<KeyPart>,
    /// The whole in reverse order (`-r`); equal keys keep their order.
    pub reverse: bool,
    /// What becomes of records without the key.
    pub missing: Missing,
    /// Keep only the first record of each key (`-u`).
    pub unique: bool,
}

impl Order {
    /// What finds the keys.
    pub fn keyer(&self) -> Keyer {
        Keyer::with_order(&self.keys, &self.order_by, self.missing, &[]).reversed(self.reverse)
    }

    /// What is then known of the stream.
    pub fn facts(&self) -> Facts {
        Facts {
            key: Some(self.keys.spelled()),
            reverse: self.reverse,
            spread: false,
            lacking: self.missing == Missing::Null,
        }
    }
}

/// Judges the records of a stream that give no key, and counts: shared by the threads of a stage.
pub struct Judge {
    name: String,
    bad: Arc<Bad>,
    missing: AtomicU64,
    lacking: AtomicU64,
    records: AtomicU64,
    kept: AtomicU64,
    bytes: AtomicU64,
}

impl Judge {
    /// For the stream called `name`.
    pub fn new(name: &str, bad: Arc<Bad>) -> Judge {
        let zero = || AtomicU64::new(0);
        Judge {
            name: name.into(),
            bad,
            missing: zero(),
            lacking: zero(),
            records: zero(),
            kept: zero(),
            bytes: zero(),
        }
    }

    /// The name of the stream.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Judges one record.
    ///
    /// # Errors
    /// When it may not be dropped.
    pub fn fault(&self, line: Line<'_>, fault: KeyFault) -> Result<()> {
        match fault {
            KeyFault::Flaw(flaw) => self.bad.reject(flaw_error(&self.name, line, flaw), line.text),
            KeyFault::Missing(text) => Err(self.error(line, text)),
            KeyFault::Skip => {
                self.missing.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Where a record stands, for messages.
    pub fn place(&self, line: Line<'_>) -> String {
        format!("{}: line {}", self.name, line.number)
    }

    /// The error that says `text` of a record.
    pub fn error(&self, line: Line<'_>, text: impl Into<String>) -> Error {
        Error::input(text).at(self.place(line))
    }

    /// Counts records that lack an operand, which was left out.
    pub fn count_lacking(&self, records: u64) {
        self.lacking.fetch_add(records, Ordering::Relaxed);
    }

    /// Counts what was read, and how many records of it were kept.
    pub fn count(&self, records: u64, kept: u64, bytes: usize) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.kept.fetch_add(kept, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Checks that all records that were kept came through.
    ///
    /// # Errors
    /// `Incomplete` when they did not.
    pub fn verify(&self, came: u64) -> Result<()> {
        let kept = self.kept.load(Ordering::Relaxed);
        if kept == came {
            return Ok(());
        }
        Err(Error::incomplete(format!("internal error: of {kept} records {came} came through")))
    }

    /// What was read and dropped so far.
    pub fn summary(&self) -> Summary {
        Summary {
            records_in: self.records.load(Ordering::Relaxed),
            bytes_in: self.bytes.load(Ordering::Relaxed),
            bad: self.bad.count(),
            missing: self.missing.load(Ordering::Relaxed),
            lacking: self.lacking.load(Ordering::Relaxed),
            ..Summary::default()
        }
    }
}

/// The sorted run of a block.
///
/// # Errors
/// When a record gives no key and may not be dropped.
pub fn sorted_run(keyer: &mut Keyer, block: Block, judge: &Judge) -> Result<Run> {
    let lines = usize::try_from(block.line_count).unwrap_or(usize::MAX);
    let mut run = RunBuilder::expecting(block.bytes.len(), lines);
    let mut records = 0;
    for line in block.lines() {
        records += 1;
        let key = |out: &mut Vec<u8>| keyer.key(line.text, out).map(|_| ());
        if let Err(fault) = run.push(line.at, line.text.len(), key) {
            judge.fault(line, fault)?;
        }
    }
    judge.count(records, run.len() as u64, block.bytes.len());
    run.finish(block.bytes)
}

/// Sorts a whole stream.
///
/// # Errors
/// `BadInput` for what is no record or has no key, `Storage` when there is no room to spill, and
/// what the streams say.
pub fn sort(
    order: &Order,
    limits: &Limits,
    bad: &Arc<Bad>,
    input: impl Input + 'static,
    output: &mut impl Output,
) -> Result<Summary> {
    let (sorter, judge) = collect(order, limits, bad, input)?;
    output.declare(&order.facts())?;
    let mut bytes_out = 0;
    let (records_out, spilled_bytes) = sorter.finish(|texts| {
        bytes_out += texts.len() as u64;
        output.write(texts)
    })?;
    output.flush()?;
    if !order.unique {
        judge.verify(records_out)?;
    }
    Ok(Summary { records_out, bytes_out, spilled_bytes, ..judge.summary() })
}

/// Reads a whole stream into a sort that is not finished yet.
///
/// # Errors
/// As [`sort`].
pub fn collect(
    order: &Order,
    limits: &Limits,
    bad: &Arc<Bad>,
    input: impl Input + 'static,
) -> Result<(Sorter, Arc<Judge>)> {
    let budget = Budget::new(limits.memory, limits.jobs);
    let judge = Arc::new(Judge::new(input.name(), Arc::clone(bad)));
    let mut sorter = Sorter::new(limits.settings(order.unique));
    let mut blocks = Blocks::new(input, limits.max_record);
    let (bad, judged) = (Arc::clone(bad), Arc::clone(&judge));
    parallel::ordered(
        limits.jobs,
        move || blocks.next(budget.block, Vec::new(), &bad),
        || order.keyer(),
        move |keyer, block| sorted_run(keyer, block, &judged),
        |_| Ok(None),
        |run| sorter.add(run),
    )?;
    Ok((sorter, judge))
}

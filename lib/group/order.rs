//! Blocks of records to sorted runs, on many threads, and the external sort of a whole stream:
//! what `mc-sort` and `mc-shuffle` share.

mod collected;
mod unique;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::extsort::budget::Budget;
use crate::extsort::run::{Run, RunBuilder};
use crate::extsort::sorter::SortSettings;
use crate::parallel::{self, BufferPool, ByteLimit};
use crate::record::bad::Bad;
use crate::record::block::{Block, Blocks, Line, flaw_error};
use crate::record::fields::Lines;
use crate::record::integer;
use crate::record::key::{KeyFault, KeyPart, Keyer, Keys, Missing, Sense};
use crate::record::stream::{Facts, Input, Output, Summary};
pub use collected::Collected;
use collected::Gathered;
use unique::unique_run;

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
    /// Whether records are ordered as what they are, in one way or the other.
    fn is_of_records(&self) -> bool {
        let of_record = |part: &KeyPart| {
            part.path.is_empty() && matches!(part.sense, Sense::Plain | Sense::Number)
        };
        self.keys.parts.len() <= 1
            && self.keys.parts.iter().all(of_record)
            && self.order_by.is_empty()
    }

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

/// The sorted run of a block. `free` gets memory that is not needed any more.
///
/// # Errors
/// When a record gives no key and may not be dropped.
pub fn sorted_run(
    keyer: &mut Keyer,
    block: Block,
    judge: &Judge,
    free: impl FnOnce(Vec<u8>),
) -> Result<Run> {
    let lines = usize::try_from(block.line_count).unwrap_or(usize::MAX);
    let mut run = RunBuilder::expecting(block.bytes.len(), lines);
    let (mut records, mut alike) = (0, Lines::default());
    let (mut at, mut number) = (0, block.first_line);
    loop {
        let (rows, end) = keyer.find_lines(&block.bytes, at, ALIKE, &mut alike);
        for row in 0..rows {
            let place = alike.line(row);
            let key = |out: &mut Vec<u8>| match keyer.push_line_key(&block.bytes, &alike, row, out)
            {
                true => Ok(()),
                false => Err(()),
            };
            if run.push(place.start, place.len(), key).is_err() {
                let text = &block.bytes[place.clone()];
                let line = Line { text, number: number + row as u64, at: place.start };
                push_record(keyer, line, &mut run, judge)?;
            }
        }
        (at, number, records) = (end, number + rows as u64, records + rows as u64);
        if rows == ALIKE {
            continue;
        }
        let Some(line) = block.line_at(at, number) else { break };
        (at, number, records) = (block.after(&line), line.number + 1, records + 1);
        push_record(keyer, line, &mut run, judge)?;
    }
    judge.count(records, run.len() as u64, block.bytes.len());
    run.finish_to(block.bytes, free)
}

/// How many lines that are built alike are read at once.
const ALIKE: usize = 64;

/// Adds a record to a run, or lets it be judged why it cannot be.
fn push_record(
    keyer: &mut Keyer,
    line: Line<'_>,
    run: &mut RunBuilder,
    judge: &Judge,
) -> Result<()> {
    let key = |out: &mut Vec<u8>| keyer.key(line.text, out).map(|_| ());
    match run.push(line.at, line.text.len(), key) {
        Err(fault) => judge.fault(line, fault),
        Ok(()) => Ok(()),
    }
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
    let (collected, judge) = collect(order, limits, bad, input)?;
    output.declare(&order.facts())?;
    let mut bytes_out = 0;
    let (records_out, spilled_bytes) = collected.finish(|texts| {
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
) -> Result<(Collected, Arc<Judge>)> {
    let budget = Budget::new(limits.memory, limits.jobs);
    let judge = Arc::new(Judge::new(input.name(), Arc::clone(bad)));
    let mut collected = Collected::new(order, limits);
    let mut blocks = Blocks::new(input, limits.max_record);
    let (bad, judged) = (Arc::clone(bad), Arc::clone(&judge));
    let reverse = collected.reverse;
    // As long as there has been nothing else.
    let integers = Arc::new(AtomicBool::new(order.is_of_records()));
    let is_integers = Arc::clone(&integers);
    // Blocks of large records are larger than they should be: then there are fewer of them.
    let in_flight = ByteLimit::new(budget.in_flight(limits.jobs));
    // Where blocks are read and done with.
    let spare = Arc::new(BufferPool::new(SPARE_BLOCKS * budget.block.min(INTEGER_BLOCK_MAX)));
    let memory = Arc::clone(&spare);
    parallel::ordered(
        limits.jobs,
        move || {
            let most = match is_integers.load(Ordering::Relaxed) {
                true => INTEGER_BLOCK_MAX,
                false => usize::MAX,
            };
            let block = blocks.next(budget.block.min(most), memory.take(), &bad)?;
            Ok(block.map(|block| (in_flight.hold(block.bytes.len()), block)))
        },
        || (order.keyer(), order.unique.then(|| unique::seen(limits))),
        move |(keyer, seen), (held, block)| {
            if integers.load(Ordering::Relaxed) {
                let mut numbers = Vec::with_capacity(block.line_count as usize);
                if integer::read_lines(&block.bytes, reverse, &mut numbers) {
                    judged.count(block.line_count, block.line_count, block.bytes.len());
                    spare.give(block.bytes);
                    return Ok((held, Gathered::Integers(numbers)));
                }
                integers.store(false, Ordering::Relaxed);
            }
            let run = match seen {
                None => sorted_run(keyer, block, &judged, |text| spare.give(text))?,
                Some(seen) => unique_run(keyer, seen, block, &judged, |text| spare.give(text))?,
            };
            Ok((held, Gathered::Run(run)))
        },
        |_| Ok(None),
        |(_held, gathered)| collected.add(gathered),
    )?;
    Ok((collected, judge))
}

/// Blocks of integers need not be larger: they are not sorted each by itself.
const INTEGER_BLOCK_MAX: usize = 512 << 10;

/// The memory of how many blocks lies idle at most.
const SPARE_BLOCKS: usize = 3;

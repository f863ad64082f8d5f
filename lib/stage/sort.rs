//! `mc-sort`: records in total order; or the check that they are, or the merge of inputs that are.

use std::sync::Arc;

use crate::cluster::exchange as wire;
use crate::engine::consumer::Consumer;
use crate::engine::exchange::{self, Remote};
use crate::engine::producer::Producer;
use crate::error::{Error, Result};
use crate::explain::schema::{StagePlan, StreamKind, StreamPlan};
use crate::extsort::merge::{Cursor, Merge};
use crate::extsort::sorter::Unique;
use crate::group::cursor::StreamCursor;
use crate::group::order::{self, Judge, Limits, Order};
use crate::record::bad::Bad;
use crate::record::block::Blocks;
use crate::record::stream::{Facts, Input, Output, Summary};

/// What `mc-sort` is to do.
pub struct SortOptions {
    /// The order.
    pub order: Order,
    /// What it may use.
    pub limits: Limits,
    /// What happens to bad records.
    pub bad: Arc<Bad>,
    /// Whether it sorts, or what else.
    pub mode: Mode,
}

impl SortOptions {
    /// Says in `stage` what would be done there, which knows what is read and where it is done.
    pub fn explain(&self, stage: &mut StagePlan) {
        let mode = match self.mode {
            Mode::Sort => "sort",
            Mode::Check => "check",
            Mode::Merge => "merge",
        };
        stage.mode = Some(mode.into());
        stage.order(&self.order);
        let facts = self.order.facts();
        match self.mode {
            // As on hosts, where the records of a heavy key may lie in several shards.
            Mode::Sort => {
                let spread = !stage.place.here && !self.order.unique;
                stage.sorted(&Facts { spread, ..facts }, &self.limits.directory);
            }
            Mode::Merge => {
                stage.writes = stage.writes.clone().as_large_as(&stage.reads);
                stage.writes.declare(&facts);
            }
            Mode::Check => stage.writes = StreamPlan::of_kind(StreamKind::Nothing),
        }
    }
}

/// The ways of `mc-sort`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Sort.
    Sort,
    /// Only check that the records are in order (`--check`).
    Check,
    /// Merge inputs each of which is in order (`-m`).
    Merge,
}

/// Bytes that are written at once.
const WRITE_BYTES: usize = 256 << 10;

/// Sorts, checks or merges `inputs`, which follow one another.
///
/// # Errors
/// `BadInput` for a record that is bad, has no key, or is out of order where order is due;
/// `Storage` when there is no room to spill; what the streams say.
pub fn run(
    options: &SortOptions,
    mut inputs: Vec<Box<dyn Input>>,
    output: &mut impl Output,
) -> Result<Summary> {
    match (options.mode, inputs.pop()) {
        (_, None) => Err(Error::usage("no input")),
        (Mode::Sort, Some(input)) if inputs.is_empty() => {
            order::sort(&options.order, &options.limits, &options.bad, input, output)
        }
        (Mode::Check, Some(input)) if inputs.is_empty() => check(options, input),
        (Mode::Merge, Some(last)) => {
            inputs.push(last);
            merge(options, inputs, output)
        }
        (_, Some(_)) => Err(Error::usage("several inputs are for -m")),
    }
}

/// Sorts shards where they lie, and writes the manifest of others.
///
/// # Errors
/// As [`exchange::exchange`].
pub fn run_on_hosts(
    options: &SortOptions,
    remote: &Remote<'_>,
    consumer: Box<Consumer>,
    output: &mut dyn Output,
) -> Result<(Summary, Producer)> {
    // The records of a heavy key may lie in several shards; their order is the same.
    let spread = !options.order.unique;
    let what = exchange::what(&options.order, &[], &[], options.limits.max_record);
    let facts = Facts { spread, ..options.order.facts() };
    exchange::exchange(wire::Exchange { spread, ..what }, facts, remote, consumer, output)
}

fn cursor(
    options: &SortOptions,
    input: Box<dyn Input>,
) -> (StreamCursor<Box<dyn Input>>, Arc<Judge>) {
    let judge = Arc::new(Judge::new(input.name(), Arc::clone(&options.bad)));
    let blocks = Blocks::new(input, options.limits.max_record);
    // A merge drops doubles itself; a check with -u refuses them.
    let strict = options.order.unique && options.mode == Mode::Check;
    let (keyer, bad) = (options.order.keyer(), Arc::clone(&options.bad));
    (StreamCursor::new(blocks, keyer, strict, Arc::clone(&judge), bad), judge)
}

fn check(options: &SortOptions, input: Box<dyn Input>) -> Result<Summary> {
    let (mut records, judge) = cursor(options, input);
    while records.advance()? {}
    Ok(judge.summary())
}

fn merge(
    options: &SortOptions,
    inputs: Vec<Box<dyn Input>>,
    output: &mut impl Output,
) -> Result<Summary> {
    let (cursors, judges): (Vec<_>, Vec<_>) =
        inputs.into_iter().map(|input| cursor(options, input)).unzip();
    let mut merged = Unique::new(Merge::new(cursors), options.order.unique);
    let mut summary = Summary::default();
    let mut texts = Vec::with_capacity(WRITE_BYTES);
    output.declare(&options.order.facts())?;
    loop {
        let more = merged.advance()?;
        if texts.len() >= WRITE_BYTES || !more {
            summary.bytes_out += texts.len() as u64;
            output.write(&texts)?;
            texts.clear();
        }
        if !more {
            break;
        }
        summary.records_out += 1;
        texts.extend_from_slice(merged.text());
        texts.push(b'\n');
    }
    output.flush()?;
    for part in judges.iter().map(|judge| judge.summary()) {
        summary.records_in += part.records_in;
        summary.bytes_in += part.bytes_in;
        summary.missing += part.missing;
    }
    summary.bad = options.bad.count();
    Ok(summary)
}

//! `mc-reduce`: results per group of a stream that is in key order, by ops or by a command.

mod explain;
pub mod on_hosts;

use std::path::PathBuf;
use std::sync::Arc;

use crate::aggregate::Op;
use crate::command::Given;
use crate::engine::{self, CommandPlan, Cut, Piece, Setting, Voice};
use crate::error::{Error, Result};
use crate::group::grouping::Grouping;
use crate::group::order::{Judge, Limits};
use crate::group::reduce;
use crate::record::bad::Bad;
use crate::record::block::{Block, Blocks, flaw_error};
use crate::record::key::{KeyFault, Keyer, Keys, Missing};
use crate::record::stream::{Facts, Input, Output, Summary};
use crate::spool::Spool;

/// What `mc-reduce` is to do.
pub struct ReduceOptions {
    /// What makes a group.
    pub by: GroupBy,
    /// What becomes of records without the key, and of missing operands.
    pub missing: Missing,
    /// The texts that count as a missing operand.
    pub nulls: Vec<String>,
    /// What is done with each group.
    pub with: With,
    /// What it may use.
    pub limits: Limits,
    /// What happens to bad records.
    pub bad: Arc<Bad>,
}

/// What makes a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// This key.
    Key(Keys),
    /// The key of the stream, as its writer said it, or else the first element of pairs.
    Stream,
    /// All records are one group.
    Nothing,
}

impl GroupBy {
    /// By the key that was given, if one was; or not at all.
    pub fn new(key: Option<Keys>, all: bool) -> GroupBy {
        match (key, all) {
            (_, true) => GroupBy::Nothing,
            (Some(keys), false) => GroupBy::Key(keys),
            (None, false) => GroupBy::Stream,
        }
    }
}

/// What is done with each group.
pub enum With {
    /// These results of it are computed.
    Ops(Vec<Op>),
    /// A command gets it whole, with others.
    Command(Box<OverGroups>),
}

impl With {
    /// The command, if there is one, and as it was given.
    pub fn command(&mut self) -> Option<(&mut CommandPlan, &Given)> {
        match self {
            With::Command(command) => Some((&mut command.plan, &command.given)),
            With::Ops(_) => None,
        }
    }
}

/// A command that is run over groups.
pub struct OverGroups {
    /// How it is run.
    pub plan: CommandPlan,
    /// The command as it was given.
    pub given: Given,
    /// Bytes of groups that one process of it gets, where that is given.
    pub block: Option<usize>,
}

/// What helps where a command prints plain lines and no JSON.
pub const PLAIN_LINES: &str = " (make strings of plain lines: -c '... | jq -R .')";

/// Bytes read at first, to learn what the stream is.
const FIRST_BYTES: usize = 64 << 10;

/// Reduces `input`.
///
/// # Errors
/// `Usage` when there is no key, `BadInput` for a bad record, one out of order, or an operand that
/// is none, `Command` or `Timeout` for a command that failed; what the streams say.
pub fn run(
    options: &ReduceOptions,
    input: impl Input + 'static,
    output: &mut impl Output,
    voice: Voice<'_>,
) -> Result<Summary> {
    let mut blocks = Blocks::new(input, options.limits.max_record);
    let start = blocks.next(FIRST_BYTES, Vec::new(), &options.bad)?;
    let (keys, reverse) = keys(&options.by, &mut blocks, start.as_ref())?;
    output.declare(&Facts::default())?;
    match &options.with {
        With::Ops(ops) => {
            let max_record = options.limits.max_record;
            let grouping = Grouping::new(keys, ops.clone(), options.missing, max_record)?;
            let grouping = grouping.with_nulls(options.nulls.clone()).reversed(reverse);
            reduce::in_order(grouping, &options.limits, &options.bad, start, blocks, output)
        }
        With::Command(over_groups) => {
            let keyer =
                keys.as_ref().map(|keys| Keyer::new(keys, options.missing, &[]).reversed(reverse));
            let shown = keys.map_or(String::new(), |keys| keys.spelled());
            let cut = GroupCut::new(options, blocks, start, keyer, shown);
            command(options, over_groups, cut, output, voice)
        }
    }
}

/// The key, and whether the stream is in its reverse order.
fn keys<I: Input>(
    by: &GroupBy,
    blocks: &mut Blocks<I>,
    start: Option<&Block>,
) -> Result<(Option<Keys>, bool)> {
    match by {
        GroupBy::Nothing => return Ok((None, false)),
        GroupBy::Key(keys) => return Ok((Some(keys.clone()), false)),
        GroupBy::Stream => (),
    }
    if let Some(Facts { key: Some(key), reverse, .. }) = blocks.input().facts() {
        return Ok((Some(Keys::parse(&key)?), reverse));
    }
    let first = start.and_then(|block| block.lines().next());
    if first.is_some_and(|line| line.text.trim_ascii_start().starts_with(b"{")) {
        return Err(Error::usage(
            "by which key? the records are objects, and nothing is known of their order \
             (say -k KEY, or --all for one group)",
        ));
    }
    Ok((Some(Keys::implied()), false))
}

fn command(
    options: &ReduceOptions,
    over_groups: &OverGroups,
    cut: GroupCut<impl Input + 'static>,
    output: &mut impl Output,
    voice: Voice<'_>,
) -> Result<Summary> {
    let (judge, name) = (Arc::clone(&cut.judge), cut.blocks.name().to_string());
    let setting = Setting {
        limits: &options.limits,
        block: over_groups.block,
        bad: &options.bad,
        input_name: &name,
        voice,
    };
    let summary = engine::here(&over_groups.plan, setting, cut, output)?;
    let read = judge.summary();
    Ok(Summary { records_in: read.records_in, missing: read.missing, ..summary })
}

/// Cuts a stream that is in key order into pieces of whole groups.
struct GroupCut<I> {
    blocks: Blocks<I>,
    /// What was read of the stream already.
    start: Option<Block>,
    bad: Arc<Bad>,
    judge: Arc<Judge>,
    /// Finds the key; none where all records are one group.
    keyer: Option<Keyer>,
    key_shown: String,
    /// The key of the last record, and of the one before.
    key: Vec<u8>,
    last: Vec<u8>,
    /// The block in work, and where in it and in the stream the next line is.
    block: Block,
    at: usize,
    number: u64,
    /// The first record of the next piece.
    held: Option<Vec<u8>>,
    spool_memory: usize,
    directory: PathBuf,
    started: bool,
}

impl<I: Input + 'static> GroupCut<I> {
    fn new(
        options: &ReduceOptions,
        blocks: Blocks<I>,
        start: Option<Block>,
        keyer: Option<Keyer>,
        key_shown: String,
    ) -> GroupCut<I> {
        GroupCut {
            judge: Arc::new(Judge::new(blocks.name(), Arc::clone(&options.bad))),
            blocks,
            start,
            bad: Arc::clone(&options.bad),
            keyer,
            key_shown,
            key: Vec::new(),
            last: Vec::new(),
            block: Block::default(),
            at: 0,
            number: 1,
            held: None,
            spool_memory: options.limits.memory / (8 * options.limits.jobs.max(1)),
            directory: options.limits.directory.clone(),
            started: false,
        }
    }

    /// Goes to the next record that has a key; returns where its text is in the block.
    fn record(&mut self) -> Result<Option<std::ops::Range<usize>>> {
        loop {
            let Some(line) = self.block.line_at(self.at, self.number) else {
                let buffer = std::mem::take(&mut self.block.bytes);
                let next = match self.start.take() {
                    Some(start) => Some(start),
                    None => self.blocks.next(FIRST_BYTES, buffer, &self.bad)?,
                };
                let Some(block) = next else { return Ok(None) };
                (self.at, self.number, self.block) = (0, block.first_line, block);
                continue;
            };
            (self.at, self.number) = (self.block.after(&line), line.number + 1);
            std::mem::swap(&mut self.key, &mut self.last);
            self.key.clear();
            let found = match &mut self.keyer {
                Some(keyer) => keyer.key(line.text, &mut self.key).map(|_| ()),
                None => crate::record::scan::check(line.text).map_err(KeyFault::Flaw),
            };
            self.judge.count(1, u64::from(found.is_ok()), line.text.len() + 1);
            match found {
                Ok(()) if self.started && self.key < self.last => {
                    let key = match self.key_shown.as_str() {
                        "" => String::new(),
                        key => format!(" -k {key}"),
                    };
                    let fix = format!("group it first: mc-shuffle{key}");
                    let what = "the input is not in the order of the key";
                    return Err(self.judge.error(line, format!("{what}; {fix}")));
                }
                Ok(()) => {
                    self.started = true;
                    return Ok(Some(line.at..line.at + line.text.len()));
                }
                Err(KeyFault::Flaw(flaw)) => {
                    let error = flaw_error(self.blocks.name(), line, flaw);
                    self.bad.reject(error, line.text)?;
                    std::mem::swap(&mut self.key, &mut self.last);
                }
                Err(fault) => {
                    self.judge.fault(line, fault)?;
                    std::mem::swap(&mut self.key, &mut self.last);
                }
            }
        }
    }
}

impl<I: Input + 'static> Cut for GroupCut<I> {
    fn next(
        &mut self,
        size: &dyn Fn(Option<usize>) -> usize,
        buffer: Vec<u8>,
    ) -> Result<Option<Piece>> {
        let here = self.block.bytes.len() - self.at.min(self.block.bytes.len());
        let size = size((self.started && self.blocks.is_at_end()).then_some(here));
        let mut input = Spool::new(buffer, self.spool_memory.max(size), &self.directory);
        let mut records = 0;
        if let Some(record) = self.held.take() {
            input.push(&record)?;
            input.push(b"\n")?;
            records = 1;
        }
        while let Some(place) = self.record()? {
            let record = &self.block.bytes[place];
            if self.key != self.last && input.len() >= size as u64 && records > 0 {
                self.held = Some(record.to_vec());
                break;
            }
            input.push(record)?;
            input.push(b"\n")?;
            records += 1;
        }
        Ok((records > 0).then_some(Piece::Ready { input, records }))
    }
}

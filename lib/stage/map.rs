//! `mc-map`: what a command prints for the records.

pub mod hosts;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::command::{Command, Spool};
use crate::engine::quarantine::Quarantine;
use crate::engine::{self, Cut, Form, Piece, Place, Plan};
use crate::error::Result;
use crate::record::bad::Bad;
use crate::record::block::Blocks;
use crate::record::stream::{Facts, Input, Output, Summary};

/// What `mc-map` is to do.
pub struct Options {
    /// The command.
    pub command: Command,
    /// What it reads and prints.
    pub form: Form,
    /// What one process of it gets.
    pub per: Per,
    /// How many run at once.
    pub slots: usize,
    /// The size of a block in bytes, where it is given.
    pub block: Option<usize>,
    /// The exit statuses that mean success.
    pub ok_exit: Vec<i32>,
    /// How many more attempts a failed task gets.
    pub retries: u32,
    /// How long an attempt may take.
    pub timeout: Option<Duration>,
    /// What happens to bad records.
    pub bad: Arc<Bad>,
    /// The longest record in bytes.
    pub max_record: usize,
    /// Memory to stay within, in bytes.
    pub memory: usize,
    /// Where temporary files are made.
    pub directory: PathBuf,
    /// What becomes of the records that the command fails on.
    pub failed: Arc<Quarantine>,
    /// What is said of output that is no JSON and looks like plain lines.
    pub plain_lines: &'static str,
    /// Where the input is kept on which the command failed.
    pub kept: Option<PathBuf>,
}

/// What helps where plain lines are printed and no JSON.
pub const PLAIN_LINES: &str =
    " (for plain lines say -t, where records are strings, or -c '... | jq -R .')";

/// What one process of the command gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// A block of records.
    Block,
    /// All records.
    Shard,
}

/// Runs the command over the records of `input`. `pass_on` takes lines for standard error, each
/// with `tool` in front.
///
/// # Errors
/// `Command` or `Timeout` for a command that failed, `BadInput` for bad records on either side of
/// it, `Usage` where it cannot be started, and what the streams say.
pub fn run(
    options: &Options,
    tool: &str,
    input: impl Input + 'static,
    output: &mut dyn Output,
    pass_on: &(dyn Fn(&str) + Sync),
) -> Result<Summary> {
    output.declare(&Facts::default())?;
    let plan = plan(options, tool, Place::Here, input.name(), pass_on);
    work(options, &plan, input, output)
}

fn plan<'a>(
    options: &'a Options,
    tool: &'a str,
    place: Place<'a>,
    input_name: &str,
    pass_on: &'a (dyn Fn(&str) + Sync),
) -> Plan<'a> {
    Plan {
        place,
        tool,
        command: &options.command,
        form: options.form,
        ok_exit: &options.ok_exit,
        retries: options.retries,
        timeout: options.timeout,
        slots: if options.per == Per::Shard { 1 } else { options.slots },
        block: options.block,
        memory: options.memory,
        folder: &options.directory,
        max_record: options.max_record,
        bad: &options.bad,
        input_name: input_name.to_string(),
        failed: &options.failed,
        plain_lines: options.plain_lines,
        kept: options.kept.as_deref(),
        pass_on,
    }
}

/// Runs the command over the records of `input`, wherever the plan says.
fn work(
    options: &Options,
    plan: &Plan<'_>,
    input: impl Input + 'static,
    output: &mut dyn Output,
) -> Result<Summary> {
    let blocks = Blocks::new(input, options.max_record);
    let bad = Arc::clone(&options.bad);
    match options.per {
        Per::Block => engine::run(plan, BlockCut { blocks, bad }, output),
        Per::Shard => {
            let memory = options.memory / 4;
            let spool = Spool::new(Vec::new(), memory, &options.directory);
            let cut = ShardCut { blocks, bad, form: options.form, spool: Some(spool) };
            engine::run(plan, cut, output)
        }
    }
}

/// Cuts a stream into blocks of whole records.
struct BlockCut<I> {
    blocks: Blocks<I>,
    bad: Arc<Bad>,
}

impl<I: Input + 'static> Cut for BlockCut<I> {
    fn next(&mut self, size: usize, buffer: Vec<u8>) -> Result<Option<Piece>> {
        Ok(self.blocks.next(size, buffer, &self.bad)?.map(Piece::Lines))
    }
}

/// Takes the whole stream as one piece, even where it is empty.
struct ShardCut<I> {
    blocks: Blocks<I>,
    bad: Arc<Bad>,
    form: Form,
    /// The piece; none when it was given.
    spool: Option<Spool>,
}

impl<I: Input + 'static> Cut for ShardCut<I> {
    fn next(&mut self, size: usize, mut buffer: Vec<u8>) -> Result<Option<Piece>> {
        let Some(mut input) = self.spool.take() else { return Ok(None) };
        let mut records = 0;
        while let Some(block) = self.blocks.next(size, buffer, &self.bad)? {
            let fed = self.form.feed(block, self.blocks.name(), drop);
            records += fed.records;
            for (error, text) in fed.rejects {
                self.bad.reject(error, &text)?;
            }
            input.push(&fed.bytes)?;
            buffer = fed.bytes;
        }
        Ok(Some(Piece::Ready { input, records }))
    }
}

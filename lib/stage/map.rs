//! `mc-map`: what a command prints for the records.

use std::sync::Arc;

use crate::engine::consumer::ConsumerInput;
use crate::engine::cuts;
use crate::engine::producer::Producer;
use crate::engine::shard_job::{ShardJob, ShippedCommand};
use crate::engine::{self, CommandPlan, Cut, Form, Piece, Setting, Voice};
use crate::error::Result;
use crate::group::order::Limits;
use crate::record::bad::Bad;
use crate::record::block::Blocks;
use crate::record::stream::{Facts, Input, Output, Summary};
use crate::spool::Spool;

/// What `mc-map` is to do.
pub struct MapOptions {
    /// The command, and how it is run.
    pub command: CommandPlan,
    /// Whether one process of it gets all records, and not a block of them.
    pub in_one_piece: bool,
    /// The size of a block in bytes, where it is given.
    pub block: Option<usize>,
    /// What happens to bad records.
    pub bad: Arc<Bad>,
    /// What it may use of this machine.
    pub limits: Limits,
}

/// How much of a stream is taken at once that is one piece.
const READ_BYTES: usize = 256 << 10;

/// What helps where plain lines are printed and no JSON.
pub const PLAIN_LINES: &str =
    " (for plain lines say -t, where records are strings, or -c '... | jq -R .')";

/// Runs the command over the records of `input`.
///
/// # Errors
/// `Command` or `Timeout` for a command that failed, `BadInput` for bad records on either side of
/// it, `Usage` where it cannot be started, and what the streams say.
pub fn run(
    options: &MapOptions,
    input: impl Input + 'static,
    output: &mut dyn Output,
    voice: Voice<'_>,
) -> Result<Summary> {
    output.declare(&Facts::default())?;
    let jobs = if options.in_one_piece { 1 } else { options.limits.jobs };
    let limits = Limits { jobs, ..options.limits.clone() };
    let (command, bad, name) = (&options.command, &options.bad, input.name().to_string());
    let (block, input_name) = (options.block, name.as_str());
    let setting = Setting { limits: &limits, block, bad, input_name, voice };
    let blocks = Blocks::new(input, limits.max_record);
    if !options.in_one_piece {
        // Of records that are runs of their own each is known by itself.
        let memo = command.memo.as_ref().filter(|_| command.form.each.is_none());
        return engine::here(command, setting, cuts::blocks(blocks, bad, memo), output);
    }
    let spool = Some(Spool::new(Vec::new(), limits.memory / 4, &limits.directory));
    let cut = WholeCut { blocks, bad: Arc::clone(bad), form: command.form.clone(), spool };
    engine::here(command, setting, cut, output)
}

/// Runs the command on hosts, as `job` says, and writes the manifest of what it printed to `output`.
/// `shipped` is the command as it is to be there.
///
/// # Errors
/// As [`run`]; `Hosts` when hosts cannot be reached, or are lost with shards.
pub fn run_on_hosts(
    plan: &CommandPlan,
    shipped: &ShippedCommand,
    job: &ShardJob<'_>,
    feed: ConsumerInput,
    output: &mut dyn Output,
) -> Result<(Summary, Producer)> {
    job.run(Some((plan, shipped)), feed, output)
}

/// Takes the whole stream as one piece, even where it is empty.
struct WholeCut<I> {
    blocks: Blocks<I>,
    bad: Arc<Bad>,
    form: Form,
    /// The piece; none when it was given.
    spool: Option<Spool>,
}

impl<I: Input + 'static> Cut for WholeCut<I> {
    fn next(
        &mut self,
        _: &dyn Fn(Option<usize>) -> usize,
        mut buffer: Vec<u8>,
    ) -> Result<Option<Piece>> {
        let Some(mut input) = self.spool.take() else { return Ok(None) };
        let (mut records, mut spare) = (0, Vec::new());
        while let Some(block) = self.blocks.next(READ_BYTES, buffer, &self.bad)? {
            let fed = self.form.feed(block, self.blocks.name(), spare);
            records += fed.records;
            for (error, text) in fed.rejects {
                self.bad.reject(error, &text)?;
            }
            input.push(&fed.bytes)?;
            (buffer, spare) = (fed.bytes, fed.free);
        }
        Ok(Some(Piece::Ready { input, records }))
    }
}

//! `mc-map`: what a command prints for the records.

pub mod hosts;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::{self, Cut, Form, Piece, Place, Plan};
use crate::error::Result;
use crate::record::bad::Bad;
use crate::record::block::Blocks;
use crate::record::stream::{Facts, Input, Output, Summary};
use crate::worker::{Command, Spool, quote};

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
    /// The file that is the input, where it is one.
    pub input_path: Option<PathBuf>,
}

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
    let by_hand = |first, count| by_hand(options, first, count);
    let plan = plan(options, tool, Place::Here, input.name(), &by_hand, pass_on);
    work(options, &plan, input, output)
}

fn plan<'a>(
    options: &'a Options,
    tool: &'a str,
    place: Place<'a>,
    input_name: &str,
    by_hand: &'a (dyn Fn(u64, u64) -> String + Sync),
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
        by_hand,
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

/// A shell line that gives the command the same lines again.
fn by_hand(options: &Options, first: u64, count: u64) -> String {
    let last = first.saturating_add(count).saturating_sub(1);
    let script = quote::word(OsStr::new(&format!("{first},{last}p;{last}q")));
    let whole = options.per == Per::Shard || count == 0;
    let source = match (&options.input_path, whole) {
        (Some(path), true) => format!("cat {}", quoted(path)),
        (Some(path), false) => format!("sed -n {script} {}", quoted(path)),
        (None, true) => "... ".to_string(),
        (None, false) => format!("... | sed -n {script}"),
    };
    let text = if options.form == Form::Text { " | jq -r ." } else { "" };
    format!("{}{text} | {}", source.trim_end(), options.command.shown())
}

/// A path that no program takes for an option.
fn quoted(path: &Path) -> String {
    quote::word(path.as_os_str())
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
        let (mut line_count, mut records) = (0, 0);
        while let Some(block) = self.blocks.next(size, buffer, &self.bad)? {
            line_count += block.line_count;
            let fed = self.form.feed(block, self.blocks.name(), drop);
            records += fed.records;
            for (error, text) in fed.rejects {
                self.bad.reject(error, &text)?;
            }
            input.push(&fed.bytes)?;
            buffer = fed.bytes;
        }
        Ok(Some(Piece::Ready { input, lines: (1, line_count), records }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::bad::Policy;

    fn hand(per: Per, form: Form, path: Option<&str>) -> String {
        let options = Options {
            command: Command::shell("jq -c '.x'".into(), &[0], None).unwrap(),
            form,
            per,
            slots: 1,
            block: None,
            ok_exit: vec![0],
            retries: 1,
            timeout: None,
            bad: Arc::new(Bad::new(Policy::Fail).unwrap()),
            max_record: 1 << 20,
            memory: 1 << 20,
            directory: "/tmp".into(),
            input_path: path.map(PathBuf::from),
        };
        by_hand(&options, 1201, 1200)
    }

    #[test]
    fn a_block_can_be_run_by_hand() {
        let command = "bash -c 'jq -c '\\''.x'\\'''";
        assert_eq!(
            hand(Per::Block, Form::Records, Some("/data/my file")),
            format!("sed -n '1201,2400p;2400q' '/data/my file' | {command}")
        );
        assert_eq!(
            hand(Per::Block, Form::Text, None),
            format!("... | sed -n '1201,2400p;2400q' | jq -r . | {command}")
        );
        assert_eq!(hand(Per::Shard, Form::Records, None), format!("... | {command}"));
        assert_eq!(hand(Per::Shard, Form::Records, Some("/a")), format!("cat /a | {command}"));
    }
}

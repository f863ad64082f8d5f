//! What is to be done with the pieces of a stream: what is run, within which limits, and what is
//! said of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::command::each::LocalFile;
use crate::command::{Command, Form, Memo};
use crate::engine::fleet::Fleet;
use crate::engine::lineage::Lineage;
use crate::engine::observer::Observer;
use crate::engine::quarantine::Quarantine;
use crate::engine::schedule::Halt;
use crate::engine::shard_hosts::ShardHosts;
use crate::engine::shared_files::Shared;
use crate::engine::task_queue::Product;
use crate::engine::work::Work;
use crate::error::{Error, Result};
use crate::group::order::Limits;
use crate::record::bad::Bad;
use crate::record::digest::Contents;

/// A command, and how it is run.
///
/// With a [`Setting`] and a stream that is cut into pieces it is all that [`here`](super::here) needs:
///
/// ```
/// use std::sync::Arc;
///
/// use mycloud::command::{Command, Given};
/// use mycloud::engine::cuts::BlockCut;
/// use mycloud::engine::observer::Observer;
/// use mycloud::engine::quarantine::Quarantine;
/// use mycloud::engine::{self, CommandPlan, Form, Halt, Setting, Voice};
/// use mycloud::format::bytes::Memory;
/// use mycloud::group::order::Limits;
/// use mycloud::record::bad::{Bad, Policy};
/// use mycloud::record::block::Blocks;
/// use mycloud::record::stream::{Facts, Output};
///
/// /// Keeps what is written.
/// struct Written(Vec<u8>);
///
/// impl Output for Written {
///     fn declare(&mut self, _: &Facts) -> mycloud::Result<()> {
///         Ok(())
///     }
///     fn write(&mut self, records: &[u8]) -> mycloud::Result<()> {
///         self.0.extend_from_slice(records);
///         Ok(())
///     }
///     fn flush(&mut self) -> mycloud::Result<()> {
///         Ok(())
///     }
/// }
///
/// # fn main() -> mycloud::Result<()> {
/// let path = std::env::var_os("PATH");
/// let command = CommandPlan {
///     command: Command::find(Given::Line("sed s/1/7/".into()), &[0], path.as_deref())?,
///     form: Form::default(),
///     ok_exit: vec![0],
///     retries: 1,
///     timeout: None,
///     halt: Halt::default(),
///     speculates: false,
///     failed: Arc::new(Quarantine::none()),
///     plain_lines: "",
///     kept: None,
///     memo: None,
///     shared: None,
/// };
/// let limits = Limits {
///     memory: 64 << 20,
///     jobs: 2,
///     directory: std::env::temp_dir(),
///     max_record: 1 << 20,
/// };
/// let bad = Arc::new(Bad::new(Policy::Fail)?);
/// let (pass_on, observer) = (&|lines: &str| eprint!("{lines}"), &Observer::default());
/// let voice = Voice { tool: "example", pass_on, observer };
/// let setting = Setting { limits: &limits, block: None, bad: &bad, input_name: "numbers", voice };
/// let input = Memory::new("numbers", b"1\n2\n31\n");
/// let mut output = Written(Vec::new());
/// let cut = BlockCut::new(Blocks::new(input, limits.max_record), &bad);
/// let summary = engine::here(&command, setting, cut, &mut output)?;
/// assert_eq!(output.0, b"7\n2\n37\n");
/// assert_eq!((summary.records_in, summary.records_out), (3, 3));
/// # Ok(())
/// # }
/// ```
pub struct CommandPlan {
    /// The command.
    pub command: Command,
    /// What it reads and prints.
    pub form: Form,
    /// The exit statuses with which it says that all is well.
    pub ok_exit: Vec<i32>,
    /// How many more attempts a task gets.
    pub retries: u32,
    /// How long an attempt may take.
    pub timeout: Option<Duration>,
    /// What becomes of the tasks that run, once one has failed for good.
    pub halt: Halt,
    /// Whether tasks that lag behind at the end are tried a second time.
    pub speculates: bool,
    /// What becomes of the records that it fails on.
    pub failed: Arc<Quarantine>,
    /// What is to be said of output that is no JSON and looks like plain lines.
    pub plain_lines: &'static str,
    /// Where the input of the task that failed is kept, to run the command on by hand.
    pub kept: Option<PathBuf>,
    /// What it printed before, where that is kept.
    pub memo: Option<Arc<Memo>>,
    /// The files of this machine that it may read and write, if it may.
    pub shared: Option<Shared>,
}

impl CommandPlan {
    /// A file that is shared with the command, which runs on this machine: itself.
    pub(crate) fn client_file(&self, path: &Path) -> Result<Box<dyn LocalFile>> {
        let Some(shared) = &self.shared else {
            return Err(Error::usage("nothing of this machine is shared: say --share DIR"));
        };
        shared.files.may_read(path)?;
        Ok(Box::new(path.to_path_buf()))
    }
}

/// What is said while work is done.
#[derive(Clone, Copy)]
pub struct Voice<'a> {
    /// The name of the tool, which stands before each line.
    pub tool: &'a str,
    /// Takes whole lines for standard error, several at once, each with `tool` in front.
    pub pass_on: &'a (dyn Fn(&str) + Sync),
    /// Is told of tasks.
    pub observer: &'a Observer,
}

/// What work may use, what it works on, and how it speaks.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// What this machine gives.
    pub limits: &'a Limits,
    /// The size of the pieces in bytes, where it is not to be chosen here.
    pub block: Option<usize>,
    /// What happens to bad records.
    pub bad: &'a Bad,
    /// The name of the input, for messages.
    pub input_name: &'a str,
    /// What is said.
    pub voice: Voice<'a>,
}

/// Hosts to work on.
pub struct Hosts<'a> {
    /// The workers there.
    pub fleet: &'a Fleet,
    /// The number of the job that they know the work by.
    pub job: u32,
    /// On how many hosts each shard is made.
    pub replicas: usize,
    /// Where shards lie that are the input, if they are.
    pub origin: Option<Arc<ShardHosts>>,
    /// The run that their shards are of.
    pub run: String,
    /// Takes note of what they are made of.
    pub(crate) lineage: Arc<Lineage>,
    /// Makes the manifest's lines, which are asked for in the order of the tasks.
    pub line: MakeShardLine<'a>,
}

impl Hosts<'_> {
    /// Takes note of what task `task` has made of `work`.
    pub(crate) fn made(&self, task: u64, product: &Product, work: &Work) {
        if let Product::Shard(made) = product
            && !made.hosts.is_empty()
        {
            self.lineage.made(task, work, made.contents);
        }
    }
}

/// Makes the manifest's line for a shard: the hosts that it lies on, what it holds.
pub type MakeShardLine<'a> = &'a (dyn Fn(&[String], &Contents) -> Result<Vec<u8>> + Sync + 'a);

/// Where work is done, and what is run there.
#[derive(Clone, Copy)]
pub(crate) enum WorkPlace<'a> {
    /// On this machine: what the command prints is the output.
    Here(&'a CommandPlan),
    /// On hosts, where shards are made of what the command prints, or of the records themselves: the
    /// output is the manifest's lines.
    Hosts(&'a Hosts<'a>, Option<&'a CommandPlan>),
}

/// The whole of it.
#[derive(Clone, Copy)]
pub(crate) struct Plan<'a> {
    pub(crate) place: WorkPlace<'a>,
    pub(crate) setting: Setting<'a>,
}

impl<'a> Plan<'a> {
    /// The command, where one is run.
    pub(crate) fn command(&self) -> Option<&'a CommandPlan> {
        match self.place {
            WorkPlace::Here(command) => Some(command),
            WorkPlace::Hosts(_, command) => command,
        }
    }

    /// In which form records are read.
    pub(crate) fn form(&self) -> Form {
        self.command().map_or_else(Form::default, |command| command.form.clone())
    }

    /// How many more attempts a task gets: none where each record has its own.
    pub(crate) fn retries(&self) -> u32 {
        let of_tasks = self.command().filter(|command| command.form.each.is_none());
        of_tasks.map_or(0, |command| command.retries)
    }

    /// What the command printed before for pieces, where that is kept: for records that are runs of
    /// their own, here, it is kept for each.
    pub(crate) fn memo(&self) -> Option<&'a Memo> {
        let command = self.command()?;
        let by_records = command.form.each.is_some() && matches!(self.place, WorkPlace::Here(_));
        command.memo.as_deref().filter(|_| !by_records)
    }

    /// Whether the records are looked for that the command fails on.
    pub(crate) fn searches(&self) -> bool {
        self.command().is_some_and(|command| command.failed.is_on())
    }

    /// Where temporary files are made.
    pub(crate) fn folder(&self) -> &'a Path {
        &self.setting.limits.directory
    }

    /// The longest record in bytes.
    pub(crate) fn max_record(&self) -> usize {
        self.setting.limits.max_record
    }

    /// What happens to bad records.
    pub(crate) fn bad(&self) -> &'a Bad {
        self.setting.bad
    }

    /// The name of the tool.
    pub(crate) fn tool(&self) -> &'a str {
        self.setting.voice.tool
    }

    /// Says whole lines, each with the tool's name in front.
    pub(crate) fn say(&self, lines: &str) {
        (self.setting.voice.pass_on)(lines);
    }
}

//! mc-map: what a command prints for the records.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use mycloud::cli::hosts::Hosts;
use mycloud::cli::options::{Memory, Records};
use mycloud::cli::{self, Session, duration, size, surroundings};
use mycloud::engine::Form;
use mycloud::stage::map::{self, Options};
use mycloud::worker::Command;
use mycloud::{Error, Result};

/// Run a command over the records, as often and on as many cores as it takes, and print what it
/// prints, in the order of the input
///
/// The command reads records on its standard input, one a line, and prints records. It is run for
/// each block of the input; its output counts once it has exited with success.
#[derive(clap::Parser)]
#[command(override_usage = "mc-map [OPTION]... CMD [ARG]...\n       mc-map [OPTION]... -c LINE")]
struct Args {
    /// The command and its arguments, given to it as they are: no shell sees them
    #[arg(value_name = "CMD", trailing_var_arg = true)]
    command: Vec<OsString>,

    /// Run LINE with /bin/sh -c instead
    #[arg(short = 'c', value_name = "LINE", allow_hyphen_values = true)]
    line: Option<OsString>,

    /// Feed and read plain lines: a record is a string, and stands for its text
    #[arg(short, long)]
    text: bool,

    /// What one process of the command gets
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Per::Block)]
    per: Per,

    /// Cut blocks of about SIZE [default: they grow from 256K to 4M or more]
    #[arg(long, value_name = "SIZE", value_parser = size::bytes)]
    block: Option<u64>,

    /// The exit statuses that mean success
    #[arg(long, value_name = "STATUS", value_delimiter = ',', default_value = "0")]
    ok_exit: Vec<u8>,

    /// How often a failed command is tried again on the same block
    #[arg(long, value_name = "N", default_value_t = 1)]
    retries: u32,

    /// End a command that takes longer than TIME, such as 90s or 10m
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    timeout: Option<Duration>,

    /// Kept for later: --per record
    #[arg(long, hide = true)]
    each: bool,

    /// Kept for later: key TAB value lines
    #[arg(long, hide = true)]
    kv: bool,

    /// Kept for later: bytes
    #[arg(long, hide = true)]
    raw: bool,

    /// Kept for hosts
    #[arg(long, hide = true, value_name = "PATH")]
    ship: Vec<OsString>,

    #[command(flatten)]
    hosts: Hosts,

    #[command(flatten)]
    records: Records,

    #[command(flatten)]
    memory: Memory,
}

/// What one process of the command gets.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Per {
    /// A block of records
    Block,
    /// All records
    Shard,
    /// One record
    #[value(hide = true)]
    Record,
}

impl Args {
    /// Refuses what there is no code for yet.
    fn refuse_what_is_not_there(&self) -> Result<()> {
        let refused = [
            ("--each", self.each),
            ("--per record", self.per == Per::Record),
            ("--kv", self.kv),
            ("--raw", self.raw),
            ("--ship", !self.ship.is_empty()),
        ];
        match refused.iter().find(|(_, asked)| *asked) {
            Some((name, _)) => Err(Error::usage(format!("{name}: not in this version yet"))),
            None => Ok(()),
        }
    }

    fn command(&mut self) -> Result<Command> {
        let words = std::mem::take(&mut self.command);
        match (self.line.take(), words.first()) {
            (Some(line), None) => Ok(Command::shell(line)),
            (Some(_), Some(word)) => Err(Error::usage(format!(
                "'{}': -c takes one LINE and no command behind it",
                word.display()
            ))),
            (None, None) => Err(Error::usage("no command: say CMD [ARG]... or -c LINE")),
            (None, Some(_)) => Command::program(words, surroundings::search_path().as_deref()),
        }
    }

    fn options(mut self) -> Result<Options> {
        self.refuse_what_is_not_there()?;
        let block = self.block.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if block.is_some_and(|bytes| bytes > self.memory.bytes()) {
            return Err(Error::usage("--block is more than the memory that may be used (-S)"));
        }
        Ok(Options {
            command: self.command()?,
            form: if self.text { Form::Text } else { Form::Records },
            per: if self.per == Per::Shard { map::Per::Shard } else { map::Per::Block },
            slots: self.memory.jobs(),
            block,
            ok_exit: self.ok_exit.iter().copied().map(i32::from).collect(),
            retries: self.retries,
            timeout: self.timeout,
            bad: self.records.bad()?,
            max_record: self.records.max_record(),
            memory: self.memory.bytes(),
            directory: self.memory.temporary_directory()?,
            input_path: surroundings::stdin_path(),
        })
    }
}

fn main() -> ExitCode {
    cli::run("mc-map", |args: Args, session: &mut Session| {
        if let Some(hosts) = args.hosts.hosts()? {
            let reach = args.hosts.reach(session)?;
            let options = args.options()?;
            session.guard()?;
            let feed = mycloud::cli::feed::feed(session)?;
            let words = options.command.words().iter().map(|w| w.as_os_str().into()).collect();
            let remote = map::hosts::Remote {
                reach: &reach,
                hosts: Some(hosts),
                memory: None,
                words,
                files: vec![],
                replicas: 1,
                keep: None,
            };
            let session = &*session;
            return mycloud::cli::shards::publish(session, &reach, None, |output| {
                map::hosts::run(&options, &remote, feed, output, &|lines| session.pass_on(lines))
            });
        }
        let options = args.options()?;
        session.guard()?;
        let (tool, input, mut output) = (session.tool(), session.stdin()?, session.stdout());
        let session = &*session;
        map::run(&options, tool, input, &mut output, &|lines| session.pass_on(lines))
    })
}

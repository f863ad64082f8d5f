//! mc-map: what a command prints for the records.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::OsStringValueParser;
use mycloud::cli::hosts::Hosts;
use mycloud::cli::options::{Memory, Pipes, Records};
use mycloud::cli::{self, Session, duration, feed, shards, shipping, size, surroundings};
use mycloud::command::{Command, Given};
use mycloud::engine::Form;
use mycloud::engine::consumer::Feed;
use mycloud::engine::quarantine::Quarantine;
use mycloud::record::bad::Policy;
use mycloud::record::stream::{Input, Summary};
use mycloud::stage::map::hosts::{self, Remote};
use mycloud::stage::map::{self, Options};
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

    /// Run LINE with bash instead, or /bin/sh where there is none; it fails when any member of a
    /// pipe in it fails
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

    /// What to do with the records that the command fails on, which are found by halving blocks:
    /// fail, skip (drop and count them), file=PATH (keep them there, with how it failed) or limit=N
    /// (drop no more than N)
    #[arg(long, value_name = "POLICY", default_value = "fail")]
    failed: Policy,

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

    #[command(flatten)]
    hosts: Hosts,

    /// Go on without hosts that cannot be reached, as long as N of them can [default: all must]
    #[arg(long, value_name = "N", requires = "hosts")]
    min_hosts: Option<NonZeroUsize>,

    /// Send PATH, a file or a directory, to the hosts, where the command finds it under the same
    /// name; a command that is a file here is sent by itself
    #[arg(long, value_name = "PATH", value_parser = OsStringValueParser::new())]
    ship: Vec<OsString>,

    /// Keep what is printed on the hosts, as shards, and their manifest in FILE (FILE.mc)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    pipes: Pipes,

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
        ];
        match refused.iter().find(|(_, asked)| *asked) {
            Some((name, _)) => Err(Error::usage(format!("{name}: not in this version yet"))),
            None => Ok(()),
        }
    }

    /// The command.
    fn given(&mut self) -> Result<Given> {
        let words = std::mem::take(&mut self.command);
        match (self.line.take(), words.first()) {
            (Some(line), None) => Ok(Given::Line(line)),
            (Some(_), Some(word)) => Err(Error::usage(format!(
                "'{}': -c takes one LINE and no command behind it",
                word.display()
            ))),
            (None, None) => Err(Error::usage("no command: say CMD [ARG]... or -c LINE")),
            (None, Some(_)) => Ok(Given::Words(words)),
        }
    }

    fn options(&self, command: Command, kept: Option<PathBuf>) -> Result<Options> {
        if self.per == Per::Shard && self.failed != Policy::Fail {
            return Err(Error::usage(
                "--failed is for commands that treat each record by itself, not for --per shard",
            ));
        }
        let block = self.block.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if block.is_some_and(|bytes| bytes > self.memory.bytes()) {
            return Err(Error::usage("--block is more than the memory that may be used (-S)"));
        }
        let (bad, failed) = (self.records.bad()?, Quarantine::new(self.failed.clone())?);
        if self.records.bad.shares_file_with(&self.failed) {
            return Err(Error::usage(
                "--bad and --failed keep what they drop in two files, not in one",
            ));
        }
        Ok(Options {
            command,
            form: if self.text { Form::Text } else { Form::Records },
            per: if self.per == Per::Shard { map::Per::Shard } else { map::Per::Block },
            slots: self.memory.jobs(),
            block,
            ok_exit: self.ok_exit(),
            retries: self.retries,
            timeout: self.timeout,
            bad,
            max_record: self.records.max_record(),
            memory: self.memory.bytes(),
            directory: self.memory.temporary_directory()?,
            failed: Arc::new(failed),
            plain_lines: if self.text { "" } else { map::PLAIN_LINES },
            kept,
        })
    }

    /// Maps on this machine.
    fn here(
        &self,
        given: Given,
        mut input: Box<dyn Input>,
        session: &mut Session,
    ) -> Result<Summary> {
        if self.output.is_some() || !self.ship.is_empty() {
            let error = Error::usage("-o and --ship are for hosts (-h), or for shards");
            return Err(feed::no_shards(&mut *input, error));
        }
        let kept = surroundings::kept_input(session.tool(), &given, self.text);
        let options = self.options(self.program(given)?, kept)?;
        let (tool, mut output) = (session.tool(), session.stdout());
        let session = &*session;
        map::run(&options, tool, input, &mut output, &|lines| session.pass_on(lines))
    }

    /// The command as it is found here.
    fn program(&self, given: Given) -> Result<Command> {
        Command::find(given, &self.ok_exit(), surroundings::search_path().as_deref())
    }

    fn ok_exit(&self) -> Vec<i32> {
        self.ok_exit.iter().copied().map(i32::from).collect()
    }

    /// Maps on hosts.
    fn on_hosts(&self, given: Given, feed: Feed, session: &mut Session) -> Result<Summary> {
        self.memory.refuse_jobs()?;
        let kept = surroundings::kept_input(session.tool(), &given, self.text);
        let command = Command::elsewhere(given.clone())?;
        let cargo = shipping::pack(given, &self.ship, surroundings::search_path().as_deref())?;
        cargo.warnings.iter().for_each(|warning| session.warn(warning));
        let options = self.options(command, kept)?;
        let reach = self.hosts.reach(session)?;
        let keep = self.output.as_deref();
        let remote = Remote {
            reach: &reach,
            hosts: self.hosts.hosts()?,
            least: self.min_hosts.map(NonZeroUsize::get),
            memory: self.memory.given_bytes()?,
            given: cargo.given,
            files: cargo.files,
            replicas: 1,
            keep,
        };
        let session = &*session;
        shards::publish(session, &reach, keep, |output| {
            hosts::run(&options, &remote, feed, output, &|lines| session.pass_on(lines))
        })
    }
}

pub(crate) fn main() -> ExitCode {
    cli::run("mc-map", |mut args: Args, session: &mut Session| {
        args.refuse_what_is_not_there()?;
        let given = args.given()?;
        let on_hosts = args.hosts.hosts()?.is_some();
        if on_hosts {
            shards::check_output(session, args.output.as_deref())?;
        }
        session.guard()?;
        if args.output.is_some() {
            args.pipes.insist();
        }
        match feed::feed(session, &args.hosts)? {
            Feed::Records(input) if !on_hosts => args.here(given, input, session),
            Feed::Shards(_) if args.per == Per::Shard || args.block.is_some() => Err(Error::usage(
                "--per and --block are for records: of shards, each is one process's",
            )),
            Feed::Shards(consumer) => {
                shards::check_output(session, args.output.as_deref())?;
                args.on_hosts(given, Feed::Shards(consumer), session)
            }
            records => args.on_hosts(given, records, session),
        }
    })
}

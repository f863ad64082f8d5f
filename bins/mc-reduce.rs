//! mc-reduce: results per group.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use mycloud::aggregate::Op;
use mycloud::cli::exchange::Exchange;
use mycloud::cli::options::{Keys, Memory, Nulls, Records};
use mycloud::cli::{self, Session, duration, feed, shipping, size, surroundings};
use mycloud::command::{Command, Given};
use mycloud::engine::consumer::{Consumer, Feed};
use mycloud::engine::quarantine::Quarantine;
use mycloud::engine::{Form, exchange};
use mycloud::keyed::order::Limits;
use mycloud::record::stream::{Facts, Input, Summary};
use mycloud::stage::map;
use mycloud::stage::reduce::{self, By, OnHosts, Options, Running, With};
use mycloud::{Error, Result};

/// Reduce the groups of records that are in key order, as mc-shuffle leaves them: to results, by
/// ops, or to what a command prints that gets whole groups
#[derive(clap::Parser)]
#[command(override_usage = "mc-reduce [OPTION]... [NAME=]OP[:FIELD]...\n       \
                            mc-reduce [OPTION]... -c LINE\n       \
                            mc-reduce [OPTION]... -- CMD [ARG]...")]
struct Args {
    #[command(flatten)]
    keys: Keys,

    /// Make one group of all records
    #[arg(long, conflicts_with = "key")]
    all: bool,

    /// What to compute of each group: count, sum, mean (avg), var, stddev, min, max, minby
    /// (firstby), maxby, lastby, first, last, ndistinct, collect, sample=N, top=N, bottom=N,
    /// topby=N, bottomby=N, median, p50 (p95, p99.9, ...), quantile=Q
    #[arg(value_name = "OP")]
    ops: Vec<String>,

    #[command(flatten)]
    nulls: Nulls,

    /// Run LINE over whole groups, with bash, or /bin/sh where there is none; it fails when any
    /// member of a pipe in it fails
    #[arg(short = 'c', value_name = "LINE", allow_hyphen_values = true)]
    line: Option<OsString>,

    /// The command to run over whole groups, and its arguments
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,

    /// Give a command groups of about SIZE in all [default: they grow from 256K to 6M]
    #[arg(long, value_name = "SIZE", value_parser = size::bytes)]
    block: Option<u64>,

    /// The exit statuses of a command that mean success [default: 0]
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    ok_exit: Vec<u8>,

    /// How often a failed command is tried again on the same groups [default: 1]
    #[arg(long, value_name = "N")]
    retries: Option<u32>,

    /// End a command that takes longer than TIME, such as 90s or 10m
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    timeout: Option<Duration>,

    #[command(flatten)]
    exchange: Exchange,

    #[command(flatten)]
    records: Records,

    #[command(flatten)]
    memory: Memory,
}

impl Args {
    /// What is done with each group: ops or a command, never both.
    fn with(&mut self) -> Result<With> {
        let words = std::mem::take(&mut self.command);
        let given = match (self.line.take(), words.is_empty()) {
            (Some(_), false) => return Err(Error::usage("say -c LINE or -- CMD, not both")),
            (Some(line), true) => Given::Line(line),
            (None, false) => Given::Words(words),
            (None, true) => return self.with_ops(),
        };
        self.nulls.refuse()?;
        if let Some(op) = self.ops.first() {
            return Err(Error::usage(format!("'{op}': ops and a command do not go together")));
        }
        let default_ok = if self.ok_exit.is_empty() { &[0][..] } else { &self.ok_exit };
        let block = self.block.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if block.is_some_and(|bytes| bytes == 0 || bytes > self.memory.bytes()) {
            return Err(Error::usage("--block is 0 or more than the memory that may be used (-S)"));
        }
        Ok(With::Command(Running {
            command: Command::elsewhere(given.clone())?,
            given,
            block,
            ok_exit: default_ok.iter().copied().map(i32::from).collect(),
            retries: self.retries.unwrap_or(1),
            timeout: self.timeout,
            kept: None,
        }))
    }

    fn with_ops(&self) -> Result<With> {
        let of_commands = [
            ("--block", self.block.is_some()),
            ("--ok-exit", !self.ok_exit.is_empty()),
            ("--retries", self.retries.is_some()),
            ("--timeout", self.timeout.is_some()),
        ];
        if let Some((name, _)) = of_commands.iter().find(|(_, said)| *said) {
            return Err(Error::usage(format!("{name} is for a command (-c LINE or -- CMD)")));
        }
        if self.ops.is_empty() {
            return Err(Error::usage("compute what? say OP..., -c LINE or -- CMD"));
        }
        Ok(With::Ops(self.ops.iter().map(|op| Op::parse(op)).collect::<Result<_>>()?))
    }
}

pub(crate) fn main() -> ExitCode {
    cli::run("mc-reduce", |mut args: Args, session: &mut Session| {
        let mut options = Options {
            by: match (&args.keys.key, args.all) {
                (_, true) => By::Nothing,
                (Some(_), _) => By::Key(args.keys.keys()?),
                (None, _) => By::Stream,
            },
            with: args.with()?,
            missing: args.keys.missing,
            nulls: args.nulls.texts.clone(),
            limits: Limits {
                memory: args.memory.bytes(),
                jobs: args.memory.jobs(),
                directory: args.memory.temporary_directory()?,
                max_record: args.records.max_record(),
            },
            bad: args.records.bad()?,
        };
        if matches!(options.with, With::Command(_)) {
            session.guard()?;
        }
        match args.exchange.stdin(&args.records, session)? {
            Feed::Records(input) => here(&mut options, input, session),
            Feed::Shards(consumer) => args.shards(&mut options, consumer, session),
        }
    })
}

/// Reduces records on this machine.
fn here(options: &mut Options, input: Box<dyn Input>, session: &mut Session) -> Result<Summary> {
    if let With::Command(running) = &mut options.with {
        let (given, path) = (running.given.clone(), surroundings::search_path());
        running.kept = surroundings::kept_input(session.tool(), &given, false);
        running.command = Command::find(given, &running.ok_exit, path.as_deref())?;
    }
    let (tool, mut output) = (session.tool(), session.stdout());
    let session = &*session;
    reduce::run(options, tool, input, &mut output, &|lines| session.pass_on(lines))
}

impl Args {
    /// Reduces shards where they lie, if that is possible.
    fn shards(
        &self,
        options: &mut Options,
        consumer: Box<Consumer>,
        session: &mut Session,
    ) -> Result<Summary> {
        match reduce::on_hosts(options, &consumer.facts)? {
            OnHosts::InPlace(what) if !self.exchange.has_ranges() => {
                self.exchange.publish(session, &self.memory, consumer, |remote, shards, output| {
                    exchange::reduce(what, remote, shards, output)
                })
            }
            OnHosts::InPlace(what) | OnHosts::Exchange(what) => {
                self.exchange.publish(session, &self.memory, consumer, |remote, shards, output| {
                    exchange::exchange(what, Facts::default(), remote, shards, output)
                })
            }
            OnHosts::Command if self.block.is_some() => Err(Error::usage(
                "--block: the command gets whole shards, where they lie: leave it out",
            )),
            OnHosts::Command => self.command_on_hosts(options, consumer, session),
            OnHosts::No => {
                self.exchange.refuse()?;
                let input = feed::brought(session, Feed::Shards(consumer))?;
                here(options, input, session)
            }
        }
    }

    /// Runs the command on the shards.
    fn command_on_hosts(
        &self,
        options: &Options,
        consumer: Box<Consumer>,
        session: &mut Session,
    ) -> Result<Summary> {
        self.exchange.refuse_ranges()?;
        let With::Command(running) = &options.with else {
            return Err(Error::usage("no command"));
        };
        let cargo =
            shipping::pack(running.given.clone(), &[], surroundings::search_path().as_deref())?;
        cargo.warnings.iter().for_each(|warning| session.warn(warning));
        let mapping = map::Options {
            command: Command::elsewhere(running.given.clone())?,
            form: Form::Records,
            per: map::Per::Block,
            slots: options.limits.jobs,
            block: None,
            ok_exit: running.ok_exit.clone(),
            retries: running.retries,
            timeout: running.timeout,
            bad: Arc::clone(&options.bad),
            max_record: options.limits.max_record,
            memory: options.limits.memory,
            directory: options.limits.directory.clone(),
            failed: Arc::new(Quarantine::none()),
            plain_lines: reduce::PLAIN_LINES,
            kept: surroundings::kept_input(session.tool(), &running.given, false),
        };
        let (given, files) = (cargo.given, cargo.files);
        self.exchange.publish(session, &self.memory, consumer, |remote, shards, output| {
            let remote = map::hosts::Remote {
                reach: remote.reach,
                hosts: None,
                least: None,
                memory: remote.memory,
                given,
                files,
                replicas: 1,
                keep: remote.keep,
            };
            let pass_on = |lines: &str| session.pass_on(lines);
            map::hosts::run(&mapping, &remote, Feed::Shards(shards), output, &pass_on)
        })
    }
}

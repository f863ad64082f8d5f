//! mc-scatter: records, or shards, onto hosts.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use mycloud::cli::hosts::Hosts;
use mycloud::cli::options::{Memory, Pipes, Records};
use mycloud::cli::{self, Session, feed, shards, size};
use mycloud::command::{Command, Given};
use mycloud::engine::Form;
use mycloud::engine::quarantine::Quarantine;
use mycloud::stage::map::hosts::{self, Remote};
use mycloud::stage::map::{Options, Per};
use mycloud::{Error, Result};

/// Spread records over hosts, where the next tools work on them
///
/// The records, or the shards, that come in lie on the hosts afterwards, in the same order.
#[derive(clap::Parser)]
struct Args {
    #[command(flatten)]
    hosts: Hosts,

    /// Go on without hosts that cannot be reached, as long as N of them can [default: all must, or as
    /// many as --replicas asks for]
    #[arg(long, value_name = "N", requires = "hosts")]
    min_hosts: Option<NonZeroUsize>,

    /// Keep the shards on the hosts, and their manifest in FILE (FILE.mc)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    pipes: Pipes,

    /// Put each shard on N hosts
    #[arg(long, value_name = "N", default_value = "1")]
    replicas: NonZeroUsize,

    /// Make shards of about SIZE [default: they grow from 256K to 4M or more]
    #[arg(long, value_name = "SIZE", value_parser = size::bytes)]
    block: Option<u64>,

    #[command(flatten)]
    records: Records,

    #[command(flatten)]
    memory: Memory,
}

impl Args {
    /// A map that runs no command.
    fn options(&self) -> Result<Options> {
        self.memory.refuse_jobs()?;
        Ok(Options {
            command: Command::elsewhere(Given::Words(Vec::new()))?,
            form: Form::Records,
            per: Per::Block,
            slots: 1,
            block: self.block.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
            ok_exit: vec![0],
            retries: 0,
            timeout: None,
            bad: self.records.bad()?,
            max_record: self.records.max_record(),
            memory: self.memory.bytes(),
            directory: self.memory.temporary_directory()?,
            failed: Arc::new(Quarantine::none()),
            plain_lines: "",
            kept: None,
        })
    }
}

fn main() -> ExitCode {
    cli::run("mc-scatter", |args: Args, session: &mut Session| {
        let hosts = args.hosts.hosts()?;
        let hosts = hosts.ok_or_else(|| Error::usage("say with -h which hosts to use"))?;
        let options = args.options()?;
        session.guard()?;
        let reach = args.hosts.reach(session)?;
        shards::check_output(session, args.output.as_deref())?;
        if args.output.is_some() {
            args.pipes.insist();
        }
        let feed = feed::feed(session, &args.hosts)?;
        let remote = Remote {
            reach: &reach,
            hosts: Some(hosts),
            least: args.min_hosts.map(NonZeroUsize::get),
            memory: args.memory.given_bytes()?,
            given: Given::Words(Vec::new()),
            files: Vec::new(),
            replicas: args.replicas.get(),
            keep: args.output.as_deref(),
        };
        let session = &*session;
        shards::publish(session, &reach, args.output.as_deref(), |output| {
            hosts::run(&options, &remote, feed, output, &|lines| session.pass_on(lines))
        })
    })
}

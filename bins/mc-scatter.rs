//! mc-scatter: records, or shards, onto hosts.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use mycloud::cli::explaining::{Explaining, stages};
use mycloud::cli::hosts::host_options::HostOptions;
use mycloud::cli::hosts::{feed, shards};
use mycloud::cli::options::{MemoryOptions, Pipes, Records};
use mycloud::cli::{self, Session, size};
use mycloud::cluster::Host;
use mycloud::engine::shard_job::ShardJob;
use mycloud::explain::schema::StagePlan;
use mycloud::stage::scatter;
use mycloud::{Error, Result};

/// Spread records over hosts, where the next tools work on them
///
/// The records, or the shards, that come in lie on the hosts afterwards, in the same order.
#[derive(clap::Parser)]
struct Args {
    #[command(flatten)]
    hosts: HostOptions,

    /// Go on without hosts that cannot be used, as long as N of them can [default: half must be in reach, and
    /// none refuse; or as many as --replicas asks for]
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
    memory: MemoryOptions,
}

/// What would be done.
fn explained(args: Args, explaining: &mut Explaining<'_>) -> Result<StagePlan> {
    let (hosts, mut stage) = (args.named()?, explaining.stage());
    let keep = args.output.as_deref();
    args.memory.explain_there(&mut stage, stages::hosts(&hosts))?;
    args.memory.limits(&args.records)?;
    args.records.explain(&mut stage)?;
    args.hosts.reach(explaining.session())?;
    shards::check_output(explaining.session(), keep)?;
    stage.reads = explaining.input()?;
    stage.place.replicas = Some(args.replicas.get() as u64);
    stages::enough(args.min_hosts, args.replicas, &mut stage)?;
    stage.writes = stages::shards_on(&stage.place.hosts, keep).as_large_as(&stage.reads);
    stage.writes.shards = stages::blocks(stage.reads.bytes, args.block);
    let copies = stage.reads.bytes.map(|bytes| bytes.saturating_mul(args.replicas.get() as u64));
    stage.crosses("to-hosts", copies, "what is put there");
    Ok(stage)
}

impl Args {
    /// The hosts.
    fn named(&self) -> Result<Vec<Host>> {
        self.hosts.hosts()?.ok_or_else(|| Error::usage("say with -h which hosts to use"))
    }
}

pub(crate) fn main() -> ExitCode {
    cli::run_stage(mycloud::tool!("mc-scatter"), explained, |args: Args, session: &mut Session| {
        let hosts = args.named()?;
        args.memory.refuse_jobs()?;
        let (bad, limits) = (args.records.bad()?, args.memory.limits(&args.records)?);
        session.guard()?;
        let reach = args.hosts.reach(session)?;
        shards::check_output(session, args.output.as_deref())?;
        if args.output.is_some() {
            args.pipes.insist();
        }
        let feed = feed::feed(session, &args.hosts)?;
        let session = &*session;
        let job = ShardJob {
            reach: &reach,
            hosts: Some(hosts),
            least: args.min_hosts.map(NonZeroUsize::get),
            memory: args.memory.given_bytes()?,
            replicas: args.replicas.get(),
            keep: args.output.as_deref(),
            limits: &limits,
            block: args.block.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
            bad: &bad,
            pass_on: &|lines| session.pass_on(lines),
        };
        shards::publish(session, &reach, job.keep, |output| scatter::run(&job, feed, output))
    })
}

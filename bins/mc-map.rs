//! mc-map: what a command prints for the records.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use mycloud::cli::hosts::host_options::HostOptions;
use mycloud::cli::hosts::shipping::{self, Ship};
use mycloud::cli::hosts::{feed, neighbours, shards};
use mycloud::cli::options::{MemoryOptions, Pipes, Records};
use mycloud::cli::running::{self, Attempts, CommandLine, Sent};
use mycloud::cli::{self, Session, pieces::Pieces};
use mycloud::command::Given;
use mycloud::engine::consumer::ConsumerInput;
use mycloud::engine::shard_job::ShardJob;
use mycloud::record::stream::{Input, Summary};
use mycloud::stage::map::{self, MapOptions};
use mycloud::{Error, Result};

/// Run a command over the records, as often and on as many cores as it takes, and print what it
/// prints, in the order of the input
///
/// The command reads records on its standard input, one a line, and prints records. It is run for
/// each block of the input; its output counts once it has exited with success.
#[derive(clap::Parser)]
#[command(override_usage = "mc-map [OPTION]... CMD [ARG]...\n       mc-map [OPTION]... -c LINE")]
struct Args {
    #[command(flatten)]
    command: CommandLine,

    #[command(flatten)]
    pieces: Pieces,

    #[command(flatten)]
    attempts: Attempts,

    #[command(flatten)]
    hosts: HostOptions,

    /// Go on as long as N hosts can be used [default: half must be in reach, and none refuse]
    #[arg(long, value_name = "N", requires = "hosts")]
    min_hosts: Option<NonZeroUsize>,

    #[command(flatten)]
    ship: Ship,

    /// Keep what is printed on the hosts, as shards, and their manifest in FILE (FILE.mc)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    pipes: Pipes,

    #[command(flatten)]
    records: Records,

    #[command(flatten)]
    memory: MemoryOptions,
}

impl Args {
    fn options(&self, given: &Given, sent: Sent<'_>, session: &Session) -> Result<MapOptions> {
        let (pieces, records) = (&self.pieces, &self.records);
        let plan = self.attempts.plan((given, sent), pieces, map::PLAIN_LINES, (records, session));
        let (bad, limits) = (records.bad()?, self.memory.limits(records)?);
        let (in_one_piece, block) = (pieces.are_one(), pieces.block(&self.memory)?);
        Ok(MapOptions { command: plan?, in_one_piece, block, bad, limits })
    }

    /// Maps on this machine.
    fn here(&self, given: &Given, mut input: Box<dyn Input>, session: &Session) -> Result<Summary> {
        if self.output.is_some() || self.ship.is_for_hosts() {
            let error = Error::usage("-o and --ship are for hosts (-h), or for shards");
            return Err(feed::no_shards(&mut *input, error));
        }
        let mut options = self.options(given, Sent::Here(&self.ship), session)?;
        running::find(&mut options.command, given, &self.ship, session)?;
        session.speak(|voice, output| map::run(&options, input, output, voice))
    }

    /// Maps on hosts.
    fn on_hosts(
        &self,
        given: &Given,
        feed: ConsumerInput,
        session: &mut Session,
    ) -> Result<Summary> {
        self.memory.refuse_jobs()?;
        let shipped = shipping::pack(given.clone(), &self.ship, session)?;
        let options = self.options(given, Sent::There(&shipped), session)?;
        let (reach, keep, session) =
            (self.hosts.reach(session)?, self.output.as_deref(), &*session);
        let job = ShardJob {
            reach: &reach,
            hosts: self.hosts.hosts()?,
            least: self.min_hosts.map(NonZeroUsize::get),
            memory: self.memory.given_bytes()?,
            replicas: 1,
            keep,
            limits: &options.limits,
            block: options.block,
            bad: &options.bad,
            pass_on: &neighbours::watch(session, given, &shipped),
        };
        shards::publish(session, &reach, keep, |output| {
            map::run_on_hosts(&options.command, &shipped, &job, feed, output)
        })
    }
}

pub(crate) fn main() -> ExitCode {
    cli::run(mycloud::tool!("mc-map"), |args: Args, session: &mut Session| {
        let given = args.command.given()?;
        let on_hosts = args.hosts.hosts()?.is_some();
        if on_hosts {
            shards::check_output(session, args.output.as_deref())?;
        }
        session.guard()?;
        args.output.iter().for_each(|_| args.pipes.insist());
        match feed::feed(session, &args.hosts)? {
            ConsumerInput::Records(input) if !on_hosts => args.here(&given, input, session),
            ConsumerInput::Shards(consumer) => {
                args.pieces.refuse()?;
                shards::check_output(session, args.output.as_deref())?;
                args.on_hosts(&given, ConsumerInput::Shards(consumer), session)
            }
            records => args.on_hosts(&given, records, session),
        }
    })
}

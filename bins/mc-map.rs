//! mc-map: what a command prints for the records.

use std::num::NonZeroUsize;
use std::process::ExitCode;

use mycloud::cli::explaining::{Explaining, command::MapCall};
use mycloud::cli::hosts::command_hosts::CommandHosts;
use mycloud::cli::hosts::{feed, neighbours, shards, shipping};
use mycloud::cli::options::{MemoryOptions, Records};
use mycloud::cli::running::{self, Attempts, CommandLine, Sent};
use mycloud::cli::{self, Session, pieces::Pieces};
use mycloud::command::Given;
use mycloud::engine::consumer::ConsumerInput;
use mycloud::engine::shard_job::ShardJob;
use mycloud::explain::schema::StagePlan;
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
    there: CommandHosts,

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
        if self.there.output.is_some() || self.there.ship.is_for_hosts() {
            let error = Error::usage("-o and --ship are for hosts (-h), or for shards");
            return Err(feed::no_shards(&mut *input, error));
        }
        let mut options = self.options(given, Sent::Here(&self.there.ship), session)?;
        running::find(&mut options.command, given, &self.there.ship, session)?;
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
        let shipped = shipping::pack(given.clone(), &self.there.ship, session)?;
        let options = self.options(given, Sent::There(&shipped), session)?;
        let (reach, keep, session) =
            (self.there.hosts.reach(session)?, self.there.output.as_deref(), &*session);
        let job = ShardJob {
            reach: &reach,
            hosts: self.there.hosts.hosts()?,
            least: self.there.min_hosts.map(NonZeroUsize::get),
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

/// What would be done.
fn explained(args: Args, explaining: &mut Explaining<'_>) -> Result<StagePlan> {
    explaining.map(&MapCall {
        command: &args.command,
        pieces: &args.pieces,
        attempts: &args.attempts,
        there: &args.there,
        records: &args.records,
        memory: &args.memory,
        plain_lines: map::PLAIN_LINES,
    })
}

pub(crate) fn main() -> ExitCode {
    cli::run_stage(mycloud::tool!("mc-map"), explained, |args: Args, session: &mut Session| {
        let given = args.command.given()?;
        let on_hosts = args.there.hosts.hosts()?.is_some();
        if on_hosts {
            shards::check_output(session, args.there.output.as_deref())?;
        }
        session.guard()?;
        args.there.output.iter().for_each(|_| args.there.pipes.insist());
        match feed::feed(session, &args.there.hosts)? {
            ConsumerInput::Records(input) if !on_hosts => args.here(&given, input, session),
            ConsumerInput::Shards(consumer) => {
                args.pieces.refuse()?;
                shards::check_output(session, args.there.output.as_deref())?;
                args.on_hosts(&given, ConsumerInput::Shards(consumer), session)
            }
            records => args.on_hosts(&given, records, session),
        }
    })
}

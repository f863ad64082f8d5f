//! mc-reduce: results per group.

use std::process::ExitCode;

use mycloud::Result;
use mycloud::cli::explaining::Explaining;
use mycloud::cli::group_command::GroupCommand;
use mycloud::cli::hosts::exchange_options::ExchangeOptions;
use mycloud::cli::hosts::neighbours;
use mycloud::cli::options::{MemoryOptions, Records};
use mycloud::cli::reducing::Reducing;

use mycloud::cli::{self, Session};
use mycloud::engine::consumer::{Consumer, ConsumerInput};
use mycloud::engine::shard_job::ShardJob;
use mycloud::explain::schema::StagePlan;
use mycloud::record::stream::Summary;
use mycloud::stage::reduce::on_hosts::{self, OnHosts};
use mycloud::stage::reduce::{self, GroupBy, OverGroups, ReduceOptions, With};

/// Reduce the groups of records that are in key order, as mc-shuffle leaves them: to results, by
/// ops, or to what a command prints that gets whole groups
#[derive(clap::Parser)]
#[command(override_usage = "mc-reduce [OPTION]... [NAME=]OP[:FIELD]...\n       \
                            mc-reduce [OPTION]... -c LINE\n       \
                            mc-reduce [OPTION]... -- CMD [ARG]...")]
struct Args {
    #[command(flatten)]
    by: Reducing,

    #[command(flatten)]
    command: GroupCommand,

    #[command(flatten)]
    exchange: ExchangeOptions,

    #[command(flatten)]
    records: Records,

    #[command(flatten)]
    memory: MemoryOptions,
}

impl Args {
    /// What is done with each group: ops or a command, never both.
    fn with(&self, session: &Session) -> Result<With> {
        let Some(given) = self.command.given()? else { return Ok(With::Ops(self.by.ops()?)) };
        self.by.refuse()?;
        let block = self.command.block(&self.memory)?;
        let plan = self.command.plan(&given, reduce::PLAIN_LINES, session)?;
        Ok(With::Command(Box::new(OverGroups { plan, given, block })))
    }

    fn options(&self, session: &Session) -> Result<ReduceOptions> {
        Ok(ReduceOptions {
            by: GroupBy::new(self.by.keys.given()?, self.by.all),
            with: self.with(session)?,
            missing: self.by.keys.missing,
            nulls: self.by.nulls.texts.clone(),
            limits: self.memory.limits(&self.records)?,
            bad: self.records.bad()?,
        })
    }

    /// Reduces shards where they lie, if that is possible.
    fn shards(
        &self,
        options: &mut ReduceOptions,
        consumer: Box<Consumer>,
        session: &mut Session,
    ) -> Result<Summary> {
        let (memory, exchange) = (&self.memory, &self.exchange);
        match (on_hosts::way(options, &consumer.facts)?, &mut options.with) {
            (OnHosts::Ops(ops), _) => {
                exchange.publish(session, memory, consumer, |remote, shards, output| {
                    on_hosts::ops(ops, remote, shards, output)
                })
            }
            (OnHosts::Command, With::Command(command)) => {
                self.command.refuse_block()?;
                exchange.refuse_ranges()?;
                let shipped = self.command.pack(&command.given, session)?;
                exchange.publish(session, memory, consumer, |remote, shards, output| {
                    let pass_on = neighbours::watch(session, &command.given, &shipped);
                    let job = ShardJob::in_place(remote, &options.limits, &options.bad, &pass_on);
                    on_hosts::command(command, &shipped, &job, shards, output)
                })
            }
            _ => {
                exchange.refuse()?;
                self.here(options, ConsumerInput::Shards(consumer), session)
            }
        }
    }

    /// Reduces on this machine what is `fed`.
    fn here(&self, how: &mut ReduceOptions, fed: ConsumerInput, by: &Session) -> Result<Summary> {
        let input = self.command.begin_here(fed, how.with.command(), by)?;
        by.speak(|voice, output| reduce::run(how, input, output, voice))
    }
}

/// What would be done.
fn explained(args: Args, explaining: &mut Explaining<'_>) -> Result<StagePlan> {
    let (mut options, mut stage) = (args.options(explaining.session())?, explaining.stage());
    let shards = args.exchange.explain_stdin(&args.records, explaining, &mut stage)?;
    let there = options.explain(&mut stage, shards)?;
    args.exchange.explain(there, &args.memory, explaining, &mut stage)?;
    if there && options.with.command().is_some() {
        args.exchange.refuse_ranges()?;
    }
    args.command.explain(options.with.command(), there, explaining, &mut stage)?;
    Ok(stage)
}

pub(crate) fn main() -> ExitCode {
    cli::run_stage(mycloud::tool!("mc-reduce"), explained, |args: Args, session: &mut Session| {
        if args.command.given()?.is_some() {
            session.guard()?;
        }
        let mut options = args.options(session)?;
        match args.exchange.stdin(&args.records, session)? {
            ConsumerInput::Shards(consumer) => args.shards(&mut options, consumer, session),
            records => args.here(&mut options, records, session),
        }
    })
}

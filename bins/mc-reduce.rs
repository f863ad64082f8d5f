//! mc-reduce: results per group.

use std::process::ExitCode;

use mycloud::aggregate::Op;
use mycloud::cli::hosts::exchange_options::ExchangeOptions;
use mycloud::cli::hosts::neighbours;
use mycloud::cli::options::{KeyOptions, MemoryOptions, Nulls, Records};
use mycloud::cli::running::GroupCommand;
use mycloud::cli::{self, Session};
use mycloud::engine::consumer::{Consumer, ConsumerInput};
use mycloud::engine::shard_job::ShardJob;
use mycloud::record::stream::Summary;
use mycloud::stage::reduce::on_hosts::{self, OnHosts};
use mycloud::stage::reduce::{self, GroupBy, OverGroups, ReduceOptions, With};
use mycloud::{Error, Result};

/// Reduce the groups of records that are in key order, as mc-shuffle leaves them: to results, by
/// ops, or to what a command prints that gets whole groups
#[derive(clap::Parser)]
#[command(override_usage = "mc-reduce [OPTION]... [NAME=]OP[:FIELD]...\n       \
                            mc-reduce [OPTION]... -c LINE\n       \
                            mc-reduce [OPTION]... -- CMD [ARG]...")]
struct Args {
    #[command(flatten)]
    keys: KeyOptions,

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
        let Some(given) = self.command.given()? else {
            if self.ops.is_empty() {
                return Err(Error::usage("compute what? say OP..., -c LINE or -- CMD"));
            }
            return Ok(With::Ops(self.ops.iter().map(|op| Op::parse(op)).collect::<Result<_>>()?));
        };
        self.nulls.refuse()?;
        if let Some(op) = self.ops.first() {
            return Err(Error::usage(format!("'{op}': ops and a command do not go together")));
        }
        let block = self.command.block(&self.memory)?;
        let plan = self.command.plan(&given, reduce::PLAIN_LINES, session)?;
        Ok(With::Command(Box::new(OverGroups { plan, given, block })))
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

pub(crate) fn main() -> ExitCode {
    cli::run(mycloud::tool!("mc-reduce"), |args: Args, session: &mut Session| {
        if args.command.given()?.is_some() {
            session.guard()?;
        }
        let mut options = ReduceOptions {
            by: GroupBy::new(args.keys.given()?, args.all),
            with: args.with(session)?,
            missing: args.keys.missing,
            nulls: args.nulls.texts.clone(),
            limits: args.memory.limits(&args.records)?,
            bad: args.records.bad()?,
        };
        match args.exchange.stdin(&args.records, session)? {
            ConsumerInput::Shards(consumer) => args.shards(&mut options, consumer, session),
            records => args.here(&mut options, records, session),
        }
    })
}

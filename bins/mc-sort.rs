//! mc-sort: puts records in order.

use std::process::ExitCode;
use std::sync::Arc;

use mycloud::Result;
use mycloud::cli::explaining::Explaining;
use mycloud::cli::hosts::exchange_options::{ExchangeOptions, ShardsRead};
use mycloud::cli::options::{KeyOptions, MemoryOptions, Records};
use mycloud::cli::resources::Resources;
use mycloud::cli::{self, Session};
use mycloud::explain::schema::StagePlan;
use mycloud::format::stream;
use mycloud::group::order::Order;
use mycloud::record::bad::Bad;
use mycloud::stage::sort::{self, Mode, SortOptions};

/// Put records in order, merge inputs that are in order, or check that they are
#[derive(clap::Parser)]
struct Args {
    #[command(flatten)]
    resources: Resources,

    #[command(flatten)]
    keys: KeyOptions,

    /// Turn the order round; equal keys keep the order of the input
    #[arg(short, long)]
    reverse: bool,

    /// Keep only the first record of each key; with --check, refuse equal keys
    #[arg(short, long)]
    unique: bool,

    /// Sort nothing: fail if the records are not in order
    #[arg(long, conflicts_with_all = ["merge", "output", "ranges", "exchange"])]
    check: bool,

    /// Sort nothing: merge inputs each of which is in order
    #[arg(short, long, conflicts_with_all = ["output", "ranges", "exchange"])]
    merge: bool,

    #[command(flatten)]
    exchange: ExchangeOptions,

    #[command(flatten)]
    records: Records,

    #[command(flatten)]
    memory: MemoryOptions,
}

impl Args {
    /// What is done, with the records that `bad` judges.
    fn options(&self, bad: Arc<Bad>) -> Result<SortOptions> {
        Ok(SortOptions {
            order: Order {
                keys: self.keys.keys()?,
                order_by: Vec::new(),
                reverse: self.reverse,
                missing: self.keys.missing,
                unique: self.unique,
            },
            limits: self.memory.limits(&self.records)?,
            bad,
            mode: match (self.check, self.merge) {
                (true, _) => Mode::Check,
                (_, true) => Mode::Merge,
                _ => Mode::Sort,
            },
        })
    }
}

/// What would be done.
fn explained(args: Args, explaining: &mut Explaining<'_>) -> Result<StagePlan> {
    let (records, mut stage) = (&args.records, explaining.stage());
    let there = match args.check || args.merge {
        true => {
            records.explain(&mut stage)?;
            stage.reads = args.resources.explain(records, explaining)?;
            false
        }
        false => args.exchange.explain_read(&args.resources, records, explaining, &mut stage)?,
    };
    args.exchange.explain(there, &args.memory, explaining, &mut stage)?;
    args.options(records.bad()?)?.explain(&mut stage);
    Ok(stage)
}

pub(crate) fn main() -> ExitCode {
    cli::run_stage(mycloud::tool!("mc-sort"), explained, |args: Args, session: &mut Session| {
        let reading = match args.check || args.merge {
            true => {
                let (resources, read) = args.resources.read(&args.records, session)?;
                ShardsRead::Records(resources, Box::new(read))
            }
            false => args.exchange.read(&args.resources, &args.records, session)?,
        };
        match reading {
            ShardsRead::Records(resources, read) => {
                let inputs = match args.merge {
                    true => stream::open_each(&resources, &read)?,
                    false => vec![stream::open(&resources, &read)?],
                };
                let options = args.options(read.bad)?;
                sort::run(&options, inputs, &mut session.stdout())
            }
            ShardsRead::Shards(consumer) => {
                let options = args.options(args.records.bad()?)?;
                args.exchange.publish(session, &args.memory, consumer, |remote, shards, output| {
                    sort::run_on_hosts(&options, remote, shards, output)
                })
            }
        }
    })
}

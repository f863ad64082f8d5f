//! mc-shuffle: groups records by key.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::builder::OsStringValueParser;
use mycloud::Result;
use mycloud::aggregate::Op;
use mycloud::cli::explaining::Explaining;
use mycloud::cli::hosts::exchange_options::{ExchangeOptions, ShardsRead};
use mycloud::cli::options::{KeyOptions, MemoryOptions, Nulls, Records};
use mycloud::cli::resources::Resources;
use mycloud::cli::{self, Session, ops};
use mycloud::explain::schema::StagePlan;
use mycloud::format::stream;
use mycloud::group::order::Order;
use mycloud::record::bad::Bad;
use mycloud::record::key;
use mycloud::stage::shuffle::{self, ShuffleOptions};

/// Group records by key: equal keys become adjacent, in key order
#[derive(clap::Parser)]
struct Args {
    #[command(flatten)]
    resources: Resources,

    #[command(flatten)]
    keys: KeyOptions,

    /// Order the records inside each group, by KEY[,KEY...] as in -k
    #[arg(long, value_name = "KEY")]
    order_by: Option<String>,

    /// Print results of each group instead of its records: OPs as those of mc-reduce, to the end of
    /// the line or the next option; what is no OP but a file or resource is read
    #[arg(long, value_name = "OP", num_args = 1.., value_parser = OsStringValueParser::new())]
    reduce: Vec<OsString>,

    #[command(flatten)]
    nulls: Nulls,

    #[command(flatten)]
    exchange: ExchangeOptions,

    #[command(flatten)]
    records: Records,

    #[command(flatten)]
    memory: MemoryOptions,
}

impl Args {
    /// The ops; the resources that stand among them are where the others are then.
    fn part(&mut self) -> Result<Vec<Op>> {
        let (ops, resources) = ops::part(&self.reduce)?;
        self.resources.resources.extend(resources);
        if ops.is_empty() {
            self.nulls.refuse()?;
        }
        Ok(ops)
    }

    /// What is done, with the records that `bad` judges.
    fn options(&self, ops: &[Op], bad: Arc<Bad>) -> Result<ShuffleOptions> {
        let order_by = match &self.order_by {
            Some(keys) => key::Keys::parse(keys)?.parts,
            None => Vec::new(),
        };
        Ok(ShuffleOptions {
            order: Order {
                keys: self.keys.keys()?,
                order_by,
                reverse: false,
                missing: self.keys.missing,
                unique: false,
            },
            limits: self.memory.limits(&self.records)?,
            bad,
            ops: ops.to_vec(),
            nulls: self.nulls.texts.clone(),
        })
    }
}

/// What would be done.
fn explained(mut args: Args, explaining: &mut Explaining<'_>) -> Result<StagePlan> {
    let (ops, mut stage) = (args.part()?, explaining.stage());
    let there =
        args.exchange.explain_read(&args.resources, &args.records, explaining, &mut stage)?;
    args.exchange.explain(there, &args.memory, explaining, &mut stage)?;
    args.options(&ops, args.records.bad()?)?.explain(&mut stage);
    Ok(stage)
}

pub(crate) fn main() -> ExitCode {
    cli::run_stage(
        mycloud::tool!("mc-shuffle"),
        explained,
        |mut args: Args, session: &mut Session| {
            let ops = args.part()?;
            match args.exchange.read(&args.resources, &args.records, session)? {
                ShardsRead::Records(resources, read) => {
                    let input = stream::open(&resources, &read)?;
                    let options = args.options(&ops, read.bad)?;
                    shuffle::run(&options, input, &mut session.stdout())
                }
                ShardsRead::Shards(consumer) => {
                    let options = args.options(&ops, args.records.bad()?)?;
                    args.exchange.publish(
                        session,
                        &args.memory,
                        consumer,
                        |remote, shards, output| {
                            shuffle::run_on_hosts(&options, remote, shards, output)
                        },
                    )
                }
            }
        },
    )
}

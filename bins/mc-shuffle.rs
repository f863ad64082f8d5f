//! mc-shuffle: groups records by key.

use std::process::ExitCode;
use std::sync::Arc;

use mycloud::Result;
use mycloud::aggregate::Op;
use mycloud::cli::exchange::{Exchange, Reading};
use mycloud::cli::options::{Keys, Memory, Records};
use mycloud::cli::resources::Resources;
use mycloud::cli::{self, Session};
use mycloud::format::stream;
use mycloud::keyed::order::{Limits, Order};
use mycloud::record::bad::Bad;
use mycloud::record::key;
use mycloud::stage::shuffle::{self, Options};

/// Group records by key: equal keys become adjacent, in key order
#[derive(clap::Parser)]
struct Args {
    #[command(flatten)]
    resources: Resources,

    #[command(flatten)]
    keys: Keys,

    /// Order the records inside each group, by KEY[,KEY...] as in -k
    #[arg(long, value_name = "KEY")]
    order_by: Option<String>,

    /// Print results of each group instead of its records: OPs as those of mc-reduce, to the end of the line or the next option
    #[arg(long, value_name = "OP", num_args = 1.., value_parser = parse_op)]
    reduce: Vec<Op>,

    #[command(flatten)]
    exchange: Exchange,

    #[command(flatten)]
    records: Records,

    #[command(flatten)]
    memory: Memory,
}

fn parse_op(word: &str) -> std::result::Result<Op, String> {
    Op::parse(word).map_err(|error| error.to_string())
}

impl Args {
    /// What is done, with the records that `bad` judges.
    fn options(&self, bad: Arc<Bad>) -> Result<Options> {
        let order_by = match &self.order_by {
            Some(keys) => key::Keys::parse(keys)?.parts,
            None => Vec::new(),
        };
        Ok(Options {
            order: Order {
                keys: self.keys.keys()?,
                order_by,
                reverse: false,
                missing: self.keys.missing,
                unique: false,
            },
            limits: Limits {
                memory: self.memory.bytes(),
                jobs: self.memory.jobs(),
                directory: self.memory.temporary_directory()?,
                max_record: self.records.max_record(),
            },
            bad,
            ops: self.reduce.clone(),
        })
    }
}

pub(crate) fn main() -> ExitCode {
    cli::run("mc-shuffle", |args: Args, session: &mut Session| {
        match args.exchange.read(&args.resources, &args.records, session)? {
            Reading::Records(resources, read) => {
                let input = stream::open(&resources, &read)?;
                let options = args.options(read.bad)?;
                shuffle::run(&options, input, &mut session.stdout())
            }
            Reading::Shards(consumer) => {
                let options = args.options(args.records.bad()?)?;
                args.exchange.publish(session, &args.memory, consumer, |remote, shards, output| {
                    shuffle::run_on_hosts(&options, remote, shards, output)
                })
            }
        }
    })
}

//! mc-shuffle: groups records by key.

use std::process::ExitCode;

use mycloud::aggregate::Op;
use mycloud::cli::options::{Keys, Memory, Records};
use mycloud::cli::resources::Resources;
use mycloud::cli::{self, Session};
use mycloud::format::stream;
use mycloud::keyed::order::{Limits, Order};
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
    records: Records,

    #[command(flatten)]
    memory: Memory,
}

fn parse_op(word: &str) -> Result<Op, String> {
    Op::parse(word).map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    cli::run("mc-shuffle", |args: Args, session: &mut Session| {
        let order_by = match &args.order_by {
            Some(keys) => key::Keys::parse(keys)?.parts,
            None => Vec::new(),
        };
        let (resources, read) = args.resources.read(&args.records, session)?;
        let input = stream::open(&resources, &read)?;
        let options = Options {
            order: Order {
                keys: args.keys.keys()?,
                order_by,
                reverse: false,
                missing: args.keys.missing,
                unique: false,
            },
            limits: Limits {
                memory: args.memory.bytes(),
                jobs: args.memory.jobs(),
                directory: args.memory.temporary_directory()?,
                max_record: args.records.max_record(),
            },
            bad: read.bad,
            ops: args.reduce,
        };
        shuffle::run(&options, input, &mut session.stdout())
    })
}

//! mc-sort: puts records in order.

use std::process::ExitCode;

use mycloud::cli::options::{Keys, Memory, Records};
use mycloud::cli::resources::Resources;
use mycloud::cli::{self, Session};
use mycloud::format::stream;
use mycloud::keyed::order::{Limits, Order};
use mycloud::stage::sort::{self, Mode, Options};

/// Put records in order, merge inputs that are in order, or check that they are
#[derive(clap::Parser)]
struct Args {
    #[command(flatten)]
    resources: Resources,

    #[command(flatten)]
    keys: Keys,

    /// Turn the order round; equal keys keep the order of the input
    #[arg(short, long)]
    reverse: bool,

    /// Keep only the first record of each key; with --check, refuse equal keys
    #[arg(short, long)]
    unique: bool,

    /// Sort nothing: fail if the records are not in order
    #[arg(long, conflicts_with = "merge")]
    check: bool,

    /// Sort nothing: merge inputs each of which is in order
    #[arg(short, long)]
    merge: bool,

    #[command(flatten)]
    records: Records,

    #[command(flatten)]
    memory: Memory,
}

fn main() -> ExitCode {
    cli::run("mc-sort", |args: Args, session: &mut Session| {
        let (resources, read) = args.resources.read(&args.records, session)?;
        let inputs = match args.merge {
            true => stream::open_each(&resources, &read)?,
            false => vec![stream::open(&resources, &read)?],
        };
        let options = Options {
            order: Order {
                keys: args.keys.keys()?,
                order_by: Vec::new(),
                reverse: args.reverse,
                missing: args.keys.missing,
                unique: args.unique,
            },
            limits: Limits {
                memory: args.memory.bytes(),
                jobs: args.memory.jobs(),
                directory: args.memory.temporary_directory()?,
                max_record: args.records.max_record(),
            },
            bad: read.bad,
            mode: match (args.check, args.merge) {
                (true, _) => Mode::Check,
                (_, true) => Mode::Merge,
                _ => Mode::Sort,
            },
        };
        sort::run(&options, inputs, &mut session.stdout())
    })
}

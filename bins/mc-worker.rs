//! mc-worker: the far end of the tools that work on hosts, and, under their names, those tools that
//! are filters, for the commands that run there. They send it and speak to it; never typed by a
//! person. What it holds is sent to each host: the other tools would make it larger by a fifth.

use std::path::PathBuf;
use std::process::ExitCode;

use mycloud::cli::called::Called;
use mycloud::cli::far_end;
use mycloud::cli::options::{MemoryOptions, Records};
use mycloud::cli::resources::read_options;
use mycloud::cli::{self, Session};
use mycloud::record::stream::Summary;
use mycloud::stage::partition::{PartitionJob, deal, parts, take};
use mycloud::{Error, Result};

#[path = "mc-cat.rs"]
mod cat;
#[path = "mc-gather.rs"]
mod gather;
#[path = "mc-join.rs"]
mod join;
#[path = "mc-map.rs"]
mod map;
#[path = "mc-reduce.rs"]
mod reduce;
#[path = "mc-shuffle.rs"]
mod shuffle;
#[path = "mc-sort.rs"]
mod sort;

/// What it is under other names.
const TOOLS: &[Called] = &[
    ("mc-cat", cat::main),
    ("mc-gather", gather::main),
    ("mc-join", join::main),
    ("mc-map", map::main),
    ("mc-reduce", reduce::main),
    ("mc-shuffle", shuffle::main),
    ("mc-sort", sort::main),
];

/// What it is for mc-spark, which brings it to the machines of others.
const STEPS: &[Called] = &[("mc-partition", partition)];

/// A step of a stage over partitions
#[derive(clap::Parser)]
struct Args {
    /// What to do
    step: Step,

    /// The file that says with what, as JSON
    job: PathBuf,

    #[command(flatten)]
    records: Records,

    #[command(flatten)]
    memory: MemoryOptions,
}

/// The steps; `lib/stage/partition` tells of them.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Step {
    Cut,
    Read,
    Sample,
    Send,
    Deal,
    Combine,
    Take,
    Sort,
    Merge,
}

fn step(args: &Args, session: &mut Session) -> Result<Summary> {
    let json = std::fs::read_to_string(&args.job);
    let job = PartitionJob::parse(&json.map_err(|e| Error::path("read", &args.job, &e))?)?;
    let mut output = session.stdout();
    if let Step::Cut | Step::Read = args.step {
        let options = read_options(&args.records, session)?;
        return match args.step {
            Step::Cut => parts::cut(&job, &options, &mut output),
            _ => parts::read(&job, &options, &mut output),
        };
    }
    let limits = args.memory.limits(&args.records)?;
    let (bad, input) = (args.records.bad()?, session.stdin()?);
    let named = take::Named::new(&job, input);
    match args.step {
        Step::Send => deal::send(named, &mut output),
        Step::Sample => deal::sample(&job, &limits, &bad, named, &mut output),
        Step::Deal => deal::deal(&job, &limits, &bad, named, &mut output),
        Step::Combine => deal::combine(&job, &limits, &bad, named, &mut output),
        step => {
            let taken = take::Taken::new(&job, named);
            match step {
                Step::Sort => take::sort(&job, &limits, &bad, taken, &mut output),
                Step::Merge => take::merge(&job, &limits, taken, &mut output),
                _ => take::take(taken, &mut output),
            }
        }
    }
}

fn partition() -> ExitCode {
    cli::run(mycloud::tool!("mc-partition"), |args: Args, session: &mut Session| {
        step(&args, session)
    })
}

fn main() -> ExitCode {
    far_end::run(TOOLS, STEPS)
}

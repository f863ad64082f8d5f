//! mc-gather: records to files in any format, or to standard output.

use std::process::ExitCode;

use mycloud::Result;
use mycloud::cli::explaining::{Explaining, stages::works_here};
use mycloud::cli::hosts::feed;
use mycloud::cli::options::Records;
use mycloud::cli::resources::{self, OutputOptions};
use mycloud::cli::{self, Session};
use mycloud::explain::schema::StagePlan;
use mycloud::stage::gather::{self, GatherOptions};

/// Gather records into a file that appears whole or not at all, or onto standard output
#[derive(clap::Parser)]
struct Args {
    #[command(flatten)]
    output: OutputOptions,

    #[command(flatten)]
    records: Records,
}

/// What would be done.
fn explained(args: Args, explaining: &mut Explaining<'_>) -> Result<StagePlan> {
    let mut stage = explaining.stage();
    args.records.explain(&mut stage)?;
    works_here(&mut stage);
    stage.reads = explaining.input()?;
    args.output.explain(explaining, &mut stage)?;
    Ok(stage)
}

pub(crate) fn main() -> ExitCode {
    cli::run_stage(mycloud::tool!("mc-gather"), explained, |args: Args, session: &mut Session| {
        let (output, write) = args.output.write(session)?;
        let options = GatherOptions {
            output,
            write,
            parts: args.output.parts(),
            directory: args.output.temporary_directory()?,
            read: resources::read_options(&args.records, session)?,
        };
        gather::run(&options, feed::records(session)?)
    })
}

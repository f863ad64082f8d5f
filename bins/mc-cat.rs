//! mc-cat: files in any format to records.

use std::process::ExitCode;

use mycloud::cli::options::Records;
use mycloud::cli::resources::Resources;
use mycloud::cli::{self, Session};
use mycloud::stage::cat::{self, Options};

/// Read files in any format and write their records
#[derive(clap::Parser)]
struct Args {
    #[command(flatten)]
    resources: Resources,

    #[command(flatten)]
    records: Records,
}

fn main() -> ExitCode {
    cli::run("mc-cat", |args: Args, session: &mut Session| {
        let (resources, read) = args.resources.read(&args.records, session)?;
        cat::run(&Options { resources, read }, &mut session.stdout())
    })
}

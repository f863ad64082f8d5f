//! mc-gather: records to files in any format, or to standard output.

use std::ffi::OsString;
use std::process::ExitCode;

use mycloud::cli::options::Records;
use mycloud::cli::{self, Session, resources};
use mycloud::format::resource::Resource;
use mycloud::stage::gather::{self, Options};

/// Gather records into a file that appears whole or not at all, or onto standard output
#[derive(clap::Parser)]
struct Args {
    /// Write to [FORMAT[,OPTION...]:]PATH, - for standard output [default: ndjson:-]
    #[arg(short, long, value_name = "RESOURCE")]
    output: Option<OsString>,

    /// Replace an existing directory or database
    #[arg(long, requires = "output")]
    replace: bool,

    #[command(flatten)]
    records: Records,
}

fn main() -> ExitCode {
    cli::run("mc-gather", |args: Args, session: &mut Session| {
        let output = match &args.output {
            Some(text) => Resource::parse(text, None)?,
            None => Resource::standard(),
        };
        let read = resources::read_options(&args.records, session)?;
        let write = resources::write_options(&output, args.replace, session);
        gather::run(&Options { output, read, write }, Box::new(session.stdin()?))
    })
}

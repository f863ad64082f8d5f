//! mc-report: a page about what pipelines did.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mycloud::cli::{self, Session};
use mycloud::stage::report::{self, ReportOptions, StatsSource};

/// Make one page of HTML of what --stats or MC_STATS wrote: how pipelines went, in pictures and tables
#[derive(clap::Parser)]
struct Args {
    /// The file that --stats or MC_STATS wrote, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Write the page to FILE, whole or not at all [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn main() -> ExitCode {
    cli::run(mycloud::tool!("mc-report"), |args: Args, session: &mut Session| {
        session.guard()?;
        let is_standard = |path: &Path| path == Path::new("-");
        let source = match is_standard(&args.file) {
            true => StatsSource::Stream(session.stdin()?),
            false => StatsSource::Path(args.file),
        };
        let output = args.output.filter(|path| !is_standard(path));
        let options = ReportOptions { output, ledger: session.ledger() };
        let mut stdout = session.stdout();
        report::run(&options, source, &mut stdout, &|text| session.warn(text))
    })
}

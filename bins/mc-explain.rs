//! mc-explain: what a pipeline would do, without doing it.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::builder::OsStringValueParser;
use mycloud::cli::explaining::{ExplainForm, line};
use mycloud::cli::{self, Session};

/// Print what a pipeline would do, where, and what could be done better; nothing of it runs
#[derive(clap::Parser)]
struct Args {
    /// The pipeline, as a shell takes it; - for what standard input says
    #[arg(value_name = "PIPELINE", required = true, value_parser = OsStringValueParser::new())]
    pipeline: OsString,

    /// Print the plan as JSON, on one line
    #[arg(long)]
    json: bool,
}

pub(crate) fn main() -> ExitCode {
    cli::run(mycloud::tool!("mc-explain"), |args: Args, session: &mut Session| {
        let form = if args.json { ExplainForm::Json } else { ExplainForm::Text };
        line::explain_line(&args.pipeline, form, session)
    })
}

//! mc-gather: records in, records out.

use std::process::ExitCode;

use mycloud::cli::{self, Session};
use mycloud::record::stream::{Input, Output, Summary};

/// Copies records to standard output
#[derive(clap::Parser)]
struct Args {}

fn main() -> ExitCode {
    cli::run("mc-gather", |_: Args, session: &mut Session| {
        let mut input = session.stdin()?;
        let mut output = session.stdout();
        let mut buffer = vec![0; 1 << 20];
        let mut summary = Summary::default();
        loop {
            match input.read(&mut buffer)? {
                0 => break,
                got => {
                    output.write(&buffer[..got])?;
                    summary.bytes_in += got as u64;
                }
            }
        }
        summary.bytes_out = summary.bytes_in;
        Ok(summary)
    })
}

//! mc-format-parquet: Parquet files to records and back, for the other tools. They call it for
//! `parquet:`; never typed by a person.

use std::process::ExitCode;

use mycloud::{cli, columnar};

pub(crate) fn main() -> ExitCode {
    cli::format_program::run("mc-format-parquet", columnar::read, columnar::write)
}

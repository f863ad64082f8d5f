//! mc-worker: the far end of the tools that work on hosts. They send it and speak to it; never
//! typed by a person.

use std::process::ExitCode;

fn main() -> ExitCode {
    mycloud::cli::far_end::run()
}

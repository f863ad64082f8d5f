//! The command line: options, messages, exit codes, standard streams, the guard process.
//!
//! The only room that reads the environment, prints or exits. A tool is one call:
//!
//! ```no_run
//! use mycloud::cli::{self, Session};
//! use mycloud::record::stream::{Input, Output, Summary};
//!
//! /// Copies records.
//! #[derive(clap::Parser)]
//! struct Args {
//!     #[command(flatten)]
//!     memory: cli::options::MemoryOptions,
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     cli::run(mycloud::tool!("mc-copy"), |args: Args, session: &mut Session| {
//!         let mut input = session.stdin()?;
//!         let mut output = session.stdout();
//!         let mut buffer = vec![0; 1 << 16];
//!         loop {
//!             match input.read(&mut buffer)? {
//!                 0 => return Ok(Summary::default()),
//!                 got => output.write(&buffer[..got])?,
//!             }
//!         }
//!     })
//! }
//! ```
//!
//! [`run`] adds the options that every tool has (`--help`, `--version`, `-v`, `--stats`), flushes
//! standard output, says the error, and gives the exit code. Nothing here knows what a tool does.

mod again;
pub mod called;
pub mod command;
mod complete;
pub mod duration;
pub mod environment;
pub mod explaining;
pub mod far_end;
#[cfg(feature = "parquet")]
pub mod format_program;
pub mod group_command;
mod guard;
pub mod hadoop_env;
pub mod hosts;
pub mod joining;
mod ledger;
pub mod memo;
pub mod memory;
pub mod message;
pub mod ops;
pub mod options;
pub mod pieces;
pub mod process;
mod progress;
pub mod reducing;
pub mod resources;
pub mod running;
pub mod session;
pub mod share;
pub mod size;
pub mod splitting;
pub mod stats;
mod stats_line;
pub mod stdin;
pub mod stdout;
pub mod surroundings;
mod tool;

pub use session::Session;
pub use stdin::Stdin;
pub use stdout::Stdout;
pub use tool::{Tool, is_worker, run, run_stage};

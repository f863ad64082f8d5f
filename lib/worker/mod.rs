//! One attempt at a task: a command that gets a block of input, what it prints, how it ends, and
//! the end of every process that it started.
//!
//! This room knows nothing of records, of order or of retries, and prints nothing: what a command
//! says on its standard error is handed, by whole lines, to whoever started the attempt.

pub mod attempt;
pub mod children;
pub mod command;
mod feed;
pub mod process_tree;
pub mod quote;
pub mod relay;
pub mod spool;

pub use attempt::{Attempt, Ended, How};
pub use children::Children;
pub use command::Command;
pub use spool::Spool;

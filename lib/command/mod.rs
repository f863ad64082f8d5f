//! Running a command: a task is a command that gets a block of input ([`TaskRunner`]); an attempt at
//! it is one process, what it prints, how it ends, and the end of every process that it started
//! ([`Attempt`]).
//!
//! This room knows nothing of order, of hosts or of who is served, and prints nothing: what a
//! command says on its standard error is handed, by whole lines, to whoever started the attempt.

pub mod attempt;
pub mod bisect;
pub mod children;
pub mod each;
mod feed;
pub mod form;
pub mod hadoop;
pub mod memo;
pub mod process_tree;
pub mod program;
pub mod quote;
pub mod rejects;
pub mod relay;
pub mod reporter;
pub(crate) mod runner;
pub(crate) mod shell_line;
mod tidy;

pub use attempt::{Attempt, CommandEnd, Ended};
pub use bisect::CommandFault;
pub use children::Children;
pub use form::Form;
pub use memo::Memo;
pub use program::{Command, Given};
pub use rejects::Rejects;
pub(crate) use runner::{Finished, Seen, TaskRunner};

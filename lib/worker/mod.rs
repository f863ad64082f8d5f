//! The far end: one attempt at a task, which is a command that gets a block of input, what it
//! prints, how it ends, and the end of every process that it started; and, on a host, the worker
//! that runs attempts for a tool elsewhere ([`serve`]), and the shards that it makes ([`store`]).
//!
//! This room knows nothing of order or of retries, and prints nothing: what a command says on its
//! standard error is handed, by whole lines, to whoever started the attempt.

pub mod attempt;
pub mod base;
pub mod bisect;
pub mod children;
pub mod command;
mod exchange;
mod feed;
pub mod form;
mod job;
mod open;
mod outbox;
pub mod peers;
pub mod process_tree;
pub mod quote;
pub mod rejects;
pub mod relay;
mod resource;
pub mod serve;
mod shard_file;
mod shell_line;
pub mod slots;
pub mod spool;
pub mod store;

pub use attempt::{Attempt, Ended, How};
pub use bisect::Fault;
pub use children::Children;
pub use command::{Command, Given};
pub use form::Form;
pub use rejects::Rejects;
pub use spool::Spool;

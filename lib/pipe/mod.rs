//! The pipes that connect the tools of one pipeline, and how each of these ended.
//!
//! A tool enters its standard output, when that is a pipe, in the [`registry`], and marks the pipe
//! ([`pipe_mark`]); the tool that reads it ([`pipe_input`]) asks there, at the end, whether this was the
//! whole. Nothing here reads the environment, prints, or knows what is in a stream of records.

pub mod board;
pub mod entry;
pub mod gauge;
pub mod meter;
pub mod peek;
pub mod pipe_id;
pub mod pipe_input;
pub mod pipe_mark;
pub mod plumbing;
pub(crate) mod record_lock;
pub mod registry;
pub mod runtime_dir;
mod sweep;

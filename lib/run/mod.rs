//! What connects the tools of one pipeline: their pipes and how each of them ended, and the runs
//! whose data lies on hosts.
//!
//! A tool enters its standard output, when that is a pipe, in the [`registry`]; the tool that
//! reads the pipe asks there, at the end, whether this was the whole. A tool whose output lies on
//! hosts writes a [`manifest`] of it, keeps a record of the run in a [`run_dir`], and stays its
//! [owner](ownership) until whoever reads the manifest has let go. Nothing here reads the
//! environment, prints, or knows what is in a stream of records.

pub mod claimed_name;
pub mod entry;
pub mod manifest;
pub mod ownership;
pub mod peek;
pub mod pipe;
pub mod pipe_id;
pub mod pipe_mark;
mod record_lock;
pub mod registry;
pub mod run_dir;
pub mod run_id;
pub mod runtime_dir;
mod sweep;

pub use run_id::RunId;

//! What connects the tools of one pipeline: their pipes, and how each of them ended.
//!
//! A tool enters its standard output, when that is a pipe, in the [`registry`]; the tool that
//! reads the pipe asks there, at the end, whether this was the whole. Nothing here reads the
//! environment, prints, or knows what is in a stream.

pub mod entry;
pub mod pipe;
pub mod pipe_id;
pub mod registry;
pub mod runtime_dir;
mod sweep;

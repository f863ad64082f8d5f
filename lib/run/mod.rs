//! What connects the tools of one pipeline: their pipes, and how each of them ended.
//!
//! Nothing here reads the environment, prints, or knows what is in a stream.

pub mod pipe;

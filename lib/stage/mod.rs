//! The stages: one file a tool, each with its Options and its `run()`. They do not know one another.

pub mod cat;
pub mod gather;
pub mod hosts;
pub mod join;
pub mod map;
pub mod partition;
pub mod reduce;
pub mod report;
pub mod scatter;
pub mod shuffle;
pub mod sort;
pub mod split;

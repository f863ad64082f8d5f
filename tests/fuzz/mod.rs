//! What reads bytes from outside, fed with inputs that nobody would write: a target for each decoder.
//!
//! A target begins with some sound inputs, which are changed, spliced and cut at random; what is taken
//! becomes a beginning, too. Of each input it says what must hold: no panic, no hang and no more memory
//! than the input is worth for all of them, and besides what another reader of the same format says,
//! or that what is printed reads back.
//!
//! The inputs of a seed are always the same. One that fails is made as short as it goes, and printed as
//! a line for `known.txt`: those are tried first, in every run. `scripts/fuzz` runs for as long as one
//! likes. All this is compiled into the unit tests of the library, for decoders are not public.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod allocation;
mod csv;
mod databases;
mod driver;
mod exchange;
mod hosts;
mod input;
mod json;
mod manifest;
mod mutation;
#[cfg(feature = "parquet")]
mod parquet;
#[allow(dead_code, unreachable_pub)] // The suite uses all of it.
#[path = "../support/random.rs"]
pub(crate) mod random;
mod resources;
mod shrink;
mod stats;
mod text;
mod wire;
mod zip;

use driver::{Outcome, Target};

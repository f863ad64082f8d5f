//! The tests of the tools as their users run them: one binary, a module a subject.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(missing_docs, unreachable_pub)]
#![allow(clippy::print_stdout)] // Shown when a test fails: its seed.

mod aggregate;
mod bench;
mod client;
mod cluster;
mod completions;
mod dependencies;
mod exits;
mod explain;
mod failpoints;
mod format;
mod harness;
mod join;
mod leveldb;
mod look_alikes;
mod makefile;
mod manual;
mod map;
mod memory;
mod package;
mod pipes;
mod places;
mod progress;
mod reduce;
mod report;
mod signals;
mod sort;
mod spark;
mod store;
mod streaming;
#[allow(dead_code, unused_imports)] // Each module uses what it needs.
mod support;
mod tidy;
mod torture;
mod tour;

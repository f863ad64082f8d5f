//! mycloud: MapReduce as Unix filters over newline-delimited JSON.
//!
//! # The rooms
//!
//! - [`record`]: lines, keys, canonical key bytes, order, exact numbers. Pure.
//! - [`mod@format`]: foreign formats to records and back.
//! - [`sort`]: runs, spill, merge, memory budget. Knows nothing of JSON.
//! - [`aggregate`]: the reducers: add, merge, finish; exact sums.
//! - [`keyed`]: streams by their keys: in order, in groups, reduced.
//! - [`run`]: the pipe registry: how the stream of a pipe ended, and what is known of it; runs on
//!   hosts: their manifests, their records, and who owns their data.
//! - [`wire`]: the protocol between a tool and the worker on a host. Pure.
//! - [`command`]: running a command: a task, one attempt at it, its streams, its process tree.
//! - [`peer`]: direct connections between hosts. The only room that names TLS.
//! - [`worker`]: the far end: it serves a tool on a host, and has the shards that are made there.
//! - [`cluster`]: hosts, and how a worker is reached on them. The only room that names ssh.
//! - [`engine`]: which task runs when, how often, and in what order its output counts.
//! - [`stage`]: cat, split, map, shuffle, sort, reduce, gather, hosts: Options and `run()`.
//! - [`parallel`]: work over threads, results in order.
//! - [`cli`]: exit codes, messages, signals, standard streams.
//!
//! # The arrows
//!
//! Which room names which: `tests/tidy` holds the table to the code, and the code to the table. Unit
//! tests may name what lies further down, too.
//!
//! | room | names |
//! | --- | --- |
//! | bins | cli, stage, engine, cluster, command, keyed, aggregate, format, record, error |
//! | cli | engine, worker, cluster, command, keyed, aggregate, format, run, record, error |
//! | stage | engine, cluster, command, keyed, aggregate, format, run, sort, record, error |
//! | engine | cluster, command, keyed, aggregate, format, run, record, error |
//! | worker | command, peer, keyed, aggregate, format, run, wire, sort, record, error |
//! | cluster | wire, record, error |
//! | command | record, error |
//! | peer | wire, error |
//! | keyed | aggregate, sort, record, parallel, error |
//! | aggregate | record, error |
//! | format | run, record, error |
//! | run | record, error |
//! | wire | record, error |
//! | sort | parallel, error |
//! | record | error |
//! | parallel | error |
//! | error | |
//!
//! # Invariants
//!
//! - Only `cli` exits, prints or reads the environment.
//! - A record goes through `mc-map` by stage -> engine -> command -> engine -> cli.
//! - `sort` knows no JSON; `record` opens no file but the one for bad records.
//! - Stages do not know one another.
//! - No stage holds more than its memory budget.
// What Cargo.toml names beyond need, the compiler finds; the unit tests do not use what the suite does.
#![cfg_attr(not(test), deny(unused_crate_dependencies))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod aggregate;
pub mod cli;
pub mod cluster;
pub mod command;
pub mod engine;
pub mod error;
pub mod format;
pub mod keyed;
pub mod parallel;
pub mod peer;
pub mod record;
pub mod run;
pub mod sort;
pub mod stage;
pub mod wire;
pub mod worker;

pub use error::{Error, Result};

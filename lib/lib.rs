//! mycloud: MapReduce as Unix filters over newline-delimited JSON.
//!
//! # The rooms
//!
//! - [`record`]: lines, keys, canonical key bytes, order, exact numbers. Pure.
//! - [`mod@format`]: foreign formats to records and back.
//! - [`extsort`]: runs, spill, merge, memory budget. Knows nothing of JSON.
//! - [`aggregate`]: the reducers: add, merge, finish; exact sums.
//! - [`group`]: streams by their keys: in order, in groups, reduced, joined.
//! - [`client`]: files of the client, for its commands here and on hosts: what is shared, and how it is asked for.
//! - [`pipe`]: pipes between tools, and the registry of how far their writers are, and how they ended.
//! - [`dataset`]: shards on hosts: their manifests, the records of their runs, who owns their data.
//! - [`wire`]: the protocol between a tool and the worker on a host. Pure.
//! - [`blocks`]: what temporary files held when they were written. Pure.
//! - [`spool`]: bytes in memory, beyond a limit in a file without a name.
//! - [`command`]: running a command: a task, one attempt at it, its streams, its process tree.
//! - [`peer`]: direct connections between hosts. The only room that names TLS.
//! - [`worker`]: the far end: it serves a tool on a host, and has the shards that are made there.
//! - [`cluster`]: hosts, and how a worker is reached on them. The only room that names ssh.
//! - [`columnar`]: Parquet files to records and back, for a program of their own.
//! - [`store`]: stores of objects. The only room that names `object_store` and an asynchronous runtime.
//! - [`explain`]: what a pipeline would do: its plan as a document and as text. Pure.
//! - [`engine`]: which task runs when, how often, and in what order its output counts.
//! - [`report`]: what `--stats` wrote, as one page of HTML. Pure.
//! - [`stage`]: cat, split, map, shuffle, sort, reduce, join, gather, hosts, report: Options and `run()`;
//!   and the steps of stages over partitions, for Spark.
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
//! | bins | cli, columnar, stage, explain, engine, cluster, command, group, aggregate, format, record |
//! | cli | explain, engine, worker, cluster, store, command, group, aggregate, format, dataset, client, pipe, record, parallel, error |
//! | stage | explain, engine, cluster, command, group, aggregate, format, dataset, extsort, report, spool, record, parallel, error |
//! | engine | explain, cluster, command, group, aggregate, format, dataset, client, spool, blocks, record, parallel, error |
//! | explain | group, aggregate, format, record, error |
//! | worker | command, peer, group, aggregate, format, client, pipe, wire, extsort, spool, record, parallel, error |
//! | cluster | wire, record, parallel, error |
//! | columnar | record, parallel, error |
//! | store | format, record, parallel, error |
//! | command | spool, record, error |
//! | peer | wire, parallel, error |
//! | group | aggregate, extsort, record, parallel, error |
//! | aggregate | record, error |
//! | format | client, pipe, spool, blocks, record, parallel, error |
//! | dataset | pipe, record, parallel, error |
//! | client | wire, blocks, record, error |
//! | pipe | record, error |
//! | wire | record, error |
//! | report | explain, error |
//! | spool | blocks, record, error |
//! | extsort | blocks, parallel, error |
//! | record | error |
//! | parallel | error |
//! | blocks | error |
//! | error | |
//!
//! # Invariants
//!
//! - Only `cli` exits, prints or reads the environment.
//! - A record goes through `mc-map` by stage -> engine -> command -> engine -> cli.
//! - `extsort` knows no JSON; `record` opens no file but the one for bad records.
//! - Stages do not know one another.
//! - No stage holds more than its memory budget.
//!
//! # Glossary
//!
//! - *record*: one JSON value on a line; its bytes pass as they are.
//! - *key*: what orders or groups records, by one or more paths; compared by canonical bytes.
//! - *stage*: what one tool does with a stream.
//! - *resource*: what is read or written: a format and a path, a pattern or an address.
//! - *object*: bytes under a key, in a bucket of a store such as S3.
//! - *block*: whole lines that are worked on together, some hundred KiB of a stream.
//! - *piece*: what one process of a command gets: a block, a shard, or a file of a host.
//! - *task*: the work on one piece; its output counts whole, in the order of the pieces.
//! - *attempt*: one try at a task, on this machine or a host.
//! - *slot*: room for one attempt at a time.
//! - *spool*: bytes in memory, beyond a limit in a file.
//! - *bad record*: a line that is none, or is of no use to the stage; judged by `--bad`.
//! - *reject*: a bad record on its way to who judges it.
//! - *left* and *right* records: those that are joined, and those that they are joined with.
//! - *op*: a reduction, such as `sum:amount`; its *state* can be merged with others.
//! - *group*: the records of one key.
//! - *run* (of a sort): sorted items in memory; spilled, a *segment* of a file.
//! - *merge*: several sorted streams to one.
//! - *shard*: records that lie on one host or several, in a file of the worker.
//! - *copy*: a shard on one of its hosts (`--replicas`).
//! - *manifest*: the lines that say which shards there are, in order, and what each holds.
//! - *run* (of a tool): the making of shards by one call; its data has an *owner* until it is read.
//! - *worker*: the program on a host that serves one tool.
//! - *job*: what the tasks of a tool do on hosts: a command, or none.
//! - *exchange*: shards to shards of other keys: sort, sample, cut into ranges, merge.
//! - *range*: the keys between two cuts; one shard comes of it. A *part* is what one host has of it.
//! - *road*: how a host is reached, or a part goes: directly between peers, or relayed by the tool.
// What Cargo.toml names beyond need, the compiler finds (the gate denies warnings); the unit tests do not
// use what the suite does.
#![cfg_attr(not(test), warn(unused_crate_dependencies))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod aggregate;
pub mod blocks;
pub mod cli;
pub mod client;
pub mod cluster;
#[cfg(feature = "parquet")]
pub mod columnar;
/// Built without the feature `parquet`.
#[cfg(not(feature = "parquet"))]
pub mod columnar {}
pub mod command;
pub(crate) mod dataset;
pub mod engine;
pub mod error;
pub mod explain;
pub mod extsort;
pub mod format;
pub mod group;
pub(crate) mod parallel;
pub(crate) mod peer;
pub mod pipe;
pub mod record;
pub mod report;
pub(crate) mod spool;
pub mod stage;
pub mod store;
pub(crate) mod wire;
pub(crate) mod worker;

// Decoders are not public, so what feeds them nonsense is of the unit tests.
#[cfg(test)]
#[path = "../tests/fuzz/mod.rs"]
mod fuzz;
// What a tool and a worker say to each other is played; neither of the two rooms knows the other.
#[cfg(test)]
#[path = "../tests/conversation/mod.rs"]
mod conversation;

pub use error::{Error, Result};

//! The cluster: which hosts there are, and how a worker is reached on each of them.
//!
//! The only room that names ssh. It hands out [`Link`]s, streams of bytes to and from a worker;
//! what is said on them is not its business.
//!
//! # Two roads, and what libssh2 buys
//!
//! Links go by libssh2, or by the user's ssh program where a host needs what libssh2 has not, or where
//! `--ssh` says so. A record to each of N hosts and back, seconds and CPU seconds of the client (medians
//! of `scripts/bench cluster --start`, all hosts on one busy machine of two cores; cold: the worker is
//! sent first):
//!
//! | hosts | | libssh2, s | ssh, s | libssh2, CPU s | ssh, CPU s |
//! | --- | --- | --- | --- | --- | --- |
//! | 1 | cold | 1.16 | 1.35 | 0.077 | 0.101 |
//! | 1 | warm | 0.64 | 0.72 | 0.048 | 0.092 |
//! | 4 | cold | 1.38 | 3.41 | 0.207 | 0.358 |
//! | 4 | warm | 0.58 | 1.66 | 0.100 | 0.281 |
//! | 16 | cold | 3.09 | 7.02 | 0.783 | 1.367 |
//! | 16 | warm | 1.23 | 4.82 | 0.272 | 1.031 |
//!
//! So it buys the start on several hosts: it takes about half of the time and CPU with the worker to be
//! sent, and a quarter to a third of both when it is there. Without it all works, and starts later; what
//! lots of data cost by either road, `scripts/bench cluster` says. It costs OpenSSL in the tools, a third
//! of each, and a thread that owns each session.

pub mod allocation;
mod bootstrap;
mod client_files;
mod complaints;
pub mod connection;
mod dialogue;
mod exchange_verbs;
pub(crate) mod hearing;
pub mod host;
pub mod host_list;
pub mod link;
mod patience;
mod program;
mod request;
mod road;
pub mod shipment;
#[cfg(feature = "ssh2")]
pub(crate) mod ssh2;
mod ssh_failure;
mod verbs;
mod worker_binary;

pub use client_files::{ClientFile, ClientFiles};
pub use connection::{Connection, Greeting};
pub use exchange_verbs::{Answer, MergeNews};
pub use host::Host;
pub use link::{Carrier, Link, Settings, connect};
pub(crate) use patience::Patience;
pub use road::{LIBRARY, StartWorker};
pub use shipment::{Shipment, Shipped};
pub use verbs::TaskReply;
pub use worker_binary::WorkerBinary;

/// What is said to workers and by them, for those who have it said.
pub use crate::wire::client::FileIdentity;
pub use crate::wire::exchange;
pub use crate::wire::exchange::Peer;
pub(crate) use crate::wire::job::SetUp;
pub use crate::wire::job::{EachRecord, HadoopNames, Job, JobCommand, JobProgram, OnBad};
pub use crate::wire::message::{
    ClientPart, Done, Failed, FileCut, FilePart, HostResource, KeptDataset, Part, Task, TaskSource,
    Welcome,
};
pub use crate::wire::shard::Fetch;
pub use crate::wire::shipped::ContentHash;

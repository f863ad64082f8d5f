//! The cluster: which hosts there are, and how a worker is reached on each of them.
//!
//! The only room that names ssh. It hands out [`Link`]s, streams of bytes to and from a worker;
//! what is said on them is not its business.

pub mod allocation;
mod bootstrap;
mod complaints;
pub mod connection;
mod dialogue;
mod harmless;
pub mod host;
pub mod hosts;
pub mod link;
mod patience;
mod program;
mod refusal;
mod request;
mod road;
#[cfg(feature = "ssh2")]
mod ssh2;
mod verbs;

pub use bootstrap::Parcel;
pub use connection::{Connection, Greeting};
pub use host::Host;
pub use link::{End, Link, Settings, connect};
pub(crate) use patience::Patience;
pub use request::News;
pub use road::{LIBRARY, Road};
pub use verbs::TaskReply;

/// What is said to workers and by them, for those who have it said.
pub use crate::wire::job::{Job, JobCommand, OnBad, Run};
pub use crate::wire::message::{
    Done, Failed, Fetch, FileCut, FilePart, Kept, Resource, Source, Task, Welcome,
};

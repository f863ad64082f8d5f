//! The engine: the work that more than one stage does, spread over the cores.
//!
//! [`here`] runs a command over the pieces of a stream, several at once, each again when it failed,
//! and gives the output of whole tasks in the order of the input; [`on_hosts`] has shards made of
//! them. What cuts the stream into pieces is the caller's ([`Cut`]).
//!
//! What is done when is decided without threads, clocks or processes: by [`schedule`] which task counts, by
//! `dispatch` what a slot does next, by `roster` which host gets a task, by `trial` what follows an attempt's end.
//! Nothing here prints or knows of options.

mod attempt;
mod budget;
pub mod consumer;
mod copies;
pub mod cuts;
mod dispatch;
mod duty;
pub mod exchange;
pub mod fleet;
mod heard;
pub mod host_access;
mod host_links;
mod kept;
pub(crate) mod lineage;
mod memo_cut;
pub mod need;
mod notes;
pub mod observer;
mod outline;
mod pace;
pub mod plan;
pub mod producer;
pub mod quarantine;
pub mod records;
mod remember;
mod remote;
mod replay;
mod roster;
mod run;
pub mod schedule;
pub mod shard_hosts;
pub mod shard_job;
mod shard_stream;
pub mod shared_files;
// Plans are not public, so what plays them is of the unit tests.
#[cfg(test)]
#[path = "../../tests/simulation/mod.rs"]
pub(crate) mod simulation;
mod slot;
mod slot_words;
pub mod split;
mod stragglers;
mod task_queue;
mod trial;
mod unpublished;
mod work;

use crate::cluster::{Fetch, HostResource};
use crate::dataset::run_dir::Split;
use crate::error::Result;
use crate::record::block::Block;
use crate::record::digest::Contents;
use crate::spool::Spool;

pub use crate::command::Form;
pub use plan::{CommandPlan, Hosts, MakeShardLine, Setting, Voice};
pub use run::{here, on_hosts};
pub use schedule::Halt;

/// What one process of the command gets.
#[derive(Debug)]
pub enum Piece {
    /// Lines as they came: the slot that gets them checks them and brings them into form.
    Lines(Block),
    /// What the command is to read, byte for byte.
    Ready {
        /// The bytes.
        input: Spool,
        /// How many records there are.
        records: u64,
    },
    /// A shard, for a task that runs on a host.
    Shard(HostedShard),
    /// A file of hosts, for a task that runs there.
    File(HostFile),
}

/// A file of hosts.
#[derive(Clone, Debug)]
pub struct HostFile {
    /// The names of the hosts that have it.
    pub hosts: Vec<String>,
    /// What it is there.
    pub resource: HostResource,
}

/// A shard that lies on hosts.
#[derive(Clone, Debug)]
pub struct HostedShard {
    /// Its run.
    pub run: String,
    /// Its number.
    pub number: u64,
    /// The names of the hosts that it lies on; none where it holds nothing.
    pub hosts: Vec<String>,
    /// What is wrong with copies of it that were passed over, which lie on none of these.
    pub flaws: Vec<String>,
    /// What it holds.
    pub contents: Contents,
    /// The part of a local file that it is, if it is one.
    pub split: Option<Split>,
    /// Where it lies under another name, the run and number that it has there: it was made again.
    pub(crate) made_again: Option<(String, u64)>,
}

impl HostedShard {
    /// What its hosts know it by.
    pub(crate) fn fetch(&self) -> Fetch {
        let (run, shard) = match &self.made_again {
            Some((run, number)) => (run.clone(), *number),
            None => (self.run.clone(), self.number),
        };
        Fetch { run, shard }
    }
}

impl Piece {
    /// The lines of the stream that it is, if it is such.
    fn lines(&self) -> Option<&[u8]> {
        if let Piece::Lines(block) = self { Some(&block.bytes) } else { None }
    }

    /// How many bytes of records it holds, where they are here.
    fn bytes(&self) -> usize {
        match self {
            Piece::Lines(block) => block.bytes.len(),
            Piece::Ready { input, .. } => usize::try_from(input.len()).unwrap_or(usize::MAX),
            Piece::Shard(_) | Piece::File(_) => 0,
        }
    }
}

/// Cuts a stream into pieces. It has a thread of its own, which is left behind when nothing more
/// of the stream is wanted while it waits for it.
pub trait Cut: Send + 'static {
    /// The next piece; `None` at the end. `size` says of about how many bytes it is to be, when it is
    /// told how many are left, if that is known. `buffer` is memory to use again.
    ///
    /// # Errors
    /// What is wrong with the stream.
    fn next(
        &mut self,
        size: &dyn Fn(Option<usize>) -> usize,
        buffer: Vec<u8>,
    ) -> Result<Option<Piece>>;
}

impl Cut for Box<dyn Cut> {
    fn next(
        &mut self,
        size: &dyn Fn(Option<usize>) -> usize,
        buffer: Vec<u8>,
    ) -> Result<Option<Piece>> {
        self.as_mut().next(size, buffer)
    }
}

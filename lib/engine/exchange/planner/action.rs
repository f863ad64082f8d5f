//! What is to be done for an exchange, as its planner says.

use crate::cluster::Peer;
use crate::cluster::exchange::{MergeTask, RelayedPart};
use crate::engine::HostedShard;
use crate::record::bytes::Bytes;
use crate::record::digest::Contents;
use crate::record::stream::Summary;

/// What is to be done.
#[derive(Debug)]
pub(crate) enum PlannerAction {
    /// A host is to be asked this: a task of this number.
    Ask(u64, usize, HostTask),
    /// A part is to be relayed: a task of this number.
    Relay(u64, PartTransfer),
    /// The shard of this number, the next one, is made, and lies on this host if it holds anything: the manifest may
    /// say so.
    Publish(u64, Option<usize>, Contents),
    /// The user is to be told.
    Say(String),
    /// No task is wanted any more.
    Stop,
}

/// What a host is asked to do.
#[derive(Debug)]
pub(crate) enum HostTask {
    /// To sort shards that lie there.
    Sort(Vec<HostedShard>),
    /// To reduce a shard that lies there.
    Reduce(HostedShard),
    /// To say what it has to offer.
    Weigh,
    /// To listen for the others.
    Listen,
    /// To take note of where the others listen, and of its secret.
    Introduce(Vec<Peer>, String),
    /// To merge a range.
    Merge(MergeTask),
}

/// A part of a range on its way from host to host.
#[derive(Debug)]
pub(crate) struct PartTransfer {
    /// The host that has it.
    pub(crate) from: usize,
    /// The one that merges it.
    pub(crate) to: usize,
    /// The first key of the range, and the first one behind it.
    pub(crate) bounds: (Option<Bytes>, Option<Bytes>),
    /// What the host that merges it calls it.
    pub(crate) deliver: RelayedPart,
    /// How many bytes may be relayed from the one to the other in all.
    pub(crate) bytes_max: u64,
}

/// What an exchange came to.
#[derive(Debug)]
pub(crate) struct ExchangeReport {
    /// The numbers.
    pub(crate) summary: Summary,
    /// What is to be said to who wants to know more.
    pub(crate) details: Vec<String>,
    /// A word to the user.
    pub(crate) advice: Option<String>,
}

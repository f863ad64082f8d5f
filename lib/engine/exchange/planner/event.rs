//! What happens in an exchange, as its planner is told.

use crate::cluster::exchange::{HostOffer, Merged, RelayedPart, SortResult};
use crate::engine::HostedShard;
use crate::error::Error;
use crate::record::bytes::Bytes;

/// What happened.
#[derive(Debug)]
pub(crate) enum PlannerEvent {
    /// The manifest names another shard.
    Shard(HostedShard),
    /// It names no more.
    ManifestEnd,
    /// A task went well.
    Done(u64, HostAnswer),
    /// A task went wrong.
    Failed(u64, Error),
    /// A merge wants a part of a host that does not come to it from there, for the reason that is
    /// given where that was tried.
    PartWanted(u64, RelayedPart, Option<String>),
    /// A host is lost.
    HostLost(usize, Error),
    /// Something else failed: nothing more is wanted.
    Aborted(Error),
}

/// What a host answers to a [`super::HostTask`].
#[derive(Debug)]
pub(crate) enum HostAnswer {
    /// Shards are sorted.
    Sorted(SortResult),
    /// It has this to offer.
    HostOffer(HostOffer),
    /// It listens; or why it cannot.
    Listening(std::result::Result<PeerListener, String>),
    /// It knows the others.
    Introduced,
    /// A shard is reduced, or a range merged.
    Merged(Merged),
    /// A part is relayed.
    Relayed,
}

/// Where a host listens for the others.
#[derive(Debug)]
pub(crate) struct PeerListener {
    /// Addresses of sockets, best first.
    pub(crate) addresses: Vec<String>,
    /// The public key that it shows, as DER.
    pub(crate) public_key: Bytes,
    /// What it is to know the tokens by that are shown to it; nobody else knows it.
    pub(crate) secret: String,
}

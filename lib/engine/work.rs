//! What a task works on: its piece, in the form in which its attempts take it.

use std::sync::{Arc, Mutex};

use crate::cluster::ClientPart;
use crate::command::form::Reject;
use crate::command::memo::MemoKey;
use crate::engine::{HostFile, HostedShard};
use crate::spool::Spool;

/// A piece in the form in which its attempts work on it.
#[derive(Debug)]
pub(crate) enum Work {
    /// Records here, as the command reads them.
    Here(RecordsHere),
    /// A shard on hosts.
    Shard(HostedShard),
    /// A file of hosts.
    File(HostFile),
}

/// Records here.
#[derive(Debug)]
pub(crate) struct RecordsHere {
    /// How many.
    pub(super) count: u64,
    /// Whether it is nothing but blank lines, or bad ones: there is nothing to run a command on.
    pub(super) is_nothing: bool,
    /// What it is known by, where what was printed is kept.
    pub(super) key: Option<MemoKey>,
    /// They, as the command reads them.
    pub(super) input: Arc<Spool>,
    /// Those that are none.
    pub(super) rejects: Mutex<Vec<Reject>>,
}

/// Where the input of a task is.
pub(crate) enum TaskInput<'a> {
    /// In our hands.
    Here(&'a Spool),
    /// On hosts.
    Shard(Box<HostedShard>),
    /// A file of hosts.
    Resource(&'a HostFile),
    /// In our hands, and it is what the command printed before: that is to be the shard.
    Printed(&'a Spool),
}

impl TaskInput<'_> {
    /// The hosts that it lies on.
    pub(super) fn near(&self) -> &[String] {
        match self {
            TaskInput::Here(_) | TaskInput::Printed(_) => &[],
            TaskInput::Shard(shard) => &shard.hosts,
            TaskInput::Resource(file) => &file.hosts,
        }
    }

    /// The part of a file of this machine that it is, if it is one.
    pub(super) fn part(&self) -> Option<ClientPart> {
        let TaskInput::Shard(shard) = self else { return None };
        let split = shard.split.as_ref()?;
        let (start, end) = split.range.unwrap_or((0, split.size));
        Some(ClientPart { path: split.path.clone(), start, length: end.saturating_sub(start) })
    }
}

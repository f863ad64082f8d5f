//! The shards of an exchange, as its rounds get them: the first from the manifest, those after it again.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::engine::HostedShard;
use crate::engine::consumer::{self, blame};
use crate::engine::exchange::planner::StuckShards;
use crate::error::{Error, ErrorKind, Result};

/// Shards that come, and those that came.
pub(super) struct ShardFeed {
    /// Those that came, and how many of them this round has.
    shards: Vec<HostedShard>,
    given: usize,
    /// Where more come from.
    coming: Option<Receiver<Result<Option<HostedShard>>>>,
    /// Why the manifest ended early.
    failure: Option<Error>,
}

/// What comes next.
pub(super) enum NextShard {
    /// A shard; its place among them all.
    Shard(usize),
    /// There are no more.
    End,
    /// Nothing yet.
    Nothing,
}

impl ShardFeed {
    /// Of those that come by `coming`.
    pub(super) fn new(coming: Receiver<Result<Option<HostedShard>>>) -> ShardFeed {
        ShardFeed { shards: Vec::new(), given: 0, coming: Some(coming), failure: None }
    }

    /// Of these.
    pub(super) fn of(shards: Vec<HostedShard>) -> ShardFeed {
        ShardFeed { shards, given: 0, coming: None, failure: None }
    }

    /// Begins again with the first.
    pub(super) fn rewind(&mut self) {
        self.given = 0;
    }

    /// The next one, if it comes within `wait`.
    ///
    /// # Errors
    /// What is wrong with the manifest.
    pub(super) fn next(&mut self, wait: Duration) -> Result<NextShard> {
        if self.given == self.shards.len() {
            let Some(coming) = &self.coming else { return Ok(NextShard::End) };
            match coming.recv_timeout(wait) {
                Ok(Ok(Some(shard))) => self.shards.push(shard),
                Ok(Ok(None)) => {
                    self.coming = None;
                    return Ok(NextShard::End);
                }
                Ok(Err(error)) => {
                    self.failure = Some(Error::new(error.kind(), error.to_string()));
                    return Err(error);
                }
                Err(RecvTimeoutError::Timeout) => return Ok(NextShard::Nothing),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::incomplete("internal error: the manifest's reader broke"));
                }
            }
        }
        self.given += 1;
        Ok(NextShard::Shard(self.given - 1))
    }

    /// The shard at a place.
    pub(super) fn shard(&mut self, at: usize) -> &mut HostedShard {
        &mut self.shards[at]
    }

    /// Shards are no good on a host: they are to be had elsewhere.
    pub(super) fn pass_over(&mut self, stuck: &StuckShards) {
        let shards = self.shards.iter_mut().filter(|shard| stuck.shards.contains(&shard.number));
        shards.for_each(|shard| shard.hosts.retain(|host| *host != stuck.host));
    }

    /// Whether the manifest ended early.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// All that came.
    pub(super) fn into_shards(self) -> Vec<HostedShard> {
        self.shards
    }

    /// Why shards could not be had, when `error` is what came of it, as the end of their manifest tells; `owner`
    /// makes them, and `holds` knows whether their data is held.
    pub(super) fn blame(
        &mut self,
        error: Error,
        owner: Option<&str>,
        holds: impl FnOnce() -> bool,
    ) -> Error {
        let Some(owner) = owner.filter(|_| error.kind() == ErrorKind::Incomplete) else {
            return error;
        };
        let end = match (self.failure.take(), &self.coming) {
            (Some(failure), _) => Some(Err(failure)),
            (None, None) => Some(Ok(())),
            (None, Some(coming)) => consumer::end(coming),
        };
        blame(error, owner, end, holds)
    }
}

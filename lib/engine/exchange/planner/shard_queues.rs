//! Which shard is worked on where: each goes to a host that it lies on, as its line of the manifest
//! comes, and a few at a time are worked on there.

use std::collections::{BTreeSet, VecDeque};

use crate::engine::HostedShard;
use crate::engine::copies::Copies;
use crate::engine::exchange::planner::PlannedHosts;
use crate::error::{Error, ErrorKind, Result};

/// How many shards are worked on at once, at most: they go into one message.
const BATCH_SHARDS: usize = 1024;

/// The shards that wait, host by host.
pub(super) struct ShardQueues {
    /// How many bytes of shards are worked on at once.
    batch_bytes: u64,
    queues: Vec<HostQueue>,
    /// How many shards wait in all, and the hosts that some wait for since it was asked last.
    waiting: usize,
    roused: BTreeSet<usize>,
    /// The copies that are no good.
    copies: Copies,
    /// Whether no more come.
    complete: bool,
}

#[derive(Default)]
struct HostQueue {
    /// The shards; and whether each is to be worked on alone.
    waiting: VecDeque<(HostedShard, bool)>,
    /// How many bytes they are.
    bytes: u64,
    /// Why the host has no room to make anything of more, if it is so.
    full: Option<String>,
}

impl HostQueue {
    fn push(&mut self, shard: HostedShard, alone: bool) {
        self.bytes = self.bytes.saturating_add(shard.contents.bytes);
        self.waiting.push_back((shard, alone));
    }
}

impl ShardQueues {
    /// For so many hosts, each of which works on about `batch_bytes` at once, at least one shard.
    pub(super) fn new(hosts: usize, batch_bytes: u64) -> ShardQueues {
        let queues = std::iter::repeat_with(HostQueue::default).take(hosts).collect();
        ShardQueues {
            batch_bytes,
            queues,
            waiting: 0,
            roused: BTreeSet::new(),
            copies: Copies::default(),
            complete: false,
        }
    }

    /// The hosts that shards wait for since this was asked last.
    pub(super) fn roused(&mut self) -> BTreeSet<usize> {
        std::mem::take(&mut self.roused)
    }

    fn wait(&mut self, host: usize, shard: HostedShard, alone: bool) {
        self.queues[host].push(shard, alone);
        self.waiting += 1;
        self.roused.insert(host);
    }

    /// A shard waits from now on.
    ///
    /// # Errors
    /// `Hosts` when it lies on no host that is there; `Storage` when it lies on one that has no room.
    pub(super) fn push(&mut self, hosts: &PlannedHosts, shard: HostedShard) -> Result<()> {
        match (self.place(hosts, &shard), self.full(hosts, &shard)) {
            (Some(host), _) => self.wait(host, shard, false),
            (None, Some((_, why))) => return Err(Error::new(ErrorKind::Storage, why)),
            (None, None) => return Err(out_of_reach(&shard)),
        }
        Ok(())
    }

    /// The host that has a shard, and has no room for what is to be made of it, and why.
    pub(super) fn full(
        &self,
        hosts: &PlannedHosts,
        shard: &HostedShard,
    ) -> Option<(usize, String)> {
        let near = hosts.numbers(&shard.hosts).into_iter();
        let mut near = near.filter(|at| hosts[*at].lost.is_none());
        near.find_map(|at| Some((at, self.queues[at].full.clone()?)))
    }

    /// No more shards come.
    pub(super) fn complete(&mut self) {
        self.complete = true;
    }

    /// Whether more shards may come.
    pub(super) fn wants_more(&self) -> bool {
        !self.complete
    }

    /// Whether no shard waits for this host.
    pub(super) fn is_empty(&self, host: usize) -> bool {
        self.queues[host].waiting.is_empty()
    }

    /// Whether all shards there are have been given to hosts.
    pub(super) fn is_done(&self) -> bool {
        self.complete && self.waiting == 0
    }

    /// The next shards for a host to work on; none when none waits for it.
    pub(super) fn next(&mut self, host: usize) -> Vec<HostedShard> {
        let queue = &mut self.queues[host];
        let (mut batch, mut bytes, mut whole) = (Vec::new(), 0u64, false);
        while let Some((shard, alone)) = queue.waiting.front()
            && (batch.is_empty()
                || !alone
                    && !whole
                    && bytes.saturating_add(shard.contents.bytes) <= self.batch_bytes)
            && batch.len() < BATCH_SHARDS
        {
            bytes = bytes.saturating_add(shard.contents.bytes);
            whole = *alone;
            batch.extend(queue.waiting.pop_front().map(|(shard, _)| shard));
        }
        queue.bytes = queue.bytes.saturating_sub(bytes);
        self.waiting -= batch.len();
        batch
    }

    /// Shards that were worked on together at `host` wait again, for the reason `why`: they are not
    /// as they should be there (`Incomplete`), or it has no room to make anything of them
    /// (`Storage`). Several that are not as they should be are tried one by one, for it may be one of
    /// them only; any other goes where else it lies. Gives what is to be said of it.
    ///
    /// # Errors
    /// `why`, with what is wrong with the copies elsewhere, when a shard has no elsewhere; `Hosts`
    /// when that is no host that is there.
    pub(super) fn again(
        &mut self,
        hosts: &PlannedHosts,
        host: usize,
        batch: Vec<HostedShard>,
        why: &Error,
    ) -> Result<Vec<String>> {
        let (full, several) = (why.kind() == ErrorKind::Storage, batch.len() > 1);
        let mut said = Vec::new();
        if full && self.queues[host].full.replace(why.to_string()).is_none() {
            said.push(format!("{why}; copies of its shards on other hosts take their place"));
        }
        for mut shard in batch {
            let name = &hosts[host].name;
            if full {
                shard.hosts.retain(|other| other != name);
            } else if !several {
                said.extend(self.copies.pass_over(&mut shard, name, why)?);
            }
            let there = if full || !several {
                self.place(hosts, &shard)
            } else {
                Some(host).filter(|_| hosts[host].lost.is_none())
            };
            let there = there.ok_or_else(|| match full {
                true => Error::new(why.kind(), why.to_string()),
                false => out_of_reach(&shard),
            })?;
            self.wait(there, shard, !full);
        }
        Ok(said)
    }

    /// The host with the least to do of those that a shard lies on.
    fn place(&self, hosts: &PlannedHosts, shard: &HostedShard) -> Option<usize> {
        let near = hosts.numbers(&shard.hosts).into_iter();
        let near = near.filter(|at| hosts[*at].lost.is_none() && self.queues[*at].full.is_none());
        near.min_by_key(|at| self.queues[*at].bytes)
    }
}

/// That a shard lies on no host that is there.
fn out_of_reach(shard: &HostedShard) -> Error {
    let (number, hosts) = (shard.number, shard.hosts.join(", "));
    let flaws: String = shard.flaws.iter().map(|flaw| format!("{flaw}; ")).collect();
    let text = format!("{flaws}shard {number} is out of reach, with {hosts}");
    Error::new(ErrorKind::Hosts, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::digest::Contents;

    fn hosts() -> PlannedHosts {
        PlannedHosts::new(["n1", "n2", "n3"].map(|name| (name, 1)))
    }

    fn shard(number: u64, hosts: &[&str], bytes: u64) -> HostedShard {
        HostedShard {
            run: String::new(),
            number,
            hosts: hosts.iter().map(ToString::to_string).collect(),
            flaws: Vec::new(),
            contents: Contents { bytes, ..Contents::default() },
            made_again: None,
            split: None,
        }
    }

    fn numbers(batch: &[HostedShard]) -> Vec<u64> {
        batch.iter().map(|shard| shard.number).collect()
    }

    #[test]
    fn each_goes_where_least_waits_and_several_at_once() {
        let (hosts, mut queues) = (hosts(), ShardQueues::new(3, 100));
        for (number, bytes) in [(1, 60), (2, 10), (3, 20), (4, 50), (5, 90)] {
            queues.push(&hosts, shard(number, &["n1", "n2"], bytes)).unwrap();
        }
        assert_eq!(numbers(&queues.next(1)), [2, 3, 4]);
        assert_eq!(numbers(&queues.next(0)), [1]);
        assert_eq!(numbers(&queues.next(0)), [5]);
        assert!(queues.next(2).is_empty() && queues.wants_more());
        queues.complete();
        assert!(queues.is_done());
    }

    #[test]
    fn of_several_that_are_not_good_the_bad_one_is_found_and_goes_elsewhere() {
        let (hosts, mut queues) = (hosts(), ShardQueues::new(3, 100));
        let batch = vec![shard(1, &["n1", "n2"], 1), shard(2, &["n1", "n3"], 1)];
        let why = Error::incomplete("n1: shard 2 is gone");
        assert!(queues.again(&hosts, 0, batch, &why).unwrap().is_empty());
        assert_eq!(numbers(&queues.next(0)), [1]);
        let alone = queues.next(0);
        assert_eq!(numbers(&alone), [2]);
        let said = queues.again(&hosts, 0, alone, &why).unwrap();
        assert_eq!(said, ["n1: shard 2 is gone; another copy takes its place"]);
        let last = queues.next(2);
        let error = queues
            .again(&hosts, 2, last, &Error::incomplete("n3: shard 2 is damaged"))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "no copy of shard 2 is good: n1: shard 2 is gone; n3: shard 2 is damaged"
        );
    }

    #[test]
    fn a_host_without_room_is_said_once_and_gets_no_more() {
        let (hosts, mut queues) = (hosts(), ShardQueues::new(3, 100));
        let full = Error::new(ErrorKind::Storage, "n1: no space left");
        let said = queues.again(
            &hosts,
            0,
            vec![shard(1, &["n1", "n2"], 1), shard(2, &["n1", "n2"], 1)],
            &full,
        );
        assert_eq!(
            said.unwrap(),
            ["n1: no space left; copies of its shards on other hosts take their place"]
        );
        assert!(
            queues.again(&hosts, 0, vec![shard(3, &["n1", "n2"], 1)], &full).unwrap().is_empty()
        );
        queues.push(&hosts, shard(4, &["n1", "n2"], 1)).unwrap();
        assert_eq!(numbers(&queues.next(1)), [1, 2, 3, 4]);
        let error = queues.push(&hosts, shard(6, &["n1"], 1)).unwrap_err();
        assert_eq!(error.to_string(), "n1: no space left");
        let error = queues.again(&hosts, 0, vec![shard(5, &["n1"], 1)], &full).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::Storage, "n1: no space left")
        );
    }

    #[test]
    fn a_shard_of_lost_hosts_is_out_of_reach() {
        let (mut hosts, mut queues) = (hosts(), ShardQueues::new(3, 100));
        hosts[1].lost = Some(Error::new(ErrorKind::Hosts, "n2 is lost"));
        queues.push(&hosts, shard(1, &["n2", "n3"], 1)).unwrap();
        let error = queues.push(&hosts, shard(2, &["n2"], 1)).unwrap_err();
        assert_eq!(error.to_string(), "shard 2 is out of reach, with n2");
        assert_eq!(numbers(&queues.next(2)), [1]);
    }
}

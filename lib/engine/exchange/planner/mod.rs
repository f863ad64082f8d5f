//! What an exchange does next: a state machine that knows no socket, no thread and no clock, so that
//! every order of events can be played to it.
//!
//! It is told what [happened](PlannerEvent), and says what is [to be done](PlannerAction); what
//! hosts are asked are tasks, each of which ends with one event. It goes from phase to phase: shards
//! are sorted where they lie, hosts are asked what they offer of that, hosts are asked to listen and
//! are told of one another, ranges are merged. Or but the first: shards are reduced where they lie.
//!
//! A task that failed for what is wrong with a copy, or for lack of room, is planned again elsewhere;
//! a host that is lost takes with it what it had sorted, and that ends this round of the exchange. After the first
//! failure nothing more is asked of any host.

mod action;
mod cuts;
mod event;
mod phases;
mod planned_hosts;
mod range_queue;
mod resequencer;
mod shard_queues;
#[cfg(test)]
mod simulation;
mod weighing;

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::exchange::{Exchange, HostOffer, Merged, RelayedPart};
use crate::engine::HostedShard;
pub(super) use crate::engine::exchange::planner::cuts::KeyRange;
pub(super) use crate::engine::exchange::planner::planned_hosts::PlannedHosts;
use crate::engine::exchange::planner::range_queue::RangeQueue;
use crate::engine::exchange::planner::resequencer::Resequencer;
use crate::engine::exchange::planner::shard_queues::ShardQueues;
use crate::engine::exchange::planner::weighing::SortedTotal;
use crate::engine::exchange::{Roads, lost};
use crate::error::{Error, ErrorKind, Result, broken};
use crate::record::digest::Digest;

pub(crate) use action::{ExchangeReport, HostTask, PartTransfer, PlannerAction};
pub(crate) use event::{HostAnswer, PeerListener, PlannerEvent};

/// How many bytes of shards a host sorts at once into one segment.
const BATCH_BYTES: u64 = 64 << 20;

/// How many tasks a host has under way at most, whatever its slots.
const TASKS_MAX: u32 = 32;

/// The merges that a host has beyond those that run: their parts are there when a slot is free.
const MERGES_AHEAD: u32 = 1;

/// What an exchange is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    /// New shards, each a range of keys: so many where the user says so, whose parts go by these
    /// roads.
    Ranges(Option<u64>, Roads),
    /// The results of the groups of each shard, where it lies.
    Reduced,
}

/// What earlier rounds of an exchange have left to this one.
#[derive(Clone, Default)]
pub(super) struct Resume {
    /// The ranges that the keys are cut into; none where they are not cut yet.
    pub(super) ranges: Vec<KeyRange>,
    /// The shards that are to be made; none where it is all of them.
    pub(super) wanted: Option<BTreeSet<u64>>,
}

/// Shards that cannot be worked on where they lie, nor elsewhere: which, and at which host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StuckShards {
    pub(super) host: String,
    pub(super) shards: Vec<u64>,
    /// Whether it has no room; else they are not as they should be there.
    pub(super) full: bool,
}

/// Where an exchange stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Shards come, and are worked on where they lie.
    Shards,
    /// Hosts are asked what they have to offer.
    Offers,
    /// Hosts are asked to listen.
    Listeners,
    /// Hosts are told of one another.
    Introductions,
    /// Ranges are merged.
    Ranges,
    /// All is done.
    Over,
}

/// A task that is under way.
struct RunningTask {
    host: usize,
    work: Work,
}

enum Work {
    /// Shards are sorted, or one is reduced.
    Shards(Vec<HostedShard>),
    /// A range is merged: which, the attempt, and the sources whose parts were wanted.
    Range(usize, u32, BTreeSet<u32>),
    /// A part is relayed.
    Relay,
    /// Something is asked that is asked once.
    Question,
}

/// The plan of an exchange.
pub(super) struct Planner {
    what: Exchange,
    goal: Goal,
    resume: Resume,
    hosts: PlannedHosts,
    /// Those that may take something more than when they were looked at last.
    roused: BTreeSet<usize>,
    phase: Phase,
    tasks: BTreeMap<u64, RunningTask>,
    last_task: u64,
    /// How many shards the manifest has named.
    named: u64,
    shards: ShardQueues,
    sorted: SortedTotal,
    /// What each host offers, and where it listens, as far as it has said so.
    offers: Vec<HostOffer>,
    listeners: Vec<Option<PeerListener>>,
    ranges: RangeQueue,
    /// Whether the user was told of a key that holds much.
    has_heavy_key: bool,
    results: Resequencer,
    actions: Vec<PlannerAction>,
    failure: Option<Error>,
    stuck: Option<StuckShards>,
}

impl Planner {
    /// For `hosts`, which know what they are to do.
    pub(super) fn new(what: Exchange, goal: Goal, resume: Resume, hosts: PlannedHosts) -> Planner {
        let batch_bytes = match goal {
            // The ends of a shard may be long: those of one fit into a message.
            Goal::Ranges(..) if !what.in_order => BATCH_BYTES,
            _ => 0,
        };
        let shards = ShardQueues::new(hosts.len(), batch_bytes);
        Planner {
            what,
            goal,
            phase: Phase::Shards,
            tasks: BTreeMap::new(),
            last_task: 0,
            named: 0,
            shards,
            sorted: SortedTotal::default(),
            offers: vec![HostOffer::default(); hosts.len()],
            listeners: std::iter::repeat_with(|| None).take(hosts.len()).collect(),
            roused: BTreeSet::new(),
            ranges: RangeQueue::default(),
            has_heavy_key: false,
            results: Resequencer::of(resume.wanted.clone()),
            resume,
            actions: Vec::new(),
            failure: None,
            stuck: None,
            hosts,
        }
    }

    /// Takes note of what happened.
    pub(super) fn handle(&mut self, event: PlannerEvent) {
        let handled = match event {
            PlannerEvent::Done(task, answer) => {
                self.end(task).and_then(|task| task.map_or(Ok(()), |task| self.done(task, answer)))
            }
            PlannerEvent::Failed(task, error) => {
                self.end(task).and_then(|task| task.map_or(Ok(()), |task| self.again(task, error)))
            }
            _ if self.failure.is_some() => Ok(()),
            PlannerEvent::Shard(shard) => self.shard(shard),
            PlannerEvent::ManifestEnd => {
                self.shards.complete();
                Ok(())
            }
            PlannerEvent::PartWanted(task, deliver, why) => self.want(task, deliver, why),
            PlannerEvent::HostLost(host, error) => self.lose(host, error),
            PlannerEvent::Aborted(error) => Err(error),
        };
        if let Err(error) = handled {
            self.fail(error);
        }
    }

    /// What is to be done now. To be asked again after each event, or several.
    pub(super) fn actions(&mut self) -> Vec<PlannerAction> {
        if self.failure.is_none()
            && let Err(error) = self.advance()
        {
            self.fail(error);
        }
        std::mem::take(&mut self.actions)
    }

    /// Whether all is done, or as much as is after a failure: nothing is under way.
    pub(super) fn is_over(&self) -> bool {
        self.tasks.is_empty() && (self.failure.is_some() || self.phase == Phase::Over)
    }

    /// Whether the shards of the manifest are not all worked on yet.
    pub(super) fn is_reading(&self) -> bool {
        self.phase == Phase::Shards
    }

    /// The ranges that the keys are cut into, if they are.
    pub(super) fn ranges(&self) -> &[KeyRange] {
        &self.ranges.ranges
    }

    /// The shards that made it fail, if it did for such.
    pub(super) fn stuck(&self) -> Option<StuckShards> {
        self.stuck.clone()
    }

    /// What came of it, once it is over.
    ///
    /// # Errors
    /// The first failure.
    pub(super) fn finish(self) -> Result<ExchangeReport> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(self.report()),
        }
    }

    /// The shard is to be worked on, if it holds anything.
    fn shard(&mut self, shard: HostedShard) -> Result<()> {
        if let (Goal::Reduced, Some(wanted)) = (self.goal, &self.resume.wanted)
            && !wanted.contains(&shard.number)
        {
            return Ok(());
        }
        self.named += 1;
        self.sorted.expect(&shard.contents);
        if shard.contents.bytes > 0 {
            let (number, full) = (shard.number, self.shards.full(&self.hosts, &shard));
            return self.shards.push(&self.hosts, shard).inspect_err(|_| {
                self.stuck = full.map(|(host, _)| StuckShards {
                    host: self.hosts[host].name.clone(),
                    shards: vec![number],
                    full: true,
                });
            });
        }
        if let Goal::Reduced = self.goal {
            let contents = Digest::default().contents();
            self.results.push(shard.number, None, Merged { contents, ..Merged::default() });
        }
        Ok(())
    }

    /// A task has ended; none after a failure, for it does not count then.
    fn end(&mut self, number: u64) -> Result<Option<RunningTask>> {
        let unknown = || Error::incomplete("internal error: the end of a task that nobody began");
        let task = self.tasks.remove(&number).ok_or_else(unknown)?;
        match task.work {
            Work::Shards(_) | Work::Range(..) => {
                self.hosts[task.host].running -= 1;
                self.roused.insert(task.host);
            }
            Work::Relay => self.ranges.relayed(),
            Work::Question => (),
        }
        Ok(Some(task).filter(|_| self.failure.is_none()))
    }

    fn done(&mut self, RunningTask { host, work }: RunningTask, answer: HostAnswer) -> Result<()> {
        match (work, answer) {
            (Work::Shards(_), HostAnswer::Sorted(sorted)) => {
                self.hosts[host].has_sorted = true;
                self.sorted.add(sorted);
            }
            (Work::Shards(batch), HostAnswer::Merged(merged)) => {
                let number = batch.first().map_or(0, |shard| shard.number);
                self.results.push(number, Some(host), merged);
            }
            (Work::Range(range, ..), HostAnswer::Merged(merged)) => {
                self.results.push(range as u64 + 1, Some(host), merged);
            }
            (Work::Question, HostAnswer::HostOffer(weighed)) => {
                let can_be = weighing::can_be(&self.what, &self.sorted, &weighed);
                can_be.map_err(|error| error.at(&self.hosts[host].shown))?;
                self.offers[host] = weighed;
            }
            (Work::Question, HostAnswer::Listening(Ok(listener))) => {
                self.listeners[host] = Some(listener);
            }
            (Work::Question, HostAnswer::Listening(Err(why))) => {
                if let Goal::Ranges(_, Roads::Direct) = self.goal {
                    return Err(Error::new(ErrorKind::Hosts, why).at(&self.hosts[host].shown));
                }
            }
            (Work::Question, HostAnswer::Introduced) | (Work::Relay, HostAnswer::Relayed) => (),
            _ => return Err(broken("another reply than was asked for").at(&self.hosts[host].shown)),
        }
        Ok(())
    }

    /// A task that failed is planned again, if that is of use.
    fn again(&mut self, RunningTask { host, work }: RunningTask, why: Error) -> Result<()> {
        match (work, why.kind()) {
            (Work::Shards(batch), ErrorKind::Incomplete | ErrorKind::Storage) => {
                let shards = batch.iter().map(|shard| shard.number).collect();
                let full = why.kind() == ErrorKind::Storage;
                let stuck = StuckShards { host: self.hosts[host].name.clone(), shards, full };
                let again = self.shards.again(&self.hosts, host, batch, &why);
                let said = again.inspect_err(|_| self.stuck = Some(stuck))?;
                self.actions.extend(said.into_iter().map(PlannerAction::Say));
            }
            (Work::Range(range, attempts, _), ErrorKind::Storage) => {
                let said = self.ranges.again(&self.hosts, (host, range, attempts), &why)?;
                self.actions.extend(said.map(PlannerAction::Say));
            }
            _ => return Err(why),
        }
        Ok(())
    }

    fn want(&mut self, number: u64, deliver: RelayedPart, why: Option<String>) -> Result<()> {
        let Some(RunningTask { host, work: Work::Range(range, _, wanted) }) =
            self.tasks.get_mut(&number)
        else {
            return Ok(());
        };
        if !wanted.insert(deliver.source) {
            return Err(broken("a part that is wanted twice").at(&self.hosts[*host].name));
        }
        self.ranges.want(&self.hosts, (number, *host, *range), deliver, why)
    }

    /// A host is lost. That is no harm where nothing of it is needed.
    fn lose(&mut self, host: usize, error: Error) -> Result<()> {
        let member = &mut self.hosts[host];
        let is_needed = match self.phase {
            Phase::Shards => member.has_sorted || !self.shards.is_empty(host),
            Phase::Over => false,
            _ => true,
        };
        if is_needed {
            return Err(lost(error));
        }
        member.lost = Some(error);
        Ok(())
    }

    /// Ends it all with a failure.
    fn fail(&mut self, error: Error) {
        if self.failure.is_none() {
            self.failure = Some(error);
            self.actions.push(PlannerAction::Stop);
        }
    }
}

//! What the planner has hosts do, as they are asked it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};

use crate::cluster::exchange::{
    MergeTask, Merged, Peers, Reduce, RelayedPart, SortTask, SourceShard, too_much,
};
use crate::cluster::{Answer, Connection, MergeNews, Part};
use crate::dataset::run_id::RunId;
use crate::engine::HostedShard;
use crate::engine::exchange::lost;
use crate::engine::exchange::planner::{
    HostAnswer, HostTask, PartTransfer, PeerListener, PlannerEvent,
};
use crate::engine::fleet::Fleet;
use crate::engine::observer::{AttemptOutcome, Observer, TaskFed, TaskWork, UnderWay};
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::lock;

/// The hosts, and what is under way on them.
pub(super) struct Tasks<'a> {
    pub(super) hosts: &'a [Arc<Connection>],
    /// The number of the exchange.
    number: u32,
    /// Takes note of the shards that are made.
    fleet: &'a Fleet,
    /// Is told of them.
    observer: &'a Observer,
    /// Whether nothing more is wanted.
    pub(super) stopped: AtomicBool,
    /// How many bytes came of one host on their way to another: no range comes twice to one.
    relayed: Mutex<BTreeMap<(usize, usize), u64>>,
}

impl<'a> Tasks<'a> {
    /// Nothing is under way yet.
    pub(super) fn new(
        hosts: &'a [Arc<Connection>],
        number: u32,
        fleet: &'a Fleet,
        observer: &'a Observer,
    ) -> Tasks<'a> {
        let (stopped, relayed) = (AtomicBool::new(false), Mutex::default());
        Tasks { hosts, number, fleet, observer, stopped, relayed }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Asks a host to do the task of this number, and waits for what comes of it. What happens
    /// meanwhile is told to `events`.
    ///
    /// # Errors
    /// `Hosts` when the host is lost; what it says.
    pub(super) fn ask(
        &self,
        number: u64,
        host: usize,
        task: HostTask,
        events: &Sender<PlannerEvent>,
    ) -> Result<HostAnswer> {
        let (on, stop) = (&self.hosts[host], &|| self.is_stopped());
        match task {
            HostTask::Sort(shards) => {
                let (first, fed) = (shards.first().map_or(0, |shard| shard.number), fed(&shards));
                let shards = shards.iter().map(source).collect();
                let sort = SortTask { exchange: self.number, shards };
                let attempt = self.observer.begin((TaskWork::Sort, first, None), on.name(), fed);
                let sorted = answered(on.sort(sort, stop));
                self.tell(attempt, on, &sorted, |_| (None, None));
                sorted.map(HostAnswer::Sorted)
            }
            HostTask::Reduce(shard) => {
                let reduce = Reduce { exchange: self.number, shard: source(&shard) };
                let fed = TaskFed { shard: Some(shard.number), ..TaskFed::of(&shard.contents) };
                let which = (TaskWork::Reduce, shard.number, None);
                let attempt = self.observer.begin(which, on.name(), fed);
                let reduced = answered(on.reduce(reduce, stop));
                self.tell(attempt, on, &reduced, made);
                let merged = reduced?;
                self.fleet.has_made(on.name(), shard.number);
                Ok(HostAnswer::Merged(merged))
            }
            HostTask::Weigh => answered(on.weigh(self.number, stop)).map(HostAnswer::HostOffer),
            HostTask::Listen => match answered(on.listen(self.number, stop))? {
                Ok(found) => Ok(HostAnswer::Listening(Ok(PeerListener {
                    addresses: found.addresses,
                    public_key: found.public_key,
                    secret: RunId::random()?.to_string(),
                }))),
                Err(why) => Ok(HostAnswer::Listening(Err(why))),
            },
            HostTask::Introduce(peers, secret) => {
                let peers = Peers { exchange: self.number, peers, secret };
                answered(on.introduce(peers, stop)).map(|()| HostAnswer::Introduced)
            }
            HostTask::Merge(merge) => {
                // A round may make again what an earlier one has made.
                let which = (TaskWork::Merge, merge.shard, None);
                let attempt = self.observer.begin(which, on.name(), TaskFed::default());
                let merged = self.merge(number, host, merge, events);
                self.tell(attempt, on, &merged, made);
                merged.map(HostAnswer::Merged)
            }
        }
    }

    fn merge(
        &self,
        number: u64,
        host: usize,
        merge: MergeTask,
        events: &Sender<PlannerEvent>,
    ) -> Result<Merged> {
        let (host, shard) = (&self.hosts[host], merge.shard);
        let request = host.begin_merge(merge).map_err(lost)?;
        loop {
            match host.merge_news(request, &|| self.is_stopped()).map_err(lost)? {
                None => return Err(stopped()),
                Some(MergeNews::RelayRequest(wanted)) => {
                    let deliver = RelayedPart { merge: request, source: wanted.source };
                    // Nobody listens any more once all is over.
                    let _ = events.send(PlannerEvent::PartWanted(number, deliver, wanted.why));
                }
                Some(MergeNews::Ended(merged)) => {
                    let merged = merged?;
                    self.fleet.has_made(host.name(), shard);
                    return Ok(merged);
                }
            }
        }
    }

    /// Tells of an attempt on a host that is over; `made` says what came out of it.
    fn tell<T>(
        &self,
        attempt: UnderWay,
        host: &Connection,
        result: &Result<T>,
        made: impl FnOnce(&T) -> (Option<u64>, Option<u64>),
    ) {
        let outcome = match result {
            Ok(_) => AttemptOutcome::Done,
            Err(_) if host.lost().is_some() => AttemptOutcome::Lost,
            Err(_) if self.is_stopped() => AttemptOutcome::Stopped,
            // No room, or a copy that is no good: it is planned again elsewhere, where there is an elsewhere.
            Err(error) if matches!(error.kind(), ErrorKind::Incomplete | ErrorKind::Storage) => {
                AttemptOutcome::Again
            }
            Err(_) => AttemptOutcome::Failed,
        };
        let ended = attempt.end(outcome, |note| match result {
            Ok(result) => note.made = made(result),
            Err(error) => note.why = Some(error.to_string()),
        });
        ended.tell();
    }

    /// Brings a part of a range from one host to another.
    ///
    /// # Errors
    /// `Hosts` when one is lost; `Incomplete` when the one sends more than it may; what they say.
    pub(super) fn relay(&self, part: PartTransfer) -> Result<HostAnswer> {
        let PartTransfer { from: source, to: sink, bounds: (first, end), deliver, bytes_max } =
            part;
        let (from, to) = (&self.hosts[source], &self.hosts[sink]);
        let part = Part { exchange: self.number, from: first, to: end, token: None };
        let coming = from.fetch_part(part).map_err(lost)?;
        let going = to.begin_delivery(deliver).map_err(lost)?;
        while let Some(data) = from.data(coming).map_err(lost)? {
            let is_too_much = self.count((source, sink), data.len() as u64) > bytes_max;
            if is_too_much || self.is_stopped() {
                from.cancel(coming);
                to.cancel(going);
                return Err(if is_too_much { too_much().at(from.shown()) } else { stopped() });
            }
            to.deliver(going, &data).map_err(lost)?;
        }
        to.end_delivery(going).map_err(lost)?.map(|()| HostAnswer::Relayed)
    }

    /// Counts so many bytes on their way between two hosts; how many they are by now.
    fn count(&self, pair: (usize, usize), bytes: u64) -> u64 {
        let mut relayed = lock(&self.relayed);
        let came = relayed.entry(pair).or_default();
        *came = came.saturating_add(bytes);
        *came
    }
}

/// What a host says, unless it is lost or its answer is not wanted any more.
fn answered<T>(answer: Result<Answer<T>>) -> Result<T> {
    answer.map_err(lost)?.unwrap_or_else(|| Err(stopped()))
}

/// A shard as the worker is told of it, which may know it by another number.
fn source(shard: &HostedShard) -> SourceShard {
    SourceShard { number: shard.number, fetch: shard.fetch(), contents: shard.contents }
}

/// What shards hold together.
fn fed(shards: &[HostedShard]) -> TaskFed {
    let sum = |of: fn(&HostedShard) -> u64| shards.iter().map(of).fold(0, u64::saturating_add);
    TaskFed {
        records: Some(sum(|shard| shard.contents.records)),
        bytes: Some(sum(|shard| shard.contents.bytes)),
        lines: None,
        shard: shards.first().map(|shard| shard.number),
    }
}

fn made(merged: &Merged) -> (Option<u64>, Option<u64>) {
    (Some(merged.contents.records), Some(merged.contents.bytes))
}

fn stopped() -> Error {
    Error::incomplete("stopped")
}

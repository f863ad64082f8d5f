//! What the planner has hosts do, as they are asked it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};

use crate::cluster::{Connection, News};
use crate::engine::Shard;
use crate::engine::exchange::planner::{
    HostAnswer, HostTask, PartTransfer, PeerListener, PlannerEvent,
};
use crate::engine::exchange::{NUMBER, lock, lost};
use crate::engine::producer::Producer;
use crate::error::{Error, Result, broken};
use crate::run::run_id::RunId;
use crate::wire::exchange::{Deliver, Merge, Peers, Reduce, Sort, too_much};
use crate::wire::message::{Ask, Fetch, Part, Reply};

/// The hosts, and what is under way on them.
pub(super) struct Tasks<'a> {
    pub(super) hosts: &'a [Arc<Connection>],
    pub(super) producer: &'a Producer,
    /// Whether nothing more is wanted.
    pub(super) stopped: AtomicBool,
    /// How many bytes came of one host on their way to another: no range comes twice to one.
    relayed: Mutex<BTreeMap<(usize, usize), u64>>,
}

impl<'a> Tasks<'a> {
    /// Nothing is under way yet.
    pub(super) fn new(hosts: &'a [Arc<Connection>], producer: &'a Producer) -> Tasks<'a> {
        Tasks { hosts, producer, stopped: AtomicBool::new(false), relayed: Mutex::default() }
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
        match task {
            HostTask::Sort(shards) => {
                let shards = shards.into_iter().map(|shard| (fetch(&shard), shard.contents));
                self.reply(host, &Ask::Sort(Sort { exchange: NUMBER, shards: shards.collect() }))
            }
            HostTask::Reduce(shard) => {
                let (fetch, contents) = (fetch(&shard), shard.contents);
                let ask = Ask::Reduce(Reduce { exchange: NUMBER, fetch, contents });
                let answer = self.reply(host, &ask)?;
                self.producer.made(self.hosts[host].name(), shard.number);
                Ok(answer)
            }
            HostTask::Weigh => self.reply(host, &Ask::Weigh(NUMBER)),
            HostTask::Listen => self.reply(host, &Ask::Listen(NUMBER)),
            HostTask::Introduce(peers, secret) => {
                self.reply(host, &Ask::Peers(Peers { exchange: NUMBER, peers, secret }))
            }
            HostTask::Merge(merge) => self.merge(number, host, merge, events),
        }
    }

    fn reply(&self, host: usize, ask: &Ask) -> Result<HostAnswer> {
        let host = &self.hosts[host];
        let asked = host.ask(ask);
        let reply = asked.and_then(|request| host.reply_unless(request, &|| self.is_stopped()));
        match reply.map_err(lost)? {
            Some(reply) => answer(host, ask, reply),
            None => Err(stopped()),
        }
    }

    fn merge(
        &self,
        number: u64,
        host: usize,
        merge: Merge,
        events: &Sender<PlannerEvent>,
    ) -> Result<HostAnswer> {
        let (host, shard, ask) = (&self.hosts[host], merge.shard, Ask::Merge(merge));
        let request = host.ask(&ask).map_err(lost)?;
        loop {
            match host.news(request, &|| self.is_stopped()).map_err(lost)? {
                None => return Err(stopped()),
                Some(News::Wanted(wanted)) => {
                    let deliver = Deliver { merge: request, source: wanted.source };
                    // Nobody listens any more once all is over.
                    let _ = events.send(PlannerEvent::PartWanted(number, deliver, wanted.why));
                }
                Some(News::Reply(reply)) => {
                    let answer = answer(host, &ask, *reply)?;
                    self.producer.made(host.name(), shard);
                    return Ok(answer);
                }
            }
        }
    }

    /// Brings a part of a range from one host to another.
    ///
    /// # Errors
    /// `Hosts` when one is lost; `Incomplete` when the one sends more than it may; what they say.
    pub(super) fn relay(&self, part: PartTransfer) -> Result<HostAnswer> {
        let PartTransfer { from: source, to: sink, bounds: (first, end), deliver, bytes_max } =
            part;
        let (from, to) = (&self.hosts[source], &self.hosts[sink]);
        let part = Part { exchange: NUMBER, from: first, to: end, token: None };
        let coming = from.ask(&Ask::Part(part)).map_err(lost)?;
        let going = to.ask(&Ask::Deliver(deliver)).map_err(lost)?;
        while let Some(data) = from.data(coming).map_err(lost)? {
            let is_too_much = self.count((source, sink), data.len() as u64) > bytes_max;
            if is_too_much || self.is_stopped() {
                from.cancel(coming);
                to.cancel(going);
                return Err(if is_too_much { too_much().at(from.shown()) } else { stopped() });
            }
            to.send(going, &data).map_err(lost)?;
        }
        to.sent_all(going).map_err(lost)?;
        match to.reply(going).map_err(lost)? {
            Reply::Done(_) => Ok(HostAnswer::Relayed),
            reply => Err(refused(to, reply)),
        }
    }

    /// Counts so many bytes on their way between two hosts; how many they are by now.
    fn count(&self, pair: (usize, usize), bytes: u64) -> u64 {
        let mut relayed = lock(&self.relayed);
        let came = relayed.entry(pair).or_default();
        *came = came.saturating_add(bytes);
        *came
    }
}

/// What a host replies to what it was asked.
fn answer(host: &Connection, ask: &Ask, reply: Reply) -> Result<HostAnswer> {
    Ok(match (ask, reply) {
        (Ask::Sort(_), Reply::Sorted(sorted)) => HostAnswer::Sorted(sorted),
        (Ask::Reduce(_) | Ask::Merge(_), Reply::Merged(merged)) => HostAnswer::Merged(merged),
        (Ask::Weigh(_), Reply::Weighed(weighed)) => HostAnswer::Weighed(weighed),
        (Ask::Listen(_), Reply::Listening(found)) => HostAnswer::Listening(Ok(PeerListener {
            addresses: found.addresses,
            certificate: found.certificate,
            secret: RunId::random()?.to_string(),
        })),
        (Ask::Listen(_), Reply::Failed(failed)) => {
            HostAnswer::Listening(Err(failed.error().to_string()))
        }
        (Ask::Peers(_), Reply::Done(_)) => HostAnswer::Introduced,
        (_, reply) => return Err(refused(host, reply)),
    })
}

/// Why a host has not done what it was asked for, by its reply.
fn refused(host: &Connection, reply: Reply) -> Error {
    let error = match reply {
        Reply::Failed(failed) => failed.error(),
        _ => broken("another reply than was asked for"),
    };
    error.at(host.shown())
}

fn fetch(shard: &Shard) -> Fetch {
    Fetch { run: shard.run.clone(), shard: shard.number }
}

fn stopped() -> Error {
    Error::incomplete("stopped")
}

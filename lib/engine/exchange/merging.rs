//! The merging of an exchange: each range goes to a host that has room, rather to one that has much
//! of it already, and what cannot come to that host directly is brought to it from here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, Scope};

use crate::cluster::{Connection, News};
use crate::engine::exchange::cuts::Range;
use crate::engine::exchange::{NUMBER, Roads, bounds, lock, lost, refused};
use crate::engine::producer::Producer;
use crate::error::{Error, Kind, Result};
use crate::record::digest::Contents;
use crate::record::stream::Output;
use crate::wire::exchange::{
    Deliver, Merge, Merged, Source, Tally, Wanted, Weighed, token, too_much,
};
use crate::wire::frame::broken;
use crate::wire::message::{Ask, Part, Reply};

/// The merges that a host has beyond those that run: their parts are there when a slot is free.
const AHEAD: u32 = 1;

/// How many of these a host has under way at most, whatever its slots.
const MERGES_MAX: u32 = 32;

/// How many parts are relayed at once: of each, a window or two is held here.
const RELAYS_MAX: usize = 16;

/// How far from the first range that waits the next one may be, for each host: who reads the shards
/// reads them in order.
const REACH: usize = 2;

/// What came of all ranges.
#[derive(Default)]
pub(super) struct Total {
    /// The shards.
    pub(super) made: Contents,
    /// The items that came.
    pub(super) came: Tally,
    /// Records without the key, and those that lack an operand.
    pub(super) missing: u64,
    pub(super) lacking: u64,
    /// Bytes of temporary files.
    pub(super) spilled: u64,
    /// Bytes from host to host, and through here.
    pub(super) direct: u64,
    pub(super) relayed: u64,
    /// How large the shards are, in bytes.
    pub(super) sizes: Vec<u64>,
    /// The hosts of which one could not ask the other, and why.
    pub(super) cut_off: BTreeMap<String, String>,
}

/// What the hosts have, and how it may go from one to the other.
pub(super) struct Offers<'a> {
    /// What each has.
    pub(super) weighed: &'a [Weighed],
    /// How many bytes of each may come to one host, at most.
    pub(super) most: Vec<u64>,
    /// The secrets of those that can be asked by the others.
    pub(super) secrets: Vec<Option<String>>,
    /// The roads that may be used.
    pub(super) roads: Roads,
}

struct State {
    /// The ranges that wait, and how often each was tried.
    waiting: BTreeMap<usize, u32>,
    /// The hosts that have no room, and what they say of it: they get no more ranges.
    full: BTreeMap<usize, String>,
    /// How many merges are under way.
    open: usize,
    /// Ranges that are done, with the host, and are not told of yet.
    done: BTreeMap<usize, (String, Merged)>,
    failure: Option<Error>,
    /// How many parts are relayed.
    relays: usize,
    /// How many bytes came of one host on their way to another: no range comes twice to one.
    relayed: BTreeMap<(usize, usize), u64>,
    cut_off: BTreeMap<String, String>,
}

struct Merging<'a> {
    hosts: &'a [Arc<Connection>],
    producer: &'a Producer,
    ranges: &'a [Range],
    offers: Offers<'a>,
    /// The hosts that have anything at all.
    offering: Vec<usize>,
    state: Mutex<State>,
    changed: Condvar,
    /// Whether there is a failure: told to who may hold other locks.
    failed: AtomicBool,
}

/// Has the ranges merged, and writes the manifest's lines of their shards to `output`.
///
/// # Errors
/// As [`super::exchange`].
pub(super) fn merge(
    hosts: &[Arc<Connection>],
    producer: &Producer,
    offers: Offers<'_>,
    ranges: &[Range],
    output: &mut dyn Output,
) -> Result<Total> {
    let waiting = (0..ranges.len()).map(|number| (number, 0)).collect();
    let state = State {
        waiting,
        full: BTreeMap::new(),
        open: 0,
        done: BTreeMap::new(),
        failure: None,
        relays: 0,
        relayed: BTreeMap::new(),
        cut_off: BTreeMap::new(),
    };
    let has = |number: &usize| offers.weighed[*number].offered.items > 0;
    let merging = Merging {
        hosts,
        producer,
        ranges,
        offering: (0..hosts.len()).filter(has).collect(),
        offers,
        state: Mutex::new(state),
        changed: Condvar::new(),
        failed: AtomicBool::new(false),
    };
    let merging = &merging;
    thread::scope(|scope| {
        for (number, host) in hosts.iter().enumerate() {
            for _ in 0..(host.welcome().slots + AHEAD).min(MERGES_MAX) {
                scope.spawn(move || merging.work(scope, number));
            }
        }
        let told = merging.tell(output);
        if let Err(error) = &told {
            merging.fail(Error::new(error.kind(), error.to_string()));
        }
        told
    })
}

impl<'a> Merging<'a> {
    fn fail(&self, error: Error) {
        lock(&self.state).failure.get_or_insert(error);
        self.failed.store(true, Ordering::SeqCst);
        self.changed.notify_all();
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// Writes the lines of the shards, in order, as they are done.
    fn tell(&self, output: &mut dyn Output) -> Result<Total> {
        let mut total = Total::default();
        for number in 0..self.ranges.len() {
            let mut state = lock(&self.state);
            let (host, merged) = loop {
                if let Some(error) = &state.failure {
                    return Err(Error::new(error.kind(), error.to_string()));
                }
                if let Some(done) = state.done.remove(&number) {
                    break done;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            };
            drop(state);
            output.write(&self.producer.line(&[host], &merged.contents)?)?;
            output.flush()?;
            let Total { made, missing, lacking, spilled, direct, relayed, .. } = &mut total;
            for (sum, more) in [
                (&mut made.records, merged.contents.records),
                (&mut made.bytes, merged.contents.bytes),
                (missing, merged.missing),
                (lacking, merged.lacking),
                (spilled, merged.spilled),
                (direct, merged.direct),
                (relayed, merged.relayed),
            ] {
                *sum = sum.saturating_add(more);
            }
            total.came.add(merged.came);
            total.sizes.push(merged.contents.bytes);
        }
        total.cut_off = std::mem::take(&mut lock(&self.state).cut_off);
        Ok(total)
    }

    /// The next range for a host, and how often it was tried; none when nothing is left for it.
    fn next(&self, host: usize) -> Option<(usize, u32)> {
        let mut state = lock(&self.state);
        loop {
            let is_over = state.waiting.is_empty() && state.open == 0;
            if state.failure.is_some() || is_over || state.full.contains_key(&host) {
                return None;
            }
            let near = state.waiting.iter().take(self.hosts.len() * REACH);
            // Much of it lies there; of equal ones the first.
            let most = near.max_by_key(|(number, _)| {
                (self.ranges[**number].lie[host], std::cmp::Reverse(**number))
            });
            if let Some(number) = most.map(|(number, _)| *number) {
                state.open += 1;
                let tried = state.waiting.remove(&number).unwrap_or_default();
                return Some((number, tried));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Has ranges merged on a host, until there are no more.
    fn work<'s>(&'s self, scope: &'s Scope<'s, '_>, host: usize)
    where
        'a: 's,
    {
        while let Some((number, tried)) = self.next(host) {
            let merged = self.merge_on(scope, host, number, tried + 1);
            let mut state = lock(&self.state);
            state.open -= 1;
            let failed = match merged {
                Ok(merged) => {
                    state.done.insert(number, (self.hosts[host].name().into(), merged));
                    None
                }
                // Another host may have room.
                Err(error) if error.kind() == Kind::Storage => {
                    state.waiting.insert(number, tried + 1);
                    self.set_aside(&mut state, host, &error)
                }
                Err(error) => Some(error),
            };
            drop(state);
            match failed {
                Some(error) => self.fail(error),
                None => self.changed.notify_all(),
            }
        }
    }

    /// Gives no more ranges to a host that has no room, which is said once; the failure, when no host
    /// has any.
    fn set_aside(&self, state: &mut State, host: usize, why: &Error) -> Option<Error> {
        let first = state.full.insert(host, why.to_string()).is_none();
        if state.full.len() == self.hosts.len() {
            let all: Vec<&str> = state.full.values().map(String::as_str).collect();
            return Some(Error::new(Kind::Storage, all.join("; ")));
        }
        if first {
            self.producer.say(&format!("{why}; its ranges go elsewhere"));
        }
        None
    }

    fn merge_on<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        host: usize,
        number: usize,
        attempt: u32,
    ) -> Result<Merged>
    where
        'a: 's,
    {
        let (connection, shard) = (&self.hosts[host], number as u64 + 1);
        let (from, to) = bounds(&self.ranges[number]);
        let secrets = &self.offers.secrets;
        let source = |other: &usize| match &secrets[*other] {
            _ if *other == host => Source::Here,
            Some(secret) if secrets[host].is_some() => {
                Source::Peer(self.hosts[*other].name().into(), token(secret, &from, &to))
            }
            _ => Source::Relay,
        };
        let sources = self.offering.iter().map(source).collect();
        let merge = Merge { exchange: NUMBER, shard, attempt, from, to, sources };
        let request = connection.ask(&Ask::Merge(merge)).map_err(lost)?;
        let stop = || self.has_failed();
        let mut brought = BTreeSet::new();
        loop {
            match connection.news(request, &stop).map_err(lost)? {
                None => return Err(Error::incomplete("stopped")),
                Some(News::Wanted(wanted)) => {
                    let from = self.allowed(host, &wanted)?;
                    if !brought.insert(wanted.source) {
                        return Err(broken("a part that is wanted twice").at(connection.name()));
                    }
                    let of = Deliver { merge: request, source: wanted.source };
                    // Who waits for its turn takes no thread.
                    self.wait_to_relay();
                    let relaying = thread::Builder::new().spawn_scoped(scope, move || {
                        if let Err(error) = self.relay(from, host, number, of) {
                            self.fail(error);
                        }
                    });
                    relaying.map_err(|e| Error::io("start", "a thread", &e))?;
                }
                Some(News::Reply(reply)) => match *reply {
                    Reply::Merged(merged) => {
                        self.producer.made(connection.name(), shard);
                        return Ok(merged);
                    }
                    reply => return Err(refused(connection, reply)),
                },
            }
        }
    }

    /// The host that has the part that `host` wants to be brought, if it may come by way of here.
    fn allowed(&self, host: usize, wanted: &Wanted) -> Result<usize> {
        let to = self.hosts[host].shown();
        let Some(&from) = self.offering.get(wanted.source as usize) else {
            return Err(broken("a part that is nowhere").at(to));
        };
        let pair = format!("{} to {to}", self.hosts[from].shown());
        let why = wanted.why.clone().unwrap_or_else(|| "it does not listen".into());
        if self.offers.roads == Roads::Direct {
            return Err(Error::new(Kind::Hosts, why).at(format!("{pair}: no direct way")));
        }
        if wanted.why.is_some() {
            lock(&self.state).cut_off.entry(pair).or_insert(why);
        }
        Ok(from)
    }

    /// Waits until one more part may be relayed, and counts it.
    fn wait_to_relay(&self) {
        let mut state = lock(&self.state);
        while state.relays >= RELAYS_MAX && state.failure.is_none() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.relays += 1;
    }

    /// Brings a part of a range, which is counted already, from one host to another.
    fn relay(&self, from: usize, to: usize, number: usize, of: Deliver) -> Result<()> {
        let brought = self.bring(from, to, number, of);
        lock(&self.state).relays -= 1;
        self.changed.notify_all();
        brought
    }

    fn bring(&self, from: usize, to: usize, number: usize, of: Deliver) -> Result<()> {
        let (pair, (first, end)) = ((from, to), bounds(&self.ranges[number]));
        let (from, to) = (&self.hosts[from], &self.hosts[to]);
        let part = Part { exchange: NUMBER, from: first, to: end, token: None };
        let coming = from.ask(&Ask::Part(part)).map_err(lost)?;
        let going = to.ask(&Ask::Deliver(of)).map_err(lost)?;
        while let Some(data) = from.data(coming).map_err(lost)? {
            let allowed = self.allow(pair, data.len() as u64);
            if allowed.is_err() || self.has_failed() {
                from.cancel(coming);
                to.cancel(going);
                return allowed.map_err(|error| error.at(from.shown()));
            }
            to.send(going, &data).map_err(lost)?;
        }
        to.sent_all(going).map_err(lost)?;
        match to.reply(going).map_err(lost)? {
            Reply::Done(_) => Ok(()),
            reply => Err(refused(to, reply)),
        }
    }

    /// Counts so many bytes on their way between two hosts, if that many may come.
    fn allow(&self, (from, to): (usize, usize), bytes: u64) -> Result<()> {
        let mut state = lock(&self.state);
        let came = state.relayed.entry((from, to)).or_default();
        *came = came.saturating_add(bytes);
        if *came > self.offers.most[from] { Err(too_much()) } else { Ok(()) }
    }
}

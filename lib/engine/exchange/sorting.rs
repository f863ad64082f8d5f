//! The sorting of an exchange: each shard goes to a host that it lies on.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::cluster::Connection;
use crate::engine::Shard;
use crate::engine::consumer::Consumer;
use crate::engine::exchange::{NUMBER, lock, lost};
use crate::error::{Error, Kind, Result};
use crate::wire::exchange::{Sort, Sorted, Tally};
use crate::wire::frame::broken;
use crate::wire::message::{Ask, Fetch, Reply};

/// How many bytes of shards a host sorts at once into one segment.
const BATCH_BYTES: u64 = 64 << 20;

/// How many shards, at most: they go into one message.
const BATCH_SHARDS: usize = 1024;

/// How many of these a host has under way at most, whatever its slots.
const TASKS_MAX: u32 = 32;

/// How many shards of the manifest are read ahead.
const AHEAD: usize = 64;

/// How often it is looked whether something has failed meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What was sorted in all.
#[derive(Default)]
pub(super) struct Total {
    /// What the hosts say.
    pub(super) sorted: Sorted,
    /// What their manifest says of the shards.
    pub(super) due: Tally,
}

#[derive(Default)]
struct State {
    /// The shards that wait, for each host.
    queues: Vec<VecDeque<Shard>>,
    /// Whether no more come.
    closed: bool,
    failure: Option<Error>,
    sorted: Sorted,
}

struct Sorting {
    state: Mutex<State>,
    changed: Condvar,
}

/// Has the shards of `consumer` sorted. With `in_order` they must be in the order of the key
/// already, each in itself and one after the other.
///
/// # Errors
/// As [`super::exchange`].
pub(super) fn sort(
    hosts: &[Arc<Connection>],
    consumer: Box<Consumer>,
    in_order: bool,
) -> Result<Total> {
    let coming = read(consumer)?;
    let mut state = State::default();
    state.queues.resize_with(hosts.len(), VecDeque::new);
    let sorting = Sorting { state: Mutex::new(state), changed: Condvar::new() };
    let mut due = Tally::default();
    let working = &sorting;
    let dealt = thread::scope(|scope| {
        for (number, host) in hosts.iter().enumerate() {
            for _ in 0..host.welcome().slots.min(TASKS_MAX) {
                scope.spawn(move || working.work(number, host));
            }
        }
        let dealt = sorting.deal(hosts, &coming, &mut due);
        sorting.close(dealt.as_ref().err());
        dealt
    });
    let state = sorting.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(failure) = state.failure {
        return Err(failure);
    }
    dealt?;
    if in_order {
        follow_one_another(&state.sorted)?;
    }
    Ok(Total { sorted: state.sorted, due })
}

/// Reads the manifest on a thread of its own, which is left behind when something fails while it
/// waits for more.
fn read(mut consumer: Box<Consumer>) -> Result<Receiver<Result<Option<Shard>>>> {
    let (send, coming) = sync_channel(AHEAD);
    let thread = thread::Builder::new().spawn(move || {
        loop {
            let shard = consumer.next_shard();
            let ended = !matches!(shard, Ok(Some(_)));
            if send.send(shard).is_err() || ended {
                return;
            }
        }
    });
    thread.map_err(|e| Error::io("start", "a thread", &e))?;
    Ok(coming)
}

impl Sorting {
    /// Gives each shard to a host that it lies on.
    fn deal(
        &self,
        hosts: &[Arc<Connection>],
        coming: &Receiver<Result<Option<Shard>>>,
        due: &mut Tally,
    ) -> Result<()> {
        loop {
            let shard = match coming.recv_timeout(LOOK_EVERY) {
                Ok(shard) => shard?,
                Err(RecvTimeoutError::Timeout) if lock(&self.state).failure.is_some() => {
                    return Ok(());
                }
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::incomplete("internal error: the manifest's reader broke"));
                }
            };
            let Some(shard) = shard else { return Ok(()) };
            due.add(Tally { items: shard.contents.records, sum: shard.contents.sum });
            if shard.contents.bytes == 0 {
                continue;
            }
            let mut state = lock(&self.state);
            let waiting = |number: usize| {
                state.queues[number].iter().map(|shard| shard.contents.bytes).sum::<u64>()
            };
            let there = |host: &Arc<Connection>| {
                host.lost().is_none() && shard.hosts.iter().any(|name| name == host.name())
            };
            let found = (0..hosts.len()).filter(|n| there(&hosts[*n])).min_by_key(|n| waiting(*n));
            let Some(number) = found else {
                let (shard, hosts) = (shard.number, shard.hosts.join(", "));
                let text = format!("shard {shard} is out of reach, with {hosts}; run it again");
                return Err(Error::new(Kind::Hosts, text));
            };
            state.queues[number].push_back(shard);
            drop(state);
            self.changed.notify_all();
        }
    }

    fn close(&self, failure: Option<&Error>) {
        let mut state = lock(&self.state);
        state.closed = true;
        if let (Some(error), None) = (failure, &state.failure) {
            state.failure = Some(Error::new(error.kind(), error.to_string()));
        }
        drop(state);
        self.changed.notify_all();
    }

    /// The next shards for a host; none when there will be no more.
    fn next(&self, number: usize) -> Vec<Shard> {
        let mut state = lock(&self.state);
        loop {
            if state.failure.is_some() {
                return Vec::new();
            }
            let (mut batch, mut bytes) = (Vec::new(), 0);
            while let Some(shard) = state.queues[number].front()
                && (batch.is_empty() || bytes + shard.contents.bytes <= BATCH_BYTES)
                && batch.len() < BATCH_SHARDS
            {
                bytes += shard.contents.bytes;
                batch.extend(state.queues[number].pop_front());
            }
            if !batch.is_empty() || state.closed {
                return batch;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Has shards of a host sorted, until there are no more.
    fn work(&self, number: usize, host: &Connection) {
        loop {
            let batch = self.next(number);
            if batch.is_empty() {
                return;
            }
            match self.sort_on(host, batch) {
                Ok(Some(sorted)) => lock(&self.state).take(sorted),
                Ok(None) => return,
                Err(error) => {
                    lock(&self.state).failure.get_or_insert(error);
                    self.changed.notify_all();
                    return;
                }
            }
        }
    }

    fn sort_on(&self, host: &Connection, batch: Vec<Shard>) -> Result<Option<Sorted>> {
        let shards = batch
            .into_iter()
            .map(|shard| (Fetch { run: shard.run, shard: shard.number }, shard.contents));
        let ask = Ask::Sort(Sort { exchange: NUMBER, shards: shards.collect() });
        let stop = || lock(&self.state).failure.is_some();
        let reply = host.ask(&ask).and_then(|request| host.reply_unless(request, &stop));
        match reply.map_err(lost)? {
            Some(Reply::Sorted(sorted)) => Ok(Some(sorted)),
            Some(Reply::Failed(failed)) => Err(failed.error().at(host.name())),
            Some(_) => Err(broken("another reply than was asked for").at(host.name())),
            None => Ok(None),
        }
    }
}

impl State {
    fn take(&mut self, more: Sorted) {
        let sorted = &mut self.sorted;
        sorted.records += more.records;
        sorted.bytes += more.bytes;
        sorted.made.add(more.made);
        sorted.doubles.add(more.doubles);
        sorted.missing += more.missing;
        sorted.spilled += more.spilled;
        sorted.ends.extend(more.ends);
    }
}

/// That no shard begins before the end of the one before it.
fn follow_one_another(sorted: &Sorted) -> Result<()> {
    let mut ends: Vec<_> = sorted.ends.iter().collect();
    ends.sort_by_key(|(shard, _, _)| *shard);
    for pair in ends.windows(2) {
        let ((_, _, last), (shard, first, _)) = (pair[0], pair[1]);
        if first.0 < last.0 {
            return Err(Error::input(format!(
                "shard {shard}: the input is not in the order of the key; group it first: mc-shuffle"
            )));
        }
    }
    Ok(())
}

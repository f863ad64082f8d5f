//! The dealing of shards: each goes to a host that it lies on, as its line of the manifest comes,
//! and a few at a time are worked on there.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::cluster::Connection;
use crate::engine::Shard;
use crate::engine::consumer::{Consumer, ahead, blame, end};
use crate::engine::exchange::lock;
use crate::engine::origin::Origin;
use crate::engine::producer::Producer;
use crate::error::{Error, Kind, Result};

/// How many shards are worked on at once, at most: they go into one message.
const BATCH_SHARDS: usize = 1024;

/// How many tasks a host has under way at most, whatever its slots.
const TASKS_MAX: u32 = 32;

/// How many shards of the manifest are read ahead.
const AHEAD: usize = 64;

/// How often it is looked whether something has failed meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[derive(Default)]
struct State {
    /// The shards that wait, for each host; and whether each is to be worked on alone.
    queues: Vec<VecDeque<(Shard, bool)>>,
    /// The hosts that have no room.
    full: BTreeSet<usize>,
    /// How many shards are worked on.
    open: usize,
    /// Whether no more come.
    closed: bool,
    failure: Option<Error>,
}

/// Shards on their way to where they are worked on.
pub(super) struct Dealing<'a> {
    hosts: &'a [Arc<Connection>],
    /// Holds on to the shards.
    producer: &'a Producer,
    /// How many bytes of shards are worked on at once.
    batch_bytes: u64,
    state: Mutex<State>,
    changed: Condvar,
    /// Whether there is a failure: told to who may hold other locks.
    failed: AtomicBool,
}

impl<'a> Dealing<'a> {
    /// To deal to `hosts`, about `batch_bytes` at once, at least one shard; `producer` holds on to
    /// the shards.
    pub(super) fn new(
        hosts: &'a [Arc<Connection>],
        producer: &'a Producer,
        batch_bytes: u64,
    ) -> Dealing<'a> {
        let mut state = State::default();
        state.queues.resize_with(hosts.len(), VecDeque::new);
        let (state, changed) = (Mutex::new(state), Condvar::new());
        Dealing { hosts, producer, batch_bytes, state, changed, failed: AtomicBool::new(false) }
    }

    /// Deals the shards of `consumer`, each of which `seen` gets to see first. `work` works on some
    /// of them on a host; its last argument says whether that is in vain by now. Shards that are not
    /// there as they should be (`Incomplete`) are tried one by one, and where else they lie.
    ///
    /// # Errors
    /// The first failure of `work`, or that of the tool that makes the shards when they are not
    /// there for that; `Hosts` for a shard that is out of reach; what the manifest says.
    pub(super) fn run(
        &self,
        mut consumer: Box<Consumer>,
        mut seen: impl FnMut(&Shard),
        work: impl Fn(&Connection, Vec<Shard>, &dyn Fn() -> bool) -> Result<()> + Sync,
    ) -> Result<()> {
        let (owner, origin) = (consumer.owner.take(), Arc::clone(&consumer.origin));
        let coming = ahead(move || consumer.next_shard(), AHEAD)?;
        let (work, origin) = (&work, &*origin);
        let dealt = thread::scope(|scope| {
            for (number, host) in self.hosts.iter().enumerate() {
                for _ in 0..host.welcome().slots.min(TASKS_MAX) {
                    scope.spawn(move || self.work(number, host, origin, work));
                }
            }
            let dealt = self.deal(&coming, &mut seen);
            self.close(dealt.as_ref().err());
            dealt
        });
        let mut state = lock(&self.state);
        let Some(failure) = state.failure.take() else {
            return match state.queues.iter().all(VecDeque::is_empty) && state.open == 0 {
                true => Ok(()),
                false => Err(Error::incomplete("internal error: shards that nobody worked on")),
            };
        };
        drop(state);
        match (owner, dealt) {
            (Some(owner), dealt) if failure.kind() == Kind::Incomplete => {
                let end = dealt.map_or_else(
                    |error| Some(Err(error)),
                    |end| {
                        if end { Some(Ok(())) } else { self::end(&coming) }
                    },
                );
                Err(blame(failure, &owner, end, || self.producer.has_inputs()))
            }
            _ => Err(failure),
        }
    }

    /// Ends it all with a failure.
    pub(super) fn fail(&self, error: Error) {
        lock(&self.state).failure.get_or_insert(error);
        self.failed.store(true, Ordering::SeqCst);
        self.changed.notify_all();
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// Gives each shard to a host that it lies on, until there are no more, or something has failed.
    /// Whether there are no more.
    fn deal(
        &self,
        coming: &Receiver<Result<Option<Shard>>>,
        seen: &mut impl FnMut(&Shard),
    ) -> Result<bool> {
        while !self.has_failed() {
            let shard = match coming.recv_timeout(LOOK_EVERY) {
                Ok(shard) => shard?,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::incomplete("internal error: the manifest's reader broke"));
                }
            };
            let Some(shard) = shard else { return Ok(true) };
            seen(&shard);
            if shard.contents.bytes == 0 {
                continue;
            }
            let Some(number) = self.place(&shard) else {
                return Err(out_of_reach(&shard));
            };
            lock(&self.state).queues[number].push_back((shard, false));
            self.changed.notify_all();
        }
        Ok(false)
    }

    /// The host with the least to do of those that a shard lies on.
    fn place(&self, shard: &Shard) -> Option<usize> {
        let there = |host: &Arc<Connection>| {
            host.lost().is_none() && shard.hosts.iter().any(|name| name == host.name())
        };
        let near: Vec<usize> =
            (0..self.hosts.len()).filter(|number| there(&self.hosts[*number])).collect();
        let state = lock(&self.state);
        let near = near.into_iter().filter(|number| !state.full.contains(number));
        let waiting = |number: &usize| {
            state.queues[*number].iter().map(|(shard, _)| shard.contents.bytes).sum::<u64>()
        };
        near.min_by_key(waiting)
    }

    /// Deals shards again that were not as they should be on `host`: several one by one, for it may
    /// be one of them only; one where else it lies.
    fn deal_again(
        &self,
        batch: Vec<Shard>,
        host: usize,
        why: &Error,
        origin: &Origin,
    ) -> Result<()> {
        let several = batch.len() > 1;
        for mut shard in batch {
            let number = if several {
                host
            } else {
                origin.pass_over(&mut shard, self.hosts[host].name(), why)?;
                self.place(&shard).ok_or_else(|| out_of_reach(&shard))?
            };
            lock(&self.state).queues[number].push_back((shard, true));
        }
        Ok(())
    }

    /// Deals shards again of which `host` has no room to make anything: each where else it lies.
    fn deal_elsewhere(
        &self,
        batch: Vec<Shard>,
        host: usize,
        why: &Error,
        origin: &Origin,
    ) -> Result<()> {
        let first = lock(&self.state).full.insert(host);
        for mut shard in batch {
            shard.hosts.retain(|name| name != self.hosts[host].name());
            let number =
                self.place(&shard).ok_or_else(|| Error::new(why.kind(), why.to_string()))?;
            lock(&self.state).queues[number].push_back((shard, false));
        }
        if first {
            origin.say(&format!("{why}; copies of its shards on other hosts take their place"));
        }
        Ok(())
    }

    fn close(&self, failure: Option<&Error>) {
        if let Some(error) = failure {
            self.fail(Error::new(error.kind(), error.to_string()));
        }
        lock(&self.state).closed = true;
        self.changed.notify_all();
    }

    /// The next shards for a host; none when there will be no more.
    fn next(&self, number: usize) -> Vec<Shard> {
        let mut state = lock(&self.state);
        loop {
            if state.failure.is_some() {
                return Vec::new();
            }
            let (mut batch, mut bytes, mut whole) = (Vec::new(), 0, false);
            while let Some((shard, alone)) = state.queues[number].front()
                && (batch.is_empty()
                    || !alone && !whole && bytes + shard.contents.bytes <= self.batch_bytes)
                && batch.len() < BATCH_SHARDS
            {
                bytes += shard.contents.bytes;
                whole = *alone;
                batch.extend(state.queues[number].pop_front().map(|(shard, _)| shard));
            }
            if !batch.is_empty() {
                state.open += batch.len();
                return batch;
            }
            // What waits or is worked on elsewhere may come here yet.
            let none_waits = state.queues.iter().all(VecDeque::is_empty);
            if state.closed && state.open == 0 && none_waits {
                return batch;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Works on shards of a host, until there are no more.
    fn work(
        &self,
        number: usize,
        host: &Connection,
        origin: &Origin,
        work: &(impl Fn(&Connection, Vec<Shard>, &dyn Fn() -> bool) -> Result<()> + Sync),
    ) {
        let stop = || self.has_failed();
        loop {
            let batch = self.next(number);
            if batch.is_empty() {
                return;
            }
            let count = batch.len();
            let worked = work(host, batch.clone(), &stop);
            let failed = worked.err().and_then(|error| match error.kind() {
                Kind::Incomplete if !stop() => self.deal_again(batch, number, &error, origin).err(),
                Kind::Storage if !stop() => {
                    self.deal_elsewhere(batch, number, &error, origin).err()
                }
                _ => Some(error),
            });
            lock(&self.state).open -= count;
            self.changed.notify_all();
            if let Some(error) = failed {
                return self.fail(error);
            }
        }
    }
}

/// That a shard lies on no host that is there.
fn out_of_reach(shard: &Shard) -> Error {
    let (number, hosts) = (shard.number, shard.hosts.join(", "));
    let flaws: String = shard.flaws.iter().map(|flaw| format!("{flaw}; ")).collect();
    let text = format!("{flaws}shard {number} is out of reach, with {hosts}; run it again");
    Error::new(Kind::Hosts, text)
}

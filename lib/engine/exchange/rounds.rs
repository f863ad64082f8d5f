//! The rounds of an exchange: one, mostly. A host that is lost takes with it what it had sorted: then the others
//! begin again with all shards, those that lay there too, which are made again by whoever made them. What the
//! manifest says already must come out of it again. And as long as the new shards are read, those that are lost
//! with their hosts are made again by another round, for their ranges alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::cluster::Connection;
use crate::cluster::exchange as wire;
use crate::engine::HostedShard;
use crate::engine::consumer::{Consumer, ahead};
use crate::engine::exchange::driver::{Driven, MadeShard, Round, drive};
use crate::engine::exchange::feed::ShardFeed;
use crate::engine::exchange::planner::{
    ExchangeReport, Goal, KeyRange, PlannedHost, Planner, Resume, StuckShards,
};
use crate::engine::exchange::tasks::Tasks;
use crate::engine::fleet::Fleet;
use crate::engine::lineage::{LostShard, Rebuild};
use crate::engine::shard_hosts::ShardHosts;
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::lock;

/// How many shards of the manifest are read ahead.
const AHEAD: usize = 64;

/// How long whoever waits for a shard to be made again waits while no other is made: those that are made
/// may wait to be read by it.
const STUCK_MAX: Duration = Duration::from_secs(60);

/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is said then.
const STUCK: &str = "others are still made, and for a minute none was";

/// Says something to the user.
type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// An exchange, from its first round on.
pub(super) struct Rounds {
    what: wire::Exchange,
    goal: Goal,
    fleet: Arc<Fleet>,
    /// Where the shards lie that are exchanged.
    origin: Arc<ShardHosts>,
    say: Say,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Whether a round is under way.
    running: bool,
    /// The hosts that are there and are left aside: they have no room to sort what lies there, for this
    /// reason, or who reads what they made cannot have it.
    aside: BTreeMap<String, Option<String>>,
    /// How many rounds there were.
    rounds: u32,
    /// The shards that were exchanged, once all are known.
    shards: Vec<HostedShard>,
    /// The ranges that their keys were cut into.
    ranges: Vec<KeyRange>,
    /// What was made.
    made: BTreeMap<u64, MadeShard>,
}

/// How a round failed.
struct Failed {
    error: Error,
    /// Whether the shards were not all worked on yet.
    was_reading: bool,
    /// Whether there may be another round.
    goes_on: bool,
}

impl Rounds {
    /// An exchange whose first round is to come.
    pub(super) fn new(
        what: wire::Exchange,
        goal: Goal,
        fleet: &Arc<Fleet>,
        origin: &Arc<ShardHosts>,
        say: &Say,
    ) -> Rounds {
        let state = State {
            running: true,
            aside: BTreeMap::new(),
            rounds: 0,
            shards: Vec::new(),
            ranges: Vec::new(),
            made: BTreeMap::new(),
        };
        Rounds {
            what,
            goal,
            fleet: Arc::clone(fleet),
            origin: Arc::clone(origin),
            say: Arc::clone(say),
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// Exchanges the shards of `consumer`, and gives each that is made to `write`, in order.
    ///
    /// # Errors
    /// The first failure that is more than the loss of a host; that of the tool that makes the shards when they
    /// are not there for that, as `has_inputs` says. `Hosts` when no host is left.
    pub(super) fn run(
        &self,
        mut consumer: Box<Consumer>,
        write: &mut (dyn FnMut(&MadeShard) -> Result<()> + Send),
        has_inputs: impl Fn() -> bool,
    ) -> Result<ExchangeReport> {
        let owner = consumer.owner.take();
        let mut feed = ShardFeed::new(ahead(move || consumer.next_shard(), AHEAD)?);
        let mut publish = |number: u64, made: MadeShard| match self.note(number, &made)? {
            true => write(&made),
            false => Ok(()),
        };
        let ended = loop {
            match self.round(None, &mut feed, &mut publish) {
                Ok(report) => break Ok(report),
                Err(failed) if failed.goes_on => (),
                Err(Failed { error, was_reading: false, .. }) => break Err(error),
                Err(Failed { error, .. }) => {
                    break Err(feed.blame(error, owner.as_deref(), &has_inputs));
                }
            }
        };
        let mut state = lock(&self.state);
        state.running = false;
        state.shards = feed.into_shards();
        self.changed.notify_all();
        ended
    }

    /// One round, for the shards that are `wanted`, or all.
    fn round(
        &self,
        wanted: Option<BTreeSet<u64>>,
        feed: &mut ShardFeed,
        publish: &mut (dyn FnMut(u64, MadeShard) -> Result<()> + Send),
    ) -> std::result::Result<ExchangeReport, Failed> {
        let (number, ranges) = {
            let mut state = lock(&self.state);
            state.rounds += 1;
            (state.rounds, state.ranges.clone())
        };
        let what = wire::Exchange { number, ..self.what.clone() };
        // One that is lost by now is left out.
        let mut hosts = self.there();
        hosts.retain(|host| host.begin_exchange(&what).is_ok());
        if hosts.is_empty() {
            let full = lock(&self.state).aside.values().flatten().next().cloned();
            let error = full.map_or_else(
                || self.fleet.exhausted("no host is left to exchange shards on"),
                |why| Error::new(ErrorKind::Storage, why),
            );
            return Err(Failed { error, was_reading: false, goes_on: false });
        }
        let planned = |host: &Arc<Connection>| PlannedHost::new(host.name(), host.welcome().slots);
        let planned = hosts.iter().map(planned).collect();
        let planner = Planner::new(what, self.goal, Resume { ranges, wanted }, planned);
        feed.rewind();
        let tasks = Tasks::new(&hosts, number, &self.fleet);
        let (origin, say) = (&*self.origin, &*self.say);
        let round = Round { planner, tasks: &tasks, origin, say };
        let Driven { result, ranges, was_reading, stuck } = drive(round, feed, publish);
        if !ranges.is_empty() {
            lock(&self.state).ranges = ranges;
        }
        // Of a lost one nothing is left that could be over.
        hosts.iter().for_each(|host| drop(host.end_exchange(number)));
        result.map_err(|error| {
            let by_loss = matches!(error.kind(), ErrorKind::Hosts | ErrorKind::Incomplete)
                && hosts.iter().any(|host| host.lost().is_some());
            let how = match stuck {
                _ if by_loss => Some("the others begin again"),
                Some(stuck) if self.leaves(&stuck, &error, feed) => Some(match stuck.full {
                    true => "the others begin again without it",
                    false => "it is made again",
                }),
                _ => None,
            };
            let how = how.filter(|_| !feed.has_failed() && !self.there().is_empty());
            if let Some(how) = how {
                (self.say)(&format!("{error}; {how}"));
            }
            Failed { error, was_reading, goes_on: how.is_some() }
        })
    }

    /// Leaves shards aside where they are no good, or a host that has no room for them; whether they may be had
    /// elsewhere: whoever made them can make them again.
    fn leaves(&self, stuck: &StuckShards, why: &Error, feed: &mut ShardFeed) -> bool {
        if !self.origin.can_remake() {
            return false;
        }
        if stuck.full {
            return lock(&self.state)
                .aside
                .insert(stuck.host.clone(), Some(why.to_string()))
                .is_none();
        }
        feed.pass_over(stuck);
        true
    }

    fn there(&self) -> Vec<Arc<Connection>> {
        let state = lock(&self.state);
        let is_there = |host: &&Arc<Connection>| {
            host.lost().is_none() && !state.aside.contains_key(host.name())
        };
        self.fleet.connections().filter(is_there).cloned().collect()
    }

    /// Takes note of a shard that was made, and whether it is for the first time.
    ///
    /// # Errors
    /// `Incomplete` when it is not what it was then.
    fn note(&self, number: u64, made: &MadeShard) -> Result<bool> {
        let mut state = lock(&self.state);
        if state.made.get(&number).is_some_and(|before| before.contents != made.contents) {
            let text = "made again after a host was lost, is not what it was";
            return Err(Error::incomplete(format!("shard {number}, {text}")));
        }
        self.changed.notify_all();
        Ok(state.made.insert(number, made.clone()).is_none())
    }

    /// Makes the shards again that are `wanted`.
    fn again(&self, wanted: &BTreeSet<u64>) -> Result<()> {
        let mut shards = lock(&self.state).shards.clone();
        if let Goal::Reduced = self.goal {
            shards.retain(|shard| wanted.contains(&shard.number));
        }
        let mut feed = ShardFeed::of(shards);
        let mut publish = |number: u64, made: MadeShard| self.note(number, &made).map(drop);
        loop {
            match self.round(Some(wanted.clone()), &mut feed, &mut publish) {
                Ok(_) => return Ok(()),
                Err(failed) if failed.goes_on => (),
                Err(failed) => return Err(failed.error),
            }
        }
    }
}

impl State {
    /// Where a shard lies that could not be had elsewhere.
    fn place(&self, lost: &LostShard, fleet: &Fleet) -> Option<Vec<String>> {
        let hosts = &self.made.get(&lost.shard)?.hosts;
        let is_there = |host: &String| !lost.hosts.contains(host) && fleet.is_there(host);
        hosts.iter().any(is_there).then(|| hosts.clone())
    }
}

impl Rebuild for Rounds {
    fn rebuild(&self, lost: &LostShard) -> Result<Vec<String>> {
        let mut state = lock(&self.state);
        let (mut made, mut since) = (state.made.len(), Instant::now());
        loop {
            if let Some(hosts) = state.place(lost, &self.fleet) {
                return Ok(hosts);
            }
            if !state.running {
                break;
            }
            if made != state.made.len() {
                (made, since) = (state.made.len(), Instant::now());
            } else if since.elapsed() > STUCK_MAX {
                return Err(Error::new(ErrorKind::Hosts, STUCK));
            }
            let waited = self.changed.wait_timeout(state, LOOK_EVERY);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.running = true;
        for host in &lost.hosts {
            // The copy there is no good, or whoever reads it cannot reach it: neither is to come again.
            state.aside.entry(host.clone()).or_default();
        }
        drop(state);
        let mut wanted = self.fleet.lost_shards();
        wanted.insert(lost.shard);
        let made = self.again(&wanted);
        let mut state = lock(&self.state);
        state.running = false;
        self.changed.notify_all();
        made?;
        let nowhere = || Error::new(ErrorKind::Hosts, "it is lost again");
        state.place(lost, &self.fleet).ok_or_else(nowhere)
    }

    fn lost(&self) -> Vec<LostShard> {
        let state = lock(&self.state);
        let lost = self.fleet.lost_shards().into_iter().filter_map(|shard| {
            let MadeShard { hosts, contents } = state.made.get(&shard)?.clone();
            Some(LostShard { shard, hosts, contents })
        });
        lost.collect()
    }
}

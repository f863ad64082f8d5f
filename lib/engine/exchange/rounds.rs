//! The rounds of an exchange: one, mostly. A host that is lost takes with it what it had sorted: then the others
//! begin again with all shards, those that lay there too, which are made again by whoever made them. What the
//! manifest says already must come out of it again. And as long as the new shards are read, those that are lost
//! with their hosts are made again by another round, for their ranges alone.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::cluster::Connection;
use crate::cluster::exchange as wire;
use crate::dataset::lineage::{StageAgain, StageCuts};
use crate::engine::HostedShard;
use crate::engine::consumer::{Consumer, ahead};
use crate::engine::exchange::course::{Again, Course, MadeShard, RoundFailure};
use crate::engine::exchange::driver::{Driven, Round, drive};
use crate::engine::exchange::feed::ShardFeed;
use crate::engine::exchange::planner::{
    ExchangeReport, Goal, KeyRange, PlannedHosts, Planner, Resume,
};
use crate::engine::exchange::tasks::Tasks;
use crate::engine::fleet::Fleet;
use crate::engine::lineage::{LostShard, Rebuild};
use crate::engine::observer::Observer;
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
    /// The shards that are to be made; none where it is all of them.
    wanted: Option<BTreeSet<u64>>,
    what: wire::Exchange,
    goal: Goal,
    fleet: Arc<Fleet>,
    /// Where the shards lie that are exchanged.
    origin: Arc<ShardHosts>,
    say: Say,
    observer: Observer,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Whether a round is under way.
    running: bool,
    course: Course,
    /// The shards that were exchanged, once all are known.
    shards: Vec<HostedShard>,
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
    /// An exchange whose first round is to come; `again` says how it is to make again what it made before.
    pub(super) fn new(
        what: wire::Exchange,
        goal: Goal,
        fleet: &Arc<Fleet>,
        origin: &Arc<ShardHosts>,
        (say, observer): (&Say, &Observer),
        again: Option<&StageAgain>,
    ) -> Rounds {
        observer.has_hosts(fleet.slots());
        let mut course = Course::default();
        if let Some(StageCuts::Ranges(keys)) = again.map(|again| &again.cuts) {
            course.cut(KeyRange::between(keys));
        }
        let state = State { running: true, course, shards: Vec::new() };
        Rounds {
            wanted: again.and_then(|again| again.wanted.clone()),
            what,
            goal,
            fleet: Arc::clone(fleet),
            origin: Arc::clone(origin),
            say: Arc::clone(say),
            observer: observer.clone(),
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
        let mut written = 0;
        let mut publish = |number: u64, made: MadeShard| -> Result<()> {
            if !self.note(number, &made)? {
                return Ok(());
            }
            // Those that are not wanted have their lines, so that the others keep their numbers.
            for _ in written + 1..number {
                write(&MadeShard::nothing())?;
            }
            written = number;
            write(&made)
        };
        let ended = loop {
            match self.round(self.wanted.clone(), &mut feed, &mut publish) {
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

    /// How the keys were cut, for the record of what is made.
    pub(super) fn cuts(&self) -> StageCuts {
        match self.goal {
            Goal::Ranges(..) => StageCuts::Ranges(lock(&self.state).course.cuts()),
            Goal::Reduced => StageCuts::InPlace,
        }
    }

    /// One round, for the shards that are `wanted`, or all.
    fn round(
        &self,
        wanted: Option<BTreeSet<u64>>,
        feed: &mut ShardFeed,
        publish: &mut (dyn FnMut(u64, MadeShard) -> Result<()> + Send),
    ) -> std::result::Result<ExchangeReport, Failed> {
        let (number, ranges) = lock(&self.state).course.begin();
        let what = wire::Exchange { number, ..self.what.clone() };
        // One that is lost by now is left out.
        let mut hosts = self.there();
        hosts.retain(|host| host.begin_exchange(&what).is_ok());
        if hosts.is_empty() {
            let full = lock(&self.state).course.full().map(str::to_string);
            let error = full.map_or_else(
                || self.fleet.exhausted("no host is left to exchange shards on"),
                |why| Error::new(ErrorKind::Storage, why),
            );
            return Err(Failed { error, was_reading: false, goes_on: false });
        }
        let planned = hosts.iter().map(|host| (host.name(), host.welcome().slots));
        let planned = PlannedHosts::new(planned);
        let planner = Planner::new(what, self.goal, Resume { ranges, wanted }, planned);
        feed.rewind();
        let tasks = Tasks::new(&hosts, number, &self.fleet, &self.observer);
        let (origin, say) = (&*self.origin, &*self.say);
        let round = Round { planner, tasks: &tasks, origin, say };
        let Driven { result, ranges, was_reading, stuck } = drive(round, feed, publish);
        lock(&self.state).course.cut(ranges);
        // Of a lost one nothing is left that could be over.
        hosts.iter().for_each(|host| drop(host.end_exchange(number)));
        result.map_err(|error| {
            let failure = RoundFailure {
                error: &error,
                stuck: stuck.as_ref(),
                has_lost: hosts.iter().any(|host| host.lost().is_some()),
                can_remake: self.origin.can_remake(),
            };
            let again = lock(&self.state).course.after(&failure);
            let how = again.map(|again| match again {
                Again::Others => "the others begin again",
                Again::WithoutFull => "the others begin again without it",
                Again::Remade => "it is made again",
            });
            if let (Some(Again::Remade), Some(stuck)) = (again, &stuck) {
                feed.pass_over(stuck);
            }
            let how = how.filter(|_| !feed.has_failed() && !self.there().is_empty());
            if let Some(how) = how {
                (self.say)(&format!("{error}; {how}"));
            }
            Failed { error, was_reading, goes_on: how.is_some() }
        })
    }

    fn there(&self) -> Vec<Arc<Connection>> {
        let state = lock(&self.state);
        let is_there =
            |host: &&Arc<Connection>| host.lost().is_none() && !state.course.is_aside(host.name());
        self.fleet.connections().filter(is_there).cloned().collect()
    }

    /// Takes note of a shard that was made, and whether it is for the first time.
    ///
    /// # Errors
    /// `Incomplete` when it is not what it was then.
    fn note(&self, number: u64, made: &MadeShard) -> Result<bool> {
        let mut state = lock(&self.state);
        let is_new = state.course.note(number, made)?;
        self.changed.notify_all();
        Ok(is_new)
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
        let hosts = &self.course.made(lost.shard)?.hosts;
        let is_there = |host: &String| !lost.hosts.contains(host) && fleet.is_there(host);
        hosts.iter().any(is_there).then(|| hosts.clone())
    }
}

impl Rebuild for Rounds {
    fn rebuild(&self, lost: &LostShard) -> Result<Vec<String>> {
        let mut state = lock(&self.state);
        let (mut made, mut since) = (state.course.made_count(), Instant::now());
        loop {
            if let Some(hosts) = state.place(lost, &self.fleet) {
                return Ok(hosts);
            }
            if !state.running {
                break;
            }
            if made != state.course.made_count() {
                (made, since) = (state.course.made_count(), Instant::now());
            } else if since.elapsed() > STUCK_MAX {
                return Err(Error::new(ErrorKind::Hosts, STUCK));
            }
            let waited = self.changed.wait_timeout(state, LOOK_EVERY);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.running = true;
        // The copy there is no good, or whoever reads it cannot reach it: neither is to come again.
        lost.hosts.iter().for_each(|host| state.course.set_aside(host));
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
            let MadeShard { hosts, contents } = state.course.made(shard)?.clone();
            Some(LostShard { shard, hosts, contents })
        });
        lost.collect()
    }
}

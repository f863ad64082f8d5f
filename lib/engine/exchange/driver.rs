//! What performs the plan of an exchange, and tells the planner what happened: a thread reads the
//! manifest, one writes that of the new shards, and each task has one as long as it is under way.
//! What is done, and when, is the planner's to say.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, Scope};
use std::time::Duration;

use crate::engine::exchange::course::MadeShard;
use crate::engine::exchange::feed::{NextShard, ShardFeed};
use crate::engine::exchange::planner::{
    ExchangeReport, HostAnswer, KeyRange, Planner, PlannerAction, PlannerEvent, StuckShards,
};
use crate::engine::exchange::tasks::Tasks;
use crate::engine::shard_hosts::ShardHosts;
use crate::error::{Error, ErrorKind, Result};

/// How many events the planner is told before it is asked what is to be done.
const EVENTS_AT_ONCE: usize = 64;

/// How often it is looked whether more of the manifest is wanted.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A round of an exchange: its plan, and what performs it.
pub(super) struct Round<'a> {
    pub(super) planner: Planner,
    pub(super) tasks: &'a Tasks<'a>,
    /// Where the shards lie that are exchanged.
    pub(super) origin: &'a ShardHosts,
    pub(super) say: &'a (dyn Fn(&str) + Send + Sync),
}

/// How it went.
pub(super) struct Driven {
    pub(super) result: Result<ExchangeReport>,
    /// The ranges that the keys were cut into, if they were.
    pub(super) ranges: Vec<KeyRange>,
    /// Whether the shards were not all worked on yet.
    pub(super) was_reading: bool,
    /// The shards that made it fail, if it did for such.
    pub(super) stuck: Option<StuckShards>,
}

/// Performs a round with the shards of `feed`, and gives the new ones to `publish`, with their numbers.
pub(super) fn drive(
    round: Round<'_>,
    feed: &mut ShardFeed,
    publish: &mut (dyn FnMut(u64, MadeShard) -> Result<()> + Send),
) -> Driven {
    let Round { mut planner, tasks, origin, say } = round;
    let (events, happened) = channel();
    let (fed, written) = thread::scope(|scope| {
        let manifest = events.clone();
        let feeding = scope.spawn(move || tell(feed, tasks, origin, &manifest));
        let (failing, (made, makes)) = (events.clone(), channel());
        let writing = scope.spawn(move || write(&makes, publish, &failing));
        Driver { tasks, events, made, say }.run(scope, &mut planner, &happened);
        (feeding.join(), writing.join())
    });
    let (ranges, was_reading) = (planner.ranges().to_vec(), planner.is_reading());
    let stuck = planner.stuck();
    let written = written.unwrap_or_else(|_| Err(internal()));
    let result = match planner.finish() {
        Ok(report) if fed.is_ok() => written.map(|()| report),
        Ok(_) => Err(internal()),
        Err(failure) => Err(failure),
    };
    Driven { result, ranges, was_reading, stuck }
}

/// Tells of each shard that comes, until there are no more, or nothing more is wanted. One that lies on no host
/// that is there is made again.
fn tell(
    feed: &mut ShardFeed,
    tasks: &Tasks<'_>,
    origin: &ShardHosts,
    events: &Sender<PlannerEvent>,
) {
    // Nobody listens any more once all is over.
    let tell = |event| drop(events.send(event));
    while !tasks.is_stopped() {
        let event = match feed.next(LOOK_EVERY) {
            Ok(NextShard::Nothing) => continue,
            Ok(NextShard::End) => return tell(PlannerEvent::ManifestEnd),
            Ok(NextShard::Shard(at)) => {
                let shard = feed.shard(at);
                let is_there = |name: &str| {
                    tasks.hosts.iter().any(|host| host.name() == name && host.lost().is_none())
                };
                let mut moved = Ok(());
                // Whoever makes it again may reach hosts that are out of reach from here.
                while moved.is_ok()
                    && shard.contents.bytes > 0
                    && !shard.hosts.iter().any(|name| is_there(name))
                {
                    moved = origin.move_elsewhere(shard);
                }
                match moved {
                    Ok(()) => PlannerEvent::Shard(shard.clone()),
                    Err(error) => PlannerEvent::Aborted(error),
                }
            }
            Err(error) => PlannerEvent::Aborted(error),
        };
        let ends = matches!(event, PlannerEvent::Aborted(_));
        tell(event);
        if ends {
            return;
        }
    }
}

/// Publishes the shards, as they are made.
fn write(
    made: &Receiver<(u64, MadeShard)>,
    publish: &mut (dyn FnMut(u64, MadeShard) -> Result<()> + Send),
    events: &Sender<PlannerEvent>,
) -> Result<()> {
    let written = made.iter().try_for_each(|(number, made)| publish(number, made));
    if let Err(error) = &written {
        let _ = events.send(PlannerEvent::Aborted(same(error)));
    }
    written
}

/// What performs actions.
struct Driver<'a> {
    tasks: &'a Tasks<'a>,
    /// What happens is told here.
    events: Sender<PlannerEvent>,
    /// And what is made.
    made: Sender<(u64, MadeShard)>,
    say: &'a (dyn Fn(&str) + Send + Sync),
}

impl<'a> Driver<'a> {
    /// Performs what is planned until it is over, or has failed; `happened` is what is told.
    fn run<'s>(
        self,
        scope: &'s Scope<'s, 'a>,
        planner: &mut Planner,
        happened: &Receiver<PlannerEvent>,
    ) where
        'a: 's,
    {
        let mut lost = vec![false; self.tasks.hosts.len()];
        loop {
            for action in planner.actions() {
                self.perform(scope, action);
            }
            if planner.is_over() {
                break;
            }
            let Ok(event) = happened.recv() else { break };
            self.look_for_losses(planner, &mut lost);
            planner.handle(event);
            happened.try_iter().take(EVENTS_AT_ONCE).for_each(|event| planner.handle(event));
        }
        self.tasks.stopped.store(true, Ordering::SeqCst);
    }

    /// Tells of hosts that are lost and were not before.
    fn look_for_losses(&self, planner: &mut Planner, lost: &mut [bool]) {
        for (number, host) in self.tasks.hosts.iter().enumerate() {
            if !lost[number]
                && let Some(why) = host.lost()
            {
                lost[number] = true;
                let text = format!("{} is lost: {why}", host.shown());
                planner.handle(PlannerEvent::HostLost(number, Error::new(ErrorKind::Hosts, text)));
            }
        }
    }

    fn perform<'s>(&self, scope: &'s Scope<'s, 'a>, action: PlannerAction)
    where
        'a: 's,
    {
        let (tasks, events) = (self.tasks, self.events.clone());
        match action {
            PlannerAction::Ask(number, host, task) => {
                self.begin(scope, number, move || tasks.ask(number, host, task, &events));
            }
            PlannerAction::Relay(number, part) => {
                self.begin(scope, number, move || tasks.relay(part));
            }
            PlannerAction::Publish(number, host, contents) => {
                let host = host.map(|host| tasks.hosts[host].name().to_string());
                let made = MadeShard { hosts: host.into_iter().collect(), contents };
                // Whoever does not take it says why.
                let _ = self.made.send((number, made));
            }
            PlannerAction::Say(text) => (self.say)(&text),
            PlannerAction::Stop => tasks.stopped.store(true, Ordering::SeqCst),
        }
    }

    /// Begins a task on a thread of its own, which tells how it ends.
    fn begin<'s>(
        &self,
        scope: &'s Scope<'s, 'a>,
        number: u64,
        task: impl FnOnce() -> Result<HostAnswer> + Send + 's,
    ) where
        'a: 's,
    {
        let events = self.events.clone();
        let run = move || {
            let done = catch_unwind(AssertUnwindSafe(task)).unwrap_or_else(|_| Err(internal()));
            let _ = events.send(match done {
                Ok(answer) => PlannerEvent::Done(number, answer),
                Err(error) => PlannerEvent::Failed(number, error),
            });
        };
        if let Err(e) = thread::Builder::new().spawn_scoped(scope, run) {
            let error = Error::io("start", "a thread", &e);
            let _ = self.events.send(PlannerEvent::Failed(number, error));
        }
    }
}

/// The same error once more: one is told, the other is what it ends with.
fn same(error: &Error) -> Error {
    Error::new(error.kind(), error.to_string())
}

fn internal() -> Error {
    Error::incomplete("internal error")
}

//! What performs the plan of an exchange, and tells the planner what happened: a thread reads the
//! manifest, one writes that of the new shards, and each task has one as long as it is under way.
//! What is done, and when, is the planner's to say.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, Scope};
use std::time::Duration;

use crate::cluster::Connection;
use crate::engine::HostedShard;
use crate::engine::consumer::{self, Consumer, ahead, blame};
use crate::engine::exchange::planner::{
    ExchangeReport, HostAnswer, Planner, PlannerAction, PlannerEvent,
};
use crate::engine::exchange::tasks::Tasks;
use crate::engine::producer::Producer;
use crate::error::{Error, ErrorKind, Result};
use crate::record::digest::Contents;
use crate::record::stream::Output;

/// How many shards of the manifest are read ahead.
const AHEAD: usize = 64;

/// How many events the planner is told before it is asked what is to be done.
const EVENTS_AT_ONCE: usize = 64;

/// How often it is looked whether more of the manifest is wanted.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A shard that is made, as the manifest is to name it: the hosts that it lies on, if it holds
/// anything, and what it holds.
type MadeShard = (Vec<String>, Contents);

/// Performs what `planner` plans for the shards of `consumer`, which lie on `hosts`, and writes the
/// manifest's lines of the new ones to `output`.
///
/// # Errors
/// The first failure, or that of the tool that makes the shards when they are not there for that.
pub(super) fn drive(
    mut planner: Planner,
    hosts: &[Arc<Connection>],
    producer: &Producer,
    mut consumer: Box<Consumer>,
    output: &mut dyn Output,
) -> Result<ExchangeReport> {
    let owner = consumer.owner.take();
    let coming = ahead(move || consumer.next_shard(), AHEAD)?;
    let tasks = &Tasks::new(hosts, producer);
    let (events, happened) = channel();
    let (fed, written) = thread::scope(|scope| {
        let manifest = events.clone();
        let feeding = scope.spawn(move || {
            let fed = feed(&coming, &manifest, tasks);
            (fed, coming)
        });
        let (failing, (made, makes)) = (events.clone(), channel());
        let writing = scope.spawn(move || write(&makes, producer, output, &failing));
        Driver { tasks, events, made }.run(scope, &mut planner, &happened);
        (feeding.join(), writing.join())
    });
    let written = written.unwrap_or_else(|_| Err(internal()));
    let was_reading = planner.is_reading();
    match (planner.finish(), owner) {
        (Ok(report), _) => written.map(|()| report),
        (Err(failure), Some(owner)) if was_reading && failure.kind() == ErrorKind::Incomplete => {
            let end = match fed {
                Ok((Ok(true), _)) => Some(Ok(())),
                Ok((Ok(false), coming)) => consumer::end(&coming),
                Ok((Err(error), _)) => Some(Err(error)),
                Err(_) => None,
            };
            Err(blame(failure, &owner, end, || producer.has_inputs()))
        }
        (Err(failure), _) => Err(failure),
    }
}

/// Tells of each shard that comes, until there are no more, or nothing more is wanted. Whether there
/// are no more.
fn feed(
    coming: &Receiver<Result<Option<HostedShard>>>,
    events: &Sender<PlannerEvent>,
    tasks: &Tasks<'_>,
) -> Result<bool> {
    // Nobody listens any more once all is over.
    let tell = |event| drop(events.send(event));
    while !tasks.is_stopped() {
        let next = match coming.recv_timeout(LOOK_EVERY) {
            Ok(next) => next,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => {
                Err(Error::incomplete("internal error: the manifest's reader broke"))
            }
        };
        match next {
            Ok(Some(shard)) => tell(PlannerEvent::Shard(shard)),
            Ok(None) => {
                tell(PlannerEvent::ManifestEnd);
                return Ok(true);
            }
            Err(error) => {
                tell(PlannerEvent::Aborted(same(&error)));
                return Err(error);
            }
        }
    }
    Ok(false)
}

/// Writes the lines of the shards, as they are made.
fn write(
    made: &Receiver<MadeShard>,
    producer: &Producer,
    output: &mut dyn Output,
    events: &Sender<PlannerEvent>,
) -> Result<()> {
    let mut line = |(hosts, contents): MadeShard| {
        output.write(&producer.line(&hosts, &contents)?)?;
        output.flush()
    };
    let written = made.iter().try_for_each(&mut line);
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
    made: Sender<MadeShard>,
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
            PlannerAction::Publish(host, contents) => {
                let host = host.map(|host| tasks.hosts[host].name().to_string());
                // Whoever does not take it says why.
                let _ = self.made.send((host.into_iter().collect(), contents));
            }
            PlannerAction::Say(text) => tasks.producer.say(&text),
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

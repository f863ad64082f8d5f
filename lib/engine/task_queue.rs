//! Where the threads of a stage meet: pieces go from the reader to the slots, outcomes from the
//! slots to the writer, as the schedule says, and memory goes round.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::command::Rejects;
use crate::command::form::{Reject, TaskOutput};
use crate::engine::Piece;
use crate::engine::pace::Pace;
use crate::engine::schedule::{Next, OutcomePlace, Schedule};
use crate::engine::stragglers::{Straggler, Stragglers};
use crate::engine::work::Work;
use crate::error::{Error, Result};
use crate::parallel::{BufferPool, lock};
use crate::record::counters::Counters;
use crate::record::digest::Contents;
use crate::spool::Spool;

/// What became of a task.
#[derive(Debug)]
pub(crate) struct TaskOutcome {
    pub(crate) task: u64,
    /// Bad records of the input.
    pub(crate) rejects: Vec<Reject>,
    pub(crate) result: std::result::Result<Product, TaskFailure>,
}

/// What a task has made.
#[derive(Debug)]
pub(crate) enum Product {
    /// What its command printed, here, the records that were left out, and what it has counted.
    Here(TaskOutput, Option<Rejects>, Counters),
    /// A shard on a host.
    Shard(ShardResult),
}

impl Product {
    /// The hosts that it lies on.
    pub(crate) fn hosts(&self) -> Vec<String> {
        if let Product::Shard(made) = self { made.hosts.clone() } else { Vec::new() }
    }
}

/// A shard that a task has made.
#[derive(Debug, Default)]
pub(crate) struct ShardResult {
    /// Its number.
    pub(crate) number: u64,
    /// The hosts that it lies on; none where it holds nothing.
    pub(crate) hosts: Vec<String>,
    /// What it holds.
    pub(crate) contents: Contents,
    /// How many bad records were left out of it.
    pub(crate) rejected: u64,
    /// These, where they are to be judged here, and those that the command failed on.
    pub(crate) rejects: Option<Rejects>,
    /// What the command has counted.
    pub(crate) counters: Counters,
}

/// Why a task failed for good.
#[derive(Debug)]
pub(crate) struct TaskFailure {
    pub(crate) error: Error,
    /// Whether it was the command, so that there is something to run by hand.
    pub(crate) by_command: bool,
    /// What it was run on, where that is at hand.
    pub(crate) input: Option<Arc<Spool>>,
    /// The record that it was run on, where each is a run of its own.
    pub(crate) record: Option<Vec<u8>>,
}

impl From<Error> for TaskFailure {
    fn from(error: Error) -> TaskFailure {
        TaskFailure { error, by_command: false, input: None, record: None }
    }
}

/// What a slot is to do next.
pub(crate) enum Assignment {
    /// A task that begins, and its piece.
    Piece(u64, Box<Piece>),
    /// A second attempt at one that lags behind.
    Straggler(u64, Arc<Work>),
}

/// The meeting place.
pub(crate) struct TaskQueue {
    state: Mutex<QueueState>,
    changed: Condvar,
    /// From when times are counted.
    epoch: Instant,
    /// Whether tasks that lag behind at the end are tried a second time.
    speculates: bool,
    /// Memory of pieces and outcomes, which goes round.
    pub(crate) memory: BufferPool,
}

struct QueueState {
    schedule: Schedule,
    pace: Pace,
    /// The next piece, until a slot takes it.
    ready: Option<Piece>,
    running: Stragglers<Arc<Work>>,
    /// Tasks whose pieces are being prepared: they run soon.
    prepared: BTreeSet<u64>,
    outcomes: BTreeMap<u64, TaskOutcome>,
    /// Failures of attempts, while another one of their task is under way.
    set_back: BTreeMap<u64, TaskOutcome>,
}

impl TaskQueue {
    /// One for the tasks of `schedule`, whose sizes `pace` says, that keeps at most so many bytes of
    /// memory to be used again. Tasks that lag behind are tried a second time if it `speculates`.
    pub(crate) fn new(schedule: Schedule, pace: Pace, spare: usize, speculates: bool) -> TaskQueue {
        let state = QueueState {
            schedule,
            pace,
            ready: None,
            running: Stragglers::default(),
            prepared: BTreeSet::new(),
            outcomes: BTreeMap::new(),
            set_back: BTreeMap::new(),
        };
        let (state, memory) = (Mutex::new(state), BufferPool::new(spare));
        let (changed, epoch) = (Condvar::new(), Instant::now());
        TaskQueue { state, changed, epoch, speculates, memory }
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        lock(&self.state)
    }

    /// Waits until `done` gives something.
    fn wait<T>(&self, mut done: impl FnMut(&mut QueueState) -> Option<T>) -> T {
        let mut state = self.lock();
        loop {
            if let Some(result) = done(&mut state) {
                drop(state);
                self.changed.notify_all();
                return result;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Changes the state at once.
    fn change<T>(&self, change: impl FnOnce(&mut QueueState) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until a slot has taken the last piece: whether more are wanted.
    pub(crate) fn wants_more(&self) -> bool {
        self.wait(|state| match state.schedule.wants_more() {
            true if state.ready.is_some() => None,
            more => Some(more),
        })
    }

    /// Of about how many bytes the next piece is to be, when so many are left.
    pub(crate) fn size(&self, rest: Option<usize>) -> usize {
        self.lock().pace.size(rest)
    }

    /// A piece of `bytes` took so long.
    pub(crate) fn took(&self, bytes: u64, time: Duration) {
        self.lock().pace.took(bytes, time);
    }

    /// Takes what the reader has read: a piece, the end, or what went wrong, which fails the task
    /// that would have come next.
    pub(crate) fn offer(&self, piece: Result<Option<Piece>>) {
        self.change(|state| match piece {
            Ok(Some(piece)) => {
                state.pace.begun(piece.bytes());
                state.ready = Some(piece);
            }
            Ok(None) => state.schedule.complete(),
            Err(error) => {
                let task = state.schedule.start();
                let result = Err(TaskFailure::from(error));
                state.fail(TaskOutcome { task, rejects: Vec::new(), result });
            }
        });
    }

    /// What is to be done next; `None` when there is nothing more.
    pub(crate) fn take(&self) -> Option<Assignment> {
        let mut state = self.lock();
        loop {
            if state.schedule.is_failing() {
                return None;
            }
            if let Some(piece) = state.ready.take() {
                let task = state.schedule.start();
                state.prepared.insert(task);
                drop(state);
                self.changed.notify_all();
                return Some(Assignment::Piece(task, Box::new(piece)));
            }
            let lagging = match state.schedule.wants_more() {
                true => Straggler::Unknown,
                false if self.speculates => state.running.next(self.epoch.elapsed()),
                false => Straggler::None,
            };
            state = match lagging {
                Straggler::Now(task, work) => return Some(Assignment::Straggler(task, work)),
                Straggler::None if !self.speculates || state.prepared.is_empty() => return None,
                Straggler::None | Straggler::Unknown => {
                    self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
                }
                Straggler::After(time) => {
                    let waited = self.changed.wait_timeout(state, time);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// The first attempt at a task begins, on `work`.
    pub(crate) fn begun(&self, task: u64, work: &Arc<Work>) {
        let (now, work) = (self.epoch.elapsed(), Arc::clone(work));
        let mut state = self.lock();
        state.prepared.remove(&task);
        state.running.begun(task, now, work);
        drop(state);
        if self.speculates {
            // An idle slot may wait for it to lag behind.
            self.changed.notify_all();
        }
    }

    /// The hosts that attempts at a task are on.
    pub(crate) fn hosts_of(&self, task: u64) -> Vec<String> {
        self.lock().running.hosts(task)
    }

    /// An attempt at a task goes to `host`: whether no other one is there.
    pub(crate) fn goes_to(&self, task: u64, host: &str) -> bool {
        !self.lock().running.is_on(task, host).iter().any(|name| name == host)
    }

    /// An attempt at a task has left `host`.
    pub(crate) fn has_left(&self, task: u64, host: &str) {
        self.lock().running.has_left(task, host);
    }

    /// Whether what an attempt at a task makes may still count.
    pub(crate) fn wanted(&self, task: u64) -> bool {
        self.lock().schedule.wanted(task)
    }

    /// Whether an attempt at a task is to be ended.
    pub(crate) fn stops(&self, task: u64) -> bool {
        self.lock().schedule.stops(task)
    }

    /// Whether a task is tried again after this attempt.
    pub(crate) fn again(&self, task: u64, attempt: u32) -> bool {
        self.lock().schedule.again(task, attempt)
    }

    /// Hands over what came of an attempt, to which `rejects` adds the bad records of the input if it
    /// is the task's outcome; returns when it can wait without its slot, and whether it counts.
    pub(crate) fn finish(
        &self,
        mut outcome: TaskOutcome,
        rejects: impl FnOnce() -> Vec<Reject>,
    ) -> bool {
        loop {
            let (task, memory) = (outcome.task, outcome.memory());
            let place = self.wait(|state| {
                if outcome.result.is_err() {
                    return Some(OutcomePlace::AsItIs);
                }
                Some(state.schedule.place(task, memory))
                    .filter(|place| *place != OutcomePlace::Slot)
            });
            match place {
                OutcomePlace::File => match outcome.spill() {
                    Ok(memory) => self.memory.give(memory),
                    Err(error) => outcome.result = Err(error.into()),
                },
                _ => break,
            }
        }
        let now = self.epoch.elapsed();
        self.change(|state| state.finish(outcome, rejects, now))
    }

    /// Waits for the outcome that is next; `None` when all are out.
    pub(crate) fn next(&self) -> Option<TaskOutcome> {
        self.wait(|state| match state.schedule.upcoming() {
            Next::Wait => None,
            Next::End => Some(None),
            Next::Task(task) => Some(state.outcomes.remove(&task)),
        })
    }

    /// The outcome given last is written, and its memory free.
    pub(crate) fn out(&self, memory: Vec<u8>) {
        self.memory.give(memory);
        self.change(|state| state.schedule.out());
    }

    /// What the outcome given last holds is the end of the stage: it has failed after all.
    pub(crate) fn halt(&self, task: u64) {
        self.change(|state| {
            state.schedule.fail(task);
            state.outcomes.clear();
        });
    }

    /// Nothing is wanted any more.
    pub(crate) fn abandon(&self) {
        self.change(|state| {
            state.schedule.abandon();
            state.outcomes.clear();
        });
    }
}

impl QueueState {
    /// An attempt has come to its end: whether what it made counts.
    fn finish(
        &mut self,
        mut outcome: TaskOutcome,
        rejects: impl FnOnce() -> Vec<Reject>,
        now: Duration,
    ) -> bool {
        let (task, well) = (outcome.task, outcome.result.is_ok());
        self.prepared.remove(&task);
        let others = self.running.ended(task, now, well);
        let wanted = self.schedule.wanted(task);
        match well {
            true if wanted => {
                outcome.rejects = rejects();
                self.schedule.finish(task, outcome.memory(), outcome.has_file());
                self.outcomes.insert(task, outcome);
            }
            true => (),
            false if others > 0 => {
                self.set_back.entry(task).or_insert(outcome);
            }
            false => {
                // What failed first says why; one that came later may have been given up for it.
                let mut outcome = self.set_back.remove(&task).unwrap_or(outcome);
                outcome.rejects = rejects();
                self.fail(outcome);
            }
        }
        well && wanted
    }

    fn fail(&mut self, outcome: TaskOutcome) {
        if self.schedule.wanted(outcome.task) {
            self.schedule.fail(outcome.task);
            self.outcomes.retain(|&task, _| task < outcome.task);
            self.outcomes.insert(outcome.task, outcome);
        }
    }
}

impl TaskOutcome {
    fn spool(&self) -> Option<&Spool> {
        match &self.result {
            Ok(Product::Here(TaskOutput::Records(spool, _) | TaskOutput::Flawed(spool), ..)) => {
                Some(spool)
            }
            Ok(Product::Shard(made)) => made.rejects.as_ref().map(Rejects::bytes),
            Err(_) => None,
        }
    }

    fn memory(&self) -> usize {
        self.spool().map_or(0, Spool::memory)
    }

    fn has_file(&self) -> bool {
        self.spool().is_some_and(|spool| spool.spilled() > 0)
    }

    fn spill(&mut self) -> Result<Vec<u8>> {
        let spool = match &mut self.result {
            Ok(Product::Here(TaskOutput::Records(spool, _) | TaskOutput::Flawed(spool), ..)) => {
                spool
            }
            Ok(Product::Shard(ShardResult { rejects: Some(rejects), .. })) => rejects.bytes_mut(),
            Ok(Product::Shard(_)) | Err(_) => return Ok(Vec::new()),
        };
        spool.spill()?;
        Ok(spool.shrink().unwrap_or_default())
    }
}

//! Where the threads of a stage meet: pieces go from the reader to the slots, outcomes from the
//! slots to the writer, as the [`dispatch`](super::dispatch) says, and memory goes round.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::command::Rejects;
use crate::command::form::{Reject, TaskOutput};
use crate::engine::Piece;
use crate::engine::dispatch::{Dispatch, End, Turn};
use crate::engine::pace::Pace;
use crate::engine::schedule::{OutcomePlace, Schedule};
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
    /// Whether it says nothing of the task: attempts were given up, or were second ones.
    pub(crate) given_up: bool,
}

impl TaskFailure {
    /// Of attempts that are given up.
    pub(crate) fn given_up() -> TaskFailure {
        TaskFailure { given_up: true, ..Error::incomplete("stopped").into() }
    }
}

impl From<Error> for TaskFailure {
    fn from(error: Error) -> TaskFailure {
        TaskFailure { error, by_command: false, input: None, record: None, given_up: false }
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
    dispatch: Dispatch<Piece, Arc<Work>, TaskOutcome>,
    pace: Pace,
}

impl TaskQueue {
    /// One for the tasks of `schedule`, whose sizes `pace` says, that keeps at most so many bytes of
    /// memory to be used again. Tasks that lag behind are tried a second time if it `speculates`.
    pub(crate) fn new(schedule: Schedule, pace: Pace, spare: usize, speculates: bool) -> TaskQueue {
        let state = QueueState { dispatch: Dispatch::new(schedule, speculates), pace };
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
        self.wait(|state| state.dispatch.wants_more())
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
                state.dispatch.offer(piece);
            }
            Ok(None) => state.dispatch.complete(),
            Err(error) => state.dispatch.break_off(|task| {
                let result = Err(TaskFailure::from(error));
                TaskOutcome { task, rejects: Vec::new(), result }
            }),
        });
    }

    /// What is to be done next; `None` when there is nothing more.
    pub(crate) fn take(&self) -> Option<Assignment> {
        let mut state = self.lock();
        loop {
            state = match state.dispatch.turn(self.epoch.elapsed()) {
                Turn::End => return None,
                Turn::Straggler(task, work) => return Some(Assignment::Straggler(task, work)),
                Turn::Piece(task, piece) => {
                    drop(state);
                    self.changed.notify_all();
                    return Some(Assignment::Piece(task, Box::new(piece)));
                }
                Turn::Wait(None) => {
                    self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
                }
                Turn::Wait(Some(time)) => {
                    let waited = self.changed.wait_timeout(state, time);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// The first attempt at a task begins, on `work`.
    pub(crate) fn begun(&self, task: u64, work: &Arc<Work>) {
        let (now, work) = (self.epoch.elapsed(), Arc::clone(work));
        self.lock().dispatch.begun(task, now, work);
        if self.speculates {
            // An idle slot may wait for it to lag behind.
            self.changed.notify_all();
        }
    }

    /// The hosts that attempts at a task are on, or what they made.
    pub(crate) fn hosts_of(&self, task: u64) -> Vec<String> {
        self.lock().dispatch.hosts_of(task)
    }

    /// As [`Dispatch::goes_to`].
    pub(crate) fn goes_to(&self, task: u64, host: &str, first: u32) -> Option<u32> {
        self.lock().dispatch.goes_to(task, host, first)
    }

    /// An attempt at a task has left `host`, and what it made there, if it did, is of no use.
    pub(crate) fn has_left(&self, task: u64, host: &str) {
        self.lock().dispatch.has_left(task, host);
        if self.speculates {
            // Another one may wait for the host.
            self.changed.notify_all();
        }
    }

    /// Waits for attempts at a task to leave the hosts `taken`: whether others of it go on then.
    pub(crate) fn is_free(&self, task: u64, taken: &[String]) -> bool {
        self.wait(|state| state.dispatch.is_free(task, taken))
    }

    /// Whether what an attempt at a task makes may still count.
    pub(crate) fn wanted(&self, task: u64) -> bool {
        self.lock().dispatch.schedule().wanted(task)
    }

    /// Whether the stage fails.
    pub(crate) fn is_failing(&self) -> bool {
        self.lock().dispatch.schedule().is_failing()
    }

    /// Whether an attempt at a task is to be ended.
    pub(crate) fn stops(&self, task: u64) -> bool {
        self.lock().dispatch.schedule().stops(task)
    }

    /// Whether a task is tried again after this attempt.
    pub(crate) fn again(&self, task: u64, attempt: u32) -> bool {
        self.lock().dispatch.schedule().again(task, attempt)
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
                Some(state.dispatch.place(task, memory))
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
        let end = match &outcome.result {
            Ok(_) => End::Well(outcome.memory(), outcome.has_file()),
            Err(failure) if failure.given_up => End::GivenUp,
            Err(_) => End::Failed,
        };
        let (now, finished) = (self.epoch.elapsed(), (outcome.task, end, outcome));
        self.change(|state| {
            state.dispatch.finish(finished, now, |outcome| outcome.rejects = rejects())
        })
    }

    /// Waits for the outcome that is next; `None` when all are out.
    pub(crate) fn next(&self) -> Option<TaskOutcome> {
        self.wait(|state| state.dispatch.next())
    }

    /// The outcome given last is written, and its memory free.
    pub(crate) fn out(&self, memory: Vec<u8>) {
        self.memory.give(memory);
        self.change(|state| state.dispatch.out());
    }

    /// What the outcome given last holds is the end of the stage: it has failed after all.
    pub(crate) fn halt(&self, task: u64) {
        self.change(|state| state.dispatch.halt(task));
    }

    /// Nothing is wanted any more.
    pub(crate) fn abandon(&self) {
        self.change(|state| state.dispatch.abandon());
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

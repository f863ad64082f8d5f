//! Where the threads of a stage meet: pieces go from the reader to the slots, outcomes from the
//! slots to the writer, as the schedule says, and memory goes round.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::command::Rejects;
use crate::command::form::{Reject, TaskOutput};
use crate::engine::Piece;
use crate::engine::pace::Pace;
use crate::engine::schedule::{Next, OutcomePlace, Schedule};
use crate::error::{Error, Result};
use crate::parallel::{BufferPool, lock};
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
    /// What its command printed, here, and the records that were left out.
    Here(TaskOutput, Option<Rejects>),
    /// A shard on a host.
    Shard(ShardResult),
}

/// A shard that a task has made.
#[derive(Debug, Default)]
pub(crate) struct ShardResult {
    /// The hosts that it lies on; none where it holds nothing.
    pub(crate) hosts: Vec<String>,
    /// What it holds.
    pub(crate) contents: Contents,
    /// How many bad records were left out of it.
    pub(crate) rejected: u64,
    /// These, where they are to be judged here, and those that the command failed on.
    pub(crate) rejects: Option<Rejects>,
}

/// Why a task failed for good.
#[derive(Debug)]
pub(crate) struct TaskFailure {
    pub(crate) error: Error,
    /// Whether it was the command, so that there is something to run by hand.
    pub(crate) by_command: bool,
    /// What it was run on, where that is at hand.
    pub(crate) input: Option<Spool>,
    /// The record that it was run on, where each is a run of its own.
    pub(crate) record: Option<Vec<u8>>,
}

impl From<Error> for TaskFailure {
    fn from(error: Error) -> TaskFailure {
        TaskFailure { error, by_command: false, input: None, record: None }
    }
}

/// The meeting place.
pub(crate) struct TaskQueue {
    state: Mutex<QueueState>,
    changed: Condvar,
    /// Memory of pieces and outcomes, which goes round.
    pub(crate) memory: BufferPool,
}

struct QueueState {
    schedule: Schedule,
    pace: Pace,
    /// The next piece, until a slot takes it.
    ready: Option<Piece>,
    outcomes: BTreeMap<u64, TaskOutcome>,
}

impl TaskQueue {
    /// One for the tasks of `schedule`, whose sizes `pace` says, that keeps at most so many bytes of
    /// memory to be used again.
    pub(crate) fn new(schedule: Schedule, pace: Pace, spare: usize) -> TaskQueue {
        let state = QueueState { schedule, pace, ready: None, outcomes: BTreeMap::new() };
        let (state, memory) = (Mutex::new(state), BufferPool::new(spare));
        TaskQueue { state, changed: Condvar::new(), memory }
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

    /// The next piece and the number of its task; `None` when there are no more.
    pub(crate) fn take(&self) -> Option<(u64, Piece)> {
        self.wait(|state| match state.ready.take() {
            _ if state.schedule.is_failing() => Some(None),
            Some(piece) => Some(Some((state.schedule.start(), piece))),
            None if state.schedule.wants_more() => None,
            None => Some(None),
        })
    }

    /// Whether a task may still count.
    pub(crate) fn wanted(&self, task: u64) -> bool {
        self.lock().schedule.wanted(task)
    }

    /// Whether a task is tried again after this attempt.
    pub(crate) fn again(&self, task: u64, attempt: u32) -> bool {
        self.lock().schedule.again(task, attempt)
    }

    /// Hands an outcome over; returns when it can wait without its slot.
    pub(crate) fn finish(&self, mut outcome: TaskOutcome) {
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
                OutcomePlace::Nowhere => return,
                _ => break,
            }
        }
        self.change(|state| match outcome.result {
            Ok(_) => {
                state.schedule.finish(outcome.task, outcome.memory(), outcome.has_file());
                state.outcomes.insert(outcome.task, outcome);
            }
            Err(_) => state.fail(outcome),
        });
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

    /// Nothing is wanted any more.
    pub(crate) fn abandon(&self) {
        self.change(|state| {
            state.schedule.abandon();
            state.outcomes.clear();
        });
    }
}

impl QueueState {
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
            Ok(Product::Here(TaskOutput::Records(spool, _) | TaskOutput::Flawed(spool), _)) => {
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
            Ok(Product::Here(TaskOutput::Records(spool, _) | TaskOutput::Flawed(spool), _)) => {
                spool
            }
            Ok(Product::Shard(ShardResult { rejects: Some(rejects), .. })) => rejects.bytes_mut(),
            Ok(Product::Shard(_)) | Err(_) => return Ok(Vec::new()),
        };
        spool.spill()?;
        Ok(spool.shrink().unwrap_or_default())
    }
}

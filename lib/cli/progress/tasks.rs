//! What the engine tells of tasks and shards, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::observer::{AttemptOutcome, EventSink, RunEvent, TaskWork};
use crate::pipe::gauge::TaskCounts;
use crate::pipe::meter;

/// How many there were of each.
#[derive(Debug, Default)]
pub(super) struct TaskTally {
    done: AtomicU64,
    again: AtomicU64,
    /// Tasks that the pieces that are read do not tell the number of.
    uncounted: AtomicU64,
}

impl TaskTally {
    /// What is known of tasks, while so many are worked on; `all` is how many pieces were read, if these
    /// are all. None where there are no tasks.
    pub(super) fn counts(&self, running: usize, all: Option<u64>) -> Option<TaskCounts> {
        let (done, again) = (self.done.load(Ordering::Relaxed), self.again.load(Ordering::Relaxed));
        let all = all.filter(|all| *all >= done && self.uncounted.load(Ordering::Relaxed) == 0);
        let running = running as u64;
        (running + done + again > 0).then_some(TaskCounts { running, done, again, all })
    }
}

impl EventSink for TaskTally {
    fn take(&self, event: &RunEvent<'_>) {
        match event {
            RunEvent::Attempt(note) => match note.outcome {
                AttemptOutcome::Done => {
                    self.done.fetch_add(1, Ordering::Relaxed);
                    if !matches!(note.work, TaskWork::Command | TaskWork::Store) {
                        self.uncounted.fetch_add(1, Ordering::Relaxed);
                    }
                    // What is merged was sorted before, and read then.
                    if !matches!(note.work, TaskWork::Merge | TaskWork::Rebuild) {
                        let (records, bytes) = (note.fed.records, note.fed.bytes);
                        let meter = meter::of_process();
                        meter.read_shard(records.unwrap_or(0), bytes.unwrap_or(0));
                    }
                }
                AttemptOutcome::Again | AttemptOutcome::Lost => {
                    self.again.fetch_add(1, Ordering::Relaxed);
                }
                AttemptOutcome::Failed | AttemptOutcome::Superseded | AttemptOutcome::Stopped => (),
            },
            RunEvent::Shard { contents, .. } => {
                meter::of_process().made_shard(contents.records, contents.bytes);
            }
            RunEvent::Command { .. }
            | RunEvent::Failure { .. }
            | RunEvent::ReadsRun(_)
            | RunEvent::MakesRun(_) => (),
        }
    }

    fn wants_lines(&self) -> bool {
        false
    }
}

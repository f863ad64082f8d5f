//! The tasks of a stage, from their pieces to their outcomes: what a slot that is free does next, which of the
//! attempts at a task counts, and what comes out. It knows no thread, no clock and no bytes, so that every order of
//! events can be played to it: who waits, and for what, is the [`task_queue`](super::task_queue)'s.
//!
//! `P` is a piece, `W` what attempts work on, `O` what came of one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::engine::schedule::{Next, OutcomePlace, Schedule};
use crate::engine::stragglers::{Straggler, Stragglers};

/// The tasks.
#[derive(Debug)]
pub(crate) struct Dispatch<P, W, O> {
    schedule: Schedule,
    /// Whether tasks that lag behind at the end are tried a second time.
    speculates: bool,
    /// The next piece, until a slot takes it.
    ready: Option<P>,
    running: Stragglers<W>,
    /// Tasks whose pieces are being prepared: they run soon.
    prepared: BTreeSet<u64>,
    outcomes: BTreeMap<u64, O>,
    /// Failures of first attempts, while second ones are under way.
    set_back: BTreeMap<u64, O>,
}

/// What a slot that is free does.
#[derive(Debug)]
pub(crate) enum Turn<P, W> {
    /// It begins a task with this piece.
    Piece(u64, P),
    /// It begins a second attempt at one that lags behind.
    Straggler(u64, W),
    /// It waits until something changes, but no longer than this.
    Wait(Option<Duration>),
    /// There is nothing more for it.
    End,
}

/// How attempts at a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Well: what was made takes so much memory, and whether it has a file.
    Well(usize, bool),
    /// They failed.
    Failed,
    /// They were given up, for what they might have made is not wanted any more; or they were second ones, which
    /// are tried no more: the first ones say how the task failed.
    GivenUp,
}

impl<P, W: Clone, O> Dispatch<P, W, O> {
    /// Tasks as `schedule` has them. Those that lag behind are tried a second time if it `speculates`.
    pub(crate) fn new(schedule: Schedule, speculates: bool) -> Dispatch<P, W, O> {
        Dispatch {
            schedule,
            speculates,
            ready: None,
            running: Stragglers::default(),
            prepared: BTreeSet::new(),
            outcomes: BTreeMap::new(),
            set_back: BTreeMap::new(),
        }
    }

    /// The order of the tasks, and what becomes of each.
    pub(crate) fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Whether more pieces are wanted; `None` as long as nobody has taken the last one.
    pub(crate) fn wants_more(&self) -> Option<bool> {
        match self.schedule.wants_more() {
            true if self.ready.is_some() => None,
            more => Some(more),
        }
    }

    /// There is another piece.
    pub(crate) fn offer(&mut self, piece: P) {
        self.ready = Some(piece);
    }

    /// There are no more.
    pub(crate) fn complete(&mut self) {
        self.schedule.complete();
    }

    /// There can be no more: this is what comes of the task that would have been next.
    pub(crate) fn break_off(&mut self, outcome: impl FnOnce(u64) -> O) {
        let task = self.schedule.start();
        self.fail(task, outcome(task));
    }

    /// What a slot that is free does now.
    pub(crate) fn turn(&mut self, now: Duration) -> Turn<P, W> {
        if self.schedule.is_failing() {
            return Turn::End;
        }
        if let Some(piece) = self.ready.take() {
            let task = self.schedule.start();
            self.prepared.insert(task);
            return Turn::Piece(task, piece);
        }
        let lagging = match self.schedule.wants_more() {
            true => Straggler::Unknown,
            false if self.speculates => self.running.next(now),
            false => Straggler::None,
        };
        match lagging {
            Straggler::Now(task, work) => Turn::Straggler(task, work),
            Straggler::None if !self.speculates || self.prepared.is_empty() => Turn::End,
            Straggler::None | Straggler::Unknown => Turn::Wait(None),
            Straggler::After(time) => Turn::Wait(Some(time)),
        }
    }

    /// The first attempts at a task begin, on `work`.
    pub(crate) fn begun(&mut self, task: u64, now: Duration, work: W) {
        self.prepared.remove(&task);
        self.running.begun(task, now, work);
    }

    /// The hosts that attempts at a task are on, or what they made.
    pub(crate) fn hosts_of(&self, task: u64) -> Vec<String> {
        self.running.hosts(task)
    }

    /// An attempt at a task goes to `host`: its number, from `first` on, which no other one has. None where another
    /// one is, or what it made.
    pub(crate) fn goes_to(&mut self, task: u64, host: &str, first: u32) -> Option<u32> {
        self.running.goes_to(task, host, first)
    }

    /// Whether attempts at a task go on that wait for others to leave the hosts `taken`: `None` as long as they wait.
    pub(crate) fn is_free(&self, task: u64, taken: &[String]) -> Option<bool> {
        match self.schedule.stops(task) {
            true => Some(false),
            false if self.running.hosts(task) != taken => Some(true),
            // The others have ended well, and it is not wanted any more.
            false if self.running.attempts(task) < 2 => Some(false),
            false => None,
        }
    }

    /// An attempt at a task has left `host`, and what it made there, if it did, is of no use.
    pub(crate) fn has_left(&mut self, task: u64, host: &str) {
        self.running.has_left(task, host);
    }

    /// Where what attempts at a task have made, of which `memory` bytes are in memory, is to wait.
    pub(crate) fn place(&self, task: u64, memory: usize) -> OutcomePlace {
        self.schedule.place(task, memory)
    }

    /// Attempts at a task have come to their end, and `outcome` is what came of them, to which `settle` adds what
    /// there is to add if it is the task's: whether what they made counts.
    pub(crate) fn finish(
        &mut self,
        (task, end, mut outcome): (u64, End, O),
        now: Duration,
        settle: impl FnOnce(&mut O),
    ) -> bool {
        self.prepared.remove(&task);
        let others = self.running.ended(task, now, matches!(end, End::Well(..)));
        let wanted = self.schedule.wanted(task);
        match end {
            End::Well(memory, has_file) if wanted => {
                settle(&mut outcome);
                self.schedule.finish(task, memory, has_file);
                self.outcomes.insert(task, outcome);
                return true;
            }
            End::Well(..) => (),
            End::GivenUp if others > 0 => (),
            End::Failed if others > 0 => {
                self.set_back.insert(task, outcome);
            }
            End::Failed | End::GivenUp => {
                let mut outcome = self.set_back.remove(&task).unwrap_or(outcome);
                settle(&mut outcome);
                self.fail(task, outcome);
            }
        }
        false
    }

    fn fail(&mut self, task: u64, outcome: O) {
        if self.schedule.wanted(task) {
            self.schedule.fail(task);
            self.outcomes.retain(|&other, _| other < task);
            self.outcomes.insert(task, outcome);
        }
    }

    /// The outcome that is next, or none when all are out; `None` as long as it is not there.
    pub(crate) fn next(&mut self) -> Option<Option<O>> {
        match self.schedule.upcoming() {
            Next::Wait => None,
            Next::End => Some(None),
            Next::Task(task) => Some(self.outcomes.remove(&task)),
        }
    }

    /// The outcome given last is written.
    pub(crate) fn out(&mut self) {
        self.schedule.out();
    }

    /// What the outcome given last holds is the end of the stage: it has failed after all.
    pub(crate) fn halt(&mut self, task: u64) {
        self.schedule.fail(task);
        self.outcomes.clear();
    }

    /// Nothing is wanted any more.
    pub(crate) fn abandon(&mut self) {
        self.schedule.abandon();
        self.outcomes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_attempts_at_a_task_one_counts() {
        let now = Duration::from_secs;
        let mut tasks: Dispatch<(), (), &str> = Dispatch::new(Schedule::new(0, 1000, 10), true);
        for task in [1, 2] {
            tasks.offer(());
            assert!(matches!(tasks.turn(now(0)), Turn::Piece(number, ()) if number == task));
            tasks.begun(task, now(0), ());
        }
        tasks.complete();
        let mut settled = Vec::new();
        let mut ends = |tasks: &mut Dispatch<_, _, _>, task, outcome| {
            let well = (task, End::Well(0, false), outcome);
            tasks.finish(well, now(1001), |outcome| settled.push(*outcome))
        };
        assert!(ends(&mut tasks, 1, "one"));
        assert!(matches!(tasks.turn(now(100_000)), Turn::Straggler(2, ())));
        assert!(ends(&mut tasks, 2, "two, tried again"));
        // Late, the other one is nothing any more.
        assert!(!ends(&mut tasks, 2, "two"));
        for outcome in ["one", "two, tried again"] {
            assert_eq!(tasks.next(), Some(Some(outcome)));
            tasks.out();
        }
        assert_eq!(tasks.next(), Some(None));
        assert_eq!(settled, ["one", "two, tried again"]);
    }
}

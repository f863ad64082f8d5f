//! Which task runs, which runs again, whose output is next: a state machine that knows no clock,
//! no thread and no process, so that every order of events can be played to it.
//!
//! Tasks are numbered from 1 in the order of the input, and their outcomes leave in that order.
//! The first task that fails for good ends the stage: those before it still count, those behind it
//! are not wanted any more, and [`Halt`] may have it otherwise.
//!
//! A task may have two attempts under way: what one of them makes counts, and the other's is not
//! wanted from then on.

use std::collections::BTreeMap;

/// Where a finished task's output is to wait for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomePlace {
    /// In memory, or wherever it is.
    AsItIs,
    /// In a file: there is no memory left, and its turn may be far.
    File,
    /// In the hands of its slot, which does nothing else meanwhile.
    Slot,
    /// Nowhere: nobody wants it.
    Nowhere,
}

/// What comes next out of the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The outcome of this task, which is there.
    Task(u64),
    /// Something that is not there yet.
    Wait,
    /// Nothing: all is out.
    End,
}

/// What becomes of the tasks that run, once one has failed for good. None begins any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Halt {
    /// Those before it count, and run to their end; those behind it are ended.
    #[default]
    Behind,
    /// All run to their end, though those behind it do not count.
    Soon,
    /// All are ended, and nothing more comes out.
    Now,
}

/// The state of all tasks of a stage.
#[derive(Debug)]
pub struct Schedule {
    retries: u32,
    halt: Halt,
    memory_bytes: usize,
    files: usize,
    /// How many tasks there are so far.
    started: u64,
    /// Whether there will be no more.
    complete: bool,
    /// The first task that failed for good: in the order of the input, and with [`Halt::Now`] in
    /// time.
    failed: Option<u64>,
    /// Whether all that is under way is to end at once.
    abandoned: bool,
    /// The task whose outcome is next, or is being written.
    next: u64,
    /// Whether it is being written.
    writing: bool,
    /// The outcomes that wait: how much memory each takes, and whether it has a file.
    waiting: BTreeMap<u64, (usize, bool)>,
    /// What they come to: bytes of memory, and files.
    held: (usize, usize),
}

impl Schedule {
    /// With so many more attempts for each task, and so much memory, and so many files, for
    /// outputs that wait.
    pub fn new(retries: u32, memory_bytes: usize, files: usize) -> Schedule {
        Schedule {
            retries,
            halt: Halt::default(),
            memory_bytes,
            files,
            started: 0,
            complete: false,
            failed: None,
            abandoned: false,
            next: 1,
            writing: false,
            waiting: BTreeMap::new(),
            held: (0, 0),
        }
    }

    /// An outcome waits.
    fn wait(&mut self, task: u64, memory: usize, has_file: bool) {
        self.forget(task);
        self.waiting.insert(task, (memory, has_file));
        self.held = (self.held.0 + memory, self.held.1 + usize::from(has_file));
    }

    /// It waits no more, if it did.
    fn forget(&mut self, task: u64) {
        if let Some((memory, has_file)) = self.waiting.remove(&task) {
            self.held = (self.held.0 - memory, self.held.1 - usize::from(has_file));
        }
    }

    /// Those of `task` and of all behind it wait no more.
    fn forget_from(&mut self, task: u64) {
        for behind in self.waiting.split_off(&task).into_values() {
            self.held = (self.held.0 - behind.0, self.held.1 - usize::from(behind.1));
        }
    }

    /// The same, but that tasks are halted as `halt` says.
    pub fn halting(self, halt: Halt) -> Schedule {
        Schedule { halt, ..self }
    }

    /// There is a piece for another task: its number.
    pub fn start(&mut self) -> u64 {
        self.started += 1;
        self.started
    }

    /// There are no more pieces.
    pub fn complete(&mut self) {
        self.complete = true;
    }

    /// Attempt number `attempt` of a task went wrong: whether there is to be another.
    pub fn again(&self, task: u64, attempt: u32) -> bool {
        self.wanted(task) && attempt <= self.retries
    }

    /// A task has failed for good; its outcome is that failure.
    pub fn fail(&mut self, task: u64) {
        self.failed = Some(self.failed.map_or(task, |first| first.min(task)));
        match self.halt {
            Halt::Behind | Halt::Soon => self.forget_from(task),
            Halt::Now => {
                self.forget_from(0);
                if !self.writing {
                    self.next = task;
                }
            }
        }
        self.wait(task, 0, false);
    }

    /// Nothing of this stage is wanted any more.
    pub fn abandon(&mut self) {
        self.failed = Some(0);
        self.abandoned = true;
        self.forget_from(0);
    }

    /// Whether what an attempt at a task makes may still count.
    pub fn wanted(&self, task: u64) -> bool {
        let halts_at = self.failed.map(|first| if self.halt == Halt::Now { 0 } else { first });
        halts_at.is_none_or(|first| task < first) && !self.is_finished(task)
    }

    /// Whether an attempt at a task is to be ended.
    pub fn stops(&self, task: u64) -> bool {
        self.abandoned || self.is_finished(task) || (self.halt != Halt::Soon && !self.wanted(task))
    }

    /// Whether a task has its outcome.
    fn is_finished(&self, task: u64) -> bool {
        task < self.next || self.waiting.contains_key(&task)
    }

    /// Whether a task has failed for good.
    pub fn is_failing(&self) -> bool {
        self.failed.is_some()
    }

    /// Whether more pieces are wanted.
    pub fn wants_more(&self) -> bool {
        self.failed.is_none() && !self.complete
    }

    /// Where the output of a finished task waits, of which `memory` bytes are in memory.
    pub fn place(&self, task: u64, memory: usize) -> OutcomePlace {
        let (held, files) = self.held;
        if !self.wanted(task) {
            OutcomePlace::Nowhere
        } else if task == self.next || memory == 0 || held + memory <= self.memory_bytes {
            OutcomePlace::AsItIs
        } else if self.is_there(self.next) {
            // The reader of our output is what is slow: files would not help.
            OutcomePlace::Slot
        } else if files < self.files {
            OutcomePlace::File
        } else {
            OutcomePlace::Slot
        }
    }

    /// The output of a task, of which `memory` bytes are in memory, waits from now on.
    pub fn finish(&mut self, task: u64, memory: usize, has_file: bool) {
        self.wait(task, memory, has_file);
    }

    fn is_there(&self, task: u64) -> bool {
        self.writing || self.waiting.contains_key(&task)
    }

    /// What comes out next; a task that is named counts as being written until [`Schedule::out`].
    pub fn upcoming(&mut self) -> Next {
        if self.waiting.contains_key(&self.next) {
            self.writing = true;
            Next::Task(self.next)
        } else if self.complete && self.next > self.started {
            Next::End
        } else {
            Next::Wait
        }
    }

    /// The task named last is out.
    pub fn out(&mut self) {
        self.forget(self.next);
        self.writing = false;
        self.next = match (self.halt, self.failed) {
            (Halt::Now, Some(task)) => task,
            _ => self.next + 1,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn outcomes_leave_in_the_order_of_the_input() {
        let mut schedule = Schedule::new(1, 10, 9);
        assert_eq!((schedule.start(), schedule.start(), schedule.start()), (1, 2, 3));
        assert_eq!(schedule.upcoming(), Next::Wait);
        assert_eq!(schedule.place(2, 8), OutcomePlace::AsItIs);
        schedule.finish(2, 8, false);
        assert_eq!(schedule.place(3, 8), OutcomePlace::File);
        schedule.finish(3, 0, true);
        assert_eq!(schedule.upcoming(), Next::Wait);
        schedule.finish(1, 99, false);
        schedule.complete();
        for task in 1..=3 {
            assert_eq!(schedule.upcoming(), Next::Task(task));
            schedule.out();
        }
        assert_eq!(schedule.upcoming(), Next::End);
    }

    #[test]
    fn a_slow_reader_holds_slots_and_fills_no_files() {
        let mut schedule = Schedule::new(1, 10, 9);
        schedule.start();
        schedule.start();
        schedule.finish(1, 10, false);
        assert_eq!(schedule.place(2, 5), OutcomePlace::Slot);
        assert_eq!(schedule.upcoming(), Next::Task(1));
        assert_eq!(schedule.place(2, 5), OutcomePlace::Slot);
        schedule.out();
        assert_eq!(schedule.place(2, 5), OutcomePlace::AsItIs);
    }

    #[test]
    fn the_first_failure_counts_and_what_is_before_it() {
        let mut schedule = Schedule::new(1, 100, 9);
        for _ in 0..4 {
            schedule.start();
        }
        assert!(schedule.again(3, 1) && !schedule.again(3, 2));
        schedule.finish(4, 1, false);
        schedule.fail(3);
        assert!(schedule.wanted(2) && !schedule.wanted(3) && !schedule.again(4, 1));
        assert_eq!(schedule.place(4, 1), OutcomePlace::Nowhere);
        assert!(!schedule.wants_more());
        schedule.fail(2);
        schedule.finish(1, 1, false);
        assert_eq!(schedule.upcoming(), Next::Task(1));
        schedule.out();
        assert_eq!(schedule.upcoming(), Next::Task(2));
    }

    #[test]
    fn now_ends_all_and_soon_ends_none() {
        let started = |halt| {
            let mut schedule = Schedule::new(1, 100, 9).halting(halt);
            for _ in 0..4 {
                schedule.start();
            }
            schedule.finish(1, 1, false);
            assert_eq!(schedule.upcoming(), Next::Task(1));
            schedule.fail(3);
            schedule
        };
        let stopping = |schedule: &Schedule| [2, 4].map(|task| schedule.stops(task));
        let mut behind = started(Halt::Behind);
        assert_eq!((stopping(&behind), behind.wanted(2)), ([false, true], true));
        behind.out();
        assert_eq!(behind.upcoming(), Next::Wait);
        let mut soon = started(Halt::Soon);
        assert_eq!((stopping(&soon), soon.wanted(2), soon.wanted(4)), ([false; 2], true, false));
        assert!(!soon.again(4, 1));
        soon.abandon();
        assert_eq!(stopping(&soon), [true; 2]);
        let mut now = started(Halt::Now);
        assert_eq!((stopping(&now), now.wanted(2)), ([true; 2], false));
        now.out();
        assert_eq!(now.upcoming(), Next::Task(3));
        let mut idle = Schedule::new(1, 100, 9).halting(Halt::Now);
        assert_eq!((idle.start(), idle.start()), (1, 2));
        idle.fail(2);
        assert_eq!(idle.upcoming(), Next::Task(2));
    }

    #[test]
    fn of_two_attempts_one_counts() {
        let mut schedule = Schedule::new(1, 100, 9);
        assert_eq!((schedule.start(), schedule.start()), (1, 2));
        schedule.finish(2, 1, false);
        assert!(schedule.stops(2) && !schedule.wanted(2) && !schedule.again(2, 1));
        assert_eq!(schedule.place(2, 1), OutcomePlace::Nowhere);
        assert!(schedule.wanted(1) && !schedule.stops(1));
        schedule.finish(1, 1, false);
        assert_eq!(schedule.upcoming(), Next::Task(1));
        schedule.out();
        assert!(schedule.stops(1) && !schedule.wanted(1));
    }

    proptest! {
        /// Slots of random speed, random failures: every outcome up to the first failure leaves
        /// once, in order, and the memory for what waits is never exceeded (but by the next one).
        #[test]
        fn any_order_of_events_ends_well(
            slots in 1usize..6,
            events in proptest::collection::vec((0usize..6, 0usize..20, 0u32..10), 1..400),
        ) {
            const MEMORY: usize = 30;
            let mut schedule = Schedule::new(1, MEMORY, 2);
            let mut running: Vec<(u64, u32)> = Vec::new();
            let (mut out, mut first_failure) = (Vec::new(), u64::MAX);
            for (pick, size, luck) in events.iter().copied().cycle().take(events.len() + 400) {
                let feeding = schedule.started < events.len() as u64 / 2;
                if !feeding && schedule.wants_more() {
                    schedule.complete();
                }
                if feeding && running.len() < slots && schedule.wants_more() {
                    running.push((schedule.start(), 1));
                } else if !running.is_empty() {
                    let at = pick % running.len();
                    let (task, attempt) = running[at];
                    if !schedule.wanted(task) {
                        running.remove(at);
                    } else if luck == 0 && schedule.again(task, attempt) {
                        running[at].1 += 1;
                    } else if luck == 0 {
                        schedule.fail(task);
                        first_failure = first_failure.min(task);
                        running.remove(at);
                    } else {
                        match schedule.place(task, size) {
                            OutcomePlace::AsItIs => schedule.finish(task, size, false),
                            OutcomePlace::File => schedule.finish(task, 0, true),
                            OutcomePlace::Slot => continue,
                            OutcomePlace::Nowhere => (),
                        }
                        running.remove(at);
                    }
                }
                let held: usize = schedule.waiting.values().map(|(bytes, _)| bytes).sum();
                let files = schedule.waiting.values().filter(|(_, file)| *file).count();
                prop_assert!(held <= MEMORY + 20 && schedule.held == (held, files));
                if let Next::Task(task) = schedule.upcoming() && luck % 2 == 0 {
                    schedule.out();
                    out.push(task);
                }
            }
            let whole: Vec<u64> = (1..=out.len() as u64).collect();
            prop_assert_eq!(&out, &whole);
            prop_assert!(out.iter().all(|&task| task <= first_failure));
        }
    }
}

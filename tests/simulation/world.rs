//! What is played: the reader, the slots and the writer of a stage, and its hosts. Each step one of those does
//! something that can.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::engine::copies::Copies;
use crate::engine::dispatch::Dispatch;
use crate::engine::roster::Roster;
use crate::engine::schedule::Schedule;
use crate::engine::simulation::driver::Log;
use crate::engine::simulation::host::{Attempt, AttemptState, Host};
use crate::engine::simulation::scenario::{HostFlaw, Scenario, name};
use crate::engine::simulation::slot::Slot;
use crate::fuzz::random::Random;

/// More steps than any schedule takes.
const STEPS_MAX: usize = 20_000;

/// Why a task failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Failure {
    /// The command failed.
    Command,
    /// No host is left.
    Nowhere,
    /// Too few are left for the copies.
    TooFew,
    /// Two attempts made different things.
    Unlike,
    /// No copy of the input is good.
    NoCopy,
    /// The input could not be read.
    Input,
    /// It was not wanted any more, or another attempt has the hosts.
    Stopped,
}

/// What came of a task.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) task: u64,
    /// Where the shard lies, and what it holds.
    pub(super) result: Result<(Vec<String>, u128), Failure>,
}

/// How often each task was tried and failed, and how.
#[derive(Clone, Debug, Default)]
pub(super) struct Tries {
    /// How often its command failed in first attempts, and in second ones.
    pub(super) failed: [u32; 2],
    /// How often it printed what is none.
    pub(super) bad: [u32; 2],
    /// How many attempts began, and their numbers.
    pub(super) begun: u32,
    pub(super) numbers: BTreeSet<u32>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Read,
    Slot(usize),
    Write,
    Work(usize, usize),
    Notice(usize),
    Recover(usize),
}

pub(super) struct World<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) random: Random,
    pub(super) log: &'a mut Log,
    pub(super) now: Duration,
    pub(super) dispatch: Dispatch<(), (), Outcome>,
    pub(super) roster: Roster,
    pub(super) copies: Copies,
    pub(super) slots: Vec<Slot>,
    pub(super) hosts: Vec<Host>,
    pub(super) tries: BTreeMap<u64, Tries>,
    /// Counts what those who wait are told of.
    pub(super) version: u64,
    read: usize,
    is_read: bool,
    /// What the reader and the writer were told of when they began to wait.
    seen: [u64; 2],
    pub(super) written: Vec<Outcome>,
    is_writing: bool,
    pub(super) is_written: bool,
    /// Whether the reader of the outcomes has left.
    pub(super) is_left: bool,
}

impl<'a> World<'a> {
    pub(super) fn new(scenario: &'a Scenario, seed: u64, log: &'a mut Log) -> World<'a> {
        let mut roster = Roster::default();
        for (host, slots) in scenario.hosts.iter().enumerate() {
            roster.add(&name(host), *slots);
        }
        let schedule = Schedule::new(scenario.retries, 0, 0).halting(scenario.halt);
        let width = scenario.hosts.iter().sum::<usize>() + scenario.hosts.len();
        World {
            scenario,
            random: Random::of(!seed),
            log,
            now: Duration::ZERO,
            dispatch: Dispatch::new(schedule, scenario.speculates),
            roster,
            copies: Copies::default(),
            slots: (0..width).map(|_| Slot::Idle).collect(),
            hosts: scenario.hosts.iter().map(|_| Host::default()).collect(),
            tries: BTreeMap::new(),
            version: 1,
            read: 0,
            is_read: false,
            seen: [0; 2],
            written: Vec::new(),
            is_writing: false,
            is_written: false,
            is_left: false,
        }
    }

    /// Plays to the end.
    pub(super) fn play(&mut self) {
        for step in 0..STEPS_MAX {
            for (at, host, fault) in &self.scenario.faults {
                if *at == step {
                    self.log.say(|| format!("{} suffers {fault:?}", name(*host)));
                    self.hosts[*host].suffer(*fault);
                }
            }
            if self.is_over() {
                return;
            }
            let steps = self.steps();
            if steps.is_empty() {
                let wakes = self.slots.iter().filter_map(Slot::wakes_at).min();
                let waits = self.scenario.faults.iter().any(|(at, ..)| *at > step);
                match wakes {
                    Some(at) => self.now = self.now.max(at),
                    None if waits => (),
                    None => panic!("nothing can be done, and it is not over: {:?}", self.slots),
                }
                continue;
            }
            let step = steps[self.random.below(steps.len() as u64) as usize];
            self.now += Duration::from_millis(self.random.below(300));
            self.take(step);
        }
        panic!("it does not end");
    }

    fn is_over(&self) -> bool {
        self.is_written && self.slots.iter().all(|slot| matches!(slot, Slot::Gone))
    }

    /// What can be done.
    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if !self.is_read && self.seen[0] != self.version {
            steps.push(Step::Read);
        }
        steps.extend((0..self.slots.len()).filter(|slot| self.can_go_on(*slot)).map(Step::Slot));
        if !self.is_written && (self.is_writing || self.seen[1] != self.version) {
            steps.push(Step::Write);
        }
        for (number, host) in self.hosts.iter().enumerate() {
            if host.is_away() && !host.is_lost {
                steps.push(Step::Notice(number));
            }
            if host.is_frozen || host.is_cut {
                steps.push(Step::Recover(number));
            }
            if host.works() {
                let attempts = host.attempts.iter().enumerate();
                let is_on = |(_, a): &(usize, &Attempt)| !matches!(a.state, AttemptState::Over(_));
                steps.extend(attempts.filter(is_on).map(|(at, _)| Step::Work(number, at)));
            }
        }
        steps
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Read => self.read(),
            Step::Slot(slot) => self.go_on(slot),
            Step::Write => self.write(),
            Step::Work(host, at) => {
                let slow = self.scenario.flaws[host] == HostFlaw::Slow;
                if !slow || self.random.below(20) == 0 {
                    self.hosts[host].go_on(host, at, self.scenario, &mut self.random);
                    let attempt = self.hosts[host].attempts.get(at).cloned();
                    self.log.say(|| format!("{}: {attempt:?}", name(host)));
                }
            }
            Step::Notice(host) => {
                if self.hosts[host].is_dead || self.random.below(8) == 0 {
                    self.log.say(|| format!("{} is lost", name(host)));
                    self.hosts[host].is_lost = true;
                }
            }
            Step::Recover(host) => {
                if self.random.below(8) == 0 {
                    self.log.say(|| format!("{} is back", name(host)));
                    (self.hosts[host].is_frozen, self.hosts[host].is_cut) = (false, false);
                }
            }
        }
    }

    /// The reader has the next piece, or the end.
    fn read(&mut self) {
        let Some(more) = self.dispatch.wants_more() else {
            self.seen[0] = self.version;
            return;
        };
        self.version += 1;
        if !more {
            self.is_read = true;
        } else if self.scenario.breaks_off == Some(self.read) {
            self.is_read = true;
            self.dispatch.break_off(|task| Outcome { task, result: Err(Failure::Input) });
        } else if self.read == self.scenario.tasks.len() {
            self.is_read = true;
            self.dispatch.complete();
        } else {
            self.read += 1;
            self.dispatch.offer(());
        }
    }

    /// The writer writes what is next, or is done with it.
    fn write(&mut self) {
        if std::mem::take(&mut self.is_writing) {
            self.dispatch.out();
            self.version += 1;
            return;
        }
        match self.dispatch.next() {
            None => self.seen[1] = self.version,
            Some(None) => self.is_written = true,
            Some(Some(outcome)) => {
                self.log.say(|| format!("out: {outcome:?}"));
                self.version += 1;
                if outcome.result.is_err() {
                    self.dispatch.halt(outcome.task);
                    self.is_written = true;
                } else if self.scenario.reader_leaves == Some(self.written.len()) {
                    self.dispatch.abandon();
                    (self.is_written, self.is_left) = (true, true);
                } else {
                    self.is_writing = true;
                }
                self.written.push(outcome);
            }
        }
    }
}

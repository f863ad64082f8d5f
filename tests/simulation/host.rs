//! A host that is played, and its worker: it keeps the rules of the one that ships. An attempt writes a file of its
//! own, which must not be there, and gives it the shard's name once it is whole; a shard of that name is replaced. It
//! works on when its link is dead, until it sees that.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::simulation::scenario::{Fault, HostFlaw, Nature, Scenario};
use crate::fuzz::random::Random;

/// How a host is.
#[derive(Debug, Default)]
pub(super) struct Host {
    pub(super) is_dead: bool,
    pub(super) is_frozen: bool,
    pub(super) is_cut: bool,
    pub(super) is_full: bool,
    /// Whether the client knows that it is lost: nothing that comes after that is heard.
    pub(super) is_lost: bool,
    pub(super) attempts: Vec<Attempt>,
    /// The files that are being written: tasks and attempts.
    parts: BTreeSet<(u64, u32)>,
    /// What each shard holds.
    pub(super) shards: BTreeMap<u64, u128>,
}

/// An attempt on it.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) task: u64,
    pub(super) number: u32,
    /// Whether its input is what lies on the host; else it is brought.
    reads_copy: bool,
    pub(super) state: AttemptState,
    /// Whether it was told to stop, which it may not know yet.
    pub(super) is_cancelled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum AttemptState {
    Running,
    Writing(u128),
    Over(Reply),
}

/// What a worker answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reply {
    /// The shard is made, and holds this.
    Done(u128),
    /// The command failed.
    Failed,
    /// It printed what is none.
    Bad,
    /// There is no room.
    Full,
    /// The copy of the input is damaged.
    Damaged,
}

impl Host {
    /// Something happens to it.
    pub(super) fn suffer(&mut self, fault: Fault) {
        match fault {
            Fault::Crash => self.is_dead = true,
            Fault::Freeze => self.is_frozen = true,
            Fault::Cut => self.is_cut = true,
            Fault::Fill => self.is_full = true,
        }
    }

    /// Whether there is something to be noticed.
    pub(super) fn is_away(&self) -> bool {
        self.is_dead || self.is_frozen || self.is_cut
    }

    /// Whether its worker does anything.
    pub(super) fn works(&self) -> bool {
        !self.is_dead && !self.is_frozen
    }

    /// Takes an attempt.
    pub(super) fn begin(&mut self, task: u64, number: u32, reads_copy: bool) {
        let is_there = |a: &Attempt| a.task == task && !a.is_cancelled;
        assert!(!self.attempts.iter().any(is_there), "two attempts at task {task} on one host");
        let (state, is_cancelled) = (AttemptState::Running, false);
        self.attempts.push(Attempt { task, number, reads_copy, state, is_cancelled });
    }

    /// An attempt of its goes on.
    pub(super) fn go_on(
        &mut self,
        own: usize,
        at: usize,
        scenario: &Scenario,
        random: &mut Random,
    ) {
        let Attempt { task, number, reads_copy, state, is_cancelled } = self.attempts[at];
        let file = (task, number);
        let next = match state {
            _ if is_cancelled && random.below(2) == 0 => {
                if matches!(state, AttemptState::Writing(_)) {
                    self.parts.remove(&file);
                }
                self.attempts.remove(at);
                return;
            }
            AttemptState::Running => match outcome(own, (task, reads_copy), scenario, random) {
                Reply::Done(_) if self.is_full => AttemptState::Over(Reply::Full),
                Reply::Done(made) => {
                    assert!(self.parts.insert(file), "attempt {number} at task {task} is there");
                    AttemptState::Writing(made)
                }
                reply => AttemptState::Over(reply),
            },
            AttemptState::Writing(made) => {
                self.parts.remove(&file);
                if self.is_full {
                    AttemptState::Over(Reply::Full)
                } else {
                    self.shards.insert(task, made);
                    AttemptState::Over(Reply::Done(made))
                }
            }
            AttemptState::Over(_) => state,
        };
        self.attempts[at].state = next;
    }
}

/// What a command makes of a task on a host.
fn outcome(
    own: usize,
    (task, reads_copy): (u64, bool),
    scenario: &Scenario,
    random: &mut Random,
) -> Reply {
    let of = &scenario.tasks[task as usize - 1];
    if reads_copy && of.damaged.contains(&own) {
        return Reply::Damaged;
    }
    let fails_by_chance = scenario.flaky.is_some_and(|one_in| random.below(one_in) == 0);
    match of.what {
        Nature::Broken => Reply::Failed,
        _ if fails_by_chance || scenario.flaws[own] == HostFlaw::Bad => Reply::Failed,
        Nature::Bad(one_in) if random.below(one_in) == 0 => Reply::Bad,
        Nature::Unlike => Reply::Done(u128::from(random.next()) << 8),
        Nature::Plain | Nature::Bad(_) => Reply::Done(u128::from(task)),
    }
}

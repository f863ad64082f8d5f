//! A slot that is played: it takes a task, has hosts try it, and hands over what came of it, as the threads do.

use std::time::Duration;

use crate::engine::HostedShard;
use crate::engine::dispatch::{End, Turn};
use crate::engine::simulation::host::{AttemptState, Reply};
use crate::engine::simulation::scenario::name;
use crate::engine::simulation::world::{Failure, Outcome, World};
use crate::engine::trial::{Copied, NoPlace, Trial};
use crate::error::Error;
use crate::record::digest::Contents;

/// What a slot is at.
#[derive(Debug)]
pub(super) enum Slot {
    Idle,
    /// It has nothing to do until the version is another one, or until then.
    Waiting(u64, Option<Duration>),
    /// It has the piece of a task.
    Prepared(u64),
    /// It looks for a host.
    Seeking(Line),
    /// It has a place on this host.
    Placed(Line, usize),
    /// It waits for other attempts to leave their hosts, until the version is another one.
    Blocked(Line, u64),
    /// An attempt is under way: where, and its number.
    At(Line, usize, u32),
    /// It has what came of a task.
    Handing(u64, Result<(Vec<String>, u128), Failure>),
    Gone,
}

/// Attempts at a task, one after the other.
#[derive(Debug)]
pub(super) struct Line {
    task: u64,
    trial: Trial,
    input: HostedShard,
}

/// How an attempt ended.
enum Ended {
    Lost,
    Stopped,
    Replied(Reply),
}

impl Slot {
    /// When it goes on by itself.
    pub(super) fn wakes_at(&self) -> Option<Duration> {
        if let Slot::Waiting(_, at) = self { *at } else { None }
    }
}

impl World<'_> {
    /// Whether a slot can do something.
    pub(super) fn can_go_on(&self, slot: usize) -> bool {
        match &self.slots[slot] {
            Slot::Waiting(version, until) => {
                *version != self.version || until.is_some_and(|until| until <= self.now)
            }
            Slot::Blocked(_, version) => *version != self.version,
            Slot::At(line, host, number) => self.ended(line.task, *host, *number).is_some(),
            Slot::Gone => false,
            _ => true,
        }
    }

    /// How an attempt has ended, for the client, if it has.
    fn ended(&self, task: u64, host: usize, number: u32) -> Option<Ended> {
        let at = &self.hosts[host];
        let is_it = |a: &&_| -> bool { Self::is_attempt(a, task, number) };
        let state = at.attempts.iter().find(is_it).map(|attempt| attempt.state);
        match state {
            _ if at.is_lost => Some(Ended::Lost),
            Some(AttemptState::Over(reply)) if !at.is_cut => Some(Ended::Replied(reply)),
            _ => self.dispatch.schedule().stops(task).then_some(Ended::Stopped),
        }
    }

    fn is_attempt(a: &crate::engine::simulation::host::Attempt, task: u64, number: u32) -> bool {
        (a.task, a.number, a.is_cancelled) == (task, number, false)
    }

    /// A slot does what it does next.
    pub(super) fn go_on(&mut self, slot: usize) {
        let state = std::mem::replace(&mut self.slots[slot], Slot::Gone);
        let next = match state {
            Slot::Idle | Slot::Waiting(..) => self.turn(),
            Slot::Prepared(task) => {
                self.dispatch.begun(task, self.now, ());
                self.version += u64::from(self.scenario.speculates);
                Slot::Seeking(self.line(task, false))
            }
            Slot::Seeking(line) | Slot::Blocked(line, _) => self.seek(line),
            Slot::Placed(line, host) => self.begin(line, host),
            Slot::At(line, host, number) => self.attempt_ended(line, host, number),
            Slot::Handing(task, result) => self.hand_over(task, result),
            Slot::Gone => Slot::Gone,
        };
        self.slots[slot] = next;
    }

    fn turn(&mut self) -> Slot {
        match self.dispatch.turn(self.now) {
            Turn::Piece(task, ()) => {
                self.version += 1;
                Slot::Prepared(task)
            }
            Turn::Straggler(task, ()) => Slot::Seeking(self.line(task, true)),
            Turn::Wait(time) => Slot::Waiting(self.version, time.map(|time| self.now + time)),
            Turn::End => Slot::Gone,
        }
    }

    fn line(&self, task: u64, is_second: bool) -> Line {
        let near = &self.scenario.tasks[task as usize - 1].near;
        let input = HostedShard {
            run: String::new(),
            number: task,
            hosts: near.iter().copied().map(name).collect(),
            flaws: Vec::new(),
            contents: Contents::default(),
            split: None,
            made_again: None,
        };
        let trial = Trial::new(self.scenario.replicas, is_second);
        Line { task, trial, input }
    }

    fn seek(&mut self, mut line: Line) -> Slot {
        let (task, taken) = (line.task, self.dispatch.hosts_of(line.task));
        let hosts = &self.hosts;
        let is_lost = |host: usize| hosts[host].is_lost;
        let placed = line.trial.place(&mut self.roster, &is_lost, &line.input.hosts, &taken);
        self.log.say(|| format!("task {task}, second: {}: {placed:?}", line.trial.is_second()));
        let host = match placed {
            Ok(host) => host,
            Err(NoPlace::Taken) if !line.trial.is_second() => {
                return match self.dispatch.is_free(task, &taken) {
                    None => Slot::Blocked(line, self.version),
                    Some(true) => Slot::Seeking(line),
                    Some(false) => self.failed(&line, Failure::Stopped),
                };
            }
            Err(why) => {
                let failure = match why {
                    NoPlace::Nowhere => Failure::Nowhere,
                    NoPlace::TooFew => Failure::TooFew,
                    NoPlace::Taken => Failure::Stopped,
                };
                return self.failed(&line, failure);
            }
        };
        assert!(!self.hosts[host].is_lost, "a host that is lost gets a task");
        assert!(self.roster.full(host).is_none(), "a host without room gets a task");
        let is_lost = |copy: &String| self.hosts[self.roster.number(copy).unwrap()].is_lost;
        assert!(!line.trial.copies().iter().any(is_lost), "a copy on a host that is lost counts");
        self.roster.takes(host);
        Slot::Placed(line, host)
    }

    /// An attempt begins, unless another one at its task was faster.
    fn begin(&mut self, line: Line, host: usize) -> Slot {
        let task = line.task;
        let first = if line.trial.is_second() { self.scenario.retries + 2 } else { 1 };
        let Some(number) = self.dispatch.goes_to(task, &name(host), first) else {
            self.roster.has_left(host);
            return Slot::Seeking(line);
        };
        let is_brought = !self.scenario.tasks[task as usize - 1].near.is_empty()
            && !line.input.hosts.contains(&name(host));
        if is_brought && !self.can_be_brought(task) {
            self.leave(task, host, false);
            return self.failed(&line, Failure::NoCopy);
        }
        let tries = self.tries.entry(task).or_default();
        tries.begun += 1;
        assert!(tries.numbers.insert(number), "two attempts at task {task} are number {number}");
        // Nothing goes to one that is lost by now.
        if !self.hosts[host].is_lost {
            self.hosts[host].begin(task, number, line.input.hosts.contains(&name(host)));
        }
        Slot::At(line, host, number)
    }

    /// Whether a copy of the input of a task can be had.
    fn can_be_brought(&self, task: u64) -> bool {
        let of = &self.scenario.tasks[task as usize - 1];
        let is_good = |host: &&usize| !of.damaged.contains(host);
        of.near.iter().filter(is_good).any(|host| {
            let host = &self.hosts[*host];
            !host.is_dead && !host.is_lost
        })
    }

    /// An attempt is at its end, for the client; what it made stays where it is if it `has_made` something.
    fn leave(&mut self, task: u64, host: usize, has_made: bool) {
        self.roster.has_left(host);
        if !has_made {
            self.dispatch.has_left(task, &name(host));
            self.version += u64::from(self.scenario.speculates);
        }
    }

    /// Attempts are over, and what they made is of no use.
    fn failed(&mut self, line: &Line, failure: Failure) -> Slot {
        for copy in line.trial.copies() {
            self.dispatch.has_left(line.task, &copy);
            self.version += u64::from(self.scenario.speculates);
        }
        // Second ones do not say how a task failed.
        Slot::Handing(
            line.task,
            Err(if line.trial.is_second() { Failure::Stopped } else { failure }),
        )
    }

    fn attempt_ended(&mut self, mut line: Line, host: usize, number: u32) -> Slot {
        let (task, shown) = (line.task, name(host));
        let Some(ended) = self.ended(task, host, number) else {
            return Slot::At(line, host, number);
        };
        let at = &mut self.hosts[host];
        let place = at.attempts.iter().position(|a| Self::is_attempt(a, task, number));
        let reply = match ended {
            Ended::Replied(reply) => {
                if let Some(place) = place {
                    at.attempts.remove(place);
                }
                Some(reply)
            }
            Ended::Stopped => {
                if let Some(place) = place {
                    at.attempts[place].is_cancelled = true;
                }
                self.leave(task, host, false);
                return self.failed(&line, Failure::Stopped);
            }
            Ended::Lost => None,
        };
        self.log.say(|| format!("task {task}, attempt {number} on {shown}: {reply:?}"));
        let next = match reply {
            None => None,
            Some(Reply::Done(made)) => self.made(&mut line, host, made),
            Some(Reply::Damaged) => {
                let why = Error::incomplete("damaged");
                let passed = self.copies.pass_over(&mut line.input, &shown, &why);
                passed.is_err().then_some(Err(Failure::NoCopy))
            }
            Some(Reply::Full) => {
                self.roster.set_aside(host, "no room");
                None
            }
            Some(reply @ (Reply::Failed | Reply::Bad)) => {
                let tries = self.tries.entry(task).or_default();
                match reply {
                    Reply::Failed => tries.failed[usize::from(line.trial.is_second())] += 1,
                    _ => tries.bad[usize::from(line.trial.is_second())] += 1,
                }
                let schedule = self.dispatch.schedule();
                let again = |failures| schedule.again(task, failures);
                self.roster.went_wrong(host);
                let goes_on = line.trial.failed(&shown, reply == Reply::Failed, again);
                (!goes_on).then_some(Err(Failure::Command))
            }
        };
        let has_made = matches!(reply, Some(Reply::Done(_))) && next != Some(Err(Failure::Unlike));
        self.leave(task, host, has_made);
        match next {
            Some(Err(failure)) => self.failed(&line, failure),
            Some(Ok(made)) => Slot::Handing(task, Ok(made)),
            None => Slot::Seeking(line),
        }
    }

    /// An attempt went well.
    #[allow(clippy::type_complexity)]
    fn made(
        &mut self,
        line: &mut Line,
        host: usize,
        made: u128,
    ) -> Option<Result<(Vec<String>, u128), Failure>> {
        let contents = Contents { hash: made, ..Contents::default() };
        let copied = line.trial.made(&name(host), contents);
        if let Copied::Unlike(_) = copied {
            return Some(Err(Failure::Unlike));
        }
        self.roster.went_well(host);
        for failed in line.trial.failed_on() {
            let number = self.roster.number(failed).filter(|number| *number != host);
            let hosts = &self.hosts;
            number
                .map(|number| self.roster.went_well_elsewhere(number, &|host| hosts[host].is_lost));
        }
        if copied == Copied::TooFew {
            return None;
        }
        Some(Ok((line.trial.copies(), made)))
    }

    fn hand_over(&mut self, task: u64, result: Result<(Vec<String>, u128), Failure>) -> Slot {
        let end = match result {
            Ok(_) => End::Well(0, false),
            Err(Failure::Stopped) => End::GivenUp,
            Err(_) => End::Failed,
        };
        let hosts = result.as_ref().map(|(hosts, _)| hosts.clone()).unwrap_or_default();
        self.log.say(|| format!("task {task} handed over: {result:?}"));
        let outcome = Outcome { task, result };
        let counts = self.dispatch.finish((task, end, outcome), self.now, |_| ());
        self.version += 1;
        if counts {
            for host in &hosts {
                let number = self.roster.number(host).unwrap();
                self.roster.has_made(number, task);
            }
        }
        Slot::Idle
    }
}

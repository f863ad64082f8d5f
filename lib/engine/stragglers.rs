//! The tasks that run, and which of them lag behind: what a slot that is idle at the end of the
//! input tries a second time (`--speculate`). Knows no clock: times are told, from any beginning.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// How many times as long as others a task has taken that lags behind.
const FACTOR: u32 = 2;

/// What takes less is nothing to wait for, or to begin again.
const LEAST: Duration = Duration::from_millis(500);

/// How many of the last tasks tell how long one takes.
const KNOWN_MAX: usize = 256;

/// The tasks that run. `W` is what their attempts work on.
#[derive(Debug)]
pub(crate) struct Stragglers<W> {
    running: BTreeMap<u64, RunningTask<W>>,
    /// Those that were tried but once, by when that began.
    once: BTreeSet<(Duration, u64)>,
    /// How long the last ones took that went well.
    known: VecDeque<Duration>,
}

#[derive(Debug)]
struct RunningTask<W> {
    begun: Duration,
    work: W,
    /// How many attempts are under way.
    attempts: u32,
    /// The hosts that they are on, or what they made.
    hosts: Vec<String>,
    /// The number of the last attempt on a host.
    number: u32,
}

/// When there is something to try again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Straggler<W> {
    /// Now: the task, and what it works on.
    Now(u64, W),
    /// Not before so long from now, or when a task ends.
    After(Duration),
    /// When a task ends, or never.
    Unknown,
    /// No task runs that was not tried again.
    None,
}

impl<W> Default for Stragglers<W> {
    fn default() -> Stragglers<W> {
        Stragglers { running: BTreeMap::new(), once: BTreeSet::new(), known: VecDeque::new() }
    }
}

impl<W: Clone> Stragglers<W> {
    /// The first attempt at a task begins.
    pub(crate) fn begun(&mut self, task: u64, now: Duration, work: W) {
        let (attempts, hosts, number) = (1, Vec::new(), 0);
        let running = RunningTask { begun: now, work, attempts, hosts, number };
        self.running.insert(task, running);
        self.once.insert((now, task));
    }

    /// An attempt has ended, well or not: how many others are under way.
    pub(crate) fn ended(&mut self, task: u64, now: Duration, well: bool) -> u32 {
        let Some(running) = self.running.get_mut(&task) else { return 0 };
        running.attempts -= 1;
        let others = running.attempts;
        if well {
            self.known.push_back(now.saturating_sub(running.begun));
            if self.known.len() > KNOWN_MAX {
                self.known.pop_front();
            }
        }
        if others == 0 {
            self.once.remove(&(running.begun, task));
            self.running.remove(&task);
        }
        others
    }

    /// The task that is to have a second attempt, which then counts as under way.
    pub(crate) fn next(&mut self, now: Duration) -> Straggler<W> {
        let Some((begun, task)) = self.once.first().copied() else { return Straggler::None };
        let Some(limit) = self.limit() else { return Straggler::Unknown };
        let took = now.saturating_sub(begun);
        if took < limit {
            return Straggler::After(limit - took);
        }
        self.once.pop_first();
        let Some(slowest) = self.running.get_mut(&task) else { return Straggler::None };
        slowest.attempts += 1;
        Straggler::Now(task, slowest.work.clone())
    }

    /// How long a task may take that does not lag behind, when enough is known: as many have ended as
    /// run.
    fn limit(&self) -> Option<Duration> {
        if self.known.len() < self.running.len().max(1) {
            return None;
        }
        let mut known: Vec<Duration> = self.known.iter().copied().collect();
        known.sort_unstable();
        Some((known[known.len() / 2] * FACTOR).max(LEAST))
    }

    /// An attempt at a task goes to a host: its number, from `first` on, which no other one has. None where another
    /// one is, or what it made.
    pub(crate) fn goes_to(&mut self, task: u64, host: &str, first: u32) -> Option<u32> {
        let Some(running) = self.running.get_mut(&task) else { return Some(first) };
        if running.hosts.iter().any(|other| other == host) {
            return None;
        }
        running.hosts.push(host.to_string());
        running.number = running.number.saturating_add(1).max(first);
        Some(running.number)
    }

    /// How many attempts at a task are under way.
    pub(crate) fn attempts(&self, task: u64) -> u32 {
        self.running.get(&task).map_or(0, |running| running.attempts)
    }

    /// The hosts of a task's attempts.
    pub(crate) fn hosts(&self, task: u64) -> Vec<String> {
        self.running.get(&task).map_or_else(Vec::new, |running| running.hosts.clone())
    }

    /// An attempt at a task has left a host.
    pub(crate) fn has_left(&mut self, task: u64, host: &str) {
        if let Some(running) = self.running.get_mut(&task)
            && let Some(at) = running.hosts.iter().position(|name| name == host)
        {
            running.hosts.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn who_takes_twice_as_long_as_others_is_tried_again_once() {
        let mut tasks = Stragglers::default();
        (1..=4).for_each(|task| tasks.begun(task, s(0), task * 10));
        assert_eq!(tasks.next(s(100)), Straggler::Unknown);
        assert_eq!((tasks.ended(1, s(3), true), tasks.ended(2, s(3), true)), (0, 0));
        assert_eq!(tasks.next(s(4)), Straggler::After(s(2)));
        assert_eq!(tasks.next(s(6)), Straggler::Now(3, 30));
        assert_eq!(tasks.next(s(6)), Straggler::Now(4, 40));
        assert_eq!(tasks.next(s(600)), Straggler::None);
        // The second one is first; the other has nothing to say any more.
        assert_eq!((tasks.ended(3, s(7), true), tasks.ended(3, s(8), false)), (1, 0));
        assert_eq!(tasks.next(s(600)), Straggler::None);
        assert_eq!((tasks.ended(4, s(7), false), tasks.ended(4, s(8), true)), (1, 0));
        assert_eq!(tasks.ended(4, s(9), true), 0);
    }

    #[test]
    fn what_is_over_soon_is_not_begun_again() {
        let mut tasks = Stragglers::default();
        tasks.begun(1, s(0), ());
        tasks.begun(2, s(0), ());
        tasks.ended(1, Duration::from_millis(1), true);
        assert_eq!(tasks.next(Duration::from_millis(100)), Straggler::After(LEAST - s(1) / 10));
        assert_eq!(tasks.next(LEAST), Straggler::Now(2, ()));
    }

    #[test]
    fn it_is_known_where_attempts_are() {
        let mut tasks = Stragglers::default();
        tasks.begun(1, s(0), ());
        assert_eq!((tasks.goes_to(1, "n1", 1), tasks.goes_to(1, "n1", 1)), (Some(1), None));
        assert_eq!((tasks.goes_to(1, "n2", 4), tasks.goes_to(1, "n3", 1)), (Some(4), Some(5)));
        tasks.has_left(1, "n1");
        assert_eq!(tasks.hosts(1), ["n3", "n2"]);
        assert!(tasks.hosts(2).is_empty() && tasks.goes_to(2, "n1", 1) == Some(1));
    }
}

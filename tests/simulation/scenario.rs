//! What is played: hosts, tasks, and what goes wrong with them, all by a seed.

use crate::engine::schedule::Halt;
use crate::fuzz::random::Random;

/// What is played.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    /// The slots of each host.
    pub(super) hosts: Vec<usize>,
    /// What goes wrong with each.
    pub(super) flaws: Vec<HostFlaw>,
    pub(super) tasks: Vec<Task>,
    pub(super) retries: u32,
    pub(super) replicas: usize,
    pub(super) speculates: bool,
    pub(super) halt: Halt,
    /// One in so many attempts fails by chance, if any does.
    pub(super) flaky: Option<u64>,
    /// Faults of hosts: after how many steps, of which, and what.
    pub(super) faults: Vec<(usize, usize, Fault)>,
    /// After which piece reading the input fails, if it does.
    pub(super) breaks_off: Option<usize>,
    /// After how many outcomes nobody reads them any more, if so.
    pub(super) reader_leaves: Option<usize>,
}

/// What is wrong with a host all along.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum HostFlaw {
    None,
    /// Every command fails there.
    Bad,
    /// It takes its time.
    Slow,
}

/// What happens to a host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    /// It is gone.
    Crash,
    /// It does nothing; it may go on before anybody notices, or after.
    Freeze,
    /// Nothing comes from it, though it works; that may be over before anybody notices, or after.
    Cut,
    /// It has no room from now on.
    Fill,
}

/// A task.
#[derive(Clone, Debug)]
pub(super) struct Task {
    /// The hosts that its input lies on, if it does not come from here; and on which of them it is damaged.
    pub(super) near: Vec<usize>,
    pub(super) damaged: Vec<usize>,
    pub(super) what: Nature,
}

/// What is in its input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Nature {
    Plain,
    /// Every command fails on it.
    Broken,
    /// What is printed for it is bad, in one of so many attempts.
    Bad(u64),
    /// Another thing is printed for it each time.
    Unlike,
}

impl Scenario {
    /// That of a seed.
    pub(super) fn of(seed: u64) -> Scenario {
        let mut random = Random::of(seed);
        let r = &mut random;
        let count = 1 + r.below(5) as usize;
        let hosts: Vec<usize> = (0..count).map(|_| 1 + r.below(3) as usize).collect();
        let flaw = |r: &mut Random| match r.below(12) {
            0 => HostFlaw::Bad,
            1 => HostFlaw::Slow,
            _ => HostFlaw::None,
        };
        let flaws = hosts.iter().map(|_| flaw(r)).collect();
        let is_of_shards = r.below(3) == 0;
        let tasks = (0..r.below(12)).map(|_| task(r, count, is_of_shards)).collect();
        let faults = match r.below(3) {
            0 => 0,
            1 => 1,
            _ => r.below(4),
        };
        let faults = (0..faults).map(|_| {
            let what = [Fault::Crash, Fault::Freeze, Fault::Cut, Fault::Fill];
            (r.below(150) as usize, r.below(count as u64) as usize, what[r.below(4) as usize])
        });
        let faults = faults.collect();
        let replicas = if r.below(3) == 0 { 1 + r.below(count as u64) as usize } else { 1 };
        Scenario {
            hosts,
            flaws,
            tasks,
            faults,
            retries: r.below(3) as u32,
            replicas: replicas.min(3),
            speculates: r.below(2) == 0,
            halt: [Halt::Behind, Halt::Soon, Halt::Now][r.below(3) as usize],
            flaky: [None, Some(20), Some(5)][r.below(3) as usize],
            breaks_off: (r.below(20) == 0).then(|| r.below(9) as usize),
            reader_leaves: (r.below(20) == 0).then(|| r.below(9) as usize),
        }
    }
}

fn task(r: &mut Random, hosts: usize, is_of_shards: bool) -> Task {
    let (mut near, mut damaged) = (Vec::new(), Vec::new());
    if is_of_shards {
        let first = r.below(hosts as u64) as usize;
        let copies = 1 + r.below(hosts.min(2) as u64) as usize;
        near = (first..first + copies).map(|host| host % hosts).collect();
        damaged = near.iter().copied().filter(|_| r.below(12) == 0).collect();
    }
    let what = match r.below(60) {
        0 => Nature::Broken,
        1 => Nature::Bad(1),
        2 => Nature::Bad(2),
        3 => Nature::Unlike,
        _ => Nature::Plain,
    };
    Task { near, damaged, what }
}

/// What a host is called.
pub(super) fn name(host: usize) -> String {
    format!("n{}", host + 1)
}

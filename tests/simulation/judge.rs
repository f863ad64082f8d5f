//! What must hold once a schedule is over.

use std::collections::BTreeSet;

use crate::engine::simulation::scenario::{Nature, Scenario, name};
use crate::engine::simulation::world::{Failure, Outcome, World};

/// Judges a schedule that is over.
pub(super) fn judge(world: World<'_>) {
    let scenario = world.scenario;
    for (at, outcome) in world.written.iter().enumerate() {
        let is_last = at + 1 == world.written.len();
        match &outcome.result {
            Ok((hosts, made)) => {
                assert_eq!(outcome.task, at as u64 + 1, "outcomes leave in order");
                is_there(&world, outcome.task, hosts, *made);
            }
            Err(failure) => {
                assert!(is_last, "something comes out after a failure");
                assert!(has_cause(&world, outcome, *failure), "{outcome:?} has no cause");
            }
        }
    }
    let has_failed = world.written.last().is_some_and(|last| last.result.is_err());
    let is_all = world.written.len() == scenario.tasks.len();
    assert!(has_failed || world.is_left || is_all, "not all tasks are out");
    for (task, tries) in &world.tries {
        assert!(
            tries.failed[0] <= scenario.retries + 1,
            "task {task} is tried too often: {tries:?}"
        );
        assert!(
            tries.failed[1] <= 1 && tries.bad.iter().all(|bad| *bad <= 1),
            "task {task} is tried too often: {tries:?}"
        );
        let copies = scenario.replicas as u32 * 2;
        let most = copies + scenario.retries + 2 + 2 + 4 * scenario.hosts.len() as u32;
        assert!(tries.begun <= most, "task {task} is tried too often: {tries:?}");
    }
    if !has_failed && !world.is_left {
        are_known_to_be_lost(&world);
    }
}

/// That a shard lies where it is said to lie, on as many hosts as it is to lie on.
fn is_there(world: &World<'_>, task: u64, hosts: &[String], made: u128) {
    let distinct: BTreeSet<&String> = hosts.iter().collect();
    assert_eq!(distinct.len(), world.scenario.replicas, "task {task}: so many copies");
    for (number, host) in world.hosts.iter().enumerate() {
        if hosts.contains(&name(number)) {
            let lies_there = host.shards.get(&task);
            assert_eq!(lies_there, Some(&made), "task {task} on {}", name(number));
        }
    }
}

/// That of the shards those are known to be lost that are.
fn are_known_to_be_lost(world: &World<'_>) {
    let mut roster = world.roster.clone();
    for (number, _) in world.hosts.iter().enumerate().filter(|(_, host)| host.is_lost) {
        if !roster.is_lost(number) {
            roster.lose(number);
        }
    }
    let is_lost = |outcome: &&Outcome| {
        let Ok((hosts, _)) = &outcome.result else { return false };
        hosts.iter().all(|host| world.hosts[roster.number(host).unwrap()].is_lost)
    };
    let lost = world.written.iter().filter(is_lost).map(|outcome| outcome.task);
    assert_eq!(roster.lost_shards(), lost.collect(), "the shards that are lost");
}

/// Whether a failure is the fault of what happened.
fn has_cause(world: &World<'_>, outcome: &Outcome, failure: Failure) -> bool {
    let Scenario { retries, replicas, .. } = *world.scenario;
    let tries = world.tries.get(&outcome.task).cloned().unwrap_or_default();
    let usable = world.hosts.iter().filter(|host| !host.is_lost && !host.is_full).count();
    let task = world.scenario.tasks.get(outcome.task as usize - 1);
    match failure {
        Failure::Command => tries.failed[0] == retries + 1 || tries.bad[0] > 0,
        Failure::Nowhere => usable == 0,
        Failure::TooFew => usable < replicas,
        Failure::Unlike => task.is_some_and(|task| task.what == Nature::Unlike),
        Failure::NoCopy => task.is_some_and(|task| {
            task.near.iter().all(|host| {
                let at = &world.hosts[*host];
                task.damaged.contains(host) || at.is_dead || at.is_lost
            })
        }),
        Failure::Input => world.scenario.breaks_off.is_some(),
        Failure::Stopped => false,
    }
}

//! The plans of the engine, played: hosts that exist in numbers only, which work, fail, fill up, freeze, are cut off
//! and die, in any order that a seed says, and what decides ([`dispatch`](super::dispatch), `roster`, `trial`,
//! `schedule`, `stragglers`) is what ships. After each schedule it is judged: every task's output is there once and
//! in order, of an attempt that counts, on hosts that have it; nothing was asked of who is known to be lost; a failure
//! has a cause among the faults; and it ended.
//!
//! All this is compiled into the unit tests of the library, for plans are not public. A seed that fails is printed,
//! with the line for `known.txt`, whose seeds are played first in every run. `scripts/simulate` plays as many as one
//! likes.
#![allow(clippy::print_stdout)]

pub(crate) mod driver;
mod host;
mod judge;
mod many;
mod scenario;
mod slot;
mod world;

/// Whatever happens in whatever order: each task's output counts once, or there is a failure that has a cause.
#[test]
fn plays_tasks() {
    driver::run("tasks", 100_000, |seed, log| {
        let scenario = scenario::Scenario::of(seed);
        log.say(|| format!("{scenario:?}"));
        let mut world = world::World::new(&scenario, seed, log);
        world.play();
        judge::judge(world);
    });
}

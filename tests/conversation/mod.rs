//! What a tool and a worker say to each other, played: requests with inputs and outputs of any size, which are
//! answered, fail, are given up or are cut off in any order that a seed says. What hears the frames on either side
//! ([`hearing`](crate::cluster::hearing), and the worker's [`desk`](crate::worker::desk), requests and flows) is what
//! ships; sockets, threads and disks are not there. Half of the workers are honest: then each request that is not
//! given up is answered once, of all of its input, with all of its output, and nothing is left on either side. The
//! others change what they send: then no more is held than may come, and whatever it is, it is told or counts once.
//!
//! Neither of the two rooms knows the other, so this is a module of its own in the library's unit tests.
//! `scripts/simulate requests` plays as many as one likes.
#![allow(clippy::print_stdout)]

mod judge;
mod wire;
mod world;

use crate::engine::simulation::driver;

/// Whatever is said in whatever order: what was asked is answered once, or there is a reason.
#[test]
fn plays_requests() {
    driver::run("requests", 10_000, |seed, log| {
        let mut world = world::World::of(seed);
        world.play(log);
        judge::judge(world);
    });
}

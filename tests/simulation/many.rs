//! A thousand hosts: what a decision costs does not grow with them. Steps are counted, not time.

use std::collections::VecDeque;

use crate::engine::dispatch::{Dispatch, End, Turn};
use crate::engine::roster::Roster;
use crate::engine::schedule::Schedule;
use crate::engine::simulation::scenario::name;
use crate::engine::trial::{Copied, NoPlace, Trial};
use crate::fuzz::random::Random;
use crate::record::digest::Contents;

/// How many tasks there are.
const TASKS: u64 = 100_000;

/// How many hosts are looked at for an attempt, where there are so many hosts of two slots: one in ten is lost on the
/// way, one in ten fails at all it gets, and inputs lie on hosts.
fn looks(hosts: usize) -> f64 {
    let (mut roster, mut random) = (Roster::default(), Random::of(1));
    (0..hosts).for_each(|host| roster.add(&name(host), 2));
    let mut dispatch: Dispatch<(), (), u64> = Dispatch::new(Schedule::new(5, 0, 0), false);
    let mut under_way: VecDeque<(u64, usize, Trial)> = VecDeque::new();
    let (mut attempts, mut begun, mut out) = (0u64, 0, 0);
    let is_lost_at = |host: usize, begun: u64| host % 10 == 3 && begun > TASKS / 2 + host as u64;
    while out < TASKS {
        while begun < TASKS && under_way.len() < 3 * hosts {
            dispatch.offer(());
            let Turn::Piece(task, ()) = dispatch.turn(Default::default()) else { panic!() };
            begun = task;
            dispatch.begun(task, Default::default(), ());
            under_way.push_back((task, usize::MAX, Trial::new(1, false)));
        }
        let (task, at, mut trial) = under_way.pop_front().unwrap();
        if at != usize::MAX {
            roster.has_left(at);
            dispatch.has_left(task, &name(at));
            if !is_lost_at(at, begun) && at % 10 != 7 {
                assert_eq!(trial.made(&name(at), Contents::default()), Copied::Enough);
                roster.went_well(at);
                for failed in trial.failed_on() {
                    let number = roster.number(failed).unwrap();
                    roster.went_well_elsewhere(number, &|host| is_lost_at(host, begun));
                }
                assert!(dispatch.finish(
                    (task, End::Well(0, false), task),
                    Default::default(),
                    |_| ()
                ));
                while let Some(Some(next)) = dispatch.next() {
                    out += 1;
                    assert_eq!(next, out);
                    dispatch.out();
                }
                continue;
            }
            if !is_lost_at(at, begun) {
                roster.went_wrong(at);
                assert!(trial.failed(&name(at), true, |_| true));
            }
        }
        let near = [name(random.below(hosts as u64) as usize)];
        let taken = dispatch.hosts_of(task);
        let placed = trial.place(&mut roster, &|host| is_lost_at(host, begun), &near, &taken);
        let host = placed.unwrap_or_else(|why: NoPlace| panic!("{why:?}"));
        dispatch.goes_to(task, &name(host), 1).unwrap();
        roster.takes(host);
        attempts += 1;
        under_way.push_back((task, host, trial));
    }
    roster.looks.get() as f64 / attempts as f64
}

#[test]
fn what_a_decision_costs_does_not_grow_with_the_hosts() {
    let (few, many) = (looks(10), looks(1000));
    println!("hosts looked at for an attempt: {few:.2} of 10, {many:.2} of 1000");
    assert!(many < 8.0 && many < 2.0 * few, "{few} of 10, {many} of 1000");
}

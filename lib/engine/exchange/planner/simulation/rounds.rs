//! Exchanges that are played through their rounds: a host that is lost ends one, the others begin the next, shards that
//! lay there are made again elsewhere; and in the end hosts are lost with new shards, which are made again alone.

use std::collections::BTreeSet;

use crate::engine::exchange::Roads;
use crate::engine::exchange::course::{Again, Course, MadeShard, RoundFailure};
use crate::engine::exchange::planner::simulation::World;
use crate::engine::exchange::planner::simulation::scenario::{
    Record, Scenario, contents, has, name, records,
};
use crate::engine::exchange::planner::{Resume, StuckShards};
use crate::engine::simulation::driver;
use crate::error::Error;
use crate::fuzz::random::Random;

/// More rounds than any of these exchanges has.
const ROUNDS_MAX: usize = 60;

/// An exchange.
struct Journey {
    random: Random,
    /// As it is played at first; shards move to other hosts as time goes by.
    scenario: Scenario,
    course: Course,
    lost: BTreeSet<usize>,
    /// How many more hosts are lost.
    losses: usize,
    /// The attempts at each range: no two have one number, whatever the round.
    attempts: BTreeSet<(u64, u32)>,
    /// What each shard holds.
    made: Vec<(u64, Vec<Record>)>,
}

/// How a round ended.
struct Ended {
    result: Result<(), Error>,
    stuck: Option<StuckShards>,
    has_lost: bool,
    /// The hosts that it had.
    there: Vec<usize>,
}

impl Journey {
    fn of(seed: u64) -> Journey {
        let mut random = Random::of(seed);
        let scenario = scenario(&mut random);
        let losses = random.below(4) as usize;
        Journey {
            random,
            scenario,
            course: Course::default(),
            lost: BTreeSet::new(),
            losses,
            attempts: BTreeSet::new(),
            made: Vec::new(),
        }
    }

    fn there(&self) -> Vec<usize> {
        let is_there =
            |host: &usize| !self.lost.contains(host) && !self.course.is_aside(&name(*host));
        (0..self.scenario.hosts).filter(is_there).collect()
    }

    /// Rounds until one goes well, for the shards that are `wanted`, or all.
    fn rounds(&mut self, wanted: Option<&BTreeSet<u64>>) -> Result<(), Error> {
        for _ in 0..ROUNDS_MAX {
            if self.there().is_empty() {
                return Err(Error::incomplete("no host is left"));
            }
            self.move_shards();
            let Ended { result, stuck, has_lost, there } = self.round(wanted);
            let Err(error) = result else { return Ok(()) };
            assert!(!error.to_string().contains("internal"), "{error}");
            let failure =
                RoundFailure { error: &error, stuck: stuck.as_ref(), has_lost, can_remake: true };
            match self.course.after(&failure) {
                None => {
                    assert!(self.cannot_go_well(&there), "it ends: {error}");
                    return Err(error);
                }
                Some(Again::Remade) => self.pass_over(&stuck.unwrap()),
                Some(Again::Others | Again::WithoutFull) => (),
            }
        }
        panic!("it does not end");
    }

    /// Shards that lie on no host that is there are made again on one.
    fn move_shards(&mut self) {
        let there = self.there();
        for shard in 0..self.scenario.shards.len() {
            if !there.iter().any(|host| self.scenario.has_copy(shard, *host)) {
                let host = there[self.random.below(there.len() as u64) as usize];
                self.scenario.shards[shard].0 = 1 << host;
                self.scenario.bad.retain(|bad| *bad != (shard, host));
            }
        }
    }

    fn pass_over(&mut self, stuck: &StuckShards) {
        let host = (0..self.scenario.hosts).find(|host| name(*host) == stuck.host).unwrap();
        for number in &stuck.shards {
            self.scenario.shards[*number as usize - 1].0 &= !(1 << host);
        }
    }

    fn round(&mut self, wanted: Option<&BTreeSet<u64>>) -> Ended {
        let there = self.there();
        let (number, ranges) = self.course.begin();
        let scenario = self.of_round(&there);
        let resume = Resume { ranges: ranges.clone(), wanted: wanted.cloned() };
        let mut world = World::round(&scenario, resume, number);
        world.attempts = std::mem::take(&mut self.attempts);
        world.play();
        self.attempts = std::mem::take(&mut world.attempts);
        assert!(world.doing.is_empty(), "something is under way in the end");
        let now = world.planner.ranges().to_vec();
        let same = |a: &[_], b: &[_]| a.iter().map(bounds).eq(b.iter().map(bounds));
        assert!(ranges.is_empty() || now.is_empty() || same(&ranges, &now), "other cuts");
        self.course.cut(now);
        let published = match &world.wanted {
            None => (1..=world.published.len() as u64).collect(),
            Some(wanted) => wanted[..world.published.len()].to_vec(),
        };
        for (shard, (host, contents_of)) in published.into_iter().zip(&world.published) {
            let records = world.made.get(&shard).map_or(Vec::new(), |made| made.1.clone());
            let same = *contents_of == contents(&records);
            assert!(same || records.is_empty() && host.is_none(), "shard {shard} is what was made");
            let hosts = host.map(|host| name(there[host])).into_iter().collect();
            let is_new = self.course.note(shard, &MadeShard { hosts, contents: *contents_of });
            if is_new.unwrap() {
                self.made.push((shard, records));
            }
        }
        let lost: Vec<usize> = world.lost.iter().map(|host| there[*host]).collect();
        self.losses = self.losses.saturating_sub(lost.len());
        self.lost.extend(&lost);
        let stuck = world.planner.stuck().map(|stuck| StuckShards {
            host: (0..there.len())
                .find(|host| name(*host) == stuck.host)
                .map(|h| name(there[h]))
                .unwrap(),
            ..stuck
        });
        let has_lost = !lost.is_empty();
        let result = world.planner.finish().map(drop);
        if result.is_ok() && wanted.is_some_and(|all| all.len() != world.published.len()) {
            panic!("not all that was wanted is made");
        }
        Ended { result, stuck, has_lost, there }
    }

    /// The same with the hosts that are `there` alone, which have other numbers then.
    fn of_round(&mut self, there: &[usize]) -> Scenario {
        let whole = &self.scenario;
        let bits = |bits: u8| {
            let of = there.iter().enumerate().filter(|(_, host)| has(bits, **host));
            of.map(|(number, _)| 1u8 << number).sum()
        };
        let number = |host: usize| there.iter().position(|other| *other == host);
        let losses = match self.losses {
            0 => None,
            _ => Some(self.random.below(there.len() as u64) as usize),
        };
        let at = self.random.below(80) as usize;
        Scenario {
            hosts: there.len(),
            shards: whole.shards.iter().map(|(on, keys)| (bits(*on), keys.clone())).collect(),
            bad: whole.bad.iter().filter_map(|(s, host)| Some((*s, number(*host)?))).collect(),
            no_sort: bits(whole.no_sort),
            no_merge: bits(whole.no_merge),
            deaf: bits(whole.deaf),
            cut: whole.cut.iter().filter_map(|(a, b)| Some((number(*a)?, number(*b)?))).collect(),
            losses: losses.map(|host| (host, at)).into_iter().collect(),
            seed: self.random.next(),
            ..whole.clone()
        }
    }

    /// Whether a round of these hosts cannot go well.
    fn cannot_go_well(&self, there: &[usize]) -> bool {
        let Scenario { no_sort, no_merge, deaf, cut, roads, reduced, .. } = &self.scenario;
        let all = |bits: u8| there.iter().all(|host| has(bits, *host));
        let is_cut_off = cut.iter().any(|(a, b)| a != b && there.contains(a) && there.contains(b))
            || there.iter().any(|host| has(*deaf, *host));
        all(*no_sort) || !reduced && (all(*no_merge) || *roads == Roads::Direct && is_cut_off)
    }

    /// That each record is there once and in order.
    fn judge(&self) {
        let scenario = &self.scenario;
        let numbers: Vec<u64> = self.made.iter().map(|(number, _)| *number).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
        let made: Vec<Record> = self.made.iter().flat_map(|(_, made)| made.clone()).collect();
        let mut due: Vec<Record> =
            (0..scenario.shards.len()).flat_map(|shard| records(scenario, shard)).collect();
        if !scenario.reduced {
            due.sort();
        }
        assert_eq!(made, due);
    }
}

fn bounds(range: &super::KeyRange) -> (&Option<Vec<u8>>, &Option<Vec<u8>>) {
    (&range.from, &range.to)
}

fn scenario(r: &mut Random) -> Scenario {
    let hosts = 1 + r.below(5) as usize;
    let all = (1u8 << hosts) - 1;
    let shard = |r: &mut Random| {
        let keys = (0..r.below(5)).map(|_| r.below(9) as u8).collect();
        ((r.next() as u8 & r.next() as u8 & all).max(1), keys)
    };
    let shards = (0..r.below(12)).map(|_| shard(r)).collect();
    let pairs = |r: &mut Random, at: u64| {
        let count = if r.below(3) == 0 { r.below(4) } else { 0 };
        (0..count).map(|_| (r.below(at) as usize, r.below(hosts as u64) as usize)).collect()
    };
    let bits = |r: &mut Random| if r.below(5) == 0 { r.next() as u8 & r.next() as u8 } else { 0 };
    Scenario {
        reduced: r.below(4) == 0,
        hosts,
        roads: [Roads::Auto, Roads::Auto, Roads::Relay, Roads::Direct][r.below(4) as usize],
        ranges: 1 + r.below(6),
        shards,
        bad: pairs(r, 12),
        no_sort: bits(r),
        no_merge: bits(r),
        deaf: bits(r),
        cut: pairs(r, hosts as u64),
        losses: Vec::new(),
        seed: r.next(),
    }
}

/// Hosts are lost in any round, and after the last one: what was said comes again, and each record is there once.
#[test]
fn plays_exchanges() {
    driver::run("exchanges", 50_000, |seed, log| {
        let mut journey = Journey::of(seed);
        log.say(|| format!("{:?}", journey.scenario));
        if journey.rounds(None).is_err() {
            return;
        }
        journey.judge();
        // Hosts are lost with new shards, which are made again alone.
        let there = journey.there();
        if there.len() < 2 {
            return;
        }
        let lost = there[journey.random.below(there.len() as u64) as usize];
        journey.lost.insert(lost);
        let lies_there = |number: &u64| {
            let made = journey.course.made(*number);
            made.is_some_and(|made| made.hosts.contains(&name(lost)))
        };
        let numbers = journey.made.iter().map(|(number, _)| *number);
        let wanted: BTreeSet<u64> = numbers.filter(|number| lies_there(number)).collect();
        log.say(|| format!("{} is lost, and with it {wanted:?}", name(lost)));
        if !wanted.is_empty() && journey.rounds(Some(&wanted)).is_ok() {
            for number in &wanted {
                let made = journey.course.made(*number).unwrap();
                assert!(!made.hosts.contains(&name(lost)), "shard {number} is not made again");
            }
        }
        journey.judge();
    });
}

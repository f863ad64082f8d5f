//! A thousand hosts: what an event of an exchange costs does not grow with them. Steps are counted, not time.

use std::collections::VecDeque;

use super::what;
use crate::cluster::exchange::{HostOffer, Merged, SortResult, Tally};
use crate::engine::HostedShard;
use crate::engine::exchange::Roads;
use crate::engine::exchange::planner::simulation::scenario::name;
use crate::engine::exchange::planner::{
    Goal, HostAnswer, HostTask, PlannedHosts, Planner, PlannerAction, PlannerEvent, Resume,
};
use crate::fuzz::random::Random;
use crate::record::bytes::Bytes;
use crate::record::digest::Contents;

/// How many shards there are, and ranges.
const SHARDS: u64 = 40_000;
const RANGES: u64 = 4000;

/// An exchange over so many hosts of two slots, whose shards have two copies each.
struct Crowd {
    planner: Planner,
    random: Random,
    under_way: VecDeque<(u64, usize, HostTask)>,
    /// What each host has sorted.
    sorted: Vec<Tally>,
    merged: u64,
    events: u64,
}

impl Crowd {
    fn of(hosts: usize) -> Crowd {
        let names: Vec<String> = (0..hosts).map(name).collect();
        let planned = PlannedHosts::new(names.iter().map(|name| (name.as_str(), 2)));
        let goal = Goal::Ranges(Some(RANGES), Roads::Relay);
        Crowd {
            planner: Planner::new(what(), goal, Resume::default(), planned),
            random: Random::of(1),
            under_way: VecDeque::new(),
            sorted: vec![Tally::default(); hosts],
            merged: 0,
            events: 0,
        }
    }

    fn tell(&mut self, event: PlannerEvent) {
        self.events += 1;
        self.planner.handle(event);
        for action in self.planner.actions() {
            match action {
                PlannerAction::Ask(number, host, task) => {
                    self.under_way.push_back((number, host, task));
                }
                PlannerAction::Publish(number, ..) => {
                    self.merged += 1;
                    assert_eq!(number, self.merged);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// One of the tasks that are under way ends well.
    fn end_one(&mut self) {
        let at = self.random.below(self.under_way.len() as u64) as usize;
        self.under_way.swap(0, at);
        let Some((number, host, task)) = self.under_way.pop_front() else { return };
        let answer = match task {
            HostTask::Sort(shards) => {
                let mut made = Tally::default();
                for HostedShard { contents, .. } in &shards {
                    made.add(Tally { items: contents.records, sum: contents.sum });
                }
                self.sorted[host].add(made);
                let bytes = made.items;
                HostAnswer::Sorted(SortResult {
                    records: made.items,
                    bytes,
                    made,
                    ..SortResult::default()
                })
            }
            HostTask::Weigh => {
                let key = |n: u64| (Bytes(vec![(n >> 8) as u8, n as u8]), 1000);
                let samples = (0..50).map(|_| key(self.random.below(1 << 16))).collect();
                let offered = self.sorted[host];
                HostAnswer::HostOffer(HostOffer { offered, bytes: offered.items, samples })
            }
            HostTask::Merge(merge) => {
                let mut came = Tally::default();
                if merge.shard == 1 {
                    self.sorted.iter().for_each(|tally| came.add(*tally));
                }
                HostAnswer::Merged(Merged { came, ..Merged::default() })
            }
            other => panic!("{other:?}"),
        };
        self.tell(PlannerEvent::Done(number, answer));
    }

    /// Plays to the end; how many hosts, and ranges for one, are looked at for an event.
    fn play(mut self) -> f64 {
        let hosts = self.sorted.len() as u64;
        for number in 1..=SHARDS {
            let copies = (0..2).map(|_| name(self.random.below(hosts) as usize)).collect();
            let contents = Contents { records: 3, bytes: 3, sum: number.into(), hash: 0 };
            self.tell(PlannerEvent::Shard(HostedShard {
                run: String::new(),
                number,
                hosts: copies,
                flaws: Vec::new(),
                contents,
                split: None,
                made_again: None,
            }));
            if self.random.below(3) > 0 {
                self.end_one();
            }
        }
        self.tell(PlannerEvent::ManifestEnd);
        while !self.planner.is_over() {
            self.end_one();
        }
        let looks = self.planner.hosts.looks.get() as f64 / self.events as f64;
        assert!(self.merged > RANGES / 2, "{}", self.merged);
        self.planner.finish().unwrap();
        looks
    }
}

#[test]
#[expect(clippy::print_stdout)]
fn what_an_event_costs_does_not_grow_with_the_hosts() {
    let (few, many) = (Crowd::of(50).play(), Crowd::of(1000).play());
    println!("hosts and ranges looked at for an event: {few:.2} of 50, {many:.2} of 1000");
    assert!(many < 1.5 * few && many < 40.0, "{few} of 50, {many} of 1000");
}

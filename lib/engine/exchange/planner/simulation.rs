//! Exchanges that are played to the planner: hosts that exist in numbers only do what it asks, in any
//! order, and lose copies, room, roads and their lives at any time.

mod hosts;
mod many;
mod rounds;
mod scenario;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::record::digest::Contents;
use crate::record::key::Missing;
use hosts::Doing;
use scenario::{Record, Scenario, contents, is_lost, name, records, scenarios};

/// More steps than any of these exchanges takes.
const STEPS_MAX: usize = 20_000;

/// The hosts, and what was seen of the planner.
struct World<'a> {
    scenario: &'a Scenario,
    planner: Planner,
    /// The manifest's next shard; it ends behind the last.
    next: usize,
    ended: bool,
    doing: BTreeMap<u64, Doing>,
    lost: BTreeSet<usize>,
    /// The lost hosts that the planner was told of.
    told: BTreeSet<usize>,
    sorted: BTreeSet<u64>,
    segments: Vec<Vec<Record>>,
    secrets: Vec<Option<String>>,
    made: BTreeMap<u64, (usize, Vec<Record>)>,
    attempts: BTreeSet<(u64, u32)>,
    /// The number of the round.
    number: u32,
    published: Vec<(Option<usize>, Contents)>,
    /// The shards that are to be made, where it is not all.
    wanted: Option<Vec<u64>>,
    stopped: bool,
    log: Vec<String>,
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario) -> World<'a> {
        World::round(scenario, Resume::default(), 1)
    }

    /// A round of this number, to which earlier ones have left something.
    fn round(scenario: &'a Scenario, resume: Resume, number: u32) -> World<'a> {
        let goal = match scenario.reduced {
            true => Goal::Reduced,
            false => Goal::Ranges(Some(scenario.ranges), scenario.roads),
        };
        let names: Vec<String> = (0..scenario.hosts).map(name).collect();
        let hosts = PlannedHosts::new(names.iter().map(|name| (name.as_str(), 2)));
        World {
            scenario,
            wanted: resume.wanted.as_ref().map(|wanted| wanted.iter().copied().collect()),
            planner: Planner::new(Exchange { number, ..what() }, goal, resume, hosts),
            next: 0,
            ended: false,
            doing: BTreeMap::new(),
            lost: BTreeSet::new(),
            told: BTreeSet::new(),
            sorted: BTreeSet::new(),
            segments: vec![Vec::new(); scenario.hosts],
            secrets: vec![None; scenario.hosts],
            made: BTreeMap::new(),
            attempts: BTreeSet::new(),
            number,
            published: Vec::new(),
            stopped: false,
            log: Vec::new(),
        }
    }

    /// Plays to the end.
    fn play(&mut self) {
        let mut random = self.scenario.seed | 1;
        for step in 0..STEPS_MAX {
            for (host, at) in &self.scenario.losses {
                if *at <= step && *host < self.scenario.hosts {
                    self.lost.insert(*host);
                }
            }
            self.act();
            if self.planner.is_over() {
                return;
            }
            for _ in 0..1 + random % 3 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                self.happen(random as usize);
            }
        }
        panic!("it does not end: {:?}", self.log);
    }

    /// Takes what is planned.
    fn act(&mut self) {
        for action in self.planner.actions() {
            self.log.push(format!("{action:?}"));
            assert!(!self.stopped, "something is done after the end: {action:?}");
            match action {
                PlannerAction::Ask(number, host, task) => {
                    self.is_allowed(host, &task);
                    self.doing.insert(number, Doing::Asked(host, task));
                }
                PlannerAction::Relay(number, part) => {
                    assert!(!self.told.contains(&part.from) && !self.told.contains(&part.to));
                    assert_ne!(part.from, part.to);
                    self.doing.insert(number, Doing::Relaying(part));
                }
                PlannerAction::Publish(number, host, contents) => {
                    self.published.push((host, contents));
                    let out = self.published.len();
                    let due = self
                        .wanted
                        .as_ref()
                        .map_or(Some(out as u64), |all| all.get(out - 1).copied());
                    assert_eq!(Some(number), due, "shards leave in order");
                }
                PlannerAction::Say(text) => {
                    assert!(text.contains("place") || text.contains("go elsewhere"))
                }
                PlannerAction::Stop => self.stopped = true,
            }
        }
        let relays = self.doing.values().filter(|doing| matches!(doing, Doing::Relaying(_)));
        assert!(relays.count() <= 16);
    }

    /// That a host is not asked what it cannot do, or more than it can.
    fn is_allowed(&self, host: usize, task: &HostTask) {
        assert!(!self.told.contains(&host), "a lost host is asked: {task:?}");
        let is_of_host = |doing: &&Doing| match doing {
            Doing::Asked(at, task) => *at == host && !matches!(task, HostTask::Weigh),
            Doing::Merging { host: at, .. } => *at == host,
            Doing::Relaying(_) => false,
        };
        let busy = self.doing.values().filter(is_of_host).count();
        let shards = match task {
            HostTask::Sort(shards) => shards.as_slice(),
            HostTask::Reduce(shard) => std::slice::from_ref(shard),
            HostTask::Merge(merge) => {
                let is_wanted = self.wanted.as_ref().is_none_or(|all| all.contains(&merge.shard));
                return assert!(busy < 3 && is_wanted, "{merge:?}");
            }
            _ => return,
        };
        assert!(busy < 2 && !shards.is_empty());
        for shard in shards {
            assert!(
                shard.hosts.contains(&name(host)),
                "a host has no copy, or a bad one: {shard:?}"
            );
            assert!(!self.sorted.contains(&shard.number), "twice: {shard:?}");
        }
    }

    /// Something of what can happen now happens.
    fn happen(&mut self, pick: usize) {
        let is_ready = |doing: &Doing| match doing {
            Doing::Merging { host, wanted, due, brought, .. } => {
                self.stopped || !wanted.is_empty() || due == brought || self.lost.contains(host)
            }
            _ => true,
        };
        let ready: Vec<u64> = self
            .doing
            .iter()
            .filter(|(_, doing)| is_ready(doing))
            .map(|(number, _)| *number)
            .collect();
        let untold: Vec<usize> = self.lost.difference(&self.told).copied().collect();
        let choices = ready.len() + untold.len() + usize::from(!self.ended);
        if choices == 0 {
            return;
        }
        let pick = pick % choices;
        let event = if let Some(number) = ready.get(pick) {
            self.go_on(*number)
        } else if let Some(host) = untold.get(pick - ready.len()) {
            self.told.insert(*host);
            Some(PlannerEvent::HostLost(*host, is_lost(*host)))
        } else {
            Some(self.read())
        };
        if let Some(event) = event {
            self.log.push(format!("{event:?}"));
            self.planner.handle(event);
        }
    }

    /// The manifest's next line.
    fn read(&mut self) -> PlannerEvent {
        let at = self.next;
        if at == self.scenario.shards.len() {
            self.ended = true;
            return PlannerEvent::ManifestEnd;
        }
        self.next += 1;
        let hosts = (0..self.scenario.hosts).filter(|host| self.scenario.has_copy(at, *host));
        PlannerEvent::Shard(HostedShard {
            run: String::new(),
            number: at as u64 + 1,
            hosts: hosts.map(name).collect(),
            flaws: Vec::new(),
            contents: contents(&records(self.scenario, at)),
            split: None,
            made_again: None,
        })
    }

    /// Whether what came of it is right: each record once and in order, or an error that has a cause.
    fn judge(self) {
        let scenario = self.scenario;
        assert!(self.doing.is_empty() && self.planner.is_over());
        for (number, (host, contents_of)) in (1..).zip(&self.published) {
            match self.made.get(&number) {
                Some((at, records)) => {
                    assert_eq!((*host, *contents_of), (Some(*at), contents(records)));
                }
                None => assert!(host.is_none() && contents_of.bytes == 0),
            }
        }
        let made: Vec<Record> =
            self.made.values().flat_map(|(_, records)| records.clone()).collect();
        let mut due: Vec<Record> =
            (0..scenario.shards.len()).flat_map(|shard| records(scenario, shard)).collect();
        match self.planner.finish() {
            Ok(report) => {
                if !scenario.reduced {
                    due.sort();
                }
                assert_eq!(made, due);
                let shards = if scenario.reduced { scenario.shards.len() } else { self.made.len() };
                assert_eq!(self.published.len(), shards);
                let count = due.len() as u64;
                assert_eq!((report.summary.records_in, report.summary.records_out), (count, count));
            }
            Err(error) => {
                assert!(self.stopped && !scenario.can_go_well(), "{error}: {:?}", self.log);
                assert!(!error.to_string().contains("internal"), "{error}: {:?}", self.log);
            }
        }
    }
}

fn what() -> Exchange {
    Exchange {
        number: 1,
        keys: Some(".".into()),
        order_by: String::new(),
        reverse: false,
        missing: Missing::Fail,
        unique: false,
        spread: false,
        ops: Vec::new(),
        nulls: Vec::new(),
        in_order: false,
        max_record: 1000,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever happens in whatever order: each record leaves once and in order, or there is an
    /// error that has a cause; nothing is asked of who is lost, or has no room, or is busy; and it
    /// ends.
    #[test]
    fn any_order_of_events_ends_well(scenario in scenarios()) {
        let mut world = World::new(&scenario);
        world.play();
        world.judge();
    }

    /// The same events give the same plan.
    #[test]
    fn a_plan_can_be_played_again(scenario in scenarios()) {
        let (mut one, mut other) = (World::new(&scenario), World::new(&scenario));
        one.play();
        other.play();
        prop_assert_eq!(one.log, other.log);
    }
}

//! What is played to the planner: hosts, the shards on them, and what goes wrong.

use proptest::prelude::*;

use crate::cluster::exchange::Tally;
use crate::engine::exchange::Roads;
use crate::error::{Error, ErrorKind};
use crate::record::digest::Contents;

/// The bytes of each record.
pub(super) const RECORD_BYTES: u64 = 10;

/// What is played.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) reduced: bool,
    pub(super) hosts: usize,
    pub(super) roads: Roads,
    pub(super) ranges: u64,
    /// Of each shard the hosts that it lies on, as bits, and the keys of its records.
    pub(super) shards: Vec<(u8, Vec<u8>)>,
    /// Copies that are no good: shards and hosts.
    pub(super) bad: Vec<(usize, usize)>,
    /// Hosts that have no room to sort, that have none to merge, and that do not listen, as bits.
    pub(super) no_sort: u8,
    pub(super) no_merge: u8,
    pub(super) deaf: u8,
    /// Pairs of hosts of which the second does not reach the first.
    pub(super) cut: Vec<(usize, usize)>,
    /// Hosts that are lost, and after how many steps.
    pub(super) losses: Vec<(usize, usize)>,
    /// What decides in which order things happen.
    pub(super) seed: u64,
}

pub(super) fn has(bits: u8, host: usize) -> bool {
    bits & (1 << host) != 0
}

impl Scenario {
    pub(super) fn has_copy(&self, shard: usize, host: usize) -> bool {
        host < self.hosts && has(self.shards[shard].0, host)
    }

    /// Whether every shard can be worked on, every range merged, and every part brought.
    pub(super) fn can_go_well(&self) -> bool {
        let is_good = |shard: usize, host: usize| {
            self.has_copy(shard, host)
                && !self.bad.contains(&(shard, host))
                && !has(self.no_sort, host)
        };
        let is_sortable = |shard: usize| {
            self.shards[shard].1.is_empty() || (0..self.hosts).any(|host| is_good(shard, host))
        };
        let is_mergeable = (0..self.hosts).any(|host| !has(self.no_merge, host));
        let has_roads = self.roads != Roads::Direct
            || (0..self.hosts).all(|host| !has(self.deaf, host))
                && self.cut.iter().all(|(a, b)| a == b || *a >= self.hosts || *b >= self.hosts);
        let is_all_there = self.losses.iter().all(|(host, _)| *host >= self.hosts);
        (0..self.shards.len()).all(is_sortable)
            && (self.reduced || is_mergeable && has_roads)
            && is_all_there
    }
}

pub(super) fn scenarios() -> impl Strategy<Value = Scenario> {
    let shards =
        proptest::collection::vec((1u8..32, proptest::collection::vec(0u8..9, 0..5)), 0..12);
    let roads = prop_oneof![Just(Roads::Auto), Just(Roads::Direct), Just(Roads::Relay)];
    let few = |at: usize| proptest::collection::vec((0..at, 0usize..5), 0..4);
    // Most hosts are as they should be.
    let bits = || prop_oneof![3 => Just(0u8), 1 => any::<u8>()];
    let losses = prop_oneof![2 => Just(vec![]), 1 => proptest::collection::vec((0usize..5, 0usize..60), 1..3)];
    (
        (any::<bool>(), 1usize..6, roads, 1u64..7, shards, few(12)),
        (bits(), bits(), bits(), few(5), losses, any::<u64>()),
    )
        .prop_map(|((reduced, hosts, roads, ranges, shards, bad), rest)| {
            let (no_sort, no_merge, deaf, cut, losses, seed) = rest;
            let mut shards = shards;
            // Each lies on one of the hosts at least.
            let all = (1u8 << hosts) - 1;
            shards.iter_mut().for_each(|(on, _)| *on = (*on & all).max(1));
            Scenario {
                reduced,
                hosts,
                roads,
                ranges,
                shards,
                bad,
                no_sort,
                no_merge,
                deaf,
                cut,
                losses,
                seed,
            }
        })
}

/// A record: its key, and what tells it from all others.
pub(super) type Record = (u8, u128);

pub(super) fn records(scenario: &Scenario, shard: usize) -> Vec<Record> {
    let of = |(at, key): (usize, &u8)| (*key, 1 + (shard as u128) * 100 + at as u128);
    scenario.shards[shard].1.iter().enumerate().map(of).collect()
}

pub(super) fn contents(records: &[Record]) -> Contents {
    let count = records.len() as u64;
    let sum = records.iter().map(|(_, id)| id).sum();
    Contents { records: count, bytes: count * RECORD_BYTES, sum, hash: 0 }
}

pub(super) fn tally(records: &[Record]) -> Tally {
    Tally { items: records.len() as u64, sum: contents(records).sum }
}

pub(super) fn name(host: usize) -> String {
    format!("n{}", host + 1)
}

pub(super) fn is_lost(host: usize) -> Error {
    Error::new(ErrorKind::Hosts, format!("{} is lost: its connection ended", name(host)))
}

//! Which range is merged where: each goes to a host that has room, rather to one that has much of it
//! already, and what cannot come to that host directly is relayed to it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::cluster::exchange::{HostOffer, MergeTask, RangeSource, RelayedPart, token};
use crate::engine::exchange::Roads;
use crate::engine::exchange::planner::cuts::KeyRange;
use crate::engine::exchange::planner::{PlannedHosts, weighing};
use crate::error::{Error, ErrorKind, Result, broken};
use crate::record::bytes::Bytes;

/// How many parts are relayed at once: of each, a window or two is held here.
const RELAYS_MAX: usize = 16;

/// How far from the first range that waits the next one may be, for each host, and at most: who reads the shards
/// reads them in order, and who chooses looks at no more.
const REACH: usize = 2;
const REACH_MAX: usize = 64;

/// More attempts than a range gets in one exchange: those of the next one have other numbers.
const ATTEMPTS_MAX: u32 = 10_000;

/// The ranges that wait, and the parts of ranges that wait to be relayed.
#[derive(Default)]
pub(super) struct RangeQueue {
    /// The number of the exchange.
    exchange: u32,
    pub(super) ranges: Vec<KeyRange>,
    /// The hosts that have anything at all: the sources of every merge, in this order.
    offering: Vec<usize>,
    /// The secrets of the hosts that can be asked by the others.
    secrets: Vec<Option<String>>,
    roads: Roads,
    /// The ranges that wait, and how often each was tried.
    waiting: BTreeMap<usize, u32>,
    /// The hosts that have no room, and what they say of it: they get no more ranges.
    full: BTreeMap<usize, String>,
    /// The parts that wait to be relayed.
    parts: VecDeque<WantedPart>,
    /// How many are relayed.
    relaying: usize,
    /// The hosts of which one could not ask the other, and why.
    pub(super) cut_off: BTreeMap<String, String>,
}

/// A part of a range that is to be relayed.
pub(super) struct WantedPart {
    /// The task that merges the range.
    pub(super) merge: u64,
    /// The host that has the part, and the one that wants it.
    pub(super) from: usize,
    pub(super) to: usize,
    /// The range.
    pub(super) range: usize,
    /// What the host that wants it calls it.
    pub(super) deliver: RelayedPart,
}

impl RangeQueue {
    /// Those of `ranges` wait whose shards are `wanted`, or all of them; the hosts have what they offer of them,
    /// and `roads` are those that their parts may go by. So far no host can be asked by another one.
    pub(super) fn new(
        exchange: u32,
        ranges: Vec<KeyRange>,
        wanted: Option<&BTreeSet<u64>>,
        (offers, roads): (&[HostOffer], Roads),
    ) -> RangeQueue {
        let is_wanted =
            |range: &usize| wanted.is_none_or(|wanted| wanted.contains(&(*range as u64 + 1)));
        let before = exchange.saturating_sub(1).saturating_mul(ATTEMPTS_MAX);
        RangeQueue {
            exchange,
            waiting: (0..ranges.len()).filter(is_wanted).map(|range| (range, before)).collect(),
            ranges,
            offering: (0..offers.len()).filter(|host| offers[*host].offered.items > 0).collect(),
            secrets: vec![None; offers.len()],
            roads,
            ..RangeQueue::default()
        }
    }

    /// This host can be asked by the others that can be, with tokens made of this secret.
    pub(super) fn can_be_asked(&mut self, host: usize, secret: String) {
        self.secrets[host] = Some(secret);
    }

    /// How many bytes of a host that offers this may come to another one, all ranges together.
    pub(super) fn bytes_max(&self, offer: &HostOffer) -> u64 {
        weighing::most(offer, self.ranges.len())
    }

    /// Whether any range waits.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next range for a host to merge, and how; none when nothing is left for it.
    pub(super) fn next(&mut self, hosts: &PlannedHosts, host: usize) -> Option<(usize, MergeTask)> {
        if self.full.contains_key(&host) {
            return None;
        }
        let near = self.waiting.iter().take((hosts.len() * REACH).min(REACH_MAX));
        let near = near.inspect(|_| hosts.look(1));
        // Much of it lies there; of equal ones the first.
        let most = near.max_by_key(|(range, _)| (self.ranges[**range].lie[host], Reverse(**range)));
        let range = *most?.0;
        let tried = self.waiting.remove(&range)?;
        let (from, to) = self.bounds(range);
        let source = |other: &usize| match &self.secrets[*other] {
            _ if *other == host => RangeSource::Here,
            Some(secret) if self.secrets[host].is_some() => {
                RangeSource::Peer(hosts[*other].name.clone(), token(secret, &from, &to))
            }
            _ => RangeSource::Relay,
        };
        let sources = self.offering.iter().map(source).collect();
        let (shard, attempt) = (range as u64 + 1, tried + 1);
        Some((range, MergeTask { exchange: self.exchange, shard, attempt, from, to, sources }))
    }

    /// The bounds of a range, as messages carry them.
    pub(super) fn bounds(&self, range: usize) -> (Option<Bytes>, Option<Bytes>) {
        let bytes = |key: &Option<Vec<u8>>| key.clone().map(Bytes);
        let range = &self.ranges[range];
        (bytes(&range.from), bytes(&range.to))
    }

    /// A range that `host` had no room to merge, for the reason `why`, waits again, after so many
    /// attempts: another one may have room. Gives what is to be said of it.
    ///
    /// # Errors
    /// `Storage` when no host has room.
    pub(super) fn again(
        &mut self,
        hosts: &PlannedHosts,
        (host, range, attempts): (usize, usize, u32),
        why: &Error,
    ) -> Result<Option<String>> {
        self.waiting.insert(range, attempts);
        let first = self.full.insert(host, why.to_string()).is_none();
        if self.full.len() == hosts.len() {
            let all: Vec<&str> = self.full.values().map(String::as_str).collect();
            return Err(Error::new(ErrorKind::Storage, all.join("; ")));
        }
        Ok(first.then(|| format!("{why}; its ranges go elsewhere")))
    }

    /// The host `to` wants a part of the range that it merges from a source that does not give it
    /// directly, for the reason `why` where that was tried: it waits to be relayed.
    ///
    /// # Errors
    /// `Hosts` when it may not be; when there is no such source.
    pub(super) fn want(
        &mut self,
        hosts: &PlannedHosts,
        (merge, to, range): (u64, usize, usize),
        deliver: RelayedPart,
        why: Option<String>,
    ) -> Result<()> {
        let shown = &hosts[to].shown;
        let Some(&from) = self.offering.get(deliver.source as usize) else {
            return Err(broken("a part that is nowhere").at(shown));
        };
        let pair = format!("{} to {shown}", hosts[from].shown);
        let was_tried = why.is_some();
        let why = why.unwrap_or_else(|| "it does not listen".into());
        if self.roads == Roads::Direct {
            return Err(Error::new(ErrorKind::Hosts, why).at(format!("{pair}: no direct way")));
        }
        if was_tried {
            self.cut_off.entry(pair).or_insert(why);
        }
        self.parts.push_back(WantedPart { merge, from, to, range, deliver });
        Ok(())
    }

    /// The next part to be relayed, if one may be, which counts as being relayed until
    /// [`RangeQueue::relayed`]. What is for merges that have ended is wanted no more.
    pub(super) fn next_part(&mut self, is_merging: impl Fn(u64) -> bool) -> Option<WantedPart> {
        if self.relaying >= RELAYS_MAX {
            return None;
        }
        loop {
            let part = self.parts.pop_front()?;
            if is_merging(part.merge) {
                self.relaying += 1;
                return Some(part);
            }
        }
    }

    /// A part is relayed.
    pub(super) fn relayed(&mut self) {
        self.relaying -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::exchange::Tally;

    fn hosts() -> PlannedHosts {
        PlannedHosts::new(["n1", "n2"].map(|name| (name, 1)))
    }

    /// Four ranges; much of the first and the last lies on the second host.
    fn queue(roads: Roads) -> RangeQueue {
        let range = |lie: [u64; 2]| KeyRange { lie: lie.into(), ..KeyRange::default() };
        let offer = HostOffer { offered: Tally { items: 1, sum: 0 }, ..HostOffer::default() };
        let ranges = [[1, 5], [2, 2], [2, 1], [0, 9], [9, 9]].map(range).into();
        RangeQueue::new(1, ranges, None, (&[offer.clone(), offer], roads))
    }

    fn deliver(source: u32) -> RelayedPart {
        RelayedPart { merge: 70, source }
    }

    #[test]
    fn each_goes_where_most_of_it_lies_of_those_that_are_next() {
        let (hosts, mut queue) = (hosts(), queue(Roads::Auto));
        queue.can_be_asked(1, "secret".into());
        let (range, merge) = queue.next(&hosts, 1).unwrap();
        assert_eq!((range, merge.shard, merge.attempt), (3, 4, 1));
        assert_eq!(merge.sources, [RangeSource::Relay, RangeSource::Here]);
        // The last one is within reach now that another has gone.
        assert_eq!(queue.next(&hosts, 0).unwrap().0, 4);
        assert_eq!(queue.next(&hosts, 0).unwrap().0, 1);
        queue.can_be_asked(0, "another".into());
        let (range, merge) = queue.next(&hosts, 0).unwrap();
        assert_eq!(range, 2);
        assert_eq!(
            merge.sources,
            [RangeSource::Here, RangeSource::Peer("n2".into(), token("secret", &None, &None))]
        );
    }

    #[test]
    fn a_host_without_room_is_said_once_and_all_of_them_are_the_end() {
        let (hosts, mut queue) = (hosts(), queue(Roads::Auto));
        let full = |host| Error::new(ErrorKind::Storage, format!("{host}: no space left"));
        let (one, other) = (queue.next(&hosts, 0).unwrap(), queue.next(&hosts, 0).unwrap());
        let said = queue.again(&hosts, (0, one.0, 1), &full("n1")).unwrap();
        assert_eq!(said.unwrap(), "n1: no space left; its ranges go elsewhere");
        assert!(queue.again(&hosts, (0, other.0, 1), &full("n1")).unwrap().is_none());
        assert!(queue.next(&hosts, 0).is_none());
        let again = std::iter::from_fn(|| queue.next(&hosts, 1)).map(|(_, merge)| merge);
        let attempts: Vec<(u64, u32)> = again.map(|merge| (merge.shard, merge.attempt)).collect();
        assert_eq!(attempts.len(), 5);
        for tried in [one.0, other.0] {
            assert!(attempts.contains(&(tried as u64 + 1, 2)), "{attempts:?}");
        }
        let error = queue.again(&hosts, (1, 0, 1), &full("n2")).unwrap_err();
        assert_eq!(error.to_string(), "n1: no space left; n2: no space left");
        assert_eq!(error.kind(), ErrorKind::Storage);
    }

    #[test]
    fn so_many_parts_are_relayed_at_once_and_none_for_a_merge_that_has_ended() {
        let (hosts, mut queue) = (hosts(), queue(Roads::Auto));
        for merge in 0..20 {
            queue.want(&hosts, (merge, 1, 0), deliver(0), None).unwrap();
        }
        queue.want(&hosts, (99, 1, 0), deliver(0), Some("it is far".into())).unwrap();
        let mut relayed = Vec::new();
        while let Some(part) = queue.next_part(|merge| merge != 2) {
            assert_eq!((part.from, part.to), (0, 1));
            relayed.push(part.merge);
        }
        assert_eq!(relayed.len(), RELAYS_MAX);
        assert!(!relayed.contains(&2));
        queue.relayed();
        assert_eq!(queue.next_part(|_| true).unwrap().merge, 17);
        assert!(queue.next_part(|_| true).is_none());
        let cut_off: Vec<_> = queue.cut_off.into_iter().collect();
        assert_eq!(cut_off, [("n1 to n2".to_string(), "it is far".to_string())]);
    }

    #[test]
    fn what_may_not_be_relayed_or_is_nowhere_is_an_error() {
        let hosts = hosts();
        let error = queue(Roads::Direct).want(&hosts, (1, 1, 0), deliver(0), None).unwrap_err();
        assert_eq!(error.to_string(), "n1 to n2: no direct way: it does not listen");
        assert_eq!(error.kind(), ErrorKind::Hosts);
        let error = queue(Roads::Auto).want(&hosts, (1, 1, 0), deliver(2), None).unwrap_err();
        assert!(error.to_string().starts_with("n2: ") && error.to_string().contains("nowhere"));
    }
}

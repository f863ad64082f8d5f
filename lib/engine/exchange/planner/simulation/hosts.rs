//! The hosts that are played: what they answer, and what they want meanwhile.

use crate::cluster::exchange::{
    HostOffer, MergeTask, Merged, RangeSource, RelayedPart, SortResult, token,
};
use crate::engine::HostedShard;
use crate::engine::exchange::lost;
use crate::engine::exchange::planner::simulation::World;
use crate::engine::exchange::planner::simulation::scenario::{
    RECORD_BYTES, Record, contents, has, is_lost, name, records, tally,
};
use crate::engine::exchange::planner::{
    HostAnswer, HostTask, PartTransfer, PeerListener, PlannerEvent,
};
use crate::error::{Error, ErrorKind, Result};
use crate::record::bytes::Bytes;

pub(super) enum Doing {
    Asked(usize, HostTask),
    /// A merge, whose parts are wanted of these sources, and were brought of so many.
    Merging {
        host: usize,
        merge: MergeTask,
        wanted: Vec<(u32, Option<String>)>,
        due: usize,
        brought: usize,
    },
    Relaying(PartTransfer),
}

impl World<'_> {
    /// A task goes on, or ends.
    pub(super) fn go_on(&mut self, number: u64) -> Option<PlannerEvent> {
        let doing = self.doing.remove(&number)?;
        let hosts = match &doing {
            Doing::Asked(host, _) | Doing::Merging { host, .. } => vec![*host],
            Doing::Relaying(part) => vec![part.from, part.to],
        };
        if let Some(host) = hosts.iter().find(|host| self.lost.contains(host)) {
            return Some(PlannerEvent::Failed(number, lost(is_lost(*host))));
        }
        if self.stopped {
            return Some(PlannerEvent::Failed(number, Error::incomplete("stopped")));
        }
        let ended = match doing {
            Doing::Asked(host, HostTask::Merge(merge)) => {
                self.begin_merge(number, host, merge);
                return None;
            }
            Doing::Asked(host, task) => self.answer(host, task),
            Doing::Merging { host, merge, mut wanted, due, brought } => {
                if let Some((source, why)) = wanted.pop() {
                    let deliver = RelayedPart { merge: number as u32, source };
                    let doing = Doing::Merging { host, merge, wanted, due, brought };
                    self.doing.insert(number, doing);
                    return Some(PlannerEvent::PartWanted(number, deliver, why));
                }
                self.merge(host, &merge)
            }
            Doing::Relaying(part) => {
                if let Some(Doing::Merging { host, merge, brought, .. }) =
                    self.doing.get_mut(&u64::from(part.deliver.merge))
                {
                    assert_eq!(*host, part.to);
                    assert_eq!((&merge.from, &merge.to), (&part.bounds.0, &part.bounds.1));
                    *brought += 1;
                }
                Ok(HostAnswer::Relayed)
            }
        };
        Some(match ended {
            Ok(answer) => PlannerEvent::Done(number, answer),
            Err(error) => PlannerEvent::Failed(number, error),
        })
    }

    /// What a host says to all but a merge.
    fn answer(&mut self, host: usize, task: HostTask) -> Result<HostAnswer> {
        match task {
            HostTask::Sort(shards) => {
                let records = self.work_on(host, &shards)?;
                self.segments[host].extend(&records);
                let (made, bytes) = (tally(&records), contents(&records).bytes);
                let sorted =
                    SortResult { records: made.items, bytes, made, ..SortResult::default() };
                Ok(HostAnswer::Sorted(sorted))
            }
            HostTask::Reduce(shard) => {
                let records = self.work_on(host, std::slice::from_ref(&shard))?;
                let merged = Merged { contents: contents(&records), ..Merged::default() };
                self.made.insert(shard.number, (host, records));
                Ok(HostAnswer::Merged(merged))
            }
            HostTask::Weigh => {
                let mut has = self.segments[host].clone();
                has.sort();
                let (offered, bytes) = (tally(&has), contents(&has).bytes);
                // Which keys are told is chance, and other in each round.
                let round = self.number as usize + host;
                let told = has.iter().enumerate().filter(|(at, _)| !(at + round).is_multiple_of(3));
                let samples = told.map(|(_, (key, _))| (Bytes(vec![*key]), RECORD_BYTES)).collect();
                Ok(HostAnswer::HostOffer(HostOffer { offered, bytes, samples }))
            }
            HostTask::Listen if has(self.scenario.deaf, host) => {
                Ok(HostAnswer::Listening(Err("it cannot listen".into())))
            }
            HostTask::Listen => Ok(HostAnswer::Listening(Ok(PeerListener {
                addresses: Vec::new(),
                public_key: Bytes::default(),
                secret: format!("secret {host}"),
            }))),
            HostTask::Introduce(peers, secret) => {
                assert!(peers.iter().any(|peer| peer.name == name(host)));
                self.secrets[host] = Some(secret);
                Ok(HostAnswer::Introduced)
            }
            HostTask::Merge(_) => unreachable!(),
        }
    }

    /// The records of shards that a host works on.
    fn work_on(&mut self, host: usize, shards: &[HostedShard]) -> Result<Vec<Record>> {
        let at = |shard: &HostedShard| shard.number as usize - 1;
        if has(self.scenario.no_sort, host) {
            return Err(Error::new(ErrorKind::Storage, format!("{}: no room", name(host))));
        }
        if let Some(bad) = shards.iter().find(|s| self.scenario.bad.contains(&(at(s), host))) {
            let text = format!("{}: shard {} is damaged", name(host), bad.number);
            return Err(Error::incomplete(text));
        }
        for shard in shards {
            assert!(self.sorted.insert(shard.number), "twice: {shard:?}");
        }
        Ok(shards.iter().flat_map(|shard| records(self.scenario, at(shard))).collect())
    }

    /// A merge wants the parts that do not come to its host by themselves.
    fn begin_merge(&mut self, number: u64, host: usize, merge: MergeTask) {
        assert!(self.attempts.insert((merge.shard, merge.attempt)), "an attempt twice: {merge:?}");
        let mut wanted = Vec::new();
        let mut here = self.offering();
        for (source, from) in merge.sources.iter().zip(&mut here) {
            let why = match source {
                RangeSource::Here => {
                    assert_eq!(*from, host);
                    continue;
                }
                RangeSource::Peer(peer, shown) => {
                    assert_eq!(*peer, name(*from));
                    let secret = self.secrets[*from].as_ref().unwrap();
                    assert_eq!(*shown, token(secret, &merge.from, &merge.to));
                    if !self.scenario.cut.contains(&(*from, host)) {
                        continue;
                    }
                    Some("it is cut off".to_string())
                }
                RangeSource::Relay => None,
            };
            let at = self.offering().iter().position(|other| other == from).unwrap();
            wanted.push((at as u32, why));
        }
        assert_eq!(merge.sources.len(), self.offering().len());
        let due = wanted.len();
        self.doing.insert(number, Doing::Merging { host, merge, wanted, due, brought: 0 });
    }

    fn offering(&self) -> Vec<usize> {
        let has_any = |host: &usize| !self.segments[*host].is_empty();
        (0..self.scenario.hosts).filter(has_any).collect()
    }

    fn merge(&mut self, host: usize, merge: &MergeTask) -> Result<HostAnswer> {
        if has(self.scenario.no_merge, host) {
            return Err(Error::new(ErrorKind::Storage, format!("{}: no room", name(host))));
        }
        let is_in = |(key, _): &&Record| {
            let key = std::slice::from_ref(key);
            merge.from.as_ref().is_none_or(|from| from.0.as_slice() <= key)
                && merge.to.as_ref().is_none_or(|to| key < to.0.as_slice())
        };
        let mut records: Vec<Record> =
            self.segments.iter().flatten().filter(is_in).copied().collect();
        records.sort();
        let (contents, came) = (contents(&records), tally(&records));
        assert!(self.made.insert(merge.shard, (host, records)).is_none(), "a range twice");
        Ok(HostAnswer::Merged(Merged { contents, came, ..Merged::default() }))
    }
}

//! A host's part in an exchange: it sorts the shards that lie on it ([`source`]), gives the parts of
//! ranges to whoever merges them, and merges ranges itself ([`sink`]), whose parts come to it from
//! the other hosts by one of two [roads](road): through the tool, or [directly](direct).
//!
//! Equal keys are in the order of the shards that they came from, whatever host sorted those: each
//! key is followed by the number of its shard, its *tie*. So any cut of the keys, and any host for
//! any range, gives the same bytes. Where the records of a key may lie in several ranges the number
//! of the block follows, so that a cut may lie within a shard too, between two of its blocks.

mod direct;
mod in_place;
mod received_part;
pub(crate) mod road;
mod sampled_segment;
mod sink;
mod source;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::aggregate::Op;
use crate::error::broken;
use crate::error::{Error, Result};
use crate::extsort::segment::Segment;
use crate::group::grouping::Grouping;
use crate::group::order::{Limits, Order};
use crate::parallel::{BufferPool, lock};
use crate::record::bytes::Bytes;
use crate::record::key::Keys;
use crate::wire::exchange::{self as wire, Tally};
use crate::worker::state::WorkerState;

/// The share of a task's memory that may lie idle: one in so many.
const SPARE_SHARE: usize = 4;

/// The most exchanges of a tool.
const EXCHANGES_MAX: usize = 16;

/// The exchanges of a tool.
#[derive(Clone, Default)]
pub(crate) struct Exchanges(Arc<Mutex<HashMap<u32, Arc<ExchangeState>>>>);

impl Exchanges {
    /// Begins one, whose tasks may use `memory` bytes each.
    pub(crate) fn begin(&self, spec: wire::Exchange, memory: usize) -> Result<()> {
        let number = spec.number;
        let exchange = Arc::new(ExchangeState::new(spec, memory)?);
        let mut all = lock(&self.0);
        if all.len() >= EXCHANGES_MAX || all.contains_key(&number) {
            return Err(broken("too many exchanges, or one twice"));
        }
        all.insert(number, exchange);
        Ok(())
    }

    /// The one of this number.
    pub(crate) fn get(&self, number: u32) -> Result<Arc<ExchangeState>> {
        lock(&self.0).get(&number).cloned().ok_or_else(|| broken("no such exchange"))
    }

    /// Ends one: nobody listens for it any more, and what it has sorted goes with the last part of
    /// it that is under way.
    pub(crate) fn end(&self, number: u32) {
        let ended = lock(&self.0).remove(&number);
        if let Some(exchange) = ended {
            exchange.close();
        }
    }

    /// Ends all.
    pub(crate) fn end_all(&self) {
        let all: Vec<u32> = lock(&self.0).keys().copied().collect();
        all.into_iter().for_each(|number| self.end(number));
    }
}

/// An exchange, as this host knows it.
pub(crate) struct ExchangeState {
    spec: wire::Exchange,
    order: Order,
    /// The results of each group; none where the records are wanted.
    grouping: Option<Arc<Grouping>>,
    sorted: Mutex<Vec<Held>>,
    spare: BufferPool,
    /// The way to the other hosts, once there is one.
    direct: Mutex<Option<Arc<direct::Direct>>>,
}

/// A segment, what it holds, and samples of its keys.
struct Held {
    segment: Segment,
    tally: Tally,
    samples: Vec<Sample>,
}

/// The beginning of a key, and how many bytes lie from there to the next one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sample {
    key: Vec<u8>,
    bytes: u64,
}

impl ExchangeState {
    fn new(spec: wire::Exchange, memory: usize) -> Result<ExchangeState> {
        let keys = spec.keys.as_deref().map(Keys::parse).transpose()?;
        let order_by = match spec.order_by.as_str() {
            "" => Vec::new(),
            parts => Keys::parse(parts)?.parts,
        };
        let op = |(name, text): &(String, String)| {
            Op::parse(text).map(|op| Op { name: name.clone(), ..op })
        };
        let ops = spec.ops.iter().map(op).collect::<Result<Vec<Op>>>()?;
        let max_record = usize::try_from(spec.max_record).unwrap_or(usize::MAX);
        let grouping = match ops.is_empty() {
            true => None,
            false => {
                let grouping = Grouping::new(keys.clone(), ops, spec.missing, max_record)?;
                let grouping = grouping.with_nulls(spec.nulls.clone());
                Some(Arc::new(grouping.reversed(spec.reverse)))
            }
        };
        let order = Order {
            keys: keys.unwrap_or_else(Keys::implied),
            order_by,
            reverse: spec.reverse,
            missing: spec.missing,
            unique: spec.unique,
        };
        let (sorted, direct) = (Mutex::default(), Mutex::default());
        let spare = BufferPool::new(memory / SPARE_SHARE);
        Ok(ExchangeState { spec, order, grouping, sorted, spare, direct })
    }

    /// The grouping, where what is exchanged are parts of groups and not records: that is where
    /// nothing orders the records of a group.
    fn parts_of_groups(&self) -> Option<&Arc<Grouping>> {
        self.grouping.as_ref().filter(|_| self.order.order_by.is_empty())
    }

    /// How many bytes of a key are its tie.
    fn tie_bytes(&self) -> usize {
        match (self.parts_of_groups(), self.spec.spread) {
            (Some(_), _) => 0,
            (None, false) => size_of::<u32>(),
            (None, true) => size_of::<u32>() + size_of::<u16>(),
        }
    }

    /// The tie of what comes from a block of a shard. Blocks beyond the last number have that one:
    /// they are sorted on one host, in their order, so that it need not tell them apart.
    fn tie(&self, shard: u64, block: usize) -> Result<Vec<u8>> {
        let number = u32::try_from(shard);
        let number =
            number.map_err(|_| Error::usage("more than 4294967295 shards in an exchange"))?;
        let mut tie = number.to_be_bytes().to_vec();
        if self.spec.spread {
            tie.extend(u16::try_from(block).unwrap_or(u16::MAX).to_be_bytes());
        }
        Ok(tie)
    }

    /// What one task may use.
    fn limits(&self, state: &WorkerState) -> Limits {
        Limits {
            memory: state.task_memory(),
            jobs: 1,
            directory: state.base.path().into(),
            max_record: usize::try_from(self.spec.max_record).unwrap_or(usize::MAX),
        }
    }
}

/// The bound of a range.
fn bound(key: &Option<Bytes>) -> Option<&[u8]> {
    key.as_ref().map(|key| key.0.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::key::Missing;

    #[test]
    fn ties_are_in_the_order_of_shards_and_of_their_blocks_where_keys_may_spread() {
        let exchange = |spread| {
            let spec = wire::Exchange {
                number: 1,
                keys: None,
                order_by: String::new(),
                reverse: false,
                missing: Missing::Fail,
                unique: false,
                spread,
                ops: Vec::new(),
                nulls: Vec::new(),
                in_order: false,
                max_record: 100,
            };
            ExchangeState::new(spec, 0).unwrap()
        };
        let places = [(0, 0), (0, 1), (0, 255), (0, 256), (0, 65_535), (1, 0), (256, 3), (257, 2)];
        let spread = exchange(true);
        let ties = places.map(|(shard, block)| spread.tie(shard, block).unwrap());
        assert!(ties.is_sorted_by(|a, b| a < b));
        assert!(ties.iter().all(|tie| tie.len() == spread.tie_bytes()));
        assert_eq!(spread.tie(0, 65_535).unwrap(), spread.tie(0, 1 << 40).unwrap());
        assert!(spread.tie(1 << 32, 0).is_err());
        let together = exchange(false);
        assert_eq!(together.tie(7, 0).unwrap(), together.tie(7, 1).unwrap());
        assert_eq!(together.tie(7, 0).unwrap().len(), together.tie_bytes());
    }
}

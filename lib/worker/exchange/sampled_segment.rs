//! A segment in the making, with what is noted of its items: their tally, and samples of their keys,
//! by which the keys are cut into ranges.

use xxhash_rust::xxh3::xxh3_128;

use crate::error::{Error, Result};
use crate::extsort::segment::SegmentWriter;
use crate::group::grouping::Group;
use crate::group::order::Limits;
use crate::group::table;
use crate::record::key::Keyer;
use crate::wire::exchange::Tally;
use crate::worker::exchange::{ExchangeState, Held, Sample};

/// How many bytes of items lie between two samples, about.
const SAMPLE_EVERY: u64 = 64 << 10;

/// How much of a key a sample holds.
const SAMPLE_BYTES: usize = 4 << 10;

/// How many bytes of items lie between two samples for each byte of the key of a sample, so that
/// samples are few bytes beside what they are of.
const SAMPLE_SHARE: u64 = 64;

/// A segment that is being written, with its tally, and samples where it may be cut.
pub(super) struct SampledSegment<'a> {
    exchange: &'a ExchangeState,
    writer: SegmentWriter,
    seen: Seen,
    encoded: Vec<u8>,
}

/// What is noted of the items of a segment.
struct Seen {
    tally: Tally,
    samples: Vec<Sample>,
    /// Finds the key without what orders the records of one key, where there is such.
    bare: Option<Keyer>,
}

impl Seen {
    fn see(&mut self, exchange: &ExchangeState, key: &[u8], text: &[u8]) {
        self.tally.count(xxh3_128(text));
        let bytes = (key.len() + text.len()) as u64;
        match self.samples.last_mut() {
            Some(sample)
                if sample.bytes < SAMPLE_EVERY.max(sample.key.len() as u64 * SAMPLE_SHARE) =>
            {
                sample.bytes += bytes;
            }
            _ => {
                let key = self.where_to_cut(exchange, key, text);
                self.samples.push(Sample { key, bytes });
            }
        }
    }

    /// The beginning of the key of an item: of a key that stays together without what follows it.
    fn where_to_cut(&mut self, exchange: &ExchangeState, key: &[u8], text: &[u8]) -> Vec<u8> {
        let mut bare = Vec::new();
        match (&mut self.bare, exchange.spec.spread) {
            (_, true) => bare.extend_from_slice(key),
            (Some(keyer), false) => {
                // It has one, for it was sorted by it.
                let _ = keyer.key(text, &mut bare);
            }
            (None, false) => {
                let length = key.len() - exchange.tie_bytes().min(key.len());
                bare.extend_from_slice(&key[..length]);
            }
        }
        bare.truncate(SAMPLE_BYTES);
        bare
    }
}

impl<'a> SampledSegment<'a> {
    pub(super) fn new(exchange: &'a ExchangeState, limits: &Limits) -> Result<SampledSegment<'a>> {
        let order = &exchange.order;
        let keyer = Keyer::new(&order.keys, order.missing, &[]).reversed(order.reverse);
        Ok(SampledSegment {
            exchange,
            writer: SegmentWriter::new(&limits.directory)?,
            seen: Seen {
                tally: Tally::default(),
                samples: Vec::new(),
                bare: (!order.order_by.is_empty()).then_some(keyer),
            },
            encoded: Vec::new(),
        })
    }

    pub(super) fn push(&mut self, key: &[u8], text: &[u8]) -> Result<()> {
        self.seen.see(self.exchange, key, text);
        self.writer.push(key, text)
    }

    /// Writes items in the form of a spilled run.
    pub(super) fn write(&mut self, items: &[u8]) -> Result<()> {
        self.writer.write(items, |key, text| self.seen.see(self.exchange, key, text))
    }

    pub(super) fn push_group(&mut self, group: &Group) -> Result<()> {
        let Some(grouping) = self.exchange.parts_of_groups() else {
            return Err(Error::incomplete("internal error: a group among records"));
        };
        let mut encoded = std::mem::take(&mut self.encoded);
        encoded.clear();
        table::encode(grouping.plan(), group, &mut encoded);
        self.push(&group.key, &encoded)?;
        self.encoded = encoded;
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Held> {
        let segment = self.writer.finish()?;
        Ok(Held { segment, tally: self.seen.tally, samples: self.seen.samples })
    }
}

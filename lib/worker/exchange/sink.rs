//! The sink of an exchange: the parts of a range come from all hosts, are merged, and become a
//! shard: of records, or of the results of their groups.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use xxhash_rust::xxh3::xxh3_128;

use crate::error::{Error, Result};
use crate::extsort::merge::{Cursor, Merge};
use crate::extsort::run::prefix;
use crate::group::assemble::Assembly;
use crate::group::grouping::Grouping;
use crate::group::reduce::{self, Reduction};
use crate::group::table;
use crate::parallel::{self, lock};
use crate::peer::PartFailure;
use crate::record::bad::{Bad, Policy};
use crate::record::stream::Summary;
use crate::spool::Spool;
use crate::wire::exchange::{MergeTask as Range, Merged, RangeSource, RelayedPart, Tally};
use crate::wire::message::Part;
use crate::worker::exchange::received_part::{ReceivedPart, here_of};
use crate::worker::exchange::road::{RelayRoad, Road, Want};
use crate::worker::exchange::{ExchangeState, bound};
use crate::worker::state::WorkerState;
use crate::worker::store::NewShard;

/// How many parts of a range come at once.
const PARTS_AT_ONCE: usize = 4;

/// The share of a task's memory that the parts of its range may take, and the buffers of those
/// that lie in files: one in so many, each.
const PARTS_SHARE: usize = 2;
const BUFFERS_SHARE: usize = 4;

/// The largest and the smallest of those buffers.
const BUFFER_MAX: usize = 256 << 10;
const BUFFER_MIN: usize = 4 << 10;

/// How much is written at once.
const WRITE_BYTES: usize = 256 << 10;

impl ExchangeState {
    /// Merges a range into a shard, as `request` asked for.
    pub(crate) fn merge(
        &self,
        state: &Arc<WorkerState>,
        request: u32,
        range: &Range,
        stop: &AtomicBool,
    ) -> Result<Merged> {
        let stopped = || stop.load(Ordering::SeqCst) || state.ending.load(Ordering::SeqCst);
        let Some(store) = &state.store else { return Err(Error::incomplete("no run was begun")) };
        let gathering = Gathering {
            exchange: self,
            state,
            request,
            range,
            stopped: &stopped,
            direct: AtomicU64::new(0),
            relayed: AtomicU64::new(0),
        };
        let parts = gathering.parts()?;
        let spilled: u64 = parts.iter().map(Spool::spilled).sum();
        let held = parts.into_iter().map(ReceivedPart::new).collect::<Result<Vec<_>>>()?;
        // All of it is here: who has a slot waits for nothing.
        let Some(_slot) = state.slots.take(range.shard, &stopped)? else {
            return Err(Error::incomplete("stopped"));
        };
        let mut cursors = Vec::new();
        let here = range.sources.contains(&RangeSource::Here);
        let segments = if here { self.segments() } else { Vec::new() };
        let files = segments.len() + held.iter().map(ReceivedPart::files).sum::<usize>();
        let memory = self.limits(state).memory;
        let buffer = (memory / BUFFERS_SHARE / files.max(1)).clamp(BUFFER_MIN, BUFFER_MAX);
        for segment in &segments {
            cursors.push(here_of(segment, range, buffer)?);
        }
        for brought in &held {
            brought.push_cursors(buffer, &mut cursors)?;
        }
        let items = Checked::new(Merge::new(cursors), range);
        let shard = store.begin(range.shard, range.attempt)?;
        let merged = self.write(state, items, shard, range, &stopped)?;
        held.into_iter().filter_map(ReceivedPart::into_memory).for_each(|m| self.spare.give(m));
        let count = |bytes: &AtomicU64| bytes.load(Ordering::Relaxed);
        let (direct, relayed) = (count(&gathering.direct), count(&gathering.relayed));
        Ok(Merged { direct, relayed, spilled: merged.spilled + spilled, ..merged })
    }

    fn write<C: Cursor>(
        &self,
        state: &WorkerState,
        items: Checked<'_, C>,
        shard: NewShard,
        range: &Range,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Merged> {
        match (&self.grouping, self.parts_of_groups()) {
            (None, _) => self.write_records(items, shard, stopped),
            (Some(grouping), None) => {
                self.write_ordered(state, grouping, items, shard, (range, stopped))
            }
            (Some(_), Some(grouping)) => self.write_groups(state, grouping, items, shard, stopped),
        }
    }

    fn write_records<C: Cursor>(
        &self,
        mut items: Checked<'_, C>,
        mut shard: NewShard,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Merged> {
        let (unique, tie_bytes) = (self.order.unique, self.tie_bytes());
        let (mut merged, mut last, mut first) = (Merged::default(), Vec::new(), true);
        let mut texts = Vec::with_capacity(WRITE_BYTES);
        while items.advance()? {
            let (key, text) = (items.key(), items.text());
            if unique {
                let bare = &key[..key.len() - tie_bytes.min(key.len())];
                if !first && last == bare {
                    merged.doubles.count(xxh3_128(text));
                    continue;
                }
                first = false;
                last.clear();
                last.extend_from_slice(bare);
            }
            texts.extend_from_slice(text);
            texts.push(b'\n');
            if texts.len() >= WRITE_BYTES {
                shard.write(&texts)?;
                texts.clear();
                if stopped() {
                    return Err(Error::incomplete("stopped"));
                }
            }
        }
        shard.write(&texts)?;
        let contents = shard.finish()?;
        // The texts are the records, whose hashes the shard's digest is made of.
        let mut came = Tally { items: contents.records, sum: contents.sum };
        came.add(merged.doubles);
        Ok(Merged { contents, came, ..merged })
    }

    fn write_ordered<C: Cursor>(
        &self,
        state: &WorkerState,
        grouping: &Arc<Grouping>,
        mut items: Checked<'_, C>,
        mut shard: NewShard,
        (range, stopped): (&Range, &dyn Fn() -> bool),
    ) -> Result<Merged> {
        let (limits, bad) = (self.limits(state), Arc::new(Bad::new(Policy::Fail)?));
        let name = format!("range {}", range.shard);
        let write = |results: &[u8]| shard.write(results);
        let mut reduction = Reduction::new(grouping, &name, &limits, &bad, write);
        let mut came = Tally::default();
        let mut texts = Vec::with_capacity(WRITE_BYTES);
        loop {
            let more = items.advance()?;
            if texts.len() >= WRITE_BYTES || !more {
                reduction.push(&texts)?;
                texts.clear();
                if stopped() {
                    return Err(Error::incomplete("stopped"));
                }
            }
            if !more {
                break;
            }
            came.count(xxh3_128(items.text()));
            texts.extend_from_slice(items.text());
            texts.push(b'\n');
        }
        let summary = reduction.finish()?;
        let contents = shard.finish()?;
        let Summary { missing, lacking, spilled_bytes: spilled, .. } = summary;
        Ok(Merged { contents, came, missing, lacking, spilled, ..Merged::default() })
    }

    fn write_groups<C: Cursor>(
        &self,
        state: &WorkerState,
        grouping: &Arc<Grouping>,
        mut items: Checked<'_, C>,
        mut shard: NewShard,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Merged> {
        let settings = self.limits(state).settings(false);
        let mut assembly = Assembly::new(grouping, settings, |results: &[u8]| {
            if stopped() {
                return Err(Error::incomplete("stopped"));
            }
            shard.write(results)
        });
        let mut came = Tally::default();
        while items.advance()? {
            came.count(xxh3_128(items.text()));
            assembly.add(table::decode(grouping.plan(), items.key(), items.text())?)?;
        }
        let (_, spilled) = reduce::finish(grouping, assembly)?;
        Ok(Merged { contents: shard.finish()?, came, spilled, ..Merged::default() })
    }
}

/// The parts of a range on their way.
struct Gathering<'a> {
    exchange: &'a ExchangeState,
    state: &'a Arc<WorkerState>,
    request: u32,
    range: &'a Range,
    stopped: &'a (dyn Fn() -> bool + Sync),
    direct: AtomicU64,
    relayed: AtomicU64,
}

impl Gathering<'_> {
    /// All parts but that of this host, in the order of the sources.
    fn parts(&self) -> Result<Vec<Spool>> {
        let sources = (0u32..).zip(&self.range.sources);
        let mut sources: Vec<_> =
            sources.filter(|(_, source)| **source != RangeSource::Here).collect();
        let count = sources.len().max(1);
        let memory = self.exchange.limits(self.state).memory / PARTS_SHARE / count;
        // Not all hosts begin with the same one.
        let turn = self.range.shard as usize % count;
        sources.rotate_left(turn);
        let failed = AtomicBool::new(false);
        let mut parts = parallel::each(&sources, PARTS_AT_ONCE, |(number, source)| {
            if failed.load(Ordering::SeqCst) {
                return None;
            }
            let part = self.part(*number, source, memory);
            failed.fetch_or(part.is_err(), Ordering::SeqCst);
            Some(part)
        });
        parts.rotate_right(turn);
        // One that was not tried is missing because another failed.
        parts.into_iter().flatten().collect()
    }

    fn part(&self, number: u32, source: &RangeSource, memory: usize) -> Result<Spool> {
        let spool = || Spool::new(self.exchange.spare.take(), memory, self.state.base.path());
        let (peer, token) = match source {
            RangeSource::Peer(name, token) => (name.as_str(), Some(token.clone())),
            RangeSource::Relay | RangeSource::Here => ("", None),
        };
        let part = Part {
            exchange: self.range.exchange,
            from: self.range.from.clone(),
            to: self.range.to.clone(),
            token,
        };
        let of = RelayedPart { merge: self.request, source: number };
        let mut want = Want { peer, of, part: &part, why: None, stopped: self.stopped };
        let direct = lock(&self.exchange.direct).clone();
        if let (Some(direct), RangeSource::Peer(..)) = (direct, source) {
            match direct.bring(&want, spool()) {
                Ok(came) => {
                    self.direct.fetch_add(came.len(), Ordering::Relaxed);
                    return Ok(came);
                }
                Err(PartFailure::Road(error)) => want.why = Some(error.to_string()),
                Err(broken) => return Err(broken.error()),
            }
        }
        let came = RelayRoad(self.state).bring(&want, spool()).map_err(PartFailure::error)?;
        self.relayed.fetch_add(came.len(), Ordering::Relaxed);
        Ok(came)
    }
}

/// Items that are checked to be in order, and of the range: in order, they are when the first and the
/// last of them are.
struct Checked<'a, C> {
    items: C,
    /// The key before, and its first bytes.
    last: Vec<u8>,
    last_head: u64,
    /// Whether there was one.
    any: bool,
    from: &'a [u8],
    to: Option<&'a [u8]>,
}

impl<'a, C: Cursor> Checked<'a, C> {
    fn new(items: C, range: &'a Range) -> Checked<'a, C> {
        let (from, to) = (bound(&range.from).unwrap_or_default(), bound(&range.to));
        Checked { items, last: from.to_vec(), last_head: prefix(from), any: false, from, to }
    }
}

impl<C: Cursor> Cursor for Checked<'_, C> {
    fn advance(&mut self) -> Result<bool> {
        let wrong = |what| Err(Error::incomplete(format!("a record {what} in the exchange")));
        if !self.items.advance()? {
            return match self.any && self.to.is_some_and(|to| self.last.as_slice() >= to) {
                true => wrong("belongs to another range"),
                false => Ok(false),
            };
        }
        self.any = true;
        let key = self.items.key();
        let head = prefix(key);
        if head < self.last_head || (head == self.last_head && key < self.last.as_slice()) {
            let before = key < self.from;
            return wrong(if before { "belongs to another range" } else { "is out of order" });
        }
        self.last_head = head;
        self.last.clear();
        self.last.extend_from_slice(key);
        Ok(true)
    }

    fn key(&self) -> &[u8] {
        self.items.key()
    }

    fn text(&self) -> &[u8] {
        self.items.text()
    }
}

//! The source of an exchange: shards are sorted into segments, whose parts are given away range by
//! range.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use xxhash_rust::xxh3::xxh3_128;

use crate::error::{Error, Result};
use crate::extsort::merge::{Cursor, Merge};
use crate::extsort::segment::Segment;
use crate::extsort::sorter::Sorter;
use crate::group::fill::{EachKey, fill};
use crate::group::grouping::Group;
use crate::group::order::{Judge, Limits, sorted_run};
use crate::group::reader::GroupReader;
use crate::group::reduce::out_of_order;
use crate::group::table::{self, Table};
use crate::parallel::lock;
use crate::record::bad::{Bad, Policy};
use crate::record::block::{Block, Blocks, Line};
use crate::record::bytes::Bytes;
use crate::record::key::Keyer;
use crate::record::rows::StreamBlock;
use crate::record::stream::Input;
use crate::wire::exchange::{HostOffer, SEGMENTS_MAX, SortResult, SortTask, SourceShard, Tally};
use crate::wire::message::Part;
use crate::worker::exchange::sampled_segment::SampledSegment;
use crate::worker::exchange::{ExchangeState, Held, Sample, bound};
use crate::worker::shard_file::{self, ShardFile};
use crate::worker::state::WorkerState;

/// How many bytes of keys a host gives away: they go into one message.
const SAMPLES_BYTES: usize = 512 << 10;

/// How many samples a host gives away: they go into one message.
const SAMPLES_MAX: usize = 1024;

/// The longest beginning of a key that is compared with that of another shard.
const END_BYTES: usize = 128 << 10;

/// The part of a task's memory that a table of groups may take: one in so many.
const TABLE_SHARE: usize = 4;

/// The read buffers of a merge on this host.
const BUFFER_BYTES: usize = 256 << 10;

impl ExchangeState {
    /// Sorts shards of this host.
    pub(crate) fn sort(
        &self,
        state: &Arc<WorkerState>,
        ask: &SortTask,
        stop: &AtomicBool,
    ) -> Result<SortResult> {
        let stopped = || stop.load(Ordering::SeqCst) || state.ending.load(Ordering::SeqCst);
        // Of equal keys those of the earlier shard come first, and one that waited for another host before may come last.
        let mut shards: Vec<&SourceShard> = ask.shards.iter().collect();
        shards.sort_by_key(|shard| shard.number);
        let near = shards.first().map_or(0, |shard| shard.number);
        let Some(_slot) = state.slots.take(near, &stopped)? else {
            return Err(Error::incomplete("stopped"));
        };
        let mut sorting = Sorting::new(self, self.limits(state), &stopped)?;
        for shard in shards {
            sorting.shard(state, shard)?;
        }
        let (held, sorted) = sorting.finish()?;
        lock(&self.sorted).push(held);
        Ok(sorted)
    }

    /// What this host has to offer. Nothing is sorted after that.
    pub(crate) fn weigh(&self, state: &Arc<WorkerState>, stop: &AtomicBool) -> Result<HostOffer> {
        let stopped = || stop.load(Ordering::SeqCst) || state.ending.load(Ordering::SeqCst);
        let Some(_slot) = state.slots.take(0, &stopped)? else {
            return Err(Error::incomplete("stopped"));
        };
        let mut sorted = lock(&self.sorted);
        let bounded = self.parts_of_groups().is_some_and(|grouping| grouping.plan().is_bounded());
        let most = if bounded { 1 } else { SEGMENTS_MAX };
        while sorted.len() > most {
            // No more than it takes, and the small ones first: the large ones are not copied again.
            let count = (sorted.len() - most + 1).min(SEGMENTS_MAX);
            sorted.sort_by_key(|held| held.segment.bytes());
            let together: Vec<Held> = sorted.drain(..count).collect();
            let merged = self.put_together(&self.limits(state), together, &stopped)?;
            sorted.push(merged);
        }
        let mut offered = Tally::default();
        sorted.iter().for_each(|held| offered.add(held.tally));
        let of_items = sorted.iter().map(|held| held.segment.bytes()).sum();
        let mut samples: Vec<Sample> =
            sorted.iter().flat_map(|held| held.samples.clone()).collect();
        samples.sort();
        let bytes: usize = samples.iter().map(|sample| sample.key.len()).sum();
        let each = samples.len().div_ceil(SAMPLES_MAX).max(bytes.div_ceil(SAMPLES_BYTES)).max(1);
        let longest = SAMPLES_BYTES / samples.len().div_ceil(each).max(1);
        let thin = |few: &[Sample]| {
            let key = few[0].key[..few[0].key.len().min(longest)].to_vec();
            (Bytes(key), few.iter().map(|sample| sample.bytes).sum())
        };
        let samples = samples.chunks(each).map(thin).collect();
        Ok(HostOffer { offered, bytes: of_items, samples })
    }

    /// Merges segments into one; parts of one group become one, where that keeps them small.
    fn put_together(
        &self,
        limits: &Limits,
        together: Vec<Held>,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Held> {
        let mut due = Tally::default();
        together.iter().for_each(|held| due.add(held.tally));
        let buffer = (limits.memory / 4 / together.len().max(1)).clamp(4096, BUFFER_BYTES);
        let whole = |held: &Held| held.segment.read((0, held.segment.bytes()), buffer);
        let mut items = Merge::new(together.iter().map(whole).collect());
        let mut to = SampledSegment::new(self, limits)?;
        let mut came = Tally::default();
        let bounded = self.parts_of_groups().filter(|grouping| grouping.plan().is_bounded());
        let mut open: Option<Group> = None;
        while items.advance()? {
            came.count(xxh3_128(items.text()));
            if came.items.is_multiple_of(1 << 16) && stopped() {
                return Err(Error::incomplete("stopped"));
            }
            let Some(grouping) = bounded else {
                to.push(items.key(), items.text())?;
                continue;
            };
            let part = table::decode(grouping.plan(), items.key(), items.text())?;
            match &mut open {
                Some(group) if group.key == part.key => group.take(grouping, part)?,
                _ => {
                    if let Some(group) = open.replace(part) {
                        to.push_group(&group)?;
                    }
                }
            }
        }
        if let Some(group) = open {
            to.push_group(&group)?;
        }
        if came != due {
            return Err(Error::incomplete(
                "internal error: what was sorted is not what is read back",
            ));
        }
        to.finish()
    }

    /// Gives the part of a range that lies here to `take`: of each segment its length in bytes (8,
    /// little endian), and its items.
    pub(crate) fn part(
        &self,
        part: &Part,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        for segment in self.segments() {
            let places = segment.places(bound(&part.from), bound(&part.to))?;
            if places.0 < places.1 {
                take(&(places.1 - places.0).to_le_bytes())?;
                segment.copy(places, take)?;
            }
        }
        Ok(())
    }

    /// The segments: they are files, and few bytes here.
    pub(super) fn segments(&self) -> Vec<Segment> {
        lock(&self.sorted).iter().map(|held| held.segment.clone()).collect()
    }
}

/// Shards on their way into one segment.
struct Sorting<'a> {
    exchange: &'a ExchangeState,
    limits: Limits,
    stopped: &'a dyn Fn() -> bool,
    bad: Arc<Bad>,
    sorter: Sorter,
    keyer: Keyer,
    /// For parts of groups.
    groups: Option<(GroupReader, Table)>,
    sorted: SortResult,
}

impl<'a> Sorting<'a> {
    fn new(
        exchange: &'a ExchangeState,
        limits: Limits,
        stopped: &'a dyn Fn() -> bool,
    ) -> Result<Self> {
        let groups = exchange.parts_of_groups();
        Ok(Sorting {
            stopped,
            bad: Arc::new(Bad::new(Policy::Fail)?),
            sorter: Sorter::new(limits.settings(false)).keeping_memory(),
            keyer: exchange.order.keyer(),
            groups: groups.map(|grouping| (GroupReader::new(grouping), Table::new())),
            sorted: SortResult::default(),
            exchange,
            limits,
        })
    }

    fn shard(&mut self, state: &WorkerState, shard: &SourceShard) -> Result<()> {
        let SourceShard { number, fetch, contents } = shard;
        let (judge, ends) =
            shard_file::read(state, fetch, contents, |input| self.records(*number, input))?;
        if let (true, Some(first)) = (self.exchange.spec.in_order, ends.first) {
            let mut last = ends.last;
            last.truncate(END_BYTES);
            self.sorted.ends.push((*number, Bytes(first), Bytes(last)));
        }
        let summary = judge.summary();
        self.sorted.records += summary.records_in;
        self.sorted.bytes += contents.bytes;
        self.sorted.missing += summary.missing;
        self.sorted.lacking += summary.lacking;
        Ok(())
    }

    /// Takes the records of a shard.
    fn records(&mut self, shard: u64, input: ShardFile) -> Result<(Judge, Ends)> {
        let judge = Judge::new(input.name(), Arc::clone(&self.bad));
        let mut blocks = Blocks::new(input, self.limits.max_record);
        let size = self.limits.settings(false).budget.block;
        let (mut ends, mut blocks_before) = (Ends::default(), 0);
        while let Some(block) = blocks.next(size, self.memory(), &self.bad)? {
            if (self.stopped)() {
                return Err(Error::incomplete("stopped"));
            }
            self.block((shard, blocks_before), block, &judge, &mut ends)?;
            blocks_before += 1;
        }
        Ok((judge, ends))
    }

    /// Memory for a block, that had another one before where there is such.
    fn memory(&mut self) -> Vec<u8> {
        self.sorter.memory().unwrap_or_else(|| self.exchange.spare.take())
    }

    /// Takes a block of a shard, of which so many came before.
    fn block(
        &mut self,
        (shard, blocks_before): (u64, usize),
        block: Block,
        judge: &Judge,
        ends: &mut Ends,
    ) -> Result<()> {
        let Some((reader, table)) = &mut self.groups else {
            let run = sorted_run(&mut self.keyer, block, judge, drop)?;
            return self.sorter.add(run.tied(self.exchange.tie(shard, blocks_before)?));
        };
        let (in_order, grouping) = (self.exchange.spec.in_order, Arc::clone(reader.grouping()));
        let mut in_order_too = |key: &[u8], line: Line<'_>| match ends.go_on(key) {
            true => Ok(()),
            false => Err(out_of_order(judge, line, &grouping)),
        };
        let seen: Option<EachKey<'_>> = if in_order { Some(&mut in_order_too) } else { None };
        let share = self.limits.memory / TABLE_SHARE;
        let block = StreamBlock::Lines(block);
        let runs = fill(reader, table, &block, shard, share, judge, seen)?;
        runs.into_iter().try_for_each(|run| self.sorter.add(run))
    }

    fn finish(mut self) -> Result<(Held, SortResult)> {
        if let Some((reader, table)) = self.groups.take() {
            self.sorter.add(table.into_run(reader.grouping().plan())?)?;
        }
        let (unique, tie_bytes) = (self.exchange.order.unique, self.exchange.tie_bytes());
        let mut to = SampledSegment::new(self.exchange, &self.limits)?;
        let mut doubles = Tally::default();
        let mut last: Option<Vec<u8>> = None;
        let spilled = match unique {
            false => self.sorter.finish_spilled(|items| to.write(items))?,
            true => self.sorter.finish_items(|key, text| {
                let bare = &key[..key.len() - tie_bytes.min(key.len())];
                if last.as_deref() == Some(bare) {
                    doubles.count(xxh3_128(text));
                    return Ok(());
                }
                let last = last.get_or_insert_default();
                last.clear();
                last.extend_from_slice(bare);
                to.push(key, text)
            })?,
        };
        let held = to.finish()?;
        std::iter::from_fn(|| self.sorter.memory()).for_each(|m| self.exchange.spare.give(m));
        let spilled = spilled + held.segment.bytes();
        let sorted = SortResult { made: held.tally, doubles, spilled, ..self.sorted };
        Ok((held, sorted))
    }
}

/// The first and the last key of a shard that is in order.
#[derive(Default)]
struct Ends {
    first: Option<Vec<u8>>,
    last: Vec<u8>,
}

impl Ends {
    /// Whether `key` may come next.
    fn go_on(&mut self, key: &[u8]) -> bool {
        if self.first.is_none() {
            self.first = Some(key[..key.len().min(END_BYTES)].to_vec());
        }
        let in_order = self.last.as_slice() <= key;
        self.last.clear();
        self.last.extend_from_slice(key);
        in_order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::key::Missing;
    use crate::wire::exchange::Exchange;

    #[test]
    fn segments_that_are_put_together_hold_all_that_was_put_into_them() {
        let spec = Exchange {
            number: 1,
            keys: None,
            order_by: String::new(),
            reverse: false,
            missing: Missing::Fail,
            unique: false,
            spread: false,
            ops: Vec::new(),
            nulls: Vec::new(),
            in_order: false,
            max_record: 100,
        };
        let exchange = ExchangeState::new(spec, 0).unwrap();
        let directory = std::env::temp_dir();
        let limits = Limits { memory: 1 << 20, jobs: 1, directory, max_record: 100 };
        let held = |first: u32| {
            let mut to = SampledSegment::new(&exchange, &limits).unwrap();
            for n in (first..1000).step_by(2) {
                let text = format!("{n:04}");
                to.push(text.as_bytes(), text.as_bytes()).unwrap();
            }
            to.finish().unwrap()
        };
        let together = exchange.put_together(&limits, vec![held(0), held(1)], &|| false).unwrap();
        assert_eq!(together.tally.items, 1000);
        // One more, and another one.
        for due in [Tally { items: 501, ..held(1).tally }, Tally { sum: 7, ..held(1).tally }] {
            let other = Held { tally: due, ..held(1) };
            let error = exchange.put_together(&limits, vec![held(0), other], &|| false);
            assert_eq!(error.err().unwrap().exit_code(), 4);
        }
    }
}

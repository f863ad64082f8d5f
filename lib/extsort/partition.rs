//! Merging the runs in memory, in parallel: their common order is cut into ranges of about equal
//! size, each range is merged on any thread, and the ranges follow one another.
//!
//! A cut lies between two items, not only between two keys: items with equal keys have an order
//! too (run, then place in the run), so one heavy key may spread over ranges. Where only the first
//! item of each key counts, cuts lie between keys.

use std::cmp::Ordering;
use std::sync::Arc;

use super::places;
use super::run::{Item, Run, compare};
use crate::error::Result;
use crate::parallel::{self, BufferPool};

/// How merged items are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputShape {
    /// Their texts, each with an LF.
    Lines,
    /// As a spilled run holds them: lengths, key, text.
    Spill,
}

/// Samples taken for each cut. More make the ranges more equal.
const SAMPLES_PER_CUT: usize = 8;

/// Merges `runs` (each sorted; of equal keys those of an earlier run come first) in ranges of about
/// `range_bytes` of text, and gives the merged bytes to `emit` in order. With `unique` only the
/// first item of each key counts.
///
/// Returns how many items were written.
///
/// # Errors
/// What `emit` says.
pub fn merge(
    runs: &Arc<Vec<Run>>,
    jobs: usize,
    range_bytes: usize,
    unique: bool,
    shape: OutputShape,
    mut emit: impl FnMut(&[u8]) -> Result<()>,
) -> Result<u64> {
    let mut ranges = Ranges::new(runs, range_bytes, unique);
    let mut count = 0;
    if jobs == 1 || ranges.cuts.is_empty() {
        // Nobody else works: a queue between threads would only cost, and memory is used again.
        let mut merged = Vec::new();
        while let Some(range) = ranges.next() {
            count += merge_range(runs, &range, unique, shape, &mut merged);
            emit(&merged)?;
        }
        return Ok(count);
    }
    let runs = Arc::clone(runs);
    let memory = Arc::new(BufferPool::new(2 * jobs * range_bytes));
    let spare = Arc::clone(&memory);
    parallel::ordered(
        jobs,
        move || Ok(ranges.next()),
        || (),
        move |(), range| {
            let mut merged = spare.take();
            let count = merge_range(&runs, &range, unique, shape, &mut merged);
            Ok((merged, count))
        },
        |_| Ok(None),
        |(merged, items): (Vec<u8>, u64)| {
            count += items;
            emit(&merged)?;
            memory.give(merged);
            Ok(())
        },
    )?;
    Ok(count)
}

/// Merges `runs` as [`merge`] does, and gives what `work` makes of each range to `emit`, in order: of
/// its items, in the form of a spilled run. The threads that merge do the work too.
///
/// # Errors
/// What `work` and `emit` say.
pub fn merge_with<T: Send + 'static>(
    runs: &Arc<Vec<Run>>,
    jobs: usize,
    range_bytes: usize,
    work: impl Fn(&[u8]) -> Result<T> + Send + Sync + 'static,
    mut emit: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let mut ranges = Ranges::new(runs, range_bytes, false);
    if ranges.cuts.is_empty() {
        // Not worth a thread.
        let (mut merged, whole) = (Vec::new(), ranges.next().unwrap_or_default());
        merge_range(runs, &whole, false, OutputShape::Spill, &mut merged);
        return emit(work(&merged)?);
    }
    let runs = Arc::clone(runs);
    parallel::ordered(
        jobs,
        move || Ok(ranges.next()),
        Vec::new,
        move |merged, range| {
            merge_range(&runs, &range, false, OutputShape::Spill, merged);
            work(merged)
        },
        |_| Ok(None),
        emit,
    )
}

/// An item's place: its run, and its place in the run.
type At = (usize, usize);

/// Multiples of it lie evenly between any bounds: a prime, about the golden section of 2^32.
const SPREAD: usize = 2_654_435_761;

/// Where the order of all items is cut: about `wanted` places, in order.
fn cuts(runs: &[Run], wanted: usize, unique: bool) -> Vec<At> {
    let total: usize = runs.iter().map(|run| run.items().len()).sum();
    let step = (total / (wanted.max(1) * SAMPLES_PER_CUT)).max(1);
    let mut samples: Vec<At> = runs
        .iter()
        .enumerate()
        .flat_map(|(r, run)| {
            // Runs are much alike: were the same places looked at in each of them, the samples would be much
            // alike, too, and the ranges between them few.
            let first = r.wrapping_mul(SPREAD) % step;
            (first..run.items().len()).step_by(step).map(move |i| (r, i))
        })
        .collect();
    let item = |at: &At| (&runs[at.0], &runs[at.0].items()[at.1]);
    // Sampled run by run and place by place: a stable sort leaves ties in the order of the items.
    samples.sort_by(|a, b| compare(item(a), item(b)));
    let mut cuts: Vec<At> =
        samples.into_iter().skip(SAMPLES_PER_CUT / 2).step_by(SAMPLES_PER_CUT).collect();
    if unique {
        cuts.dedup_by(|a, b| compare(item(a), item(b)) == Ordering::Equal);
    }
    cuts
}

/// The ranges between the cuts, in order.
struct Ranges {
    runs: Arc<Vec<Run>>,
    cuts: Vec<At>,
    /// Cuts lie between keys.
    unique: bool,
    next: usize,
    /// Where the next range begins in each run.
    from: Vec<usize>,
}

/// For each run, which of its items are in a range.
type Range = Vec<std::ops::Range<usize>>;

impl Ranges {
    /// Ranges of about so many bytes of text.
    fn new(runs: &Arc<Vec<Run>>, range_bytes: usize, unique: bool) -> Ranges {
        let bytes: usize = runs.iter().map(Run::text_bytes).sum();
        let cuts = match bytes <= range_bytes {
            true => Vec::new(),
            false => cuts(runs, bytes / range_bytes, unique),
        };
        Ranges { runs: Arc::clone(runs), cuts, unique, next: 0, from: vec![0; runs.len()] }
    }

    fn next(&mut self) -> Option<Range> {
        if self.next > self.cuts.len() {
            return None;
        }
        let to: Vec<usize> = match self.cuts.get(self.next) {
            None => self.runs.iter().map(|run| run.items().len()).collect(),
            Some(&cut) => (0..self.runs.len()).map(|r| self.end_in(r, cut)).collect(),
        };
        self.next += 1;
        let range = self.from.iter().zip(&to).map(|(&from, &to)| from..to).collect();
        self.from = to;
        Some(range)
    }

    /// How many items of run `r` lie before the item at `cut`.
    fn end_in(&self, r: usize, cut: At) -> usize {
        let pivot = (&self.runs[cut.0], &self.runs[cut.0].items()[cut.1]);
        let of_item = |item: &Item| compare((&self.runs[r], item), pivot);
        let (items, from) = (self.runs[r].items(), self.from[r]);
        match r.cmp(&cut.0) {
            Ordering::Equal if !self.unique => cut.1,
            Ordering::Less if !self.unique => {
                end_of(items, from, |item| of_item(item) != Ordering::Greater)
            }
            _ => end_of(items, from, |item| of_item(item) == Ordering::Less),
        }
    }
}

/// Where the items end that `are` says are before something; all before `from` are. It looks ever further from
/// there, for a range is a small part of its run, and what is near has just been in use.
fn end_of(items: &[Item], from: usize, are: impl Fn(&Item) -> bool) -> usize {
    let (mut low, mut step) = (from, 1);
    while items.get(low + step - 1).is_some_and(&are) {
        low += step;
        step *= 2;
    }
    let high = (low + step - 1).min(items.len());
    low + items[low..high].partition_point(are)
}

/// How many items are touched at once before they are copied: in their order they lie anywhere, and
/// the memory is waited for once for all of them.
const TOUCHED: usize = 32;

/// Merges one range of the runs into `merged`. Returns how many items there are.
fn merge_range(
    runs: &[Run],
    range: &[std::ops::Range<usize>],
    unique: bool,
    shape: OutputShape,
    merged: &mut Vec<u8>,
) -> u64 {
    // Sorted pieces in the order of their runs.
    let pieces = range
        .iter()
        .enumerate()
        .flat_map(|(r, items)| items.clone().map(move |i| runs[r].place(i, r << u32::BITS | i)));
    let of = |at: usize| -> (&Run, usize) { (&runs[at >> u32::BITS], at as u32 as usize) };
    let item = |place: &u128| {
        let (run, i) = of(places::at(*place));
        (run, &run.items()[i])
    };
    let long_key = |at| {
        let (run, i) = of(at);
        run.long_key(i)
    };
    places::sorted(pieces, range.len(), &long_key, |sorted| {
        if unique {
            sorted.dedup_by(|b, a| compare(item(a), item(b)) == Ordering::Equal);
        }
        gather(sorted, item, shape, merged);
        sorted.len() as u64
    })
}

/// Writes the items at `places` to `merged`.
fn gather<'a>(
    places: &[u128],
    item: impl Fn(&u128) -> (&'a Run, &'a Item),
    shape: OutputShape,
    merged: &mut Vec<u8>,
) {
    let size = |(run, item): (&Run, &Item)| match shape {
        OutputShape::Lines => run.text(item).len() + 1,
        OutputShape::Spill => super::spill::size(run, item),
    };
    merged.clear();
    merged.reserve(places.iter().map(|place| size(item(place))).sum());
    let mut found: Vec<(&Run, &Item)> = Vec::with_capacity(TOUCHED);
    for some in places.chunks(TOUCHED) {
        found.clear();
        found.extend(some.iter().map(&item));
        // Nothing else is done here, so that as many as can be are waited for at once.
        let touch = |sum: u8, (run, item): &(&Run, &Item)| {
            sum ^ run.touch(item, shape == OutputShape::Spill)
        };
        std::hint::black_box(found.iter().fold(0, touch));
        for (run, item) in &found {
            match shape {
                OutputShape::Lines => {
                    merged.extend_from_slice(run.text(item));
                    merged.push(b'\n');
                }
                OutputShape::Spill => super::spill::push_item(merged, run, item),
            }
        }
    }
}

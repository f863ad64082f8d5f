//! The external sort: takes sorted runs, spills when they outgrow the budget, and merges all.

mod levels;

use std::path::PathBuf;
use std::sync::Arc;

use super::budget::Budget;
use super::merge::{Cursor, Merge};
use super::partition::{OutputShape, merge, merge_with};
use super::run::Run;
use super::spill::{SpillReader, each_item, push_parts};
use crate::error::Result;
use levels::Levels;

/// How a sort is done. Nothing here changes its result but `unique`.
#[derive(Clone, Debug)]
pub struct SortSettings {
    /// What it may hold.
    pub budget: Budget,
    /// Threads that merge.
    pub jobs: usize,
    /// Where runs are spilled.
    pub directory: PathBuf,
    /// Keep only the first item of each key.
    pub unique: bool,
}

/// Collects sorted runs in the order of the input.
///
/// Whoever has the items makes a run of each block of them, its texts one after the other in one
/// piece of memory; with how little memory it then has to do changes nothing of the result:
///
/// ```
/// use mycloud::extsort::budget::Budget;
/// use mycloud::extsort::run::RunBuilder;
/// use mycloud::extsort::sorter::{SortSettings, Sorter};
///
/// # fn main() -> mycloud::Result<()> {
/// // So little that each run is spilled.
/// let budget = Budget { runs: 1, ..Budget::new(1 << 20, 1) };
/// let directory = std::env::temp_dir();
/// let mut sorter = Sorter::new(SortSettings { budget, jobs: 1, directory, unique: false });
/// for block in [["pear", "fig"], ["apple", "fig"]] {
///     let (mut run, mut text) = (RunBuilder::default(), Vec::new());
///     for word in block {
///         // The key: the word, and a byte that no word holds, so that no key begins another.
///         run.push(text.len(), word.len(), |key| {
///             key.extend_from_slice(word.as_bytes());
///             key.push(0);
///             mycloud::Result::Ok(())
///         })?;
///         text.extend_from_slice(word.as_bytes());
///     }
///     sorter.add(run.finish(text)?)?;
/// }
/// let mut sorted = Vec::new();
/// let (count, spilled_bytes) = sorter.finish(|texts| {
///     sorted.extend_from_slice(texts);
///     Ok(())
/// })?;
/// assert_eq!(sorted, b"apple\nfig\nfig\npear\n");
/// assert_eq!(count, 4);
/// assert!(spilled_bytes > 0);
/// # Ok(())
/// # }
/// ```
pub struct Sorter {
    settings: SortSettings,
    runs: Vec<Run>,
    held: usize,
    /// Whether some of them hold items that are larger than a range of a merge should be.
    has_large: bool,
    spills: Levels,
    /// The memory of texts that are on disk, or were given away, where somebody takes it.
    spare: Option<Vec<Vec<u8>>>,
}

/// Bytes of merged items that are handed on at once.
const EMIT_BYTES: usize = 256 << 10;

impl Sorter {
    /// With nothing in it.
    pub fn new(settings: SortSettings) -> Sorter {
        let spills = Levels::new(&settings);
        Sorter { settings, runs: Vec::new(), held: 0, has_large: false, spills, spare: None }
    }

    /// The same, for one that takes the [memory](Sorter::memory) of every run: it is kept until then.
    pub fn keeping_memory(self) -> Sorter {
        Sorter { spare: Some(Vec::new()), ..self }
    }

    /// Memory that a run's text had, for the next one: the system need not clear other memory.
    pub fn memory(&mut self) -> Option<Vec<u8>> {
        self.spare.as_mut()?.pop()
    }

    /// Takes the next sorted run, and spills when that is one too many.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn add(&mut self, run: Run) -> Result<()> {
        if run.items().is_empty() {
            return Ok(());
        }
        let mut memory = run.memory();
        let Budget { range, runs, .. } = self.settings.budget;
        if memory / run.items().len() > range {
            // A merge would hold such items a second time.
            memory *= 2;
            self.has_large = true;
        }
        if memory > runs {
            // One that is too large by itself goes to disk as it is.
            self.spill()?;
            return self.spill_alone(run);
        }
        self.held += memory;
        self.runs.push(run);
        if self.held > self.settings.budget.runs {
            self.spill()?;
        }
        Ok(())
    }

    /// Merges the runs in memory, if there are any, into one on disk.
    fn spill(&mut self) -> Result<()> {
        if self.runs.is_empty() {
            return Ok(());
        }
        let mut file = self.spills.begin()?;
        self.merge_runs(OutputShape::Spill, |items| file.write(items))?;
        self.spills.end(file)
    }

    /// Writes a run to disk.
    fn spill_alone(&mut self, run: Run) -> Result<()> {
        let mut file = self.spills.begin()?;
        let mut key = Vec::new();
        for item in run.items() {
            key.clear();
            key.reserve_exact(run.key_len(item));
            run.push_key(item, &mut key);
            file.push(&key, run.text(item))?;
        }
        self.spills.end(file)?;
        if let Some(spare) = &mut self.spare {
            spare.push(run.into_memory());
        }
        Ok(())
    }

    /// Merges the runs in memory. Returns how many items there were.
    fn merge_runs(
        &mut self,
        shape: OutputShape,
        emit: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<u64> {
        let runs = Arc::new(std::mem::take(&mut self.runs));
        self.held = 0;
        let SortSettings { jobs, unique, budget, .. } = self.settings;
        // Ranges in flight would be several large items.
        let jobs = if std::mem::take(&mut self.has_large) { 1 } else { jobs };
        let count = merge(&runs, jobs, budget.range, unique, shape, emit)?;
        // Threads that merge may hold them a moment longer.
        if let (Some(spare), 1, Ok(runs)) = (&mut self.spare, jobs, Arc::try_unwrap(runs)) {
            spare.extend(runs.into_iter().map(Run::into_memory));
        }
        Ok(count)
    }

    /// Gives all texts to `emit`, in order, each with an LF. Returns how many there were, and the bytes that were
    /// spilled in all.
    ///
    /// # Errors
    /// What `emit` says; when the disk is full.
    pub fn finish(mut self, mut emit: impl FnMut(&[u8]) -> Result<()>) -> Result<(u64, u64)> {
        if self.spills.is_empty() {
            return Ok((self.merge_runs(OutputShape::Lines, emit)?, 0));
        }
        let mut merged = self.cursor()?;
        let mut texts = Vec::with_capacity(EMIT_BYTES);
        let mut count = 0;
        while merged.cursor.advance()? {
            count += 1;
            if let Some(line) = merged.cursor.inner.large_line() {
                emit(&texts)?;
                texts.clear();
                emit(line)?;
                continue;
            }
            texts.extend_from_slice(merged.cursor.text());
            texts.push(b'\n');
            if texts.len() >= EMIT_BYTES {
                emit(&texts)?;
                texts.clear();
            }
        }
        emit(&texts)?;
        Ok((count, merged.spilled_bytes))
    }

    /// Gives all items to `take`, key and text, in order. Returns the bytes that were spilled.
    ///
    /// # Errors
    /// What `take` says; when the disk is full.
    pub fn finish_items(
        &mut self,
        mut take: impl FnMut(&[u8], &[u8]) -> Result<()>,
    ) -> Result<u64> {
        if self.spills.is_empty() {
            self.merge_runs(OutputShape::Spill, |items| each_item(items, &mut take))?;
            return Ok(0);
        }
        let mut sorted = self.cursor()?;
        while sorted.cursor.advance()? {
            take(sorted.cursor.key(), sorted.cursor.text())?;
        }
        Ok(sorted.spilled_bytes)
    }

    /// Gives what `work` makes of all items to `emit`, in order: of some of them at a time, in the form of a
    /// spilled run, and on several threads while everything is in memory. Returns the bytes that were spilled.
    ///
    /// # Errors
    /// What `work` and `emit` say; when the disk is full.
    pub fn finish_with<T: Send + 'static>(
        mut self,
        work: impl Fn(&[u8]) -> Result<T> + Send + Sync + 'static,
        mut emit: impl FnMut(T) -> Result<()>,
    ) -> Result<u64> {
        if self.spills.is_empty() && !self.has_large {
            let SortSettings { jobs, budget, .. } = self.settings;
            merge_with(&Arc::new(self.runs), jobs, budget.range, work, emit)?;
            return Ok(0);
        }
        self.finish_spilled(|items| emit(work(items)?))
    }

    /// Gives all items to `emit`, in order, in the form of a spilled run. Returns the bytes that were
    /// spilled.
    ///
    /// # Errors
    /// What `emit` says; when the disk is full.
    pub fn finish_spilled(&mut self, mut emit: impl FnMut(&[u8]) -> Result<()>) -> Result<u64> {
        if self.spills.is_empty() {
            self.merge_runs(OutputShape::Spill, emit)?;
            return Ok(0);
        }
        let mut sorted = self.cursor()?;
        let mut items = Vec::with_capacity(EMIT_BYTES);
        while sorted.cursor.advance()? {
            if let Some(item) = sorted.cursor.inner.large_item() {
                emit(&items)?;
                items.clear();
                emit(item)?;
                continue;
            }
            push_parts(&mut items, sorted.cursor.key(), sorted.cursor.text());
            if items.len() >= EMIT_BYTES {
                emit(&items)?;
                items.clear();
            }
        }
        emit(&items)?;
        Ok(sorted.spilled_bytes)
    }

    /// All items in order, keys and texts, as a stream. What is in memory is spilled first.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn cursor(&mut self) -> Result<Sorted> {
        self.spill()?;
        let cursor = self.spills.finish()?;
        Ok(Sorted { cursor, spilled_bytes: self.spills.spilled_bytes() })
    }
}

/// All items of a sort, in order.
pub struct Sorted {
    /// The items.
    pub cursor: Unique<Merge<SpillReader>>,
    /// Bytes that were spilled for it.
    pub spilled_bytes: u64,
}

/// A stream of items, of which only the first of each key counts if `last` is held.
pub struct Unique<C> {
    inner: C,
    last: Option<Vec<u8>>,
    first: bool,
}

impl<C: Cursor> Unique<C> {
    /// The items of `inner`, only the first of each key if `unique`.
    pub fn new(inner: C, unique: bool) -> Unique<C> {
        Unique { inner, last: unique.then(Vec::new), first: true }
    }
}

impl<C: Cursor> Cursor for Unique<C> {
    fn advance(&mut self) -> Result<bool> {
        while self.inner.advance()? {
            let Some(last) = &mut self.last else { return Ok(true) };
            if self.first || last != self.inner.key() {
                self.first = false;
                last.clear();
                last.extend_from_slice(self.inner.key());
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn key(&self) -> &[u8] {
        self.inner.key()
    }

    fn text(&self) -> &[u8] {
        self.inner.text()
    }
}

#[cfg(test)]
mod tests {
    use super::super::run::RunBuilder;
    use super::*;

    /// Sorts `keys` (their texts say where they stood) with runs of `run` items.
    fn sorted(keys: &[u64], run: usize, memory: usize, unique: bool) -> Vec<(u64, usize)> {
        let budget = Budget { fan_in: 3, ..Budget::new(memory, 2) };
        let directory = std::env::temp_dir();
        let mut sorter = Sorter::new(SortSettings { budget, jobs: 2, directory, unique });
        for (r, chunk) in keys.chunks(run).enumerate() {
            let lines: Vec<String> =
                chunk.iter().enumerate().map(|(i, k)| format!("{k} {}", r * run + i)).collect();
            let mut made = RunBuilder::default();
            let mut at = 0;
            for (line, key) in lines.iter().zip(chunk) {
                // Keys of 9 bytes: the first eight alone do not decide.
                let key = format!("{key:09}");
                made.push::<()>(at, line.len(), |out| {
                    out.extend_from_slice(key.as_bytes());
                    Ok(())
                })
                .unwrap();
                at += line.len();
            }
            let made = made.finish(lines.concat().into_bytes()).unwrap();
            sorter.add(made).unwrap();
        }
        let mut out = Vec::new();
        let (count, _) = sorter
            .finish(|text| {
                out.extend_from_slice(text);
                Ok(())
            })
            .unwrap();
        let rows: Vec<(u64, usize)> = String::from_utf8(out)
            .unwrap()
            .lines()
            .map(|l| l.split_once(' ').unwrap())
            .map(|(k, i)| (k.parse().unwrap(), i.parse().unwrap()))
            .collect();
        assert_eq!(rows.len() as u64, count);
        rows
    }

    #[test]
    fn any_memory_and_any_runs_give_the_stable_order() {
        let keys: Vec<u64> = (0..3000u64).map(|n| n * 7919 % 331 * (n % 3)).collect();
        let mut model: Vec<(u64, usize)> = keys.iter().copied().zip(0..).collect();
        model.sort();
        let mut firsts = model.clone();
        firsts.dedup_by_key(|row| row.0);
        for memory in [1, 10_000, 200_000, 100 << 20] {
            for run in [1, 7, 100, 3000] {
                assert_eq!(sorted(&keys, run, memory, false), model, "{memory} {run}");
                assert_eq!(sorted(&keys, run, memory, true), firsts, "{memory} {run}");
            }
        }
    }

    #[test]
    fn large_merges_in_memory_are_cut_into_ranges() {
        let keys: Vec<u64> = (0..400_000u64).map(|n| n * 7919 % 1_000_003 / 10).collect();
        let mut model: Vec<(u64, usize)> = keys.iter().copied().zip(0..).collect();
        model.sort();
        assert_eq!(sorted(&keys, 50_000, 1 << 30, false), model);
        model.dedup_by_key(|row| row.0);
        assert_eq!(sorted(&keys, 50_000, 1 << 30, true), model);
        let heavy = vec![5; 300_000];
        assert_eq!(sorted(&heavy, 40_000, 1 << 30, false).len(), 300_000);
        assert_eq!(sorted(&heavy, 40_000, 1 << 30, true), vec![(5, 0)]);
    }
}

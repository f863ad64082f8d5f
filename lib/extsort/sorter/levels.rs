//! The runs on disk, which are merged in levels: as soon as a level holds as many as are merged at
//! once, the next one makes one run of the level above out of them. So a byte is written once more
//! a level, and there are few levels.
//!
//! A level is one file, in which its runs lie one behind the other: however many runs there are, no
//! more files are open than there are levels. A file is gone when its runs are merged.

use std::path::PathBuf;

use super::super::merge::{Cursor, Merge};
use super::super::spill::{Spill, SpillReader, SpillWriter};
use super::{SortSettings, Unique};
use crate::error::Result;

/// Runs on disk, those of the earlier input first: at the highest level.
pub(super) struct Levels {
    directory: PathBuf,
    /// How many runs are merged at once, at most, and the bytes of the read buffer of each.
    fan_in: usize,
    buffer: usize,
    unique: bool,
    /// Those of level 0, which are the latest, and so on.
    levels: Vec<Vec<Spill>>,
    spilled_bytes: u64,
}

impl Levels {
    /// None yet.
    pub(super) fn new(settings: &SortSettings) -> Levels {
        Levels {
            directory: settings.directory.clone(),
            fan_in: settings.budget.fan_in.max(2),
            buffer: settings.budget.buffer,
            unique: settings.unique,
            levels: Vec::new(),
            spilled_bytes: 0,
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Bytes that were written so far.
    pub(super) fn spilled_bytes(&self) -> u64 {
        self.spilled_bytes
    }

    /// Begins the next run, which [`Levels::end`] ends. Full levels are merged first.
    ///
    /// # Errors
    /// When the disk is full.
    pub(super) fn begin(&mut self) -> Result<SpillWriter> {
        let mut full = 0;
        while self.levels.get(full).is_some_and(|level| level.len() >= self.fan_in) {
            full += 1;
        }
        // From above, so that each finds room.
        for level in (0..full).rev() {
            let runs = std::mem::take(&mut self.levels[level]);
            self.merge_to(level + 1, runs)?;
        }
        self.writer(0)
    }

    /// Takes the next run.
    ///
    /// # Errors
    /// When the disk is full.
    pub(super) fn end(&mut self, run: SpillWriter) -> Result<()> {
        self.keep(0, run)
    }

    /// All items in order. Before that, so many of the latest runs are merged, which are the
    /// smallest, that the others can be merged at once.
    ///
    /// # Errors
    /// When the disk is full.
    pub(super) fn finish(&mut self) -> Result<Unique<Merge<SpillReader>>> {
        let mut runs: Vec<Spill> =
            std::mem::take(&mut self.levels).into_iter().rev().flatten().collect();
        while runs.len() > self.fan_in {
            let count = (runs.len() - self.fan_in + 1).min(self.fan_in);
            let latest = runs.split_off(runs.len() - count);
            self.merge_to(0, latest)?;
            runs.append(&mut self.levels[0]);
        }
        Ok(self.merge(runs))
    }

    /// Merges runs that follow one another into one of `level`. Neighbours only, which keeps the
    /// merge stable.
    fn merge_to(&mut self, level: usize, runs: Vec<Spill>) -> Result<()> {
        let mut merged = self.merge(runs);
        let mut run = self.writer(level)?;
        while merged.advance()? {
            run.push(merged.key(), merged.text())?;
        }
        self.keep(level, run)
    }

    fn merge(&self, runs: Vec<Spill>) -> Unique<Merge<SpillReader>> {
        let readers = runs.into_iter().map(|run| run.read(self.buffer));
        Unique::new(Merge::new(readers.collect()), self.unique)
    }

    fn writer(&self, level: usize) -> Result<SpillWriter> {
        match self.levels.get(level).and_then(|runs| runs.last()) {
            Some(last) => Ok(SpillWriter::behind(last, &self.directory)),
            None => SpillWriter::new(&self.directory),
        }
    }

    fn keep(&mut self, level: usize, run: SpillWriter) -> Result<()> {
        let run = run.finish()?;
        self.spilled_bytes += run.bytes();
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Vec::new);
        }
        self.levels[level].push(run);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::budget::Budget;
    use super::*;

    fn levels(fan_in: usize) -> Levels {
        let budget = Budget { fan_in, ..Budget::new(1 << 20, 1) };
        let directory = std::env::temp_dir();
        Levels::new(&SortSettings { budget, jobs: 1, directory, unique: false })
    }

    #[test]
    fn each_byte_is_written_once_a_level_and_a_level_is_a_file() {
        for (fan_in, count) in [(2, 1), (2, 100), (3, 28), (4, 1000), (16, 16), (16, 17), (16, 257)]
        {
            let mut levels = levels(fan_in);
            for n in 0..count {
                let mut run = levels.begin().unwrap();
                // The same keys in each, so that their order is that of the runs.
                for key in [b"a\0", b"b\0"] {
                    run.push(key, format!("{n:06}").as_bytes()).unwrap();
                }
                levels.end(run).unwrap();
                assert!(levels.levels.iter().all(|runs| runs.len() <= fan_in));
            }
            let heights = (1..).take_while(|level| fan_in.pow(*level) < count).count() as u64;
            assert!(levels.levels.len() as u64 <= heights + 1);
            let mut sorted = levels.finish().unwrap();
            let input = 2 * count as u64 * (8 + 2 + 6);
            let times = levels.spilled_bytes() as f64 / input as f64;
            assert!(times <= heights as f64 + 1.5, "{fan_in} {count}: {times} times");
            assert!(count > fan_in || times == 1.0);
            for key in [b"a\0", b"b\0"] {
                for n in 0..count {
                    assert!(sorted.advance().unwrap());
                    assert_eq!(sorted.key(), key);
                    assert_eq!(sorted.text(), format!("{n:06}").as_bytes());
                }
            }
            assert!(!sorted.advance().unwrap());
        }
    }
}

//! Sorting integers alone: items that are nothing but a number of 64 bits, which says their text. Equal ones
//! cannot be told apart, so that there is no order among them to keep.
//!
//! # How the numbers flow
//!
//! They are kept as they come, eight bytes each. At the end they are *dealt* to piles: a pile is a range
//! of numbers, so small that it fits into a core's cache, and the piles are in order. Where they are cut a
//! sample says; what few numbers lie outside of it go to the first and the last one. Each pile is then
//! sorted by itself, by the digits that its numbers differ in, and written as text, on any thread.
//! When memory is short, the sorted piles go to a file, as differences of neighbours: most
//! take a byte or two. At the end each pile has what is in memory and what the files hold of its range.
//!
//! So each number is written to memory twice, and read twice; all else stays in the cache. The memory is that of
//! small pieces, which are used again as soon as they are empty: however often numbers are dealt, no more is held.

mod packed;
mod piles;
mod radix;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use self::packed::{Packed, PackedWriter};
use self::piles::{PiecePool, Pile, deal};
use crate::error::Result;
use crate::parallel;

/// How integers are sorted.
#[derive(Clone, Debug)]
pub struct IntegerSettings {
    /// Bytes that the numbers may hold.
    pub memory: usize,
    /// Threads that work.
    pub jobs: usize,
    /// Where numbers are spilled.
    pub directory: PathBuf,
    /// Keep each number once.
    pub unique: bool,
}

/// Appends numbers, in order, as lines of text.
pub type PushLines = fn(&[u64], &mut Vec<u8>);

/// Numbers in any order.
pub struct Integers {
    settings: IntegerSettings,
    /// The numbers, and memory for them.
    chunks: Vec<Vec<u64>>,
    pieces: Arc<PiecePool>,
    held: usize,
    files: Vec<Packed>,
    count: u64,
    spilled_bytes: u64,
}

/// What a number takes while it is dealt, more than where it lies: one in so many of it.
const DEAL_SHARE: usize = 8;

/// One in so many of its memory is little.
const LITTLE: usize = 8;

impl Integers {
    /// None yet.
    pub fn new(settings: IntegerSettings) -> Integers {
        let (chunks, files, pieces) = (Vec::new(), Vec::new(), Arc::default());
        Integers { settings, chunks, pieces, held: 0, files, count: 0, spilled_bytes: 0 }
    }

    /// Takes them all away.
    pub fn take(&mut self) -> Integers {
        let none = Integers::new(self.settings.clone());
        std::mem::replace(self, none)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes numbers, and spills when they are too many.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn add(&mut self, numbers: &[u64]) -> Result<()> {
        self.count += numbers.len() as u64;
        self.held += self.pieces.keep(numbers, &mut self.chunks);
        if self.held + self.held / DEAL_SHARE > self.settings.memory {
            self.spill()
        } else {
            Ok(())
        }
    }

    /// Lets go of the memory: what is in it goes to a file, but for what takes little.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn make_room(&mut self) -> Result<()> {
        if self.held > self.settings.memory / LITTLE {
            self.spill()?;
        }
        self.pieces = Arc::default();
        Ok(())
    }

    /// Sorts what is in memory, and writes it to a file.
    fn spill(&mut self) -> Result<()> {
        let (jobs, unique) = (self.settings.jobs, self.settings.unique);
        let chunks = std::mem::take(&mut self.chunks);
        self.held = 0;
        let mut piles = deal(ALL, chunks, &[], jobs, &self.pieces).into_iter();
        let pieces = Arc::clone(&self.pieces);
        let directory = &self.settings.directory;
        let mut file = match self.files.last() {
            Some(last) => PackedWriter::behind(last, directory),
            None => PackedWriter::new(directory)?,
        };
        parallel::ordered(
            jobs,
            move || Ok(piles.next()),
            Vec::new,
            move |scratch, (range, pile): (RangeInclusive<u64>, Pile)| {
                if range.start() == range.end() {
                    let times = if unique { pile.len().min(1) } else { pile.len() };
                    pile.give_back(&pieces);
                    return Ok(packed::pack_repeated(*range.start(), times));
                }
                let numbers = sorted(pile.gather(&pieces), scratch, unique);
                Ok(packed::pack(&numbers))
            },
            |_| Ok(None),
            |blocks| file.write(&blocks),
        )?;
        let file = file.finish()?;
        self.spilled_bytes += file.bytes();
        self.files.push(file);
        Ok(())
    }

    /// Gives all to `emit`, in order, as `push_lines` says them. Returns how many there were, and the bytes
    /// that were spilled in all.
    ///
    /// # Errors
    /// What `emit` says; when a file cannot be read again.
    pub fn finish(
        self,
        push_lines: PushLines,
        mut emit: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<(u64, u64)> {
        let IntegerSettings { jobs, unique, .. } = self.settings;
        let files = Arc::new(self.files);
        let mut piles = deal(ALL, self.chunks, &files, jobs, &self.pieces).into_iter();
        let pieces = self.pieces;
        let mut count = 0;
        parallel::ordered(
            jobs,
            move || Ok(piles.next()),
            Vec::new,
            move |scratch, (range, pile): (RangeInclusive<u64>, Pile)| {
                if range.start() == range.end() {
                    let times = pile.len();
                    pile.give_back(&pieces);
                    return repeated(*range.start(), times, &files);
                }
                let mut numbers = pile.gather(&pieces);
                files.iter().try_for_each(|file| file.read(&range, &mut numbers))?;
                let numbers = sorted(numbers, scratch, unique);
                let mut lines = Vec::with_capacity(numbers.len() * LINE_BYTES);
                push_lines(&numbers, &mut lines);
                Ok(Part::Lines(numbers.len() as u64, lines))
            },
            |_| Ok(None),
            |part| match part {
                Part::Lines(numbers, lines) => {
                    count += numbers;
                    emit(&lines)
                }
                Part::Repeated(number, times) => {
                    let times = if unique { times.min(1) } else { times };
                    count += times as u64;
                    let (some, mut lines) = (vec![number; times.min(REPEATED)], Vec::new());
                    (0..times).step_by(REPEATED).try_for_each(|done| {
                        lines.clear();
                        push_lines(&some[..some.len().min(times - done)], &mut lines);
                        emit(&lines)
                    })
                }
            },
        )?;
        Ok((count, self.spilled_bytes))
    }
}

/// All numbers.
const ALL: RangeInclusive<u64> = 0..=u64::MAX;

/// What becomes of a pile.
enum Part {
    /// So many numbers as lines.
    Lines(u64, Vec<u8>),
    /// A number, so many times.
    Repeated(u64, usize),
}

/// How often a repeated number is written at once.
const REPEATED: usize = 16 << 10;

/// A number that is so many times in memory, with those in files.
fn repeated(number: u64, mut times: usize, files: &[Packed]) -> Result<Part> {
    for file in files {
        times += file.times(number)?;
    }
    Ok(Part::Repeated(number, times))
}

/// How long a line is, about.
const LINE_BYTES: usize = 11;

/// The numbers in order, each once if `unique`.
fn sorted(mut numbers: Vec<u64>, scratch: &mut Vec<u64>, unique: bool) -> Vec<u64> {
    radix::sort(&mut numbers, scratch);
    if unique {
        numbers.dedup();
    }
    numbers
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn push_lines(numbers: &[u64], out: &mut Vec<u8>) {
        numbers.iter().for_each(|n| out.extend_from_slice(format!("{n}\n").as_bytes()));
    }

    /// The numbers, sorted in so much memory.
    fn sorted(numbers: &[u64], memory: usize, jobs: usize, unique: bool) -> (Vec<u64>, u64) {
        let directory = std::env::temp_dir();
        let mut integers = Integers::new(IntegerSettings { memory, jobs, directory, unique });
        for chunk in numbers.chunks(1000) {
            integers.add(chunk).unwrap();
        }
        let mut lines = Vec::new();
        let (count, spilled_bytes) = integers
            .finish(push_lines, |some| {
                lines.extend_from_slice(some);
                Ok(())
            })
            .unwrap();
        let text = String::from_utf8(lines).unwrap();
        let numbers: Vec<u64> = text.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(numbers.len() as u64, count);
        (numbers, spilled_bytes)
    }

    fn compare(numbers: &[u64], memory: usize, jobs: usize) {
        let mut due = numbers.to_vec();
        due.sort();
        let (all, spilled_bytes) = sorted(numbers, memory, jobs, false);
        assert!(all == due, "{memory} {jobs}");
        assert_eq!(spilled_bytes > 0, numbers.len().div_ceil(1000) * 2 * 512 * 9 > memory);
        due.dedup();
        assert!(sorted(numbers, memory, jobs, true).0 == due, "{memory} {jobs}");
    }

    /// Numbers that one can tell where they come from.
    fn mixed(count: u64, number: impl Fn(u64) -> u64) -> Vec<u64> {
        (0..count).map(|n| number(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n >> 7)).collect()
    }

    #[test]
    fn any_spread_of_numbers_is_sorted_in_any_memory() {
        let count = 300_000;
        for memory in [1 << 40, 900_000] {
            for jobs in [1, 3] {
                compare(&mixed(count, |n| n), memory, jobs);
                compare(&mixed(count, |n| n >> 33), memory, jobs);
                // Close together but for a few, and ever wider apart.
                compare(&mixed(count, |n| if n % 1000 == 7 { n } else { n >> 50 }), memory, jobs);
                compare(&mixed(count, |n| n >> (n % 64)), memory, jobs);
                // Some that are most of all.
                compare(&mixed(count, |n| [5, u64::MAX, 0, n][(n % 4) as usize]), memory, jobs);
                compare(&mixed(count, |n| if n % 50 == 0 { n } else { 7 }), memory, jobs);
                compare(&mixed(count, |_| 7), memory, jobs);
                compare(&(0..count).collect::<Vec<_>>(), memory, jobs);
                compare(&(0..count).rev().collect::<Vec<_>>(), memory, jobs);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn any_few_numbers_are_sorted(
            numbers in prop::collection::vec((any::<u64>(), 0u32..64), 0..4000),
            memory in prop_oneof![Just(1usize), Just(20_000), Just(1 << 30)],
        ) {
            let numbers: Vec<u64> = numbers.iter().map(|(bits, shift)| bits >> shift).collect();
            let mut due = numbers.clone();
            due.sort();
            prop_assert_eq!(sorted(&numbers, memory, 2, false).0, due);
        }
    }
}

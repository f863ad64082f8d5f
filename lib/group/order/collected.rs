//! The records of a stream that is sorted, until it has ended.

use super::{Limits, Order};
use crate::error::{Error, Result};
use crate::extsort::budget::Budget;
use crate::extsort::integers::{IntegerSettings, Integers, PushLines};
use crate::extsort::run::{Run, RunBuilder};
use crate::extsort::sorter::Sorter;
use crate::record::block::Block;
use crate::record::integer;
use crate::record::key::Keyer;

/// What comes of a block.
pub(super) enum Gathered {
    /// Its records, which are [integers](integer) and nothing else.
    Integers(Vec<u64>),
    Run(Run),
}

/// The records of a stream, to be finished: as integers alone while they are nothing else, for those are
/// sorted faster and in less memory.
pub struct Collected {
    integers: Integers,
    sorter: Sorter,
    keyer: Keyer,
    pub(super) reverse: bool,
    has_runs: bool,
    spilled_bytes: u64,
}

impl Collected {
    pub(super) fn new(order: &Order, limits: &Limits) -> Collected {
        let runs = Budget::new(limits.memory, limits.jobs).runs;
        let settings = IntegerSettings {
            // More than of runs, for they are merged in less; the rest is for blocks, and for what is being
            // sorted and written.
            memory: runs + runs / 8,
            jobs: limits.jobs,
            directory: limits.directory.clone(),
            unique: order.unique,
        };
        let turned = order.keys.parts.first().is_some_and(|part| part.reverse);
        Collected {
            integers: Integers::new(settings),
            sorter: Sorter::new(limits.settings(order.unique)),
            keyer: order.keyer(),
            reverse: order.reverse != turned,
            has_runs: false,
            spilled_bytes: 0,
        }
    }

    pub(super) fn add(&mut self, gathered: Gathered) -> Result<()> {
        match gathered {
            Gathered::Integers(numbers) if !self.has_runs => self.integers.add(&numbers),
            Gathered::Integers(numbers) => {
                let mut lines = Vec::new();
                (self.push_lines())(&numbers, &mut lines);
                self.sorter.add(run_of_lines(&mut self.keyer, &lines)?)
            }
            Gathered::Run(run) => {
                self.turn()?;
                self.sorter.add(run)
            }
        }
    }

    fn push_lines(&self) -> PushLines {
        if self.reverse { integer::push_lines_reversed } else { integer::push_lines }
    }

    /// Makes runs of the integers, for now there are other records. Equal ones among them are all the same, so
    /// that their order is kept.
    fn turn(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.has_runs, true) && !self.integers.is_empty() {
            let (push_lines, sorter, keyer) =
                (self.push_lines(), &mut self.sorter, &mut self.keyer);
            let mut integers = self.integers.take();
            // The runs need the memory.
            integers.make_room()?;
            let add = |lines: &[u8]| sorter.add(run_of_lines(keyer, lines)?);
            self.spilled_bytes += integers.finish(push_lines, add)?.1;
        }
        Ok(())
    }

    /// Gives all texts to `emit`, in order, each with an LF. Returns how many there were, and the bytes that
    /// were spilled in all.
    ///
    /// # Errors
    /// What `emit` says; when the disk is full.
    pub fn finish(self, emit: impl FnMut(&[u8]) -> Result<()>) -> Result<(u64, u64)> {
        if !self.has_runs {
            let push_lines = self.push_lines();
            return self.integers.finish(push_lines, emit);
        }
        let (count, spilled) = self.sorter.finish(emit)?;
        Ok((count, self.spilled_bytes + spilled))
    }
}

/// The run of lines, in order, each of which is a record that has a key.
fn run_of_lines(keyer: &mut Keyer, lines: &[u8]) -> Result<Run> {
    let mut run = RunBuilder::default();
    let block = Block { bytes: lines.to_vec(), first_line: 1, line_count: 0 };
    for line in block.lines() {
        let key = |out: &mut Vec<u8>| keyer.key(line.text, out).map(|_| ());
        run.push(line.at, line.text.len(), key)
            .map_err(|_| Error::incomplete("internal error: an integer without a key"))?;
    }
    run.finish(block.bytes)
}

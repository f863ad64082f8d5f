//! The join with a right side that is held: the left stream flows by it, block by block.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::JoinKind;
use super::joined::ClashCheck;
use super::matches::{MatchPlace, MatchTable};
use super::side::{Sides, part};
use crate::error::Result;
use crate::extsort::budget::Budget;
use crate::extsort::run::Run;
use crate::group::order::Limits;
use crate::parallel;
use crate::record::bad::Bad;
use crate::record::block::{Block, Blocks};
use crate::record::key::{KeyFault, Keyer};
use crate::record::stream::{Input, Output, Summary};

/// Blocks need not be larger than this to keep every thread busy.
const BLOCK_MAX: usize = 1 << 20;

/// Smaller ones are all overhead.
const BLOCK_MIN: usize = 4 << 10;

/// How many times a block's bytes its results may be, before they are made one part after the other.
const GROWTH: usize = 3;

/// Joins `left` with the records of `runs`.
///
/// # Errors
/// As [`super::join`].
pub(super) fn join(
    sides: &Arc<Sides>,
    limits: &Limits,
    bad: &Arc<Bad>,
    runs: Vec<Run>,
    left: impl Input + 'static,
    output: &mut impl Output,
) -> Result<Summary> {
    let budget = Budget::new(part(limits, 2).memory, limits.jobs);
    let most = budget.block.min(BLOCK_MAX);
    let size = Arc::new(AtomicUsize::new(most));
    let table = Arc::new(MatchTable::new(runs));
    let probe = Probe { sides: Arc::clone(sides), table, most: most * GROWTH };
    let mut blocks = Blocks::new(left, limits.max_record).eager();
    let (bad, next_size) = (Arc::clone(bad), Arc::clone(&size));
    let mut rest = Prober::new(&probe);
    let mut written = Summary::default();
    let probing = probe.clone();
    parallel::ordered(
        limits.jobs,
        move || blocks.next(next_size.load(Ordering::Relaxed), Vec::new(), &bad),
        || Prober::new(&probe),
        move |prober, block| {
            let mut walk = Walk::new(block);
            let is_done = probing.fill(prober, &mut walk)?;
            if !is_done {
                let smaller = (size.load(Ordering::Relaxed) / 2).max(BLOCK_MIN.min(most));
                size.store(smaller, Ordering::Relaxed);
            }
            Ok((std::mem::take(&mut prober.lines), walk, is_done))
        },
        |_| Ok(None),
        |(lines, mut walk, mut is_done): (Vec<u8>, Walk, bool)| {
            written.bytes_out += lines.len() as u64;
            output.write(&lines)?;
            // What is left of a block that grows without bounds is made here, part by part.
            while !is_done {
                rest.lines.clear();
                is_done = probe.fill(&mut rest, &mut walk)?;
                written.bytes_out += rest.lines.len() as u64;
                output.write(&rest.lines)?;
            }
            written.records_out += walk.records_out;
            Ok(())
        },
    )?;
    if sides.kind == JoinKind::Outer {
        alone(&probe.table, output, &mut written)?;
    }
    Ok(written)
}

/// Writes the right records that have no partner.
fn alone(table: &MatchTable, output: &mut impl Output, written: &mut Summary) -> Result<()> {
    let mut lines = Vec::new();
    table.each_alone(|row| {
        written.records_out += 1;
        written.bytes_out += row.alone.len() as u64 + 1;
        lines.extend_from_slice(row.alone);
        lines.push(b'\n');
        if lines.len() >= BLOCK_MAX / 4 {
            output.write(&lines)?;
            lines.clear();
        }
        Ok(())
    })?;
    output.write(&lines)
}

/// What the threads have in common.
#[derive(Clone)]
struct Probe {
    sides: Arc<Sides>,
    table: Arc<MatchTable>,
    /// Bytes of results after which a thread stops.
    most: usize,
}

/// What each has for itself.
struct Prober {
    keyer: Keyer,
    key: Vec<u8>,
    check: ClashCheck,
    lines: Vec<u8>,
}

impl Prober {
    fn new(probe: &Probe) -> Prober {
        Prober {
            keyer: probe.sides.left.keyer(),
            key: Vec::new(),
            check: ClashCheck::new(probe.sides.shapes.all()),
            lines: Vec::new(),
        }
    }
}

/// How far a block is done.
struct Walk {
    block: Block,
    /// Where the next line starts, and its number.
    next: usize,
    number: u64,
    /// The record in work, and its next match.
    text: Range<usize>,
    place: Option<MatchPlace>,
    records_in: u64,
    records_out: u64,
}

impl Walk {
    fn new(block: Block) -> Walk {
        let number = block.first_line;
        Walk { block, next: 0, number, text: 0..0, place: None, records_in: 0, records_out: 0 }
    }
}

impl Probe {
    /// Appends what becomes of the records of a block, until it is done or that is enough for once.
    /// Returns whether it is done.
    fn fill(&self, prober: &mut Prober, walk: &mut Walk) -> Result<bool> {
        prober.check.restart();
        loop {
            while let Some(place) = walk.place {
                if prober.lines.len() >= self.most {
                    return Ok(false);
                }
                let (row, next) = self.table.row(place)?;
                let left = &walk.block.bytes[walk.text.clone()];
                let left = (left, walk.number - 1);
                self.sides.push(&mut prober.check, left, &row, &mut prober.lines)?;
                walk.records_out += 1;
                walk.place = next;
            }
            if prober.lines.len() >= self.most {
                return Ok(false);
            }
            if !self.step(prober, walk)? {
                let (records, bytes) = (walk.records_in, walk.block.bytes.len());
                self.sides.left.judge.count(records, records, bytes);
                return Ok(true);
            }
        }
    }

    /// Goes to the next record and looks for its match; `false` at the end.
    fn step(&self, prober: &mut Prober, walk: &mut Walk) -> Result<bool> {
        let sides = &self.sides;
        let Some(line) = walk.block.line_at(walk.next, walk.number) else { return Ok(false) };
        (walk.next, walk.number) = (walk.block.after(&line), line.number + 1);
        walk.text = line.at..line.at + line.text.len();
        walk.records_in += 1;
        prober.check.restart();
        prober.key.clear();
        if let Err(flaw) = sides.left.key(&mut prober.keyer, line.text, &mut prober.key) {
            sides.left.judge.fault(line, KeyFault::Flaw(flaw))?;
            return Ok(true);
        }
        let found = self.table.find(&prober.key);
        if sides.kind == JoinKind::Outer {
            self.table.note_match(found);
        }
        if sides.kind.keeps(found.is_some()) {
            walk.records_out += 1;
            prober.lines.extend_from_slice(line.text);
            prober.lines.push(b'\n');
        }
        walk.place = found.filter(|_| sides.kind.merges());
        Ok(true)
    }
}

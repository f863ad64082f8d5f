//! The two sides of a join: their keys, and the right one as it is held or sorted.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::joined::{Adding, ClashCheck, Shapes, push_joined};
use super::{Join, JoinKind, matches};
use crate::error::{Error, Result};
use crate::extsort::budget::Budget;
use crate::extsort::run::{Run, RunBuilder};
use crate::extsort::sorter::Sorter;
use crate::group::order::{Judge, Limits};
use crate::parallel;
use crate::record::bad::Bad;
use crate::record::block::{Block, Blocks, Line};
use crate::record::fields::Fields;
use crate::record::key::{KeyFault, Keyer, Keys, Missing};
use crate::record::stream::Input;
use crate::record::{Flaw, absent};

/// The key of a record that has none, or null: no other key begins so.
pub(super) const NO_KEY: &[u8] = &[0];

/// What is said of a record that has no key.
const NO_MATCH: &str = "such a record has no match";

/// What is known of both sides; shared by the threads of a join.
pub(super) struct Sides {
    pub(super) kind: JoinKind,
    pub(super) left: Side,
    pub(super) right: Side,
    pub(super) shapes: Shapes,
    adding: Adding,
    max_record: usize,
}

/// One side.
pub(super) struct Side {
    keys: Keys,
    pub(super) judge: Judge,
    /// Whether a record had the key, be it null, and what is said of one that had not.
    has_keys: AtomicBool,
    lacks: OnceLock<String>,
}

impl Sides {
    /// The sides of `join`, by the names of their streams.
    pub(super) fn new(
        join: &Join,
        adding: Adding,
        limits: &Limits,
        bad: &Arc<Bad>,
        (left, right): (&str, &str),
    ) -> Sides {
        Sides {
            kind: join.kind,
            left: Side::new(&join.keys.left, Judge::new(left, Arc::clone(bad))),
            right: Side::new(&join.keys.right, Judge::new(right, Arc::clone(bad))),
            shapes: Shapes::default(),
            adding,
            max_record: limits.max_record,
        }
    }

    /// Appends the line that `left` becomes by a right record. `number` is the line of `left`.
    ///
    /// # Errors
    /// `BadInput` when both have a field of one name, or the record becomes too long.
    pub(super) fn push(
        &self,
        check: &mut ClashCheck,
        (left, number): (&[u8], u64),
        row: &RightRow<'_>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let refused = |text: String| {
            let line = Line { text: left, number, at: 0 };
            Err(self.left.judge.error(line, text))
        };
        if let Some(name) = check.clash(left, row.shape, row.added) {
            let (place, right) = (row.number, self.right.judge.name());
            return refused(format!(
                "the record has a field '{name}', and so has its match on line {place} of {right} \
                 (--prefix P puts P before the names from there)"
            ));
        }
        let start = out.len();
        push_joined(left, row.added, out);
        if out.len() - start > self.max_record {
            let most = self.max_record;
            return refused(format!("joined it is a record over {most} bytes (--max-record)"));
        }
        out.push(b'\n');
        Ok(())
    }
}

impl Side {
    fn new(keys: &Keys, judge: Judge) -> Side {
        let (has_keys, lacks) = (AtomicBool::new(false), OnceLock::new());
        Side { keys: keys.clone(), judge, has_keys, lacks }
    }

    /// What finds the keys of its records.
    pub(super) fn keyer(&self) -> Keyer {
        Keyer::new(&self.keys, Missing::Skip, &[])
    }

    /// Appends the key of `record`, or [`NO_KEY`].
    ///
    /// # Errors
    /// What is wrong with the record.
    pub(super) fn key(
        &self,
        keyer: &mut Keyer,
        record: &[u8],
        out: &mut Vec<u8>,
    ) -> std::result::Result<(), Flaw> {
        let start = out.len();
        let has_key = match keyer.key(record, out) {
            Ok(found) => {
                if !self.has_keys.load(Ordering::Relaxed) {
                    self.has_keys.store(true, Ordering::Relaxed);
                }
                !found.key.iter().flatten().any(|place| record[place.clone()].starts_with(b"n"))
            }
            Err(KeyFault::Flaw(flaw)) => return Err(flaw),
            Err(KeyFault::Skip | KeyFault::Missing(_)) => {
                self.lacks.get_or_init(|| self.said_of(record));
                false
            }
        };
        if !has_key {
            out.truncate(start);
            out.extend_from_slice(NO_KEY);
        }
        Ok(())
    }

    /// What is said of a record that has no key.
    #[cold]
    fn said_of(&self, record: &[u8]) -> String {
        let absent = self.keys.parts.iter().find(|part| {
            let found = Fields::new(vec![part.path.clone()]).locate(record).map(|at| at[0].clone());
            found.is_ok_and(|place| place.is_none())
        });
        match (absent, self.keys.parts.first()) {
            (Some(part), _) => absent::describe(record, &part.path, &part.text, NO_MATCH),
            (None, Some(part)) => format!("'{}' is not a number ({NO_MATCH})", part.text),
            (None, None) => NO_MATCH.into(),
        }
    }

    /// What is to be said where no record at all had the key: then another one was meant.
    pub(super) fn lack(&self) -> Option<String> {
        let said = self.lacks.get().filter(|_| !self.has_keys.load(Ordering::Relaxed))?;
        Some(format!("{}: no record has the key; of one of them: {said}", self.judge.name()))
    }
}

/// A right record, as it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RightRow<'a> {
    /// The number of its line.
    pub(super) number: u64,
    /// The number of its shape.
    pub(super) shape: u32,
    /// What it adds to the records that it joins.
    pub(super) added: &'a [u8],
    /// How it comes out where it has no partner; only of an outer join.
    pub(super) alone: &'a [u8],
}

/// The bytes before what a row adds: its number, its shape, how long that is.
const ROW_HEAD: usize = 16;

impl<'a> RightRow<'a> {
    /// The row of these bytes.
    ///
    /// # Errors
    /// `Incomplete` when they are none.
    pub(super) fn read(bytes: &'a [u8]) -> Result<RightRow<'a>> {
        let cut = || Error::incomplete("a record of the right side is damaged");
        let (head, rest) = bytes.split_first_chunk::<ROW_HEAD>().ok_or_else(cut)?;
        let head = u128::from_le_bytes(*head);
        let (added, alone) = rest.split_at_checked((head >> 96) as usize).ok_or_else(cut)?;
        Ok(RightRow { number: head as u64, shape: (head >> 64) as u32, added, alone })
    }
}

/// Makes rows of right records.
struct RowMaker {
    keyer: Keyer,
    key: Vec<u8>,
    added: Vec<u8>,
    /// The names that the last record adds, and the number of their shape.
    names: Vec<u8>,
    last: (Vec<u8>, u32),
}

impl RowMaker {
    fn new(sides: &Sides) -> RowMaker {
        let names = Vec::new();
        let last = (Vec::new(), sides.shapes.number(&[], &[]));
        RowMaker { keyer: sides.right.keyer(), key: Vec::new(), added: Vec::new(), names, last }
    }

    /// Appends the row of a record.
    fn push(&mut self, sides: &Sides, line: Line<'_>, out: &mut Vec<u8>) {
        self.added.clear();
        self.names.clear();
        if sides.kind.merges() {
            sides.adding.push(line.text, &mut self.added, &mut self.names);
        }
        if self.names != self.last.0 {
            self.last.1 = sides.shapes.number(&self.names, &self.added);
            self.last.0.clone_from(&self.names);
        }
        let (length, shape) = (self.added.len() as u128, u128::from(self.last.1));
        let head = u128::from(line.number) | shape << 64 | length << 96;
        out.extend_from_slice(&head.to_le_bytes());
        out.extend_from_slice(&self.added);
        if sides.kind == JoinKind::Outer {
            sides.adding.push_alone(line.text, out);
        }
    }

    /// The rows of a block, sorted by key.
    fn run(&mut self, sides: &Sides, block: &Block) -> Result<Run> {
        let lines = usize::try_from(block.line_count).unwrap_or(usize::MAX);
        let mut text = Vec::new();
        let mut run = RunBuilder::expecting(block.bytes.len(), lines);
        let (mut records, mut kept) = (0, 0);
        for line in block.lines() {
            records += 1;
            self.key.clear();
            if let Err(flaw) = sides.right.key(&mut self.keyer, line.text, &mut self.key) {
                sides.right.judge.fault(line, KeyFault::Flaw(flaw))?;
                continue;
            }
            kept += 1;
            if self.key == NO_KEY && sides.kind != JoinKind::Outer {
                continue;
            }
            let at = text.len();
            self.push(sides, line, &mut text);
            let Ok(()) = run.push::<Infallible>(at, text.len() - at, |key| {
                key.extend_from_slice(&self.key);
                Ok(())
            });
        }
        sides.right.judge.count(records, kept, block.bytes.len());
        text.shrink_to_fit();
        run.finish(text)
    }
}

/// The right side.
pub(super) enum RightSide {
    /// As it fits into the memory, in runs that follow one another.
    Held(Vec<Run>),
    /// As it is being sorted.
    Sorting(Sorter),
}

/// The limits of what goes on while something else is held or merged.
pub(super) fn part(limits: &Limits, parts: usize) -> Limits {
    Limits { memory: limits.memory / parts, ..limits.clone() }
}

/// Reads the right side.
///
/// # Errors
/// `BadInput` for what is no record, `Storage` when there is no room to spill; what the stream says.
pub(super) fn read_right(
    sides: &Arc<Sides>,
    limits: &Limits,
    bad: &Arc<Bad>,
    input: impl Input + 'static,
) -> Result<RightSide> {
    let most = Budget::new(limits.memory, limits.jobs).runs;
    let settings = part(limits, 2).settings(false);
    let size = settings.budget.block;
    let (mut held, mut side) = (0, RightSide::Held(Vec::new()));
    let mut blocks = Blocks::new(input, limits.max_record);
    let (bad, judged) = (Arc::clone(bad), Arc::clone(sides));
    parallel::ordered(
        limits.jobs,
        move || blocks.next(size, Vec::new(), &bad),
        || RowMaker::new(sides),
        move |maker, block| maker.run(&judged, &block),
        |_| Ok(None),
        |run: Run| {
            match &mut side {
                RightSide::Sorting(sorter) => sorter.add(run)?,
                RightSide::Held(runs) => {
                    held += run.memory() + matches::weight(&run);
                    runs.push(run);
                    if held > most {
                        let mut sorter = Sorter::new(settings.clone());
                        runs.drain(..).try_for_each(|run| sorter.add(run))?;
                        side = RightSide::Sorting(sorter);
                    }
                }
            }
            Ok(())
        },
    )?;
    Ok(side)
}

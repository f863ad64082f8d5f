//! Reducing a stream to results per group, on many threads: a stream that is in key order, block
//! by block; or any stream, by hashing first and sorting only what is left.

use std::sync::Arc;

use super::assemble::Assembly;
use super::grouping::{Group, Grouping};
use super::kept::can_keep;
use super::order::{self, Judge, Limits, Order};
use super::piece::GroupPiece;
use super::reader::GroupReader;
use super::spread::{Partitions, Spreader};
use crate::aggregate::RecordPosition;
use crate::error::{Error, Result};
use crate::extsort::sorter::Sorter;
use crate::parallel::{self, BufferPool, ByteLimit};
use crate::record::bad::Bad;
use crate::record::block::{Block, Blocks, Line};
use crate::record::key::KeyFault;
use crate::record::stream::{Input, Output, Summary};

/// Blocks need not be larger than this to keep every thread busy.
const BLOCK_MAX: usize = 512 << 10;

/// The memory of how many blocks lies idle at most.
const SPARE_BLOCKS: usize = 3;

/// Reduces a stream that is in key order. `start` is what was read of it already.
///
/// # Errors
/// `BadInput` for a bad record, one out of order, or an operand that is none; `Storage` when there
/// is no room to spill; what the streams say.
pub fn in_order(
    grouping: Grouping,
    limits: &Limits,
    bad: &Arc<Bad>,
    start: Option<Block>,
    mut blocks: Blocks<impl Input + 'static>,
    output: &mut impl Output,
) -> Result<Summary> {
    let grouping = Arc::new(grouping);
    let judge = Arc::new(Judge::new(blocks.name(), Arc::clone(bad)));
    let settings = limits.settings(false);
    let size = settings.budget.block.min(BLOCK_MAX);
    let (mut start, stream_bad) = (start, Arc::clone(bad));
    let in_flight = ByteLimit::new(settings.budget.in_flight(limits.jobs));
    let next = move || {
        let block = match start.take() {
            Some(block) => Some(block),
            None => blocks.next(size, Vec::new(), &stream_bad)?,
        };
        Ok(block.map(|block| (in_flight.hold(block.bytes.len()), block)))
    };
    let mut bytes_out = 0;
    let mut assembly = Assembly::new(&grouping, settings, |results: &[u8]| {
        bytes_out += results.len() as u64;
        output.write(results)
    });
    let judged = Arc::clone(&judge);
    parallel::ordered(
        limits.jobs,
        next,
        || GroupReader::new(&grouping),
        move |reader, (held, block)| Ok((held, piece(reader, &block, &judged)?)),
        |_| Ok(None),
        |(_held, piece)| take_piece(&mut assembly, piece, &judge, &grouping),
    )?;
    let (records_out, spilled_bytes) = finish(&grouping, assembly)?;
    output.flush()?;
    Ok(Summary { records_out, bytes_out, spilled_bytes, ..judge.summary() })
}

/// Ends an assembly; without a key there is always one group, even of nothing. Returns how many
/// groups there were, and how many bytes were spilled.
///
/// # Errors
/// As [`Assembly::add`].
pub fn finish<E: FnMut(&[u8]) -> Result<()>>(
    grouping: &Grouping,
    mut assembly: Assembly<E>,
) -> Result<(u64, u64)> {
    if grouping.is_whole() {
        let at = RecordPosition { shard: u64::MAX, index: u64::MAX };
        let mut nothing = Group { at, ..Group::default() };
        grouping.plan().start(&mut nothing.states);
        assembly.add(nothing)?;
    }
    assembly.finish()
}

/// Takes what a block gives, which must not lie before what came before it.
fn take_piece<E: FnMut(&[u8]) -> Result<()>>(
    assembly: &mut Assembly<E>,
    piece: GroupPiece,
    judge: &Judge,
    grouping: &Grouping,
) -> Result<()> {
    let is_before =
        |first: &Group| assembly.open_key().is_some_and(|open| first.key.as_slice() < open);
    if piece.first.as_ref().is_some_and(is_before) {
        let line = Line { text: &[], number: piece.line, at: 0 };
        return Err(out_of_order(judge, line, grouping));
    }
    assembly.add_piece(piece)
}

/// The error for a record that lies before the one before it.
pub fn out_of_order(judge: &Judge, line: Line<'_>, grouping: &Grouping) -> Error {
    let fix = format!("mc-shuffle{}", grouping.key_shown());
    judge.error(line, format!("the input is not in the order of the key; group it first: {fix}"))
}

/// Reduces a block.
fn piece(reader: &mut GroupReader, block: &Block, judge: &Judge) -> Result<GroupPiece> {
    let grouping = Arc::clone(reader.grouping());
    let mut piece = GroupPiece { line: block.first_line, ..GroupPiece::default() };
    let mut open: Option<Group> = None;
    let (mut key, mut last) = (Vec::new(), None);
    let (mut records, mut kept, mut lacking) = (0, 0, 0);
    for line in block.lines() {
        records += 1;
        let ended = match next_key(reader, line, last, &mut key) {
            Err(fault) => {
                judge.fault(line, fault)?;
                continue;
            }
            // It spells its key as the last one does.
            Ok(false) => false,
            Ok(true) => match &open {
                Some(group) if key < group.key => {
                    return Err(out_of_order(judge, line, &grouping));
                }
                Some(group) => group.key != key,
                None => true,
            },
        };
        last = spelling(reader, line);
        kept += 1;
        let at = RecordPosition { shard: 0, index: line.number };
        if ended {
            let mut group = piece.close(open.take(), &grouping)?;
            restart(&mut group, reader, &key, line.text, at);
            open = Some(group);
        }
        if let Some(group) = &mut open {
            let added = reader.add(0, line.text, at, &mut group.states);
            let (lacks, _) = added.map_err(|e| e.at(judge.place(line)))?;
            lacking += u64::from(lacks);
        }
    }
    piece.end(open);
    judge.count(records, kept, block.bytes.len());
    judge.count_lacking(lacking);
    Ok(piece)
}

/// Reads a line's record. Whether its key is to be looked at, and then its canonical bytes are in `key`: it
/// need not be where it is spelled as `last`.
fn next_key(
    reader: &mut GroupReader,
    line: Line<'_>,
    last: Option<&[u8]>,
    key: &mut Vec<u8>,
) -> std::result::Result<bool, KeyFault> {
    reader.clear();
    reader.read(line.text).map_err(KeyFault::Flaw)?;
    if last.is_some() && last == spelling(reader, line) {
        return Ok(false);
    }
    key.clear();
    reader.push_key(0, line.text, key)?;
    Ok(true)
}

/// How the record that was read spells its key, if that is one value.
fn spelling<'a>(reader: &GroupReader, line: Line<'a>) -> Option<&'a [u8]> {
    match reader.parts(0) {
        [Some(place)] => Some(&line.text[place.clone()]),
        _ => None,
    }
}

/// Makes `group` a new one, that of the record that was read last.
fn restart(group: &mut Group, reader: &GroupReader, key: &[u8], record: &[u8], at: RecordPosition) {
    group.key.clear();
    group.key.extend_from_slice(key);
    group.label.clear();
    reader.push_label(0, record, &mut group.label);
    group.at = at;
    group.states.clear();
    reader.grouping().plan().start(&mut group.states);
}

/// Reduces a stream that is in any order, whose groups are ordered inside before they are reduced.
///
/// # Errors
/// As [`in_order`], but for the order.
pub fn by_sorting(
    grouping: Grouping,
    order: &Order,
    limits: &Limits,
    bad: &Arc<Bad>,
    input: impl Input + 'static,
    output: &mut impl Output,
) -> Result<Summary> {
    let grouping = Arc::new(grouping);
    let name = format!("{} (in the order of the groups)", input.name());
    let (sorter, judge) = order::collect(order, limits, bad, input)?;
    let mut bytes_out = 0;
    let mut reduction = Reduction::new(&grouping, &name, limits, bad, |results: &[u8]| {
        bytes_out += results.len() as u64;
        output.write(results)
    });
    let (records, spilled) = sorter.finish(|texts| reduction.push(texts))?;
    judge.verify(records)?;
    let reduced = reduction.finish()?;
    output.flush()?;
    let read = judge.summary();
    let missing = read.missing + reduced.missing;
    let lacking = read.lacking + reduced.lacking;
    let spilled_bytes = spilled + reduced.spilled_bytes;
    let records_out = reduced.records_out;
    Ok(Summary { records_out, bytes_out, spilled_bytes, missing, lacking, ..read })
}

/// Reduces records that are handed to it in the order of their groups.
pub struct Reduction<E> {
    reader: GroupReader,
    assembly: Assembly<E>,
    judge: Judge,
    grouping: Arc<Grouping>,
    first_line: u64,
}

impl<E: FnMut(&[u8]) -> Result<()>> Reduction<E> {
    /// To give the results to `emit`. What is called `name` is what messages say lines are of.
    pub fn new(
        grouping: &Arc<Grouping>,
        name: &str,
        limits: &Limits,
        bad: &Arc<Bad>,
        emit: E,
    ) -> Reduction<E> {
        Reduction {
            reader: GroupReader::new(grouping),
            assembly: Assembly::new(grouping, limits.settings(false), emit),
            judge: Judge::new(name, Arc::clone(bad)),
            grouping: Arc::clone(grouping),
            first_line: 1,
        }
    }

    /// Takes whole lines.
    ///
    /// # Errors
    /// As [`in_order`].
    pub fn push(&mut self, lines: &[u8]) -> Result<()> {
        let line_count = memchr::memchr_iter(b'\n', lines).count() as u64;
        let block = Block { bytes: lines.to_vec(), first_line: self.first_line, line_count };
        self.first_line += line_count;
        let piece = piece(&mut self.reader, &block, &self.judge)?;
        take_piece(&mut self.assembly, piece, &self.judge, &self.grouping)
    }

    /// Ends it.
    ///
    /// # Errors
    /// As [`in_order`].
    pub fn finish(self) -> Result<Summary> {
        let (records_out, spilled_bytes) = finish(&self.grouping, self.assembly)?;
        Ok(Summary { records_out, spilled_bytes, ..self.judge.summary() })
    }
}

/// Reduces a stream that is in any order.
///
/// # Errors
/// As [`in_order`], but for the order.
pub fn by_hashing(
    grouping: Grouping,
    limits: &Limits,
    bad: &Arc<Bad>,
    input: impl Input + 'static,
    output: &mut impl Output,
) -> Result<Summary> {
    let grouping = Arc::new(grouping);
    let judge = Arc::new(Judge::new(input.name(), Arc::clone(bad)));
    let settings = limits.settings(false);
    let size = settings.budget.block.min(BLOCK_MAX);
    let share = limits.memory / 4 / limits.jobs.max(1);
    let mut blocks = Blocks::new(input, limits.max_record);
    let mut sorter = Sorter::new(settings.clone());
    let (judged, stream_bad) = (Arc::clone(&judge), Arc::clone(bad));
    let in_flight = ByteLimit::new(settings.budget.in_flight(limits.jobs));
    let spare = Arc::new(BufferPool::new(SPARE_BLOCKS * size));
    let memory = Arc::clone(&spare);
    let is_spread = grouping.key_is_certain()
        && grouping.plan().needs_operands_alone()
        && can_keep(limits.max_record, grouping.key_parts());
    let partitions = is_spread.then(|| Arc::new(Partitions::new(limits)));
    parallel::ordered(
        limits.jobs,
        move || {
            let block = blocks.next_as_it_came(size, memory.take(), &stream_bad)?;
            Ok(block.map(|block| (in_flight.hold(block.bytes().len()), block)))
        },
        || Spreader::new(&grouping, share, partitions.as_ref()),
        move |spreader, (held, block)| {
            let runs = spreader.add(&block, &judged)?;
            spare.give(block.into_bytes());
            Ok((Some(held), runs))
        },
        |spreader| Ok(Some((None, vec![spreader.finish()?]))),
        |(_held, runs)| runs.into_iter().try_for_each(|run| sorter.add(run)),
    )?;
    if let Some(partitions) = partitions {
        partitions.finish(&grouping, limits.jobs, &judge, |run| sorter.add(run))?;
    }
    let mut bytes_out = 0;
    let mut assembly = Assembly::new(&grouping, settings, |results: &[u8]| {
        bytes_out += results.len() as u64;
        output.write(results)
    });
    let parts_of = Arc::clone(&grouping);
    let spilled = sorter.finish_with(
        move |parts| GroupPiece::of_parts(&parts_of, parts),
        |piece| assembly.add_piece(piece),
    )?;
    let (records_out, spilled_bytes) = finish(&grouping, assembly)?;
    output.flush()?;
    let spilled_bytes = spilled_bytes + spilled;
    Ok(Summary { records_out, bytes_out, spilled_bytes, ..judge.summary() })
}

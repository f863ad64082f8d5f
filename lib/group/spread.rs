//! Records to groups where there are many: each thread deals them to partitions by the hash of their keys, and
//! whoever has dealt enough to one adds them to its groups. A partition's groups fit into a core's cache, and each
//! group is in one table, whichever thread read its records.
//!
//! What is dealt is a row: of a record, where it stands, its key, and its operands.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::batch::{ROWS, RecordBatch, each_batch};
use super::fill::{Filling, fill};
use super::grouping::Grouping;
use super::kept::{SHORT_ROW, keep};
use super::order::{Judge, Limits};
use super::reader::GroupReader;
use super::table::Table;
use crate::error::Result;
use crate::extsort::run::Run;
use crate::parallel::{BufferPool, each, lock};
use crate::record::block::Line;
use crate::record::rows::StreamBlock;

/// How many partitions there are; a hash's highest bits say which.
const PARTITIONS: usize = 1 << PARTITION_BITS;
const PARTITION_BITS: u32 = 8;

/// Rows are handed over together up to so many bytes.
const CHUNK_MAX: usize = 16 << 10;

/// So many bytes of rows wait for a partition at most, before they are added to its groups.
const WAITING_MAX: usize = 512 << 10;

/// One in so many bytes of the memory is for rows, and one for groups.
const ROWS_SHARE: usize = 8;
const GROUPS_SHARE: usize = 4;

/// So many times what should wait for a partition may wait while another thread is at it.
const PATIENCE: usize = 4;

/// The partitions, which all threads share.
pub(super) struct Partitions {
    all: Vec<Partition>,
    /// Bytes of rows that are handed over together, and that wait.
    chunk_bytes: usize,
    waiting: usize,
    /// Bytes that all groups may hold, and do.
    groups_max: usize,
    groups: AtomicUsize,
    spare: BufferPool,
}

#[derive(Default)]
struct Partition {
    waiting: Mutex<Vec<Vec<u8>>>,
    table: Mutex<Table>,
}

impl Partition {
    /// Whether nothing was dealt to it.
    fn is_empty(&self) -> bool {
        lock(&self.waiting).is_empty() && lock(&self.table).is_empty()
    }
}

impl Partitions {
    /// Empty ones.
    pub(super) fn new(limits: &Limits) -> Partitions {
        let waiting = (limits.memory / ROWS_SHARE / PARTITIONS).min(WAITING_MAX);
        Partitions {
            all: (0..PARTITIONS).map(|_| Partition::default()).collect(),
            chunk_bytes: (waiting / 4).min(CHUNK_MAX),
            waiting,
            groups_max: limits.memory / GROUPS_SHARE,
            groups: AtomicUsize::new(0),
            spare: BufferPool::new(limits.memory / ROWS_SHARE),
        }
    }

    /// Memory for rows.
    fn chunk(&self) -> Vec<u8> {
        let mut memory = self.spare.take();
        // The last row may reach beyond.
        memory.reserve_exact(self.chunk_bytes + self.chunk_bytes / 8);
        memory
    }

    /// Takes rows of a partition. Whether enough wait for it now.
    fn give(&self, partition: usize, rows: Vec<u8>) -> bool {
        let mut waiting = lock(&self.all[partition].waiting);
        waiting.push(rows);
        waiting.len() * self.chunk_bytes >= self.waiting
    }

    /// Adds the rows that wait for a partition to its groups, unless others do. Returns what became of them if
    /// they were too many.
    fn add(
        &self,
        partition: usize,
        reader: &mut GroupReader,
        judge: &Judge,
    ) -> Result<Option<Run>> {
        let Partition { waiting, table } = &self.all[partition];
        let mut table = match table.try_lock() {
            Ok(table) => table,
            Err(_) if lock(waiting).len() * self.chunk_bytes < self.waiting * PATIENCE => {
                return Ok(None);
            }
            Err(_) => lock(table),
        };
        let before = table.memory();
        let rows = std::mem::take(&mut *lock(waiting));
        let mut filling = Filling::new(&mut table, 0, usize::MAX, judge);
        for chunk in rows {
            filling.add_kept(reader, &chunk)?;
            self.spare.give(chunk);
        }
        filling.finish();
        let grown = table.memory() - before;
        if self.groups.fetch_add(grown, Ordering::Relaxed) + grown <= self.groups_max {
            return Ok(None);
        }
        self.groups.fetch_sub(table.memory() - Table::new().memory(), Ordering::Relaxed);
        std::mem::take(&mut *table).into_run(reader.grouping().plan()).map(Some)
    }

    /// Gives the groups of all partitions to `take`, as runs, after every thread has handed over its last rows.
    ///
    /// # Errors
    /// `BadInput` for an operand that does not go with others; what `take` says.
    pub(super) fn finish(
        &self,
        grouping: &Arc<Grouping>,
        jobs: usize,
        judge: &Judge,
        take: impl FnMut(Run) -> Result<()> + Send,
    ) -> Result<()> {
        let numbers: Vec<usize> = (0..PARTITIONS).filter(|at| !self.all[*at].is_empty()).collect();
        let take = Mutex::new(take);
        each(&numbers, jobs, |number| {
            let mut reader = GroupReader::new(grouping);
            let run = self.add(*number, &mut reader, judge)?;
            let table = std::mem::take(&mut *lock(&self.all[*number].table));
            let last = table.into_run(grouping.plan())?;
            let mut take = lock(&take);
            run.into_iter().chain([last]).try_for_each(&mut *take)
        })
        .into_iter()
        .collect()
    }
}

/// Bytes that a table may hold that fits into a core's cache.
const TABLE_MAX: usize = 1 << 20;

/// After so many records it is seen whether a full table is worth looking at: whether one in `WORTH_IT` of them is
/// of its groups.
const LOOKED_UP: u64 = 64 << 10;
const WORTH_IT: u64 = 4;

/// One thread's part in the work: a table of its own, and, once that has as many groups as fit into the cache, rows
/// of the others for the partitions.
pub(super) struct Spreader {
    reader: GroupReader,
    table: Table,
    /// What the table may hold, in bytes.
    share: usize,
    partitions: Option<Arc<Partitions>>,
    /// The rows that are not handed over yet, for each partition; none while all go to the table.
    rows: Vec<Vec<u8>>,
    /// How many records were looked for in the full table, and how many were of its groups.
    looked_up: u64,
    found: u64,
}

impl Spreader {
    /// For these groups. `share` is how many bytes a table may hold that has all groups of the thread.
    pub(super) fn new(
        grouping: &Arc<Grouping>,
        share: usize,
        partitions: Option<&Arc<Partitions>>,
    ) -> Spreader {
        Spreader {
            reader: GroupReader::new(grouping),
            table: Table::new(),
            share,
            partitions: partitions.cloned(),
            rows: Vec::new(),
            looked_up: 0,
            found: 0,
        }
    }

    /// Adds the records of a block to their groups. Returns what became of groups that were too many.
    ///
    /// # Errors
    /// `BadInput` for a record that gives no key, or an operand that is none.
    pub(super) fn add(&mut self, block: &StreamBlock, judge: &Judge) -> Result<Vec<Run>> {
        let partitions = self.partitions.clone();
        let (Some(partitions), false) = (&partitions, self.rows.is_empty()) else {
            let (reader, table) = (&mut self.reader, &mut self.table);
            let runs = fill(reader, table, block, 0, self.share, judge, None)?;
            if let Some(partitions) = partitions
                && self.table.memory() > TABLE_MAX.min(self.share / 2)
            {
                self.rows = (0..PARTITIONS).map(|_| partitions.chunk()).collect();
            }
            return Ok(runs);
        };
        let mut runs = Vec::new();
        for partition in self.deal(partitions, block, judge)? {
            runs.extend(partitions.add(partition, &mut self.reader, judge)?);
        }
        let is_not_worth_it = self.looked_up > LOOKED_UP && self.found < self.looked_up / WORTH_IT;
        if is_not_worth_it || self.table.memory() > self.share {
            runs.push(std::mem::take(&mut self.table).into_run(self.reader.grouping().plan())?);
            (self.looked_up, self.found) = (0, 0);
        }
        Ok(runs)
    }

    /// Adds the records of a block that are of groups in the table, and deals the others out. Returns the
    /// partitions that have enough then.
    fn deal(
        &mut self,
        partitions: &Partitions,
        block: &StreamBlock,
        judge: &Judge,
    ) -> Result<Vec<usize>> {
        let mut filling = Filling::new(&mut self.table, 0, usize::MAX, judge);
        let (rows, mut due) = (&mut self.rows, Vec::new());
        let mut hand_over = |partition: usize, to: &mut Vec<u8>| {
            if to.len() >= partitions.chunk_bytes {
                let full = std::mem::replace(to, partitions.chunk());
                if partitions.give(partition, full) {
                    due.push(partition);
                }
            }
        };
        each_batch(&mut self.reader, block, judge, true, |reader, batch| match batch {
            RecordBatch::Rows(batch, put_together) => {
                self.looked_up += batch.len() as u64;
                filling.add_known(reader, batch, put_together, |reader, number, row, spelling| {
                    let partition = partition_of(row.hash);
                    let to = &mut rows[partition];
                    let kept = keep(reader, number, row.line, (spelling, row.hash), to);
                    kept.map_err(|e| e.at(judge.place(row.line)))?;
                    hand_over(partition, to);
                    Ok(())
                })
            }
            RecordBatch::Columns(text, first) => {
                self.looked_up += ROWS as u64;
                for key in reader.columns().iter().flat_map(|columns| &columns.keys) {
                    touch(&mut rows[partition_of(key.hash)]);
                }
                filling.add_known_columns(reader, text, first, |reader, row, spelled| {
                    let partition = partition_of(spelled.hash);
                    let to = &mut rows[partition];
                    let number = first + row as u64;
                    if !reader.keep_short(row, number, spelled, to) {
                        let (record, at) = reader.recall_row(text, row);
                        let line = Line { text: &record, number, at };
                        let spelling = match reader.parts(0) {
                            [Some(place)] => &record[place.clone()],
                            _ => b"",
                        };
                        let kept = keep(reader, 0, line, (spelling, spelled.hash), to);
                        kept.map_err(|e| e.at(judge.place(line)))?;
                    }
                    hand_over(partition, to);
                    Ok(())
                })
            }
        })?;
        self.found += filling.kept();
        filling.finish();
        Ok(due)
    }

    /// Hands over the last rows. Returns the groups of its table.
    ///
    /// # Errors
    /// When they are over the size of a run.
    pub(super) fn finish(self) -> Result<Run> {
        for (partition, rows) in self.rows.into_iter().enumerate() {
            if let (false, Some(partitions)) = (rows.is_empty(), &self.partitions) {
                partitions.give(partition, rows);
            }
        }
        self.table.into_run(self.reader.grouping().plan())
    }
}

/// Has the memory behind the end of some rows come into the cache, where the next one goes: for all rows of a batch
/// before the first of them is written, so that none is waited for alone.
#[inline(always)]
fn touch(rows: &mut Vec<u8>) {
    if let Some(byte) = rows.spare_capacity_mut().get_mut(SHORT_ROW - 1) {
        byte.write(0);
    }
}

/// Which partition a hash is of.
fn partition_of(hash: u64) -> usize {
    (hash >> (u64::BITS - PARTITION_BITS)) as usize
}

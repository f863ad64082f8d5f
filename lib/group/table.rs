//! A hash table of groups: the parts of groups that one thread has seen, until they outgrow its
//! share of the memory and become a sorted run.

use xxhash_rust::xxh3::xxh3_64;

use super::grouping::Group;
use crate::aggregate::{OpState, RecordPosition, ReductionPlan, StateDecoder};
use crate::error::Result;
use crate::extsort::run::{Run, RunBuilder};

/// Groups by their keys.
pub struct Table {
    /// Places in `entries`, one more than they are; 0 for none. A power of two of them, at most
    /// half in use.
    slots: Vec<u32>,
    entries: Vec<Entry>,
    /// Keys and labels.
    bytes: Vec<u8>,
    /// The states of the groups, one after the other.
    states: Vec<OpState>,
    /// Bytes that the states hold beside themselves, about.
    grown: usize,
}

struct Entry {
    hash: u64,
    /// Where the key starts, its label and where that ends.
    key: usize,
    label: usize,
    end: usize,
    at: RecordPosition,
}

/// Slots of an empty table.
const SLOTS_MIN: usize = 1 << 10;

impl Default for Table {
    fn default() -> Table {
        Table::new()
    }
}

impl Table {
    /// With nothing in it.
    pub fn new() -> Table {
        Table {
            slots: vec![0; SLOTS_MIN],
            entries: Vec::new(),
            bytes: Vec::new(),
            states: Vec::new(),
            grown: 0,
        }
    }

    /// The states of the group with this key. For a group that is new, `label` appends its label,
    /// and `at` is where its first record stands.
    pub fn states(
        &mut self,
        plan: &ReductionPlan,
        key: &[u8],
        at: RecordPosition,
        label: impl FnOnce(&mut Vec<u8>),
    ) -> &mut [OpState] {
        let width = plan.width();
        let hash = xxh3_64(key);
        let mut slot = hash as usize & (self.slots.len() - 1);
        loop {
            match self.slots[slot] {
                0 => break,
                taken => {
                    let entry = &self.entries[taken as usize - 1];
                    if entry.hash == hash && &self.bytes[entry.key..entry.label] == key {
                        let first = (taken as usize - 1) * width;
                        return &mut self.states[first..first + width];
                    }
                }
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        let behind = self.bytes.len();
        label(&mut self.bytes);
        let end = self.bytes.len();
        self.entries.push(Entry { hash, key: start, label: behind, end, at });
        self.slots[slot] = self.entries.len() as u32;
        if self.entries.len() * 2 > self.slots.len() {
            self.widen();
        }
        let first = self.states.len();
        plan.start(&mut self.states);
        &mut self.states[first..]
    }

    fn widen(&mut self) {
        let wide = self.slots.len() * 2;
        self.slots.clear();
        self.slots.resize(wide, 0);
        for (number, entry) in (1..).zip(&self.entries) {
            let mut slot = entry.hash as usize & (wide - 1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (wide - 1);
            }
            self.slots[slot] = number;
        }
    }

    /// Notes that states of the table grew by so many bytes.
    pub fn grow(&mut self, bytes: usize) {
        self.grown += bytes;
    }

    /// The memory that it holds, in bytes, about.
    pub fn memory(&self) -> usize {
        self.slots.capacity() * size_of::<u32>()
            + self.entries.capacity() * size_of::<Entry>()
            + self.bytes.capacity()
            + self.states.capacity() * size_of::<OpState>()
            + self.grown
    }

    /// The groups as a sorted run, whose texts [`decode`] reads.
    ///
    /// # Errors
    /// When they are over the size of a run.
    pub fn into_run(self, plan: &ReductionPlan) -> Result<Run> {
        let width = plan.width();
        let mut text = Vec::with_capacity(self.bytes.len() + self.entries.len() * 16);
        let mut run = RunBuilder::default();
        for (number, entry) in self.entries.iter().enumerate() {
            let start = text.len();
            let label = &self.bytes[entry.label..entry.end];
            push(plan, label, entry.at, &self.states[number * width..][..width], &mut text);
            run.push::<crate::Error>(start, text.len() - start, |key| {
                key.extend_from_slice(&self.bytes[entry.key..entry.label]);
                Ok(())
            })?;
        }
        run.finish(text)
    }
}

fn push(
    plan: &ReductionPlan,
    label: &[u8],
    at: RecordPosition,
    states: &[OpState],
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(&(label.len() as u32).to_le_bytes());
    out.extend_from_slice(label);
    out.extend_from_slice(&at.shard.to_le_bytes());
    out.extend_from_slice(&at.index.to_le_bytes());
    plan.encode(states, out);
}

/// Appends a part of a group, but for its key, as [`decode`] reads it.
pub fn encode(plan: &ReductionPlan, group: &Group, out: &mut Vec<u8>) {
    push(plan, &group.label, group.at, &group.states, out);
}

/// Reads a part of a group that [`Table::into_run`] or [`encode`] wrote.
///
/// # Errors
/// `Incomplete`, when the bytes are damaged.
pub fn decode(plan: &ReductionPlan, key: &[u8], text: &[u8]) -> Result<Group> {
    let damaged = || crate::Error::incomplete("a spilled group is damaged");
    let (label_len, rest) = text.split_first_chunk::<4>().ok_or_else(damaged)?;
    let (label, rest) =
        rest.split_at_checked(u32::from_le_bytes(*label_len) as usize).ok_or_else(damaged)?;
    let (shard, rest) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
    let (index, states) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
    let at =
        RecordPosition { shard: u64::from_le_bytes(*shard), index: u64::from_le_bytes(*index) };
    let mut group = Group { key: key.to_vec(), label: label.to_vec(), at, states: Vec::new() };
    plan.decode(&mut StateDecoder::new(states), &mut group.states)?;
    Ok(group)
}

//! A hash table of groups: the parts of groups that one thread has seen, until they outgrow its
//! share of the memory and become a sorted run.

use super::grouping::Group;
use super::spelled::{SHORT_KEY, Spelled};
use crate::aggregate::{BATCH, OpState, RecordPosition, ReductionPlan, StateDecoder};
use crate::error::Result;
use crate::extsort::run::{Run, RunBuilder};

/// Groups by how their keys are spelled: one that is spelled in two ways is in it twice, and in the run that
/// comes of it.
pub struct Table {
    /// For each, the upper half of a hash, and below it a place in `entries`, one more than it is; 0 for
    /// none. A power of two of them, at most half in use.
    slots: Vec<u64>,
    entries: Vec<Entry>,
    /// Spellings, keys and labels.
    bytes: Vec<u8>,
    /// The states of the groups, one after the other.
    states: Vec<OpState>,
    /// Bytes that the states hold beside themselves, about.
    grown: usize,
}

/// A group: as many bytes as come into a cache at once, and in one line of it.
#[repr(align(64))]
struct Entry {
    hash: u64,
    /// The first bytes of its spelling.
    head: [u64; 2],
    /// Where its spelling starts, and how long that is, its key, which follows, and its label.
    start: usize,
    spelling: u32,
    key: u32,
    label: u32,
    at: RecordPosition,
}

/// Slots of an empty table.
const SLOTS_MIN: usize = 1 << 10;

/// How many groups are looked up at once, at most.
pub(super) const GUESSES: usize = BATCH;

/// The number of a group that may be the one that is looked for.
pub(super) type Guess = Option<usize>;

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

    /// Whether there is no group in it.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Which groups probably are those with these hashes, each of which has `width` states. It looks at them,
    /// so that they come into the cache: none is waited for before the next is asked for.
    pub(super) fn guess(
        &self,
        hashes: impl Iterator<Item = u64> + Clone,
        width: usize,
    ) -> [Guess; GUESSES] {
        let mut slots = [0; GUESSES];
        for (slot, hash) in slots.iter_mut().zip(hashes.clone()) {
            *slot = self.slots[self.first_slot(hash)];
        }
        let mut guesses = [None; GUESSES];
        let mut seen = 0;
        for ((guess, first), hash) in guesses.iter_mut().zip(slots).zip(hashes) {
            *guess = match first {
                0 => None,
                _ if (first ^ hash) >> 32 == 0 => Some(first as u32 as usize - 1),
                _ => self.numbers(hash).next(),
            };
            let number = guess.unwrap_or(0);
            seen ^= self.entries.get(number).map_or(0, |entry| entry.hash);
            let state = self.states.get(number * width);
            seen ^= u64::from(matches!(state, Some(OpState::Count(_))));
        }
        std::hint::black_box(seen);
        guesses
    }

    #[inline]
    fn first_slot(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    /// The groups that may have this hash.
    #[inline]
    fn numbers(&self, hash: u64) -> impl Iterator<Item = usize> {
        let mask = self.slots.len() - 1;
        let from = self.first_slot(hash);
        (from..)
            .map(move |slot| self.slots[slot & mask])
            .take_while(|slot| *slot != 0)
            .filter(move |slot| (slot ^ hash) >> 32 == 0)
            .map(|slot| slot as u32 as usize - 1)
    }

    /// The group that is spelled so, and is guessed to be one.
    #[inline(always)]
    pub(super) fn get(&self, spelled: &Spelled<'_>, guess: Guess) -> Option<usize> {
        let is = |number: &usize| {
            // A guess may be of a table that has become a run since.
            self.entries.get(*number).is_some_and(|entry| {
                let differs = (entry.hash ^ spelled.hash)
                    | (entry.head[0] ^ spelled.head[0])
                    | (entry.head[1] ^ spelled.head[1])
                    | (u64::from(entry.spelling) ^ spelled.len() as u64);
                differs == 0
                    && (spelled.len() <= SHORT_KEY
                        || spelled.is(&self.bytes[entry.start..][..spelled.len()]))
            })
        };
        guess.filter(is).or_else(|| self.numbers(spelled.hash).find(is))
    }

    /// Adds a group that is spelled so, which is not in it yet: its key, where its first record stands, and
    /// `label`, which appends its label.
    pub(super) fn insert(
        &mut self,
        plan: &ReductionPlan,
        spelled: &Spelled<'_>,
        key: &[u8],
        at: RecordPosition,
        label: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let start = self.bytes.len();
        spelled.push(&mut self.bytes);
        self.bytes.extend_from_slice(key);
        let behind = self.bytes.len();
        label(&mut self.bytes);
        let number = self.entries.len();
        self.entries.push(Entry {
            hash: spelled.hash,
            head: spelled.head,
            start,
            spelling: spelled.len() as u32,
            key: key.len() as u32,
            label: (self.bytes.len() - behind) as u32,
            at,
        });
        plan.start(&mut self.states);
        match self.entries.len() * 2 > self.slots.len() {
            true => self.widen(),
            false => self.take_slot(number),
        }
        number
    }

    /// Notes that a group has a record at `at`, which may lie before the first one that it knows.
    #[inline]
    pub(super) fn comes_at(&mut self, number: usize, at: RecordPosition) {
        let first = &mut self.entries[number].at;
        if at < *first {
            *first = at;
        }
    }

    /// The states of a group, each of which has `width` of them.
    #[inline]
    pub(super) fn states(&mut self, width: usize, number: usize) -> &mut [OpState] {
        &mut self.states[number * width..][..width]
    }

    /// The states of all groups, one after the other.
    #[inline]
    pub(super) fn all_states(&mut self) -> &mut [OpState] {
        &mut self.states
    }

    fn take_slot(&mut self, number: usize) {
        let hash = self.entries[number].hash;
        let mut slot = self.first_slot(hash);
        while self.slots[slot] != 0 {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.slots[slot] = hash >> 32 << 32 | (number as u64 + 1);
    }

    fn widen(&mut self) {
        let wide = self.slots.len() * 4;
        self.slots.clear();
        self.slots.resize(wide, 0);
        (0..self.entries.len()).for_each(|number| self.take_slot(number));
    }

    /// Notes that states of the table grew by so many bytes.
    pub fn grow(&mut self, bytes: usize) {
        self.grown += bytes;
    }

    /// The memory that it holds, in bytes, about.
    pub fn memory(&self) -> usize {
        self.slots.capacity() * size_of::<u64>()
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
            let behind = &self.bytes[entry.start + entry.spelling as usize..];
            let (key, behind) = behind.split_at(entry.key as usize);
            let (label, _) = behind.split_at(entry.label as usize);
            push(plan, label, entry.at, &self.states[number * width..][..width], &mut text);
            run.push::<crate::Error>(start, text.len() - start, |out| {
                out.extend_from_slice(key);
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
    let mut group = Group::default();
    decode_into(plan, key, text, &mut group)?;
    Ok(group)
}

/// The same into the memory of another group.
///
/// # Errors
/// As [`decode`].
pub(super) fn decode_into(
    plan: &ReductionPlan,
    key: &[u8],
    text: &[u8],
    group: &mut Group,
) -> Result<()> {
    let damaged = || crate::Error::incomplete("a spilled group is damaged");
    let (label_len, rest) = text.split_first_chunk::<4>().ok_or_else(damaged)?;
    let (label, rest) =
        rest.split_at_checked(u32::from_le_bytes(*label_len) as usize).ok_or_else(damaged)?;
    let (shard, rest) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
    let (index, states) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
    group.at =
        RecordPosition { shard: u64::from_le_bytes(*shard), index: u64::from_le_bytes(*index) };
    group.key.clear();
    group.key.extend_from_slice(key);
    group.label.clear();
    group.label.extend_from_slice(label);
    group.states.clear();
    plan.decode(&mut StateDecoder::new(states), &mut group.states)
}

//! `ndistinct`: how many different values a group has; exactly, whatever their number.
//!
//! A group that outgrows memory gives its values to an external sort and counts them as they come
//! back ([`Distinct::drain`], [`Distinct::sorted`]).

use std::collections::HashSet;

use super::encoding::{StateDecoder, push_bytes, push_count};
use crate::error::Result;

/// The different values so far, by their canonical key bytes.
#[derive(Clone, Debug, Default)]
pub struct Distinct {
    /// Those of 8 bytes, as most numbers are.
    short: HashSet<[u8; SHORT_BYTES]>,
    long: HashSet<Box<[u8]>>,
    long_bytes: usize,
    /// Counted as they came back from a sort; the values above are then counted apart.
    sorted: u64,
    /// The last one of those.
    previous: Vec<u8>,
}

/// The length of the keys that are kept without a piece of memory of their own.
const SHORT_BYTES: usize = 8;
/// A hash set's room for each entry, about, when it has just grown.
const GROWTH: usize = 2;
/// The memory of a hash set's entry beside the value: control byte and free room.
const SET_BYTES: usize = 2;
/// What an allocator takes for each piece.
const PIECE_BYTES: usize = 16;

impl Distinct {
    /// Adds a value by its canonical key bytes. Returns by how many bytes that grew.
    #[inline]
    pub fn add(&mut self, key: &[u8]) -> usize {
        let new = match key.try_into() {
            Ok(key) => self.short.insert(key),
            Err(_) if self.long.contains(key) => false,
            Err(_) => self.long.insert(key.into()),
        };
        if !new {
            return 0;
        }
        if key.len() == SHORT_BYTES {
            return SHORT_BYTES * GROWTH;
        }
        self.long_bytes += key.len();
        key.len() + (size_of::<Box<[u8]>>() + PIECE_BYTES) * GROWTH
    }

    /// Takes in another part of the group.
    pub fn merge(&mut self, other: Distinct) {
        self.short.extend(other.short);
        for key in other.long {
            self.add(&key);
        }
    }

    /// Takes all values out, as their canonical key bytes.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn drain(&mut self, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.long_bytes = 0;
        std::mem::take(&mut self.short).iter().try_for_each(|key| take(key))?;
        std::mem::take(&mut self.long).iter().try_for_each(|key| take(key))
    }

    /// Takes a value back that [`Distinct::drain`] took out, equal ones after one another.
    pub fn sorted(&mut self, key: &[u8]) {
        if self.sorted == 0 || self.previous != key {
            self.sorted += 1;
            self.previous.clear();
            self.previous.extend_from_slice(key);
        }
    }

    /// How many different values there are.
    pub fn count(&self) -> u64 {
        self.sorted + (self.short.len() + self.long.len()) as u64
    }

    /// The memory that it holds beside itself.
    pub fn heap_bytes(&self) -> usize {
        self.short.capacity() * (SHORT_BYTES + SET_BYTES)
            + self.long.capacity() * (size_of::<Box<[u8]>>() + SET_BYTES + PIECE_BYTES)
            + self.long_bytes
            + self.previous.capacity()
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        push_count(out, self.short.len() as u64);
        self.short.iter().for_each(|key| out.extend_from_slice(key));
        push_count(out, self.long.len() as u64);
        self.long.iter().for_each(|key| push_bytes(out, key));
    }

    pub(super) fn decode(decoder: &mut StateDecoder) -> Result<Distinct> {
        let mut distinct = Distinct::default();
        for _ in 0..decoder.count()? {
            distinct.short.insert(decoder.array()?);
        }
        for _ in 0..decoder.count()? {
            distinct.add(decoder.bytes()?);
        }
        Ok(distinct)
    }
}

//! `sample=N`: N records of the group, drawn by the hashes of their bytes: the same ones whatever
//! the order and the cut. Equal records have one hash and are drawn together, as often as they
//! come, until N are there.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::encoding::{StateDecoder, push_bytes, push_count};
use crate::error::Result;

/// The records with the least hashes so far: by hash and by what is kept of them, how often each
/// comes. No more than are to be drawn, of the last one only as many as are left for it.
#[derive(Clone, Debug, Default)]
pub struct Draw {
    items: BTreeMap<(u128, Box<[u8]>), u64>,
    /// How many records that are.
    count: u64,
    /// The bytes of what is kept.
    held: usize,
}

/// Hashes that decide where a record goes are no draw: these are others.
const SEED: u64 = 0x006d_635f_6472_6177;
/// What a map takes for each entry beside it, about: free room.
const ROOM: usize = 2;

impl Draw {
    /// Offers a record, of which `value` would be kept, to the `limit` that are drawn. Returns by
    /// how many bytes that grew.
    pub fn add(&mut self, limit: usize, record: &[u8], value: &[u8]) -> usize {
        let hash = xxh3_128_with_seed(record, SEED);
        if self.count >= limit as u64
            && let Some(((last, _), _)) = self.items.last_key_value()
            && *last < hash
        {
            return 0;
        }
        let before = self.heap_bytes();
        self.insert(limit, hash, value.into(), 1);
        self.heap_bytes().saturating_sub(before)
    }

    fn insert(&mut self, limit: usize, hash: u128, value: Box<[u8]>, count: u64) {
        let (limit, length) = (limit as u64, value.len());
        let held = self.items.entry((hash, value)).or_insert_with(|| {
            self.held += length;
            0
        });
        *held = held.saturating_add(count);
        self.count = self.count.saturating_add(count);
        while self.count > limit
            && let Some(mut last) = self.items.last_entry()
        {
            let over = self.count - limit;
            if *last.get() > over {
                *last.get_mut() -= over;
                self.count = limit;
            } else {
                let ((_, value), count) = last.remove_entry();
                self.count -= count;
                self.held -= value.len();
            }
        }
    }

    /// Takes in another part of the group.
    pub fn merge(&mut self, limit: usize, other: Draw) {
        for ((hash, value), count) in other.items {
            self.insert(limit, hash, value, count);
        }
    }

    /// Appends what was drawn as an array, in the order of the hashes.
    pub fn push_array(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        let start = out.len();
        for ((_, value), count) in &self.items {
            for _ in 0..*count {
                if out.len() > start {
                    out.push(b',');
                }
                out.extend_from_slice(value);
            }
        }
        out.push(b']');
    }

    /// The memory that it holds beside itself.
    pub fn heap_bytes(&self) -> usize {
        self.items.len() * size_of::<((u128, Box<[u8]>), u64)>() * ROOM + self.held
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        push_count(out, self.items.len() as u64);
        for ((hash, value), count) in &self.items {
            out.extend_from_slice(&hash.to_le_bytes());
            push_bytes(out, value);
            push_count(out, *count);
        }
    }

    pub(super) fn decode(limit: usize, decoder: &mut StateDecoder) -> Result<Draw> {
        let mut draw = Draw::default();
        for _ in 0..decoder.count()? {
            let hash = u128::from_le_bytes(decoder.array()?);
            let value = decoder.bytes()?.into();
            draw.insert(limit, hash, value, decoder.count()?);
        }
        Ok(draw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(draw: &Draw) -> String {
        let mut out = Vec::new();
        draw.push_array(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn neither_order_nor_cut_matters() {
        let records: Vec<String> = (0..300).map(|n| format!("{}", n % 120)).collect();
        for limit in [1, 2, 7, 50, 299, 300, 1000] {
            let mut whole = Draw::default();
            records.iter().for_each(|r| _ = whole.add(limit, r.as_bytes(), r.as_bytes()));
            let mut parts = [Draw::default(), Draw::default(), Draw::default()];
            for (n, r) in records.iter().rev().enumerate() {
                parts[n * n % 3].add(limit, r.as_bytes(), r.as_bytes());
            }
            let mut merged = Draw::default();
            for part in parts {
                let mut bytes = Vec::new();
                part.encode(&mut bytes);
                merged.merge(limit, Draw::decode(limit, &mut StateDecoder::new(&bytes)).unwrap());
            }
            assert_eq!(array(&merged), array(&whole));
            let drawn: Vec<u32> = serde_json::from_str(&array(&whole)).unwrap();
            assert_eq!(drawn.len(), limit.min(300));
            // What comes three times is drawn three times, but perhaps the last.
            let last = drawn.last().unwrap();
            for value in drawn.iter().filter(|value| *value != last) {
                let times = if *value < 60 { 3 } else { 2 };
                assert_eq!(drawn.iter().filter(|other| *other == value).count(), times);
            }
        }
    }
}

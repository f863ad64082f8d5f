//! `top=N`: the N greatest values in jq's order, greatest first, equal ones in input order.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::Position;
use super::encoding::{Decoder, push_bytes, push_count};
use crate::error::Result;

/// The greatest values so far; the least of them is at hand.
#[derive(Clone, Debug, Default)]
pub struct Top {
    items: BinaryHeap<Item>,
    /// The bytes of the items' keys and values.
    held: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    /// The canonical key bytes of the value.
    key: Box<[u8]>,
    at: Position,
    /// Its JSON text.
    value: Box<[u8]>,
}

impl Ord for Item {
    /// Later in the result is greater.
    fn cmp(&self, other: &Item) -> Ordering {
        rank((&self.key, self.at), (&other.key, other.at))
    }
}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Item) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[inline]
fn rank(one: (&[u8], Position), other: (&[u8], Position)) -> Ordering {
    other.0.cmp(one.0).then(one.1.cmp(&other.1))
}

impl Top {
    /// Offers a value to the `limit` greatest: its canonical key bytes, and what appends its JSON
    /// text. Returns by how many bytes that grew.
    #[inline]
    pub fn add(
        &mut self,
        limit: usize,
        key: &[u8],
        at: Position,
        push_value: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        if self.items.len() == limit
            && let Some(last) = self.items.peek()
            && rank((key, at), (&last.key, last.at)).is_ge()
        {
            return 0;
        }
        let before = self.heap_bytes();
        let mut value = Vec::new();
        push_value(&mut value);
        self.insert(limit, Item { key: key.into(), at, value: value.into() });
        self.heap_bytes().saturating_sub(before)
    }

    fn insert(&mut self, limit: usize, item: Item) {
        self.held += item.key.len() + item.value.len();
        self.items.push(item);
        if self.items.len() > limit
            && let Some(last) = self.items.pop()
        {
            self.held -= last.key.len() + last.value.len();
        }
    }

    /// Takes in another part of the group.
    pub fn merge(&mut self, limit: usize, other: Top) {
        for item in other.items {
            self.insert(limit, item);
        }
    }

    /// Appends the values as an array.
    pub fn push_array(&self, out: &mut Vec<u8>) {
        let mut items: Vec<&Item> = self.items.iter().collect();
        items.sort_unstable();
        let values: Vec<&[u8]> = items.into_iter().map(|item| item.value.as_ref()).collect();
        out.push(b'[');
        out.extend_from_slice(&values.join(&b','));
        out.push(b']');
    }

    /// The memory that it holds beside itself.
    pub fn heap_bytes(&self) -> usize {
        self.items.capacity() * size_of::<Item>() + self.held
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        push_count(out, self.items.len() as u64);
        for item in &self.items {
            item.at.encode(out);
            push_bytes(out, &item.key);
            push_bytes(out, &item.value);
        }
    }

    pub(super) fn decode(limit: usize, decoder: &mut Decoder) -> Result<Top> {
        let mut top = Top::default();
        for _ in 0..decoder.count()? {
            let at = Position::decode(decoder)?;
            let (key, value) = (decoder.bytes()?.into(), decoder.bytes()?.into());
            top.insert(limit, Item { key, at, value });
        }
        Ok(top)
    }
}

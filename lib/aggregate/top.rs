//! `top=N`, `topby=N`: the N greatest values in jq's order, greatest first, or their records;
//! `bottom=N`, `bottomby=N`: the least, least first. Equal ones are in input order.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::RecordPosition;
use super::encoding::{StateDecoder, push_bytes, push_count};
use super::extreme::Wanted;
use super::kinds::{Kinds, Mixed};
use crate::error::Result;

/// The greatest (or least) values so far; the last of them is at hand.
#[derive(Clone, Debug, Default)]
pub struct Top {
    items: BinaryHeap<Item>,
    /// The bytes of the items' keys and values.
    held: usize,
    /// What kinds of values there were.
    pub(super) kinds: Kinds,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    /// How it compares with those that come behind it in the result.
    order: Ordering,
    /// The canonical key bytes of the value.
    key: Box<[u8]>,
    at: RecordPosition,
    /// The JSON text that is its part of the result.
    value: Box<[u8]>,
}

impl Ord for Item {
    /// Later in the result is greater.
    fn cmp(&self, other: &Item) -> Ordering {
        rank(self.order, (&self.key, self.at), (&other.key, other.at))
    }
}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Item) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// How two places in the result compare, where the first is of a value that compares as `order`
/// with the last.
#[inline]
fn rank(order: Ordering, one: (&[u8], RecordPosition), other: (&[u8], RecordPosition)) -> Ordering {
    let keys = one.0.cmp(other.0);
    let keys = if order == Ordering::Greater { keys.reverse() } else { keys };
    keys.then(one.1.cmp(&other.1))
}

impl Top {
    /// Offers a value to the `limit` that are kept: its canonical key bytes, and what appends its JSON
    /// text. Returns by how many bytes that grew.
    #[inline]
    pub fn add(
        &mut self,
        limit: usize,
        wanted: Wanted,
        key: &[u8],
        at: RecordPosition,
        push_value: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        if self.items.len() == limit
            && let Some(last) = self.items.peek()
            && rank(wanted.order, (key, at), (&last.key, last.at)).is_ge()
        {
            return 0;
        }
        let before = self.heap_bytes();
        let mut value = Vec::new();
        push_value(&mut value);
        let (order, value) = (wanted.order, value.into());
        self.insert(limit, Item { order, key: key.into(), at, value });
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
    ///
    /// # Errors
    /// When it has numbers and text now.
    pub(super) fn merge(&mut self, limit: usize, other: Top) -> std::result::Result<(), Mixed> {
        self.kinds.merge(other.kinds)?;
        for item in other.items {
            self.insert(limit, item);
        }
        Ok(())
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
        self.kinds.encode(out);
        push_count(out, self.items.len() as u64);
        for item in &self.items {
            item.at.encode(out);
            push_bytes(out, &item.key);
            push_bytes(out, &item.value);
        }
    }

    pub(super) fn decode(limit: usize, wanted: Wanted, decoder: &mut StateDecoder) -> Result<Top> {
        let mut top = Top { kinds: Kinds::decode(decoder)?, ..Top::default() };
        for _ in 0..decoder.count()? {
            let at = RecordPosition::decode(decoder)?;
            let (key, value) = (decoder.bytes()?.into(), decoder.bytes()?.into());
            top.insert(limit, Item { order: wanted.order, key, at, value });
        }
        Ok(top)
    }
}

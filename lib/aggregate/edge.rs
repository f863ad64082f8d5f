//! `first` and `last`: the value at one end of the group, in input order.

use super::RecordPosition;
use super::encoding::{StateDecoder, push_bytes};
use crate::error::Result;

/// Which end of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupEnd {
    /// The first value.
    First,
    /// The last value.
    Last,
}

/// The value at one end so far.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    held: Option<Box<(RecordPosition, Vec<u8>)>>,
}

impl Edge {
    /// Offers a value. Returns the memory that it took.
    #[inline]
    pub fn add(&mut self, end: GroupEnd, value: &[u8], at: RecordPosition) -> usize {
        let Some(held) = &mut self.held else {
            self.held = Some(Box::new((at, value.to_vec())));
            return self.heap_bytes();
        };
        if !nearer(end, at, held.0) {
            return 0;
        }
        let before = held.1.capacity();
        held.0 = at;
        held.1.clear();
        held.1.extend_from_slice(value);
        held.1.capacity() - before
    }

    /// Takes in another part of the group.
    pub fn merge(&mut self, end: GroupEnd, other: Edge) {
        let Some(theirs) = other.held else { return };
        match &self.held {
            Some(ours) if !nearer(end, theirs.0, ours.0) => {}
            _ => self.held = Some(theirs),
        }
    }

    /// The value, if there was any.
    pub fn value(&self) -> Option<&[u8]> {
        self.held.as_ref().map(|held| held.1.as_slice())
    }

    /// The memory that it holds beside itself.
    pub fn heap_bytes(&self) -> usize {
        self.held
            .as_ref()
            .map_or(0, |held| size_of::<(RecordPosition, Vec<u8>)>() + held.1.capacity())
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.held.is_some()));
        if let Some(held) = &self.held {
            held.0.encode(out);
            push_bytes(out, &held.1);
        }
    }

    pub(super) fn decode(decoder: &mut StateDecoder) -> Result<Edge> {
        if decoder.byte()? == 0 {
            return Ok(Edge::default());
        }
        let held = (RecordPosition::decode(decoder)?, decoder.bytes()?.to_vec());
        Ok(Edge { held: Some(Box::new(held)) })
    }
}

/// Whether `at` is nearer to that end of the group.
#[inline]
pub(super) fn nearer(end: GroupEnd, at: RecordPosition, than: RecordPosition) -> bool {
    match end {
        GroupEnd::First => at < than,
        GroupEnd::Last => at > than,
    }
}

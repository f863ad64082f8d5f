//! `min`, `max`, `minby`, `maxby`, `lastby`: the least or greatest of the values in jq's order, of
//! equal ones the first or last in input order.

use std::cmp::Ordering;

use super::RecordPosition;
use super::edge::{GroupEnd, nearer};
use super::encoding::{StateDecoder, push_bytes};
use super::kinds::{Kinds, Mixed};
use crate::error::Result;

/// Which of a group's values are wanted, and what of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// How they compare with the others.
    pub order: Ordering,
    /// Which of equal ones comes first.
    pub tie: GroupEnd,
    /// Whether it is the whole record that is kept.
    pub record: bool,
}

/// The least or greatest value so far, and what is kept of its record.
#[derive(Clone, Debug)]
pub struct Extreme {
    best: Option<Box<Best>>,
    /// The double nearest to the best value if it was read as an ordinary number, else NaN: it is looked at for each
    /// record.
    nearest: f64,
    /// What kinds of values there were.
    pub(super) kinds: Kinds,
}

#[derive(Clone, Debug)]
struct Best {
    /// The canonical key bytes of the value.
    key: Vec<u8>,
    at: RecordPosition,
    /// The JSON text that is the result.
    kept: Vec<u8>,
}

impl Default for Extreme {
    fn default() -> Extreme {
        Extreme { best: None, nearest: f64::NAN, kinds: Kinds::default() }
    }
}

impl Extreme {
    /// Whether the best value is better than any number that `nearest` is the nearest double to, so that such a
    /// one need not be offered. (Of two numbers the lesser one's double is not greater.)
    #[inline]
    pub(super) fn surpasses(&self, wanted: Wanted, nearest: f64) -> bool {
        match wanted.order {
            Ordering::Less => self.nearest < nearest,
            Ordering::Equal => false,
            Ordering::Greater => self.nearest > nearest,
        }
    }

    /// Offers a value by its canonical key bytes; `keep` appends what is kept if it is the best,
    /// as `wanted` says. `nearest` is the double nearest to it, if it is an ordinary number. Returns the
    /// memory it took.
    #[inline]
    pub fn add(
        &mut self,
        wanted: Wanted,
        (key, nearest): (&[u8], Option<f64>),
        at: RecordPosition,
        keep: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let Some(best) = &mut self.best else {
            let mut kept = Vec::new();
            keep(&mut kept);
            self.best = Some(Box::new(Best { key: key.to_vec(), at, kept }));
            self.nearest = nearest.unwrap_or(f64::NAN);
            return self.heap_bytes();
        };
        if !beats(wanted, (key, at), (&best.key, best.at)) {
            return 0;
        }
        let before = best.key.capacity() + best.kept.capacity();
        best.at = at;
        self.nearest = nearest.unwrap_or(f64::NAN);
        best.key.clear();
        best.key.extend_from_slice(key);
        best.kept.clear();
        keep(&mut best.kept);
        best.key.capacity() + best.kept.capacity() - before
    }

    /// Takes in another part of the group.
    ///
    /// # Errors
    /// When it has numbers and text now.
    pub(super) fn merge(
        &mut self,
        wanted: Wanted,
        other: Extreme,
    ) -> std::result::Result<(), Mixed> {
        self.kinds.merge(other.kinds)?;
        let Some(theirs) = other.best else { return Ok(()) };
        match &self.best {
            Some(ours) if !beats(wanted, (&theirs.key, theirs.at), (&ours.key, ours.at)) => {}
            _ => (self.best, self.nearest) = (Some(theirs), other.nearest),
        }
        Ok(())
    }

    /// The JSON text that is the result, if there was any value.
    pub fn kept(&self) -> Option<&[u8]> {
        self.best.as_ref().map(|best| best.kept.as_slice())
    }

    /// The memory that it holds beside itself.
    pub fn heap_bytes(&self) -> usize {
        self.best
            .as_ref()
            .map_or(0, |best| size_of::<Best>() + best.key.capacity() + best.kept.capacity())
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        self.kinds.encode(out);
        out.push(u8::from(self.best.is_some()));
        if let Some(best) = &self.best {
            best.at.encode(out);
            push_bytes(out, &best.key);
            push_bytes(out, &best.kept);
        }
    }

    pub(super) fn decode(decoder: &mut StateDecoder) -> Result<Extreme> {
        let kinds = Kinds::decode(decoder)?;
        if decoder.byte()? == 0 {
            return Ok(Extreme { kinds, ..Extreme::default() });
        }
        let at = RecordPosition::decode(decoder)?;
        let (key, kept) = (decoder.bytes()?.to_vec(), decoder.bytes()?.to_vec());
        let best = Best { key, at, kept };
        Ok(Extreme { best: Some(Box::new(best)), nearest: f64::NAN, kinds })
    }
}

/// Whether the first value is the one to keep of the two.
#[inline]
fn beats(wanted: Wanted, first: (&[u8], RecordPosition), second: (&[u8], RecordPosition)) -> bool {
    match first.0.cmp(second.0) {
        Ordering::Equal => nearer(wanted.tie, first.1, second.1),
        order => order == wanted.order,
    }
}

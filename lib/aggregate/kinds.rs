//! Numbers and text in one group: `min`, `max` and their like order either, but not both together,
//! for then one that was meant as the other would be the result without a word.

use super::encoding::{StateDecoder, damaged};
use crate::error::Result;
use crate::record::canonical::ValueKind;

/// Which of numbers and text a part of a group has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(u8);

const NUMBERS: u8 = 1;
const TEXT: u8 = 2;

/// What is said of a group that has both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mixed;

impl Kinds {
    /// Notes a value by its canonical key bytes.
    ///
    /// # Errors
    /// When the other kind was there.
    #[inline]
    pub(super) fn add(&mut self, key: &[u8]) -> std::result::Result<(), Mixed> {
        let kind = match ValueKind::of(key) {
            ValueKind::Number => NUMBERS,
            ValueKind::Text => TEXT,
            ValueKind::Other => 0,
        };
        self.merge(Kinds(kind))
    }

    /// Takes in another part of the group.
    ///
    /// # Errors
    /// When there are numbers and text now.
    #[inline]
    pub(super) fn merge(&mut self, other: Kinds) -> std::result::Result<(), Mixed> {
        self.0 |= other.0;
        if self.0 == NUMBERS | TEXT { Err(Mixed) } else { Ok(()) }
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.push(self.0);
    }

    pub(super) fn decode(decoder: &mut StateDecoder) -> Result<Kinds> {
        match decoder.byte()? {
            kinds @ 0..=TEXT => Ok(Kinds(kinds)),
            _ => Err(damaged()),
        }
    }
}

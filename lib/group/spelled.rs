//! How keys are spelled, and the hash of that, by which their groups are found: a spelling is the same, and so is its
//! hash, whether its quotes are there or not.

use std::ops::Range;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::record::wide::head_of;

/// How a key is spelled, as a table looks for it.
#[derive(Clone, Copy)]
pub(super) struct Spelled<'a> {
    text: &'a [u8],
    /// Whether quotes stand around the text that are not there.
    quoted: bool,
    pub(super) hash: u64,
    /// Its first bytes: with its length, all of one of up to [`SHORT_KEY`].
    pub(super) head: [u64; 2],
}

impl<'a> Spelled<'a> {
    /// The spelling at `place` of `text`.
    #[inline(always)]
    pub(super) fn at(text: &'a [u8], place: Range<usize>) -> Spelled<'a> {
        let head = head_of(text, place.start, place.len());
        let text = &text[place];
        let hash =
            if text.len() > SHORT_KEY { long_hash(text) } else { short_hash(text.len(), head) };
        Spelled { text, quoted: false, hash, head }
    }

    /// The spelling of a string whose inside lies at `place` of `text`: it is that with quotes around it.
    #[inline(always)]
    pub(super) fn within_quotes(text: &'a [u8], place: Range<usize>) -> Spelled<'a> {
        let [low, high] = head_of(text, place.start, place.len());
        let length = place.len() + 2;
        let inside = (u128::from(low) | u128::from(high) << 64) << 8;
        let closing = u128::from(b'"').checked_shl(8 * (length as u32 - 1)).unwrap_or(0);
        let head = inside | closing | u128::from(b'"');
        let head = [head as u64, (head >> 64) as u64];
        let text = &text[place];
        let hash = if length > SHORT_KEY {
            xxh3_64_with_seed(text, QUOTED)
        } else {
            short_hash(length, head)
        };
        Spelled { text, quoted: true, hash, head }
    }

    /// What is known of it already, at [`Spelled::text`] of it.
    #[inline(always)]
    pub(super) fn found(text: &'a [u8], quoted: bool, hash: u64, head: [u64; 2]) -> Spelled<'a> {
        Spelled { text, quoted, hash, head }
    }

    /// The spelling `text`, whose hash is known.
    #[inline(always)]
    pub(super) fn known(text: &'a [u8], hash: u64) -> Spelled<'a> {
        Spelled { text, quoted: false, hash, head: head_of(text, 0, text.len()) }
    }

    /// The text, but for quotes that are not there.
    #[inline(always)]
    pub(super) fn text(&self) -> &'a [u8] {
        self.text
    }

    /// How long it is.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.text.len() + if self.quoted { 2 } else { 0 }
    }

    /// The spelling `text`, which is no longer than [`SHORT_KEY`], and is its head.
    #[inline(always)]
    pub(super) fn short(text: &'a [u8], head: [u64; 2]) -> Spelled<'a> {
        Spelled { text, quoted: false, hash: short_hash(text.len(), head), head }
    }

    /// Appends all of it.
    #[inline]
    pub(super) fn push(&self, out: &mut Vec<u8>) {
        let quote: &[u8] = if self.quoted { b"\"" } else { b"" };
        out.extend_from_slice(quote);
        out.extend_from_slice(self.text);
        out.extend_from_slice(quote);
    }

    /// Whether it is `spelling`, which is as long.
    #[inline]
    pub(super) fn is(&self, spelling: &[u8]) -> bool {
        match (self.quoted, spelling) {
            (true, [b'"', inside @ .., b'"']) => inside == self.text,
            (quoted, _) => !quoted && spelling == self.text,
        }
    }
}

/// The hash of a spelling that is no longer than its head. It is made of two words, and does not branch on how long
/// it is.
#[inline(always)]
fn short_hash(length: usize, head: [u64; 2]) -> u64 {
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        product as u64 ^ (product >> 64) as u64
    };
    // Digits of pi: any odd numbers would do.
    let both = fold(head[0] ^ 0x243f_6a88_85a3_08d3, head[1] ^ 0x1319_8a2e_0370_7345);
    fold(both ^ length as u64, 0xa409_3822_299f_31d1)
}

/// The hash of a longer one, which may come without the quotes around it.
fn long_hash(text: &[u8]) -> u64 {
    match text {
        [b'"', inside @ .., b'"'] => xxh3_64_with_seed(inside, QUOTED),
        _ => xxh3_64(text),
    }
}

/// The seed for the inside of what has quotes around it.
const QUOTED: u64 = 1;

/// Longer spellings are more than their head.
pub(super) const SHORT_KEY: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_count_whether_they_are_there_or_not() {
        let text = "ein Schlüssel, der länger ist als sechzehn Bytes";
        for length in (0..text.len()).filter(|length| text.is_char_boundary(*length)) {
            let (inside, quoted) = (&text[..length], format!("\"{}\"", &text[..length]));
            let there = Spelled::at(quoted.as_bytes(), 0..quoted.len());
            let not_there = Spelled::within_quotes(text.as_bytes(), 0..length);
            assert_eq!((there.hash, there.head), (not_there.hash, not_there.head), "{quoted}");
            assert_eq!((there.len(), length + 2), (not_there.len(), quoted.len()));
            assert!(there.is(quoted.as_bytes()) && not_there.is(quoted.as_bytes()));
            assert!(length == 0 || Spelled::at(inside.as_bytes(), 0..length).hash != there.hash);
            let mut pushed = Vec::new();
            not_there.push(&mut pushed);
            assert_eq!(pushed, quoted.as_bytes());
        }
    }
}

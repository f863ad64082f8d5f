//! The merge of sorted streams of items: a loser tree.
//!
//! Of equal keys the item of the earlier stream comes first, so a merge of runs in the order of
//! their input is stable.
//!
//! A large item stays where it is until its turn comes: of the other streams' items only the
//! beginnings are held, which decide almost always. So a merge holds the buffers of its streams and
//! one item, however large the items are.

use std::cmp::Ordering;

use super::run::prefix;
use super::spill::{LENGTHS, lengths_of};
use crate::error::Result;

/// A sorted stream of items, one of which is the current one.
pub trait Cursor {
    /// Goes to the next item (to the first one, at first); `false` at the end.
    ///
    /// # Errors
    /// When the items cannot be read.
    fn advance(&mut self) -> Result<bool>;

    /// The current item's key.
    fn key(&self) -> &[u8];

    /// The current item's text.
    fn text(&self) -> &[u8];

    /// Goes to the next item as [`Cursor::advance`] does, but may leave it where it lies if it is
    /// large. Then [`Cursor::key`] is only how the key begins, and the text is not at hand.
    ///
    /// # Errors
    /// As [`Cursor::advance`].
    fn advance_head(&mut self) -> Result<bool> {
        self.advance()
    }

    /// If the current item was left where it lies: how long its key is, and its text.
    fn left(&self) -> Option<(usize, usize)> {
        None
    }

    /// Puts the bytes of an item that was left where it lies, the key and behind it the text, from
    /// byte `from` on into `part`, which they fill or all but fill.
    ///
    /// # Errors
    /// When they cannot be read.
    fn fetch(&self, _from: usize, _part: &mut [u8]) -> Result<()> {
        Ok(())
    }

    /// Puts all bytes of an item that was left where it lies into `item`, to be used: where they are checked, it
    /// is these that are.
    ///
    /// # Errors
    /// As [`Cursor::fetch`]; where they are not what was written.
    fn bring(&mut self, item: &mut [u8]) -> Result<()> {
        self.fetch(0, item)
    }
}

/// How much of long keys is compared at once.
const COMPARED_BYTES: usize = 64 << 10;

/// Compares the current keys of two streams.
fn compare_keys<C: Cursor>(a: &C, b: &C) -> Result<Ordering> {
    let (head, other) = (a.key(), b.key());
    let common = head.len().min(other.len());
    let by_heads = head[..common].cmp(&other[..common]);
    if by_heads.is_ne() || (a.left().is_none() && b.left().is_none()) {
        return Ok(by_heads.then_with(|| head.len().cmp(&other.len())));
    }
    let length = |of: &C| of.left().map_or_else(|| of.key().len(), |(key, _)| key);
    let (whole, other) = (length(a), length(b));
    let (mut parts, mut at) = ([Vec::new(), Vec::new()], common);
    while at < whole.min(other) {
        let count = COMPARED_BYTES.min(whole.min(other) - at);
        for (cursor, part) in [a, b].into_iter().zip(&mut parts) {
            part.resize(count, 0);
            match cursor.left() {
                Some(_) => cursor.fetch(at, part)?,
                None => part.copy_from_slice(&cursor.key()[at..at + count]),
            }
        }
        let by_part = parts[0].cmp(&parts[1]);
        if by_part.is_ne() {
            return Ok(by_part);
        }
        at += count;
    }
    Ok(whole.cmp(&other))
}

/// An item that was left where it lay, in memory: in the form of a spilled one, and an LF.
#[derive(Default)]
struct Whole {
    bytes: Vec<u8>,
    /// Where the key ends.
    key_end: usize,
}

/// Several sorted streams as one.
pub struct Merge<C> {
    cursors: Vec<C>,
    /// The current keys' first bytes; the largest for a stream that ended.
    heads: Vec<u64>,
    /// The streams that ended.
    ended: Vec<bool>,
    /// `losers[n]` is the stream that lost at inner node `n`; `losers[0]` is the winner of all.
    losers: Vec<usize>,
    started: bool,
    /// The current item, where its stream has left it where it lies.
    whole: Option<Whole>,
    /// Memory for the next such.
    spare: Whole,
}

impl<C: Cursor> Merge<C> {
    /// Over `cursors`, none of which was advanced yet.
    pub fn new(cursors: Vec<C>) -> Merge<C> {
        let (heads, ended) = (vec![0; cursors.len()], vec![false; cursors.len()]);
        let losers = vec![0; cursors.len().max(1)];
        let (whole, spare) = (None, Whole::default());
        Merge { cursors, heads, ended, losers, started: false, whole, spare }
    }

    /// Whether the current item of `a` comes before that of `b`.
    fn before(&self, a: usize, b: usize) -> Result<bool> {
        let (left, right) = (self.heads[a], self.heads[b]);
        if left != right { Ok(left < right) } else { self.before_by_rest(a, b) }
    }

    /// The same, of two with the same first bytes.
    fn before_by_rest(&self, a: usize, b: usize) -> Result<bool> {
        Ok(match (self.ended[a], self.ended[b]) {
            (false, false) => {
                let by_keys = compare_keys(&self.cursors[a], &self.cursors[b])?;
                by_keys.then(a.cmp(&b)).is_lt()
            }
            (true, true) => a < b,
            (a_has_ended, _) => !a_has_ended,
        })
    }

    /// The current item as a line, if it is a large one, which need not be copied then.
    pub fn large_line(&self) -> Option<&[u8]> {
        self.whole.as_ref().map(|item| &item.bytes[item.key_end..])
    }

    /// The same in the form of a spilled item.
    pub fn large_item(&self) -> Option<&[u8]> {
        self.whole.as_ref().map(|item| &item.bytes[..item.bytes.len() - 1])
    }

    /// Brings the current item into memory, if its stream has left it where it lies.
    fn bring(&mut self) -> Result<()> {
        let cursor = &mut self.cursors[self.losers[0]];
        let Some((key, text)) = cursor.left() else { return Ok(()) };
        let (key_end, end) = (LENGTHS + key, LENGTHS + key + text);
        let mut bytes = std::mem::take(&mut self.spare.bytes);
        if bytes.capacity() <= end {
            // Not beside the one before it.
            bytes = Vec::new();
            bytes.reserve_exact(end + 1);
        }
        bytes.resize(end, 0);
        bytes[..LENGTHS].copy_from_slice(&lengths_of(key, text));
        cursor.bring(&mut bytes[LENGTHS..])?;
        bytes.push(b'\n');
        let item = Whole { bytes, key_end };
        self.whole = Some(item);
        Ok(())
    }

    /// The bytes that it holds, where `of` says how many a stream does.
    #[cfg(test)]
    pub fn memory(&self, of: impl Fn(&C) -> usize) -> usize {
        let items = self.whole.iter().chain([&self.spare]);
        let whole: usize = items.map(|item| item.bytes.capacity()).sum();
        whole + self.cursors.iter().map(of).sum::<usize>()
    }

    fn step(&mut self, stream: usize) -> Result<()> {
        let cursor = &mut self.cursors[stream];
        if cursor.advance_head()? {
            self.heads[stream] = prefix(cursor.key());
        } else {
            (self.heads[stream], self.ended[stream]) = (u64::MAX, true);
        }
        Ok(())
    }

    /// Plays the tournament below inner node `node`; notes its losers and returns its winner.
    fn play(&mut self, node: usize) -> Result<usize> {
        let streams = self.cursors.len();
        if node >= streams {
            return Ok(node - streams);
        }
        let (left, right) = (self.play(2 * node)?, self.play(2 * node + 1)?);
        let (winner, loser) = if self.before(left, right)? { (left, right) } else { (right, left) };
        self.losers[node] = loser;
        Ok(winner)
    }
}

impl<C: Cursor> Cursor for Merge<C> {
    fn advance(&mut self) -> Result<bool> {
        if self.cursors.is_empty() {
            return Ok(false);
        }
        if let Some(item) = self.whole.take() {
            self.spare = item;
        }
        if !self.started {
            self.started = true;
            for stream in 0..self.cursors.len() {
                self.step(stream)?;
            }
            self.losers[0] = if self.cursors.len() == 1 { 0 } else { self.play(1)? };
        } else {
            let mut winner = self.losers[0];
            self.step(winner)?;
            let mut node = (winner + self.cursors.len()) / 2;
            while node > 0 {
                if self.before(self.losers[node], winner)? {
                    std::mem::swap(&mut self.losers[node], &mut winner);
                }
                node /= 2;
            }
            self.losers[0] = winner;
        }
        if self.ended[self.losers[0]] {
            return Ok(false);
        }
        self.bring()?;
        Ok(true)
    }

    fn key(&self) -> &[u8] {
        match &self.whole {
            None => self.cursors[self.losers[0]].key(),
            Some(item) => &item.bytes[LENGTHS..item.key_end],
        }
    }

    fn text(&self) -> &[u8] {
        match &self.whole {
            None => self.cursors[self.losers[0]].text(),
            Some(item) => &item.bytes[item.key_end..item.bytes.len() - 1],
        }
    }
}

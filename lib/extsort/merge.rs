//! The merge of sorted streams of items: a loser tree.
//!
//! Of equal keys the item of the earlier stream comes first, so a merge of runs in the order of
//! their input is stable.

use super::run::prefix;
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
}

impl<C: Cursor> Merge<C> {
    /// Over `cursors`, none of which was advanced yet.
    pub fn new(cursors: Vec<C>) -> Merge<C> {
        let (heads, ended) = (vec![0; cursors.len()], vec![false; cursors.len()]);
        let losers = vec![0; cursors.len().max(1)];
        Merge { cursors, heads, ended, losers, started: false }
    }

    /// Whether the current item of `a` comes before that of `b`.
    fn before(&self, a: usize, b: usize) -> bool {
        let (left, right) = (self.heads[a], self.heads[b]);
        if left != right { left < right } else { self.before_by_rest(a, b) }
    }

    /// The same, of two with the same first bytes.
    fn before_by_rest(&self, a: usize, b: usize) -> bool {
        match (self.ended[a], self.ended[b]) {
            (false, false) => (self.cursors[a].key(), a) < (self.cursors[b].key(), b),
            (true, true) => a < b,
            (a_has_ended, _) => !a_has_ended,
        }
    }

    fn step(&mut self, stream: usize) -> Result<()> {
        let cursor = &mut self.cursors[stream];
        if cursor.advance()? {
            self.heads[stream] = prefix(cursor.key());
        } else {
            (self.heads[stream], self.ended[stream]) = (u64::MAX, true);
        }
        Ok(())
    }

    /// Plays the tournament below inner node `node`; notes its losers and returns its winner.
    fn play(&mut self, node: usize) -> usize {
        let streams = self.cursors.len();
        if node >= streams {
            return node - streams;
        }
        let (left, right) = (self.play(2 * node), self.play(2 * node + 1));
        let (winner, loser) = if self.before(left, right) { (left, right) } else { (right, left) };
        self.losers[node] = loser;
        winner
    }
}

impl<C: Cursor> Cursor for Merge<C> {
    fn advance(&mut self) -> Result<bool> {
        if self.cursors.is_empty() {
            return Ok(false);
        }
        if !self.started {
            self.started = true;
            for stream in 0..self.cursors.len() {
                self.step(stream)?;
            }
            self.losers[0] = if self.cursors.len() == 1 { 0 } else { self.play(1) };
        } else {
            let mut winner = self.losers[0];
            self.step(winner)?;
            let mut node = (winner + self.cursors.len()) / 2;
            while node > 0 {
                if self.before(self.losers[node], winner) {
                    std::mem::swap(&mut self.losers[node], &mut winner);
                }
                node /= 2;
            }
            self.losers[0] = winner;
        }
        Ok(!self.ended[self.losers[0]])
    }

    fn key(&self) -> &[u8] {
        self.cursors[self.losers[0]].key()
    }

    fn text(&self) -> &[u8] {
        self.cursors[self.losers[0]].text()
    }
}

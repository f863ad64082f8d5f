//! A stream of records as a sorted stream of items: for merging streams that are in order already,
//! and for checking that one is.

use std::sync::Arc;

use super::order::Judge;
use crate::error::Result;
use crate::extsort::merge::Cursor;
use crate::record::bad::Bad;
use crate::record::block::{Block, Blocks, Line};
use crate::record::key::Keyer;
use crate::record::stream::Input;

/// Bytes read at once.
const BLOCK_BYTES: usize = 256 << 10;

/// The records of a stream, which must be in order, one by one with their keys.
pub struct StreamCursor<I> {
    blocks: Blocks<I>,
    block: Block,
    /// Where the next line starts in the block, and its number.
    next: usize,
    number: u64,
    /// The current record's place in the block.
    text: std::ops::Range<usize>,
    keyer: Keyer,
    key: Vec<u8>,
    last: Vec<u8>,
    started: bool,
    strict: bool,
    judge: Arc<Judge>,
    bad: Arc<Bad>,
}

impl<I: Input> StreamCursor<I> {
    /// Over the records of `blocks`; with `strict` no two may have the same key.
    pub fn new(
        blocks: Blocks<I>,
        keyer: Keyer,
        strict: bool,
        judge: Arc<Judge>,
        bad: Arc<Bad>,
    ) -> StreamCursor<I> {
        StreamCursor {
            blocks,
            block: Block::default(),
            next: 0,
            number: 0,
            text: 0..0,
            keyer,
            key: Vec::new(),
            last: Vec::new(),
            started: false,
            strict,
            judge,
            bad,
        }
    }

    /// Goes to the next line that is not blank; `false` at the end.
    fn next_line(&mut self) -> Result<bool> {
        loop {
            if let Some(line) = self.block.line_at(self.next, self.number) {
                self.next = self.block.after(&line);
                self.number = line.number + 1;
                self.text = line.at..line.at + line.text.len();
                return Ok(true);
            }
            let buffer = std::mem::take(&mut self.block.bytes);
            match self.blocks.next(BLOCK_BYTES, buffer, &self.bad)? {
                Some(block) => {
                    (self.next, self.number) = (0, block.first_line);
                    self.block = block;
                }
                None => {
                    (self.next, self.block) = (0, Block::default());
                    return Ok(false);
                }
            }
        }
    }

    /// The current line.
    fn line(&self) -> Line<'_> {
        let text = &self.block.bytes[self.text.clone()];
        Line { text, number: self.number - 1, at: self.text.start }
    }
}

impl<I: Input> Cursor for StreamCursor<I> {
    fn advance(&mut self) -> Result<bool> {
        std::mem::swap(&mut self.key, &mut self.last);
        while self.next_line()? {
            self.key.clear();
            let text = &self.block.bytes[self.text.clone()];
            if let Err(fault) = self.keyer.key(text, &mut self.key) {
                self.judge.count(1, 0, text.len() + 1);
                self.judge.fault(self.line(), fault)?;
                continue;
            }
            self.judge.count(1, 1, text.len() + 1);
            if self.started && (self.key < self.last || self.strict && self.key == self.last) {
                let what = if self.key == self.last { "has the key of" } else { "belongs before" };
                return Err(self.judge.error(
                    self.line(),
                    format!("not in order: the record {what} the one before it"),
                ));
            }
            self.started = true;
            return Ok(true);
        }
        Ok(false)
    }

    fn key(&self) -> &[u8] {
        &self.key
    }

    fn text(&self) -> &[u8] {
        &self.block.bytes[self.text.clone()]
    }
}

//! What cuts streams into pieces, for any stage: records into blocks, manifests into shards.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::command::Memo;
use crate::engine::consumer::{Consumer, UPSTREAM_MAX};
use crate::engine::memo_cut::MemoCut;
use crate::engine::{Cut, Piece};
use crate::error::{Error, ErrorKind, Result};
use crate::record::bad::Bad;
use crate::record::block::{Block, Blocks};
use crate::record::stream::Input;

/// Cuts a stream into blocks of whole records.
pub struct BlockCut<I> {
    blocks: Blocks<I>,
    bad: Arc<Bad>,
    /// The last lines of the stream, those of them that are in no piece yet.
    last: Block,
}

impl<I: Input> BlockCut<I> {
    /// Cuts what `blocks` reads; `bad` judges lines that are too long for records.
    pub fn new(blocks: Blocks<I>, bad: &Arc<Bad>) -> BlockCut<I> {
        BlockCut { blocks, bad: Arc::clone(bad), last: Block::default() }
    }
}

impl<I: Input + 'static> Cut for BlockCut<I> {
    fn next(
        &mut self,
        size: &dyn Fn(Option<usize>) -> usize,
        mut buffer: Vec<u8>,
    ) -> Result<Option<Piece>> {
        if self.last.bytes.is_empty() {
            let block = self.blocks.next(size(None), buffer, &self.bad)?;
            if !self.blocks.is_at_end() {
                return Ok(block.map(Piece::Lines));
            }
            let Some(block) = block else { return Ok(None) };
            (self.last, buffer) = (block, Vec::new());
        }
        let rest = self.last.bytes.len();
        let size = size(Some(rest));
        Ok(Some(Piece::Lines(match size < rest {
            true => self.last.take_lines(size, buffer),
            false => std::mem::take(&mut self.last),
        })))
    }
}

/// Cuts a stream into blocks; where what was printed before is kept in a `memo`, as it was cut then.
pub fn blocks<I: Input + 'static>(
    blocks: Blocks<I>,
    bad: &Arc<Bad>,
    memo: Option<&Arc<Memo>>,
) -> Box<dyn Cut> {
    match memo {
        None => Box::new(BlockCut::new(blocks, bad)),
        Some(memo) => Box::new(MemoCut::new(blocks, bad, memo)),
    }
}

/// Gives the shards of a manifest, one by one.
pub(crate) struct ShardCut {
    consumer: Option<Box<Consumer>>,
    /// Takes the manifest when no more shards are wanted.
    back: SyncSender<Box<Consumer>>,
}

/// Where a manifest comes back whose shards are not wanted any more.
pub(crate) struct GivenBack(Receiver<Box<Consumer>>);

impl ShardCut {
    pub(crate) fn new(consumer: Box<Consumer>) -> (ShardCut, GivenBack) {
        let (back, given_back) = sync_channel(1);
        (ShardCut { consumer: Some(consumer), back }, GivenBack(given_back))
    }
}

impl Cut for ShardCut {
    fn next(&mut self, _: &dyn Fn(Option<usize>) -> usize, _: Vec<u8>) -> Result<Option<Piece>> {
        let next = self.consumer.as_mut().map(|consumer| consumer.next_shard());
        Ok(next.transpose()?.flatten().map(Piece::Shard))
    }
}

impl Drop for ShardCut {
    fn drop(&mut self) {
        if let Some(consumer) = self.consumer.take() {
            let _ = self.back.try_send(consumer);
        }
    }
}

impl GivenBack {
    /// Why shards could not be had, when `error` is what came of it, as the end of their manifest
    /// tells; `holds` knows whether their data is held.
    pub(crate) fn blame(self, error: Error, holds: impl FnOnce() -> bool) -> Error {
        if error.kind() != ErrorKind::Incomplete {
            return error;
        }
        match self.0.recv_timeout(UPSTREAM_MAX) {
            Ok(consumer) => consumer.blame(error, holds),
            Err(_) => error,
        }
    }
}

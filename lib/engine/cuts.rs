//! What cuts streams into pieces, for any stage: records into blocks, manifests into shards.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use crate::command::Memo;
use crate::engine::consumer::{Consumer, UPSTREAM_MAX};
use crate::engine::memo_cut::MemoCut;
use crate::engine::{Cut, Piece};
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::lock;
use crate::record::bad::Bad;
use crate::record::block::{Block, Blocks};
use crate::record::stream::Input;

/// How many bytes are read at once of a stream that is cut as it was before.
const AGAIN_BYTES: usize = 1 << 20;

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

/// Notes how long the pieces are that another cuts.
pub(crate) struct NotedCut {
    cut: Box<dyn Cut>,
    lengths: Arc<Mutex<Vec<u64>>>,
}

impl NotedCut {
    /// Of the pieces of `cut`; and where their lengths are noted.
    pub(crate) fn new(cut: Box<dyn Cut>) -> (NotedCut, Arc<Mutex<Vec<u64>>>) {
        let lengths = Arc::default();
        (NotedCut { cut, lengths: Arc::clone(&lengths) }, lengths)
    }
}

impl Cut for NotedCut {
    fn next(
        &mut self,
        size: &dyn Fn(Option<usize>) -> usize,
        buffer: Vec<u8>,
    ) -> Result<Option<Piece>> {
        let piece = self.cut.next(size, buffer)?;
        lock(&self.lengths).extend(piece.as_ref().map(|piece| piece.bytes() as u64));
        Ok(piece)
    }
}

/// Cuts a stream where it was cut before, and gives of its pieces those that are wanted.
pub(crate) struct CutAgain<I> {
    blocks: Blocks<I>,
    bad: Arc<Bad>,
    lengths: std::vec::IntoIter<u64>,
    /// The number of the piece before.
    number: u64,
    wanted: Option<BTreeSet<u64>>,
    /// What was read that is in no piece yet.
    rest: Block,
}

impl<I: Input> CutAgain<I> {
    /// Cuts what `blocks` reads into pieces of these lengths.
    pub(crate) fn new(
        blocks: Blocks<I>,
        bad: &Arc<Bad>,
        lengths: Vec<u64>,
        wanted: Option<BTreeSet<u64>>,
    ) -> CutAgain<I> {
        let (bad, lengths) = (Arc::clone(bad), lengths.into_iter());
        CutAgain { blocks, bad, lengths, number: 0, wanted, rest: Block::default() }
    }

    /// Reads a piece of so many bytes, and gives it if it is wanted.
    fn piece(
        &mut self,
        length: usize,
        is_wanted: bool,
        mut bytes: Vec<u8>,
    ) -> Result<Option<Block>> {
        bytes.clear();
        let mut piece = Block { bytes, ..Block::default() };
        let mut left = length;
        while left > 0 {
            if self.rest.bytes.is_empty() {
                let block = self.blocks.next(left.min(AGAIN_BYTES), Vec::new(), &self.bad)?;
                self.rest = block.ok_or_else(|| other_input("it is shorter"))?;
            }
            let lines = match self.rest.bytes.len() <= left {
                true => std::mem::take(&mut self.rest),
                false => self.rest.take_lines(left, Vec::new()),
            };
            let rest = left.checked_sub(lines.bytes.len());
            left = rest.ok_or_else(|| other_input("its lines end elsewhere"))?;
            if is_wanted {
                if piece.bytes.is_empty() {
                    piece.first_line = lines.first_line;
                }
                piece.bytes.extend_from_slice(&lines.bytes);
                piece.line_count += lines.line_count;
            }
        }
        Ok(is_wanted.then_some(piece))
    }
}

impl<I: Input + 'static> Cut for CutAgain<I> {
    fn next(
        &mut self,
        _: &dyn Fn(Option<usize>) -> usize,
        mut buffer: Vec<u8>,
    ) -> Result<Option<Piece>> {
        while let Some(length) = self.lengths.next() {
            self.number += 1;
            let is_wanted = self.wanted.as_ref().is_none_or(|wanted| wanted.contains(&self.number));
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if let Some(piece) = self.piece(length, is_wanted, std::mem::take(&mut buffer))? {
                return Ok(Some(Piece::Lines(piece)));
            }
        }
        let more = match self.rest.bytes.is_empty() {
            true => self.blocks.next(1, buffer, &self.bad)?,
            false => Some(std::mem::take(&mut self.rest)),
        };
        more.map_or(Ok(None), |_| Err(other_input("it is longer")))
    }
}

/// That what is read is not what was read before.
fn other_input(how: &str) -> Error {
    Error::incomplete(format!("its input is not what it was: {how}"))
}

/// Gives the shards of a manifest, one by one.
pub(crate) struct ShardCut {
    /// Those that are wanted; none where all are.
    wanted: Option<BTreeSet<u64>>,
    consumer: Option<Box<Consumer>>,
    /// Takes the manifest when no more shards are wanted.
    back: SyncSender<Box<Consumer>>,
}

/// Where a manifest comes back whose shards are not wanted any more.
pub(crate) struct GivenBack(Receiver<Box<Consumer>>);

impl ShardCut {
    /// Of those that `consumer` reads, the ones that are `wanted`, or all.
    pub(crate) fn new(
        consumer: Box<Consumer>,
        wanted: Option<BTreeSet<u64>>,
    ) -> (ShardCut, GivenBack) {
        let (back, given_back) = sync_channel(1);
        (ShardCut { wanted, consumer: Some(consumer), back }, GivenBack(given_back))
    }
}

impl Cut for ShardCut {
    fn next(&mut self, _: &dyn Fn(Option<usize>) -> usize, _: Vec<u8>) -> Result<Option<Piece>> {
        let Some(consumer) = self.consumer.as_mut() else { return Ok(None) };
        while let Some(shard) = consumer.next_shard()? {
            if self.wanted.as_ref().is_none_or(|wanted| wanted.contains(&shard.number)) {
                return Ok(Some(Piece::Shard(shard)));
            }
        }
        Ok(None)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::bytes::Memory;
    use crate::record::bad::Policy;

    /// The wanted ones of the pieces of these lengths that `text` is cut into again.
    fn again(text: &str, lengths: &[u64], wanted: Option<&[u64]>) -> Result<Vec<String>> {
        let blocks = Blocks::new(Memory::new("again", text.as_bytes()), 100);
        let bad = Arc::new(Bad::new(Policy::Fail)?);
        let wanted = wanted.map(|wanted| wanted.iter().copied().collect());
        let mut cut = CutAgain::new(blocks, &bad, lengths.to_vec(), wanted);
        let mut pieces = Vec::new();
        while let Some(piece) = cut.next(&|_| 1, Vec::new())? {
            let Piece::Lines(lines) = piece else { panic!("no lines") };
            pieces.push(String::from_utf8(lines.bytes).unwrap());
        }
        Ok(pieces)
    }

    #[test]
    fn a_stream_is_cut_as_it_was() {
        let text = "1\n22\n333\n4444\n";
        assert_eq!(again(text, &[5, 4, 5], None).unwrap(), ["1\n22\n", "333\n", "4444\n"]);
        assert_eq!(again(text, &[5, 4, 5], Some(&[1, 3])).unwrap(), ["1\n22\n", "4444\n"]);
    }

    #[test]
    fn a_stream_that_is_another_by_now_is_refused() {
        let lengths = &[5, 4, 5];
        for (text, how) in [
            ("1\n22\n333\n", "it is shorter"),
            ("", "it is shorter"),
            ("1\n22\n333\n4444\n5\n", "it is longer"),
            ("1\n222\n33\n4444\n", "its lines end elsewhere"),
        ] {
            // Whether the piece is wanted in which that is seen, or another one.
            for wanted in [None, Some(&[1][..])] {
                let error = again(text, lengths, wanted).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Incomplete);
                assert_eq!(error.to_string(), format!("its input is not what it was: {how}"));
            }
        }
    }
}

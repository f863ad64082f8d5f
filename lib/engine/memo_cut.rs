//! Cuts records into blocks whose output is known (`--memo`): where such a block begins it is cut as it
//! was, and what lies between them as any other stream.
//!
//! Sizes of blocks follow the time, so that those of two runs are not the same. A block that was cut
//! before is found again by its first line, wherever it stands now.

use std::sync::Arc;

use crate::command::Memo;
use crate::engine::{Cut, Piece};
use crate::error::Result;
use crate::record::bad::Bad;
use crate::record::block::{Block, Blocks};
use crate::record::stream::Input;

/// How many blocks that only begin alike are looked at while a piece is cut.
const TRIES: u32 = 32;

/// What is read at once, in bytes: no more than that is waited for beyond what is needed.
const LEAST_READ: usize = 4 << 10;
const MOST_READ: usize = 256 << 10;

/// Cuts a stream into blocks that are known, and others.
pub(crate) struct MemoCut<I> {
    blocks: Blocks<I>,
    bad: Arc<Bad>,
    memo: Arc<Memo>,
    /// Whole lines that were read, those of them from `at` on in no piece yet.
    ahead: Vec<u8>,
    at: usize,
    /// The number of the first of these.
    line: u64,
    /// What was read behind them, where lines in between were left out, for they were too long.
    behind: Option<Block>,
}

impl<I: Input> MemoCut<I> {
    /// Cuts what `blocks` reads; `bad` judges lines that are too long for records.
    pub(crate) fn new(blocks: Blocks<I>, bad: &Arc<Bad>, memo: &Arc<Memo>) -> MemoCut<I> {
        let (bad, memo) = (Arc::clone(bad), Arc::clone(memo));
        MemoCut { blocks, bad, memo, ahead: Vec::new(), at: 0, line: 1, behind: None }
    }

    /// Reads until `bytes` are at hand, or all that follow one another. Whether that is all.
    fn read(&mut self, bytes: usize) -> Result<bool> {
        if self.at == self.ahead.len()
            && let Some(block) = self.behind.take()
        {
            (self.ahead, self.at, self.line) = (block.bytes, 0, block.first_line);
        }
        while self.behind.is_none() && self.ahead.len() - self.at < bytes {
            let more = bytes - (self.ahead.len() - self.at);
            let size = more.clamp(LEAST_READ, MOST_READ);
            let Some(block) = self.blocks.next(size, Vec::new(), &self.bad)? else {
                return Ok(true);
            };
            let lines = memchr::memchr_iter(b'\n', &self.ahead[self.at..]).count() as u64;
            if self.at == self.ahead.len() {
                (self.ahead, self.at, self.line) = (block.bytes, 0, block.first_line);
            } else if self.line + lines == block.first_line {
                self.ahead.drain(..std::mem::take(&mut self.at));
                self.ahead.extend_from_slice(&block.bytes);
            } else {
                self.behind = Some(block);
            }
        }
        Ok(self.behind.is_none() && self.blocks.is_at_end())
    }

    /// Takes the next `length` bytes, which are whole lines.
    fn take(&mut self, length: usize, mut buffer: Vec<u8>) -> Piece {
        buffer.clear();
        buffer.extend_from_slice(&self.ahead[self.at..][..length]);
        self.at += length;
        let line_count = memchr::memchr_iter(b'\n', &buffer).count() as u64;
        let first_line = self.line;
        self.line += line_count;
        Piece::Lines(Block { bytes: buffer, first_line, line_count })
    }

    /// Where a piece of about `size` bytes ends that begins no known block: before the next of these.
    fn end(&self, size: usize) -> usize {
        let lines = &self.ahead[self.at..];
        let window = size.min(lines.len());
        let end = memchr::memrchr(b'\n', &lines[..window])
            .or_else(|| memchr::memchr(b'\n', &lines[window..]).map(|at| at + window))
            .map_or(lines.len(), |at| at + 1);
        let mut tries = TRIES;
        let mut starts = memchr::memchr_iter(b'\n', &lines[..end - 1]).map(|at| at + 1);
        starts
            .find(|&start| self.memo.known_block(&lines[start..], &mut tries).is_some())
            .unwrap_or(end)
    }
}

impl<I: Input + 'static> Cut for MemoCut<I> {
    fn next(
        &mut self,
        size: &dyn Fn(Option<usize>) -> usize,
        buffer: Vec<u8>,
    ) -> Result<Option<Piece>> {
        let longest = self.memo.longest();
        let is_all = self.read(longest.max(size(None)))?;
        let lines = &self.ahead[self.at..];
        if lines.is_empty() {
            return Ok(None);
        }
        if let Some(length) = self.memo.known_block(lines, &mut { TRIES }) {
            return Ok(Some(self.take(length, buffer)));
        }
        let size = size(is_all.then_some(lines.len()));
        self.read(size.saturating_add(longest))?;
        let end = self.end(size);
        Ok(Some(self.take(end, buffer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::memo::{CommandHash, MemoKey, WrittenFiles};
    use crate::format::bytes::Memory;
    use crate::record::bad::Policy;
    use crate::spool::Spool;
    use proptest::prelude::*;
    use std::path::Path;

    const MAX_RECORD: usize = 8;

    /// The pieces of `text`, of about `size` bytes, each with the number of its first line.
    fn cut(memo: &Arc<Memo>, text: &[u8], size: usize) -> Vec<(u64, Vec<u8>)> {
        let bad = Arc::new(Bad::new(Policy::Skip).unwrap());
        let blocks = Blocks::new(Memory::new("text", text), MAX_RECORD);
        let mut cut = MemoCut::new(blocks, &bad, memo);
        let mut pieces = Vec::new();
        while let Some(piece) = cut.next(&|_| size, Vec::new()).unwrap() {
            let Piece::Lines(block) = piece else { panic!("no lines") };
            assert_eq!(
                block.line_count as usize,
                block.bytes.split_inclusive(|b| *b == b'\n').count()
            );
            pieces.push((block.first_line, block.bytes));
        }
        pieces
    }

    fn memo(dir: &Path) -> Arc<Memo> {
        Arc::new(Memo::open(dir, 1 << 30, CommandHash::default(), WrittenFiles::default()).unwrap())
    }

    fn keep(memo: &Memo, pieces: &[(u64, Vec<u8>)]) {
        let nothing = Spool::new(Vec::new(), 0, Path::new("/tmp"));
        for (_, block) in pieces {
            memo.keep(&MemoKey::of_block(block), &nothing, 0).unwrap();
        }
    }

    fn lines(from: u32, to: u32) -> String {
        (from..to).map(|n| format!("{n}\n")).collect()
    }

    #[test]
    fn what_is_new_alone_is_cut_anew() {
        let dir = tempfile::tempdir().unwrap();
        let before = cut(&memo(dir.path()), lines(0, 1000).as_bytes(), 100);
        keep(&memo(dir.path()), &before);
        let inserted = format!("{}new\nnew\n{}", lines(0, 500), lines(500, 1000));
        let after = cut(&memo(dir.path()), inserted.as_bytes(), 30);
        let fresh: Vec<&(u64, Vec<u8>)> =
            after.iter().filter(|piece| before.iter().all(|old| old.1 != piece.1)).collect();
        let bytes: usize = fresh.iter().map(|piece| piece.1.len()).sum();
        assert!(bytes <= 110, "{fresh:?}");
        assert!(after.len() <= before.len() + 4);
        let other = cut(&memo(dir.path()), format!("x\n{}", lines(0, 900)).as_bytes(), 999);
        assert_eq!(other[0].1, b"x\n");
        assert_eq!(other[1], (2, before[0].1.clone()));
    }

    proptest! {
        /// Whatever is known, all lines come, in order, each with its number; and what is cut again is
        /// cut as before.
        #[test]
        fn nothing_is_lost_and_all_is_found_again(
            known in "([ab]{0,3}\n){0,40}",
            text in "([ab]{0,12}\n){0,60}[ab]{0,3}",
            sizes in (1usize..20, 1usize..20),
        ) {
            let dir = tempfile::tempdir().unwrap();
            keep(&memo(dir.path()), &cut(&memo(dir.path()), known.as_bytes(), sizes.0));
            let pieces = cut(&memo(dir.path()), text.as_bytes(), sizes.1);
            let mut expected = (1..).zip(text.lines()).filter(|(_, line)| line.len() <= MAX_RECORD);
            for (first, piece) in &pieces {
                for (number, line) in (*first..).zip(piece.split_inclusive(|b| *b == b'\n')) {
                    let (wanted, text) = expected.next().unwrap();
                    let text = format!("{text}\n");
                    prop_assert_eq!((number, line), (wanted, text.as_bytes()));
                }
            }
            prop_assert!(expected.next().is_none());
            keep(&memo(dir.path()), &pieces);
            for (_, piece) in cut(&memo(dir.path()), text.as_bytes(), 7) {
                let mut tries = 99;
                prop_assert!(memo(dir.path()).known_block(&piece, &mut tries).is_some());
            }
        }
    }
}

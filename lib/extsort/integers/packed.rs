//! Sorted numbers in a file, as differences of neighbours: an unlinked temporary file, which is gone however we
//! end.
//!
//! A file is blocks. A block begins with its first number, which is known beside the file; of each that follows
//! it holds the difference to the one before, seven bits in each byte, the lowest first, the highest bit saying
//! that more follow.

use std::ops::{Range, RangeInclusive};
use std::path::Path;

use crate::error::Result;
use crate::extsort::spill::{Spill, SpillWriter};

/// How many numbers a block has, at most.
const BLOCK: usize = 4096;

/// A block of a file.
#[derive(Clone, Copy, Debug)]
struct Block {
    first: u64,
    count: u32,
    bytes: u32,
}

/// PackedBlocks that are to be written, one after the other.
pub(super) struct PackedBlocks {
    blocks: Vec<Block>,
    bytes: Vec<u8>,
}

/// Packs sorted numbers.
pub(super) fn pack(numbers: &[u64]) -> PackedBlocks {
    let mut packed =
        PackedBlocks { blocks: Vec::new(), bytes: Vec::with_capacity(numbers.len() * 2) };
    for block in numbers.chunks(BLOCK) {
        let (start, first) = (packed.bytes.len(), block[0]);
        let mut last = first;
        for number in &block[1..] {
            push_difference(&mut packed.bytes, number - last);
            last = *number;
        }
        let bytes = (packed.bytes.len() - start) as u32;
        packed.blocks.push(Block { first, count: block.len() as u32, bytes });
    }
    packed
}

/// Packs a number that is so many times.
pub(super) fn pack_repeated(number: u64, times: usize) -> PackedBlocks {
    let count = |from: usize| BLOCK.min(times - from) as u32;
    let block = |from| Block { first: number, count: count(from), bytes: count(from) - 1 };
    let blocks: Vec<Block> = (0..times).step_by(BLOCK).map(block).collect();
    // There is no difference to the one before.
    let bytes = vec![0; times - blocks.len()];
    PackedBlocks { blocks, bytes }
}

#[inline]
fn push_difference(out: &mut Vec<u8>, mut difference: u64) {
    while difference >= 0x80 {
        out.push(difference as u8 | 0x80);
        difference >>= 7;
    }
    out.push(difference as u8);
}

/// A file that is being written.
pub(super) struct PackedWriter {
    file: SpillWriter,
    blocks: Vec<Block>,
}

impl PackedWriter {
    /// A new one in `directory`.
    pub(super) fn new(directory: &Path) -> Result<PackedWriter> {
        Ok(PackedWriter { file: SpillWriter::new(directory)?, blocks: Vec::new() })
    }

    /// The same, in the file of `last`, behind its numbers.
    pub(super) fn behind(last: &Packed, directory: &Path) -> PackedWriter {
        PackedWriter { file: SpillWriter::behind(&last.file, directory), blocks: Vec::new() }
    }

    /// Writes the next blocks.
    pub(super) fn write(&mut self, packed: &PackedBlocks) -> Result<()> {
        self.blocks.extend_from_slice(&packed.blocks);
        self.file.write(&packed.bytes)
    }

    /// Ends the writing.
    ///
    /// # Errors
    /// When the disk is full.
    pub(super) fn finish(self) -> Result<Packed> {
        let mut at = 0;
        let ends = self.blocks.iter().map(|block| {
            at += u64::from(block.bytes);
            at
        });
        Ok(Packed { ends: ends.collect(), blocks: self.blocks, file: self.file.finish()? })
    }
}

/// Sorted numbers in a file.
pub(super) struct Packed {
    file: Spill,
    blocks: Vec<Block>,
    /// Where each block ends.
    ends: Vec<u64>,
}

impl Packed {
    /// How many bytes the file is.
    pub(super) fn bytes(&self) -> u64 {
        self.file.bytes()
    }

    /// The blocks that may have numbers of `range`.
    fn blocks_in(&self, range: &RangeInclusive<u64>) -> Range<usize> {
        // The block before the first one that begins in the range may reach into it.
        let from = self.blocks.partition_point(|block| block.first < *range.start());
        let to = self.blocks.partition_point(|block| block.first <= *range.end());
        from.saturating_sub(1)..to
    }

    /// How many numbers lie in `range`, about.
    pub(super) fn count_in(&self, range: &RangeInclusive<u64>) -> usize {
        self.blocks[self.blocks_in(range)].iter().map(|block| block.count as usize).sum()
    }

    /// Numbers of `range` about as they lie in it, one for so many.
    pub(super) fn sample(
        &self,
        range: &RangeInclusive<u64>,
        step: usize,
    ) -> impl Iterator<Item = u64> {
        let all = self.blocks_in(range).flat_map(move |at| {
            // Of a block all that is known is where it begins, and where the next one does.
            let block = self.blocks[at];
            let behind = self.blocks.get(at + 1).map_or(block.first, |next| next.first);
            let times = (block.count as usize / step.max(1)).max(1) as u64;
            let width = (behind - block.first) / times;
            (0..times).map(move |n| block.first + width * n)
        });
        let range = range.clone();
        all.filter(move |number| range.contains(number))
    }

    /// How often `number` is in it.
    pub(super) fn times(&self, number: u64) -> Result<usize> {
        let (mut times, mut some) = (0, Vec::new());
        for at in self.blocks_in(&(number..=number)) {
            some.clear();
            self.read_blocks(at..at + 1, &(number..=number), &mut some)?;
            times += some.len();
        }
        Ok(times)
    }

    /// Appends the numbers that lie in `range`.
    pub(super) fn read(&self, range: &RangeInclusive<u64>, out: &mut Vec<u64>) -> Result<()> {
        self.read_blocks(self.blocks_in(range), range, out)
    }

    fn read_blocks(
        &self,
        blocks: Range<usize>,
        range: &RangeInclusive<u64>,
        out: &mut Vec<u64>,
    ) -> Result<()> {
        if blocks.is_empty() {
            return Ok(());
        }
        let start = blocks.start.checked_sub(1).map_or(0, |before| self.ends[before]);
        let end = self.ends[blocks.end - 1];
        let mut bytes = Vec::with_capacity((end - start) as usize);
        self.file.copy(start, end, &mut |part| {
            bytes.extend_from_slice(part);
            Ok(())
        })?;
        let mut rest = bytes.as_slice();
        for block in &self.blocks[blocks] {
            let (own, behind) = rest.split_at(block.bytes as usize);
            rest = behind;
            unpack(block, own, range, out)?;
        }
        Ok(())
    }
}

/// Appends the numbers of a block that lie in `range`.
fn unpack(
    block: &Block,
    bytes: &[u8],
    range: &RangeInclusive<u64>,
    out: &mut Vec<u64>,
) -> Result<()> {
    let damaged = || crate::Error::incomplete("spilled numbers are damaged");
    let start = out.len();
    let mut number = block.first;
    out.push(number);
    let (mut difference, mut shift) = (0, 0);
    for byte in bytes {
        difference |= u64::from(byte & 0x7f).checked_shl(shift).ok_or_else(damaged)?;
        shift += 7;
        if *byte < 0x80 {
            number = number.checked_add(difference).ok_or_else(damaged)?;
            out.push(number);
            (difference, shift) = (0, 0);
        }
    }
    if out.len() - start != block.count as usize {
        return Err(damaged());
    }
    if block.first < *range.start() || number > *range.end() {
        let behind = start + out[start..].partition_point(|number| number <= range.end());
        out.truncate(behind);
        let before = start + out[start..].partition_point(|number| number < range.start());
        out.drain(start..before);
    }
    Ok(())
}

//! What a temporary file held when it was written, block by block: bytes that have changed since are
//! noticed when they are read. Knows nothing of what the bytes are, and opens no file.

use std::fmt;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::error::Error;

/// How many bytes have a sum of their own; the last ones may be fewer.
pub const BLOCK_BYTES: u64 = 64 << 10;

/// The sums (XXH3, 64 bits) of the blocks of what was written, which may still grow.
#[derive(Clone, Default)]
pub struct BlockSums {
    sums: Vec<u64>,
    /// Of the last block, which is not full; large.
    open: Box<Xxh3>,
    bytes: u64,
}

impl fmt::Debug for BlockSums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockSums").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl BlockSums {
    /// Takes the next bytes that are written, cut anywhere.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let filled = self.bytes % BLOCK_BYTES;
            let (now, later) = bytes.split_at(bytes.len().min((BLOCK_BYTES - filled) as usize));
            self.bytes += now.len() as u64;
            if now.len() as u64 == BLOCK_BYTES {
                self.sums.push(xxh3_64(now));
            } else {
                self.open.update(now);
                if self.bytes.is_multiple_of(BLOCK_BYTES) {
                    self.sums.push(self.open.digest());
                    self.open.reset();
                }
            }
            bytes = later;
        }
    }

    /// How many bytes came.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The sum of the block that begins at byte `at`.
    fn sum(&self, at: u64) -> u64 {
        let number = usize::try_from(at / BLOCK_BYTES).unwrap_or(usize::MAX);
        self.sums.get(number).copied().unwrap_or_else(|| self.open.digest())
    }

    /// Where the block ends in which byte `at` lies.
    fn end_of(&self, at: u64) -> u64 {
        (at / BLOCK_BYTES + 1).saturating_mul(BLOCK_BYTES).min(self.bytes)
    }

    /// Whether `bytes` are what was written from byte `at` on: whole blocks.
    pub fn are(&self, at: u64, bytes: &[u8]) -> bool {
        let each = bytes.chunks(BLOCK_BYTES as usize).zip(0..);
        at.is_multiple_of(BLOCK_BYTES)
            && each.into_iter().all(|(block, n)| xxh3_64(block) == self.sum(at + n * BLOCK_BYTES))
    }
}

/// The error for bytes that are not what was written.
pub fn changed() -> Error {
    Error::incomplete(
        "a temporary file does not hold any more what was written to it (are disk and memory in order?)",
    )
}

/// Bytes that are read one behind the other, and held against what was written there: known to be
/// sound as far as they are of blocks that were read to their ends.
#[derive(Clone)]
pub struct BlockCheck {
    /// Where the next bytes lie.
    at: u64,
    hash: Box<Xxh3>,
}

impl fmt::Debug for BlockCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockCheck").field("at", &self.at).finish_non_exhaustive()
    }
}

impl BlockCheck {
    /// From the beginning of the block in which byte `at` lies.
    pub fn before(at: u64) -> BlockCheck {
        BlockCheck { at: at - at % BLOCK_BYTES, hash: Box::default() }
    }

    /// Where the next bytes lie that it takes.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Where the block ends that is not read to its end; where it is, if there is none.
    pub fn open_until(&self, blocks: &BlockSums) -> u64 {
        if self.at.is_multiple_of(BLOCK_BYTES) { self.at } else { blocks.end_of(self.at - 1) }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`changed`], when a block ends in them that is not what it was.
    pub fn push(&mut self, mut bytes: &[u8], blocks: &BlockSums) -> Result<(), Error> {
        while !bytes.is_empty() {
            let (begin, end) = (self.at - self.at % BLOCK_BYTES, blocks.end_of(self.at));
            let lacking = usize::try_from(end.saturating_sub(self.at)).unwrap_or(usize::MAX);
            if lacking == 0 {
                return Err(changed());
            }
            let (now, later) = bytes.split_at(bytes.len().min(lacking));
            let is_whole = self.at == begin && now.len() == lacking;
            self.at += now.len() as u64;
            let sum = match is_whole {
                true => Some(xxh3_64(now)),
                false => {
                    self.hash.update(now);
                    (self.at == end).then(|| self.hash.digest())
                }
            };
            if let Some(sum) = sum {
                self.hash.reset();
                if sum != blocks.sum(begin) {
                    return Err(changed());
                }
            }
            bytes = later;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blocks(bytes: &[u8], step: usize) -> BlockSums {
        let mut blocks = BlockSums::default();
        bytes.chunks(step).for_each(|part| blocks.push(part));
        blocks
    }

    fn checked(blocks: &BlockSums, bytes: &[u8], from: usize, step: usize) -> Result<(), Error> {
        let mut check = BlockCheck::before(from as u64);
        for part in bytes[check.at() as usize..].chunks(step) {
            check.push(part, blocks)?;
        }
        assert_eq!(check.open_until(blocks), check.at());
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_was_written_is_sound_and_nothing_else_however_it_is_cut(
            length in 1usize..200_000, (write, read) in (1usize..90_000, 1usize..90_000),
            at in any::<prop::sample::Index>(), from in any::<prop::sample::Index>(), bit in 0u8..8,
        ) {
            let mut bytes: Vec<u8> = (0..length).map(|n| ((n * 7919) >> 5) as u8).collect();
            let blocks = blocks(&bytes, write);
            let (at, from) = (at.index(length), from.index(length));
            prop_assert!(checked(&blocks, &bytes, from, read).is_ok());
            prop_assert!(blocks.are(0, &bytes));
            bytes[at] ^= 1 << bit;
            let before = from - from % BLOCK_BYTES as usize;
            prop_assert_eq!(checked(&blocks, &bytes, from, read).is_err(), at >= before);
            prop_assert!(!blocks.are(0, &bytes));
            bytes[at] ^= 1 << bit;
            bytes.push(0);
            prop_assert!(checked(&blocks, &bytes, from, read).is_err());
        }
    }
}

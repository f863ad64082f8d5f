//! A run on disk: an unlinked temporary file of items in order, which is gone however we end.
//!
//! An item is the length of its key and of its text (`u32`, little endian), the key, the text.

mod reader;

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::merge::Cursor;
use super::run::{Item, Run};
use crate::blocks::{BlockCheck, BlockSums, changed};
use crate::error::{Error, ErrorKind, Result};

pub use reader::SpillReader;

/// How much is written at once.
const WRITE_BYTES: usize = 256 << 10;

/// The bytes before a key: its length, and that of its text.
pub(super) const LENGTHS: usize = 8;

/// Appends an item of a run in memory in the form of a spilled one.
pub fn push_item(out: &mut Vec<u8>, run: &Run, item: &Item) {
    let text = run.text(item);
    out.extend_from_slice(&lengths_of(run.key_len(item), text.len()));
    run.push_key(item, out);
    out.extend_from_slice(text);
}

/// How many bytes [`push_item`] appends.
pub fn size(run: &Run, item: &Item) -> usize {
    LENGTHS + run.key_len(item) + run.text(item).len()
}

/// Appends an item in the form of a spilled one.
pub fn push_parts(out: &mut Vec<u8>, key: &[u8], text: &[u8]) {
    out.extend_from_slice(&lengths_of(key.len(), text.len()));
    out.extend_from_slice(key);
    out.extend_from_slice(text);
}

/// The beginning of an item. Neither is longer than a run.
pub(super) fn lengths_of(key: usize, text: usize) -> [u8; LENGTHS] {
    (key as u64 | (text as u64) << 32).to_le_bytes()
}

/// Gives each item of `items`, in the form of [`push_item`], to `take`: its key and its text.
///
/// # Errors
/// What `take` says.
pub fn each_item(
    mut items: &[u8],
    take: &mut impl FnMut(&[u8], &[u8]) -> Result<()>,
) -> Result<()> {
    while let Some((lengths, rest)) = items.split_at_checked(LENGTHS) {
        let length = |at: usize| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(&lengths[at..at + 4]);
            u32::from_le_bytes(bytes) as usize
        };
        let (key, rest) = rest.split_at(length(0));
        let (text, rest) = rest.split_at(length(4));
        take(key, text)?;
        items = rest;
    }
    Ok(())
}

/// A run that is being written: at the end of a file, which may hold others before it.
#[derive(Debug)]
pub struct SpillWriter {
    file: Arc<File>,
    directory: PathBuf,
    start: u64,
    bytes: u64,
    /// The last of these bytes, which are not in the file yet.
    held: Vec<u8>,
    blocks: BlockSums,
}

impl SpillWriter {
    /// A new unlinked file in `directory`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(directory: &Path) -> Result<SpillWriter> {
        let file = tempfile::tempfile_in(directory)
            .map_err(|e| Error::io("make a temporary file in", directory.display(), &e))?;
        Ok(SpillWriter::at_end_of(Arc::new(file), 0, directory))
    }

    /// The same, in the file of `last`, which is the last run in it.
    pub(super) fn behind(last: &Spill, directory: &Path) -> SpillWriter {
        SpillWriter::at_end_of(Arc::clone(&last.file), last.start + last.bytes, directory)
    }

    fn at_end_of(file: Arc<File>, start: u64, directory: &Path) -> SpillWriter {
        let (held, blocks) = (Vec::new(), BlockSums::default());
        SpillWriter { file, directory: directory.into(), start, bytes: 0, held, blocks }
    }

    /// Writes items in the form of [`push_item`], behind the others.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn write(&mut self, items: &[u8]) -> Result<()> {
        self.write_held()?;
        self.bytes += items.len() as u64;
        self.put(items)
    }

    /// Writes an item behind the others.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn push(&mut self, key: &[u8], text: &[u8]) -> Result<()> {
        let size = LENGTHS + key.len() + text.len();
        self.bytes += size as u64;
        if self.held.len() + size <= WRITE_BYTES {
            self.held.reserve_exact(WRITE_BYTES - self.held.len());
            push_parts(&mut self.held, key, text);
            return Ok(());
        }
        self.write_held()?;
        if size <= WRITE_BYTES {
            push_parts(&mut self.held, key, text);
            return Ok(());
        }
        // A large one is not copied for it.
        self.put(&lengths_of(key.len(), text.len()))?;
        self.put(key)?;
        self.put(text)
    }

    fn write_held(&mut self) -> Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        let written = self.put(&held);
        self.held = held;
        self.held.clear();
        written
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.blocks.push(bytes);
        (&*self.file).write_all(bytes).map_err(|e| {
            let place = format!("a temporary file in {}", self.directory.display());
            Error::io("write", format!("{place} (-T names another directory)"), &e)
        })
    }

    /// How many bytes were written.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Ends the writing.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn finish(mut self) -> Result<Spill> {
        self.write_held()?;
        let blocks = Arc::new(self.blocks);
        Ok(Spill { file: self.file, start: self.start, bytes: self.bytes, blocks })
    }
}

/// A whole run on disk.
#[derive(Clone, Debug)]
pub struct Spill {
    file: Arc<File>,
    /// Where in the file it begins.
    start: u64,
    bytes: u64,
    blocks: Arc<BlockSums>,
}

impl Spill {
    /// The items that `file` holds, which was written as `blocks` say.
    pub fn of(file: Arc<File>, blocks: BlockSums) -> Spill {
        Spill { file, start: 0, bytes: blocks.bytes(), blocks: Arc::new(blocks) }
    }

    /// How many bytes it is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// To read the run from its start, through a buffer of so many bytes.
    pub fn read(&self, buffer_bytes: usize) -> SpillReader {
        self.read_part(0, self.bytes, buffer_bytes)
    }

    /// To read the items between two places where items begin or the run ends.
    pub fn read_part(&self, from: u64, to: u64, buffer_bytes: usize) -> SpillReader {
        SpillReader::new(self.clone(), from, to, buffer_bytes)
    }

    /// Gives the bytes between two places to `take`.
    ///
    /// # Errors
    /// When they cannot be read; what `take` says.
    pub fn copy(
        &self,
        mut from: u64,
        to: u64,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut buffer = vec![0; COPY_BYTES.min(usize::try_from(to - from).unwrap_or(COPY_BYTES))];
        let mut check = self.check(from)?;
        while from < to {
            let count = usize::try_from(to - from).unwrap_or(COPY_BYTES).min(COPY_BYTES);
            self.read_at(&mut buffer[..count], from)?;
            check.push(&buffer[..count], &self.blocks)?;
            take(&buffer[..count])?;
            from += count as u64;
        }
        self.check_on(&mut check, None)
    }

    /// Fills `buffer` from byte `at` on, unchecked.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<()> {
        read_at(&self.file, buffer, self.start + at)
    }

    /// To check what is read from byte `at` on: what lies before it in its block is read for that.
    fn check(&self, at: u64) -> Result<BlockCheck> {
        let mut check = BlockCheck::before(at);
        self.check_on(&mut check, Some(at))?;
        Ok(check)
    }

    /// Reads on to byte `to`, or else to the end of the block, only to check it.
    fn check_on(&self, check: &mut BlockCheck, to: Option<u64>) -> Result<()> {
        let to = to.unwrap_or_else(|| check.open_until(&self.blocks));
        if to > self.bytes {
            return Err(changed());
        }
        let left = usize::try_from(to.saturating_sub(check.at())).unwrap_or(COPY_BYTES);
        let mut buffer = vec![0; COPY_BYTES.min(left)];
        while check.at() < to {
            let count = buffer.len().min(usize::try_from(to - check.at()).unwrap_or(COPY_BYTES));
            self.read_at(&mut buffer[..count], check.at())?;
            check.push(&buffer[..count], &self.blocks)?;
        }
        Ok(())
    }
}

/// Fills `buffer` from byte `at` of a temporary file on.
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> Result<()> {
    file.read_exact_at(buffer, at).map_err(|e| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => cut_short(),
        _ => Error::io("read", PLACE, &e),
    })
}

pub(super) fn cut_short() -> Error {
    Error::new(ErrorKind::Storage, "a temporary file was cut short")
}

/// How much is copied at once.
const COPY_BYTES: usize = 256 << 10;

const PLACE: &str = "a temporary file";

/// Items in memory, one by one.
#[derive(Debug)]
pub struct Items<'a> {
    bytes: &'a [u8],
    /// Where the current item's key starts.
    at: usize,
    key_end: usize,
    end: usize,
}

impl<'a> Items<'a> {
    /// The items of `bytes`, in the form of [`push_item`].
    pub fn new(bytes: &'a [u8]) -> Items<'a> {
        Items { bytes, at: 0, key_end: 0, end: 0 }
    }

    /// Where the current item begins, in bytes.
    pub fn place(&self) -> usize {
        self.at - LENGTHS.min(self.at)
    }
}

/// The lengths at the beginning of an item.
pub(super) fn lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    let both = u64::from_le_bytes(*bytes.first_chunk::<LENGTHS>()?);
    Some((both as u32 as usize, (both >> 32) as usize))
}

impl Cursor for Items<'_> {
    fn advance(&mut self) -> Result<bool> {
        if self.end == self.bytes.len() {
            return Ok(false);
        }
        let cut = || Error::incomplete("sorted items are damaged");
        let (key, text) = lengths(&self.bytes[self.end..]).ok_or_else(cut)?;
        self.at = self.end + LENGTHS;
        self.key_end = self.at + key;
        self.end = self.key_end + text;
        if self.end > self.bytes.len() {
            return Err(cut());
        }
        Ok(true)
    }

    fn key(&self) -> &[u8] {
        &self.bytes[self.at..self.key_end]
    }

    fn text(&self) -> &[u8] {
        &self.bytes[self.key_end..self.end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key and a text.
    type Pair = (Vec<u8>, Vec<u8>);

    /// Items, some of them larger than a read buffer, over more than one block; what each of them is.
    fn spilled(sizes: &[usize]) -> (Spill, Vec<Pair>) {
        let mut writer = SpillWriter::new(&std::env::temp_dir()).unwrap();
        let each = |(n, size): (usize, &usize)| {
            (format!("{n:05}").into_bytes(), (0..*size).map(|i| (i * 31 + n) as u8).collect())
        };
        let items: Vec<Pair> = sizes.iter().enumerate().map(each).collect();
        items.iter().for_each(|(key, text)| writer.push(key, text).unwrap());
        (writer.finish().unwrap(), items)
    }

    /// Whether all of it is read without an error; what is read is what was written then.
    fn is_read(spill: &Spill, items: &[Pair], buffer: usize, heads: bool) -> bool {
        let (mut reader, mut count) = (spill.read(buffer), 0);
        loop {
            match if heads { reader.advance_head() } else { reader.advance() } {
                Ok(true) => count += 1,
                Ok(false) => break,
                Err(_) => return false,
            }
            if !heads && (reader.key(), reader.text()) != (&items[count - 1].0, &items[count - 1].1)
            {
                // It was given out, so it must be told before the end.
                while let Ok(more) = reader.advance() {
                    assert!(more, "damage was not noticed");
                }
                return false;
            }
        }
        count == items.len()
    }

    /// Whether all but the first and the last bytes of it are copied without an error.
    fn is_copied(spill: &Spill) -> bool {
        spill.copy(3, spill.bytes() - 3, &mut |_| Ok(())).is_ok()
    }

    fn flip(spill: &Spill, at: u64, bit: u8) {
        let mut byte = [0];
        read_at(&spill.file, &mut byte, at).unwrap();
        spill.file.write_all_at(&[byte[0] ^ 1 << bit], at).unwrap();
    }

    #[test]
    fn every_bit_that_is_flipped_is_noticed_and_every_cut() {
        let (spill, items) = spilled(&[0, 1, 900, 5, 300, 2000]);
        assert!(is_read(&spill, &items, 512, false) && is_read(&spill, &items, 512, true));
        assert!(is_copied(&spill));
        for at in 0..spill.bytes() {
            for bit in 0..8 {
                flip(&spill, at, bit);
                assert!(!is_read(&spill, &items, 512, false), "bit {bit} of byte {at}");
                assert!(!is_read(&spill, &items, 512, true), "bit {bit} of byte {at}, in place");
                assert!(!is_copied(&spill), "bit {bit} of byte {at}, copied");
                flip(&spill, at, bit);
            }
        }
        for end in (0..spill.bytes()).rev() {
            spill.file.set_len(end).unwrap();
            assert!(!is_read(&spill, &items, 512, false), "cut at {end}");
        }
    }

    #[test]
    fn damage_is_noticed_in_any_block_from_anywhere_in_it() {
        let (spill, items) = spilled(&[40_000, 70_000, 3, 50_000, 66_000, 9, 9]);
        let places: Vec<u64> =
            (0..spill.bytes()).step_by(4999).chain([spill.bytes() - 1]).collect();
        for &at in &places {
            flip(&spill, at, 3);
            for buffer in [256, 4096, 1 << 20] {
                assert!(!is_read(&spill, &items, buffer, false), "{at}, {buffer}");
                assert!(!is_read(&spill, &items, buffer, true), "{at}, {buffer}, in place");
            }
            assert!(!is_copied(&spill), "{at}, copied");
            // From each item on: what lies in the blocks that are read is sound, or else it is said.
            let (mut from, block) = (0, crate::blocks::BLOCK_BYTES);
            for (key, text) in &items {
                let to = from + (LENGTHS + key.len() + text.len()) as u64;
                let read = || {
                    let mut reader = spill.read_part(from, to, 4096);
                    while reader.advance()? {}
                    Ok::<(), Error>(())
                };
                let touched = at >= from - from % block && at < to.next_multiple_of(block);
                assert_eq!(read().is_err(), touched, "{at} in {from}..{to}");
                from = to;
            }
            flip(&spill, at, 3);
        }
        assert!(is_read(&spill, &items, 256, false) && is_read(&spill, &items, 256, true));
    }
}

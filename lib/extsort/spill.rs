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
        SpillWriter { file, directory: directory.into(), start, bytes: 0, held: Vec::new() }
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
        Ok(Spill { file: self.file, start: self.start, bytes: self.bytes })
    }
}

/// A whole run on disk.
#[derive(Clone, Debug)]
pub struct Spill {
    file: Arc<File>,
    /// Where in the file it begins.
    start: u64,
    bytes: u64,
}

impl Spill {
    /// The items that `file` holds, which are so many bytes.
    pub fn of(file: Arc<File>, bytes: u64) -> Spill {
        Spill { file, start: 0, bytes }
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
        let length = to.saturating_sub(from);
        SpillReader::new(Arc::clone(&self.file), self.start + from, length, buffer_bytes)
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
        while from < to {
            let count = usize::try_from(to - from).unwrap_or(COPY_BYTES).min(COPY_BYTES);
            read_at(&self.file, &mut buffer[..count], self.start + from)?;
            take(&buffer[..count])?;
            from += count as u64;
        }
        Ok(())
    }
}

/// Fills `buffer` from byte `at` of a temporary file on.
pub(super) fn read_at(file: &File, buffer: &mut [u8], at: u64) -> Result<()> {
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

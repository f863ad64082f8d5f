//! A run on disk: an unlinked temporary file of items in order, which is gone however we end.
//!
//! An item is the length of its key and of its text (`u32`, little endian), the key, the text.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::merge::Cursor;
use super::run::{Item, Run};
use crate::error::{Error, ErrorKind, Result};

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
fn lengths_of(key: usize, text: usize) -> [u8; LENGTHS] {
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

/// A run that is being written.
#[derive(Debug)]
pub struct SpillWriter {
    file: File,
    directory: PathBuf,
    bytes: u64,
}

impl SpillWriter {
    /// A new unlinked file in `directory`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(directory: &Path) -> Result<SpillWriter> {
        let file = tempfile::tempfile_in(directory)
            .map_err(|e| Error::io("make a temporary file in", directory.display(), &e))?;
        Ok(SpillWriter { file, directory: directory.into(), bytes: 0 })
    }

    /// Writes items in the form of [`push_item`], behind the others.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn write(&mut self, items: &[u8]) -> Result<()> {
        self.bytes += items.len() as u64;
        self.file.write_all(items).map_err(|e| {
            let place = format!("a temporary file in {}", self.directory.display());
            Error::io("write", format!("{place} (-T names another directory)"), &e)
        })
    }

    /// How many bytes were written.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Ends the writing.
    pub fn finish(self) -> Spill {
        Spill { file: Arc::new(self.file), bytes: self.bytes }
    }
}

/// A whole run on disk.
#[derive(Clone, Debug)]
pub struct Spill {
    file: Arc<File>,
    bytes: u64,
}

impl Spill {
    /// The items that `file` holds, which are so many bytes.
    pub fn of(file: Arc<File>, bytes: u64) -> Spill {
        Spill { file, bytes }
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
        SpillReader {
            file: Arc::clone(&self.file),
            next: from,
            left: to.saturating_sub(from),
            buffer: Vec::with_capacity(buffer_bytes),
            chunk: buffer_bytes,
            at: 0,
            key_end: 0,
            end: 0,
        }
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
            read_at(&self.file, &mut buffer[..count], from)?;
            take(&buffer[..count])?;
            from += count as u64;
        }
        Ok(())
    }
}

fn read_at(file: &File, buffer: &mut [u8], at: u64) -> Result<()> {
    file.read_exact_at(buffer, at).map_err(|e| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => cut_short(),
        _ => Error::io("read", PLACE, &e),
    })
}

fn cut_short() -> Error {
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
fn lengths(bytes: &[u8]) -> Option<(usize, usize)> {
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

/// Reads a run item by item.
#[derive(Debug)]
pub struct SpillReader {
    file: Arc<File>,
    /// Where in the file the next bytes are.
    next: u64,
    /// Bytes of the file that were not read yet.
    left: u64,
    buffer: Vec<u8>,
    chunk: usize,
    /// Where the current item's key starts in the buffer.
    at: usize,
    key_end: usize,
    end: usize,
}

impl SpillReader {
    /// Sees to it that `wanted` bytes behind the current item are in the buffer.
    fn ahead(&mut self, wanted: usize) -> Result<()> {
        if self.buffer.len() - self.end >= wanted {
            return Ok(());
        }
        self.buffer.drain(..self.end);
        (self.at, self.key_end, self.end) = (0, 0, 0);
        let have = self.buffer.len();
        let room = wanted.max(self.chunk) - have;
        let part = usize::try_from(self.left).unwrap_or(room).min(room);
        if have + part < wanted {
            return Err(cut_short());
        }
        self.buffer.resize(have + part, 0);
        read_at(&self.file, &mut self.buffer[have..], self.next)?;
        self.next += part as u64;
        self.left -= part as u64;
        Ok(())
    }
}

impl Cursor for SpillReader {
    fn advance(&mut self) -> Result<bool> {
        if self.end == self.buffer.len() && self.left == 0 {
            return Ok(false);
        }
        self.ahead(LENGTHS)?;
        let (key_len, text_len) = lengths(&self.buffer[self.end..]).ok_or_else(cut_short)?;
        self.ahead(LENGTHS + key_len + text_len)?;
        self.at = self.end + LENGTHS;
        self.key_end = self.at + key_len;
        self.end = self.key_end + text_len;
        Ok(true)
    }

    fn key(&self) -> &[u8] {
        &self.buffer[self.at..self.key_end]
    }

    fn text(&self) -> &[u8] {
        &self.buffer[self.key_end..self.end]
    }
}

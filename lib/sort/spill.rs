//! A run on disk: an unlinked temporary file of items in order, which is gone however we end.
//!
//! An item is the length of its key and of its text (`u32`, little endian), the key, the text.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::merge::Cursor;
use super::run::{Item, Run};
use crate::error::{Error, Kind, Result};

const LENGTHS: usize = 8;

/// Appends an item of a run in memory in the form of a spilled one.
pub fn push_item(out: &mut Vec<u8>, run: &Run, item: &Item) {
    let text = run.text(item);
    let start = out.len();
    out.extend_from_slice(&[0; LENGTHS]);
    run.push_key(item, out);
    let key_len = (out.len() - start - LENGTHS) as u32;
    out[start..start + 4].copy_from_slice(&key_len.to_le_bytes());
    out[start + 4..start + 8].copy_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text);
}

/// How many bytes [`push_item`] appends.
pub fn size(run: &Run, item: &Item) -> usize {
    LENGTHS + item.key_len() + run.text(item).len()
}

/// Appends an item in the form of a spilled one.
pub fn push_parts(out: &mut Vec<u8>, key: &[u8], text: &[u8]) {
    out.extend_from_slice(&(key.len() as u32).to_le_bytes());
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(text);
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
        Spill { file: self.file, bytes: self.bytes }
    }
}

/// A whole run on disk.
#[derive(Debug)]
pub struct Spill {
    file: File,
    bytes: u64,
}

impl Spill {
    /// To read the run from its start, through a buffer of so many bytes.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(mut self, buffer_bytes: usize) -> Result<SpillReader> {
        self.file.seek(SeekFrom::Start(0)).map_err(|e| Error::io("read", PLACE, &e))?;
        Ok(SpillReader {
            file: self.file,
            left: self.bytes,
            buffer: Vec::with_capacity(buffer_bytes),
            chunk: buffer_bytes,
            at: 0,
            key_end: 0,
            end: 0,
        })
    }
}

const PLACE: &str = "a temporary file";

/// Reads a run item by item.
#[derive(Debug)]
pub struct SpillReader {
    file: File,
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
        let room = wanted.max(self.chunk) - self.buffer.len();
        let part = self.left.min(room as u64);
        (&self.file)
            .take(part)
            .read_to_end(&mut self.buffer)
            .map_err(|e| Error::io("read", PLACE, &e))?;
        self.left -= part;
        if self.buffer.len() < wanted {
            return Err(Error::new(Kind::Storage, "a temporary file was cut short"));
        }
        Ok(())
    }
}

impl Cursor for SpillReader {
    fn advance(&mut self) -> Result<bool> {
        if self.end == self.buffer.len() && self.left == 0 {
            return Ok(false);
        }
        self.ahead(LENGTHS)?;
        let length = |at: usize| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(&self.buffer[at..at + 4]);
            u32::from_le_bytes(bytes) as usize
        };
        let (key_len, text_len) = (length(self.end), length(self.end + 4));
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

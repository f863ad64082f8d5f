//! Table files: sorted entries in blocks, an index of the blocks, and a footer.
//!
//! The footer is the file's last 48 bytes: where the block of metadata lies, where the index lies
//! (each two varints, offset and length), filler, and a magic number. The index is a block whose
//! values say where the blocks of entries lie. Behind each block are a byte that says how it is
//! compressed and a masked CRC-32C of both. (LevelDB, doc/table_format.md.)
//!
//! A table is read from its first entry to its last. Every block that is read is checked; filters
//! serve searching and are not read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::block::TableBlock;
use super::coding::{FieldDecoder, masked};
use super::compression::decompress;
use super::damage::{Age, Damage};
use super::directory::{self, corrupt};
use super::key::InternalKey;
use crate::error::{Error, Result};

const FOOTER_BYTES: u64 = 48;
const MAGIC: u64 = 0xdb47_7524_8b80_fb57;

/// The byte and the checksum behind a block.
const TRAILER_BYTES: usize = 5;

/// Where a table lies, and what the manifest says of it.
#[derive(Clone, Debug)]
pub(super) struct TableHandle {
    /// Its file.
    pub(super) path: PathBuf,
    /// Its length in bytes.
    pub(super) size: u64,
    /// The first and the last key that the user gave.
    pub(super) range: (Vec<u8>, Vec<u8>),
    /// How new it is.
    pub(super) age: Age,
}

/// Reads the entries of a table in order.
pub(super) struct TableReader {
    file: File,
    link: TableHandle,
    /// A key that none of the block at hand is less than.
    least: Vec<u8>,
    /// Whether the rest of the index cannot be read.
    index_lost: bool,
    /// Where the footer begins.
    end: u64,
    /// The most bytes of a block.
    limit: usize,
    index: TableBlock,
    index_offset: u64,
    block: TableBlock,
    block_offset: u64,
    /// The tag of the entry at hand.
    tag: u64,
    raw: Vec<u8>,
    plain: Vec<u8>,
}

/// Where a block lies in the file.
#[derive(Clone, Copy)]
struct Handle {
    offset: u64,
    length: u64,
}

impl Handle {
    fn decode(fields: &mut FieldDecoder<'_>) -> Option<Handle> {
        Some(Handle { offset: fields.varint64()?, length: fields.varint64()? })
    }
}

impl TableReader {
    /// Opens a table, whose blocks hold `limit` bytes at most.
    ///
    /// # Errors
    /// `BadInput` if it is missing, cut, or no table.
    pub(super) fn open(link: TableHandle, limit: usize) -> Result<TableReader> {
        let (path, size) = (link.path.as_path(), link.size);
        let file = directory::open(path)?;
        let length = file.metadata().map_err(|e| Error::path("read", path, &e))?.len();
        if length < size {
            return Err(corrupt(
                path,
                length,
                format!("it is cut: it should be {size} bytes long"),
            ));
        }
        let not_one = || corrupt(path, size.saturating_sub(FOOTER_BYTES), "it has no footer");
        let end = size.checked_sub(FOOTER_BYTES).ok_or_else(not_one)?;
        let mut footer = [0; FOOTER_BYTES as usize];
        file.read_exact_at(&mut footer, end).map_err(|e| Error::path("read", path, &e))?;
        let (handles, magic) = footer.split_at(footer.len() - 8);
        if FieldDecoder(magic).fixed64() != Some(MAGIC) {
            return Err(not_one());
        }
        let mut handles = FieldDecoder(handles);
        Handle::decode(&mut handles).ok_or_else(not_one)?;
        let index = Handle::decode(&mut handles).ok_or_else(not_one)?;
        let mut table = TableReader {
            file,
            least: link.range.0.clone(),
            link,
            index_lost: false,
            end,
            limit,
            index: TableBlock::default(),
            index_offset: index.offset,
            block: TableBlock::default(),
            block_offset: 0,
            tag: 0,
            raw: Vec::new(),
            plain: Vec::new(),
        };
        table.load(index)?;
        let replaced = table.index.replace(&mut table.plain);
        replaced.map_err(|what| table.corrupt(table.index_offset, what))?;
        Ok(table)
    }

    /// Goes to the next entry, past what is damaged where that is allowed; `false` behind the last.
    ///
    /// # Errors
    /// `BadInput` with the place of the block that is damaged.
    #[inline]
    pub(super) fn advance(&mut self, damage: &mut Damage) -> Result<bool> {
        loop {
            match self.step() {
                Err(error) => self.pass(error, damage)?,
                stepped => return stepped,
            }
        }
    }

    /// Passes over the rest of the block at hand, or of all blocks where their index is damaged.
    #[cold]
    fn pass(&mut self, error: Error, damage: &mut Damage) -> Result<()> {
        self.block.close();
        let last = InternalKey::parse(self.index.key()).filter(|_| !self.index_lost);
        let to = last.map_or(self.link.range.1.as_slice(), |last| last.user);
        damage.pass(error, &self.least, to, self.link.age)
    }

    #[inline]
    fn step(&mut self) -> Result<bool> {
        loop {
            match self.block.advance() {
                Ok(true) => break,
                Ok(false) => {
                    if !self.next_block()? {
                        return Ok(false);
                    }
                }
                Err(what) => return Err(self.corrupt(self.block_offset, what)),
            }
        }
        match InternalKey::parse(self.block.key()) {
            Some(key) => {
                self.tag = key.tag;
                Ok(true)
            }
            None => Err(self.corrupt(self.block_offset, "an entry's key is wrong")),
        }
    }

    /// The key of the entry at hand.
    #[inline]
    pub(super) fn key(&self) -> InternalKey<'_> {
        let key = self.block.key();
        InternalKey { user: &key[..key.len().saturating_sub(8)], tag: self.tag }
    }

    /// How new the table is.
    pub(super) fn age(&self) -> Age {
        self.link.age
    }

    /// The value of the entry at hand.
    pub(super) fn value(&self) -> &[u8] {
        self.block.value()
    }

    /// An error about the block at hand.
    pub(super) fn wrong(&self, what: &str) -> Error {
        self.corrupt(self.block_offset, what)
    }

    fn corrupt(&self, offset: u64, what: &str) -> Error {
        corrupt(&self.link.path, offset, what)
    }

    /// Loads the next block of entries; `false` behind the last.
    fn next_block(&mut self) -> Result<bool> {
        if self.index_lost {
            return Ok(false);
        }
        if let Some(last) = InternalKey::parse(self.index.key()) {
            self.least.clear();
            self.least.extend_from_slice(last.user);
        }
        let found = self.index.advance().map_err(|what| {
            self.index_lost = true;
            self.corrupt(self.index_offset, what)
        })?;
        if !found {
            return Ok(false);
        }
        let handle = Handle::decode(&mut FieldDecoder(self.index.value()));
        let handle = handle
            .ok_or_else(|| self.corrupt(self.index_offset, "an entry of the index is wrong"))?;
        self.load(handle)?;
        self.block_offset = handle.offset;
        let replaced = self.block.replace(&mut self.plain);
        replaced.map_err(|what| self.corrupt(handle.offset, what))?;
        Ok(true)
    }

    /// Reads a block, checks it, and puts what it holds into `plain`.
    fn load(&mut self, handle: Handle) -> Result<()> {
        let whole = handle.length.checked_add(TRAILER_BYTES as u64);
        let fits = whole
            .and_then(|whole| handle.offset.checked_add(whole))
            .is_some_and(|end| end <= self.end);
        let length = usize::try_from(handle.length).unwrap_or(usize::MAX);
        let wrong = |table: &TableReader, what| Err(table.corrupt(handle.offset, what));
        if !fits {
            return wrong(self, "a block should lie outside of the file");
        }
        if length > self.limit {
            return wrong(self, "a block is longer than the longest record allows (--max-record)");
        }
        self.raw.resize(length + TRAILER_BYTES, 0);
        self.file.read_exact_at(&mut self.raw, handle.offset).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => self.corrupt(handle.offset, "a block is cut"),
            _ => Error::path("read", &self.link.path, &e),
        })?;
        let (data, trailer) = self.raw.split_at(length);
        let mut fields = FieldDecoder(trailer);
        let (kind, crc) = (fields.byte().unwrap_or_default(), fields.fixed32());
        if Some(masked(crc32c::crc32c(&self.raw[..=length]))) != crc {
            return wrong(self, "the checksum of a block is wrong");
        }
        match decompress(kind, data, self.limit, &mut self.plain) {
            Ok(()) => Ok(()),
            Err(what) => wrong(self, what),
        }
    }
}

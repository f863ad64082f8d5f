//! LevelDB's log files, which hold the manifest's edits and the write-ahead batches.
//!
//! A log is cut into blocks of 32 KiB. A block holds fragments: a masked CRC-32C of the rest but
//! the length (4 bytes), the length of the data (2), a kind (1), the data. A record is one whole
//! fragment, or a first one, middle ones and a last one. Fewer than 7 bytes at a block's end are
//! filler. (LevelDB, doc/log_format.md.)
//!
//! At the end of the file a crash may leave a fragment that is cut, a first one without its last,
//! or zeros. Such a tail was never acknowledged as written; it ends the log and is noted, as the
//! C++ library does. Anything else that is wrong is an error, where the C++ library would go on.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::coding::{FieldDecoder, masked};
use super::directory::{self, corrupt};
use crate::error::{Error, Result};

const BLOCK_BYTES: usize = 32 * 1024;
const HEADER_BYTES: usize = 7;

/// The longest record: a batch or an edit is held in memory as a whole.
const MAX_RECORD_BYTES: usize = 1 << 30;

const WHOLE: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;

/// Reads the records of a log.
pub(super) struct LogReader {
    file: File,
    path: PathBuf,
    /// The block, and where it begins in the file.
    block: Vec<u8>,
    block_offset: u64,
    /// Where the next fragment begins in the block.
    at: usize,
    /// Where the record began in the file.
    record_offset: u64,
    /// A record of several fragments.
    joined: Vec<u8>,
    torn: bool,
}

/// A fragment of the block: its kind, and where its data lies.
struct Fragment {
    kind: u8,
    data: Range<usize>,
}

/// Where the record at hand lies.
enum RecordPlace {
    Block(Range<usize>),
    Joined,
}

impl LogReader {
    /// Opens a log.
    ///
    /// # Errors
    /// `BadInput` if it is missing.
    pub(super) fn open(path: &Path) -> Result<LogReader> {
        Ok(LogReader {
            file: directory::open(path)?,
            path: path.to_path_buf(),
            block: Vec::new(),
            block_offset: 0,
            at: 0,
            record_offset: 0,
            joined: Vec::new(),
            torn: false,
        })
    }

    /// The next record, or `None` at the end.
    ///
    /// # Errors
    /// `BadInput` with the place of the first thing that is wrong.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>> {
        match self.find()? {
            Some(RecordPlace::Block(range)) => Ok(self.block.get(range)),
            Some(RecordPlace::Joined) => Ok(Some(&self.joined)),
            None => Ok(None),
        }
    }

    /// An error about the record that [`LogReader::next`] gave last.
    pub(super) fn corrupt(&self, what: &str) -> Error {
        corrupt(&self.path, self.record_offset, what)
    }

    /// Whether the log ended in the middle of a record.
    pub(super) fn torn(&self) -> bool {
        self.torn
    }

    /// How many bytes of the file were read.
    pub(super) fn length(&self) -> u64 {
        self.block_offset + self.block.len() as u64
    }

    fn find(&mut self) -> Result<Option<RecordPlace>> {
        let mut joining = false;
        loop {
            let start = self.block_offset + self.at as u64;
            let Some(fragment) = self.fragment()? else {
                self.torn |= joining;
                return Ok(None);
            };
            // The fragment may be of the next block.
            let start = start.max(self.block_offset);
            let wrong = |what| Err(corrupt(&self.path, start, what));
            match (fragment.kind, joining) {
                (WHOLE | FIRST, true) => return wrong("a log record has no end"),
                (MIDDLE | LAST, false) => return wrong("a log record has no beginning"),
                (WHOLE, false) => {
                    self.record_offset = start;
                    return Ok(Some(RecordPlace::Block(fragment.data)));
                }
                (FIRST, false) => {
                    self.record_offset = start;
                    self.joined.clear();
                    joining = true;
                }
                (MIDDLE | LAST, true) => (),
                _ => return wrong("a log record of an unknown kind"),
            }
            if self.joined.len() + fragment.data.len() > MAX_RECORD_BYTES {
                return wrong("a log record is over 1 GiB");
            }
            self.joined.extend_from_slice(&self.block[fragment.data]);
            if fragment.kind == LAST {
                return Ok(Some(RecordPlace::Joined));
            }
        }
    }

    /// The next fragment, or `None` where the file or what counts of it ends.
    fn fragment(&mut self) -> Result<Option<Fragment>> {
        if self.torn {
            return Ok(None);
        }
        while self.block.len() - self.at < HEADER_BYTES {
            if self.block.len() < BLOCK_BYTES && !self.block.is_empty() {
                self.torn = self.at < self.block.len();
                return Ok(None);
            }
            self.read_block()?;
            if self.block.is_empty() {
                return Ok(None);
            }
        }
        let start = self.at;
        let offset = self.block_offset + start as u64;
        let wrong = |log: &LogReader, what| Err(corrupt(&log.path, offset, what));
        let header = &self.block[start..start + HEADER_BYTES];
        let crc = FieldDecoder(header).fixed32().unwrap_or_default();
        let length = usize::from(u16::from_le_bytes([header[4], header[5]]));
        let kind = header[6];
        if kind == 0 && length == 0 {
            return match self.rest_is_zero()? {
                true => Ok(None),
                false => wrong(self, "zeros between log records"),
            };
        }
        let data = start + HEADER_BYTES..start + HEADER_BYTES + length;
        if data.end > self.block.len() {
            if self.block.len() == BLOCK_BYTES {
                return wrong(self, "a log record runs past its block");
            }
            if holds_whole(crc, &self.block[start + HEADER_BYTES - 1..]) {
                return wrong(self, "the length of a log record is wrong");
            }
            self.torn = true;
            return Ok(None);
        }
        if masked(crc32c::crc32c(&self.block[data.start - 1..data.end])) != crc {
            return wrong(self, "the checksum of a log record is wrong");
        }
        self.at = data.end;
        Ok(Some(Fragment { kind, data }))
    }

    /// Reads the next block: a short one is the file's last, an empty one lies behind its end.
    fn read_block(&mut self) -> Result<()> {
        self.block_offset += self.block.len() as u64;
        self.at = 0;
        self.block.clear();
        let read = (&mut self.file).take(BLOCK_BYTES as u64).read_to_end(&mut self.block);
        read.map(|_| ()).map_err(|e: io::Error| Error::path("read", &self.path, &e))
    }

    /// Whether zeros alone are left; then they count as a torn tail.
    fn rest_is_zero(&mut self) -> Result<bool> {
        loop {
            if self.block[self.at..].iter().any(|&b| b != 0) {
                return Ok(false);
            }
            self.torn = true;
            self.read_block()?;
            if self.block.is_empty() {
                return Ok(true);
            }
        }
    }
}

/// Whether the kind and data of a whole fragment with this checksum begin `bytes`. A fragment that
/// a crash cut has lost its end; one whose end is there had its length damaged.
fn holds_whole(stored: u32, bytes: &[u8]) -> bool {
    let mut crc = 0;
    bytes.iter().any(|&byte| {
        crc = crc32c::crc32c_append(crc, &[byte]);
        masked(crc) == stored
    })
}

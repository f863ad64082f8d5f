//! The file of an archive, read at several places at once.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Reads until `buffer` is full or the end is reached; how much there was.
pub(super) fn read_full(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => (),
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

/// A reader of a file with a position of its own.
#[derive(Clone)]
pub(super) struct At {
    file: Arc<File>,
    position: u64,
    length: u64,
}

impl At {
    /// Reads `file`, of this length, from its beginning.
    pub(super) fn new(file: File, length: u64) -> At {
        At { file: Arc::new(file), position: 0, length }
    }

    /// Whether another entry of the directory follows the one at `start`: the count at the end of
    /// an archive wraps round at 65536 when a writer knows no Zip64.
    pub(super) fn has_entry_behind(mut self, start: u64) -> io::Result<bool> {
        const SIGNATURE: &[u8] = b"PK\x01\x02";
        let mut entry = [0; 46];
        self.position = start;
        self.read_exact(&mut entry)?;
        let length = |at: usize| i64::from(u16::from_le_bytes([entry[at], entry[at + 1]]));
        self.seek(SeekFrom::Current(length(28) + length(30) + length(32)))?;
        let mut signature = [0; 4];
        Ok(read_full(&mut self, &mut signature)? == 4 && signature == SIGNATURE)
    }
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read_at(buffer, self.position)?;
        self.position += got as u64;
        Ok(got)
    }
}

impl Seek for At {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

//! The file of an archive, read at several places at once.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::blocks::{BLOCK_BYTES, BlockSums, changed};

/// An archive as a file that can be searched.
pub(super) struct ArchiveFile {
    pub(super) file: File,
    /// What was written to it, where it is a copy in a temporary file.
    pub(super) written: Option<BlockSums>,
}

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
    archive: Arc<ArchiveFile>,
    position: u64,
    length: u64,
    /// The block of a copy that was read last, and where it begins.
    held: Vec<u8>,
    held_start: u64,
}

impl At {
    /// Reads `archive`, of this length, from its beginning.
    pub(super) fn new(archive: ArchiveFile, length: u64) -> At {
        At { archive: Arc::new(archive), position: 0, length, held: Vec::new(), held_start: 0 }
    }

    /// Reads some of a copy, once all of its block was found to be what was written.
    fn read_checked(&mut self, buffer: &mut [u8], written: &BlockSums) -> io::Result<usize> {
        if self.position >= written.bytes() {
            return Ok(0);
        }
        let start = self.position - self.position % BLOCK_BYTES;
        if self.held.is_empty() || self.held_start != start {
            let length = written.bytes().saturating_sub(start).min(BLOCK_BYTES);
            self.held.resize(length as usize, 0);
            self.held_start = start;
            let read = self.archive.file.read_exact_at(&mut self.held, start);
            let sound = read.is_ok() && written.are(start, &self.held);
            if !sound {
                self.held.clear();
                return Err(read.err().unwrap_or_else(|| io::Error::other(changed())));
            }
        }
        let there = self.held.get((self.position - start) as usize..).unwrap_or_default();
        let count = buffer.len().min(there.len());
        buffer[..count].copy_from_slice(&there[..count]);
        Ok(count)
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
        let archive = Arc::clone(&self.archive);
        let got = match &archive.written {
            Some(written) => self.read_checked(buffer, written)?,
            None => archive.file.read_at(buffer, self.position)?,
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_has_changed_is_noticed_wherever_it_is_read() {
        let bytes: Vec<u8> = (0..200_000u32).map(|n| ((n * 7) >> 3) as u8).collect();
        let copy = |flip: Option<usize>| {
            let mut written = BlockSums::default();
            written.push(&bytes);
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(&bytes, 0).unwrap();
            flip.iter().for_each(|&at| file.write_all_at(&[bytes[at] ^ 1], at as u64).unwrap());
            At::new(ArchiveFile { file, written: Some(written) }, bytes.len() as u64)
        };
        let read = |at: &mut At, from: usize| {
            at.seek(SeekFrom::Start(from as u64))?;
            let mut got = vec![0; 1000];
            let count = read_full(at, &mut got)?;
            assert!(got[..count] == bytes[from..bytes.len().min(from + 1000)]);
            Ok::<(), io::Error>(())
        };
        let places = [0, 65_000, 65_536, 131_071, 199_999, 200_000];
        for from in places {
            read(&mut copy(None), from).unwrap();
        }
        for flip in [0, 65_535, 65_536, 199_999] {
            let mut at = copy(Some(flip));
            let block = |place: usize| place / BLOCK_BYTES as usize;
            for from in places.into_iter().rev() {
                let reads = block(from)..=block((from + 999).min(bytes.len() - 1));
                let touched = reads.contains(&block(flip)) && from < bytes.len();
                assert_eq!(read(&mut at, from).is_err(), touched, "{flip} from {from}");
            }
        }
    }
}

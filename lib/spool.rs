//! Bytes that are kept in memory up to a bound, and beyond it in an unlinked temporary file, which
//! is gone however the process ends.

use std::borrow::Borrow;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::blocks::{BLOCK_BYTES, BlockSums, changed};
use crate::error::{Error, Result};
use crate::record::stream::Input;

/// The room that [`Spool::room`] gives at least: the size of a read from a pipe.
pub(crate) const READ_BYTES: usize = 64 * 1024;

/// How much of a file is held in memory at once while it is read back.
const CHUNK_BYTES: usize = 4 * BLOCK_BYTES as usize;

/// Bytes written once and read any number of times.
#[derive(Debug)]
pub struct Spool {
    /// Where the file is made, and how much memory may be used before it is.
    folder: PathBuf,
    limit: usize,
    /// Bytes before those in memory.
    file: Option<Written>,
    file_bytes: u64,
    /// The last bytes: the first `used` of these. The rest is room, kept written over so that a
    /// read needs no clearing before it.
    memory: Vec<u8>,
    used: usize,
}

/// A file, and what was written to it.
#[derive(Debug)]
struct Written {
    file: File,
    blocks: BlockSums,
}

impl Spool {
    /// An empty one that uses `memory`'s room, takes at most about `limit` bytes of memory, and
    /// puts its file in `folder`.
    pub fn new(memory: Vec<u8>, limit: usize, folder: &Path) -> Spool {
        Spool { folder: folder.into(), limit, file: None, file_bytes: 0, memory, used: 0 }
    }

    /// One that holds `bytes`.
    pub fn holding(bytes: Vec<u8>, limit: usize, folder: &Path) -> Spool {
        let used = bytes.len();
        Spool { used, ..Spool::new(bytes, limit, folder) }
    }

    /// How many bytes it holds.
    pub fn len(&self) -> u64 {
        self.file_bytes + self.used as u64
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes lie in a file.
    pub fn spilled(&self) -> u64 {
        self.file_bytes
    }

    /// The bytes, where all of them are in memory.
    pub fn in_memory(&self) -> Option<&[u8]> {
        if self.file.is_none() { Some(&self.memory[..self.used]) } else { None }
    }

    /// Room for at least [`READ_BYTES`] bytes behind the last one.
    ///
    /// # Errors
    /// `Storage` when the file takes no more.
    pub fn room(&mut self) -> Result<&mut [u8]> {
        if self.used >= self.limit {
            self.spill()?;
        }
        if self.memory.len() - self.used < READ_BYTES {
            // By a quarter, so that growing costs little and never doubles the memory.
            let grown = self.used + READ_BYTES.max(self.used / 4);
            self.memory.reserve_exact(grown - self.memory.len());
            self.memory.resize(grown, 0);
        }
        Ok(&mut self.memory[self.used..])
    }

    /// Says that `count` bytes were written into the room.
    pub fn filled(&mut self, count: usize) {
        self.used = (self.used + count).min(self.memory.len());
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// `Storage` when the file takes no more.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            if self.used >= self.limit {
                self.spill()?;
            }
            let room = self.memory.len() - self.used;
            let (now, later) = bytes.split_at(bytes.len().min(room.max(READ_BYTES)));
            // Over the room that there is, and behind it: nothing is cleared only to be written over.
            let (over, behind) = now.split_at(now.len().min(room));
            self.memory[self.used..][..over.len()].copy_from_slice(over);
            if self.memory.capacity() - self.memory.len() < behind.len() {
                self.memory.reserve_exact(behind.len().max(self.used / 4));
            }
            self.memory.extend_from_slice(behind);
            self.used += now.len();
            bytes = later;
        }
        Ok(())
    }

    /// Appends a line end where the last line lacks it.
    ///
    /// # Errors
    /// `Storage` when the file takes no more.
    pub fn end_line(&mut self) -> Result<()> {
        let last = match (&self.file, self.memory[..self.used].last()) {
            (_, Some(last)) => *last,
            (Some(Written { file, .. }), None) if self.file_bytes > 0 => {
                let mut last = [0];
                file.read_exact_at(&mut last, self.file_bytes - 1)
                    .map_err(|e| Error::path("read a temporary file in", &self.folder, &e))?;
                last[0]
            }
            _ => return Ok(()),
        };
        if last == b'\n' { Ok(()) } else { self.push(b"\n") }
    }

    /// Moves what is in memory to the file, which is made when first needed.
    ///
    /// # Errors
    /// `Storage` when the file cannot be made or takes no more.
    pub fn spill(&mut self) -> Result<()> {
        let failed = |e: &std::io::Error| Error::path("write a temporary file in", &self.folder, e);
        let written = match &mut self.file {
            Some(written) => written,
            None => {
                let file = tempfile::tempfile_in(&self.folder).map_err(|e| failed(&e))?;
                self.file.insert(Written { file, blocks: BlockSums::default() })
            }
        };
        written.blocks.push(&self.memory[..self.used]);
        written.file.write_all(&self.memory[..self.used]).map_err(|e| failed(&e))?;
        self.file_bytes += self.used as u64;
        self.used = 0;
        Ok(())
    }

    /// How many bytes of memory it takes.
    pub fn memory(&self) -> usize {
        self.memory.capacity()
    }

    /// Takes no more memory than its bytes need, and gives back what it had if that was much more.
    pub fn shrink(&mut self) -> Option<Vec<u8>> {
        if self.used >= self.memory.len() / 2 {
            return None;
        }
        let small = self.memory[..self.used].to_vec();
        Some(std::mem::replace(&mut self.memory, small))
    }

    /// Empties it and gives its memory back, to be used again.
    pub fn into_memory(self) -> Vec<u8> {
        self.memory
    }

    /// Its bytes, where they all are in memory, or itself.
    ///
    /// # Errors
    /// The spool, when some of it lies in a file.
    pub fn into_bytes(mut self) -> std::result::Result<Vec<u8>, Spool> {
        if self.file.is_some() {
            return Err(self);
        }
        self.memory.truncate(self.used);
        Ok(self.memory)
    }

    /// The bytes as a file, with what was written to it.
    ///
    /// # Errors
    /// `Storage` when the file takes no more.
    pub fn into_file(mut self) -> Result<Option<(File, BlockSums)>> {
        self.spill()?;
        Ok(self.file.take().map(|Written { file, blocks }| (file, blocks)))
    }

    /// Reads it from the beginning.
    pub fn read(&self) -> Reading<&Spool> {
        Reading { spool: self, at: 0, held: Vec::new(), held_start: 0 }
    }

    /// The same, of one that is not needed otherwise.
    pub fn into_reading(self) -> Reading<Spool> {
        Reading { spool: self, at: 0, held: Vec::new(), held_start: 0 }
    }

    /// The same, as a stream that is called `name`.
    pub fn stream<'a>(&'a self, name: &'a str) -> SpoolStream<'a> {
        SpoolStream { reading: self.read(), name }
    }

    /// Gives all of its bytes to `take`, in pieces.
    ///
    /// # Errors
    /// What `take` says, and `Storage`.
    pub fn pour(&self, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut reading = self.read();
        loop {
            let next = reading.chunk()?;
            let count = next.len();
            if count == 0 {
                return Ok(());
            }
            take(next)?;
            reading.consume(count);
        }
    }
}

/// A walk over the bytes of a spool.
pub struct Reading<S: Borrow<Spool>> {
    spool: S,
    at: u64,
    /// A piece of the file, and where it begins.
    held: Vec<u8>,
    held_start: u64,
}

impl<S: Borrow<Spool>> Reading<S> {
    /// The next bytes, as many as are at hand; none at the end.
    ///
    /// # Errors
    /// `Storage` when the file cannot be read, `Incomplete` when it does not hold what was written.
    pub fn chunk(&mut self) -> Result<&[u8]> {
        let spool: &Spool = self.spool.borrow();
        let Some(written) = spool.file.as_ref().filter(|_| self.at < spool.file_bytes) else {
            let from = (self.at - spool.file_bytes) as usize;
            return Ok(&spool.memory[from..spool.used]);
        };
        let held_end = self.held_start + self.held.len() as u64;
        if self.at >= held_end {
            let length = (spool.file_bytes - self.at).min(CHUNK_BYTES as u64) as usize;
            self.held.resize(length, 0);
            self.held_start = self.at;
            written
                .file
                .read_exact_at(&mut self.held, self.at)
                .map_err(|e| Error::path("read a temporary file in", &spool.folder, &e))?;
            // It is read in pieces of whole blocks, one behind the other.
            if !written.blocks.are(self.at, &self.held) {
                return Err(changed());
            }
        }
        Ok(&self.held[(self.at - self.held_start) as usize..])
    }

    /// Steps over `count` bytes of those that [`Reading::chunk`] gave.
    pub fn consume(&mut self, count: usize) {
        self.at = (self.at + count as u64).min(self.spool.borrow().len());
    }

    /// Fills `buffer` with the next bytes, as far as they are at hand; nothing at the end.
    ///
    /// # Errors
    /// As [`Reading::chunk`].
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let next = self.chunk()?;
        let count = next.len().min(buffer.len());
        buffer[..count].copy_from_slice(&next[..count]);
        self.consume(count);
        Ok(count)
    }
}

/// The bytes of a spool, as a stream.
pub struct SpoolStream<'a> {
    reading: Reading<&'a Spool>,
    name: &'a str,
}

impl Input for SpoolStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.reading.fill(buffer)
    }

    fn name(&self) -> &str {
        self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_whatever_the_limit() {
        let bytes: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
        for limit in [0, 1, 100_000, 1_000_000, 4_000_000, usize::MAX] {
            let mut spool = Spool::new(Vec::new(), limit, Path::new("/tmp"));
            for part in bytes.chunks(77_777) {
                spool.push(part).unwrap();
            }
            assert_eq!(spool.len(), bytes.len() as u64);
            assert_eq!(spool.in_memory().is_some(), limit > 1_000_000);
            for _ in 0..2 {
                let mut back = Vec::new();
                let mut reading = spool.read();
                loop {
                    let next = reading.chunk().unwrap();
                    let count = next.len().min(100_000);
                    back.extend_from_slice(&next[..count]);
                    if count == 0 {
                        break;
                    }
                    reading.consume(count);
                }
                assert!(back == bytes, "limit {limit}");
            }
        }
    }

    #[test]
    fn what_has_changed_in_the_file_is_noticed_before_it_is_given_out() {
        let bytes: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
        let mut spool = Spool::new(Vec::new(), 100_000, Path::new("/tmp"));
        bytes.chunks(77_777).for_each(|part| spool.push(part).unwrap());
        let sound = |spool: &Spool| {
            let mut back = Vec::new();
            let poured = spool.pour(|part| {
                back.extend_from_slice(part);
                Ok(())
            });
            assert!(bytes.starts_with(&back));
            poured.is_ok()
        };
        assert!(sound(&spool) && spool.spilled() > 3 * CHUNK_BYTES as u64);
        for at in (0..spool.spilled()).step_by(9973).chain([spool.spilled() - 1]) {
            let file = &spool.file.as_ref().unwrap().file;
            file.write_all_at(&[bytes[at as usize] ^ 64], at).unwrap();
            assert!(!sound(&spool), "{at}");
            file.write_all_at(&[bytes[at as usize]], at).unwrap();
        }
        assert!(sound(&spool));
    }

    #[test]
    fn says_where_it_cannot_write() {
        let mut spool = Spool::new(Vec::new(), 1, Path::new("/nowhere"));
        spool.push(b"xx").unwrap();
        assert!(spool.push(b"x").unwrap_err().to_string().contains("/nowhere"));
    }
}

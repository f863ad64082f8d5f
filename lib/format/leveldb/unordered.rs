//! Databases whose keys are in an order that is not known here: all entries are sorted again, by
//! their bytes, in pieces that fit in memory and then go to a temporary file without a name. What is
//! read of that is held against what was written, block by block.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::damage::Damage;
use super::key::InternalKey;
use super::memtable::Memtable;
use super::merge::EntryRun;
use super::table::{TableHandle, TableReader};
use crate::blocks::{BLOCK_BYTES, BlockSums, changed};
use crate::error::{Error, Result};

/// How many bytes of entries are sorted in memory.
const PIECE_BYTES: usize = 64 << 20;

/// The entries of the tables as sorted runs. A temporary file is made in `directory`.
///
/// # Errors
/// As [`TableReader::advance`]: damage is an error, for nobody can say which keys it hides.
/// `Storage` when there is no room.
pub(super) fn runs(
    tables: Vec<TableHandle>,
    limit: usize,
    directory: &Path,
) -> Result<Vec<EntryRun>> {
    runs_of(tables, limit, directory, PIECE_BYTES)
}

fn runs_of(
    tables: Vec<TableHandle>,
    limit: usize,
    directory: &Path,
    piece: usize,
) -> Result<Vec<EntryRun>> {
    let mut damage = Damage::is_an_error();
    let mut pieces = Pieces { directory, file: None, pieces: Vec::new() };
    let mut memory = Memtable::default();
    for link in tables {
        let mut table = TableReader::open(link, limit)?;
        while table.advance(&mut damage)? {
            memory.push(table.key(), table.value()).map_err(|what| table.wrong(what))?;
            if memory.size() > piece {
                pieces.spill(std::mem::take(&mut memory))?;
            }
        }
    }
    memory.sort();
    let mut runs = pieces.runs()?;
    runs.push(EntryRun::Memory(memory));
    Ok(runs)
}

/// Sorted pieces in a temporary file, one behind the other.
struct Pieces<'a> {
    directory: &'a Path,
    file: Option<BufWriter<File>>,
    /// What each holds.
    pieces: Vec<BlockSums>,
}

impl Pieces<'_> {
    /// Sorts some entries and writes them down: of each the tag (8 bytes), how long the key and the
    /// value are (4 bytes each), the key, the value.
    fn spill(&mut self, mut entries: Memtable) -> Result<()> {
        entries.sort();
        let failed = |e: io::Error| failed("write", self.directory, &e);
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                none.insert(BufWriter::new(tempfile::tempfile_in(self.directory).map_err(failed)?))
            }
        };
        let mut blocks = BlockSums::default();
        while entries.advance() {
            let (key, value) = (entries.key(), entries.value());
            let mut head = [0; HEAD_BYTES];
            head[..8].copy_from_slice(&key.tag.to_le_bytes());
            head[8..12].copy_from_slice(&(key.user.len() as u32).to_le_bytes());
            head[12..].copy_from_slice(&(value.len() as u32).to_le_bytes());
            for part in [&head, key.user, value] {
                file.write_all(part).map_err(failed)?;
                blocks.push(part);
            }
        }
        self.pieces.push(blocks);
        Ok(())
    }

    /// The pieces, to be read.
    fn runs(self) -> Result<Vec<EntryRun>> {
        let Some(file) = self.file else { return Ok(Vec::new()) };
        let failed = |e: io::Error| failed("write", self.directory, &e);
        let file = Arc::new(file.into_inner().map_err(|e| failed(e.into_error()))?);
        let mut start = 0;
        let piece = |blocks: BlockSums| {
            let (file, directory) = (Arc::clone(&file), self.directory.to_path_buf());
            let begins = start;
            start += blocks.bytes();
            let region =
                Region { file, directory, start: begins, at: 0, blocks, held: Vec::new(), used: 0 };
            EntryRun::Spilled(Box::new(Spilled { region, head: Head::default(), body: Vec::new() }))
        };
        Ok(self.pieces.into_iter().map(piece).collect())
    }
}

fn failed(doing: &str, directory: &Path, error: &io::Error) -> Error {
    Error::path(&format!("{doing} a temporary file in"), directory, error)
}

/// How long what stands before an entry is.
const HEAD_BYTES: usize = 16;

/// What stands before an entry.
#[derive(Default)]
struct Head {
    tag: u64,
    key: usize,
}

/// The entries of a piece, and one of them at hand.
pub(super) struct Spilled {
    region: Region,
    head: Head,
    /// The key, and the value behind it.
    body: Vec<u8>,
}

impl Spilled {
    /// Goes to the next entry; `false` behind the last.
    ///
    /// # Errors
    /// When the file cannot be read; `Incomplete` when it does not hold what was written.
    pub(super) fn advance(&mut self) -> Result<bool> {
        if self.region.is_at_end() {
            return Ok(false);
        }
        let mut head = [0; HEAD_BYTES];
        self.region.read(&mut head)?;
        let (tag, lengths) = head.split_at(8);
        let length = |at: usize| {
            let bytes = lengths[at..].first_chunk().copied().unwrap_or_default();
            u32::from_le_bytes(bytes) as usize
        };
        let tag = u64::from_le_bytes(tag.first_chunk().copied().unwrap_or_default());
        self.head = Head { tag, key: length(0) };
        self.body.resize(length(0) + length(4), 0);
        self.region.read(&mut self.body)?;
        Ok(true)
    }

    /// The key of the entry at hand.
    pub(super) fn key(&self) -> InternalKey<'_> {
        InternalKey { user: &self.body[..self.head.key], tag: self.head.tag }
    }

    /// The value of the entry at hand.
    pub(super) fn value(&self) -> &[u8] {
        &self.body[self.head.key..]
    }
}

/// A piece in the file, read from its beginning, a block at a time.
struct Region {
    file: Arc<File>,
    directory: PathBuf,
    /// Where in the file it begins.
    start: u64,
    /// How much of it was read from the file.
    at: u64,
    blocks: BlockSums,
    /// The block that was read last, and how much of it was given out.
    held: Vec<u8>,
    used: usize,
}

impl Region {
    fn is_at_end(&self) -> bool {
        self.used == self.held.len() && self.at == self.blocks.bytes()
    }

    /// Fills `buffer` with the next bytes.
    fn read(&mut self, mut buffer: &mut [u8]) -> Result<()> {
        while !buffer.is_empty() {
            if self.used == self.held.len() {
                self.next_block()?;
            }
            let count = buffer.len().min(self.held.len() - self.used);
            let (now, later) = buffer.split_at_mut(count);
            now.copy_from_slice(&self.held[self.used..][..count]);
            self.used += count;
            buffer = later;
        }
        Ok(())
    }

    fn next_block(&mut self) -> Result<()> {
        let length = (self.blocks.bytes() - self.at).min(BLOCK_BYTES);
        if length == 0 {
            return Err(changed());
        }
        self.held.resize(length as usize, 0);
        let read = self.file.read_exact_at(&mut self.held, self.start + self.at);
        read.map_err(|e| failed("read", &self.directory, &e))?;
        if !self.blocks.are(self.at, &self.held) {
            return Err(changed());
        }
        self.at += length;
        self.used = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::tag;
    use super::*;

    /// Five pieces of a thousand entries, whose values are as many `x` as they say.
    fn spilled(dir: &Path) -> Vec<EntryRun> {
        let mut pieces = Pieces { directory: dir, file: None, pieces: Vec::new() };
        let mut number = 0;
        for piece in 0..5u32 {
            let mut entries = Memtable::default();
            for n in 0..1000u32 {
                let user = format!("{:03}", (n * 7 + piece) % 997);
                number += 1;
                let key = InternalKey { user: user.as_bytes(), tag: tag(number, 1) };
                entries.push(key, &vec![b'x'; n as usize]).unwrap();
            }
            pieces.spill(entries).unwrap();
        }
        pieces.runs().unwrap()
    }

    fn count(runs: Vec<EntryRun>) -> Result<usize> {
        let mut count = 0;
        for run in runs {
            let EntryRun::Spilled(mut spilled) = run else { panic!("not spilled") };
            let mut last: Option<(Vec<u8>, u64)> = None;
            while spilled.advance()? {
                let key = spilled.key();
                if let Some((user, tag)) = &last {
                    assert!(InternalKey { user, tag: *tag } < key);
                }
                assert!(spilled.value().iter().all(|&b| b == b'x') && spilled.value().len() < 1000);
                last = Some((key.user.to_vec(), key.tag));
                count += 1;
            }
        }
        Ok(count)
    }

    #[test]
    fn entries_that_were_spilled_come_back_in_order() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(count(spilled(dir.path())).unwrap(), 5000);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_byte_that_changed_in_the_file_is_noticed_before_it_is_given_out() {
        let dir = tempfile::tempdir().unwrap();
        let file = |runs: &[EntryRun]| match &runs[0] {
            EntryRun::Spilled(spilled) => Arc::clone(&spilled.region.file),
            _ => panic!("not spilled"),
        };
        let length = file(&spilled(dir.path())).metadata().unwrap().len();
        for at in (0..length).step_by(199_999).chain([length - 1]) {
            let runs = spilled(dir.path());
            let mut byte = [0];
            file(&runs).read_exact_at(&mut byte, at).unwrap();
            file(&runs).write_all_at(&[byte[0] ^ 16], at).unwrap();
            assert_eq!(count(runs).unwrap_err().exit_code(), 4, "{at}");
        }
        let runs = spilled(dir.path());
        file(&runs).set_len(length - 1).unwrap();
        assert!(count(runs).is_err());
    }
}

//! Databases whose keys are in an order that is not known here: all entries are sorted again, by
//! their bytes, in pieces that fit in memory and then go to a temporary file without a name.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::damage::Damage;
use super::key::InternalKey;
use super::memtable::Memtable;
use super::merge::EntryRun;
use super::table::{TableHandle, TableReader};
use crate::error::{Error, Result};

/// How many bytes of entries are sorted in memory.
const PIECE_BYTES: usize = 64 << 20;

/// How much of a piece is read at once.
const READ_BYTES: usize = 64 * 1024;

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
    let mut pieces = Pieces { directory, file: None, ends: vec![0] };
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
    /// Where each ends and the next begins.
    ends: Vec<u64>,
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
        let mut end = self.ends.last().copied().unwrap_or_default();
        while entries.advance() {
            let (key, value) = (entries.key(), entries.value());
            let mut head = [0; HEAD_BYTES];
            head[..8].copy_from_slice(&key.tag.to_le_bytes());
            head[8..12].copy_from_slice(&(key.user.len() as u32).to_le_bytes());
            head[12..].copy_from_slice(&(value.len() as u32).to_le_bytes());
            for part in [&head, key.user, value] {
                file.write_all(part).map_err(failed)?;
                end += part.len() as u64;
            }
        }
        self.ends.push(end);
        Ok(())
    }

    /// The pieces, to be read.
    fn runs(self) -> Result<Vec<EntryRun>> {
        let Some(file) = self.file else { return Ok(Vec::new()) };
        let failed = |e: io::Error| failed("write", self.directory, &e);
        let file = Arc::new(file.into_inner().map_err(|e| failed(e.into_error()))?);
        let piece = |bounds: &[u64]| {
            let region = Region { file: Arc::clone(&file), at: bounds[0], end: bounds[1] };
            let (head, body) = (Head::default(), Vec::new());
            let input = BufReader::with_capacity(READ_BYTES, region);
            let directory = self.directory.to_path_buf();
            EntryRun::Spilled(Box::new(Spilled { input, directory, head, body }))
        };
        Ok(self.ends.windows(2).map(piece).collect())
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
    input: BufReader<Region>,
    directory: PathBuf,
    head: Head,
    /// The key, and the value behind it.
    body: Vec<u8>,
}

impl Spilled {
    /// Goes to the next entry; `false` behind the last.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn advance(&mut self) -> Result<bool> {
        let failed = |e: io::Error| failed("read", &self.directory, &e);
        let region = self.input.get_ref();
        if self.input.buffer().is_empty() && region.at >= region.end {
            return Ok(false);
        }
        let mut head = [0; HEAD_BYTES];
        self.input.read_exact(&mut head).map_err(failed)?;
        let (tag, lengths) = head.split_at(8);
        let length = |at: usize| {
            let bytes = lengths[at..].first_chunk().copied().unwrap_or_default();
            u32::from_le_bytes(bytes) as usize
        };
        let tag = u64::from_le_bytes(tag.first_chunk().copied().unwrap_or_default());
        self.head = Head { tag, key: length(0) };
        self.body.resize(length(0) + length(4), 0);
        self.input.read_exact(&mut self.body).map_err(failed)?;
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

/// A part of a file, read from its beginning.
struct Region {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Region {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let got = self.file.read_at(&mut buffer[..length], self.at)?;
        self.at += got as u64;
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::tag;
    use super::*;

    #[test]
    fn entries_that_were_spilled_come_back_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let mut pieces = Pieces { directory: dir.path(), file: None, ends: vec![0] };
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
        let mut count = 0;
        for run in pieces.runs().unwrap() {
            let EntryRun::Spilled(mut spilled) = run else { panic!("not spilled") };
            let mut last: Option<(Vec<u8>, u64)> = None;
            while spilled.advance().unwrap() {
                let key = spilled.key();
                if let Some((user, tag)) = &last {
                    assert!(InternalKey { user, tag: *tag } < key);
                }
                assert!(spilled.value().iter().all(|&b| b == b'x') && spilled.value().len() < 1000);
                last = Some((key.user.to_vec(), key.tag));
                count += 1;
            }
        }
        assert_eq!(count, 5000);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

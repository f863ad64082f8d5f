//! What the write-ahead logs hold and no table does: read, and sorted in memory.
//!
//! A log record is a batch: a sequence number (8 bytes), a count (4), and so many entries, each a
//! kind, a key and, unless it deletes, a value. The entries' sequence numbers count up from the
//! batch's. LevelDB keeps these logs short (4 MiB, if nobody asked for more).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::coding::FieldDecoder;
use super::directory::{self, Listing};
use super::key::{self, InternalKey};
use super::log::LogReader;
use super::manifest::Version;
use crate::error::{Error, ErrorKind, Result};

/// How much memory the entries of the logs may take. Places in it are 32-bit numbers.
const MAX_BYTES: usize = 1 << 30;

/// The entries of the logs, in order, and a place among them.
#[derive(Default)]
pub(super) struct Memtable {
    /// Keys and values, each value behind its key.
    arena: Vec<u8>,
    entries: Vec<Entry>,
    /// The entry at hand is the one before this.
    next: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    tag: u64,
    start: u32,
    key_length: u32,
    value_length: u32,
}

impl Memtable {
    /// Reads the logs that count, and sorts what they hold.
    ///
    /// # Errors
    /// `BadInput` for a log that is damaged or missing, `Storage` if they hold too much.
    pub(super) fn recover(
        database: &Path,
        listing: &Listing,
        version: &Version,
    ) -> Result<Memtable> {
        let named = [version.previous_log_number, version.log_number];
        let mut numbers: BTreeSet<u64> = named.into_iter().filter(|&n| n != 0).collect();
        numbers.extend(listing.logs.range(version.log_number..));
        let mut table = Memtable::default();
        let mut torn: Option<PathBuf> = None;
        for number in numbers {
            let path = directory::numbered(database, number, "log");
            if table.read(&path, torn.as_deref())? {
                torn = Some(path);
            }
        }
        table.sort();
        Ok(table)
    }

    /// Sorts the entries.
    pub(super) fn sort(&mut self) {
        let Memtable { arena, entries, .. } = self;
        entries.sort_unstable_by(|a, b| a.key(arena).cmp(&b.key(arena)));
    }

    /// How much memory the entries take, in bytes.
    pub(super) fn size(&self) -> usize {
        self.arena.len() + self.entries.len() * size_of::<Entry>()
    }

    /// Takes an entry.
    ///
    /// # Errors
    /// When there is no room for it.
    pub(super) fn push(
        &mut self,
        key: InternalKey<'_>,
        value: &[u8],
    ) -> std::result::Result<(), &'static str> {
        let place = u32::try_from(self.arena.len()).ok();
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| "an entry is too long");
        self.entries.push(Entry {
            tag: key.tag,
            start: place.ok_or("the log is too long")?,
            key_length: length(key.user)?,
            value_length: length(value)?,
        });
        self.arena.extend_from_slice(key.user);
        self.arena.extend_from_slice(value);
        Ok(())
    }

    /// Reads one log; whether its last record is torn. That, a crash does to the newest log alone:
    /// when an older one, `torn`, is cut and this one goes on, what is missing counted.
    fn read(&mut self, path: &Path, torn: Option<&Path>) -> Result<bool> {
        let mut log = LogReader::open(path)?;
        while let Some(batch) = log.next()? {
            if let Some(torn) = torn {
                let cut = format!("it is cut, but {} goes on", path.display());
                let length = std::fs::metadata(torn).map_or(0, |m| m.len());
                return Err(directory::corrupt(torn, length, cut));
            }
            self.insert(batch).map_err(|what| log.corrupt(what))?;
            if self.size() > MAX_BYTES {
                let advice = "open the database once with its own program, which sorts them away";
                return Err(Error::new(
                    ErrorKind::Storage,
                    format!("{}: the logs hold over 1 GiB; {advice}", path.display()),
                ));
            }
        }
        Ok(log.torn())
    }

    /// Takes the entries of a batch.
    fn insert(&mut self, batch: &[u8]) -> std::result::Result<(), &'static str> {
        const CUT: &str = "a batch of the log is cut";
        let mut fields = FieldDecoder(batch);
        let mut sequence = fields.fixed64().ok_or(CUT)?;
        let mut left = fields.fixed32().ok_or(CUT)?;
        while !fields.is_empty() {
            let kind = fields.byte().ok_or(CUT)?;
            let key = fields.prefixed().ok_or(CUT)?;
            let value = match kind {
                key::VALUE => fields.prefixed().ok_or(CUT)?,
                key::DELETION => &[],
                _ => return Err("a batch of the log has an entry of an unknown kind"),
            };
            left = left.checked_sub(1).ok_or("a batch of the log has too many entries")?;
            if sequence > key::MAX_SEQUENCE {
                return Err("a sequence number of the log is too high");
            }
            self.push(InternalKey { user: key, tag: key::tag(sequence, kind) }, value)?;
            sequence += 1;
        }
        if left == 0 { Ok(()) } else { Err("a batch of the log has too few entries") }
    }

    /// Goes to the next entry; `false` behind the last.
    pub(super) fn advance(&mut self) -> bool {
        self.next += 1;
        self.next <= self.entries.len()
    }

    /// The key of the entry at hand.
    pub(super) fn key(&self) -> InternalKey<'_> {
        self.entries[self.next - 1].key(&self.arena)
    }

    /// The value of the entry at hand.
    pub(super) fn value(&self) -> &[u8] {
        let entry = self.entries[self.next - 1];
        let start = entry.start as usize + entry.key_length as usize;
        &self.arena[start..start + entry.value_length as usize]
    }
}

impl Entry {
    fn key<'a>(&self, arena: &'a [u8]) -> InternalKey<'a> {
        let start = self.start as usize;
        InternalKey { user: &arena[start..start + self.key_length as usize], tag: self.tag }
    }
}

//! Reads a database as it lies in its directory.

use std::path::{Path, PathBuf};

use super::chain::{self, Chain};
use super::directory::{self, Listing};
use super::lock::Lock;
use super::manifest::{self, Version};
use super::memtable::Memtable;
use super::merge::{Merge, Run};
use crate::error::{Error, Result};
use crate::format::{FILL_BYTES, ReadOptions, Source};
use crate::record::text::push_bytes;

/// How much longer than the longest record a block may be: LevelDB closes a block with the entry
/// that makes it longer than its block size, 4 KiB unless somebody asked for more.
const BLOCK_BYTES: usize = 64 << 20;

/// A database that is being read: one record `[key, value]` for each key, in key order.
pub struct Reader {
    database: PathBuf,
    options: ReadOptions,
    merge: Merge,
    record_number: u64,
    /// Held while we read.
    _lock: Lock,
}

impl Reader {
    /// Opens the database in the directory `database`.
    ///
    /// # Errors
    /// `Usage` if there is no such directory. `BadInput` if it holds no database, a damaged one,
    /// one with another order of keys, or one that another process has open.
    pub fn open(database: &Path, options: &ReadOptions) -> Result<Reader> {
        let limit = options.max_record.saturating_add(BLOCK_BYTES);
        let (merge, lock) = entries(database, limit)?;
        Ok(Reader {
            database: database.to_path_buf(),
            options: options.clone(),
            merge,
            record_number: 0,
            _lock: lock,
        })
    }

    /// Appends the record at hand to `out`, unless it is over the limit and may be dropped.
    fn push_record(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        self.record_number += 1;
        out.push(b'[');
        push_bytes(out, self.merge.key());
        out.push(b',');
        push_bytes(out, self.merge.value());
        out.push(b']');
        if out.len() - start > self.options.max_record {
            let what = format!("a record over {} bytes (--max-record)", self.options.max_record);
            let place = format!("{}: record {}", self.database.display(), self.record_number);
            self.options.bad.reject(Error::input(what).at(place), &out[start..])?;
            out.truncate(start);
        } else {
            out.push(b'\n');
        }
        Ok(())
    }
}

/// The keys that have values, whose tables' blocks are `limit` bytes long at most; and the lock to
/// hold on to while they are read.
pub(super) fn entries(database: &Path, limit: usize) -> Result<(Merge, Lock)> {
    let manifest = directory::manifest_path(database)?;
    let lock = Lock::new(database)?;
    let version = manifest::read(&manifest)?;
    let listing = Listing::of(database)?;
    let chains = chain::chains(&version.tables, |n| listing.table(database, n))?;
    let logs = Memtable::recover(database, &listing, &version)?;
    // From here on a table that a writer takes away is missed; a log would not have been.
    lock.check()?;
    unchanged(database, &manifest, &version)?;
    let mut runs = vec![Run::Logs(logs)];
    for links in chains {
        runs.extend(Chain::open(links, limit)?.map(|chain| Run::Tables(Box::new(chain))));
    }
    Ok((Merge::new(runs)?, lock))
}

/// An error if a writer was here since the manifest was read.
fn unchanged(database: &Path, manifest: &Path, version: &Version) -> Result<()> {
    let length = directory::open(manifest)
        .and_then(|file| file.metadata().map_err(|e| Error::path("read", manifest, &e)))?
        .len();
    if directory::manifest_path(database)? != manifest || length != version.manifest_length {
        let what = "was written to while it was opened; try again";
        return Err(Error::input(format!("{} {what}", database.display())));
    }
    Ok(())
}

impl Source for Reader {
    fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        let enough = out.len() + FILL_BYTES;
        while out.len() < enough {
            if !self.merge.advance()? {
                return Ok(false);
            }
            self.push_record(out)?;
        }
        Ok(true)
    }
}

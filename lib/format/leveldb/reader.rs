//! Reads a database as it lies in its directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::chain::{self, Chain};
use super::damage::Damage;
use super::directory::{self, Listing};
use super::lock::Lock;
use super::manifest::{self, Version};
use super::memtable::Memtable;
use super::merge::{EntryRun, RunMerge};
use super::unordered;
use crate::error::{Error, Result};
use crate::format::spec::Spec;
use crate::format::{FILL_BYTES, ReadOptions, Source, Warn};
use crate::record::text::push_bytes;

/// How much longer than the longest record a block may be: LevelDB closes a block with the entry
/// that makes it longer than its block size, 4 KiB unless somebody asked for more.
const BLOCK_BYTES: usize = 64 << 20;

/// Reads the options of the format, for reading: whether the order of keys does not matter.
///
/// # Errors
/// When one is unknown.
pub fn parse(spec: &Spec) -> Result<bool> {
    let mut spec = spec.clone();
    let any_order = match spec.value("comparator")?.as_deref() {
        None => false,
        Some("ignore") => true,
        Some(_) => return Err(spec.refuse("say comparator=ignore")),
    };
    spec.finish("comparator=ignore (when reading)")?;
    Ok(any_order)
}

/// A database that is being read: one record `[key, value]` for each key, in key order.
pub struct LevelDbReader {
    database: PathBuf,
    options: ReadOptions,
    merge: RunMerge,
    record_number: u64,
    /// Held while we read.
    _lock: Lock,
}

impl LevelDbReader {
    /// Opens the database in the directory `database`. With `any_order` it may have any order of
    /// keys; they come in that of their bytes.
    ///
    /// # Errors
    /// `Usage` if there is no such directory. `BadInput` if it holds no database, a damaged one,
    /// one with another order of keys, or one that another process has open.
    pub fn open(database: &Path, any_order: bool, options: &ReadOptions) -> Result<LevelDbReader> {
        let how = DatabaseOptions {
            limit: options.max_record.saturating_add(BLOCK_BYTES),
            any_order,
            damage: Damage::is_bad(options),
            warn: Warn::clone(&options.warn),
            directory: options.directory.clone(),
        };
        let (merge, lock) = entries(database, how)?;
        Ok(LevelDbReader {
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

/// How a database is read.
pub(super) struct DatabaseOptions {
    /// The most bytes of a block.
    limit: usize,
    /// Whether the order of keys does not matter.
    any_order: bool,
    damage: Damage,
    warn: Warn,
    /// Where temporary files go.
    directory: PathBuf,
}

impl DatabaseOptions {
    /// In the one order, nothing being passed over or said; blocks are `limit` bytes long at most.
    pub(super) fn strict(limit: usize) -> DatabaseOptions {
        let (warn, directory): (Warn, _) = (Arc::new(|_| ()), PathBuf::new());
        DatabaseOptions { limit, any_order: false, damage: Damage::is_an_error(), warn, directory }
    }
}

/// The keys that have values; and the lock to hold on to while they are read.
pub(super) fn entries(database: &Path, how: DatabaseOptions) -> Result<(RunMerge, Lock)> {
    let DatabaseOptions { limit, any_order, mut damage, warn, directory } = how;
    let manifest = directory::manifest_path(database)?;
    let lock = Lock::new(database)?;
    let version = manifest::read(&manifest, any_order)?;
    let listing = Listing::of(database)?;
    let path = |number| listing.table(database, number);
    let chains = match &version.foreign {
        None => chain::chains(&version.tables, path)?,
        Some(_) => {
            let link = |table| Ok(chain::link(table, path(table.number)?));
            vec![version.tables.iter().map(link).collect::<Result<_>>()?]
        }
    };
    let logs = Memtable::recover(database, &listing, &version)?;
    // From here on a table that a writer takes away is missed; a log would not have been.
    lock.check()?;
    unchanged(database, &manifest, &version)?;
    if version.torn {
        let manifest = manifest.display();
        warn(&format!("{manifest}: its last edit is torn, as by a crash, and does not count"));
    }
    let mut runs = vec![EntryRun::Memory(logs)];
    if let Some(name) = &version.foreign {
        let database = database.display();
        warn(&format!(
            "{database}: its comparator '{name}' is ignored: keys are in the order of their bytes, \
             each with its newest value"
        ));
        for links in chains {
            runs.extend(unordered::runs(links, limit, &directory)?);
        }
    } else {
        for links in chains {
            let chain = Chain::open(links, limit, &mut damage)?;
            runs.extend(chain.map(|chain| EntryRun::Tables(Box::new(chain))));
        }
    }
    Ok((RunMerge::new(runs, damage)?, lock))
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

impl Source for LevelDbReader {
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

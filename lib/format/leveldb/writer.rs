//! Makes a new database of `[key, value]` records, with `rusty-leveldb`.
//!
//! The database is made in a temporary directory, read back, synced and renamed: it appears whole
//! or not at all. Reading back is no pedantry: when the disk is full, that library drops the
//! tables of a failed compaction with nothing but a line in its log.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusty_leveldb::infolog::Logger;
use rusty_leveldb::{CompressorId, DB, Options, Status, compressor::SnappyCompressor};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

use super::batch::{Batch, Pair};
use super::bytewise::Bytewise;
use super::calls::WholeCalls;
use super::key::excerpt;
use super::lock::Lock;
use super::reader::{self, DatabaseOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::format::pairs;
use crate::format::whole_tree::WholeTree;
use crate::format::{Sink, WriteOptions};
use crate::record::scan;
use crate::record::text::value_bytes;

/// How many calls of [`Sink::write`] the library may be behind.
const QUEUE_LENGTH: usize = 2;

/// How many bytes of records are gathered before the library gets them.
const BATCH_BYTES: usize = 8 << 20;

/// How many bytes the library sorts in memory before they become a table.
const WRITE_BUFFER_BYTES: usize = 16 << 20;

/// Writes a database. The library works on a thread of its own.
pub struct LevelDbWriter {
    /// `None` when it was published.
    tree: Option<WholeTree>,
    shown: PathBuf,
    prepared: bool,
    /// `None` when all was written, or nothing more can be.
    thread: Option<Thread>,
}

struct Thread {
    queue: SyncSender<Vec<u8>>,
    handle: JoinHandle<Result<()>>,
    abandoned: Arc<AtomicBool>,
}

impl LevelDbWriter {
    /// Begins a database in the directory `path`, which must not exist, unless the options say
    /// that the database there may go.
    ///
    /// # Errors
    /// `Usage` when something is in the way, or there can be no such directory.
    pub fn create(path: &Path, options: &WriteOptions) -> Result<LevelDbWriter> {
        let tree = WholeTree::create(path, options.replace, replaceable, &options.ledger)?;
        let shown = tree.path().to_path_buf();
        // The library looks for the whole path, and panics at one that is not UTF-8.
        let whole = tree.directory().canonicalize();
        if whole.is_ok_and(|whole| whole.to_str().is_none()) {
            let why = "a database cannot be written under a path that is not UTF-8: move it there";
            return Err(Error::usage(format!("{}: {why}", shown.display())));
        }
        let (queue, receiver) = sync_channel(QUEUE_LENGTH);
        let abandoned = Arc::new(AtomicBool::new(false));
        let work = Work {
            directory: tree.directory().to_path_buf(),
            shown: shown.clone(),
            calls: WholeCalls::default(),
            abandoned: Arc::clone(&abandoned),
            record_count: 0,
            batch: Batch::default(),
            greatest: None,
            total: Total::default(),
        };
        let handle = std::thread::Builder::new()
            .name("leveldb".into())
            .spawn(move || work.run(&receiver))
            .map_err(|e| Error::io("start", "a thread", &e))?;
        let thread = Some(Thread { queue, handle, abandoned });
        Ok(LevelDbWriter { tree: Some(tree), shown, prepared: false, thread })
    }

    /// Checks, where nothing is to be written, that a database could begin at `path`.
    ///
    /// # Errors
    /// As [`LevelDbWriter::create`].
    pub fn check(path: &Path, replace: bool) -> Result<()> {
        WholeTree::check(path, replace, replaceable)
    }

    /// Waits for the library's thread, and says how it ended.
    fn join(&mut self) -> Result<()> {
        let Some(Thread { queue, handle, .. }) = self.thread.take() else {
            return Err(failed(&self.shown, "that failed before, or was done"));
        };
        drop(queue);
        handle.join().unwrap_or_else(|panic| {
            let text = match panic.downcast_ref::<String>() {
                Some(text) => Some(text.as_str()),
                None => panic.downcast_ref::<&str>().copied(),
            };
            Err(failed(&self.shown, text.unwrap_or("the library failed")))
        })
    }
}

impl Sink for LevelDbWriter {
    fn write(&mut self, records: &[u8]) -> Result<()> {
        match &self.thread {
            Some(thread) if thread.queue.send(records.to_vec()).is_ok() => Ok(()),
            // The thread ends by itself only when it fails.
            _ => self.join(),
        }
    }

    fn prepare(&mut self) -> Result<()> {
        if !self.prepared {
            self.join()?;
            self.tree.as_ref().map_or(Ok(()), WholeTree::sync)?;
            self.prepared = true;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.prepare()?;
        self.tree.take().map_or(Ok(()), WholeTree::publish)
    }
}

impl Drop for LevelDbWriter {
    fn drop(&mut self) {
        if let Some(thread) = &self.thread {
            thread.abandoned.store(true, Ordering::Relaxed);
            // The directory can go only when nothing is written to it any more.
            let _ = self.join();
        }
    }
}

/// An error if the directory that shall be replaced is no database, or is in use.
fn replaceable(path: &Path) -> Result<()> {
    let empty = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    if !empty && !path.join("CURRENT").is_file() {
        let text = "is no LevelDB database; it is not replaced by one";
        return Err(Error::usage(format!("{} {text}", path.display())));
    }
    Lock::new(path).map(|_| ())
}

fn failed(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Storage, format!("cannot write {}: {why}", path.display()))
}

/// How many entries there are, and the sum of their hashes: the same in any order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Total {
    count: u64,
    sum: u128,
}

impl Total {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(xxh3_128_with_seed(value, xxh3_64(key)));
    }
}

/// What the thread does.
struct Work {
    directory: PathBuf,
    /// The name for messages.
    shown: PathBuf,
    calls: WholeCalls,
    abandoned: Arc<AtomicBool>,
    /// How many records came.
    record_count: u64,
    batch: Batch,
    /// The greatest key in the database.
    greatest: Option<Vec<u8>>,
    total: Total,
}

impl Work {
    fn run(mut self, queue: &Receiver<Vec<u8>>) -> Result<()> {
        let opened = DB::open(&self.directory, options(&self.calls));
        let mut database = opened.map_err(|status| self.failed(&status))?;
        for records in queue {
            for line in records.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                self.take(line)?;
                if self.batch.size() >= BATCH_BYTES {
                    self.put_batch(&mut database)?;
                }
            }
        }
        self.put_batch(&mut database)?;
        if self.abandoned.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.close(database)?;
        self.read_back()
    }

    /// Takes one record.
    fn take(&mut self, record: &[u8]) -> Result<()> {
        self.record_count += 1;
        let wrong = |what: String| {
            let hint = pairs::hint(record, false);
            self.refused(self.record_count, format!("{what}{hint}"))
        };
        let mut parts = scan::elements(record);
        let (Some(key), Some(value), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong("LevelDB holds [key, value] arrays; this is none".into()));
        };
        let key = value_bytes(key).map_err(|why| wrong(format!("the key is {why}")))?;
        let value = value_bytes(value).map_err(|why| wrong(format!("the value is {why}")))?;
        self.batch.push(self.record_count, &key, &value);
        Ok(())
    }

    /// Writes the records that were taken.
    fn put_batch(&mut self, database: &mut DB) -> Result<()> {
        self.batch.sort();
        if let Some(pair) = self.batch.repeated() {
            return Err(self.repeated(&pair));
        }
        for pair in self.batch.pairs() {
            if self.abandoned.load(Ordering::Relaxed) {
                return Ok(());
            }
            let known = self.greatest.as_deref().is_some_and(|greatest| pair.key <= greatest);
            if known && database.get(pair.key).is_some() {
                return Err(self.repeated(&pair));
            }
            database.put(pair.key, pair.value).map_err(|status| self.failed(&status))?;
            self.total.add(pair.key, pair.value);
        }
        if let Some(last) = self.batch.pairs().next_back()
            && self.greatest.as_deref().is_none_or(|greatest| greatest < last.key)
        {
            self.greatest = Some(last.key.to_vec());
        }
        self.batch.clear();
        Ok(())
    }

    /// What the library says is wrong; where the disk was the reason, that.
    fn failed(&self, status: &Status) -> Error {
        failed(&self.shown, self.calls.reason().unwrap_or_else(|| status.to_string()))
    }

    fn repeated(&self, pair: &Pair<'_>) -> Error {
        let key = excerpt(pair.key);
        let what = format!("key {key} came before; LevelDB holds one value a key");
        self.refused(pair.record, what)
    }

    fn refused(&self, record: u64, what: String) -> Error {
        Error::input(what).at(format!("{}: record {record}", self.shown.display()))
    }

    /// Gets everything into tables, so that whoever opens the database has nothing to recover.
    fn close(&self, mut database: DB) -> Result<()> {
        let status = |status: Status| self.failed(&status);
        if let Some(greatest) = &self.greatest {
            // Behind the last key there is nothing to compact: this writes out what is in memory.
            let behind = [greatest.as_slice(), &[0]].concat();
            database.compact_range(&behind, &behind).map_err(status)?;
        }
        database.close().map_err(status)
    }

    /// Reads the database, and compares it with what was written.
    fn read_back(&self) -> Result<()> {
        let unread = |e: Error| failed(&self.shown, format!("it cannot be read back: {e}"));
        let mut found = Total::default();
        let (mut entries, _lock) =
            reader::entries(&self.directory, DatabaseOptions::strict(usize::MAX))
                .map_err(unread)?;
        while entries.advance().map_err(unread)? {
            found.add(entries.key(), entries.value());
        }
        if found != self.total {
            if let Some(why) = self.calls.reason() {
                return Err(failed(&self.shown, why));
            }
            let (found, wrote) = (found.count, self.total.count);
            let text = format!("{wrote} records were written, and {found} came back or others");
            return Err(failed(&self.shown, text));
        }
        Ok(())
    }
}

fn options(calls: &WholeCalls) -> Options {
    Options {
        cmp: Rc::new(Box::new(Bytewise)),
        env: Rc::new(Box::new(calls.clone())),
        create_if_missing: true,
        compressor: SnappyCompressor::ID,
        write_buffer_size: WRITE_BUFFER_BYTES,
        log: Some(Rc::new(RefCell::new(Logger(Box::new(io::sink()))))),
        ..Options::default()
    }
}

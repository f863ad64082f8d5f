//! Foreign formats to records and back: each format is a [`Source`] and a [`Sink`].
//!
//! - [`resource`], [`spec`], [`place`], [`pattern`]: what a resource is called, what its name
//!   decides, and what is there of that name.
//! - [`read`]: the records of resources, [`ahead`] on a thread or in [`pieces`] on several, as a [`stream`]. [`mod@write`]: records
//!   to a resource.
//! - [`bytes`], [`compression`], [`decompression`], [`http`], [`objects`]: where bytes come from;
//!   [`encoding`]: how they are text;
//!   [`target`], [`whole`], [`whole_tree`], [`replaced`], [`rename`], [`ledger`]: where they go, whole
//!   or not at all; [`parts`], [`contiguous`]: several at once.
//! - [`split`]: the parts of a file. [`measure`]: what can be told without reading it.
//! - The formats: [`ndjson`], [`json`], [`text`], [`csv`], [`zip`], [`leveldb`], [`files`], [`range`],
//!   [`table`], and those of others: [`plugin`], [`foreign_parts`].
//!
//! This room reads and writes files; it knows nothing of stages, keys or hosts.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::client::ClientAccess;
use crate::error::{Error, Result};
use crate::parallel::lock;
use crate::record::DEFAULT_MAX_RECORD;
use crate::record::bad::{Bad, Policy};
use crate::record::fields::Checker;
use crate::record::rows::RowBlock;
use crate::record::stream::{Facts, Input, Output};

pub mod ahead;
pub mod bytes;
pub mod compression;
pub(crate) mod contiguous;
pub mod csv;
pub mod decompression;
pub mod encoding;
pub mod files;
pub mod foreign_parts;
pub mod http;
pub mod json;
pub mod ledger;
pub mod leveldb;
pub mod measure;
pub mod ndjson;
pub mod objects;
mod pairs;
pub mod parts;
mod pattern;
pub mod pieces;
pub mod place;
pub mod plugin;
pub mod range;
pub mod read;
pub mod rename;
pub mod replaced;
pub mod resource;
pub mod spec;
pub mod split;
pub mod stream;
pub mod table;
pub mod target;
pub mod text;
pub mod whole;
pub mod whole_tree;
pub mod write;
pub mod zip;

/// How many bytes of records one [`Source::fill`] appends, about.
pub const FILL_BYTES: usize = 256 * 1024;

/// A stream of records read from somewhere.
pub trait Source: Send {
    /// Appends whole records to `out`, each a valid JSON value on a line that ends with LF, about
    /// [`FILL_BYTES`] of them. `false` when the end was reached: what was appended still counts,
    /// and there is no more.
    ///
    /// # Errors
    /// `BadInput` with file and place for what the format does not allow (unless the policy in
    /// [`ReadOptions`] takes it), `Usage` or `Storage` for what cannot be read.
    fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool>;

    /// The rows that the next records are made of, where these are had faster and a stream of them is read from its
    /// beginning on: no more than fit in `size` bytes. `buffer` gives its memory.
    ///
    /// # Errors
    /// As [`Source::fill`].
    fn rows(&mut self, _size: usize, _buffer: &mut Vec<u8>) -> Result<Option<RowBlock>> {
        Ok(None)
    }

    /// What the next records are to be made of, where that can be had and a bad one ends the tool: for whoever makes them
    /// on several threads. `buffer` gives its memory.
    ///
    /// # Errors
    /// As [`Source::fill`].
    fn unmade(&mut self, _buffer: &mut Vec<u8>) -> Result<Option<Box<dyn Unmade>>> {
        Ok(None)
    }

    /// Where in its bytes the records begin, and where the next one does; none for what cannot be
    /// read from the middle on. To be asked after a [`Source::fill`].
    fn position(&self) -> Option<Position> {
        None
    }
}

/// What was read of a source, of which whole records can be made anywhere.
pub trait Unmade: Send {
    /// Appends the records to `out`, or swaps its memory for theirs; what memory is left goes to `spare`. `checker` has
    /// checked what came before, or some of it.
    ///
    /// # Errors
    /// As [`Source::fill`]; the records before were appended.
    fn push_records(
        self: Box<Self>,
        checker: &mut Checker,
        out: &mut Vec<u8>,
        spare: &mut Vec<u8>,
    ) -> Result<()>;

    /// About how many bytes the records are.
    fn length(&self) -> usize;
}

/// Places in the bytes of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// How long a header is that every part needs.
    pub head: u64,
    /// Where the next record begins, or what lies between the records.
    pub next: u64,
}

/// A place that records are written to. Dropped without [`Sink::finish`], it leaves nothing behind.
pub trait Sink: Send {
    /// Hears what is known of the records, before any is written.
    ///
    /// # Errors
    /// As [`Sink::write`].
    fn declare(&mut self, _facts: &Facts) -> Result<()> {
        Ok(())
    }

    /// Takes whole records, each a valid JSON value on a line that ends with LF.
    ///
    /// # Errors
    /// `BadInput` naming the record for what the format cannot hold, `Storage` for a full disk.
    fn write(&mut self, records: &[u8]) -> Result<()>;

    /// Does all of [`Sink::finish`] that can fail for want of room, and publishes nothing: so that
    /// several outputs appear together. Nothing is written after it.
    ///
    /// # Errors
    /// As [`Sink::write`].
    fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    /// Writes what is held back, syncs, and publishes the whole under its name.
    ///
    /// # Errors
    /// As [`Sink::write`].
    fn finish(self: Box<Self>) -> Result<()>;
}

/// What every source needs to know beside its resource.
#[derive(Clone)]
pub struct ReadOptions {
    /// The longest record in bytes.
    pub max_record: usize,
    /// What happens to bad records.
    pub bad: Arc<Bad>,
    /// Standard input, for the resource `-`.
    pub stdin: Once<dyn Input>,
    /// Hears warnings, a line each.
    pub warn: Warn,
    /// Hears what is worth a word to those who want to know (`-v`), a line each.
    pub note: Warn,
    /// Where temporary files go.
    pub directory: PathBuf,
    /// Opens the records of the shards whose manifest a file is.
    pub shards: Option<OpenShards>,
    /// The password of encrypted members of Zips.
    pub zip_password: zip::Password,
    /// Where files of the client are asked for.
    pub client: ClientAccess,
    /// Where objects are kept, if they can be reached from here.
    pub objects: Option<Arc<dyn objects::ObjectStores>>,
}

/// Opens the records of the shards whose manifest the file at a path is.
pub type OpenShards = Arc<dyn Fn(&Path) -> Result<Box<dyn Input>> + Send + Sync>;

impl ReadOptions {
    /// To read by `policy`, with the default limit, no standard input, and nobody to warn.
    ///
    /// # Errors
    /// When the file to keep bad records in cannot be made.
    pub fn new(policy: Policy) -> Result<ReadOptions> {
        Ok(ReadOptions {
            max_record: DEFAULT_MAX_RECORD,
            bad: Arc::new(Bad::new(policy)?),
            stdin: Once::none(),
            warn: Arc::new(|_| ()),
            note: Arc::new(|_| ()),
            directory: PathBuf::from("/tmp"),
            shards: None,
            zip_password: zip::Password::Withheld,
            client: ClientAccess::default(),
            objects: None,
        })
    }
}

/// What every sink needs to know beside its resource.
#[derive(Clone)]
pub struct WriteOptions {
    /// Whether an existing directory or database may be replaced.
    pub replace: bool,
    /// Standard output, for the resource `-`.
    pub stdout: Once<dyn Output>,
    /// Takes note of temporary names.
    pub ledger: ledger::Ledger,
    /// Where temporary files go that have no name.
    pub directory: PathBuf,
    /// Hears warnings, a line each.
    pub warn: Warn,
    /// How many columns the terminal has that standard output is, if it is one.
    pub terminal: Option<usize>,
    /// Where files of the client are asked for.
    pub client: ClientAccess,
    /// Where objects are kept, if they can be reached from here.
    pub objects: Option<Arc<dyn objects::ObjectStores>>,
}

/// Hears warnings, a line each.
pub type Warn = Arc<dyn Fn(&str) + Send + Sync>;

/// Something that only one may take.
pub struct Once<T: ?Sized>(Arc<Mutex<Option<Box<T>>>>);

impl<T: ?Sized> Once<T> {
    /// Holds `thing`.
    pub fn new(thing: Box<T>) -> Once<T> {
        Once(Arc::new(Mutex::new(Some(thing))))
    }

    /// Holds nothing.
    pub fn none() -> Once<T> {
        Once(Arc::new(Mutex::new(None)))
    }

    /// Takes the thing, which is `what`.
    ///
    /// # Errors
    /// When it is taken already, or never was there.
    fn take(&self, what: &str) -> Result<Box<T>> {
        let taken = lock(&self.0).take();
        taken.ok_or_else(|| Error::usage(format!("{what} (-) can be used only once")))
    }
}

impl<T: ?Sized> Clone for Once<T> {
    fn clone(&self) -> Once<T> {
        Once(Arc::clone(&self.0))
    }
}

/// The records in `records`, each without its line end and white space around.
fn lines(records: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    memchr::memchr_iter(b'\n', records).map(move |end| {
        let line = &records[at..end];
        at = end + 1;
        line.trim_ascii()
    })
}

//! Foreign formats to records and back: each format is a [`Source`] and a [`Sink`].
//!
//! This room reads and writes files; it knows nothing of stages, keys or hosts.

pub mod leveldb;

use std::sync::Arc;

use crate::error::Result;
use crate::record::bad::Bad;

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
}

/// A place that records are written to. Dropped without [`Sink::finish`], it leaves nothing behind.
pub trait Sink: Send {
    /// Takes whole records, each a valid JSON value on a line that ends with LF.
    ///
    /// # Errors
    /// `BadInput` naming the record for what the format cannot hold, `Storage` for a full disk.
    fn write(&mut self, records: &[u8]) -> Result<()>;

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
}

//! Records: one JSON value on a line; its checks, its parts, its key and its order.
//!
//! Pure functions over bytes. Nothing here opens, reads or prints anything but the policy for bad
//! records, which may keep them in a file.

pub mod absent;
pub mod bad;
pub mod block;
pub mod bytes;
pub mod canonical;
pub mod counters;
pub mod digest;
pub mod fields;
mod fold;
pub mod harmless;
pub mod integer;
pub mod key;
pub mod key_pair;
mod layout;
pub mod nearest;
pub mod notation;
pub mod number;
pub mod path;
pub mod rows;
pub mod scan;
mod sixteen;
pub mod stream;
pub mod text;
pub mod text_lines;
mod version;
pub(crate) mod wide;

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 1024;

/// The longest record, in bytes, unless `--max-record` says otherwise.
pub const DEFAULT_MAX_RECORD: usize = 64 * 1024 * 1024;

/// What is wrong with the text of a record, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The byte within the record, from 0.
    pub at: usize,
    /// What is wrong, as a fragment that follows the place.
    pub what: &'static str,
}

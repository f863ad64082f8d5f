//! LevelDB databases: a record is `[key, value]`.
//!
//! The [`LevelDbReader`] is our own and read-only: it opens a database of any LevelDB library as it lies
//! there, recovers nothing, repairs nothing, and changes no file and no time of one. The
//! [`LevelDbWriter`] makes a new database with `rusty-leveldb` and publishes it whole.
//!
//! # What a database is
//!
//! A directory. `CURRENT` names a [manifest], a log of edits that says which [table] files are
//! alive, on which level, and from which number on [write-ahead logs][memtable] count. Tables and
//! logs hold entries: a key, a sequence number, and a value or a deletion ([key]). Of the entries
//! for one key the one with the highest sequence number is true; to read a database is to
//! [merge] all tables and logs in key order and keep the newest entry of each key.
//!
//! # What is an error
//!
//! A damaged database is never a shorter answer: a checksum, a length or an order that is wrong, a
//! table that is missing or cut, is `BadInput` with file and place. The one exception is what a
//! crash leaves: a last log record that was written in part never counted, for LevelDB neither;
//! where it is one of the manifest, that is said.
//!
//! Where bad records may be passed over (`--bad`), so may blocks and tables that are damaged, and
//! what they may hide with them ([damage]). A damaged log or manifest stays an error: nobody can say
//! which keys it hides.
//!
//! Keys in another order than that of their bytes are read only when that order is to be ignored;
//! all entries are sorted again then ([unordered]).
//!
//! Not done here: encryption, repairing.

mod batch;
mod block;
mod bytewise;
mod calls;
mod chain;
mod coding;
mod compression;
mod damage;
mod directory;
mod key;
mod lock;
mod log;
mod manifest;
mod memtable;
mod merge;
mod reader;
mod table;
#[cfg(test)]
mod tests;
mod unordered;
mod writer;

pub use reader::{LevelDbReader, parse};
pub use writer::LevelDbWriter;

//! The manifest: a log of edits to the set of files that make the database.
//!
//! An edit is a sequence of fields, each a varint tag and what belongs to it: the comparator's
//! name, the numbers of the write-ahead logs that count, tables that went and tables that came,
//! with level, number, size, and the range of their keys. (LevelDB, doc/impl.md.)

use std::collections::BTreeMap;
use std::path::Path;

use super::coding::FieldDecoder;
use super::key::InternalKey;
use super::log::LogReader;
use crate::error::{Error, Result};

/// The one order of keys that is known here.
const COMPARATOR: &[u8] = b"leveldb.BytewiseComparator";

/// How many levels the C++ library has.
const LEVELS: usize = 7;

/// A table file of the database.
#[derive(Debug)]
pub(super) struct TableFile {
    /// Its number, which names it.
    pub(super) number: u64,
    /// The level that it lies on.
    pub(super) level: usize,
    /// Its length in bytes.
    pub(super) size: u64,
    /// Its first internal key.
    pub(super) smallest: Vec<u8>,
    /// Its last internal key.
    pub(super) largest: Vec<u8>,
}

/// The state that all edits lead to.
#[derive(Debug)]
pub(super) struct Version {
    /// Write-ahead logs from this number on count.
    pub(super) log_number: u64,
    /// And this one, if it is not 0.
    pub(super) previous_log_number: u64,
    /// The tables of all levels.
    pub(super) tables: Vec<TableFile>,
    /// How long the manifest was.
    pub(super) manifest_length: u64,
    /// Whether its last edit is torn, and does not count.
    pub(super) torn: bool,
    /// The name of the order of keys, where it is another than ours.
    pub(super) foreign: Option<String>,
}

#[derive(Default)]
struct State {
    comparator: bool,
    log_number: Option<u64>,
    previous_log_number: u64,
    next_file: Option<u64>,
    last_sequence: Option<u64>,
    levels: [BTreeMap<u64, TableFile>; LEVELS],
}

/// Reads a manifest; of a database in another order than bytewise only where that does not matter
/// (`any_order`).
///
/// # Errors
/// `BadInput` for such a database, and for what is no manifest.
pub(super) fn read(path: &Path, any_order: bool) -> Result<Version> {
    let mut log = LogReader::open(path)?;
    let mut state = State::default();
    let (mut name, mut foreign) = (None, None);
    loop {
        let applied = match log.next()? {
            None => break,
            Some(edit) => state.apply(edit, &mut name),
        };
        if let Some(name) = name.take().filter(|name| name != COMPARATOR) {
            let name = name.escape_ascii().to_string();
            if !any_order {
                return Err(foreign_order(path, &name));
            }
            foreign = Some(name);
        }
        applied.map_err(|what| log.corrupt(what))?;
    }
    let end = |what: &str| super::directory::corrupt(path, log.length(), what);
    let log_number = state.log_number.ok_or_else(|| end("it names no log"))?;
    state.next_file.ok_or_else(|| end("it does not say the next file's number"))?;
    state.last_sequence.ok_or_else(|| end("it does not say the last sequence number"))?;
    if !state.comparator {
        return Err(end("it names no comparator"));
    }
    Ok(Version {
        log_number,
        previous_log_number: state.previous_log_number,
        tables: state.levels.into_iter().flat_map(BTreeMap::into_values).collect(),
        manifest_length: log.length(),
        torn: log.torn(),
        foreign,
    })
}

fn foreign_order(path: &Path, name: &str) -> Error {
    let database = path.parent().unwrap_or(path).display();
    Error::input(format!(
        "{database}: its keys are in the order of comparator '{name}', which is not known here; \
         leveldb,comparator=ignore: reads them in the order of their bytes"
    ))
}

impl State {
    /// Applies one edit: first what went, then what came.
    fn apply(
        &mut self,
        edit: &[u8],
        name: &mut Option<Vec<u8>>,
    ) -> std::result::Result<(), &'static str> {
        let mut added = Vec::new();
        let mut fields = FieldDecoder(edit);
        while !fields.is_empty() {
            self.field(&mut fields, name, &mut added)?;
        }
        for (level, table) in added {
            self.levels[level].insert(table.number, table);
        }
        Ok(())
    }

    fn field(
        &mut self,
        fields: &mut FieldDecoder<'_>,
        name: &mut Option<Vec<u8>>,
        added: &mut Vec<(usize, TableFile)>,
    ) -> std::result::Result<(), &'static str> {
        const CUT: &str = "an edit of the manifest is cut";
        match fields.varint32().ok_or(CUT)? {
            1 => {
                *name = Some(fields.prefixed().ok_or(CUT)?.to_vec());
                self.comparator = true;
            }
            2 => self.log_number = Some(fields.varint64().ok_or(CUT)?),
            3 => self.next_file = Some(fields.varint64().ok_or(CUT)?),
            4 => self.last_sequence = Some(fields.varint64().ok_or(CUT)?),
            // Where the next compaction begins: of no use to a reader.
            5 => {
                level(fields)?;
                internal_key(fields)?;
            }
            6 => {
                let level = level(fields)?;
                self.levels[level].remove(&fields.varint64().ok_or(CUT)?);
            }
            7 => {
                let level = level(fields)?;
                let number = fields.varint64().ok_or(CUT)?;
                let size = fields.varint64().ok_or(CUT)?;
                let (smallest, largest) = (internal_key(fields)?, internal_key(fields)?);
                added.push((level, TableFile { number, level, size, smallest, largest }));
            }
            9 => self.previous_log_number = fields.varint64().ok_or(CUT)?,
            _ => return Err("an edit of the manifest has an unknown field"),
        }
        Ok(())
    }
}

fn level(fields: &mut FieldDecoder<'_>) -> std::result::Result<usize, &'static str> {
    let level = fields.varint32().and_then(|level| usize::try_from(level).ok());
    level.filter(|&level| level < LEVELS).ok_or("an edit of the manifest has a wrong level")
}

fn internal_key(fields: &mut FieldDecoder<'_>) -> std::result::Result<Vec<u8>, &'static str> {
    let key = fields.prefixed().filter(|key| InternalKey::parse(key).is_some());
    key.map(<[u8]>::to_vec).ok_or("an edit of the manifest has a wrong key")
}

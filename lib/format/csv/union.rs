//! The columns of all records: which they are is known at the end only, so the records are kept
//! until then, what is much of them in a temporary file.

use std::collections::HashSet;
use std::path::Path;

use super::cell::CellRefusal;
use crate::error::Result;
use crate::format::contiguous::{MEMORY_BYTES, show_parts};
use crate::record::scan;
use crate::record::text::string_bytes;
use crate::spool::Spool;

/// The most columns there may be: their names are kept in memory.
const MOST_COLUMNS: usize = 1 << 16;

/// Records, and the columns that they have.
pub(super) struct Union {
    spool: Spool,
    names: Vec<Vec<u8>>,
    seen: HashSet<Vec<u8>>,
}

impl Union {
    /// None yet; what is much of them will be kept in `directory`.
    pub(super) fn new(directory: &Path) -> Union {
        let spool = Spool::new(Vec::new(), MEMORY_BYTES, directory);
        Union { spool, names: Vec::new(), seen: HashSet::new() }
    }

    /// Takes note of the columns of a record.
    pub(super) fn see(&mut self, record: &[u8]) -> CellRefusal {
        if record.first() != Some(&b'{') {
            return Err("it is no object, and columns=union is for objects".into());
        }
        for (literal, _) in scan::members(record) {
            let name = string_bytes(literal);
            if self.seen.contains(name.as_ref()) {
                continue;
            }
            if std::str::from_utf8(&name).is_err() {
                return Err("a name holds a lone surrogate".into());
            }
            if self.names.len() == MOST_COLUMNS {
                return Err(format!(
                    "with it there are over {MOST_COLUMNS} columns (col=NAME chooses)"
                ));
            }
            self.names.push(name.to_vec());
            self.seen.insert(name.into_owned());
        }
        Ok(())
    }

    /// Keeps records whose columns were seen.
    ///
    /// # Errors
    /// When there is no room.
    pub(super) fn keep(&mut self, records: &[u8]) -> Result<()> {
        self.spool.push(records)
    }

    /// The columns, in the order in which they came up.
    pub(super) fn names(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.names)
    }

    /// Shows all records again.
    ///
    /// # Errors
    /// When they cannot be read; what `show` says.
    pub(super) fn replay(self, mut show: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        show_parts(&self.spool, 1, |_, records| show(records))
    }
}

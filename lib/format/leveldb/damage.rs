//! Damage that is passed over (`--bad`): what it hides, so that nothing wrong is read in its place.
//!
//! Of the entries for a key the newest is true. Where a part of a table cannot be read, an older
//! entry for one of its keys may look as if it were the newest: a value that was replaced, a key
//! that was deleted. The index and the manifest say between which keys the part lies. A key
//! between them counts only when its entry lies in a table, or a log, that is newer than the part;
//! otherwise it is a bad record too.

use std::sync::Arc;

use super::key::excerpt;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{ReadOptions, Warn};
use crate::record::bad::Bad;
use crate::record::text::push_bytes;

/// Where a table stands among the others, which says whose entry for a key is newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Age {
    /// Entries sink from level to level.
    pub(super) level: usize,
    /// On the first, the numbers of the tables say in which order they came.
    pub(super) number: u64,
}

impl Age {
    /// Whether its entry for a key is surely newer than that of the other.
    fn is_newer_than(self, other: Age) -> bool {
        let first_level = self.level == 0 && other.level == 0;
        self.level < other.level || first_level && self.number > other.number
    }
}

/// A part of a table that was passed over: its keys lie between these, both included.
struct Gap {
    from: Vec<u8>,
    to: Vec<u8>,
    age: Age,
}

/// What happens to damage, and what was passed over that matters still.
pub(super) struct Damage {
    bad: Option<Arc<Bad>>,
    warn: Warn,
    gaps: Vec<Gap>,
}

impl Damage {
    /// Damage is an error.
    pub(super) fn is_an_error() -> Damage {
        Damage { bad: None, warn: Arc::new(|_| ()), gaps: Vec::new() }
    }

    /// Damage is a bad record.
    pub(super) fn is_bad(options: &ReadOptions) -> Damage {
        let bad = (!options.bad.is_strict()).then(|| Arc::clone(&options.bad));
        Damage { bad, warn: Warn::clone(&options.warn), gaps: Vec::new() }
    }

    /// Passes over what `error` says of a part of a table of this age, with keys from `from` to
    /// `to`.
    ///
    /// # Errors
    /// `error`, where that is not allowed.
    pub(super) fn pass(&mut self, error: Error, from: &[u8], to: &[u8], age: Age) -> Result<()> {
        let Some(bad) = self.bad.as_ref().filter(|_| error.kind() == ErrorKind::BadInput) else {
            return Err(error);
        };
        let (first, last) = (excerpt(from), excerpt(to));
        let said = format!("{error}; passed over, with keys from {first} to {last}");
        bad.reject(error, b"null")?;
        (self.warn)(&said);
        self.gaps.push(Gap { from: from.to_vec(), to: to.to_vec(), age });
        Ok(())
    }

    /// Whether the newest entry that was found for a key, in a table of this age or in a log, may
    /// be older than one that was passed over. Keys are asked for in their order.
    #[inline]
    pub(super) fn hides(&mut self, key: &[u8], age: Option<Age>) -> bool {
        if self.gaps.is_empty() {
            return false;
        }
        self.gaps.retain(|gap| gap.to.as_slice() >= key);
        let over = |gap: &Gap| gap.from.as_slice() <= key;
        age.is_some_and(|age| self.gaps.iter().any(|gap| over(gap) && !age.is_newer_than(gap.age)))
    }

    /// Drops the entry of a key that is hidden.
    ///
    /// # Errors
    /// When there are too many bad records.
    pub(super) fn doubt(&self, key: &[u8], value: &[u8], error: Error) -> Result<()> {
        let mut record = vec![b'['];
        push_bytes(&mut record, key);
        record.push(b',');
        push_bytes(&mut record, value);
        record.push(b']');
        let what = format!("key {} may have a newer value in what is damaged", excerpt(key));
        match &self.bad {
            Some(bad) => bad.reject(error.at(what), &record),
            None => Err(error),
        }
    }
}

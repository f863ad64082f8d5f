//! Joins: the records of one stream, the left one, each with those of another that have its key.
//!
//! - What the right stream has is read first ([`side`]). If it fits into the memory, it becomes a
//!   hash table ([`mod@matches`]) and the left stream flows by it, on many threads ([`hashed`]).
//! - If it does not, both are sorted by key, go by each other once, and what comes of the left
//!   records is sorted back into their order ([`cogrouped`]).
//!
//! Either way gives the same bytes: the left records in their order, each with its matches in the
//! order of the right stream ([`joined`] says how two become one), then, of an outer join, what of
//! the right has no partner, in its order. A record whose key is null or is not there has none.

mod cogrouped;
mod hashed;
mod joined;
mod matches;
mod side;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::joined::Adding;
use self::side::{RightSide, Sides};
use super::order::Limits;
use crate::error::{Error, Result};
use crate::record::bad::Bad;
use crate::record::key::KeyPart;
use crate::record::key_pair::KeyPair;
use crate::record::scan::Step;
use crate::record::stream::{Facts, Input, Output, Summary};

/// Which records come out of a join.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JoinKind {
    /// Each pair of records with the same key, as one record.
    #[default]
    Inner,
    /// These, and the left records that have no partner.
    Left,
    /// These, and the right records that have none.
    Outer,
    /// The left records that have a partner, as they are.
    Semi,
    /// The left records that have none, as they are.
    Anti,
}

impl JoinKind {
    /// Whether two records become one.
    fn merges(self) -> bool {
        matches!(self, JoinKind::Inner | JoinKind::Left | JoinKind::Outer)
    }

    /// Whether a left record comes out as it is, of which is known whether it has a partner.
    fn keeps(self, has_partner: bool) -> bool {
        match self {
            JoinKind::Inner => false,
            JoinKind::Semi => has_partner,
            JoinKind::Left | JoinKind::Outer | JoinKind::Anti => !has_partner,
        }
    }
}

/// What a join is to do.
#[derive(Clone, Debug)]
pub struct Join {
    /// The keys of the two sides.
    pub keys: KeyPair,
    /// Which records come out.
    pub kind: JoinKind,
    /// What stands in front of the names of fields that come from the right.
    pub prefix: String,
}

impl Join {
    /// Checks that the fields of a right record are as many with their prefix as without.
    ///
    /// # Errors
    /// `Usage` where a field and one of the key could get one name.
    pub fn check(&self) -> Result<()> {
        let prefix = self.prefix.as_bytes();
        let begins_so = |part: &&KeyPart| match part.path.as_slice() {
            [Step::Name(name)] => !prefix.is_empty() && name.starts_with(prefix),
            _ => false,
        };
        match self.keys.right.parts.iter().find(begins_so) {
            Some(part) if self.kind == JoinKind::Outer => Err(Error::usage(format!(
                "--prefix {}: '{}', of the key of the right records, begins so: say another",
                self.prefix, part.text
            ))),
            _ => Ok(()),
        }
    }
}

/// Takes what is to be said of a join: `warn` what its user should know, `note` what those want to
/// know who asked.
pub struct JoinVoice<'a> {
    /// Takes warnings.
    pub warn: &'a dyn Fn(&str),
    /// Takes what was chosen.
    pub note: &'a dyn Fn(&str),
}

/// Joins the records of `left` with those of `right`, which is read first.
///
/// # Errors
/// `Usage` for a prefix that is none; `BadInput` for a bad record, and for two that both have a field
/// beside the key; `Storage` when there is no room to spill; what the streams say.
pub fn join(
    join: &Join,
    limits: &Limits,
    bad: &Arc<Bad>,
    (left, right): (impl Input + 'static, impl Input + 'static),
    output: &mut impl Output,
    voice: &JoinVoice<'_>,
) -> Result<Summary> {
    join.check()?;
    let adding = Adding::new(&join.keys.right, &join.prefix);
    let sides = Arc::new(Sides::new(join, adding, limits, bad, (left.name(), right.name())));
    let held = side::read_right(&sides, limits, bad, right)?;
    output.declare(&Facts::default())?;
    let mut summary = match held {
        RightSide::Held(runs) => {
            let records: usize = runs.iter().map(|run| run.items().len()).sum();
            let name = sides.right.judge.name();
            (voice.note)(&format!("{name}: {records}, held in memory as a hash table"));
            hashed::join(&sides, limits, bad, runs, left, output)?
        }
        RightSide::Sorting(sorter) => {
            let name = sides.right.judge.name();
            (voice.note)(&format!(
                "{name}: too large for the memory (-S), so both sides are sorted by the key"
            ));
            cogrouped::join(&sides, limits, bad, sorter, left, output)?
        }
    };
    output.flush()?;
    for side in [&sides.left, &sides.right] {
        side.lack().iter().for_each(|text| (voice.warn)(text));
        let read = side.judge.summary();
        summary.records_in += read.records_in;
        summary.bytes_in += read.bytes_in;
    }
    summary.bad = bad.count();
    Ok(summary)
}

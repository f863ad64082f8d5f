//! The course of an exchange through its rounds: what each leaves to the next one, whether there is one, and what was
//! made. It knows no connection, no thread and no clock, so that every order of events can be played to it.

use std::collections::BTreeMap;

use crate::engine::exchange::planner::{KeyRange, StuckShards};
use crate::error::{Error, ErrorKind, Result};
use crate::record::bytes::Bytes;
use crate::record::digest::Contents;

/// A shard that is made, as the manifest is to name it.
#[derive(Clone, Debug)]
pub(super) struct MadeShard {
    /// The hosts that it lies on, if it holds anything.
    pub(super) hosts: Vec<String>,
    /// What it holds.
    pub(super) contents: Contents,
}

impl MadeShard {
    /// One that holds nothing.
    pub(super) fn nothing() -> MadeShard {
        MadeShard { hosts: Vec::new(), contents: Contents::default() }
    }
}

/// The rounds so far.
#[derive(Default)]
pub(super) struct Course {
    /// How many there were.
    rounds: u32,
    /// The hosts that are there and are left aside: they have no room to sort what lies there, for this reason, or who
    /// reads what they made cannot have it.
    aside: BTreeMap<String, Option<String>>,
    /// The ranges that the keys were cut into.
    ranges: Vec<KeyRange>,
    /// What was made.
    made: BTreeMap<u64, MadeShard>,
}

/// How a round failed.
pub(super) struct RoundFailure<'a> {
    pub(super) error: &'a Error,
    /// The shards that made it fail, if it did for such.
    pub(super) stuck: Option<&'a StuckShards>,
    /// Whether a host was lost.
    pub(super) has_lost: bool,
    /// Whether there is who makes shards again.
    pub(super) can_remake: bool,
}

/// With what the next round begins again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// The hosts that are left.
    Others,
    /// All but the one that has no room.
    WithoutFull,
    /// All, and the shards that were no good are made again elsewhere.
    Remade,
}

impl Course {
    /// Another round begins: its number, and the ranges that it is to have, if it is told.
    pub(super) fn begin(&mut self) -> (u32, Vec<KeyRange>) {
        self.rounds += 1;
        (self.rounds, self.ranges.clone())
    }

    /// The ranges that a round has cut the keys into, if it has.
    pub(super) fn cut(&mut self, ranges: Vec<KeyRange>) {
        if !ranges.is_empty() {
            self.ranges = ranges;
        }
    }

    /// The first key of each range but the first one.
    pub(super) fn cuts(&self) -> Vec<Bytes> {
        self.ranges.iter().filter_map(|range| range.from.clone().map(Bytes)).collect()
    }

    /// A host is left aside from now on: who reads what it made cannot have it.
    pub(super) fn set_aside(&mut self, host: &str) {
        self.aside.entry(host.to_string()).or_default();
    }

    /// Whether a host is left aside.
    pub(super) fn is_aside(&self, host: &str) -> bool {
        self.aside.contains_key(host)
    }

    /// Why the first host has no room that has none.
    pub(super) fn full(&self) -> Option<&str> {
        self.aside.values().flatten().next().map(String::as_str)
    }

    /// What follows a round that failed; none where that is the end.
    pub(super) fn after(&mut self, failure: &RoundFailure<'_>) -> Option<Again> {
        let RoundFailure { error, stuck, has_lost, can_remake } = failure;
        if *has_lost && matches!(error.kind(), ErrorKind::Hosts | ErrorKind::Incomplete) {
            return Some(Again::Others);
        }
        let stuck = stuck.filter(|_| *can_remake)?;
        if !stuck.full {
            return Some(Again::Remade);
        }
        let is_new = self.aside.insert(stuck.host.clone(), Some(error.to_string())).is_none();
        is_new.then_some(Again::WithoutFull)
    }

    /// Takes note of a shard that was made, and whether it is for the first time.
    ///
    /// # Errors
    /// `Incomplete` when it is not what it was then.
    pub(super) fn note(&mut self, number: u64, made: &MadeShard) -> Result<bool> {
        if self.made.get(&number).is_some_and(|before| before.contents != made.contents) {
            let text = "made again after a host was lost, is not what it was";
            return Err(Error::incomplete(format!("shard {number}, {text}")));
        }
        Ok(self.made.insert(number, made.clone()).is_none())
    }

    /// How many shards were made.
    pub(super) fn made_count(&self) -> usize {
        self.made.len()
    }

    /// What was made as a shard, if it was.
    pub(super) fn made(&self, number: u64) -> Option<&MadeShard> {
        self.made.get(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_that_is_made_again_must_be_what_it_was() {
        let mut course = Course::default();
        let contents = Contents { records: 2, bytes: 4, sum: 7, hash: 8 };
        let on = |host: &str, contents| MadeShard { hosts: vec![host.into()], contents };
        assert!(course.note(3, &on("n1", contents)).unwrap());
        assert!(!course.note(3, &on("n2", contents)).unwrap());
        assert_eq!(course.made(3).unwrap().hosts, ["n2"]);
        for other in [
            Contents { hash: 9, ..contents },
            Contents { sum: 9, ..contents },
            Contents { records: 9, ..contents },
            Contents { bytes: 9, ..contents },
        ] {
            let error = course.note(3, &on("n3", other)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Incomplete);
        }
        assert_eq!((course.made(3).unwrap().contents, course.made_count()), (contents, 1));
    }
}

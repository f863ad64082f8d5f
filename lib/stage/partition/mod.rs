//! The steps of a stage over partitions, where another system runs them and carries the data between
//! (`mc-spark`). Each is a filter: files are cut into parts ([`parts`]), which are read; records are dealt to
//! the partitions of the next stage by their keys, or reduced to parts of groups first ([`deal`]); there they
//! are taken, and sorted or merged ([`mod@take`]).
//!
//! What goes from a partition to another one is *parcels*, behind which an end says what they were, so that
//! one that was lost, damaged or doubled on the way is noticed. A parcel is a letter for what it is, the
//! number of its partition and its length (`u32`, little endian), and so many bytes. What writes one names
//! the partition that it goes to; what reads one is told from which it came.

pub mod deal;
pub mod parts;
pub mod take;

use serde::Deserialize;
use xxhash_rust::xxh3::Xxh3;

use crate::aggregate::Op;
use crate::error::{Error, Result};
use crate::group::grouping::Grouping;
use crate::group::order::Order;
use crate::record::bytes::Bytes;
use crate::record::key::{Keyer, Keys, Missing};
use crate::stage::partition::parts::{FileToCut, PartToRead};

/// The letter of a parcel of data, and that of an end.
const DATA: u8 = b'd';
const END: u8 = b'e';

/// The bytes before those of a parcel.
const HEAD_BYTES: usize = 9;

/// What a step is to do. Of the fields each step uses some.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PartitionJob {
    /// What messages call the input.
    pub name: String,
    /// The number of the partition that is worked on.
    pub partition: u64,
    /// How many partitions what is taken comes from.
    pub sources: u32,
    /// The files that are to be cut, and how many bytes the parts are to have, about.
    pub files: Vec<FileToCut>,
    /// See there.
    pub size: u64,
    /// The parts that are to be read.
    pub parts: Vec<PartToRead>,
    /// The key, as `-k` spells it; none makes one group of all records.
    pub key: Option<String>,
    /// The first parts of it, by which records are dealt; none means by all.
    pub deal_by: Option<String>,
    /// What orders the records of one key, spelled like a key.
    pub order_by: String,
    /// The whole in reverse order.
    pub reverse: bool,
    /// Only the first record of each key.
    pub unique: bool,
    /// What becomes of records without the key.
    pub missing: Missing,
    /// The results of each group, each with its name.
    pub ops: Vec<(String, String)>,
    /// The texts that count as a missing operand.
    pub nulls: Vec<String>,
    /// Where the keys are cut: what lies before the first goes to partition 0.
    pub cuts: Vec<Bytes>,
}

impl PartitionJob {
    /// Reads what was given as JSON.
    ///
    /// # Errors
    /// `Usage` for what is none.
    pub fn parse(json: &str) -> Result<PartitionJob> {
        serde_json::from_str(json).map_err(|e| Error::usage(format!("the job: {e}")))
    }

    fn keys(&self) -> Result<Keys> {
        Keys::parse(self.key.as_deref().unwrap_or_default())
    }

    /// What the records are put in order of.
    fn order(&self) -> Result<Order> {
        let order_by = match self.order_by.as_str() {
            "" => Vec::new(),
            parts => Keys::parse(parts)?.parts,
        };
        Ok(Order {
            keys: self.keys()?,
            order_by,
            reverse: self.reverse,
            missing: self.missing,
            unique: self.unique,
        })
    }

    /// What finds the keys by which records are dealt.
    fn dealt_by(&self) -> Result<Keyer> {
        let keys = match &self.deal_by {
            Some(parts) => Keys::parse(parts)?,
            None => self.keys()?,
        };
        Ok(Keyer::new(&keys, self.missing, &[]).reversed(self.reverse))
    }

    /// The groups, and what is computed of each.
    fn grouping(&self, max_record: usize) -> Result<Grouping> {
        let op = |(name, text): &(String, String)| {
            Op::parse(text).map(|op| Op { name: name.clone(), ..op })
        };
        let ops = self.ops.iter().map(op).collect::<Result<Vec<Op>>>()?;
        let keys = self.key.as_deref().map(Keys::parse).transpose()?;
        let grouping = Grouping::new(keys, ops, self.missing, max_record)?;
        Ok(grouping.with_nulls(self.nulls.clone()))
    }

    /// The number of the partition that a key goes to.
    fn target(&self, key: &[u8]) -> usize {
        self.cuts.partition_point(|cut| cut.0.as_slice() <= key)
    }
}

/// What went from one partition to another: how many bytes, and their XXH3 (128 bits).
#[derive(Clone, Default)]
struct Sum {
    bytes: u64,
    hash: Xxh3,
}

/// The bytes of a [`Sum`] in an end.
const SUM_BYTES: usize = 24;

impl Sum {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
    }

    fn encoded(&self) -> [u8; SUM_BYTES] {
        let mut encoded = [0; SUM_BYTES];
        encoded[..8].copy_from_slice(&self.bytes.to_le_bytes());
        encoded[8..].copy_from_slice(&self.hash.digest128().to_le_bytes());
        encoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_split_no_key_and_are_in_order() {
        let cuts = vec![Bytes(b"b".to_vec()), Bytes(b"d".to_vec())];
        let job = PartitionJob { cuts, ..PartitionJob::default() };
        let targets = ["", "a", "b", "ba", "c", "d", "e"].map(|key| job.target(key.as_bytes()));
        assert_eq!(targets, [0, 0, 1, 1, 1, 2, 2]);
        assert_eq!(PartitionJob::default().target(b"x"), 0);
    }

    #[test]
    fn a_job_is_json_and_nothing_else() {
        let job = PartitionJob::parse(r#"{"key":"a:n,b","cuts":["AAE="],"missing":"skip"}"#);
        let job = job.unwrap();
        assert_eq!((job.cuts[0].0.as_slice(), job.missing), (&[0, 1][..], Missing::Skip));
        for json in ["", "{", r#"{"keys":"a"}"#, r#"{"missing":"x"}"#, r#"{"cuts":["?"]}"#] {
            assert_eq!(PartitionJob::parse(json).unwrap_err().exit_code(), 2, "{json}");
        }
    }
}

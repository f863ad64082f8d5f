//! The messages of an exchange: shards are sorted where they lie, their keys are cut into ranges,
//! and each range is merged on one host, which gets the parts of it from all.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::record::bytes::Bytes;
use crate::record::digest::{Contents, hex};
use crate::record::key::Missing;
use crate::wire::json::encode;
use crate::wire::shard::Fetch;

/// How many segments a host offers at most: each is a stream in every merge.
pub const SEGMENTS_MAX: usize = 64;

/// How many bytes of a part are not of items, at most: the lengths of its segments, 8 bytes each.
pub const PART_HEADS: u64 = 8 * SEGMENTS_MAX as u64;

/// What an exchange is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// Its number.
    pub number: u32,
    /// The key, as `-k` spells it; none makes one group of all records.
    pub keys: Option<String>,
    /// What orders the records of one key, spelled like a key; empty for their places in the input.
    pub order_by: String,
    /// The whole in reverse order.
    pub reverse: bool,
    /// What becomes of records without the key, and of missing operands.
    pub missing: Missing,
    /// Only the first record of each key counts.
    pub unique: bool,
    /// Whether the records of a key may lie in several ranges.
    pub spread: bool,
    /// The results of each group, as names and ops; none gives the records.
    pub ops: Vec<(String, String)>,
    /// The texts that count as a missing operand.
    pub nulls: Vec<String>,
    /// Whether the shards have to be in the order of the key already.
    pub in_order: bool,
    /// The longest record in bytes.
    pub max_record: u64,
}

/// Shards of a host, to be sorted there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SortTask {
    /// The exchange.
    pub exchange: u32,
    /// The shards.
    pub shards: Vec<SourceShard>,
}

/// A shard of an exchange.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceShard {
    /// Its number in the exchange: of records with the same key those of the lower one come first. Where it lies it
    /// may have another one, if it was made again.
    pub number: u64,
    /// Where it lies.
    pub fetch: Fetch,
    /// What it must hold.
    pub contents: Contents,
}

/// So many items, and the sum, modulo 2^128, of the XXH3 (128 bits) of their texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// How many.
    pub items: u64,
    /// The sum.
    #[serde(with = "hex")]
    pub sum: u128,
}

impl Tally {
    /// Counts an item with this hash.
    pub fn count(&mut self, hash: u128) {
        self.items = self.items.saturating_add(1);
        self.sum = self.sum.wrapping_add(hash);
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: Tally) {
        self.items = self.items.saturating_add(other.items);
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// What was sorted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SortResult {
    /// The records that were read.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What was made of them: the same records, or parts of groups.
    pub made: Tally,
    /// Records that are not the first of their key, which are not made anything of.
    pub doubles: Tally,
    /// Records without the key, which were dropped.
    pub missing: u64,
    /// Records that lack an operand, which was left out.
    pub lacking: u64,
    /// Bytes that went through temporary files.
    pub spilled: u64,
    /// The first and the last key of each shard that has any, where shards have to be in order.
    pub ends: Vec<(u64, Bytes, Bytes)>,
}

/// What a host has to offer once all its shards are sorted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostOffer {
    /// What it has.
    pub offered: Tally,
    /// How many bytes the items are, with their keys: its parts of all ranges together.
    pub bytes: u64,
    /// The beginnings of keys, in order, and how many bytes lie from each to the next.
    pub samples: Vec<(Bytes, u64)>,
}

/// A range to be merged: a shard is made of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergeTask {
    /// The exchange.
    pub exchange: u32,
    /// The number of the shard, from 1.
    pub shard: u64,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// Its first key.
    pub from: Option<Bytes>,
    /// The first key behind it.
    pub to: Option<Bytes>,
    /// Where its parts are.
    pub sources: Vec<RangeSource>,
}

/// A shard of whole groups, in their order: a shard of their results is made of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reduce {
    /// The exchange, which says how.
    pub exchange: u32,
    /// The shard; that of the results has the same number in the exchange.
    pub shard: SourceShard,
}

/// A host that has a part of a range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RangeSource {
    /// The host that merges.
    Here,
    /// A peer of this name, which gives it to who shows this token.
    Peer(String, String),
    /// The tool brings it.
    Relay,
}

/// The workers of an exchange, and where they listen: the same to all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peers {
    /// The exchange.
    pub exchange: u32,
    /// The workers that listen.
    pub peers: Vec<Peer>,
    /// What the tokens are made with that this host takes: only the tool and this host know it.
    pub secret: String,
}

/// What shows that the tool has given a range to merge to who asks for its part, of the host with
/// this secret: nobody else can make it.
pub fn token(secret: &str, from: &Option<Bytes>, to: &Option<Bytes>) -> String {
    let bounds = encode(&(from, to));
    let inner = Sha256::new().chain_update(secret).chain_update(&bounds).finalize();
    // Twice, so that nothing can be added behind the bounds.
    let outer = Sha256::new().chain_update(secret).chain_update(inner).finalize();
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The error for a host that gives more than it said that it has.
pub fn too_much() -> Error {
    Error::incomplete("it sends more than it has sorted")
}

/// A part that the tool is to bring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayRequest {
    /// Which source of the merge has it, from 0.
    pub source: u32,
    /// Why it does not come from there directly, where that was tried.
    pub why: Option<String>,
}

/// A part that the tool brings: its data follows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayedPart {
    /// The request that asked for the merge.
    pub merge: u32,
    /// Which of its sources this is, from 0.
    pub source: u32,
}

/// What a range became.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merged {
    /// The shard.
    pub contents: Contents,
    /// The items that came, where there was an exchange.
    pub came: Tally,
    /// Those of them that are not the first of their key, and were dropped for that.
    pub doubles: Tally,
    /// Records without the key, which were dropped.
    pub missing: u64,
    /// Records that lack an operand, which was left out.
    pub lacking: u64,
    /// Bytes that went through temporary files.
    pub spilled: u64,
    /// Bytes that came from peers, and from the tool.
    pub direct: u64,
    /// Those that came by way of the tool.
    pub relayed: u64,
}

/// Another worker of the same exchange.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// What the tool calls it.
    pub name: String,
    /// Where it listens: addresses of sockets, best first.
    pub addresses: Vec<String>,
    /// The one public key that it shows, as DER.
    pub public_key: Bytes,
    /// How many bytes its parts are at most, all together.
    pub most: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_one_range_and_one_host() {
        let bound = |key: &str| Some(Bytes(key.as_bytes().to_vec()));
        let one = token("secret", &bound("a"), &bound("b"));
        assert_eq!(one, token("secret", &bound("a"), &bound("b")));
        for (secret, from, to) in [
            ("other", bound("a"), bound("b")),
            ("secret", bound("a"), None),
            ("secret", None, bound("b")),
            ("secret", bound("ab"), bound("b")),
            ("secret", bound("a"), bound("c")),
        ] {
            assert_ne!(one, token(secret, &from, &to));
        }
    }
}

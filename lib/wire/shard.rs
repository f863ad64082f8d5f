//! Shards, as tools and workers name them.

use serde::{Deserialize, Serialize};

/// A shard on this host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fetch {
    /// Its run.
    pub run: String,
    /// Its number.
    pub shard: u64,
}

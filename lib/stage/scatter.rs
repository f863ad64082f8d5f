//! `mc-scatter`: records, or shards, onto hosts as they are.

use crate::engine::consumer::ConsumerInput;
use crate::engine::producer::Producer;
use crate::engine::shard_job::ShardJob;
use crate::error::Result;
use crate::record::stream::{Output, Summary};

/// Puts what `feed` gives on hosts, and writes the manifest to `output`. The shards are there until
/// the producer ends: see [`Producer::stay`].
///
/// # Errors
/// `BadInput` for bad records, `Hosts` when hosts cannot be reached or are lost with shards, and
/// what the streams say.
pub fn run(
    job: &ShardJob<'_>,
    feed: ConsumerInput,
    output: &mut dyn Output,
) -> Result<(Summary, Producer)> {
    job.run(None, feed, output)
}

//! `mc-reduce` on the shards of hosts: in place, or by way of an exchange.

use super::{GroupBy, OverGroups, ReduceOptions, With};
use crate::cluster::exchange as wire;
use crate::engine::consumer::{Consumer, ConsumerInput};
use crate::engine::exchange::{self, Remote};
use crate::engine::producer::Producer;
use crate::engine::shard_job::{ShardJob, ShippedCommand};
use crate::error::Result;
use crate::group::grouping::Grouping;
use crate::group::order::Order;
use crate::record::key::{Keys, Missing};
use crate::record::stream::{Facts, Output, Summary};

/// How shards of which `facts` is known can be reduced where they lie.
pub enum OnHosts {
    /// By ops.
    Ops(OpsOnHosts),
    /// Each in place, by the command.
    Command,
    /// Not at all: their records are to be brought here.
    No,
}

/// How ops are computed of shards.
pub struct OpsOnHosts {
    what: wire::Exchange,
    /// Whether no group lies in two shards, so that each can be reduced in place.
    in_place: bool,
}

impl OpsOnHosts {
    /// Whether nothing goes from host to host for it.
    pub(super) fn is_in_place(&self) -> bool {
        self.in_place
    }
}

/// How shards of which `facts` is known are reduced.
///
/// # Errors
/// `Usage`, when the key is none.
pub fn way(options: &ReduceOptions, facts: &Facts) -> Result<OnHosts> {
    let stream = facts.key.as_deref().map(Keys::parse).transpose()?;
    let (keys, reverse) = match (&options.by, &stream) {
        (GroupBy::Nothing, _) => (None, false),
        (GroupBy::Key(keys), _) => (Some(keys.clone()), false),
        (GroupBy::Stream, Some(keys)) => (Some(keys.clone()), facts.reverse),
        // Whether these are pairs, the first record tells.
        (GroupBy::Stream, None) => return Ok(OnHosts::No),
    };
    let whole = keys.is_some() && keys == stream && reverse == facts.reverse && !facts.spread;
    let ops = match &options.with {
        // What lacks the key is refused, or dropped, where records are looked at one by one.
        With::Command(_) if whole && (!facts.lacking || options.missing == Missing::Null) => {
            return Ok(OnHosts::Command);
        }
        With::Command(_) => return Ok(OnHosts::No),
        With::Ops(ops) => ops,
    };
    let order = Order {
        keys: keys.clone().unwrap_or_else(Keys::implied),
        order_by: Vec::new(),
        reverse,
        missing: options.missing,
        unique: false,
    };
    let what = exchange::what(&order, ops, &options.nulls, options.limits.max_record);
    let spelled = keys.as_ref().map(Keys::spelled);
    // That ops and key are sound is said here, not by a host.
    Grouping::new(keys, ops.clone(), options.missing, options.limits.max_record)?;
    let in_order = spelled.is_some() && !whole;
    let what = wire::Exchange { keys: spelled, in_order, ..what };
    Ok(OnHosts::Ops(OpsOnHosts { what, in_place: whole }))
}

/// Computes ops of the shards, in place or of parts of groups that are exchanged, and writes the
/// manifest of the results to `output`.
///
/// # Errors
/// `BadInput` for a bad record or an operand that is none, `Hosts` when hosts cannot be reached, or
/// are lost with shards.
pub fn ops(
    OpsOnHosts { what, in_place }: OpsOnHosts,
    remote: &Remote<'_>,
    shards: Box<Consumer>,
    output: &mut dyn Output,
) -> Result<(Summary, Producer)> {
    if in_place && remote.ranges.is_none() {
        return exchange::reduce(what, remote, shards, output);
    }
    exchange::exchange(what, Facts::default(), remote, shards, output)
}

/// Runs the command on the shards where they lie, as `job` says, and writes the manifest of what it
/// printed to `output`. `shipped` is the command as it is to be there.
///
/// # Errors
/// `Command` or `Timeout` for a command that failed, `BadInput` for what it printed, `Hosts` when
/// hosts cannot be reached, or are lost with shards.
pub fn command(
    over_groups: &OverGroups,
    shipped: &ShippedCommand,
    job: &ShardJob<'_>,
    shards: Box<Consumer>,
    output: &mut dyn Output,
) -> Result<(Summary, Producer)> {
    job.run(Some((&over_groups.plan, shipped)), ConsumerInput::Shards(shards), output)
}

//! `mc-shuffle`: records grouped by key. Equal keys are adjacent and in key order, which makes a
//! shuffle on one machine a stable sort; or, with `--reduce`, what becomes of the groups.

use std::sync::Arc;

use crate::aggregate::Op;
use crate::engine::consumer::Consumer;
use crate::engine::exchange::{self, Remote};
use crate::engine::producer::Producer;
use crate::error::Result;
use crate::explain::outline::OpOutline;
use crate::explain::schema::StagePlan;
use crate::group::grouping::Grouping;
use crate::group::order::{self, Limits, Order};
use crate::group::reduce;
use crate::record::bad::Bad;
use crate::record::stream::{Facts, Input, Output, Summary};

/// What `mc-shuffle` is to do.
pub struct ShuffleOptions {
    /// The key, and what orders the records inside a group.
    pub order: Order,
    /// What it may use.
    pub limits: Limits,
    /// What happens to bad records.
    pub bad: Arc<Bad>,
    /// The results to print of each group, instead of its records; none prints the records.
    pub ops: Vec<Op>,
    /// The texts that count as a missing operand.
    pub nulls: Vec<String>,
}

impl ShuffleOptions {
    /// Says in `stage` what would be done there, which knows what is read and where it is done.
    pub fn explain(&self, stage: &mut StagePlan) {
        stage.mode = Some("shuffle".into());
        stage.order(&self.order);
        stage.ops = OpOutline::of(&self.ops);
        stage.nulls.clone_from(&self.nulls);
        let facts = if self.ops.is_empty() { self.order.facts() } else { Facts::default() };
        stage.sorted(&facts, &self.limits.directory);
    }
}

/// Groups the records of `input`, and reduces the groups if there are ops.
///
/// # Errors
/// `BadInput` for a record that is bad or has no key; `Storage` when there is no room to spill;
/// what the streams say.
pub fn run(
    options: &ShuffleOptions,
    input: impl Input + 'static,
    output: &mut impl Output,
) -> Result<Summary> {
    let ShuffleOptions { order, limits, bad, ops, nulls } = options;
    if ops.is_empty() {
        return order::sort(order, limits, bad, input, output);
    }
    let keys = Some(order.keys.clone());
    let grouping = Grouping::new(keys, ops.clone(), order.missing, limits.max_record)?;
    let grouping = grouping.with_nulls(nulls.clone());
    output.declare(&Facts::default())?;
    match order.order_by.is_empty() {
        true => reduce::by_hashing(grouping, limits, bad, input, output),
        false => reduce::by_sorting(grouping, order, limits, bad, input, output),
    }
}

/// Groups the records of shards where they lie, and writes the manifest of others: of the groups, or
/// of what becomes of them.
///
/// # Errors
/// As [`exchange::exchange`].
pub fn run_on_hosts(
    options: &ShuffleOptions,
    remote: &Remote<'_>,
    consumer: Box<Consumer>,
    output: &mut dyn Output,
) -> Result<(Summary, Producer)> {
    let ShuffleOptions { order, limits, ops, nulls, .. } = options;
    let what = exchange::what(order, ops, nulls, limits.max_record);
    let facts = if ops.is_empty() { order.facts() } else { Facts::default() };
    exchange::exchange(what, facts, remote, consumer, output)
}

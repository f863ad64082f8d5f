//! The exchange: shards that lie on hosts become other shards on them, in the order of a key, or the
//! results of groups. Only what is said about them passes through here, and the parts of ranges
//! where hosts cannot reach one another.
//!
//! 1. Every shard is sorted where it lies, as its line of the manifest comes.
//! 2. Each host tells samples of its keys, and cuts divide the keys into ranges: so many that each is
//!    of a size, whatever the number of hosts. Any cuts give the same bytes. What a host offers is
//!    weighed, and more than that is taken of nobody.
//! 3. Each range is merged on one host, which gets the parts of it from all. Its shard has the number
//!    of the range, so the shards together are in order.
//!
//! Where groups lie whole in shards already they are reduced in place, without all that.
//!
//! What is done when is the [`planner`]'s to say; the [`driver`] performs it, with a thread for each
//! of the [`tasks`]. When a host is lost with what it had sorted, the others do it again, in another of
//! the [`rounds`], as their [`course`] has it.
//!
//! Nothing may be lost or doubled on the way: what was made of the records when they were sorted is
//! counted, with the sum of their hashes, and so is what came out of the merges.

mod course;
mod driver;
mod feed;
mod planner;
mod rounds;
mod tasks;

use std::path::Path;
use std::sync::Arc;

use crate::aggregate::Op;
use crate::cluster::Greeting;
use crate::cluster::exchange as wire;
use crate::engine::consumer::Consumer;
use crate::engine::exchange::course::MadeShard;
use crate::engine::exchange::planner::Goal;
use crate::engine::exchange::rounds::Rounds;
use crate::engine::host_access::HostAccess;
use crate::engine::lineage::Rebuild;
use crate::engine::need::Need;
use crate::engine::producer::Producer;
use crate::error::{Error, ErrorKind, Result};
use crate::group::order::Order;
use crate::record::key::Keys;
use crate::record::stream::{Facts, Output, Summary};

/// How hosts exchange their shards.
pub struct Remote<'a> {
    /// How hosts are reached.
    pub reach: &'a HostAccess,
    /// Bytes of memory to stay within on each host, where the user says so.
    pub memory: Option<u64>,
    /// Where the manifest is to stay, for shards that are to be kept.
    pub keep: Option<&'a Path>,
    /// How many ranges, where the user says so.
    pub ranges: Option<u64>,
    /// How their parts go from host to host.
    pub roads: Roads,
}

/// How the parts of ranges go from host to host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Roads {
    /// Directly where that is possible, and by way of the client where it is not.
    #[default]
    Auto,
    /// Directly, or not at all.
    Direct,
    /// By way of the client.
    Relay,
}

/// What an exchange is to do: `order`, then `ops` on each group if there are any; each of `nulls`
/// is an operand that is missing.
pub fn what(order: &Order, ops: &[Op], nulls: &[String], max_record: usize) -> wire::Exchange {
    wire::Exchange {
        number: 0,
        keys: Some(order.keys.spelled()),
        order_by: Keys { parts: order.order_by.clone() }.spelled(),
        reverse: order.reverse,
        missing: order.missing,
        unique: order.unique,
        spread: false,
        ops: ops.iter().map(|op| (op.name.clone(), op.text.clone())).collect(),
        nulls: nulls.to_vec(),
        in_order: false,
        max_record: max_record as u64,
    }
}

/// Exchanges the shards of `consumer` where they lie, and writes the manifest of the new ones, of
/// which `facts` will be known, to `output`.
///
/// # Errors
/// `Hosts` when no host can be reached, or is left, or shards that are lost with one cannot be made again;
/// `BadInput` for a record that gives no key; `Storage` when no host has room; `Incomplete` when not all
/// came through.
pub fn exchange(
    what: wire::Exchange,
    facts: Facts,
    remote: &Remote<'_>,
    consumer: Box<Consumer>,
    output: &mut dyn Output,
) -> Result<(Summary, Producer)> {
    let goal = Goal::Ranges(remote.ranges, remote.roads);
    run(what, goal, facts, remote, consumer, output)
}

/// Reduces the shards of `consumer`, in which the groups of `what` lie whole and in order, where they
/// lie, and writes the manifest of the results to `output`.
///
/// # Errors
/// As [`exchange`].
pub fn reduce(
    what: wire::Exchange,
    remote: &Remote<'_>,
    consumer: Box<Consumer>,
    output: &mut dyn Output,
) -> Result<(Summary, Producer)> {
    run(what, Goal::Reduced, Facts::default(), remote, consumer, output)
}

/// Begins a run where the shards of `consumer` lie, exchanges them, and ends it.
fn run(
    what: wire::Exchange,
    goal: Goal,
    facts: Facts,
    remote: &Remote<'_>,
    mut consumer: Box<Consumer>,
    output: &mut dyn Output,
) -> Result<(Summary, Producer)> {
    let mut producer = begin(facts, remote, &mut consumer, output)?;
    let settings = &remote.reach.settings;
    let (fleet, origin) = (producer.fleet(), &consumer.origin);
    let voice = (&settings.say, &remote.reach.observer);
    let again = remote.reach.again.as_deref();
    let rounds = Arc::new(Rounds::new(what, goal, fleet, origin, voice, again));
    producer.recover_by(Arc::clone(&rounds) as Arc<dyn Rebuild>);
    let mut write = |made: &MadeShard| {
        output.write(&producer.line(&made.hosts, &made.contents)?)?;
        output.flush()
    };
    let report = rounds.run(consumer, &mut write, || producer.has_inputs())?;
    remote.reach.lineage.cut(rounds.cuts());
    report.details.iter().for_each(|text| (settings.explain)(text));
    report.advice.iter().for_each(|text| (settings.say)(text));
    producer.end(output)?;
    let client_bytes = producer.fleet().crossed();
    Ok((Summary { client_bytes, ..report.summary }, producer))
}

/// Begins a run where the shards of `consumer` lie.
fn begin(
    facts: Facts,
    remote: &Remote<'_>,
    consumer: &mut Consumer,
    output: &mut dyn Output,
) -> Result<Producer> {
    let (reach, hosts) = (remote.reach, &consumer.origin.hosts);
    let (memory, keep) = (remote.memory, remote.keep);
    let hosts = (hosts.as_slice(), Need::those_there());
    let greeting = Greeting { memory, ..Greeting::default() };
    let mut producer = Producer::begin(reach, hosts, &greeting, keep, facts, output)?;
    producer.hold(consumer.claim.take());
    Ok(producer)
}

/// That a host is lost, and what that means.
fn lost(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Hosts => {
            Error::new(ErrorKind::Hosts, format!("{error}, and with it what it had sorted"))
        }
        _ => error,
    }
}

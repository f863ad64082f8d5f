//! The sorting of an exchange: each shard is sorted on a host that it lies on.

use std::sync::{Arc, Mutex, PoisonError};

use crate::cluster::Connection;
use crate::engine::Shard;
use crate::engine::consumer::Consumer;
use crate::engine::exchange::deal::Dealing;
use crate::engine::exchange::{NUMBER, lock, lost, refused};
use crate::engine::producer::Producer;
use crate::error::{Error, Result};
use crate::wire::exchange::{Sort, Sorted, Tally};
use crate::wire::message::{Ask, Fetch, Reply};

/// How many bytes of shards a host sorts at once into one segment.
const BATCH_BYTES: u64 = 64 << 20;

/// What was sorted in all.
#[derive(Default)]
pub(super) struct Total {
    /// What the hosts say.
    pub(super) sorted: Sorted,
    /// What their manifest says of the shards, and how many bytes they are.
    pub(super) due: Tally,
    pub(super) due_bytes: u64,
}

/// Has the shards of `consumer` sorted. With `in_order` they must be in the order of the key
/// already, each in itself and one after the other.
///
/// # Errors
/// As [`super::exchange`].
pub(super) fn sort(
    hosts: &[Arc<Connection>],
    producer: &Producer,
    consumer: Box<Consumer>,
    in_order: bool,
) -> Result<Total> {
    let (mut due, mut due_bytes) = (Tally::default(), 0u64);
    let all = Mutex::new(Sorted::default());
    let seen = |shard: &Shard| {
        due_bytes = due_bytes.saturating_add(shard.contents.bytes);
        due.add(Tally { items: shard.contents.records, sum: shard.contents.sum });
    };
    // The ends of a shard may be long: those of one fit into a message.
    let batch_bytes = if in_order { 0 } else { BATCH_BYTES };
    Dealing::new(hosts, producer, batch_bytes).run(consumer, seen, |host, batch, stop| {
        if let Some(sorted) = sort_on(host, batch, stop)? {
            take(&mut lock(&all), sorted);
        }
        Ok(())
    })?;
    let sorted = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    if in_order {
        follow_one_another(&sorted)?;
    }
    Ok(Total { sorted, due, due_bytes })
}

/// Has some shards sorted; none when it is not wanted any more.
fn sort_on(
    host: &Connection,
    batch: Vec<Shard>,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Sorted>> {
    let shards = batch
        .into_iter()
        .map(|shard| (Fetch { run: shard.run, shard: shard.number }, shard.contents));
    let ask = Ask::Sort(Sort { exchange: NUMBER, shards: shards.collect() });
    let reply = host.ask(&ask).and_then(|request| host.reply_unless(request, stop));
    match reply.map_err(lost)? {
        Some(Reply::Sorted(sorted)) => Ok(Some(sorted)),
        Some(reply) => Err(refused(host, reply)),
        None => Ok(None),
    }
}

fn take(sorted: &mut Sorted, more: Sorted) {
    sorted.records = sorted.records.saturating_add(more.records);
    sorted.bytes = sorted.bytes.saturating_add(more.bytes);
    sorted.made.add(more.made);
    sorted.doubles.add(more.doubles);
    sorted.missing = sorted.missing.saturating_add(more.missing);
    sorted.lacking = sorted.lacking.saturating_add(more.lacking);
    sorted.spilled = sorted.spilled.saturating_add(more.spilled);
    sorted.ends.extend(more.ends);
}

/// That no shard begins before the end of the one before it.
fn follow_one_another(sorted: &Sorted) -> Result<()> {
    let mut ends: Vec<_> = sorted.ends.iter().collect();
    ends.sort_by_key(|(shard, _, _)| *shard);
    for pair in ends.windows(2) {
        let ((_, _, last), (shard, first, _)) = (pair[0], pair[1]);
        if first.0 < last.0 {
            return Err(Error::input(format!(
                "shard {shard}: the input is not in the order of the key; group it first: mc-shuffle"
            )));
        }
    }
    Ok(())
}

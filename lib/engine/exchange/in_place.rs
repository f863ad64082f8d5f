//! The reducing of shards in place: where no group lies in two shards, each becomes the results of
//! its groups where it lies, and nothing is exchanged.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use crate::cluster::Connection;
use crate::engine::Shard;
use crate::engine::consumer::Consumer;
use crate::engine::exchange::deal::Dealing;
use crate::engine::exchange::{NUMBER, Remote, begin, end, lock, lost, refused};
use crate::engine::producer::Producer;
use crate::error::{Error, Result};
use crate::record::digest::Digest;
use crate::record::stream::{Facts, Output, Summary};
use crate::wire::exchange::{self as wire, Merged, Reduce};
use crate::wire::message::{Ask, Fetch, Reply};

#[derive(Default)]
struct Done {
    /// What became of shards that are not told of yet, and where it lies; nowhere if it is nothing.
    shards: BTreeMap<u64, (Option<String>, Merged)>,
    /// Whether no more come, well or not.
    ended: bool,
}

/// Reduces the shards of `consumer`, in which the groups of `what` lie whole and in order, and writes
/// the manifest of the results to `output`.
///
/// # Errors
/// As [`super::exchange`].
pub fn reduce(
    what: wire::Exchange,
    remote: &Remote<'_>,
    mut consumer: Box<Consumer>,
    output: &mut dyn Output,
) -> Result<(Summary, Producer)> {
    let (producer, hosts) = begin(&what, Facts::default(), remote, &mut consumer, output)?;
    let (done, changed) = (Mutex::new(Done::default()), Condvar::new());
    let finished = |number: u64, host: Option<String>, merged: Merged| {
        lock(&done).shards.insert(number, (host, merged));
        changed.notify_all();
    };
    let (mut records, mut bytes, mut shards) = (0, 0, 0);
    let dealing = Dealing::new(&hosts, &producer, 0);
    let told = thread::scope(|scope| {
        let telling = scope.spawn(|| {
            let told = tell(&producer, &done, &changed, output);
            if let Err(error) = &told {
                dealing.fail(Error::new(error.kind(), error.to_string()));
            }
            told
        });
        let seen = |shard: &Shard| {
            records += shard.contents.records;
            bytes += shard.contents.bytes;
            shards += 1;
            if shard.contents.bytes == 0 {
                let contents = Digest::default().contents();
                finished(shard.number, None, Merged { contents, ..Merged::default() });
            }
        };
        let dealt = dealing.run(consumer, seen, |host, batch, stop| {
            for shard in batch {
                let number = shard.number;
                let Some(merged) = reduce_on(host, shard, stop)? else { return Ok(()) };
                producer.made(host.name(), number);
                finished(number, Some(host.name().into()), merged);
            }
            Ok(())
        });
        lock(&done).ended = true;
        changed.notify_all();
        let told = telling.join().unwrap_or_else(|_| Err(Error::incomplete("internal error")));
        dealt.and(told)
    })?;
    let (told, count) = told;
    if count != shards {
        return Err(Error::incomplete(format!("of {shards} shards {count} were reduced")));
    }
    let summary = Summary { records_in: records, bytes_in: bytes, ..told };
    end(summary, producer, output)
}

/// Writes the lines of the shards, in order, as they are done; says how many they are.
fn tell(
    producer: &Producer,
    done: &Mutex<Done>,
    changed: &Condvar,
    output: &mut dyn Output,
) -> Result<(Summary, u64)> {
    let (mut summary, mut count) = (Summary::default(), 0);
    for number in 1.. {
        let mut state = lock(done);
        let next = loop {
            match state.shards.remove(&number) {
                None if !state.ended => {
                    state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                next => break next,
            }
        };
        drop(state);
        let Some((host, merged)) = next else { break };
        count = number;
        let hosts: Vec<String> = host.into_iter().collect();
        output.write(&producer.line(&hosts, &merged.contents)?)?;
        output.flush()?;
        summary.records_out = summary.records_out.saturating_add(merged.contents.records);
        summary.bytes_out = summary.bytes_out.saturating_add(merged.contents.bytes);
        summary.missing = summary.missing.saturating_add(merged.missing);
        summary.lacking = summary.lacking.saturating_add(merged.lacking);
        summary.spilled_bytes = summary.spilled_bytes.saturating_add(merged.spilled);
    }
    Ok((summary, count))
}

/// Has a shard reduced; none when it is not wanted any more.
fn reduce_on(host: &Connection, shard: Shard, stop: &dyn Fn() -> bool) -> Result<Option<Merged>> {
    let fetch = Fetch { run: shard.run, shard: shard.number };
    let ask = Ask::Reduce(Reduce { exchange: NUMBER, fetch, contents: shard.contents });
    let reply = host.ask(&ask).and_then(|request| host.reply_unless(request, stop));
    match reply.map_err(lost)? {
        Some(Reply::Merged(merged)) => Ok(Some(merged)),
        Some(reply) => Err(refused(host, reply)),
        None => Ok(None),
    }
}

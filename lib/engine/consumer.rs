//! The reading of shards: whose they are, what their manifest says, and what became of those who
//! made them. It brings no data.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::dataset::RunId;
use crate::dataset::manifest::ManifestReader;
use crate::dataset::ownership::Claim;
use crate::dataset::run_dir::{RunRecord, Split};
use crate::engine::HostedShard;
use crate::engine::host_access::HostAccess;
use crate::engine::observer::RunEvent;
use crate::engine::replay::Replay;
use crate::engine::shard_hosts::{Remaker, ShardHosts};
use crate::engine::split::CLIENT;
use crate::engine::unpublished;
use crate::error::{Error, ErrorKind, Result};
use crate::record::stream::{Facts, Input};

/// How long the end of whoever makes the shards is waited for, when some of them are not there.
pub(crate) const UPSTREAM_MAX: Duration = Duration::from_secs(10);

type Manifest = ManifestReader<Box<dyn Input>>;

/// What a stage reads.
pub enum ConsumerInput {
    /// Records.
    Records(Box<dyn Input>),
    /// Shards.
    Shards(Box<Consumer>),
}

/// A manifest that is read, and what it is of.
pub struct Consumer {
    /// The manifest.
    pub manifest: Manifest,
    /// The run.
    pub run: String,
    /// What is known of the records.
    pub facts: Facts,
    /// Holds on to the data; none where it is kept for good.
    pub claim: Option<Claim>,
    /// Where the data lies.
    pub origin: Arc<ShardHosts>,
    /// The parts of local files that the shards are, where they are such.
    splits: Vec<Split>,
    /// Where shards lie that were made again.
    moved: BTreeMap<u64, Vec<String>>,
    /// The tool that the data goes with, where it is not kept for good.
    pub(crate) owner: Option<String>,
}

impl Consumer {
    /// Begins to read the manifest in `input`.
    ///
    /// # Errors
    /// `Incomplete` when the data of the run is gone, or the tool has failed that was to make it.
    pub fn open(input: Box<dyn Input>, reach: &HostAccess) -> Result<Consumer> {
        let mut manifest = ManifestReader::new(input);
        let run = manifest.run()?;
        reach.observer.tell(&RunEvent::ReadsRun(&run.to_string()));
        let (mut record, claim) = match claim(run, reach) {
            Ok(claimed) => claimed,
            Err(error) => {
                // The tool that makes the shards has failed: that tells more.
                let failure = end(&ahead(move || manifest.next_shard(), 1)?).and_then(Result::err);
                return Err(failure.filter(|e| e.kind() == ErrorKind::Incomplete).unwrap_or(error));
            }
        };
        unpublished::read(run, &mut record, reach);
        let mut hosts = Vec::new();
        let mut settings = reach.settings.clone();
        for host in &record.hosts {
            let (found, how) = reach.to_host(host)?;
            hosts.push((found, host.name.clone()));
            settings = how;
        }
        let remaker = match &claim {
            Some(_) => reach.locks.socket_of(run).map(Remaker::Owner),
            // Whoever keeps its data for good has ended, or does not listen.
            None => {
                Replay::new(reach, run, &record).map(|replay| Remaker::Replay(Box::new(replay)))
            }
        };
        let origin = Arc::new(ShardHosts::new(hosts, settings, remaker));
        let (run, facts, splits) = (run.to_string(), record.facts, record.splits);
        let moved = record.moved;
        let owner = Some(record.tool).filter(|_| record.kept.is_none());
        Ok(Consumer { manifest, run, facts, claim, origin, splits, moved, owner })
    }

    /// The next shard.
    ///
    /// # Errors
    /// What the manifest says.
    pub fn next_shard(&mut self) -> Result<Option<HostedShard>> {
        let Some(shard) = self.manifest.next_shard()? else { return Ok(None) };
        let (run, number) = (self.run.clone(), shard.number);
        let hosts = self.moved.remove(&number).unwrap_or(shard.hosts);
        let mut split = None;
        if hosts.iter().any(|host| host == CLIENT) {
            let at = usize::try_from(number - 1).unwrap_or(usize::MAX);
            let unknown = || Error::incomplete(format!("shard {number} is no part of a file"));
            split = Some(self.splits.get(at).cloned().ok_or_else(unknown)?);
        }
        let (flaws, contents) = (Vec::new(), shard.contents);
        Ok(Some(HostedShard { run, number, hosts, flaws, contents, split, made_again: None }))
    }

    /// Why shards could not be had, when `error` is what came of it: the rest of the manifest, which
    /// is read for that, may tell more, and `holds`, which knows whether the data is held.
    pub fn blame(mut self, error: Error, holds: impl FnOnce() -> bool) -> Error {
        let Some(owner) = self.owner.take() else { return error };
        match ahead(move || self.next_shard(), 1) {
            Ok(coming) => blame(error, &owner, end(&coming), holds),
            Err(_) => error,
        }
    }
}

/// Why shards could not be had, when `error` is what came of it and `end` is that of their manifest,
/// as [`end`] gives it. That `owner`, which makes the shards, has failed tells more; so does that it
/// has ended for all that its manifest is whole, which `holds` knows: whether the data is held.
pub(crate) fn blame(
    error: Error,
    owner: &str,
    end: Option<Result<()>>,
    holds: impl FnOnce() -> bool,
) -> Error {
    match end {
        Some(Err(failure)) => failure,
        Some(Ok(())) if error.kind() == ErrorKind::Incomplete && !holds() => {
            Error::incomplete(format!("{error}: {owner}, which kept it there, has ended"))
        }
        _ => error,
    }
}

/// How a manifest ends whose shards come by `coming`, if that comes soon.
pub(crate) fn end<T>(coming: &Receiver<Result<Option<T>>>) -> Option<Result<()>> {
    let until = Instant::now() + UPSTREAM_MAX;
    loop {
        match coming.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Ok(Some(_))) => (),
            Ok(Ok(None)) => return Some(Ok(())),
            Ok(Err(failure)) => return Some(Err(failure)),
            Err(_) => return None,
        }
    }
}

/// What `next` gives up to its end, `count` of it ahead: it is called on a thread of its own, which
/// is left behind when nobody takes what it gives.
pub(crate) fn ahead<T: Send + 'static>(
    mut next: impl FnMut() -> Result<Option<T>> + Send + 'static,
    count: usize,
) -> Result<Receiver<Result<Option<T>>>> {
    let (tell, told) = sync_channel(count);
    let work = move || {
        loop {
            let next = next();
            let ended = !matches!(next, Ok(Some(_)));
            if tell.send(next).is_err() || ended {
                return;
            }
        }
    };
    let thread = thread::Builder::new().spawn(work);
    thread.map_err(|e| Error::io("start", "a thread", &e))?;
    Ok(told)
}

/// What is known of a run, and a hold on its data unless that is kept for good.
fn claim(run: RunId, reach: &HostAccess) -> Result<(RunRecord, Option<Claim>)> {
    let record = reach.runs.load(run)?;
    let claim = if record.kept.is_some() { None } else { Some(reach.locks.claim(run)?) };
    Ok((record, claim))
}

//! The reading of shards: whose they are, what their manifest says, and what became of those who
//! made them. It brings no data.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use crate::engine::Shard;
use crate::engine::origin::Origin;
use crate::engine::reach::Reach;
use crate::engine::split::CLIENT;
use crate::engine::unpublished;
use crate::error::{Error, Kind, Result};
use crate::record::stream::{Facts, Input};
use crate::run::RunId;
use crate::run::manifest::Reader;
use crate::run::ownership::Claim;
use crate::run::run_dir::{RunRecord, Split};

/// How long the end of whoever makes the shards is waited for, when some of them are not there.
pub(crate) const UPSTREAM_MAX: Duration = Duration::from_secs(10);

type Manifest = Reader<Box<dyn Input>>;

/// What a stage reads.
pub enum Feed {
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
    pub origin: Arc<Origin>,
    /// The parts of local files that the shards are, where they are such.
    splits: Vec<Split>,
    /// The tool that the data goes with, where it is not kept for good.
    pub(crate) owner: Option<String>,
}

impl Consumer {
    /// Begins to read the manifest in `input`.
    ///
    /// # Errors
    /// `Incomplete` when the data of the run is gone, or the tool has failed that was to make it.
    pub fn open(input: Box<dyn Input>, reach: &Reach) -> Result<Consumer> {
        let mut manifest = Reader::new(input);
        let run = manifest.run()?;
        let (mut record, claim) = match claim(run, reach) {
            Ok(claimed) => claimed,
            Err(error) => return Err(failure(manifest).unwrap_or(error)),
        };
        unpublished::read(run, &mut record, reach);
        let mut hosts = Vec::new();
        let mut settings = reach.settings.clone();
        for host in &record.hosts {
            let (found, how) = reach.to_host(host)?;
            hosts.push((found, host.name.clone()));
            settings = how;
        }
        let origin = Arc::new(Origin::new(hosts, settings));
        let (run, facts, splits) = (run.to_string(), record.facts, record.splits);
        let owner = Some(record.tool).filter(|_| record.kept.is_none());
        Ok(Consumer { manifest, run, facts, claim, origin, splits, owner })
    }

    /// The next shard.
    ///
    /// # Errors
    /// What the manifest says.
    pub fn next_shard(&mut self) -> Result<Option<Shard>> {
        let Some(shard) = self.manifest.next_shard()? else { return Ok(None) };
        let (run, number, hosts) = (self.run.clone(), shard.number, shard.hosts);
        let mut split = None;
        if hosts.iter().any(|host| host == CLIENT) {
            let at = usize::try_from(number - 1).unwrap_or(usize::MAX);
            let unknown = || Error::incomplete(format!("shard {number} is no part of a file"));
            split = Some(self.splits.get(at).cloned().ok_or_else(unknown)?);
        }
        Ok(Some(Shard { run, number, hosts, contents: shard.contents, split }))
    }

    /// Why shards could not be had, when `error` is what came of it: if the tool that makes them
    /// has failed, or does so soon, that tells more.
    pub fn blame(self, error: Error) -> Error {
        let Some(owner) = self.owner.filter(|_| is_by_owner(&error)) else { return error };
        let (claim, failure) = (self.claim, failure(self.manifest));
        failure.unwrap_or_else(|| with_owner(error, &owner, claim.as_ref()))
    }
}

/// Whether an error may come of the end of the data's owner.
pub(crate) fn is_by_owner(error: &Error) -> bool {
    matches!(error.kind(), Kind::Incomplete | Kind::Hosts)
}

/// `error`, which says so when the owner, whose manifest is whole, has ended for all that.
pub(crate) fn with_owner(error: Error, owner: &str, claim: Option<&Claim>) -> Error {
    match claim {
        Some(claim) if error.kind() == Kind::Incomplete && !claim.holds() => {
            Error::incomplete(format!("{error}: {owner}, which kept it there, has ended"))
        }
        _ => error,
    }
}

/// What is known of a run, and a hold on its data unless that is kept for good.
fn claim(run: RunId, reach: &Reach) -> Result<(RunRecord, Option<Claim>)> {
    let record = reach.runs.load(run)?;
    let claim = if record.kept.is_some() { None } else { Some(reach.locks.claim(run)?) };
    Ok((record, claim))
}

/// What is wrong with the end of a manifest, if it comes soon: the tool that wrote it has failed.
fn failure(mut manifest: Manifest) -> Option<Error> {
    let (tell, told) = sync_channel(1);
    let read = move || {
        let end = loop {
            match manifest.next_shard() {
                Ok(Some(_)) => (),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        let _ = tell.send(end);
    };
    thread::Builder::new().spawn(read).ok()?;
    told.recv_timeout(UPSTREAM_MAX).ok()?.filter(|error| error.kind() == Kind::Incomplete)
}

//! The reading of shards: whose they are, the workers that send them, and their records in order,
//! each shard checked against its manifest.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::cluster::{Connection, Greeting, Host, Settings};
use crate::engine::Shard;
use crate::engine::fleet::Fleet;
use crate::engine::reach::Reach;
use crate::engine::remote::verify;
use crate::engine::split::{self, CLIENT};
use crate::error::{Error, Kind, Result};
use crate::format::Source;
use crate::record::digest::Digest;
use crate::record::stream::{Facts, Input};
use crate::run::manifest::Reader;
use crate::run::ownership::Claim;
use crate::run::run_dir::Split;
use crate::wire::message::{Ask, Fetch};

/// How many shards are asked for before their turn: of each, no more comes than a window holds.
const AHEAD: usize = 8;

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
    pub manifest: Reader<Box<dyn Input>>,
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
}

/// The hosts that a run's shards lie on.
pub struct Origin {
    /// The hosts, with their names in the manifest.
    pub hosts: Vec<(Host, String)>,
    settings: Settings,
    fleet: Mutex<Option<Arc<Fleet>>>,
}

impl Origin {
    /// Workers there that send shards, on those hosts that can be reached: started when they are
    /// first needed.
    pub fn fleet(&self) -> Arc<Fleet> {
        let mut fleet = self.fleet.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fleet) = &*fleet {
            return Arc::clone(fleet);
        }
        let greeting = Greeting { run: None, memory: None };
        let opened = Arc::new(Fleet::open_some(&self.hosts, &self.settings, &greeting));
        Arc::clone(fleet.insert(opened))
    }
}

impl Consumer {
    /// Begins to read the manifest in `input`.
    ///
    /// # Errors
    /// `Usage` when the run is not known, `Incomplete` when its data is gone.
    pub fn open(input: Box<dyn Input>, reach: &Reach) -> Result<Consumer> {
        let mut manifest = Reader::new(input);
        let run = manifest.run()?;
        let record = reach.runs.load(run)?;
        let claim = if record.kept.is_some() { None } else { Some(reach.locks.claim(run)?) };
        let mut hosts = Vec::new();
        let mut settings = reach.settings.clone();
        for host in &record.hosts {
            let (found, how) = reach.to_host(host)?;
            hosts.push((found, host.name.clone()));
            settings = how;
        }
        let fleet = Mutex::new(None);
        let origin = Arc::new(Origin { hosts, settings, fleet });
        let (run, facts, splits) = (run.to_string(), record.facts, record.splits);
        Ok(Consumer { manifest, run, facts, claim, origin, splits })
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

    /// The records of the shards, in order, as a stream that is called `name`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn into_records(self, name: String) -> Result<ShardRecords> {
        let fleet = self.origin.fleet();
        let asking = Arc::clone(&fleet);
        let (send, coming) = sync_channel(AHEAD);
        let facts = self.facts.clone();
        let thread = thread::Builder::new().spawn(move || ask_ahead(self, &asking, &send));
        thread.map_err(|e| Error::io("start", "a thread", &e))?;
        Ok(ShardRecords {
            fleet,
            coming,
            open: None,
            came: (0, 0),
            rest: Vec::new(),
            at: 0,
            name,
            facts,
            ended: false,
        })
    }
}

/// What comes next.
enum Coming {
    /// A shard that was asked for.
    Shard(Box<Asked>),
    /// The manifest is at its end.
    End(Box<Consumer>),
    Failed(Error),
}

/// A shard that was asked for.
struct Asked {
    shard: Shard,
    from: From,
    digest: Digest,
    /// Bytes that come again, and are not to be given out again.
    given: u64,
}

/// Where a shard comes from.
enum From {
    Host(Arc<Connection>, u32),
    /// A local file.
    Here(Box<dyn Source>),
}

impl From {
    /// The next records; none at the end.
    fn data(&mut self) -> Result<Option<Vec<u8>>> {
        match self {
            From::Host(connection, request) => connection.data(*request),
            From::Here(source) => {
                let mut records = Vec::new();
                while records.is_empty() && source.fill(&mut records)? {}
                Ok(Some(records).filter(|records| !records.is_empty()))
            }
        }
    }

    fn name(&self) -> &str {
        match self {
            From::Host(connection, _) => connection.name(),
            From::Here(_) => "this machine",
        }
    }
}

impl Asked {
    /// The shard as it lies on other hosts than the one that failed.
    fn elsewhere(&self, error: Error) -> Result<Shard> {
        let mut shard = self.shard.clone();
        shard.hosts.retain(|host| host != self.from.name() && host != CLIENT);
        if shard.hosts.is_empty() { Err(error) } else { Ok(shard) }
    }
}

/// Asks for shards before their turn.
fn ask_ahead(mut consumer: Consumer, fleet: &Fleet, to: &SyncSender<Coming>) {
    loop {
        let coming = match consumer.next_shard() {
            Ok(None) => break,
            Ok(Some(shard)) if shard.contents.bytes == 0 => continue,
            Ok(Some(shard)) => ask(fleet, shard)
                .map_or_else(Coming::Failed, |asked| Coming::Shard(Box::new(asked))),
            Err(error) => Coming::Failed(error),
        };
        let failed = matches!(coming, Coming::Failed(_));
        // Nobody takes it when the tool has ended.
        if to.send(coming).is_err() || failed {
            return;
        }
    }
    let _ = to.send(Coming::End(Box::new(consumer)));
}

fn ask(fleet: &Fleet, shard: Shard) -> Result<Asked> {
    if let Some(split) = &shard.split {
        let from = From::Here(split::open(split)?);
        return Ok(Asked { shard, from, digest: Digest::default(), given: 0 });
    }
    let mut reason = None;
    for name in &shard.hosts {
        let Some(member) = fleet.member(name) else {
            reason = Some(fleet.why_missing(name));
            continue;
        };
        let connection = Arc::clone(&member.connection);
        let ask = Ask::Fetch(Fetch { run: shard.run.clone(), shard: shard.number });
        match connection.ask(&ask) {
            Ok(request) => {
                let from = From::Host(connection, request);
                return Ok(Asked { shard, from, digest: Digest::default(), given: 0 });
            }
            Err(error) => reason = Some(error),
        }
    }
    let number = shard.number;
    let unknown = || Error::new(Kind::Hosts, "it lies on a host that its run does not name");
    Err(reason.unwrap_or_else(unknown).at(format!("shard {number}")))
}

/// The records of shards, as one stream.
pub struct ShardRecords {
    fleet: Arc<Fleet>,
    coming: Receiver<Coming>,
    open: Option<Box<Asked>>,
    /// How many records were given out, and the sum of their hashes.
    came: (u64, u128),
    rest: Vec<u8>,
    at: usize,
    name: String,
    facts: Facts,
    ended: bool,
}

impl ShardRecords {
    /// Brings the next bytes; `false` at the end.
    fn fill(&mut self) -> Result<bool> {
        loop {
            if let Some(open) = &mut self.open {
                match open.from.data() {
                    Ok(Some(data)) => {
                        // A copy repeats what was given out before its host was lost.
                        let known = open.given.min(data.len() as u64);
                        open.given -= known;
                        open.digest.push(&data);
                        (self.rest, self.at) = (data, known as usize);
                        return Ok(true);
                    }
                    Err(error) => {
                        let given = open.given + open.digest.contents().bytes;
                        let rest = open.elsewhere(error)?;
                        **open = ask(&self.fleet, rest)?;
                        open.given = given;
                        continue;
                    }
                    Ok(None) => {
                        let came = open.digest.contents();
                        verify(open.from.name(), &open.shard, &came)?;
                        self.came.0 += came.records;
                        self.came.1 = self.came.1.wrapping_add(came.sum);
                        self.open = None;
                    }
                }
            }
            match self.coming.recv() {
                Ok(Coming::Shard(asked)) => self.open = Some(asked),
                Ok(Coming::Failed(error)) => return Err(error),
                Ok(Coming::End(consumer)) => {
                    let Consumer { mut manifest, claim, .. } = *consumer;
                    // Each shard was checked, and so is that none was passed over.
                    let totals = manifest.totals();
                    if self.came != (totals.records, totals.sum) {
                        let (came, due) = (self.came.0, totals.records);
                        return Err(Error::incomplete(format!(
                            "{came} records came where the manifest tells of {due}"
                        )));
                    }
                    // The producer waits for this; nobody may wait for its end before.
                    drop(claim);
                    manifest.drain()?;
                    self.ended = true;
                    return Ok(false);
                }
                Err(_) => {
                    return Err(Error::incomplete("internal error: the manifest's reader broke"));
                }
            }
        }
    }
}

impl Input for ShardRecords {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.at == self.rest.len() {
            if self.ended || !self.fill()? {
                return Ok(0);
            }
        }
        let rest = &self.rest[self.at..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn facts(&mut self) -> Option<Facts> {
        self.promised()
    }

    fn promised(&mut self) -> Option<Facts> {
        Some(self.facts.clone()).filter(|facts| *facts != Facts::default())
    }
}

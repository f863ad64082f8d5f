//! The reading of shards: whose they are, the workers that send them, and their records in order,
//! each shard checked against its manifest.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use crate::cluster::Connection;
use crate::engine::Shard;
use crate::engine::origin::Origin;
use crate::engine::reach::Reach;
use crate::engine::remote::verify;
use crate::engine::split::{self, CLIENT};
use crate::error::{Error, Result};
use crate::format::Source;
use crate::record::digest::{Contents, Digest};
use crate::record::stream::{Facts, Input};
use crate::run::manifest::Reader;
use crate::run::ownership::Claim;
use crate::run::run_dir::Split;

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
        let origin = Arc::new(Origin::new(hosts, settings));
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
        let failed = |e: std::io::Error| Error::io("start", "a thread", &e);
        let (origin, facts) = (Arc::clone(&self.origin), self.facts.clone());
        let (tell, told) = sync_channel(AHEAD);
        let (send, coming) = sync_channel(AHEAD);
        let reader =
            thread::Builder::new().spawn(move || self.read_ahead(&tell)).map_err(failed)?;
        let asking = Arc::clone(&origin);
        let asker = thread::Builder::new().spawn(move || ask_ahead(&asking, told, &send));
        asker.map_err(failed)?;
        Ok(ShardRecords {
            origin,
            reader: Some(reader),
            coming,
            open: None,
            came: (0, 0),
            rest: Vec::new(),
            at: 0,
            name,
            facts,
        })
    }

    /// Reads the manifest before its shards are wanted, so that their hosts are there by then.
    fn read_ahead(mut self, to: &SyncSender<Result<Option<Shard>>>) -> Consumer {
        loop {
            let next = self.next_shard();
            let more = matches!(next, Ok(Some(_)));
            match &next {
                Ok(Some(shard)) if shard.contents.bytes == 0 => continue,
                Ok(Some(shard)) => self.origin.want(&shard.hosts),
                _ => (),
            }
            // Nobody takes it when the tool has ended.
            if to.send(next).is_err() || !more {
                return self;
            }
        }
    }
}

/// Asks for shards before their turn.
fn ask_ahead(
    origin: &Origin,
    told: Receiver<Result<Option<Shard>>>,
    to: &SyncSender<Result<Option<Asked>>>,
) {
    for next in told {
        let asked = next.map(|shard| shard.map(|shard| Asked::new(origin, shard)));
        if to.send(asked).is_err() {
            return;
        }
    }
}

/// A shard that was asked for.
struct Asked {
    shard: Shard,
    from: From,
    digest: Digest,
    /// What was given out before the link broke, which comes again and is not given out again.
    given: Contents,
}

/// Where a shard comes from.
enum From {
    Host(Arc<Connection>, u32),
    /// A local file.
    Here(Box<dyn Source>),
    /// It could not be asked for.
    Nowhere(Option<Error>),
}

impl From {
    fn ask(origin: &Origin, shard: &Shard) -> From {
        let asked = match &shard.split {
            Some(split) => split::open(split).map(From::Here),
            None => origin.ask(shard).map(|(connection, request)| From::Host(connection, request)),
        };
        asked.unwrap_or_else(|error| From::Nowhere(Some(error)))
    }

    /// The next records; none at the end.
    fn data(&mut self) -> Result<Option<Vec<u8>>> {
        match self {
            From::Host(connection, request) => connection.data(*request),
            From::Here(source) => {
                let mut records = Vec::new();
                while records.is_empty() && source.fill(&mut records)? {}
                Ok(Some(records).filter(|records| !records.is_empty()))
            }
            From::Nowhere(why) => {
                Err(why.take().unwrap_or_else(|| Error::incomplete("a shard that is not there")))
            }
        }
    }
}

impl Asked {
    fn new(origin: &Origin, shard: Shard) -> Asked {
        let from = From::ask(origin, &shard);
        Asked { shard, from, digest: Digest::default(), given: Contents::default() }
    }

    /// The next records that were not given out yet; none at the end, once all of it is checked.
    fn data(&mut self, origin: &Origin) -> Result<Option<Vec<u8>>> {
        loop {
            match (self.from.data(), &self.from) {
                (Ok(Some(mut data)), _) => {
                    let lacking = self.given.bytes.saturating_sub(self.digest.contents().bytes);
                    let known = usize::try_from(lacking).unwrap_or(usize::MAX).min(data.len());
                    self.digest.push(&data[..known]);
                    if known > 0 && known as u64 == lacking {
                        self.is_repeated()?;
                    }
                    data.drain(..known);
                    self.digest.push(&data);
                    if !data.is_empty() {
                        return Ok(Some(data));
                    }
                }
                (Ok(None), from) => {
                    if self.digest.contents().bytes < self.given.bytes {
                        self.is_repeated()?;
                    }
                    let host = match from {
                        From::Host(connection, _) => connection.name(),
                        _ => "this machine",
                    };
                    verify(host, &self.shard, &self.digest.contents())?;
                    if let From::Host(connection, _) = from {
                        origin.served(connection);
                    }
                    return Ok(None);
                }
                (Err(error), From::Host(connection, _)) => {
                    origin.failed(&mut self.shard, connection, error)?;
                    self.begin_again(origin);
                }
                (Err(error), _) => return Err(error),
            }
        }
    }

    fn begin_again(&mut self, origin: &Origin) {
        let came = self.digest.contents();
        if came.bytes > self.given.bytes {
            self.given = came;
        }
        self.digest = Digest::default();
        self.from = From::ask(origin, &self.shard);
    }

    /// That what came again is what was given out.
    fn is_repeated(&self) -> Result<()> {
        if self.digest.contents() == self.given {
            return Ok(());
        }
        Err(Error::incomplete(format!(
            "shard {}: what came of it before a connection broke is not what came after it",
            self.shard.number
        )))
    }
}

/// The records of shards, as one stream.
pub struct ShardRecords {
    origin: Arc<Origin>,
    /// Reads the manifest; none once its end was dealt with.
    reader: Option<JoinHandle<Consumer>>,
    coming: Receiver<Result<Option<Asked>>>,
    open: Option<Asked>,
    /// How many records were given out, and the sum of their hashes.
    came: (u64, u128),
    rest: Vec<u8>,
    at: usize,
    name: String,
    facts: Facts,
}

impl ShardRecords {
    /// Brings the next bytes; `false` at the end.
    fn fill(&mut self) -> Result<bool> {
        loop {
            if let Some(open) = &mut self.open {
                if let Some(data) = open.data(&self.origin)? {
                    (self.rest, self.at) = (data, 0);
                    return Ok(true);
                }
                let contents = open.shard.contents;
                self.came.0 += contents.records;
                self.came.1 = self.came.1.wrapping_add(contents.sum);
                self.open = None;
            }
            let broken = |_| Error::incomplete("internal error: the manifest's reader broke");
            match self.coming.recv().map_err(broken)?? {
                Some(asked) => self.open = Some(asked),
                None => {
                    self.end()?;
                    return Ok(false);
                }
            }
        }
    }

    /// Lets go of the shards: each was checked, and so is that none was passed over.
    fn end(&mut self) -> Result<()> {
        let reader = self.reader.take().map(JoinHandle::join);
        let Some(Ok(Consumer { mut manifest, claim, .. })) = reader else {
            return Err(Error::incomplete("internal error: the manifest's reader broke"));
        };
        let totals = manifest.totals();
        if self.came != (totals.records, totals.sum) {
            let (came, due) = (self.came.0, totals.records);
            return Err(Error::incomplete(format!(
                "{came} records came where the manifest tells of {due}"
            )));
        }
        // The producer waits for this; nobody may wait for its end before.
        drop(claim);
        manifest.drain()
    }
}

impl Drop for ShardRecords {
    fn drop(&mut self) {
        // Whoever still asks for shards need not wait for their hosts.
        self.origin.close();
    }
}

impl Input for ShardRecords {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.at == self.rest.len() {
            if self.reader.is_none() || !self.fill()? {
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

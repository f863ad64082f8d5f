//! The records of shards, in order, each shard checked against its manifest.
//!
//! Two threads go before whoever reads the records: one reads the manifest, so that hosts are
//! connected to by the time that they are needed, the other asks for shards.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use crate::engine::HostedShard;
use crate::engine::consumer::{Consumer, blame, end};
use crate::engine::shard_hosts::ShardHosts;
use crate::engine::shard_stream::ShardStream;
use crate::error::{Error, ErrorKind, Result};
use crate::record::stream::{Facts, Input};

/// How many shards are asked for before their turn: of each, no more comes than a window holds.
const AHEAD: usize = 8;

impl Consumer {
    /// The records of the shards, in order, as a stream that is called `name`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn into_records(self, name: String) -> Result<ShardRecords> {
        let failed = |e: std::io::Error| Error::io("start", "a thread", &e);
        let (origin, facts) = (Arc::clone(&self.origin), self.facts.clone());
        let owner = self.owner.clone();
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
            owner,
        })
    }

    /// Reads the manifest before its shards are wanted, so that their hosts are there by then.
    fn read_ahead(mut self, to: &SyncSender<Result<Option<HostedShard>>>) -> Consumer {
        if self.claim.is_some() {
            // The shards are being made just now, most likely on all of them.
            let names = self.origin.hosts.iter().map(|(_, name)| name.clone());
            self.origin.want(&names.collect::<Vec<_>>());
        }
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
    origin: &ShardHosts,
    told: Receiver<Result<Option<HostedShard>>>,
    to: &SyncSender<Result<Option<ShardStream>>>,
) {
    for next in told {
        let asked = next.map(|shard| shard.map(|shard| ShardStream::new(origin, shard)));
        if to.send(asked).is_err() {
            return;
        }
    }
}

/// The records of shards, as one stream.
pub struct ShardRecords {
    origin: Arc<ShardHosts>,
    /// Reads the manifest; none once its end was dealt with.
    reader: Option<JoinHandle<Consumer>>,
    coming: Receiver<Result<Option<ShardStream>>>,
    open: Option<ShardStream>,
    /// How many records were given out, and the sum of their hashes.
    came: (u64, u128),
    rest: Vec<u8>,
    at: usize,
    name: String,
    facts: Facts,
    /// The tool that the data goes with, where it is not kept for good.
    owner: Option<String>,
}

impl ShardRecords {
    /// Brings the next bytes; `false` at the end.
    fn fill(&mut self) -> Result<bool> {
        loop {
            if let Some(open) = &mut self.open {
                let contents = open.contents();
                match open.data(&self.origin) {
                    Ok(None) => (),
                    Ok(Some(data)) => {
                        (self.rest, self.at) = (data, 0);
                        return Ok(true);
                    }
                    Err(error) => return Err(self.blame(error)),
                }
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

    /// As [`blame`], for what may come of the end of the data's owner.
    fn blame(&mut self, error: Error) -> Error {
        let owner = self.owner.take();
        let Some(owner) =
            owner.filter(|_| matches!(error.kind(), ErrorKind::Incomplete | ErrorKind::Hosts))
        else {
            return error;
        };
        self.origin.close();
        let end = end(&self.coming);
        // Once the manifest is whole its reader gives back what it holds.
        blame(error, &owner, end, || {
            let claim = self.reader.take().and_then(|reader| reader.join().ok()?.claim);
            claim.is_none_or(|claim| claim.holds())
        })
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

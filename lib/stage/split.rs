//! `mc-split`: records to numbered outputs, each record to one of them.

pub mod shards;

use std::path::PathBuf;

use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result};
use crate::explain::outline::KeyOutline;
use crate::explain::schema::StagePlan;
use crate::format::contiguous::{MEMORY_BYTES, show_parts};
use crate::format::parts::Parts;
use crate::format::pieces;
use crate::format::resource::Resource;
use crate::format::{ReadOptions, WriteOptions, read};
use crate::record::key::{KeyFault, Keyer, Keys, Missing};
use crate::record::stream::Summary;
use crate::spool::Spool;

/// What `mc-split` is to do.
pub struct SplitOptions {
    /// What to read, in this order.
    pub resources: Vec<Resource>,
    /// How to read it.
    pub read: ReadOptions,
    /// Where the records go, with a place for the number.
    pub output: Resource,
    /// How they are written.
    pub write: WriteOptions,
    /// How many outputs there are.
    pub count: usize,
    /// Which record goes where.
    pub by: SplitBy,
    /// Where temporary files go.
    pub directory: PathBuf,
    /// On how many threads records are made.
    pub jobs: usize,
}

/// Which record goes where.
pub enum SplitBy {
    /// In order, cut into parts of about the same number of bytes.
    Contiguous,
    /// Each to the next output in turn.
    RoundRobin,
    /// By XXH3 (64 bits, seed 0) of the key's canonical bytes, modulo the number of outputs.
    Key(Keys, Missing),
}

impl SplitBy {
    /// Says in `stage` which record goes where.
    pub fn explain(&self, stage: &mut StagePlan) {
        let way = match self {
            SplitBy::Contiguous => "contiguous",
            SplitBy::RoundRobin => "round-robin",
            SplitBy::Key(keys, missing) => {
                stage.key = Some(KeyOutline::of(&keys.parts));
                stage.key_from = Some("given".into());
                stage.missing(*missing);
                "key"
            }
        };
        stage.split_by = Some(way.into());
    }
}

/// Splits the records of the resources. The outputs are published together, at the end.
///
/// # Errors
/// What the resources and the outputs say; `BadInput` for a record without the key.
pub fn run(options: &SplitOptions) -> Result<Summary> {
    let source = read::open(&options.resources, &options.read)?;
    let parts = Parts::create(&options.output, options.count, &options.write)?;
    let dealer = Dealer::new(options);
    let (dealer, mut parts) =
        pieces::each(source, options.jobs, (dealer, parts), |(dealer, parts), piece| {
            dealer.deal(&piece.records, parts)
        })?;
    let mut summary = dealer.finish(&mut parts)?;
    parts.finish()?;
    summary.bad = options.read.bad.count();
    Ok(summary)
}

/// Deals records out.
struct Dealer {
    way: Way,
    /// What each output gets of the piece at hand.
    hands: Vec<Vec<u8>>,
    summary: Summary,
}

enum Way {
    Spooled(Spool),
    Turn(usize),
    Keyed { keyer: Box<Keyer>, key: Vec<u8> },
}

impl Dealer {
    fn new(options: &SplitOptions) -> Dealer {
        let way = match &options.by {
            SplitBy::Contiguous => {
                Way::Spooled(Spool::new(Vec::new(), MEMORY_BYTES, &options.directory))
            }
            SplitBy::RoundRobin => Way::Turn(0),
            SplitBy::Key(keys, missing) => {
                let keyer = Box::new(Keyer::new(keys, *missing, &[]));
                Way::Keyed { keyer, key: Vec::new() }
            }
        };
        let hands = vec![Vec::new(); options.count];
        Dealer { way, hands, summary: Summary::default() }
    }

    fn deal(&mut self, piece: &[u8], parts: &mut Parts) -> Result<()> {
        self.summary.bytes_in += piece.len() as u64;
        if let Way::Spooled(spool) = &mut self.way {
            self.summary.records_in += memchr::memchr_iter(b'\n', piece).count() as u64;
            return spool.push(piece);
        }
        let mut at = 0;
        for end in memchr::memchr_iter(b'\n', piece) {
            self.summary.records_in += 1;
            let record = &piece[at..=end];
            at = end + 1;
            match self.place(record)? {
                Some(part) => self.hands[part].extend_from_slice(record),
                None => self.summary.missing += 1,
            }
        }
        for (part, hand) in self.hands.iter_mut().enumerate() {
            self.summary.bytes_out += hand.len() as u64;
            parts.write(part, hand)?;
            hand.clear();
        }
        Ok(())
    }

    /// The output that a record goes to, if it is not to be dropped.
    fn place(&mut self, record: &[u8]) -> Result<Option<usize>> {
        let count = self.hands.len();
        match &mut self.way {
            Way::Spooled(_) => Ok(None),
            Way::Turn(next) => {
                let part = *next;
                *next = (part + 1) % count;
                Ok(Some(part))
            }
            Way::Keyed { keyer, key } => {
                key.clear();
                match keyer.key(record.trim_ascii_end(), key).err() {
                    None => Ok(Some((xxh3_64(key) % count as u64) as usize)),
                    Some(KeyFault::Skip) => Ok(None),
                    Some(fault) => {
                        let number = self.summary.records_in;
                        let why = match fault {
                            KeyFault::Missing(text) => text,
                            KeyFault::Flaw(flaw) => flaw.what.to_string(),
                            KeyFault::Skip => String::new(),
                        };
                        Err(Error::input(format!("record {number}: {why}")))
                    }
                }
            }
        }
    }

    fn finish(mut self, parts: &mut Parts) -> Result<Summary> {
        if let Way::Spooled(spool) = self.way {
            self.summary.spilled_bytes = spool.spilled();
            self.summary.bytes_out = spool.len();
            show_parts(&spool, parts.count(), |part, records| parts.write(part, records))?;
        }
        self.summary.records_out = self.summary.records_in - self.summary.missing;
        Ok(self.summary)
    }
}

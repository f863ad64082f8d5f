//! `mc-gather`: records to standard output, or to files in any format that appear whole, or not at
//! all.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Result;
use crate::format::ahead::Ahead;
use crate::format::contiguous::{MEMORY_BYTES, show_parts};
use crate::format::parts::Parts;
use crate::format::resource::Resource;
use crate::format::{ReadOptions, Sink, Source, WriteOptions, ndjson, write};
use crate::record::stream::{Facts, Input, Summary};
use crate::spool::Spool;

/// What `mc-gather` is to do.
pub struct GatherOptions {
    /// Where the records go.
    pub output: Resource,
    /// Into how many numbered outputs, if into such: contiguous parts of about the same size.
    pub parts: Option<usize>,
    /// Where temporary files go: numbered outputs need one, to learn how much there is.
    pub directory: PathBuf,
    /// How records are read.
    pub read: ReadOptions,
    /// How they are written.
    pub write: WriteOptions,
}

/// Writes the records of `input` to where `options` say. Nothing is published before the input has
/// come to a good end.
///
/// # Errors
/// What input and output say; `BadInput` for a record that is bad, or that the format cannot hold.
pub fn run(options: &GatherOptions, input: Box<dyn Input>) -> Result<Summary> {
    let mut output = Gathered::create(options)?;
    let mut reader = ndjson::NdjsonReader::new(input, &options.read);
    let facts = Arc::new(Mutex::new(Facts::default()));
    let heard = Arc::clone(&facts);
    let mut first = true;
    let mut pieces = Ahead::new(move |piece| {
        let more = reader.fill(piece)?;
        if std::mem::take(&mut first) || !more {
            let known = reader.input().promised().unwrap_or_default();
            *heard.lock().unwrap_or_else(PoisonError::into_inner) = known;
        }
        Ok(more)
    })?;
    let known = || facts.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut summary = Summary::default();
    let mut declared = None;
    let mut spare = Vec::new();
    while let Some(piece) = pieces.next(spare)? {
        if declared.is_none() {
            output.declare(declared.insert(known()))?;
        }
        summary.records_out += memchr::memchr_iter(b'\n', &piece).count() as u64;
        summary.bytes_out += piece.len() as u64;
        output.write(&piece)?;
        spare = piece;
    }
    if declared.is_some_and(|declared| declared != known()) {
        // Others have written into the same pipe: the promise is not kept, here as little as there.
        output.declare(&known())?;
    }
    summary.spilled_bytes = output.finish()?;
    summary.records_in = summary.records_out;
    summary.bytes_in = summary.bytes_out;
    summary.bad = options.read.bad.count();
    Ok(summary)
}

/// Where the records go.
enum Gathered {
    One(Box<dyn Sink>),
    Several { parts: Parts, spool: Spool },
}

impl Gathered {
    fn create(options: &GatherOptions) -> Result<Gathered> {
        match options.parts {
            None => Ok(Gathered::One(write::create(&options.output, &options.write)?)),
            Some(count) => {
                let parts = Parts::create(&options.output, count, &options.write)?;
                let spool = Spool::new(Vec::new(), MEMORY_BYTES, &options.directory);
                Ok(Gathered::Several { parts, spool })
            }
        }
    }

    fn declare(&mut self, facts: &Facts) -> Result<()> {
        match self {
            Gathered::One(sink) => sink.declare(facts),
            Gathered::Several { parts, .. } => parts.declare(facts),
        }
    }

    fn write(&mut self, records: &[u8]) -> Result<()> {
        match self {
            Gathered::One(sink) => sink.write(records),
            Gathered::Several { spool, .. } => spool.push(records),
        }
    }

    /// Publishes; returns how many bytes went through a temporary file.
    fn finish(self) -> Result<u64> {
        match self {
            Gathered::One(sink) => sink.finish().map(|()| 0),
            Gathered::Several { mut parts, spool } => {
                let bytes = spool.spilled();
                show_parts(&spool, parts.count(), |part, records| parts.write(part, records))?;
                parts.finish().map(|()| bytes)
            }
        }
    }
}

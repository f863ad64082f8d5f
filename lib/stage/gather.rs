//! `mc-gather`: records to standard output, or to files in any format that appear whole, or not at
//! all.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Result;
use crate::format::ahead::Ahead;
use crate::format::resource::Resource;
use crate::format::{ReadOptions, Source, WriteOptions, ndjson, write};
use crate::record::stream::{Input, Summary};

/// What `mc-gather` is to do.
pub struct Options {
    /// Where the records go.
    pub output: Resource,
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
pub fn run(options: &Options, input: Box<dyn Input>) -> Result<Summary> {
    let facts = Arc::new(Mutex::new(None));
    let heard = Arc::clone(&facts);
    let mut reader = ndjson::Reader::new(input, &options.read);
    let mut sink = write::create(&options.output, &options.write)?;
    let mut pieces = Ahead::new(move |piece| {
        let more = reader.fill(piece)?;
        let known = reader.input().facts();
        *heard.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(more)
    })?;
    let mut summary = Summary::default();
    let mut declared = false;
    let mut spare = Vec::new();
    while let Some(piece) = pieces.next(spare)? {
        summary.records_out += memchr::memchr_iter(b'\n', &piece).count() as u64;
        summary.bytes_out += piece.len() as u64;
        if !std::mem::replace(&mut declared, true) {
            let known = facts.lock().unwrap_or_else(PoisonError::into_inner).clone();
            sink.declare(&known.unwrap_or_default())?;
        }
        sink.write(&piece)?;
        spare = piece;
    }
    sink.finish()?;
    summary.records_in = summary.records_out;
    summary.bytes_in = summary.bytes_out;
    summary.bad = options.read.bad.count();
    Ok(summary)
}

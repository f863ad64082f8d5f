//! `mc-cat`: the records of resources in any format, in order, or their bytes as they are.

pub mod on_hosts;

use crate::error::Result;
use crate::format::ahead::Ahead;
use crate::format::place::ResourcePlace;
use crate::format::resource::Resource;
use crate::format::{ReadOptions, bytes, objects, read};
use crate::record::stream::{Facts, Output, Summary};

/// What `mc-cat` is to do.
pub struct CatOptions {
    /// What to read, in this order.
    pub resources: Vec<Resource>,
    /// How to read it.
    pub read: ReadOptions,
}

/// Writes the records of the resources to `output`. They are read and converted on one thread and
/// written on the caller's.
///
/// # Errors
/// What the resources and the output say.
pub fn run(options: &CatOptions, output: &mut impl Output) -> Result<Summary> {
    let mut source = read::open(&options.resources, &options.read)?;
    let mut pieces = Ahead::new(move |piece| source.fill(piece))?;
    output.declare(&Facts::default())?;
    let mut summary = Summary::default();
    let mut spare = Vec::new();
    loop {
        let piece = match pieces.next(spare) {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            Err(error) => {
                // What came before it is shown; should that fail too, the first failure tells more.
                let _ = output.flush();
                return Err(error);
            }
        };
        summary.records_out += memchr::memchr_iter(b'\n', &piece).count() as u64;
        summary.bytes_out += piece.len() as u64;
        output.write(&piece)?;
        spare = piece;
    }
    output.flush()?;
    summary.records_in = summary.records_out;
    summary.bad = options.read.bad.count();
    Ok(summary)
}

/// How many bytes are read at once, where they go on as they are.
const RAW_BYTES: usize = 128 * 1024;

/// Writes the bytes at `places` to `output`, as they are.
///
/// # Errors
/// What the places and the output say.
pub fn raw(
    places: Vec<ResourcePlace>,
    options: &ReadOptions,
    output: &mut impl Output,
) -> Result<Summary> {
    let (mut summary, mut buffer) = (Summary::default(), vec![0; RAW_BYTES]);
    let found: Result<Vec<_>> = places.iter().map(|place| objects::each(place, options)).collect();
    for place in found?.into_iter().flatten() {
        let mut input = bytes::open(&place, options)?;
        loop {
            match input.read(&mut buffer)? {
                0 => break,
                count => {
                    output.write(&buffer[..count])?;
                    summary.bytes_out += count as u64;
                }
            }
        }
    }
    output.flush()?;
    summary.bytes_in = summary.bytes_out;
    Ok(summary)
}

//! `mc-cat`: the records of resources in any format, in order, or their bytes as they are.

pub mod on_hosts;

use crate::error::Result;
use crate::format::pieces;
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
    /// On how many threads records are made.
    pub jobs: usize,
}

/// Writes the records of the resources to `output`, of which a copy is a handle.
///
/// # Errors
/// What the resources and the output say.
pub fn run<O: Output + Clone + 'static>(options: &CatOptions, output: &mut O) -> Result<Summary> {
    let source = read::open(&options.resources, &options.read)?;
    output.declare(&Facts::default())?;
    let taker = (output.clone(), Summary::default());
    let written = pieces::each(source, options.jobs, taker, |(output, summary), piece| {
        summary.records_out += piece.count;
        summary.bytes_out += piece.records.len() as u64;
        output.write(&piece.records)
    });
    let (mut output, mut summary) = written.inspect_err(|_| {
        // What came before it is shown; should that fail too, the first failure tells more.
        let _ = output.flush();
    })?;
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

//! Resources as streams of NDJSON, for stages that read records whatever they come from.

use super::bytes;
use super::decompression::{decode, unpack};
use super::encoding::{Coding, Decoded};
use super::objects;
use super::read;
use super::resource::Resource;
use super::{ReadOptions, Source};
use crate::error::Result;
use crate::record::rows::RowBlock;
use crate::record::stream::Input;

/// The records of `resources`, one after the other, as one stream. A single NDJSON file without
/// options is that stream as it is: whoever reads it checks it, and names its lines.
///
/// # Errors
/// What the resources say.
pub fn open(resources: &[Resource], options: &ReadOptions) -> Result<Box<dyn Input>> {
    if let [resource] = resources
        && resource.spec.text() == "ndjson"
        && !resource.packing().zipped
        && let [one] = expand(resource, options)?.as_slice()
    {
        let input = bytes::open(&one.place, options)?;
        let input = match one.packing().codec {
            Some(codec) => decode(codec, input)?,
            None => input,
        };
        return Ok(Box::new(Decoded::new(unpack(input)?, Coding::default())));
    }
    let names: Vec<String> = resources.iter().map(Resource::to_string).collect();
    let source = read::open(resources, options)?;
    let name = format!("the records of {}", names.join(", "));
    Ok(Box::new(Records { source, name, piece: Vec::new(), at: 0, more: true }))
}

/// Each resource, or each file that its pattern matches, as a stream of its own.
///
/// # Errors
/// What the resources say.
pub fn open_each(resources: &[Resource], options: &ReadOptions) -> Result<Vec<Box<dyn Input>>> {
    let mut inputs = Vec::new();
    for resource in resources {
        for one in expand(resource, options)? {
            inputs.push(open(&[one], options)?);
        }
    }
    Ok(inputs)
}

/// The resources that one stands for, those in stores too.
fn expand(resource: &Resource, options: &ReadOptions) -> Result<Vec<Resource>> {
    let mut found = Vec::new();
    for one in resource.expand(options.note.as_ref())? {
        found.extend(objects::each_of(&one, options)?);
    }
    Ok(found)
}

/// The records of a source, as bytes.
struct Records {
    source: Box<dyn Source>,
    name: String,
    piece: Vec<u8>,
    at: usize,
    more: bool,
}

impl Input for Records {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.at == self.piece.len() && self.more {
            self.piece.clear();
            self.at = 0;
            self.more = self.source.fill(&mut self.piece)?;
        }
        let rest = &self.piece[self.at..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }

    fn rows(&mut self, size: usize, buffer: &mut Vec<u8>) -> Result<Option<RowBlock>> {
        match self.at == self.piece.len() && self.more {
            true => self.source.rows(size, buffer),
            false => Ok(None),
        }
    }

    fn name(&self) -> &str {
        &self.name
    }
}

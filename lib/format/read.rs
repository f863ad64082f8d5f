//! The records of resources: one source for each, and one for all of them in a row.

use std::collections::VecDeque;

use super::bytes;
use super::compression::decode;
use super::place::Place;
use super::range::Range;
use super::resource::Resource;
use super::spec::Spec;
use super::{ReadOptions, Source, csv, files, leveldb, ndjson, plugin, text, zip};
use crate::error::{Error, Result};
use crate::record::stream::Input;

/// The records of some resources, one after the other, in order. Formats, options and paths are
/// checked here; each resource is opened when its turn comes.
///
/// # Errors
/// When a format or an option is unknown, a path is not there, or a pattern matches nothing.
pub fn open(resources: &[Resource], options: &ReadOptions) -> Result<Box<dyn Source>> {
    let mut waiting = VecDeque::new();
    for resource in resources {
        let format = Format::parse(resource)?;
        let places = match &format {
            Format::Range(_) => vec![resource.place.clone()],
            _ => resource.place.clone().expand()?,
        };
        for place in places {
            let one = Resource { spec: resource.spec.clone(), place };
            waiting.push_back((format.clone(), one));
        }
    }
    Ok(Box::new(Row { waiting, current: None, options: options.clone() }))
}

/// A format and its options, checked.
#[derive(Clone)]
enum Format {
    /// One that is made of bytes, wherever they come from.
    Bytes(ByteFormat),
    /// One that is made of bytes, in the members of a Zip.
    Zipped(ByteFormat, zip::Limits),
    Zip(zip::Limits),
    Leveldb,
    Files {
        skip: bool,
    },
    Range(Range),
    /// Data on hosts, whose manifest the file is.
    Shards,
    /// One of somebody else.
    Plugin,
}

#[derive(Clone)]
enum ByteFormat {
    Ndjson,
    Text(text::Shape),
    Csv(csv::Dialect),
}

impl Format {
    fn parse(resource: &Resource) -> Result<Format> {
        let spec = &resource.spec;
        if resource.packing().zipped {
            let mut spec = spec.clone();
            let limits = zip::Limits::take(&mut spec)?;
            return ByteFormat::parse(&spec).map(|format| Format::Zipped(format, limits));
        }
        match spec.name() {
            "ndjson" | "text" | "csv" => ByteFormat::parse(spec).map(Format::Bytes),
            "zip" => zip::Limits::parse(spec).map(Format::Zip),
            "files" => files::parse(spec).map(|skip| Format::Files { skip }),
            "leveldb" => spec.finish("").map(|()| Format::Leveldb),
            "range" => {
                spec.finish("")?;
                Range::parse(&resource.place.to_string()).map(Format::Range)
            }
            "shards" => spec.finish("").map(|()| Format::Shards),
            _ => Ok(Format::Plugin),
        }
    }

    /// Opens a resource of this format.
    fn open(self, resource: &Resource, options: &ReadOptions) -> Result<Box<dyn Source>> {
        match self {
            Format::Range(range) => Ok(Box::new(range)),
            Format::Leveldb => match &resource.place {
                Place::Path(path) => Ok(Box::new(leveldb::Reader::open(path, options)?)),
                _ => Err(Error::usage(format!("leveldb:{}: not a directory", resource.place))),
            },
            Format::Zip(limits) => Ok(Box::new(zip::Reader::open(resource, limits, options)?)),
            Format::Files { skip } => Ok(Box::new(files::Reader::open(resource, skip, options)?)),
            Format::Shards => match (&resource.place, &options.shards) {
                (Place::Path(path), Some(open)) => {
                    let input = open(path)?;
                    Ok(Box::new(ndjson::Reader::new(input, options)))
                }
                _ => Err(Error::usage(format!("{}: shards cannot be read here", resource.place))),
            },
            Format::Plugin => Ok(Box::new(plugin::Reader::open(resource, options)?)),
            Format::Zipped(format, limits) => {
                let each = options.clone();
                let over = Box::new(move |input| format.over(input, &each));
                Ok(Box::new(zip::Over::open(resource, limits, options, over)?))
            }
            Format::Bytes(format) => {
                let mut input = bytes::open(&resource.place, options)?;
                if let Some(codec) = resource.packing().codec {
                    input = decode(codec, input)?;
                }
                Ok(format.over(input, options))
            }
        }
    }
}

impl ByteFormat {
    fn parse(spec: &Spec) -> Result<ByteFormat> {
        match spec.name() {
            "text" => text::Shape::parse(spec).map(ByteFormat::Text),
            "csv" => csv::Dialect::parse(spec).map(ByteFormat::Csv),
            _ => spec.finish("").map(|()| ByteFormat::Ndjson),
        }
    }

    /// The records in some bytes of this format.
    fn over(&self, input: Box<dyn Input>, options: &ReadOptions) -> Box<dyn Source> {
        match self {
            ByteFormat::Ndjson => Box::new(ndjson::Reader::new(input, options)),
            ByteFormat::Text(shape) => Box::new(text::Reader::new(input, *shape, options)),
            ByteFormat::Csv(dialect) => Box::new(csv::Reader::new(input, dialect, options)),
        }
    }

    /// The same of a part of a file.
    fn over_part(&self, bytes: PartOf, options: &ReadOptions) -> Box<dyn Source> {
        let PartOf { input, in_the_middle, end } = bytes;
        match self {
            ByteFormat::Csv(dialect) => {
                Box::new(csv::Reader::new(input, dialect, options).part(in_the_middle, end))
            }
            ByteFormat::Ndjson if in_the_middle => {
                Box::new(ndjson::Reader::new(input, options).in_the_middle())
            }
            ByteFormat::Text(shape) if in_the_middle => {
                Box::new(text::Reader::new(input, *shape, options).in_the_middle())
            }
            _ => self.over(input, options),
        }
    }
}

/// A part of a file.
pub(super) struct PartOf {
    /// The bytes that begin the file or, in its middle, a head, and then the part. Of a file that
    /// can be cut at records, what comes behind it too.
    pub(super) input: Box<dyn Input>,
    /// Whether it does not begin the file.
    pub(super) in_the_middle: bool,
    /// Where it ends, in these bytes.
    pub(super) end: u64,
}

/// Where a file can be cut into parts of whole records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cuts {
    /// Nowhere: its format, or how it is packed, knows no parts.
    Nowhere,
    /// Behind every line end.
    AtLines,
    /// Where a record ends, which only those before it tell.
    AtRecords,
}

/// Where the file of a resource can be cut.
///
/// # Errors
/// When the format or an option is unknown.
pub fn cuts(resource: &Resource) -> Result<Cuts> {
    let packed = resource.packing().codec.is_some();
    Ok(match Format::parse(resource)? {
        Format::Bytes(_) if packed => Cuts::Nowhere,
        Format::Bytes(ByteFormat::Csv(_)) => Cuts::AtRecords,
        Format::Bytes(_) => Cuts::AtLines,
        _ => Cuts::Nowhere,
    })
}

/// The records of a part of the file of a resource.
///
/// # Errors
/// As [`cuts`]; `Incomplete` for what cannot be cut.
pub(super) fn open_part(
    resource: &Resource,
    part: PartOf,
    options: &ReadOptions,
) -> Result<Box<dyn Source>> {
    match Format::parse(resource)? {
        Format::Bytes(format) => Ok(format.over_part(part, options)),
        _ => Err(Error::incomplete(format!("{}: a part of what knows no parts", resource.place))),
    }
}

/// Sources in a row.
struct Row {
    waiting: VecDeque<(Format, Resource)>,
    current: Option<Box<dyn Source>>,
    options: ReadOptions,
}

impl Source for Row {
    fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        match &mut self.current {
            Some(source) => {
                if !source.fill(out)? {
                    self.current = None;
                }
                Ok(true)
            }
            None => match self.waiting.pop_front() {
                Some((format, resource)) => {
                    self.current = Some(format.open(&resource, &self.options)?);
                    Ok(true)
                }
                None => Ok(false),
            },
        }
    }
}

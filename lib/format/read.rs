//! The records of resources: one source for each, and one for all of them in a row.

use std::collections::VecDeque;
use std::fs::Metadata;

use super::bytes;
use super::compression::Codec;
use super::decompression::{decode, unpack};
use super::encoding::{Charset, Coding, Decoded};
use super::place::ResourcePlace;
use super::range::Range;
use super::resource::{self, Resource, is_tabbed};
use super::spec::Spec;
use super::{
    ReadOptions, Source, Unmade, csv, files, foreign_parts, json, leveldb, ndjson, objects, plugin,
    text, zip,
};
use crate::error::{Error, Result};
use crate::pipe::meter;
use crate::record::rows::RowBlock;
use crate::record::stream::Input;

/// The records of some resources, one after the other, in order. Formats, options and paths are
/// checked here; each resource is opened when its turn comes.
///
/// ```
/// use mycloud::format::resource::Resource;
/// use mycloud::format::{ReadOptions, read};
/// use mycloud::record::bad::Policy;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("sales.csv");
/// std::fs::write(&path, "region,amount\nnorth,10\nsouth,NA\n")?;
/// let argument = format!("csv,typed,null=NA:{}", path.display());
/// let resources = [Resource::parse(argument.as_ref(), None)?, Resource::parse("range:0..2".as_ref(), None)?];
///
/// let mut source = read::open(&resources, &ReadOptions::new(Policy::Fail)?)?;
/// let mut records = Vec::new();
/// while source.fill(&mut records)? {}
/// let lines = "{\"region\":\"north\",\"amount\":10}\n{\"region\":\"south\",\"amount\":null}\n0\n1\n";
/// assert_eq!(String::from_utf8(records)?, lines);
///
/// // What is not there is an error before anything is read.
/// let nothing = [Resource::parse("csv:no-such-file.csv".as_ref(), None)?];
/// assert!(read::open(&nothing, &ReadOptions::new(Policy::Fail)?).is_err());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When a format or an option is unknown, a path is not there, or a pattern matches nothing.
pub fn open(resources: &[Resource], options: &ReadOptions) -> Result<Box<dyn Source>> {
    let mut waiting = VecDeque::new();
    for resource in resources {
        let format = Format::parse(resource)?;
        let found = resource.expand(options.note.as_ref()).map_err(|e| match &format {
            // Perhaps a name with a colon was meant.
            Format::Plugin => e.at(format!("format {}", resource.spec.name())),
            _ => e,
        })?;
        for one in found {
            // Each of what a pattern matches has its own name, which tells its own.
            waiting.push_back((Format::parse(&one)?, one));
        }
    }
    foresee(&waiting);
    Ok(Box::new(Row { waiting, current: None, options: options.clone() }))
}

/// Lets those who look know how much there is to read. A single file tells that when it is opened.
fn foresee(waiting: &VecDeque<(Format, Resource)>) {
    let length = |(format, resource): &(Format, Resource)| match (format, &resource.place) {
        (Format::Bytes(_), ResourcePlace::Path(path)) => {
            path.metadata().ok().filter(Metadata::is_file).map(|found| found.len())
        }
        _ => None,
    };
    if waiting.len() > 1 {
        meter::of_process().foresee(waiting.iter().map(length));
    }
}

/// A format and its options, checked.
#[derive(Clone)]
enum Format {
    /// One that is made of bytes, wherever they come from.
    Bytes(ByteFormat),
    /// One that is made of bytes, in the members of a Zip.
    Zipped(ByteFormat, zip::ZipOptions),
    Zip(zip::ZipOptions),
    Leveldb {
        any_order: bool,
    },
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
    Ndjson(ndjson::Leniency),
    Json(json::JsonLayout),
    Text(text::Shape, Coding),
    Csv(csv::Dialect),
}

impl Format {
    fn parse(resource: &Resource) -> Result<Format> {
        let spec = &resource.spec;
        if resource.packing().zipped && spec.name() != "table" {
            let mut spec = spec.clone();
            let archive = zip::ZipOptions::take(&mut spec)?;
            return ByteFormat::parse(&spec).map(|format| Format::Zipped(format, archive));
        }
        match spec.name() {
            "ndjson" | "json" | "text" | "csv" => ByteFormat::parse(spec).map(Format::Bytes),
            "zip" => zip::ZipOptions::parse(spec).map(Format::Zip),
            "files" => files::parse(spec).map(|skip| Format::Files { skip }),
            "leveldb" => leveldb::parse(spec).map(|any_order| Format::Leveldb { any_order }),
            "range" => {
                spec.finish("")?;
                Range::parse(&resource.place.to_string()).map(Format::Range)
            }
            "table" => Err(Error::usage("format table is for writing only")),
            "shards" => spec.finish("").map(|()| Format::Shards),
            _ => Ok(Format::Plugin),
        }
    }

    /// Opens a resource of this format.
    fn open(self, resource: &Resource, options: &ReadOptions) -> Result<Box<dyn Source>> {
        match self {
            Format::Range(range) => Ok(Box::new(range)),
            Format::Leveldb { any_order } => match &resource.place {
                ResourcePlace::Path(path) => {
                    Ok(Box::new(leveldb::LevelDbReader::open(path, any_order, options)?))
                }
                _ => Err(Error::usage(format!("leveldb:{}: not a directory", resource.place))),
            },
            Format::Zip(archive) => Ok(Box::new(zip::ZipReader::open(resource, archive, options)?)),
            Format::Files { skip } => {
                Ok(Box::new(files::FilesReader::open(resource, skip, options)?))
            }
            Format::Shards => match (&resource.place, &options.shards) {
                (ResourcePlace::Path(path), Some(open)) => {
                    let input = open(path)?;
                    Ok(Box::new(ndjson::NdjsonReader::new(input, options)))
                }
                _ => Err(Error::usage(format!("{}: shards cannot be read here", resource.place))),
            },
            Format::Plugin => Ok(Box::new(plugin::PluginReader::open(resource, options)?)),
            Format::Zipped(format, archive) => {
                let (each, tells) = (options.clone(), format.clone());
                let inside = zip::Inside {
                    tells: Box::new(move |member| tells.is_told_by(member)),
                    open: Box::new(move |input| {
                        format.clone().named(input.name()).over(input, &each)
                    }),
                };
                Ok(Box::new(zip::Over::open(resource, archive, options, inside)?))
            }
            Format::Bytes(format) => {
                let input = bytes::open(&resource.place, options)?;
                let input = match resource.packing().codec {
                    Some(codec) => decode(codec, input)?,
                    None => input,
                };
                Ok(format.over(unpack(input)?, options))
            }
        }
    }
}

impl ByteFormat {
    fn parse(spec: &Spec) -> Result<ByteFormat> {
        match spec.name() {
            "text" => {
                text::Shape::parse(spec).map(|(shape, coding)| ByteFormat::Text(shape, coding))
            }
            "csv" => csv::Dialect::parse(spec)?.for_reading().map(ByteFormat::Csv),
            "json" => json::JsonLayout::parse(spec).map(ByteFormat::Json),
            _ => ndjson::Leniency::parse(spec).map(ByteFormat::Ndjson),
        }
    }

    /// How its text is written down.
    fn coding(&self) -> Coding {
        match self {
            ByteFormat::Ndjson(leniency) => leniency.coding,
            ByteFormat::Json(layout) => layout.coding,
            ByteFormat::Text(_, coding) => *coding,
            ByteFormat::Csv(dialect) => dialect.coding,
        }
    }

    /// The same, of what is called `name`: the ending says what no option does.
    fn named(self, name: &str) -> ByteFormat {
        match self {
            ByteFormat::Csv(dialect) if is_tabbed(name) => ByteFormat::Csv(dialect.tabbed()),
            format => format,
        }
    }

    /// Whether the name of a member of a Zip tells this format. Lines of text may be called
    /// anything that tells no other.
    fn is_told_by(&self, member: &str) -> bool {
        let told = resource::told(member);
        match (self, told.as_ref().map(Spec::name)) {
            // Many call lines of JSON .json.
            (ByteFormat::Ndjson(_) | ByteFormat::Json(_), Some(told)) => {
                told == "ndjson" || told == "json"
            }
            (ByteFormat::Text(..), told) => told.is_none_or(|told| told == "text"),
            (ByteFormat::Csv(_), Some(told)) => told == "csv",
            (_, None) => false,
        }
    }

    /// The records in some bytes of this format.
    fn over(&self, input: Box<dyn Input>, options: &ReadOptions) -> Box<dyn Source> {
        self.of(Decoded::new(input, self.coding()), false, options)
    }

    /// The same of a part of a file.
    fn over_part(&self, part: PartOf, options: &ReadOptions) -> Box<dyn Source> {
        let mut input = Decoded::new(part.input, self.coding()).ending(part.end);
        if part.in_the_middle {
            input = input.in_the_middle(part.charset);
        }
        self.of(input, part.in_the_middle, options)
    }

    fn of(
        &self,
        input: Decoded<Box<dyn Input>>,
        in_the_middle: bool,
        options: &ReadOptions,
    ) -> Box<dyn Source> {
        match self {
            ByteFormat::Json(layout) => {
                let reader = json::JsonReader::new(input, *layout, options);
                Box::new(if in_the_middle { reader.in_the_middle() } else { reader })
            }
            ByteFormat::Ndjson(leniency) => {
                let reader = ndjson::NdjsonReader::of(input, *leniency, options);
                Box::new(if in_the_middle { reader.in_the_middle() } else { reader })
            }
            ByteFormat::Text(shape, coding) => {
                let reader = text::TextReader::new(input, *shape, coding.invalid, options);
                Box::new(if in_the_middle { reader.in_the_middle() } else { reader })
            }
            ByteFormat::Csv(dialect) => {
                let reader = csv::CsvReader::of(input, dialect, options);
                Box::new(if in_the_middle { reader.in_the_middle() } else { reader })
            }
        }
    }
}

/// A part of a file.
pub(super) struct PartOf {
    /// The bytes that begin the file or, in its middle, a head, and then the part. Of a file that
    /// can be cut at records, what comes behind it too.
    pub(super) input: Box<dyn Input>,
    /// Whether it does not begin the file, and what the file is encoded in then.
    pub(super) in_the_middle: bool,
    pub(super) charset: Charset,
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

/// Where the file of a resource can be cut that begins with `head`, its first
/// [`HEAD_BYTES`](super::encoding::HEAD_BYTES), and what it is encoded in. Without its head, where
/// it can be cut at best.
///
/// # Errors
/// When the format or an option is unknown.
pub fn cuts(resource: &Resource, head: &[u8]) -> Result<(Cuts, Charset)> {
    let format = match Format::parse(resource)? {
        Format::Bytes(format) => format,
        _ => return Ok((Cuts::Nowhere, Charset::Utf8)),
    };
    let charset = format.coding().of(head);
    let packed = resource.packing().codec.is_some() || Codec::seen(head).is_some();
    let cuts = match format {
        _ if packed || !charset.can_be_cut() => Cuts::Nowhere,
        ByteFormat::Json(layout) if layout.items => Cuts::Nowhere,
        ByteFormat::Csv(_) | ByteFormat::Json(_) => Cuts::AtRecords,
        _ => Cuts::AtLines,
    };
    Ok((cuts, charset))
}

/// The parts of about `bytes` bytes of what a resource of a format of others names, if its program tells such.
///
/// # Errors
/// As [`cuts`]; when there is no such program, or it tells what is no part.
pub fn foreign_parts(resource: &Resource, bytes: u64) -> Result<Option<Vec<Resource>>> {
    match Format::parse(resource)? {
        Format::Plugin => foreign_parts::parts(resource, bytes),
        _ => Ok(None),
    }
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
            None => self.open_next(),
        }
    }

    fn rows(&mut self, size: usize, buffer: &mut Vec<u8>) -> Result<Option<RowBlock>> {
        while self.current.is_none() && self.open_next()? {}
        match &mut self.current {
            Some(source) => source.rows(size, buffer),
            None => Ok(None),
        }
    }

    fn unmade(&mut self, buffer: &mut Vec<u8>) -> Result<Option<Box<dyn Unmade>>> {
        while self.current.is_none() && self.open_next()? {}
        match &mut self.current {
            Some(source) => source.unmade(buffer),
            None => Ok(None),
        }
    }
}

impl Row {
    /// Opens the next source, or finds what it stands for. `false` when there is none.
    fn open_next(&mut self) -> Result<bool> {
        let Some((format, resource)) = self.waiting.pop_front() else { return Ok(false) };
        match objects::each_of(&resource, &self.options)?.as_slice() {
            [one] if *one == resource => {
                self.current = Some(format.open(&resource, &self.options)?);
            }
            found => self.put_first(found)?,
        }
        Ok(true)
    }

    /// Reads these next.
    fn put_first(&mut self, found: &[Resource]) -> Result<()> {
        for one in found.iter().rev() {
            self.waiting.push_front((Format::parse(one)?, one.clone()));
        }
        Ok(())
    }
}

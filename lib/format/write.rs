//! Records to a resource.

use std::path::Path;

use super::place::ResourcePlace;
use super::resource::Resource;
use super::target::Target;
use super::{Sink, WriteOptions, csv, files, json, leveldb, ndjson, plugin, table, text, zip};
use crate::error::{Error, Result};

/// Begins the output that `resource` names.
///
/// # Errors
/// When the format or an option is unknown or for reading only, or there can be no such output.
pub fn create(resource: &Resource, options: &WriteOptions) -> Result<Box<dyn Sink>> {
    let spec = &resource.spec;
    let target = || Target::create(resource, options);
    match spec.name() {
        "ndjson" => {
            let coding = ndjson::Leniency::parse(spec)?.coding;
            Ok(Box::new(ndjson::NdjsonWriter::new(target()?.in_charset(coding.charset))))
        }
        "json" => {
            let layout = json::JsonLayout::parse(spec)?;
            let target = target()?.in_charset(layout.coding.charset);
            Ok(Box::new(json::JsonWriter::new(target, layout.items)))
        }
        "text" => {
            let (shape, coding) = text::Shape::parse(spec)?;
            Ok(Box::new(text::TextWriter::new(target()?.in_charset(coding.charset), shape)?))
        }
        "csv" => {
            let dialect = csv::Dialect::parse(spec)?.for_writing()?;
            let target = target()?.in_charset(dialect.coding.charset);
            Ok(Box::new(csv::CsvWriter::new(target, &dialect, &options.directory)?))
        }
        "leveldb" => {
            spec.finish("")?;
            Ok(Box::new(leveldb::LevelDbWriter::create(database(resource)?, options)?))
        }
        "zip" => {
            let packed = zip::ZipWriter::parse(spec)?;
            Ok(Box::new(zip::ZipWriter::new(target()?, packed)))
        }
        "table" => Ok(Box::new(table::TableWriter::new(spec, target()?, options)?)),
        "files" => Ok(Box::new(files::FilesWriter::create(resource, options)?)),
        "range" => Err(Error::usage("format range is for reading only")),
        "shards" => {
            Err(Error::usage("shards are made by the tools that take -h: say -o FILE.mc there"))
        }
        _ => Ok(Box::new(plugin::PluginWriter::create(resource, options)?)),
    }
}

/// The directory of a database.
fn database(resource: &Resource) -> Result<&Path> {
    match &resource.place {
        ResourcePlace::Path(path) => Ok(path),
        place => Err(Error::usage(format!("leveldb:{place}: not a directory"))),
    }
}

/// Checks, where nothing is to be written, that the output that `resource` names could begin.
///
/// # Errors
/// As [`create`].
pub fn check(resource: &Resource, options: &WriteOptions) -> Result<()> {
    let spec = &resource.spec;
    match spec.name() {
        "ndjson" => ndjson::Leniency::parse(spec).map(drop)?,
        "json" => json::JsonLayout::parse(spec).map(drop)?,
        "text" => text::Shape::parse(spec).map(drop)?,
        "csv" => csv::Dialect::parse(spec)?.for_writing().map(drop)?,
        "zip" => zip::ZipWriter::parse(spec).map(drop)?,
        "table" => table::check(spec)?,
        "leveldb" => {
            spec.finish("")?;
            return leveldb::LevelDbWriter::check(database(resource)?, options.replace);
        }
        "files" => return files::check(resource, options),
        "range" | "shards" => return create(resource, options).map(drop),
        _ => return plugin::check(resource, options),
    }
    Target::check(resource, options)
}

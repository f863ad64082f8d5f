//! Records to a resource.

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
            Ok(Box::new(ndjson::Writer::new(target()?.in_charset(coding.charset))))
        }
        "json" => {
            let layout = json::Layout::parse(spec)?;
            let target = target()?.in_charset(layout.coding.charset);
            Ok(Box::new(json::Writer::new(target, layout.items)))
        }
        "text" => {
            let (shape, coding) = text::Shape::parse(spec)?;
            Ok(Box::new(text::Writer::new(target()?.in_charset(coding.charset), shape)?))
        }
        "csv" => {
            let dialect = csv::Dialect::parse(spec)?.for_writing()?;
            let target = target()?.in_charset(dialect.coding.charset);
            Ok(Box::new(csv::Writer::new(target, &dialect, &options.directory)?))
        }
        "leveldb" => {
            spec.finish("")?;
            match &resource.place {
                ResourcePlace::Path(path) => Ok(Box::new(leveldb::Writer::create(path, options)?)),
                place => Err(Error::usage(format!("leveldb:{place}: not a directory"))),
            }
        }
        "zip" => {
            let packed = zip::Writer::parse(spec)?;
            Ok(Box::new(zip::Writer::new(target()?, packed)))
        }
        "table" => Ok(Box::new(table::Writer::new(spec, target()?, options)?)),
        "files" => Ok(Box::new(files::Writer::create(resource, options)?)),
        "range" => Err(Error::usage("format range is for reading only")),
        "shards" => {
            Err(Error::usage("shards are made by the tools that take -h: say -o FILE.mc there"))
        }
        _ => Ok(Box::new(plugin::Writer::create(resource, options)?)),
    }
}

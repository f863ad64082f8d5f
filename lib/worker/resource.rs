//! The files of a host as records: what a resource stands for there, and how it is read.

use std::ffi::OsString;
use std::path::Path;

use crate::error::{Error, Result};
use crate::format::place::Place;
use crate::format::resource::Resource;
use crate::format::spec::Spec;
use crate::format::{ReadOptions, Source, read};
use crate::wire::bytes::Bytes;
use crate::wire::message;

/// The most resources that one may stand for.
const EXPANDED_MAX: usize = 4096;

/// The resource, its path seen from the directory `login`.
fn parse(login: &Path, resource: &message::Resource) -> Result<Vec<Resource>> {
    let format = resource.format.as_deref().map(Spec::parse).transpose()?;
    let path = OsString::from(resource.path.clone());
    let mut found = Resource::parse_all_in(login, &path, format.as_ref())?;
    if found.iter().any(|found| found.place == Place::Standard) {
        return Err(Error::usage("standard input is not a file of hosts"));
    }
    if found.iter().any(|found| found.spec.name() == "shards") {
        return Err(Error::usage("a manifest (.mc) is read without -h"));
    }
    found.truncate(EXPANDED_MAX + 1);
    Ok(found)
}

/// The resources that one stands for, in order.
pub(crate) fn expand(login: &Path, resource: &message::Resource) -> Result<Vec<message::Resource>> {
    let mut expanded = Vec::new();
    for found in parse(login, resource)? {
        let format = found.spec.text();
        for place in found.place.expand()? {
            let path = match place {
                Place::Path(path) => Bytes::from(path.as_os_str()),
                other => Bytes(other.to_string().into_bytes()),
            };
            expanded.push(message::Resource { format: Some(format.clone()), path });
        }
    }
    if expanded.len() > EXPANDED_MAX {
        return Err(Error::usage(format!("a pattern that matches more than {EXPANDED_MAX} files")));
    }
    Ok(expanded)
}

/// Opens one.
pub(crate) fn open(
    login: &Path,
    resource: &message::Resource,
    options: &ReadOptions,
) -> Result<Box<dyn Source>> {
    read::open(&parse(login, resource)?, options)
}

//! `mc-split` into shards that are parts of local files: nothing is copied, and whoever works on a
//! shard reads its part.

use std::path::Path;

use crate::engine::host_access::HostAccess;
use crate::engine::producer::Producer;
use crate::engine::split::{self, CLIENT};
use crate::error::{Error, Result};
use crate::format::ReadOptions;
use crate::format::place::ResourcePlace;
use crate::format::resource::Resource;
use crate::record::stream::{Output, Summary};

/// What `mc-split` is to do.
pub struct SplitShardsOptions<'a> {
    /// How runs are reached.
    pub reach: &'a HostAccess,
    /// The files, in this order.
    pub resources: Vec<Resource>,
    /// How to read them.
    pub read: ReadOptions,
    /// How large the parts are.
    pub size: PartSize,
    /// Where the manifest is to stay, when it is to be kept.
    pub keep: Option<&'a Path>,
}

/// How large parts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartSize {
    /// About so many bytes each.
    Bytes(u64),
    /// So large that there are about so many in all.
    Parts(u64),
}

/// Cuts the files and writes the manifest of the parts to `output`.
///
/// # Errors
/// `Usage` for what is no file of this machine, what the files and `output` say.
pub fn run(
    options: &SplitShardsOptions<'_>,
    output: &mut dyn Output,
) -> Result<(Summary, Producer)> {
    let mut files = Vec::new();
    for resource in &options.resources {
        files.extend(resource.expand(options.read.note.as_ref())?);
    }
    let size = match options.size {
        PartSize::Bytes(bytes) => bytes.max(1),
        PartSize::Parts(count) => {
            let total = files.iter().map(bytes).sum::<Result<u64>>()?;
            total.div_ceil(count.max(1)).max(1)
        }
    };
    let (mut splits, mut lines) = (Vec::new(), Vec::new());
    for file in &files {
        for (part, contents) in split::cut(file, size, &options.read)? {
            splits.push(part);
            lines.push(contents);
        }
    }
    let (reach, keep) = (options.reach, options.keep);
    let mut producer = Producer::begin_splits(reach, keep, splits, output)?;
    let mut summary = Summary { bad: options.read.bad.count(), ..Summary::default() };
    for contents in &lines {
        output.write(&producer.line(&[CLIENT.to_string()], contents)?)?;
        summary.records_out += contents.records;
        summary.bytes_out += contents.bytes;
    }
    (summary.records_in, summary.bytes_in) = (summary.records_out, summary.bytes_out);
    producer.end(output)?;
    Ok((summary, producer))
}

/// The size of a file.
fn bytes(file: &Resource) -> Result<u64> {
    match &file.place {
        ResourcePlace::Path(path) => {
            let found = std::fs::metadata(path).map_err(|e| Error::path("read", path, &e))?;
            Ok(found.len())
        }
        other => Err(Error::usage(format!("{other}: only files of this machine can be split"))),
    }
}

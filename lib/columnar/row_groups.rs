//! Parts of a file that can be read apart: some of its groups of rows each.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use xxhash_rust::xxh3::xxh3_64;

use super::shape::Node;
use crate::error::{Error, Result};

/// The line that says that parts follow, which no record is.
const PARTS: &str = "#parts\n";

/// The most parts that are told.
const PARTS_MAX: u64 = 4000;

/// What ends a file behind its footer: the footer's length, and four letters.
const TAIL_BYTES: u64 = 8;

/// The parts of about `bytes` bytes each that some groups make, counting the columns that are read: a line each,
/// the word of the option `part=` that reads it.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn parts(
    path: &Path,
    reader: &SerializedFileReader<File>,
    nodes: &[Node],
    groups: Range<usize>,
    bytes: u64,
) -> Result<Vec<u8>> {
    let footer = footer(path)?;
    let size = |group: usize| -> u64 {
        let columns = reader.metadata().row_group(group).columns();
        let read = nodes.iter().flat_map(|node| &columns[node.first..node.end]);
        read.map(|column| u64::try_from(column.compressed_size()).unwrap_or(0)).sum()
    };
    let all: u64 = groups.clone().map(size).sum();
    let bytes = bytes.max(all / PARTS_MAX + 1);
    let mut lines = PARTS.to_string();
    let (mut from, mut held) = (groups.start, 0);
    for group in groups.clone() {
        held += size(group);
        if held >= bytes || group + 1 == groups.end {
            lines += &line(from..group + 1, footer);
            (from, held) = (group + 1, 0);
        }
    }
    if groups.is_empty() {
        lines += &line(groups, footer);
    }
    Ok(lines.into_bytes())
}

fn line(groups: Range<usize>, footer: u64) -> String {
    format!("{}..{}-{footer:016x}\n", groups.start, groups.end)
}

/// The groups of a part, and what the footer is told by.
pub(super) fn parse(part: &str) -> Option<(Range<usize>, u64)> {
    let (groups, footer) = part.split_once('-')?;
    let (from, to) = groups.split_once("..")?;
    let (from, to): (usize, usize) = (from.parse().ok()?, to.parse().ok()?);
    (from <= to).then_some(())?;
    Some((from..to, u64::from_str_radix(footer, 16).ok()?))
}

/// Fails when the footer is not the one that parts were told of.
///
/// # Errors
/// `Incomplete` then; when the file cannot be read.
pub(super) fn check(path: &Path, told: u64) -> Result<()> {
    match footer(path)? == told {
        true => Ok(()),
        false => {
            Err(Error::incomplete(format!("{} was changed while it was read", path.display())))
        }
    }
}

/// What the footer is told by: where all lies in the file, and how it is packed.
fn footer(path: &Path) -> Result<u64> {
    let failed = |e: io::Error| Error::path("read", path, &e);
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let mut tail = [0; TAIL_BYTES as usize];
    file.read_exact_at(&mut tail, size.saturating_sub(TAIL_BYTES)).map_err(failed)?;
    let length = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
    let length = (u64::from(length) + TAIL_BYTES).min(size);
    let mut footer = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut footer, size - length).map_err(failed)?;
    footer.extend_from_slice(&size.to_le_bytes());
    Ok(xxh3_64(&footer))
}

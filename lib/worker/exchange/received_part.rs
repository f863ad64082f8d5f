//! The parts of a range that are here: segments of items, in memory or in files.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::extsort::merge::Cursor;
use crate::extsort::segment::Segment;
use crate::extsort::spill::{Items, Spill, SpillReader};
use crate::spool::Spool;
use crate::wire::exchange::{MergeTask as Range, SEGMENTS_MAX};
use crate::worker::exchange::bound;

/// A part that is here, in memory or in a file: segments, each behind its length.
pub(super) enum ReceivedPart {
    Memory(Vec<u8>),
    File { spill: Spill, places: Vec<(u64, u64)> },
}

impl ReceivedPart {
    /// Takes what came.
    pub(super) fn new(spool: Spool) -> Result<ReceivedPart> {
        let bytes = spool.len();
        let spool = match spool.into_bytes() {
            Ok(bytes) => return Ok(ReceivedPart::Memory(bytes)),
            Err(spool) => spool,
        };
        let Some((file, blocks)) = spool.into_file()? else {
            return Ok(ReceivedPart::Memory(Vec::new()));
        };
        let places = places(&file, bytes)?;
        Ok(ReceivedPart::File { spill: Spill::of(Arc::new(file), blocks), places })
    }

    /// Its memory, to be used again.
    pub(super) fn into_memory(self) -> Option<Vec<u8>> {
        match self {
            ReceivedPart::Memory(bytes) => Some(bytes),
            ReceivedPart::File { .. } => None,
        }
    }

    /// How many read buffers it takes.
    pub(super) fn files(&self) -> usize {
        match self {
            ReceivedPart::Memory(_) => 0,
            ReceivedPart::File { places, .. } => places.len(),
        }
    }

    /// Appends the streams of its items, which in a file have read buffers of so many bytes.
    pub(super) fn push_cursors<'a>(
        &'a self,
        buffer: usize,
        to: &mut Vec<PartSource<'a>>,
    ) -> Result<()> {
        match self {
            ReceivedPart::Memory(bytes) => {
                let mut rest = bytes.as_slice();
                let most = to.len() + SEGMENTS_MAX;
                while let Some((length, behind)) = rest.split_first_chunk::<8>() {
                    if *length == [0; 8] || to.len() == most {
                        return Err(damaged());
                    }
                    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
                    let (items, behind) = behind.split_at_checked(length).ok_or_else(damaged)?;
                    to.push(PartSource::Memory(Items::new(items)));
                    rest = behind;
                }
                if rest.is_empty() { Ok(()) } else { Err(damaged()) }
            }
            ReceivedPart::File { spill, places } => {
                let readers = places.iter().map(|(from, end)| spill.read_part(*from, *end, buffer));
                to.extend(readers.map(PartSource::File));
                Ok(())
            }
        }
    }
}

/// Where the segments of a part lie in its file.
fn places(file: &File, bytes: u64) -> Result<Vec<(u64, u64)>> {
    let (mut places, mut at) = (Vec::new(), 0);
    while at < bytes {
        let mut length = [0; 8];
        let read = file.read_exact_at(&mut length, at);
        read.map_err(|e| Error::io("read", "a temporary file", &e))?;
        let from = at + 8;
        let end = from.checked_add(u64::from_le_bytes(length)).filter(|end| *end <= bytes);
        let end = end.ok_or_else(damaged)?;
        if end == from || places.len() == SEGMENTS_MAX {
            return Err(damaged());
        }
        places.push((from, end));
        at = end;
    }
    Ok(places)
}

fn damaged() -> Error {
    Error::incomplete("a part of a range is damaged")
}

/// The items of a range that lie in a segment of this host.
pub(super) fn here_of(
    segment: &Segment,
    range: &Range,
    buffer: usize,
) -> Result<PartSource<'static>> {
    let places = segment.places(bound(&range.from), bound(&range.to))?;
    Ok(PartSource::File(segment.read(places, buffer)))
}

/// Where items come from.
pub(super) enum PartSource<'a> {
    /// Memory.
    Memory(Items<'a>),
    /// A file.
    File(SpillReader),
}

impl Cursor for PartSource<'_> {
    fn advance(&mut self) -> Result<bool> {
        match self {
            PartSource::Memory(items) => items.advance(),
            PartSource::File(items) => items.advance(),
        }
    }

    fn key(&self) -> &[u8] {
        match self {
            PartSource::Memory(items) => items.key(),
            PartSource::File(items) => items.key(),
        }
    }

    fn text(&self) -> &[u8] {
        match self {
            PartSource::Memory(items) => items.text(),
            PartSource::File(items) => items.text(),
        }
    }

    fn advance_head(&mut self) -> Result<bool> {
        match self {
            PartSource::Memory(items) => items.advance(),
            PartSource::File(items) => items.advance_head(),
        }
    }

    fn left(&self) -> Option<(usize, usize)> {
        match self {
            PartSource::Memory(_) => None,
            PartSource::File(items) => items.left(),
        }
    }

    fn fetch(&self, from: usize, part: &mut [u8]) -> Result<()> {
        match self {
            PartSource::Memory(_) => Ok(()),
            PartSource::File(items) => items.fetch(from, part),
        }
    }

    fn bring(&mut self, item: &mut [u8]) -> Result<()> {
        match self {
            PartSource::Memory(_) => Ok(()),
            PartSource::File(items) => items.bring(item),
        }
    }
}

//! The parts of a range that are here: segments of items, in memory or in files.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::command::spool::Spool;
use crate::error::{Error, Result};
use crate::sort::merge::Cursor;
use crate::sort::segment::Segment;
use crate::sort::spill::{Items, Spill, SpillReader};
use crate::wire::exchange::{Merge as Range, SEGMENTS_MAX};
use crate::worker::exchange::bound;

/// A part that is here, in memory or in a file: segments, each behind its length.
pub(super) enum Brought {
    Memory(Vec<u8>),
    File { spill: Spill, places: Vec<(u64, u64)> },
}

impl Brought {
    /// Takes what came.
    pub(super) fn new(spool: Spool) -> Result<Brought> {
        let bytes = spool.len();
        let spool = match spool.into_bytes() {
            Ok(bytes) => return Ok(Brought::Memory(bytes)),
            Err(spool) => spool,
        };
        let Some(file) = spool.into_file()? else { return Ok(Brought::Memory(Vec::new())) };
        let places = places(&file, bytes)?;
        Ok(Brought::File { spill: Spill::of(Arc::new(file), bytes), places })
    }

    /// Its memory, to be used again.
    pub(super) fn into_memory(self) -> Option<Vec<u8>> {
        match self {
            Brought::Memory(bytes) => Some(bytes),
            Brought::File { .. } => None,
        }
    }

    /// How many read buffers it takes.
    pub(super) fn files(&self) -> usize {
        match self {
            Brought::Memory(_) => 0,
            Brought::File { places, .. } => places.len(),
        }
    }

    /// Appends the streams of its items, which in a file have read buffers of so many bytes.
    pub(super) fn push_cursors<'a>(&'a self, buffer: usize, to: &mut Vec<From<'a>>) -> Result<()> {
        match self {
            Brought::Memory(bytes) => {
                let mut rest = bytes.as_slice();
                let most = to.len() + SEGMENTS_MAX;
                while let Some((length, behind)) = rest.split_first_chunk::<8>() {
                    if *length == [0; 8] || to.len() == most {
                        return Err(damaged());
                    }
                    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
                    let (items, behind) = behind.split_at_checked(length).ok_or_else(damaged)?;
                    to.push(From::Memory(Items::new(items)));
                    rest = behind;
                }
                if rest.is_empty() { Ok(()) } else { Err(damaged()) }
            }
            Brought::File { spill, places } => {
                let readers = places.iter().map(|(from, end)| spill.read_part(*from, *end, buffer));
                to.extend(readers.map(From::File));
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
pub(super) fn here_of(segment: &Segment, range: &Range, buffer: usize) -> Result<From<'static>> {
    let places = segment.places(bound(&range.from), bound(&range.to))?;
    Ok(From::File(segment.read(places, buffer)))
}

/// Where items come from.
pub(super) enum From<'a> {
    /// Memory.
    Memory(Items<'a>),
    /// A file.
    File(SpillReader),
}

impl Cursor for From<'_> {
    fn advance(&mut self) -> Result<bool> {
        match self {
            From::Memory(items) => items.advance(),
            From::File(items) => items.advance(),
        }
    }

    fn key(&self) -> &[u8] {
        match self {
            From::Memory(items) => items.key(),
            From::File(items) => items.key(),
        }
    }

    fn text(&self) -> &[u8] {
        match self {
            From::Memory(items) => items.text(),
            From::File(items) => items.text(),
        }
    }
}

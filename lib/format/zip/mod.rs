//! The format `zip`: a record is `[member name, data]`; and other formats in the members of a Zip.
//!
//! Members come in the order of the archive's directory, those of the same name too, and nothing
//! is ever written under a member's name. Archives that cannot be searched (standard input, a
//! pipe, http) go to a temporary file without a name first. Refused, with the member's name: what
//! is encrypted, damaged, or packed by an unknown method; and what looks like a bomb: members
//! that overlap, that unpack to more than `ratio=` times their size, or in all to more than
//! `size=` bytes.

mod archive;
mod members;
mod reader;
mod writer;

pub use archive::ArchiveWriter;
pub use reader::{Over, Reader};
pub use writer::Writer;

use super::spec::Spec;
use crate::error::Result;

/// How much a member may grow by unpacking, unless `ratio=` says otherwise.
const DEFAULT_RATIO: u64 = 250;

/// How many bytes an archive may unpack to, unless `size=` says otherwise: 1 TiB.
const DEFAULT_SIZE: u64 = 1 << 40;

/// Where an archive stops being one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most that a member may grow by unpacking.
    ratio: u64,
    /// The most bytes that all members may unpack to.
    size: u64,
}

impl Limits {
    /// Takes the limits from the options of a format.
    ///
    /// # Errors
    /// When one is no number.
    pub fn take(spec: &mut Spec) -> Result<Limits> {
        let ratio = spec.number("ratio")?.unwrap_or(DEFAULT_RATIO);
        let size = spec.number("size")?.unwrap_or(DEFAULT_SIZE);
        Ok(Limits { ratio, size })
    }

    /// Reads the options of the format, for reading.
    ///
    /// # Errors
    /// When one is unknown, or no number.
    pub fn parse(spec: &Spec) -> Result<Limits> {
        let mut spec = spec.clone();
        let limits = Limits::take(&mut spec)?;
        spec.finish("ratio=, size= (when reading)")?;
        Ok(limits)
    }
}

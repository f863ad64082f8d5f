//! The format `zip`: a record is `[member name, data]`; and other formats in the members of a Zip.
//!
//! Members come in the order of the archive's directory, those of the same name too, and nothing
//! is ever written under a member's name. Archives that cannot be searched (standard input, a
//! pipe, http) go to a temporary file without a name first.
//!
//! A member that is damaged, packed by an unknown method, or encrypted with another password is a
//! bad record: `--bad` says what becomes of it. What looks like a bomb ends the reading: members
//! that overlap, that unpack to much more than their size, or in all to more than `size=` bytes.
//!
//! Which members are read, [`choice`] says.

mod archive;
mod at;
mod choice;
mod members;
mod reader;
mod writer;

pub use archive::ArchiveWriter;
pub use choice::Tells;
pub use reader::{Inside, Over, ZipReader};
pub use writer::ZipWriter;

use std::sync::Arc;

use super::pattern::Inner;
use super::spec::Spec;
use crate::error::Result;

/// How much a member may grow by unpacking, unless `ratio=` says otherwise.
const DEFAULT_RATIO: u64 = 250;

/// How many bytes an archive may unpack to, unless `size=` says otherwise: 1 TiB.
const DEFAULT_SIZE: u64 = 1 << 40;

/// Where the password of encrypted members is looked for.
pub const PASSWORD_VARIABLE: &str = "MC_ZIP_PASSWORD";

/// The password of encrypted members.
#[derive(Clone)]
pub enum Password {
    /// None was given where one is looked for.
    Missing,
    /// None comes to where the archive is read.
    Withheld,
    /// This one.
    Given(Arc<[u8]>),
}

/// What is read of an archive.
#[derive(Clone, Debug)]
pub struct ZipOptions {
    /// The most that a member may grow by unpacking.
    ratio: u64,
    /// The most bytes that all members may unpack to.
    size: u64,
    /// Which members are read, as patterns of their names; all, or those that their names tell,
    /// where there is none.
    members: Vec<Inner>,
}

impl ZipOptions {
    /// Takes those of the options of a format that are about its archive.
    ///
    /// # Errors
    /// When one is no number, or no pattern.
    pub fn take(spec: &mut Spec) -> Result<ZipOptions> {
        let ratio = spec.number("ratio")?.unwrap_or(DEFAULT_RATIO);
        let size = spec.number("size")?.unwrap_or(DEFAULT_SIZE);
        let mut members = Vec::new();
        for pattern in spec.values("members")? {
            let refused = |why| spec.refuse(&format!("members={pattern}: not a pattern: {why}"));
            members.push(Inner::parse(&pattern).map_err(refused)?);
        }
        Ok(ZipOptions { ratio, size, members })
    }

    /// Reads the options of the format, for reading.
    ///
    /// # Errors
    /// As [`ZipOptions::take`], and when one is unknown.
    pub fn parse(spec: &Spec) -> Result<ZipOptions> {
        let mut spec = spec.clone();
        let options = ZipOptions::take(&mut spec)?;
        spec.finish("members=, ratio=, size= (when reading)")?;
        Ok(options)
    }
}

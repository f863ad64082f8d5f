//! Records to Zip: each `[member name, data]` is a member.

use std::io;

use super::ArchiveWriter;
use crate::error::{Error, Result};
use crate::format::pairs;
use crate::format::spec::Spec;
use crate::format::target::Target;
use crate::format::{Sink, bytes::lower, lines};
use crate::record::scan;
use crate::record::text::value_bytes;

/// The longest name of a member.
const MOST_NAME_BYTES: usize = 0xffff;

/// Members from records.
pub struct ZipWriter {
    archive: Option<ArchiveWriter<Vec<u8>>>,
    target: Target,
    packed: bool,
    records: u64,
}

impl ZipWriter {
    /// Reads the options of the format, for writing: whether data is packed.
    ///
    /// # Errors
    /// When one is unknown.
    pub fn parse(spec: &Spec) -> Result<bool> {
        let mut spec = spec.clone();
        let packed = !spec.flag("store")?;
        spec.finish("store (when writing)")?;
        Ok(packed)
    }

    /// Writes an archive to `target`.
    pub fn new(target: Target, packed: bool) -> ZipWriter {
        let archive = Some(ArchiveWriter::new(Vec::new()));
        ZipWriter { archive, target, packed, records: 0 }
    }

    fn add(&mut self, record: &[u8]) -> std::result::Result<(), Refused> {
        let hint = || pairs::hint(record, false);
        let mut elements = scan::elements(record);
        let (Some(name), Some(data), None) = (elements.next(), elements.next(), elements.next())
        else {
            return Err(format!("it is no [name, data] pair{}", hint()).into());
        };
        let name = value_bytes(name).map_err(|why| format!("its name: {why}{}", hint()))?;
        let data = value_bytes(data).map_err(|why| format!("its data: {why}{}", hint()))?;
        let name = std::str::from_utf8(&name).map_err(|_| "its name is not UTF-8".to_string())?;
        if name.is_empty() || name.len() > MOST_NAME_BYTES {
            return Err(format!("its name has not 1 to {MOST_NAME_BYTES} bytes").into());
        }
        match &mut self.archive {
            Some(archive) => {
                archive.add(name, &data, self.packed)?;
                let written = std::mem::take(archive.out());
                self.target.write(&written)?;
                Ok(())
            }
            None => Err("the archive was ended already".into()),
        }
    }
}

/// Why a record was not written: for what it is, or for want of room.
enum Refused {
    Record(String),
    Target(Error),
}

impl From<String> for Refused {
    fn from(why: String) -> Refused {
        Refused::Record(why)
    }
}

impl From<&str> for Refused {
    fn from(why: &str) -> Refused {
        Refused::Record(why.to_string())
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused::Target(error)
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Refused {
        Refused::Target(lower("a member", "pack", error))
    }
}

impl Sink for ZipWriter {
    fn write(&mut self, records: &[u8]) -> Result<()> {
        for record in lines(records) {
            self.records += 1;
            self.add(record).map_err(|refused| match refused {
                Refused::Target(error) => error,
                Refused::Record(why) => {
                    let (name, number) = (self.target.name(), self.records);
                    Error::input(format!("{name}: record {number} is no member: {why}"))
                }
            })?;
        }
        Ok(())
    }

    fn prepare(&mut self) -> Result<()> {
        if let Some(archive) = self.archive.take() {
            let rest = archive.finish().map_err(|e| lower(self.target.name(), "pack", e))?;
            self.target.write(&rest)?;
        }
        self.target.prepare()
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.prepare()?;
        self.target.finish()
    }
}

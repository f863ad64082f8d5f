//! Records kept in a temporary file without a name, until it is known how many bytes they are.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::FILL_BYTES;
use crate::error::{Error, Result};
use crate::pipe::pipe_input::PipeInput;
use crate::record::bad::{Bad, Policy};
use crate::record::block::Blocks;

/// Records in a temporary file without a name.
pub struct Spool {
    file: File,
    directory: PathBuf,
    bytes: u64,
}

impl Spool {
    /// An empty one in `directory`.
    ///
    /// # Errors
    /// When there can be no file.
    pub fn new(directory: &Path) -> Result<Spool> {
        let file = tempfile::tempfile_in(directory)
            .map_err(|e| Error::path("keep a temporary file in", directory, &e))?;
        Ok(Spool { file, directory: directory.to_path_buf(), bytes: 0 })
    }

    /// Keeps whole records.
    ///
    /// # Errors
    /// `Storage` when there is no room.
    pub fn write(&mut self, records: &[u8]) -> Result<()> {
        self.bytes += records.len() as u64;
        self.file.write_all(records).map_err(|e| self.failed(&e))
    }

    /// How many bytes are kept.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Shows all records again, in order, in `count` contiguous parts of about the same number of
    /// bytes: a record belongs to the part that its first byte lies in.
    ///
    /// # Errors
    /// When the records cannot be read again; what `show` says.
    pub fn cut(
        mut self,
        count: usize,
        mut show: impl FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        self.file.seek(SeekFrom::Start(0)).map_err(|e| self.failed(&e))?;
        let bad = Bad::new(Policy::Fail)?;
        let name = format!("a temporary file in {}", self.directory.display());
        let mut blocks = Blocks::new(PipeInput::new(self.file, name), usize::MAX - 1);
        let (mut start, mut part) = (0u64, 0);
        let mut spare = Vec::new();
        while let Some(block) = blocks.next(FILL_BYTES, spare, &bad)? {
            let mut records = block.bytes.as_slice();
            while !records.is_empty() {
                let boundary = boundary(self.bytes, part + 1, count);
                let here = match boundary.checked_sub(start) {
                    None | Some(0) => 0,
                    Some(left) if left > records.len() as u64 => records.len(),
                    // The record that the boundary cuts belongs to this part still.
                    Some(left) => {
                        let from = left as usize - 1;
                        memchr::memchr(b'\n', &records[from..])
                            .map_or(records.len(), |end| from + end + 1)
                    }
                };
                if here == 0 {
                    part += 1;
                    continue;
                }
                show(part, &records[..here])?;
                start += here as u64;
                records = &records[here..];
            }
            spare = block.bytes;
        }
        if start == self.bytes {
            Ok(())
        } else {
            Err(Error::incomplete(format!(
                "of {} bytes of records in a temporary file only {start} came back",
                self.bytes
            )))
        }
    }

    fn failed(&self, error: &std::io::Error) -> Error {
        Error::path("write a temporary file in", &self.directory, error)
    }
}

/// Where part `part` of `count` begins in so many bytes.
fn boundary(bytes: u64, part: usize, count: usize) -> u64 {
    let at = u128::from(bytes) * part as u128;
    u64::try_from(at.div_ceil(count.max(1) as u128)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_contiguous_cover_all_and_follow_the_first_byte() {
        for count in [1, 2, 3, 7, 100] {
            let lines: Vec<String> = (0..40).map(|n| format!("{}\n", "x".repeat(n % 13))).collect();
            let whole = lines.concat();
            let mut spool = Spool::new(Path::new("/tmp")).unwrap();
            spool.write(whole.as_bytes()).unwrap();
            let mut parts = vec![Vec::new(); count];
            spool
                .cut(count, |part, records| {
                    parts[part].extend_from_slice(records);
                    Ok(())
                })
                .unwrap();
            assert_eq!(parts.concat(), whole.as_bytes());
            let (mut want, mut at) = (vec![Vec::new(); count], 0);
            for line in &lines {
                want[at * count / whole.len()].extend_from_slice(line.as_bytes());
                at += line.len();
            }
            assert_eq!(parts, want, "{count}");
        }
    }
}

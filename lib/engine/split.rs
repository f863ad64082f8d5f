//! Splits: shards that are parts of local files. Nothing is copied: whoever needs one reads it.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::format::place::Place;
use crate::format::resource::Resource;
use crate::format::spec::Spec;
use crate::format::{ReadOptions, Source, read};
use crate::record::bad::{Bad, Policy};
use crate::record::digest::{Contents, Digest};
use crate::record::stream::Input;
use crate::run::run_dir::Split;

/// What a manifest names as the host of a shard that is a part of a local file; no host is called
/// so.
pub const CLIENT: &str = "client:";

/// The most and the least that is read at once while a file is cut: the less, the closer to their
/// places the cuts are.
const STEP_MAX: u64 = 256 * 1024;
const STEP_MIN: u64 = 4096;

/// How many steps a part is read in at least.
const STEPS: u64 = 16;

/// The size and the time of the last change of a file.
fn state(found: &Metadata) -> (u64, u64) {
    let nanoseconds = found.mtime().wrapping_mul(1_000_000_000).wrapping_add(found.mtime_nsec());
    (found.len(), nanoseconds as u64)
}

/// Cuts the file of `resource` into parts of about `size` bytes, each of whole records; says what
/// each holds, which it reads the file for.
///
/// # Errors
/// What is wrong with the file.
pub fn cut(
    resource: &Resource,
    size: u64,
    options: &ReadOptions,
) -> Result<Vec<(Split, Contents)>> {
    let Place::Path(path) = &resource.place else {
        return Err(Error::usage(format!("{resource}: only files of this machine can be split")));
    };
    let failed = |e: io::Error| Error::path("read", path, &e);
    let full = std::path::absolute(path).map_err(failed)?;
    let (length, modified) = state(&std::fs::metadata(path).map_err(failed)?);
    let whole = Split {
        format: resource.spec.text(),
        path: full.as_os_str().into(),
        head: 0,
        range: None,
        size: length,
        modified,
        lenient: !options.bad.is_strict(),
        max_record: options.max_record as u64,
    };
    let step = (size / STEPS).clamp(STEP_MIN, STEP_MAX) as usize;
    let parts = read::open_parts(resource, options, |input| Box::new(Steps { input, step }))?;
    let Some(source) = parts else {
        let mut source = read::open(std::slice::from_ref(resource), options)?;
        let mut digest = Digest::default();
        drain(source.as_mut(), |records, _| digest.push(records))?;
        return Ok(vec![(whole, digest.contents())]);
    };
    cut_source(source, size, &whole)
}

/// Reads all of a source; `take` gets the records, and the source.
fn drain(source: &mut dyn Source, mut take: impl FnMut(&[u8], &dyn Source)) -> Result<()> {
    let mut records = Vec::new();
    let mut more = true;
    while more {
        records.clear();
        more = source.fill(&mut records)?;
        take(&records, source);
    }
    Ok(())
}

fn cut_source(
    mut source: Box<dyn Source>,
    size: u64,
    whole: &Split,
) -> Result<Vec<(Split, Contents)>> {
    let mut parts = Vec::new();
    let (mut from, mut digest) = (0, Digest::default());
    drain(source.as_mut(), |records, source| {
        digest.push(records);
        let Some(position) = source.position() else { return };
        if position.next - from >= size && position.next < whole.size {
            let range = Some((from, position.next));
            let part = Split { head: position.head, range, ..whole.clone() };
            parts.push((part, std::mem::take(&mut digest).contents()));
            from = position.next;
        }
    })?;
    let head = source.position().map_or(0, |position| position.head);
    let last = Split { head, range: Some((from, whole.size)), ..whole.clone() };
    parts.push((last, digest.contents()));
    Ok(parts)
}

/// The records of a part.
///
/// # Errors
/// `Incomplete` when the file is another one by now; what the file says.
pub(crate) fn open(split: &Split) -> Result<Box<dyn Source>> {
    let path = PathBuf::from(OsString::from(split.path.clone()));
    let spec = Spec::parse(&split.format)?;
    let resource = Resource { spec, place: Place::Path(path.clone()) };
    let failed = |e: io::Error| Error::path("read", &path, &e);
    let file = File::open(&path).map_err(failed)?;
    if state(&file.metadata().map_err(failed)?) != (split.size, split.modified) {
        let path = path.display();
        return Err(Error::incomplete(format!("{path} was changed after it was split")));
    }
    let policy = if split.lenient { Policy::Skip } else { Policy::Fail };
    let options = ReadOptions {
        bad: Arc::new(Bad::new(policy)?),
        max_record: usize::try_from(split.max_record).unwrap_or(usize::MAX),
        ..ReadOptions::new(Policy::Fail)?
    };
    let Some((from, to)) = split.range else { return read::open(&[resource], &options) };
    let part = Part::new(file, &path, split.head, from, to)?;
    let opened = read::open_parts(&resource, &options, |_| Box::new(part))?;
    opened.ok_or_else(|| Error::incomplete("a part of a file that knows no parts"))
}

/// Bytes that come in small steps.
struct Steps {
    input: Box<dyn Input>,
    step: usize,
}

impl Input for Steps {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let length = buffer.len().min(self.step);
        self.input.read(&mut buffer[..length])
    }

    fn name(&self) -> &str {
        self.input.name()
    }

    /// So that what is there is passed on.
    fn is_ready(&self) -> bool {
        false
    }
}

/// The head of a file, and a part of it.
struct Part {
    file: File,
    name: String,
    /// How much of the head is left, and of the part.
    head: u64,
    from: u64,
    left: u64,
}

impl Part {
    fn new(file: File, path: &Path, head: u64, from: u64, to: u64) -> Result<Part> {
        let name = format!("{} (from byte {from})", path.display());
        // What begins the file begins with the head.
        let head = if from == 0 { 0 } else { head };
        let mut part = Part { file, name, head, from, left: to.saturating_sub(from) };
        if head == 0 {
            part.seek()?;
        }
        Ok(part)
    }

    fn seek(&mut self) -> Result<()> {
        let sought = self.file.seek(SeekFrom::Start(self.from));
        sought.map(drop).map_err(|e| Error::io("read", &self.name, &e))
    }
}

impl Input for Part {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let left = if self.head > 0 { self.head } else { self.left };
        let length = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let got = self.file.read(&mut buffer[..length]);
        let got = got.map_err(|e| Error::io("read", &self.name, &e))?;
        if got == 0 && length > 0 {
            return Err(Error::incomplete(format!("{} is shorter than it was", self.name)));
        }
        if self.head > 0 {
            self.head -= got as u64;
            if self.head == 0 {
                self.seek()?;
            }
        } else {
            self.left -= got as u64;
        }
        Ok(got)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(split: &Split) -> Vec<u8> {
        let mut all = Vec::new();
        drain(open(split).unwrap().as_mut(), |records, _| all.extend_from_slice(records)).unwrap();
        all
    }

    /// The parts of a file that is called `name`, put together; how many there are.
    fn parts(name: &str, text: &[u8], size: u64) -> (Vec<u8>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let resource = Resource::parse(path.as_os_str(), None).unwrap();
        let options = ReadOptions::new(Policy::Fail).unwrap();
        let parts = cut(&resource, size, &options).unwrap();
        let mut all = Vec::new();
        for (split, contents) in &parts {
            let part = records(split);
            let mut digest = Digest::default();
            digest.push(&part);
            assert_eq!(digest.contents(), *contents);
            all.extend(part);
        }
        let mut whole = Vec::new();
        let mut source = read::open(&[resource], &options).unwrap();
        drain(source.as_mut(), |records, _| whole.extend_from_slice(records)).unwrap();
        assert_eq!(all, whole, "{name}");
        (all, parts.len())
    }

    #[test]
    fn parts_are_whole_records_and_together_the_file() {
        let mut csv = b"\xef\xbb\xbfa,b\r\n".to_vec();
        let mut lines = Vec::new();
        for row in 0..20_000 {
            csv.extend(format!("{row},\"x,\n\"\"{row}\"\" y\"\r\n").into_bytes());
            lines.extend(format!("[{row}]\n\n").into_bytes());
        }
        for size in [1, 30_000, 100_000, 10_000_000] {
            for (name, text) in [("a.csv", &csv), ("a.ndjson", &lines), ("a.txt", &lines)] {
                let (_, count) = parts(name, text, size);
                assert_eq!(count == 1, size == 10_000_000, "{name} {size}: {count}");
            }
        }
        assert_eq!(parts("empty.csv", b"", 10), (Vec::new(), 1));
        assert_eq!(parts("no-end.ndjson", b"1\n2", 1).0, b"1\n2\n");
    }

    #[test]
    fn a_file_that_was_changed_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ndjson");
        std::fs::write(&path, "1\n2\n").unwrap();
        let resource = Resource::parse(path.as_os_str(), None).unwrap();
        let options = ReadOptions::new(Policy::Fail).unwrap();
        let parts = cut(&resource, 100, &options).unwrap();
        std::fs::write(&path, "1\n2\n3\n").unwrap();
        assert_eq!(open(&parts[0].0).err().unwrap().exit_code(), 4);
    }
}

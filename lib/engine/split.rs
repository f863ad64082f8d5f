//! Splits: shards that are parts of local files. Nothing is copied: whoever needs one reads it.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::dataset::run_dir::Split;
use crate::error::{Error, Result};
use crate::format::place::ResourcePlace;
use crate::format::resource::Resource;
use crate::format::spec::Spec;
use crate::format::split::{SplitPart, SplitState, open_in_steps, open_part};
use crate::format::{ReadOptions, Source, read};
use crate::record::bad::{Bad, Policy};
use crate::record::digest::{Contents, Digest};

/// What a manifest names as the host of a shard that is a part of a local file; no host is called
/// so.
pub const CLIENT: &str = "client:";

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
    let ResourcePlace::Path(path) = &resource.place else {
        return Err(Error::usage(format!("{resource}: only files of this machine can be split")));
    };
    let failed = |e: io::Error| Error::path("read", path, &e);
    let full = std::path::absolute(path).map_err(failed)?;
    let SplitState { size: length, modified } =
        SplitState::of(&std::fs::metadata(path).map_err(failed)?);
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
    if let Some(source) = open_in_steps(resource, size, options)? {
        return cut_source(source, size, &whole);
    }
    let parts = read::foreign_parts(resource, size)?;
    let parts = parts.unwrap_or_else(|| vec![resource.clone()]);
    let part = |part: Resource| {
        let contents = contents(&part, options)?;
        Ok((Split { format: part.spec.text(), ..whole.clone() }, contents))
    };
    parts.into_iter().map(part).collect()
}

/// What a resource holds.
fn contents(resource: &Resource, options: &ReadOptions) -> Result<Contents> {
    let mut source = read::open(std::slice::from_ref(resource), options)?;
    let mut digest = Digest::default();
    drain(source.as_mut(), |records, _| digest.push(records))?;
    Ok(digest.contents())
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
    let resource = Resource { spec, place: ResourcePlace::Path(path.clone()) };
    let failed = |e: io::Error| Error::path("read", &path, &e);
    let file = File::open(&path).map_err(failed)?;
    let then = SplitState { size: split.size, modified: split.modified };
    if SplitState::of(&file.metadata().map_err(failed)?) != then {
        let path = path.display();
        return Err(Error::incomplete(format!("{path} was changed after it was split")));
    }
    let policy = if split.lenient { Policy::Skip } else { Policy::Fail };
    let options = ReadOptions {
        bad: Arc::new(Bad::new(policy)?),
        max_record: usize::try_from(split.max_record).unwrap_or(usize::MAX),
        ..ReadOptions::new(Policy::Fail)?
    };
    match split.range {
        None => read::open(&[resource], &options),
        Some((from, to)) => {
            open_part(&resource, file, &SplitPart { head: split.head, from, to }, &options)
        }
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

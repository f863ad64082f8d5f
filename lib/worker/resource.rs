//! The files of a host as records: what a resource stands for there, and how it is read.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;

use crate::error::broken;
use crate::error::{Error, Result};
use crate::format::place::ResourcePlace;
use crate::format::read::{self, Cuts};
use crate::format::resource::Resource;
use crate::format::spec::Spec;
use crate::format::split::{self, SplitPart, SplitState};
use crate::format::{ReadOptions, Source};
use crate::record::bad::Policy;
use crate::record::bytes::Bytes;
use crate::wire::message::{self, FileCut, FilePart};

/// The most resources that one may stand for.
const EXPANDED_MAX: usize = 4096;

/// The resource, its path seen from the directory `login`.
fn parse(login: &Path, resource: &message::HostResource) -> Result<Vec<Resource>> {
    let format = resource.format.as_deref().map(Spec::parse).transpose()?;
    let path = OsString::from(resource.path.clone());
    let mut found = Resource::parse_all_in(login, &path, format.as_ref(), &|_| ())?;
    if found.iter().any(|found| found.place == ResourcePlace::Standard) {
        return Err(Error::usage("standard input is not a file of hosts"));
    }
    if found.iter().any(|found| found.spec.name() == "shards") {
        return Err(Error::usage("a manifest (.mc) is read without -h"));
    }
    found.truncate(EXPANDED_MAX + 1);
    Ok(found)
}

/// The resources that one stands for, in order.
pub(crate) fn expand(
    login: &Path,
    resource: &message::HostResource,
) -> Result<Vec<message::HostResource>> {
    if let Some(cut) = resource.cut {
        return first_part(login, resource, cut);
    }
    let mut expanded = Vec::new();
    for found in parse(login, resource)? {
        for Resource { spec, place } in found.expand(&|_| ())? {
            let path = match place {
                ResourcePlace::Path(path) => Bytes::from(path.as_os_str()),
                // As it is: what a person is shown of one that is signed does not read it.
                ResourcePlace::Url(url) => Bytes(url.into_bytes()),
                other => Bytes(other.to_string().into_bytes()),
            };
            let format = Some(spec.text());
            expanded.push(message::HostResource { format, path, part: None, cut: None });
        }
    }
    if expanded.len() > EXPANDED_MAX {
        return Err(Error::usage(format!("a pattern that matches more than {EXPANDED_MAX} files")));
    }
    Ok(expanded)
}

/// The first part of a file that is to be cut, and what is left of it; the whole where it knows no
/// parts. Whoever is asked next can go on, on any host that sees the file.
fn first_part(
    login: &Path,
    resource: &message::HostResource,
    cut: FileCut,
) -> Result<Vec<message::HostResource>> {
    let whole = message::HostResource { cut: None, ..resource.clone() };
    let found = parse(login, resource)?;
    let [one @ Resource { place: ResourcePlace::Path(path), .. }] = found.as_slice() else {
        return Ok(vec![whole]);
    };
    if let Some(parts) = read::foreign_parts(one, cut.bytes)? {
        let of = |part: Resource| message::HostResource {
            format: Some(part.spec.text()),
            ..whole.clone()
        };
        let parts: Vec<message::HostResource> = parts.into_iter().map(of).collect();
        return Ok(if parts.len() > EXPANDED_MAX { vec![whole] } else { parts });
    }
    if read::cuts(&found[0], b"")?.0 == Cuts::Nowhere || !is_file(path)? {
        return Ok(vec![whole]);
    }
    let (file, state) = open_file(path, resource.part.as_ref())?;
    let rest = match &resource.part {
        Some(part) => SplitPart { head: part.head, from: part.from, to: part.to },
        None => SplitPart { head: 0, from: 0, to: state.size },
    };
    let max_record = usize::try_from(cut.max_record).unwrap_or(usize::MAX);
    let options = ReadOptions { max_record, ..ReadOptions::new(Policy::Skip)? };
    let (first, rest) = split::first(&found[0], file, &rest, cut.bytes, &options)?;
    let of = |SplitPart { head, from, to }, cut| {
        let part = FilePart { head, from, to, size: state.size, modified: state.modified };
        message::HostResource { part: Some(part), cut, ..resource.clone() }
    };
    match rest {
        // Some files are longer than they say, such as those of the kernel.
        None if resource.part.is_none() => Ok(vec![whole]),
        None => Ok(vec![of(first, None)]),
        Some(rest) => Ok(vec![of(first, None), of(rest, Some(cut))]),
    }
}

fn is_file(path: &Path) -> Result<bool> {
    let found = std::fs::metadata(path).map_err(|e| Error::path("read", path, &e))?;
    Ok(found.is_file())
}

/// Opens the file that a part is of, if it is still that file.
fn open_file(path: &Path, part: Option<&FilePart>) -> Result<(File, SplitState)> {
    let failed = |e: std::io::Error| Error::path("read", path, &e);
    let file = File::open(path).map_err(failed)?;
    let state = SplitState::of(&file.metadata().map_err(failed)?);
    match part {
        Some(part) if state != (SplitState { size: part.size, modified: part.modified }) => {
            let path = path.display();
            Err(Error::incomplete(format!("{path} was changed while it was read")))
        }
        _ => Ok((file, state)),
    }
}

/// Opens one.
pub(crate) fn open(
    login: &Path,
    resource: &message::HostResource,
    options: &ReadOptions,
) -> Result<Box<dyn Source>> {
    let found = parse(login, resource)?;
    let Some(part) = &resource.part else { return read::open(&found, options) };
    let [one @ Resource { place: ResourcePlace::Path(path), .. }] = found.as_slice() else {
        return Err(broken("a part of what is no file"));
    };
    let (file, _) = open_file(path, Some(part))?;
    let part = SplitPart { head: part.head, from: part.from, to: part.to };
    split::open_part(one, file, &part, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(format: &str, path: &Path, cut: Option<FileCut>) -> message::HostResource {
        let (format, path) = (Some(format.into()), path.as_os_str().into());
        message::HostResource { format, path, part: None, cut }
    }

    #[test]
    fn a_file_is_cut_part_by_part_as_long_as_it_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "1\n22\n333\n").unwrap();
        let cut = FileCut { bytes: 2, max_record: 100 };
        let login = Path::new("/");
        let options = ReadOptions::new(Policy::Fail).unwrap();
        let first = expand(login, &resource("ndjson", &path, Some(cut))).unwrap();
        assert_eq!((first.len(), first[0].cut, first[1].cut), (2, None, Some(cut)));
        let second = expand(login, &first[1]).unwrap();
        let read = |resource| {
            let mut records = Vec::new();
            let mut source = open(login, resource, &options)?;
            while source.fill(&mut records)? {}
            Ok(String::from_utf8(records).unwrap())
        };
        let parts: Vec<String> =
            [&first[0], &second[0], &second[1]].map(|part| read(part).unwrap()).into();
        assert_eq!(parts, ["1\n", "22\n", "333\n"]);
        std::fs::write(&path, "1\n22\n3333\n").unwrap();
        let changed: [Error; 3] = [read(&second[0]).unwrap_err(), read(&first[0]).unwrap_err(), {
            expand(login, &second[1]).unwrap_err()
        }];
        for error in changed {
            assert_eq!(error.exit_code(), 4);
            assert!(error.to_string().ends_with("was changed while it was read"), "{error}");
        }
    }

    #[test]
    fn what_knows_no_parts_stays_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gz");
        std::fs::write(&path, "1\n2\n").unwrap();
        let cut = Some(FileCut { bytes: 1, max_record: 100 });
        // Packed, a tree, no path, and a file that is longer than it says.
        for (format, path) in [
            ("ndjson", path.as_path()),
            ("files", folder.path()),
            ("range", Path::new("0..9")),
            ("text", Path::new("/proc/self/status")),
        ] {
            let whole = resource(format, path, None);
            assert_eq!(expand(Path::new("/"), &resource(format, path, cut)).unwrap(), [whole]);
        }
    }
}

//! What can be told of a resource without reading its records: how large it is, and whether it can be
//! cut.

use std::fs::{self, File};
use std::path::Path;

use nix::sys::statfs::{FsType, NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, statfs};

use super::place::ResourcePlace;
use super::read::{self, Cuts};
use super::resource::Resource;
use crate::error::{Error, Result};

/// File systems that several machines see, which libc has no names for.
const LUSTRE: FsType = FsType(0x0bd0_0bd0);
const CEPH: FsType = FsType(0x00c3_6400);
const GPFS: FsType = FsType(0x4750_4653);
const BEEGFS: FsType = FsType(0x1983_0326);
const CIFS: FsType = FsType(0xff53_4d42);

/// The most files of a tree that are looked at.
const FILES_MAX: u64 = 100_000;

/// What is known of a resource. None is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    /// Its bytes, as they lie there.
    pub bytes: Option<u64>,
    /// Its members or files, where it has some.
    pub members: Option<u64>,
    /// Its bytes unpacked, as the directory of a Zip says.
    pub unpacked: Option<u64>,
    /// Where it can be cut, as its name tells.
    pub cuts: Option<&'static str>,
    /// The file system that several machines see, where it lies on one.
    pub shared_by: Option<&'static str>,
}

/// Looks at a resource, of which no record is read.
///
/// # Errors
/// `Usage` for a format or an option that is none.
pub fn measure(resource: &Resource) -> Result<Measure> {
    let cuts = match read::cuts(resource, b"")?.0 {
        Cuts::Nowhere => None,
        Cuts::AtLines => Some("lines"),
        Cuts::AtRecords => Some("records"),
    };
    let ResourcePlace::Path(path) = &resource.place else { return Ok(Measure::default()) };
    if resource.spec.name() == "range" {
        return Ok(Measure::default());
    }
    let is_zip = resource.packing().zipped || resource.spec.name() == "zip";
    let about = place(path)?;
    let is_file = path.is_file();
    Ok(match is_zip.then(|| members(path)).flatten() {
        Some((members, unpacked)) => {
            Measure { members: Some(members), unpacked: Some(unpacked), ..about }
        }
        None => Measure { cuts: cuts.filter(|_| is_file), ..about },
    })
}

/// Looks at what lies at a path.
///
/// # Errors
/// `Usage` when there is nothing.
pub fn place(path: &Path) -> Result<Measure> {
    let found = fs::metadata(path).map_err(|e| Error::path("read", path, &e))?;
    let shared_by = shared_by(path);
    let mut measure = Measure { shared_by, ..Measure::default() };
    if found.is_file() {
        measure.bytes = Some(found.len());
    } else if found.is_dir() {
        let mut tree = (0, 0);
        if walk(path, &mut tree).is_some() {
            (measure.bytes, measure.members) = (Some(tree.0), Some(tree.1));
        }
    }
    Ok(measure)
}

/// Adds up the bytes and the number of the files below `path`; none where there are too many, or
/// some cannot be seen.
fn walk(path: &Path, sum: &mut (u64, u64)) -> Option<()> {
    for entry in fs::read_dir(path).ok()? {
        let entry = entry.ok()?;
        let about = entry.metadata().ok()?;
        if about.is_dir() {
            walk(&entry.path(), sum)?;
        } else {
            *sum = (sum.0 + about.len(), sum.1 + 1);
        }
        if sum.1 > FILES_MAX {
            return None;
        }
    }
    Some(())
}

/// How many members a Zip has that are no directories, and their bytes unpacked, as its own directory
/// at its end says; none where that cannot be read.
fn members(path: &Path) -> Option<(u64, u64)> {
    let mut archive = ::zip::ZipArchive::new(File::open(path).ok()?).ok()?;
    let (mut count, mut bytes) = (0, 0u64);
    for number in 0..archive.len() {
        let member = archive.by_index_raw(number).ok()?;
        if !member.is_dir() {
            (count, bytes) = (count + 1, bytes.saturating_add(member.size()));
        }
    }
    Some((count, bytes))
}

/// The file system of a path, where several machines may see it.
fn shared_by(path: &Path) -> Option<&'static str> {
    match statfs(path).ok()?.filesystem_type() {
        NFS_SUPER_MAGIC => Some("NFS"),
        SMB_SUPER_MAGIC | CIFS => Some("SMB"),
        LUSTRE => Some("Lustre"),
        CEPH => Some("Ceph"),
        GPFS => Some("GPFS"),
        BEEGFS => Some("BeeGFS"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(name: &str) -> Measure {
        measure(&Resource::parse(name.as_ref(), None).unwrap()).unwrap()
    }

    #[test]
    fn files_trees_and_zips_are_measured() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        fs::create_dir_all(dir.path().join("tree/below")).unwrap();
        for (name, text) in [("a.csv", "a,b\n1,2\n"), ("tree/x", "123"), ("tree/below/y", "4")] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let csv = measured(&at("a.csv"));
        assert_eq!((csv.bytes, csv.cuts, csv.members), (Some(8), Some("records"), None));
        assert_eq!(measured(&format!("text:{}", at("a.csv"))).cuts, Some("lines"));
        assert_eq!(measured(&format!("json,items:{}", at("a.csv"))).cuts, None);
        let tree = measured(&format!("files:{}", at("tree")));
        assert_eq!((tree.bytes, tree.members, tree.cuts), (Some(4), Some(2), None));
        let zip = measured("tests/data/manual/two.zip");
        assert_eq!((zip.members, zip.unpacked), (Some(3), Some(17)));
        // What is called a Zip and is none is told when it is read.
        fs::write(dir.path().join("no.zip"), "x").unwrap();
        assert_eq!(measured(&at("no.zip")).bytes, Some(1));
        assert_eq!(measured("range:0..7"), Measure::default());
        assert!(measure(&Resource::parse("csv:/no/such".as_ref(), None).unwrap()).is_err());
    }
}

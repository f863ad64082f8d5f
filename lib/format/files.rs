//! The format `files`: a tree of files; a record is `[relative path, data]`, in the order of the
//! paths' bytes.
//!
//! Reading takes regular files, also behind symbolic links to them. What else may stand in a tree,
//! links to directories, links that lead nowhere, devices, FIFOs, sockets, is refused by name, or
//! with the option `skip` left out; directories show only in the paths. Writing makes a new tree
//! beside its place and then gives it its name: paths are relative and have no `..`, none comes
//! twice, and modes and times are those of new files.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::pairs;
use super::place::ResourcePlace;
use super::resource::Resource;
use super::spec::Spec;
use super::whole_tree::WholeTree;
use super::{FILL_BYTES, ReadOptions, Sink, Source, WriteOptions, lines};
use crate::error::{Error, Result};
use crate::record::scan;
use crate::record::text::{push_bytes, value_bytes};

/// Reads the options of the format, for reading: whether what is no file is left out.
///
/// # Errors
/// When one is unknown.
pub fn parse(spec: &Spec) -> Result<bool> {
    let mut spec = spec.clone();
    let skip = spec.flag("skip")?;
    spec.finish("skip (when reading)")?;
    Ok(skip)
}

/// Records from a tree of files.
pub struct FilesReader {
    /// The files that are left, the next last: path, and path to show.
    left: Vec<(PathBuf, PathBuf)>,
    options: ReadOptions,
}

impl FilesReader {
    /// Lists the tree at the resource's place; a single file is a tree of one.
    ///
    /// # Errors
    /// When it cannot be listed, or holds what is no file and is not to be skipped.
    pub fn open(resource: &Resource, skip: bool, options: &ReadOptions) -> Result<FilesReader> {
        let ResourcePlace::Path(root) = &resource.place else {
            return Err(Error::usage(format!("files:{}: not a directory", resource.place)));
        };
        let mut left = Vec::new();
        if root.is_dir() {
            list(root, Path::new(""), skip, &mut left)?;
        } else {
            let name = root.file_name().map(PathBuf::from).unwrap_or_default();
            take(root.clone(), name, skip, &mut left)?;
        }
        left.sort_by(|a, b| b.1.as_os_str().as_bytes().cmp(a.1.as_os_str().as_bytes()));
        Ok(FilesReader { left, options: options.clone() })
    }

    fn push(&self, path: &Path, shown: &Path, out: &mut Vec<u8>) -> Result<()> {
        let failed = |e: io::Error| Error::path("read", path, &e);
        let most = self.options.max_record;
        let mut data = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take((most as u64).saturating_add(1)).read_to_end(&mut data).map_err(failed)?;
        let start = out.len();
        if data.len() <= most {
            out.push(b'[');
            push_bytes(out, shown.as_os_str().as_bytes());
            out.push(b',');
            push_bytes(out, &data);
            out.extend_from_slice(b"]\n");
        }
        if data.len() > most || out.len() - start - 1 > most {
            out.truncate(start);
            let error = Error::input(format!("a record over {most} bytes (--max-record)"));
            self.options.bad.reject(error.at(path.display()), &data)?;
        }
        Ok(())
    }
}

impl Source for FilesReader {
    fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        let full = out.len() + FILL_BYTES;
        while out.len() < full {
            let Some((path, shown)) = self.left.pop() else { return Ok(false) };
            self.push(&path, &shown, out)?;
        }
        Ok(true)
    }
}

type Files = Vec<(PathBuf, PathBuf)>;

/// Lists the files of the directory `root`/`below`, and of those below it.
fn list(root: &Path, below: &Path, skip: bool, files: &mut Files) -> Result<()> {
    // The directories that are still to be listed; trees may be deeper than a stack.
    let mut left = vec![below.to_path_buf()];
    while let Some(below) = left.pop() {
        let directory = root.join(&below);
        let failed = |e: io::Error| Error::path("list", &directory, &e);
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let shown = below.join(entry.file_name());
            if entry.file_type().map_err(failed)?.is_dir() {
                left.push(shown);
            } else {
                take(entry.path(), shown, skip, files)?;
            }
        }
    }
    Ok(())
}

/// Takes what is at `path`, if it is a file.
fn take(path: PathBuf, shown: PathBuf, skip: bool, files: &mut Files) -> Result<()> {
    match fs::metadata(&path) {
        Ok(about) if about.is_file() => files.push((path, shown)),
        _ if skip => (),
        Ok(about) if about.is_dir() => return Err(refuse(&path, "a link to a directory")),
        Ok(_) => return Err(refuse(&path, "neither file nor directory")),
        Err(e) => return Err(Error::path("read", &path, &e)),
    }
    Ok(())
}

fn refuse(path: &Path, what: &str) -> Error {
    Error::usage(format!("{} is {what} (files,skip: leaves it out)", path.display()))
}

/// A tree of files from records.
pub struct FilesWriter {
    tree: WholeTree,
    records: u64,
}

/// The directory that a resource to be written names.
fn directory_of(resource: &Resource) -> Result<&Path> {
    resource.spec.finish("skip, when reading")?;
    match &resource.place {
        ResourcePlace::Path(path) => Ok(path),
        place => Err(Error::usage(format!("files:{place}: write to a directory"))),
    }
}

/// Checks, where nothing is to be written, that the tree that `resource` names could begin.
///
/// # Errors
/// As [`FilesWriter::create`].
pub fn check(resource: &Resource, options: &WriteOptions) -> Result<()> {
    WholeTree::check(directory_of(resource)?, options.replace, |_| Ok(()))
}

impl FilesWriter {
    /// Begins the tree that `resource` names.
    ///
    /// # Errors
    /// When there can be none, or is one already and may not be replaced.
    pub fn create(resource: &Resource, options: &WriteOptions) -> Result<FilesWriter> {
        let path = directory_of(resource)?;
        let tree = WholeTree::create(path, options.replace, |_| Ok(()), &options.ledger)?;
        Ok(FilesWriter { tree, records: 0 })
    }

    fn add(&self, record: &[u8]) -> Result<()> {
        let name = self.tree.path().display();
        let refused =
            |why: &str| Error::input(format!("{name}: record {} is no file: {why}", self.records));
        let hint = || pairs::hint(record, false);
        let mut elements = scan::elements(record);
        let (Some(path), Some(data), None) = (elements.next(), elements.next(), elements.next())
        else {
            return Err(refused(&format!("it is no [path, data] pair{}", hint())));
        };
        let path = value_bytes(path);
        let path = path.map_err(|why| refused(&format!("its path: {why}{}", hint())))?;
        let data = value_bytes(data);
        let data = data.map_err(|why| refused(&format!("its data: {why}{}", hint())))?;
        let shown = String::from_utf8_lossy(&path).into_owned();
        if !is_plain(&path) {
            let why = "is not plain: relative, without '.', '..', '//' or NUL";
            return Err(refused(&format!("the path '{shown}' {why}")));
        }
        let path = self.tree.directory().join(OsStr::from_bytes(&path));
        let failed = |e: io::Error| Error::io("write", format!("{name}/{shown}"), &e);
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                refused(&format!("the path '{shown}' leads through a file"))
            }
            io::ErrorKind::InvalidFilename => refused(&format!("the path '{shown}' is too long")),
            _ => failed(e),
        })?;
        let file = File::options().write(true).create_new(true).open(&path);
        file.and_then(|mut file| file.write_all(&data)).map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory => {
                refused(&format!("the path '{shown}' comes twice"))
            }
            io::ErrorKind::InvalidFilename => refused(&format!("the path '{shown}' is too long")),
            _ => failed(e),
        })
    }
}

/// Whether a path is relative and stays below where it begins, and is spelled in the one way.
fn is_plain(path: &[u8]) -> bool {
    let path = Path::new(OsStr::from_bytes(path));
    let plain: PathBuf = path.components().filter(|c| matches!(c, Component::Normal(_))).collect();
    !path.as_os_str().is_empty()
        && plain.as_os_str() == path.as_os_str()
        && !path.as_os_str().as_bytes().contains(&0)
}

impl Sink for FilesWriter {
    fn write(&mut self, records: &[u8]) -> Result<()> {
        for record in lines(records) {
            self.records += 1;
            self.tree.pass();
            self.add(record)?;
        }
        Ok(())
    }

    fn prepare(&mut self) -> Result<()> {
        self.tree.sync()
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.tree.sync()?;
        self.tree.publish()
    }
}

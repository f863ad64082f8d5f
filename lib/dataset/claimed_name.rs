//! The name of a manifest that is kept, which the first of several tools gets that ask for it: the
//! manifest is all that tells where the data lies, so that none is ever written over.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};

use crate::dataset::RunId;
use crate::dataset::manifest::{PREFIX, run_of};
use crate::error::{Error, Result};

/// Whether the file at `path` is a manifest.
pub(crate) fn is_manifest(path: &Path) -> bool {
    let mut first = [0; PREFIX.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && first == *PREFIX.as_bytes()
}

/// Gives the file `temporary`, a manifest that is whole, the name `path` in the same directory, in
/// place of whatever else has it, the manifest of the run `before` too.
///
/// # Errors
/// `Usage` when another manifest has that name; as [`Error::path`]. `temporary` is there, then.
pub(crate) fn publish(temporary: &Path, path: &Path, before: Option<RunId>) -> Result<()> {
    let failed = |e: io::Error| Error::path("write", path, &e);
    loop {
        match fs::hard_link(temporary, path) {
            Ok(()) => {
                // It has its name, whatever becomes of the other one.
                let _ = fs::remove_file(temporary);
                return Ok(());
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => (),
            // A file system that has no links.
            Err(_) if !path.exists() => return fs::rename(temporary, path).map_err(failed),
            Err(_) => (),
        }
        if !may_go(path, before) {
            return Err(taken(path));
        }
        match File::open(path) {
            Ok(other) => {
                if replace(temporary, path, other, before).map_err(failed)? {
                    return Ok(());
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => (),
            // What cannot be read can be replaced, if that.
            Err(_) => return fs::rename(temporary, path).map_err(failed),
        }
    }
}

/// Whether the file at `path` is no manifest, or that of the run `before`.
fn may_go(path: &Path, before: Option<RunId>) -> bool {
    !is_manifest(path) || before.is_some() && run_of(path).ok() == before
}

/// Replaces `other`, a file that may go, whose name is `path`; `false` when that is another file by
/// now, or may not go. Others that want to replace it wait.
fn replace(temporary: &Path, path: &Path, other: File, before: Option<RunId>) -> io::Result<bool> {
    // Where there are no locks there is no waiting.
    let locked = Flock::lock(other, FlockArg::LockExclusive);
    let other = locked.as_ref().map_or_else(|(file, _)| file, |file| &**file);
    let of = |found: &fs::Metadata| (found.dev(), found.ino());
    let then = of(&other.metadata()?);
    match fs::metadata(path) {
        // It may be the manifest that has come meanwhile.
        Ok(now) if of(&now) == then && may_go(path, before) => {
            fs::rename(temporary, path).map(|()| true)
        }
        Ok(_) => Ok(false),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// That another tool has got the name `path`.
fn taken(path: &Path) -> Error {
    let path = path.display();
    Error::usage(format!(
        "{path}: another tool has made it meanwhile, and of this one nothing is kept: give each a \
         name of its own"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::manifest::ManifestWriter;

    #[test]
    fn one_replaces_that_which_it_knows_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.mc");
        let file = |name: &str, run: RunId| {
            let temporary = dir.path().join(name);
            fs::write(&temporary, ManifestWriter::begin(run).1).unwrap();
            temporary
        };
        let [old, new, third] = [(); 3].map(|()| RunId::random().unwrap());
        file("x.mc", old);
        assert!(publish(&file(".a", new), &path, None).is_err());
        assert!(publish(&file(".b", new), &path, Some(third)).is_err());
        publish(&file(".c", new), &path, Some(old)).unwrap();
        assert_eq!(run_of(&path).unwrap(), new);
        assert!(publish(&file(".d", third), &path, Some(old)).is_err());
        assert_eq!(run_of(&path).unwrap(), new);
    }

    const MANIFEST: &str = "#mc1 {}\n";

    #[test]
    fn of_many_one_gets_the_name_and_no_manifest_is_written_over() {
        for before in [None, Some(""), Some("something else\n")] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("x.mc");
            if let Some(text) = before {
                fs::write(&path, text).unwrap();
            }
            let publish = |number: u32| {
                let temporary = dir.path().join(format!(".x.mc.{number}"));
                fs::write(&temporary, format!("{MANIFEST}{number}")).unwrap();
                let published = publish(&temporary, &path, None);
                assert_eq!(published.is_err(), temporary.exists());
                published.map(|()| number)
            };
            let all: Vec<Result<u32>> = std::thread::scope(|scope| {
                let threads: Vec<_> =
                    (0..16).map(|number| scope.spawn(move || publish(number))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let (one, others): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
            assert_eq!(one.len(), 1, "{before:?}");
            let winner = one.into_iter().next().unwrap().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{MANIFEST}{winner}"));
            for error in others.into_iter().filter_map(Result::err) {
                assert_eq!(error.exit_code(), 2);
                assert!(error.to_string().contains("another tool has made it"), "{error}");
            }
        }
    }
}

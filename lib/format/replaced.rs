//! What an output comes in the place of: whether it may, and what of it stays.
//!
//! In a directory that everybody may write to, `/tmp` before all, a name may have been planted: a
//! symbolic link that leads to a file of the user who follows it, or a file of another user. What
//! the kernel does against that for whoever opens such a name (`protected_symlinks` and its like in
//! `proc(5)`) is done here for names that are read and renamed.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, readlinkat};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{Gid, Uid, fchown};
use rustix::fs::{
    AtFlags, CWD, StatxAttributes, StatxFlags, XattrFlags, fsetxattr, lgetxattr, llistxattr, statx,
};

use super::whole::directory;

/// How many symbolic links one name may go through.
const MOST_LINKS: usize = 40;

/// A directory that everybody may write to, and remove only what is his own from.
const OPEN_TO_ALL: u32 = 0o1002;

/// The longest list of attributes, and the longest attribute, that the kernel knows.
const ATTRIBUTES_BYTES: usize = 64 * 1024;

/// Where a name leads: through symbolic links, whether or not there is something at the end.
///
/// # Errors
/// When there are too many, or one that may have been planted.
pub fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        // Opened, so that what is judged and what is read are one link.
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
        let opened = OpenOptions::new().read(true).custom_flags(flags.bits()).open(&path);
        let Ok(link) = opened else { return Ok(path) };
        let about = link.metadata()?;
        if !about.is_symlink() {
            return Ok(path);
        }
        let within = directory(&path);
        if !may_be_relied_on(&about, within) {
            return Err(denied(format!(
                "it is a symbolic link of another user (number {}) in a directory that everybody \
                 may write to, and is not followed",
                about.uid()
            )));
        }
        let target = readlinkat(&link, "")?;
        path = within.join(target);
    }
    Err(Errno::ELOOP.into())
}

/// Whether what `about` is of, in `within`, was put there by this user or by the directory's owner,
/// or nobody else could have put it there.
fn may_be_relied_on(about: &Metadata, within: &Path) -> bool {
    let Ok(directory) = fs::metadata(within) else { return true };
    directory.mode() & OPEN_TO_ALL != OPEN_TO_ALL
        || [Uid::effective().as_raw(), directory.uid()].contains(&about.uid())
}

/// Whether an output can get the name `path`, and come in the place of what has it now: all that can
/// be known before it is done.
///
/// # Errors
/// Why not.
pub fn may_replace(path: &Path) -> io::Result<()> {
    let within = directory(path);
    if unchangeable(within).intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND) {
        return Err(denied("its directory cannot be changed (lsattr, chattr -i -a)".to_string()));
    }
    let about = match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        about => about?,
    };
    if !may_be_relied_on(&about, within) {
        return Err(denied(format!(
            "it belongs to another user (number {}), in a directory that everybody may write to",
            about.uid()
        )));
    }
    if unchangeable(path).intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND) {
        return Err(denied("it cannot be changed (lsattr, chattr -i -a)".to_string()));
    }
    Ok(())
}

/// What is said of a file or a directory beside its mode; nothing where the system does not say.
fn unchangeable(path: &Path) -> StatxAttributes {
    let found = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty());
    found.map_or(StatxAttributes::empty(), |found| found.stx_attributes)
}

fn denied(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

/// Makes `new`, a file or a directory, like `old`, in whose place it is to come: mode, owner and group
/// as far as that is allowed, access control list, attributes of users. What is new stays as it is
/// where there is no `old`.
///
/// # Errors
/// When the mode or the list cannot be kept: others could read what they could not before.
pub fn resemble(new: &File, old: &Path) -> io::Result<()> {
    let about = match fs::symlink_metadata(old) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        about => about?,
    };
    let own = new.metadata()?;
    if own.file_type() != about.file_type() {
        return Ok(());
    }
    // Only the superuser gives files away; to a group of his, anybody may.
    let owner = (own.uid() != about.uid()).then(|| Uid::from_raw(about.uid()));
    let group = (own.gid() != about.gid()).then(|| Gid::from_raw(about.gid()));
    if (owner.is_some() || group.is_some()) && fchown(new, owner, group).is_err() {
        let _ = fchown(new, None, group);
    }
    copy_attributes(new, old)?;
    // A file is data: nobody is to become another user by running it.
    let kept = if about.is_dir() { 0o7777 } else { 0o777 };
    fchmod(new, Mode::from_bits_truncate(about.mode() & kept))?;
    Ok(())
}

fn copy_attributes(new: &File, old: &Path) -> io::Result<()> {
    let mut names = vec![0; ATTRIBUTES_BYTES];
    // Not all file systems have such.
    let Ok(length) = llistxattr(old, names.as_mut_slice()) else { return Ok(()) };
    let mut value = vec![0; ATTRIBUTES_BYTES];
    for name in names[..length].split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let access = name.starts_with(b"system.posix_acl_");
        if !access && !name.starts_with(b"user.") {
            continue;
        }
        let name = std::ffi::OsString::from_vec(name.to_vec());
        let copied = lgetxattr(old, &name, value.as_mut_slice()).and_then(|length| {
            fsetxattr(new.as_fd(), &name, &value[..length], XattrFlags::empty())
        });
        match copied {
            Err(e) if access => return Err(e.into()),
            _ => (),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn links_of_this_user_are_followed_to_their_end() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        let at = |name: &str| dir.path().join(name);
        symlink("b", at("a")).unwrap();
        symlink(at("c"), at("b")).unwrap();
        assert_eq!(follow(&at("a")).unwrap(), at("c"));
        fs::write(at("c"), "").unwrap();
        assert_eq!(follow(&at("a")).unwrap(), at("c"));
        assert_eq!(follow(&at("no/such")).unwrap(), at("no/such"));
        symlink("loop", at("loop")).unwrap();
        assert!(follow(&at("loop")).is_err());
    }

    #[test]
    fn what_replaces_a_file_has_its_mode_and_attributes() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        fs::write(&old, "").unwrap();
        fs::set_permissions(&old, fs::Permissions::from_mode(0o4640)).unwrap();
        let marked =
            fsetxattr(File::open(&old).unwrap().as_fd(), "user.note", b"kept", XattrFlags::empty());
        let file = File::create(&new).unwrap();
        resemble(&file, &old).unwrap();
        assert_eq!(mode(&new), 0o640);
        if marked.is_ok() {
            let mut value = [0; 10];
            let length = lgetxattr(&new, "user.note", &mut value).unwrap();
            assert_eq!(&value[..length], b"kept");
        }
        resemble(&file, &dir.path().join("nothing")).unwrap();
        resemble(&file, dir.path()).unwrap();
        assert_eq!(mode(&new), 0o640);
    }
}

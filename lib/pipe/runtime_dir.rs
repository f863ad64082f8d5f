//! The private directory of small files that the tools of one user share: local, theirs alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::statfs::{FsType, fstatfs};
use nix::unistd::{AccessFlags, Uid, access};

/// The file systems whose files may lie on another machine, by `statfs(2)`: there, directories
/// are slow and what was written is seen late.
const REMOTE: [FsType; 11] = [
    FsType(0x6969),      // NFS
    FsType(0x517b),      // SMB
    FsType(0xff53_4d42), // CIFS
    FsType(0xfe53_4d42), // SMB2
    FsType(0x0102_1997), // 9P
    FsType(0x6573_5546), // FUSE
    FsType(0x00c3_6400), // Ceph
    FsType(0x0bd0_0bd0), // Lustre
    FsType(0x4750_4653), // GPFS
    FsType(0x5346_414f), // AFS
    FsType(0x7375_7245), // Coda
];

/// The variable that names the directory, where there is to be no other: for commands on hosts, whose
/// tools are to leave nothing there.
pub const VARIABLE: &str = "MC_RUNTIME_DIR";

/// Where the directory may be, best first. Whoever looks for something looks in all of them.
///
/// The tools of one pipeline need not have the same environment (`env -i`, `sudo -E`), so what
/// depends on it comes last, `$XDG_RUNTIME_DIR` and the user's directory for state: mostly the first
/// is one of the others anyway.
pub fn candidates(xdg_runtime_dir: Option<PathBuf>, state: Option<PathBuf>) -> Vec<PathBuf> {
    let user = Uid::effective();
    let mut found: Vec<PathBuf> = vec![format!("/run/user/{user}/mycloud").into()];
    found.extend(["/tmp", "/dev/shm"].map(|base| format!("{base}/mycloud-{user}").into()));
    let told = xdg_runtime_dir.into_iter().chain(state).filter(|base| base.is_absolute());
    for directory in told.map(|base| base.join("mycloud")) {
        if !found.contains(&directory) {
            found.push(directory);
        }
    }
    found
}

/// Makes `directory` where it is not there, and sees whether it serves: whether it can be trusted and
/// written to.
///
/// # Errors
/// Why it does not.
pub fn serve(directory: &Path) -> io::Result<()> {
    make(directory)?;
    Ok(access(directory, AccessFlags::W_OK | AccessFlags::X_OK)?)
}

/// Makes `directory` where it is not there; its parent has to be.
///
/// # Errors
/// When it cannot be made, or [`check`] fails.
pub(crate) fn make(directory: &Path) -> io::Result<()> {
    match check(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match DirBuilder::new().mode(0o700).create(directory) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                // Another tool may have been faster.
                _ => check(directory),
            }
        }
        result => result,
    }
}

/// Whether `directory` can be trusted: a directory itself, not a link to one, of this user, closed
/// to all others, and on this machine.
///
/// # Errors
/// When it is not there or cannot be trusted: why not.
pub(crate) fn check(directory: &Path) -> io::Result<()> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    let opened: File = OpenOptions::new().read(true).custom_flags(flags.bits()).open(directory)?;
    let found = opened.metadata()?;
    let mode = found.mode() & 0o777;
    let remote = fstatfs(&opened).is_ok_and(|fs| REMOTE.contains(&fs.filesystem_type()));
    let why = if found.uid() != Uid::effective().as_raw() {
        format!("it belongs to another user (number {})", found.uid())
    } else if mode & 0o077 != 0 {
        format!("it is open to others (its mode is {mode:o}; chmod 700 it)")
    } else if remote {
        "it may lie on another machine".to_string()
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// What tells this boot of this machine from all others, as a word for file names.
pub(crate) fn boot() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id: String = id.chars().filter(char::is_ascii_hexdigit).collect();
    if id.is_empty() { None } else { Some(id) }
}

/// What tells the processes that this one can see from others, as a word for file names.
pub(crate) fn process_space() -> Option<String> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    let number: String = link.to_str()?.chars().filter(char::is_ascii_digit).collect();
    if number.is_empty() { None } else { Some(number) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn every_environment_shares_the_first_candidates() {
        let without = candidates(None, None);
        let with = candidates(Some("/x".into()), Some("/y".into()));
        let (told, shared) = (&with[without.len()..], &with[..without.len()]);
        assert_eq!(shared, without);
        assert_eq!(told, [PathBuf::from("/x/mycloud"), PathBuf::from("/y/mycloud")]);
        assert_eq!(candidates(Some("relative".into()), Some("too".into())), without);
        let usual = format!("/run/user/{}", Uid::effective());
        assert_eq!(candidates(Some(usual.into()), None), without);
        assert_eq!(candidates(Some("/x".into()), Some("/x".into())).len(), without.len() + 1);
    }

    #[test]
    fn what_does_not_serve_says_why() {
        let base = tempfile::tempdir().unwrap();
        let at = base.path().join("open");
        fs::create_dir(&at).unwrap();
        fs::set_permissions(&at, fs::Permissions::from_mode(0o750)).unwrap();
        let why = |path: &Path| crate::error::reason(&serve(path).unwrap_err());
        assert_eq!(why(&at), "it is open to others (its mode is 750; chmod 700 it)");
        assert_eq!(why(&base.path().join("no/parent")), "No such file or directory");
        assert!(serve(&base.path().join("made")).is_ok());
    }

    #[test]
    fn only_a_private_directory_is_used() {
        let base = tempfile::tempdir().unwrap();
        let at = |name: &str| base.path().join(name);
        make(&at("made")).unwrap();
        make(&at("made")).unwrap();
        fs::set_permissions(at("made"), fs::Permissions::from_mode(0o750)).unwrap();
        assert!(make(&at("made")).is_err());
        fs::create_dir(at("real")).unwrap();
        fs::set_permissions(at("real"), fs::Permissions::from_mode(0o700)).unwrap();
        symlink(at("real"), at("link")).unwrap();
        assert!(check(&at("real")).is_ok());
        assert!(make(&at("link")).is_err());
        fs::write(at("file"), "").unwrap();
        assert!(make(&at("file")).is_err());
        assert!(make(&at("no/parent")).is_err());
    }

    #[test]
    fn a_directory_of_another_user_is_not_used() {
        let base = tempfile::tempdir().unwrap();
        make(&base.path().join("ours")).unwrap();
        // Of the superuser's, others are for anybody to see; who is that gives one away.
        let (planted, other) = match Uid::effective().is_root() {
            true => (base.path().join("ours"), Uid::from_raw(54_321)),
            false => (PathBuf::from("/"), Uid::from_raw(0)),
        };
        if Uid::effective().is_root() {
            nix::unistd::chown(&planted, Some(other), None).unwrap();
        }
        let why = check(&planted).unwrap_err().to_string();
        assert_eq!(why, format!("it belongs to another user (number {other})"));
        assert!(make(&planted).is_err() && serve(&planted).is_err());
    }
}

//! The private directory of small files that the tools of one user share: local, theirs alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::statfs::fstatfs;
use nix::unistd::Uid;

/// The file systems whose files may lie on another machine, by `statfs(2)`: there, directories
/// are slow and what was written is seen late.
const REMOTE: [i64; 11] = [
    0x6969,      // NFS
    0x517b,      // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB2
    0x0102_1997, // 9P
    0x6573_5546, // FUSE
    0x00c3_6400, // Ceph
    0x0bd0_0bd0, // Lustre
    0x4750_4653, // GPFS
    0x5346_414f, // AFS
    0x7375_7245, // Coda
];

/// The variable that names the directory, where there is to be no other: for commands on hosts, whose
/// tools are to leave nothing there.
pub const VARIABLE: &str = "MC_RUNTIME_DIR";

/// Where the directory may be, best first. Whoever looks for something looks in all of them.
///
/// The tools of one pipeline need not have the same environment (`env -i`, `sudo -E`), so what
/// `$XDG_RUNTIME_DIR` says comes last: mostly it is the first of the others anyway.
pub fn candidates(xdg_runtime_dir: Option<PathBuf>) -> Vec<PathBuf> {
    let user = Uid::effective();
    let mut found: Vec<PathBuf> = vec![format!("/run/user/{user}/mycloud").into()];
    found.extend(["/tmp", "/dev/shm"].map(|base| format!("{base}/mycloud-{user}").into()));
    let more = xdg_runtime_dir.filter(|base| base.is_absolute()).map(|base| base.join("mycloud"));
    found.extend(more.filter(|directory| *directory != found[0]));
    found
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
/// When it is not there or cannot be trusted.
pub(crate) fn check(directory: &Path) -> io::Result<()> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    let opened: File = OpenOptions::new().read(true).custom_flags(flags.bits()).open(directory)?;
    let found = opened.metadata()?;
    let private = found.uid() == Uid::effective().as_raw() && found.mode() & 0o077 == 0;
    let remote = fstatfs(&opened).is_ok_and(|fs| REMOTE.contains(&fs.filesystem_type().0));
    if private && !remote { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
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
        let without = candidates(None);
        let with = candidates(Some("/x".into()));
        assert_eq!(with.split_last().unwrap(), (&PathBuf::from("/x/mycloud"), &without[..]));
        assert_eq!(candidates(Some("relative".into())), without);
        let usual = format!("/run/user/{}", Uid::effective());
        assert_eq!(candidates(Some(usual.into())), without);
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
}

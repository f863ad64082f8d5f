//! What is shared with commands: files beneath the directories of `--share`, and no others.
//!
//! A directory is opened once. From there the kernel resolves each path and goes nowhere else, by
//! `openat2(2)`: no `..`, no link that leads out of it, none of those of `/proc`. Only regular files
//! are opened, and only those of file systems that store files.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag};
use nix::sys::statfs::{self, FsType, fstatfs};
use serde::{Deserialize, Serialize};

use crate::client::Shown;
use crate::error::{Error, Result};
use crate::record::bytes::Bytes;
use crate::wire::client::{FileIdentity, PATH_MAX};

/// The file systems whose files are words of the kernel, and no files.
const OF_KERNEL: [FsType; 12] = [
    statfs::PROC_SUPER_MAGIC,
    statfs::SYSFS_MAGIC,
    statfs::DEBUGFS_MAGIC,
    statfs::TRACEFS_MAGIC,
    statfs::SECURITYFS_MAGIC,
    statfs::SELINUX_MAGIC,
    statfs::SMACK_MAGIC,
    statfs::BPF_FS_MAGIC,
    statfs::CGROUP_SUPER_MAGIC,
    statfs::CGROUP2_SUPER_MAGIC,
    statfs::RDTGROUP_SUPER_MAGIC,
    statfs::NSFS_MAGIC,
];

/// A shared path, as it is handed on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedPath {
    /// What it is called, by paths from the root: as it was given, and without links.
    pub names: Vec<Bytes>,
    /// Whether files may be written beneath it.
    pub write: bool,
}

/// What is shared.
#[derive(Debug, Default)]
pub struct Shares(Vec<Share>);

#[derive(Debug)]
struct Share {
    names: Vec<PathBuf>,
    /// The directory.
    root: OwnedFd,
    /// The one file in it, where it is but one that is shared.
    only: Option<OsString>,
    write: bool,
}

impl SharedPath {
    /// The path that `word` names, seen from `directory`, by `:rw` at its end for writing too. Where
    /// the user's shell calls `directory` by other names, `others` are these.
    pub fn parse(word: &Path, directory: &Path, others: &[PathBuf]) -> SharedPath {
        let bytes = word.as_os_str().as_bytes();
        let (bytes, write) = match bytes.strip_suffix(b":rw") {
            Some(bytes) => (bytes, true),
            None => (bytes.strip_suffix(b":ro").unwrap_or(bytes), false),
        };
        let path = Path::new(std::ffi::OsStr::from_bytes(bytes));
        let mut names: Vec<PathBuf> = Vec::new();
        let given = [directory].into_iter().chain(others.iter().map(PathBuf::as_path));
        let given = given.map(|directory| without_dots(&directory.join(path)));
        for name in given.chain(std::fs::canonicalize(directory.join(path)).ok()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let names = names.iter().map(|name| Bytes::from(name.as_os_str())).collect();
        SharedPath { names, write }
    }
}

/// The path as it is written, without its `.` and `..`.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => (),
            part => plain.push(part),
        }
    }
    plain
}

impl Shares {
    /// Opens what is shared.
    ///
    /// # Errors
    /// `Usage` for what is not there, or is neither a directory nor a regular file; where the kernel is
    /// too old to keep a path beneath a directory.
    pub fn open(paths: &[SharedPath]) -> Result<Shares> {
        paths.iter().map(Share::open).collect::<Result<_>>().map(Shares)
    }

    /// Opens a file for reading; what it is.
    ///
    /// # Errors
    /// `Usage` for what is not shared, is not there or cannot be read, or is no regular file.
    pub fn read(&self, path: &Path) -> Result<(File, FileIdentity)> {
        let shown = Shown(path);
        let (share, rest) = self.find(path, false)?;
        // Looked at before it is opened: a device may take that for a request.
        let look = share.open_beneath(&rest, OFlag::O_PATH, shown)?;
        let looked = regular(&File::from(look), shown)?;
        let quietly = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = File::from(share.open_beneath(&rest, quietly, shown)?);
        let identity = regular(&file, shown)?;
        if (identity.device, identity.inode) != (looked.device, looked.inode) {
            return Err(Error::incomplete(format!("{shown} was replaced while it was opened")));
        }
        Ok((file, identity))
    }

    /// Where a file is to be written: its path, free of links.
    ///
    /// # Errors
    /// `Usage` for what is not shared for writing, where there is no such directory, or there is
    /// something of that name that is no regular file.
    pub fn target(&self, path: &Path) -> Result<PathBuf> {
        let shown = Shown(path);
        let (share, rest) = self.find(path, true)?;
        let Some(name) = rest.file_name() else {
            return Err(Error::usage(format!("{shown} is a directory")));
        };
        let parent = rest.parent().unwrap_or(Path::new(""));
        let directory = share.open_beneath(parent, OFlag::O_PATH | OFlag::O_DIRECTORY, shown)?;
        match open_at(&directory, name.as_ref(), OFlag::O_PATH | OFlag::O_NOFOLLOW) {
            Err(Errno::ENOENT) => (),
            Err(e) => return Err(Error::io("write", shown, &e.into())),
            Ok(there) => {
                let there = File::from(there);
                let about = there.metadata().map_err(|e| Error::io("write", shown, &e))?;
                if about.is_symlink() {
                    return Err(Error::usage(format!(
                        "{shown} is a symbolic link: name the file that it leads to"
                    )));
                }
                regular(&there, shown)?;
            }
        }
        let found = std::fs::read_link(format!("/proc/self/fd/{}", directory.as_raw_fd()));
        Ok(found.map_err(|e| Error::io("write", shown, &e))?.join(name))
    }

    /// The share that a path lies beneath, the longest one, and its path from there.
    fn find(&self, path: &Path, write: bool) -> Result<(&Share, PathBuf)> {
        let shown = Shown(path);
        let bytes = path.as_os_str().as_bytes();
        if !path.is_absolute() {
            return Err(Error::usage(format!("{shown}: say client:///PATH, a path from the root")));
        }
        if bytes.len() > PATH_MAX || bytes.contains(&0) {
            return Err(Error::usage(format!("{shown}: not a path")));
        }
        if path.components().any(|part| part == Component::ParentDir) {
            return Err(Error::usage(format!("{shown}: a path with '..' in it is refused")));
        }
        let beneath = |share| {
            let Share { names, .. }: &Share = share;
            let found = names.iter().filter(|name| path.starts_with(name));
            found.max_by_key(|name| name.as_os_str().len()).map(|name| (share, name))
        };
        let found = self.0.iter().filter_map(beneath).filter(|(share, _)| share.write || !write);
        let Some((share, name)) = found.max_by_key(|(_, name)| name.as_os_str().len()) else {
            let only_read = self.0.iter().any(|share| beneath(share).is_some());
            return Err(Error::usage(match (write, only_read) {
                (true, true) => format!("{shown}: shared for reading only: say --share DIR:rw"),
                (true, false) => format!(
                    "{shown}: not shared: say --share DIR:rw for a directory that it lies in"
                ),
                _ => {
                    format!("{shown}: not shared: say --share DIR for a directory that it lies in")
                }
            }));
        };
        let rest = path.strip_prefix(name).unwrap_or(Path::new(""));
        match &share.only {
            None => Ok((share, rest.into())),
            Some(only) if rest.as_os_str().is_empty() => Ok((share, only.into())),
            Some(_) => {
                Err(Error::usage(format!("{shown}: what is shared is a file, no directory")))
            }
        }
    }
}

impl Share {
    fn open(shared: &SharedPath) -> Result<Share> {
        let names: Vec<PathBuf> =
            shared.names.iter().map(|name| OsString::from(name.clone()).into()).collect();
        let given = names.first().cloned().unwrap_or_default();
        let failed = |e: &std::io::Error| Error::path("share", &given, e);
        let mut path = std::fs::canonicalize(&given).map_err(|e| failed(&e))?;
        let about = std::fs::metadata(&path).map_err(|e| failed(&e))?;
        let mut only = None;
        if about.is_file() {
            only = path.file_name().map(OsString::from);
            path.pop();
        } else if !about.is_dir() {
            let given = given.display();
            return Err(Error::usage(format!(
                "cannot share {given}: neither a directory nor a regular file"
            )));
        }
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = nix::fcntl::open(&path, flags, nix::sys::stat::Mode::empty());
        let root = root.map_err(|e| failed(&e.into()))?;
        match open_at(&root, ".".as_ref(), OFlag::O_PATH) {
            Err(Errno::ENOSYS | Errno::EPERM) => Err(Error::usage(format!(
                "cannot share {}: that needs openat2(2), which Linux has since 5.6",
                given.display()
            ))),
            Err(e) => Err(failed(&e.into())),
            Ok(_) => Ok(Share { names, root, only, write: shared.write }),
        }
    }

    /// Opens what lies beneath, or the directory itself.
    fn open_beneath(&self, rest: &Path, flags: OFlag, shown: Shown<'_>) -> Result<OwnedFd> {
        let path = if rest.as_os_str().is_empty() { Path::new(".") } else { rest };
        open_at(&self.root, path, flags).map_err(|e| match e {
            Errno::EXDEV | Errno::ELOOP => Error::usage(format!(
                "{shown}: a link in it leads out of what is shared: name the file where it lies, and \
                 say --share DIR for that"
            )),
            Errno::EISDIR => is_directory(shown),
            e => Error::io("open", shown, &e.into()),
        })
    }
}

/// How often a path is tried: each time, something was renamed or mounted somewhere while the kernel went back to a
/// directory above, and it could not tell whether that had to do with it.
const TRIES: usize = 1000;

/// Opens what lies beneath a directory.
fn open_at(directory: &impl AsFd, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let beneath = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(beneath);
    let open = || nix::fcntl::openat2(directory, path, how);
    let tries = std::iter::repeat_with(open).take(TRIES);
    let mut opened = tries.filter(|opened| !matches!(opened, Err(Errno::EAGAIN)));
    opened.next().unwrap_or(Err(Errno::EAGAIN))
}

fn is_directory(shown: Shown<'_>) -> Error {
    Error::usage(format!("{shown} is a directory: client:// is for files, one by one"))
}

/// What an open file is, if it is a regular one.
fn regular(file: &File, shown: Shown<'_>) -> Result<FileIdentity> {
    let about = file.metadata().map_err(|e| Error::io("read", shown, &e))?;
    if about.is_dir() {
        return Err(is_directory(shown));
    }
    let of_kernel = fstatfs(file).is_ok_and(|fs| OF_KERNEL.contains(&fs.filesystem_type()));
    if !about.is_file() || of_kernel {
        return Err(Error::usage(format!("{shown} is no regular file: no other is shared")));
    }
    Ok(FileIdentity::of(&about))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    fn shares(words: &[&Path]) -> Shares {
        let paths: Vec<SharedPath> =
            words.iter().map(|word| SharedPath::parse(word, Path::new("/"), &[])).collect();
        Shares::open(&paths).unwrap()
    }

    fn refusal(shares: &Shares, path: &Path) -> String {
        let error = shares.read(path).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
        let text = error.to_string();
        assert!(!text.contains('\n') && text.contains(&Shown(path).to_string()), "{text}");
        text
    }

    fn text(shares: &Shares, path: &Path) -> String {
        let mut text = String::new();
        shares.read(path).unwrap().0.read_to_string(&mut text).unwrap();
        text
    }

    /// A directory `in` with a file `a` and a directory `d`, and a file `out` beside it.
    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("in/d")).unwrap();
        std::fs::write(dir.path().join("in/a"), "inside").unwrap();
        std::fs::write(dir.path().join("out"), "outside").unwrap();
        dir
    }

    #[test]
    fn what_lies_beneath_is_read_and_nothing_else() {
        let dir = tree();
        let at = |name: &str| dir.path().join(name);
        let shares = shares(&[&at("in")]);
        assert_eq!(text(&shares, &at("in/a")), "inside");
        assert_eq!(text(&shares, &at("in/./a")), "inside");
        for (path, said) in [
            ("out", "say --share DIR for"),
            ("in/../out", "'..'"),
            ("in/d/../a", "'..'"),
            ("inner", "say --share DIR for"),
            ("in", "is a directory"),
            ("in/d", "is a directory"),
            ("in/none", "No such file"),
            ("in/a/b", "Not a directory"),
        ] {
            assert!(refusal(&shares, &at(path)).contains(said), "{path}");
        }
        assert!(refusal(&shares, Path::new("in/a")).contains("from the root"));
        let long = at(&format!("in/{}", "x/".repeat(PATH_MAX)));
        assert!(refusal(&shares, &long).contains("not a path"));
        assert!(refusal(&Shares::default(), &at("in/a")).contains("say --share DIR for"));
    }

    #[test]
    fn a_link_that_goes_up_is_followed_whatever_is_renamed_meanwhile() {
        let dir = tree();
        let at = |name: &str| dir.path().join(name);
        symlink("../a", at("in/d/within")).unwrap();
        let (within, stop) = (shares(&[&at("in")]), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let names = [at("one"), at("other")];
                std::fs::write(&names[0], "").unwrap();
                for n in 0..100_000 {
                    std::fs::rename(&names[n % 2], &names[(n + 1) % 2]).unwrap();
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
            let read = || text(&within, &at("in/d/within"));
            let all: Vec<String> = (0..3000).map(|_| read()).collect();
            stop.store(true, Ordering::Relaxed);
            assert!(all.iter().all(|text| text == "inside"));
        });
    }

    #[test]
    fn links_are_followed_as_long_as_they_stay_within() {
        let dir = tree();
        let at = |name: &str| dir.path().join(name);
        symlink("../a", at("in/d/within")).unwrap();
        symlink(at("out"), at("in/leaves")).unwrap();
        symlink("../out", at("in/climbs")).unwrap();
        symlink("..", at("in/up")).unwrap();
        symlink(at("in/a"), at("in/absolute")).unwrap();
        symlink("/proc/self/fd/0", at("in/magic")).unwrap();
        symlink(at("in"), at("link")).unwrap();
        let within = shares(&[&at("in")]);
        assert_eq!(text(&within, &at("in/d/within")), "inside");
        for path in ["in/leaves", "in/climbs", "in/up/out", "in/absolute", "in/magic"] {
            assert!(refusal(&within, &at(path)).contains("leads out of what is shared"), "{path}");
        }
        // The hint holds.
        assert_eq!(text(&shares(&[&at("in"), &at("out")]), &at("out")), "outside");
        // What is shared may be given as a link, under both names.
        let linked = shares(&[&at("link")]);
        assert_eq!(text(&linked, &at("link/a")), "inside");
        assert_eq!(text(&linked, &at("in/a").canonicalize().unwrap()), "inside");
    }

    #[test]
    fn a_link_that_is_swapped_while_it_is_followed_leads_nowhere() {
        let dir = tree();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("in/d/out"), "inside").unwrap();
        symlink("d", at("in/link")).unwrap();
        let within = shares(&[&at("in")]);
        let (mut inside, mut refused) = (0, 0);
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    for target in ["..", "d"] {
                        symlink(target, at("in/next")).unwrap();
                        std::fs::rename(at("in/next"), at("in/link")).unwrap();
                    }
                }
            });
            while inside < 1000 || refused < 1000 {
                let mut text = String::new();
                match within.read(&at("in/link/out")) {
                    Ok((mut file, _)) => {
                        file.read_to_string(&mut text).unwrap();
                        inside += 1;
                    }
                    Err(_) => refused += 1,
                }
                if text == "outside" {
                    done.store(true, std::sync::atomic::Ordering::Relaxed);
                    panic!("the link was followed out of what is shared");
                }
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }

    #[test]
    fn no_other_than_regular_files_are_opened() {
        let dir = tree();
        let at = |name: &str| dir.path().join(name);
        nix::unistd::mkfifo(&at("in/fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(at("in/socket")).unwrap();
        let within = shares(&[&at("in")]);
        for path in ["in/fifo", "in/socket"] {
            assert!(refusal(&within, &at(path)).contains("no regular file"), "{path}");
        }
        let all = shares(&[Path::new("/")]);
        for path in ["/dev/null", "/proc/version", "/proc/self/environ", "/sys/kernel/fscaps"] {
            if Path::new(path).exists() {
                assert!(refusal(&all, Path::new(path)).contains("no regular file"), "{path}");
            }
        }
        assert!(refusal(&all, Path::new("/proc/self/fd/0")).contains("client:///proc/self/fd/0"));
        assert_eq!(text(&all, &at("in/a")), "inside");
    }

    #[test]
    fn what_is_no_regular_file_is_not_even_opened_to_see_that() {
        let dir = tree();
        let fifo = dir.path().join("in/fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let within = shares(&[&dir.path().join("in")]);
        let opened = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Until somebody opens the other end.
                File::options().write(true).open(&fifo).unwrap();
                opened.store(true, std::sync::atomic::Ordering::SeqCst);
            });
            for _ in 0..1000 {
                refusal(&within, &fifo);
                std::thread::yield_now();
            }
            let was_opened = opened.load(std::sync::atomic::Ordering::SeqCst);
            // So that the other one ends.
            let quietly = std::os::unix::fs::OpenOptionsExt::custom_flags;
            let mut options = std::fs::OpenOptions::new();
            let ours = quietly(options.read(true), OFlag::O_NONBLOCK.bits()).open(&fifo).unwrap();
            while !opened.load(std::sync::atomic::Ordering::SeqCst) {
                std::thread::yield_now();
            }
            drop(ours);
            assert!(!was_opened, "it was opened");
        });
    }

    #[test]
    fn writing_has_to_be_allowed() {
        let dir = tree();
        let dir = dir.path().canonicalize().unwrap();
        let at = |name: &str| dir.join(name);
        let word = |path: &Path| PathBuf::from(format!("{}:rw", path.display()));
        let refused = |shares: &Shares, path: &Path| shares.target(path).unwrap_err().to_string();
        let read = shares(&[&at("in")]);
        assert!(refused(&read, &at("in/new")).ends_with("reading only: say --share DIR:rw"));
        assert!(refused(&read, &at("new")).contains("say --share DIR:rw for"));
        let write = shares(&[&at("in"), &word(&at("in/d")), &word(&at("out"))]);
        assert_eq!(write.target(&at("in/d/new")).unwrap(), at("in/d/new"));
        assert_eq!(write.target(&at("out")).unwrap(), at("out"));
        assert!(refused(&write, &at("in/new")).contains("DIR:rw"));
        assert!(refused(&write, &at("in/d")).contains("is a directory"));
        assert!(refused(&write, &at("in/d/no/new")).contains("No such file"));
        std::fs::create_dir(at("in/d/e")).unwrap();
        symlink(at("out"), at("in/d/link")).unwrap();
        symlink(at("in"), at("in/d/up")).unwrap();
        for (path, said) in [
            ("in/d/e", "is a directory"),
            ("in/d/link", "symbolic link"),
            ("in/d/up/new", "leads out"),
            ("in/d/../new", "'..'"),
        ] {
            assert!(refused(&write, &at(path)).contains(said), "{path}");
        }
    }

    #[test]
    fn words_are_paths_with_a_mode() {
        let parse = |word: &str| SharedPath::parse(Path::new(word), Path::new("/no/such"), &[]);
        let names = |names: &[&str]| names.iter().map(|n| Bytes(n.as_bytes().to_vec())).collect();
        let shared = |name: &str, write| SharedPath { names: names(&[name]), write };
        assert_eq!(parse("a"), shared("/no/such/a", false));
        assert_eq!(parse("./a/../b:rw"), shared("/no/such/b", true));
        assert_eq!(parse("/x:rw:ro"), shared("/x:rw", false));
        let there = SharedPath::parse(Path::new("."), Path::new("/a"), &["/b".into()]);
        assert_eq!(there.names, names(&["/a", "/b"]) as Vec<Bytes>);
        let error = Shares::open(&[parse("a")]).unwrap_err().to_string();
        assert_eq!(error, "cannot share /no/such/a: No such file or directory");
        let error = Shares::open(&[parse("/dev/null")]).unwrap_err().to_string();
        assert!(error.ends_with("neither a directory nor a regular file"), "{error}");
    }
}

//! Which pipe it is: the same answer at both of its ends, in every process.

use std::os::fd::AsFd;

use nix::sys::stat::{FileStat, fstat, futimens};
use nix::sys::statfs::{FsType, fstatfs};
use nix::sys::time::TimeSpec;
use serde::{Deserialize, Serialize};

/// The file system of anonymous pipes, and of nothing else. Named fifos are not told apart by
/// their inode alone: a writer may close one and another open it, and the reader sees no end.
const PIPEFS_MAGIC: FsType = FsType(0x5049_5045);

/// An anonymous pipe of this machine, since it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipeId {
    /// The device of the pipes' file system.
    pub device: u64,
    /// The inode, which the kernel uses again only after all others.
    pub inode: u64,
    /// The time of the last change, in nanoseconds: since Linux 6.15 that is when the pipe was
    /// made; before, writing changed it.
    pub changed: i64,
}

impl PipeId {
    /// The pipe behind `fd`; `None` when that is anything but an anonymous pipe.
    pub fn of(fd: impl AsFd) -> Option<PipeId> {
        // Asked first, as it says no for most of what is no pipe without a second call.
        if fstatfs(&fd).ok()?.filesystem_type() != PIPEFS_MAGIC {
            return None;
        }
        let found = fstat(&fd).ok()?;
        Some(PipeId { device: found.st_dev, inode: found.st_ino, changed: changed(&found) })
    }

    /// Whether an entry made for `noted` can be one of this pipe. In doubt it is: a stale failure
    /// that counts is a lesser evil than a real one that does not.
    pub fn may_be(&self, noted: &PipeId) -> bool {
        (self.device, self.inode) == (noted.device, noted.inode)
            && (self.changed == noted.changed || !writes_leave_times())
    }
}

fn changed(found: &FileStat) -> i64 {
    found.st_mtime.saturating_mul(1_000_000_000).saturating_add(found.st_mtime_nsec)
}

/// Whether writing to a pipe leaves its times as they are: tried on a pipe that says it was
/// changed long ago.
fn writes_leave_times() -> bool {
    let tried = || {
        let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).ok()?;
        let long_ago = TimeSpec::new(0, 0);
        futimens(&writer, &long_ago, &long_ago).ok()?;
        nix::unistd::write(&writer, b"x").ok()?;
        Some(changed(&fstat(&reader).ok()?) == 0)
    };
    tried().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_one_pipe_and_no_two_pipes_are() {
        let (reader, writer) = std::io::pipe().unwrap();
        let (other, _writer) = std::io::pipe().unwrap();
        let id = PipeId::of(&reader).unwrap();
        assert_eq!(id, PipeId::of(&writer).unwrap());
        nix::unistd::write(&writer, b"x").unwrap();
        assert!(PipeId::of(&reader).unwrap().may_be(&id));
        assert!(!PipeId::of(&other).unwrap().may_be(&id));
    }

    #[test]
    fn only_anonymous_pipes_count() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let options = std::fs::OpenOptions::new().read(true).write(true).clone();
        assert_eq!(PipeId::of(options.open(&fifo).unwrap()), None);
        assert_eq!(PipeId::of(std::fs::File::open("/dev/null").unwrap()), None);
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(PipeId::of(socket), None);
    }

    #[test]
    fn a_pipe_with_the_inode_of_an_older_one_is_another() {
        let (reader, _writer) = std::io::pipe().unwrap();
        let id = PipeId::of(&reader).unwrap();
        let older = PipeId { changed: id.changed - 1, ..id };
        assert_eq!(id.may_be(&older), !writes_leave_times());
    }
}

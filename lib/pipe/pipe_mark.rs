//! The mark on a pipe: how many tools write to it that have not ended well.
//!
//! It lies in those bits of the pipe's own mode that nobody asks for. Both ends see it, in whatever
//! directories, containers or users' names they work; it costs no file, and goes with the pipe. It
//! does not say who failed, nor how: that is what the [`registry`](super::registry) says, where
//! there is a place for it.
//!
//! A writer counts itself in as its first act and out when it has ended well, so a mark that is
//! left at the end of the pipe is that of a failure. Bits that let others read or write, and those
//! by which a pipe is opened again (`/dev/stdin`), stay as they are.

use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use crate::pipe::record_lock::whole;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::stat::{Mode, fchmod, fstat};
use nix::unistd::pipe2;

/// The bits, the lowest first: a number of five digits.
const BITS: [u32; 5] = [libc::S_IXUSR, libc::S_IXGRP, libc::S_IXOTH, libc::S_ISVTX, libc::S_ISUID];

/// More writers than can be counted: from there on the mark stays, and says nothing.
pub const UNCOUNTED: u32 = (1 << BITS.len()) - 1;

/// The bits of a mode that `chmod` sets.
const MODE: u32 = 0o7777;

/// How often, and how far apart, the lock is tried: others hold it for some system calls.
const LOCK_TRIES: u32 = 200;
const LOCK_EVERY: Duration = Duration::from_millis(1);

/// Counts a writer of the pipe `fd` in; `false` where that cannot be noted.
pub fn enter(fd: impl AsFd) -> bool {
    change(&fd, libc::F_WRLCK, |count| if count == UNCOUNTED { count } else { count + 1 })
}

/// Counts a writer of the pipe `fd` out that was counted in and has ended well.
pub fn leave(fd: impl AsFd) {
    // A mark that stays speaks of a failure, which is the safe side.
    change(
        &fd,
        libc::F_WRLCK,
        |count| if count == UNCOUNTED { count } else { count - 1.min(count) },
    );
}

/// How many writers of the pipe `fd` were counted in and not out.
pub fn count(fd: impl AsFd) -> u32 {
    fstat(&fd).map_or(0, |found| count_of(found.st_mode))
}

/// Whether a writer could have counted itself in: whether this kernel keeps a mark, and this
/// process, which reads the pipe `fd`, might change the one there.
pub fn is_kept(fd: impl AsFd) -> bool {
    let kept = || {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC).ok()?;
        Some(enter(&writer) && count(&reader) == 1)
    };
    kept() == Some(true) && change(&fd, libc::F_RDLCK, |count| count)
}

/// Changes the count while no other process does.
fn change(fd: &impl AsFd, kind: libc::c_int, to: impl Fn(u32) -> u32) -> bool {
    let changed = lock(fd, kind).and_then(|()| {
        let mode = fstat(fd)?.st_mode & MODE;
        let mode = with_count(mode, to(count_of(mode)));
        fchmod(fd, Mode::from_bits_truncate(mode))
    });
    let _ = fcntl(fd, FcntlArg::F_SETLK(&whole(libc::F_UNLCK)));
    changed.is_ok()
}

/// Takes the lock of the pipe for this process. The writers of a pipe mostly share one open file, and
/// only this kind of lock keeps processes that do apart.
fn lock(fd: &impl AsFd, kind: libc::c_int) -> nix::Result<()> {
    for _ in 0..LOCK_TRIES {
        match fcntl(fd, FcntlArg::F_SETLK(&whole(kind))) {
            Err(Errno::EAGAIN | Errno::EACCES | Errno::EINTR) => thread::sleep(LOCK_EVERY),
            result => return result.map(drop),
        }
    }
    Err(Errno::EAGAIN)
}

fn count_of(mode: u32) -> u32 {
    let digit = |(place, bit): (usize, &u32)| u32::from(mode & bit != 0) << place;
    BITS.iter().enumerate().map(digit).sum()
}

fn with_count(mode: u32, count: u32) -> u32 {
    BITS.iter().enumerate().fold(mode, |mode, (place, bit)| {
        if count & (1 << place) != 0 { mode | bit } else { mode & !bit }
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn what_one_end_notes_the_other_sees_and_writing_does_not_change() {
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        assert!(is_kept(&reader));
        assert_eq!(count(&reader), 0);
        for already in 0..3 {
            assert_eq!(count(&reader), already);
            assert!(enter(&writer));
        }
        writer.write_all(b"x").unwrap();
        reader.read_exact(&mut [0]).unwrap();
        leave(&writer);
        assert!(is_kept(&reader));
        assert_eq!(count(&reader), 2);
        drop(writer);
        assert_eq!(count(&reader), 2);
    }

    #[test]
    fn a_pipe_can_be_opened_again_whatever_is_noted() {
        let (reader, writer) = std::io::pipe().unwrap();
        let before = fstat(&reader).unwrap().st_mode & 0o666;
        for _ in 0..100 {
            assert!(enter(&writer));
            assert_eq!(fstat(&reader).unwrap().st_mode & 0o666, before);
        }
    }

    #[test]
    fn more_than_can_be_counted_are_never_none() {
        let (reader, writer) = std::io::pipe().unwrap();
        for _ in 0..100 {
            enter(&writer);
        }
        assert_eq!(count(&reader), UNCOUNTED);
        for _ in 0..100 {
            leave(&writer);
        }
        assert_eq!(count(&reader), UNCOUNTED);
        let (reader, writer) = std::io::pipe().unwrap();
        leave(&writer);
        assert_eq!(count(&reader), 0);
    }

    #[test]
    fn every_count_has_its_own_bits() {
        for count in 0..=UNCOUNTED {
            assert_eq!(count_of(with_count(0o7777, count)), count);
            assert_eq!(count_of(with_count(0, count)), count);
        }
    }

    #[test]
    fn what_is_no_pipe_of_ours_keeps_no_mark() {
        assert!(!is_kept(std::fs::File::open("/proc/self/stat").unwrap()));
    }
}

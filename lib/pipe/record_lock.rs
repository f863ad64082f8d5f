//! Locks of the kind that `fcntl` takes, on the whole of a file: for processes that share an open file,
//! and for those that ask who holds one.

use nix::libc;

/// A lock of type `kind` (`F_RDLCK`, `F_WRLCK`, `F_UNLCK`) on a whole file.
pub(crate) fn whole(kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

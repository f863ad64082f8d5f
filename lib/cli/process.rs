//! What a process does to itself that Rust cannot check: the one place with `unsafe` code.
//!
//! It looks at the standard descriptors before the runtime does, sets signals right, forks, and dies
//! by a signal.

use std::sync::atomic::{AtomicU8, Ordering};

use nix::libc;
use nix::sys::signal::{self, Signal};
use nix::unistd::{ForkResult, fork as system_fork};

/// Bit n is set when descriptor n was closed when the process started.
static CLOSED_AT_START: AtomicU8 = AtomicU8::new(0);

/// Runs before `main`, because Rust's runtime opens `/dev/null` in place of each standard
/// descriptor that is closed: behind it, `>&-` cannot be told from `>/dev/null`.
extern "C" fn note_closed() {
    for descriptor in 0..3 {
        // SAFETY: F_GETFD reads a flag of a number that need not even be a descriptor.
        #[expect(unsafe_code)]
        let flags = unsafe { libc::fcntl(descriptor, libc::F_GETFD) };
        if flags == -1 {
            CLOSED_AT_START.fetch_or(1 << descriptor, Ordering::Relaxed);
        }
    }
}

// SAFETY: the loader calls every function of this section once, before `main`; this one only asks
// the kernel and stores into an atomic, which needs nothing of the runtime.
#[expect(unsafe_code)]
#[used]
#[unsafe(link_section = ".init_array")]
static NOTE_CLOSED: extern "C" fn() = note_closed;

/// Whether standard descriptor `number` (0 to 2) was closed when the process started.
pub fn closed_at_start(number: u8) -> bool {
    CLOSED_AT_START.load(Ordering::Relaxed) & (1 << number) != 0
}

/// Lets signals have the effect that the tools rely on, whatever the parent process had set: no signal
/// is held back, and the end of a child is heard of. To be called before there is any thread. What is
/// ignored for good reason (by `nohup`, or for a job of a shell without job control) stays ignored.
pub fn listen_to_signals() {
    // SAFETY: the default action runs no code of ours.
    #[expect(unsafe_code)]
    let _ = unsafe { signal::signal(Signal::SIGCHLD, signal::SigHandler::SigDfl) };
    let _ = signal::SigSet::empty().thread_set_mask();
}

/// Dies by `signal`, as if it had not been caught; returns only if the process ignores it.
pub fn die_by(signal: i32) {
    let Ok(signal) = Signal::try_from(signal) else { return };
    let mut set = signal::SigSet::empty();
    set.add(signal);
    let _ = set.thread_unblock();
    let _ = signal::raise(signal);
}

/// Forks. Only to be called while the process has one thread.
///
/// # Errors
/// When the system has no process left, or there are other threads.
pub(super) fn fork() -> nix::Result<ForkResult> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        return Err(nix::errno::Errno::EDEADLK);
    }
    // SAFETY: with no other thread, nothing that the child calls can wait for a lock that is held
    // by a thread which it does not have.
    #[expect(unsafe_code)]
    unsafe {
        system_fork()
    }
}

/// The signals that the process ignores: bit n - 1 is signal n.
pub(super) fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

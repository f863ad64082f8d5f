//! What a process does to itself that Rust cannot check: the one place with `unsafe` code.
//!
//! It looks at the standard descriptors before the runtime does, sets signals right, forks, dies by a
//! signal, and takes away before that what is drawn on the terminal.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{self, SaFlags, SigAction, SigHandler, SigSet, Signal};
use nix::unistd::{ForkResult, fork as system_fork};

/// Takes away what is behind and below the cursor of a terminal.
pub(super) const WIPE: &[u8] = b"\x1b[J";

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

/// Whether there is something below the cursor of the terminal, and whether signals take it away.
static IS_DRAWN: AtomicBool = AtomicBool::new(false);
static WIPES: AtomicBool = AtomicBool::new(false);

/// Whether a thread draws just now, and whether a signal has come, so that none is to.
static DRAWS: AtomicBool = AtomicBool::new(false);
static LEAVES: AtomicBool = AtomicBool::new(false);

/// The signals that end or stop a tool in the middle of its work.
const WIPED_ON: [Signal; 5] =
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGTSTP];

/// How often a signal looks whether the thread that draws is done with it, and how long it waits each
/// time.
const LOOKS: u32 = 100;
const LOOK_EVERY_MS: u8 = 5;

/// Writes what draws something below the cursor of the terminal that is standard error: from now on a
/// signal that ends or stops this process takes it away first. What is ignored stays so.
pub(super) fn draw(frame: &[u8]) {
    wipe_on_signals();
    // A signal that comes while it is drawn is another thread's, which waits for the end of that.
    let before = SigSet::thread_get_mask();
    let _ = SigSet::from_iter(WIPED_ON).thread_block();
    DRAWS.store(true, Ordering::SeqCst);
    if !LEAVES.load(Ordering::SeqCst) {
        IS_DRAWN.store(frame != WIPE, Ordering::SeqCst);
        let mut rest = frame;
        while !rest.is_empty() {
            match nix::unistd::write(std::io::stderr(), rest) {
                Ok(taken) => rest = &rest[taken..],
                Err(Errno::EINTR) => (),
                Err(_) => break,
            }
        }
    }
    DRAWS.store(false, Ordering::SeqCst);
    if let Ok(before) = before {
        let _ = before.thread_set_mask();
    }
}

fn wipe_on_signals() {
    if WIPES.swap(true, Ordering::SeqCst) {
        return;
    }
    let ignored = ignored_signals();
    // Once, and not held back then: raised again, the signal does at once what it does to a process
    // that has no handler.
    let flags = SaFlags::SA_RESETHAND | SaFlags::SA_NODEFER | SaFlags::SA_RESTART;
    let action = SigAction::new(SigHandler::Handler(wiped), flags, SigSet::empty());
    for signal in WIPED_ON.into_iter().filter(|s| ignored & (1 << (*s as u32 - 1)) == 0) {
        // SAFETY: the handler does nothing but what may be done in one: it looks at and stores into
        // atomics, polls, writes and raises a signal.
        #[expect(unsafe_code)]
        let _ = unsafe { signal::sigaction(signal, &action) };
    }
}

/// Takes away what is drawn, if anything is, before this process ends.
pub(super) fn wipe() {
    if IS_DRAWN.swap(false, Ordering::SeqCst) {
        let _ = nix::unistd::write(std::io::stderr(), WIPE);
    }
}

extern "C" fn wiped(signal: libc::c_int) {
    LEAVES.store(true, Ordering::SeqCst);
    for _ in 0..LOOKS {
        if !DRAWS.load(Ordering::SeqCst) {
            break;
        }
        let _ = nix::poll::poll(&mut [], LOOK_EVERY_MS);
    }
    wipe();
    WIPES.store(false, Ordering::SeqCst);
    if let Ok(signal) = Signal::try_from(signal) {
        let _ = signal::raise(signal);
    }
    // It was stopped, and goes on.
    LEAVES.store(false, Ordering::SeqCst);
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

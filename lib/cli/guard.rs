//! The guard: a process that outlives the tool's own by a moment, to clean up behind it.
//!
//! A tool that starts commands or makes temporary names forks once, before it has any thread. The
//! parent, whose number the shell knows, holds none of the tool's streams. It waits; when the child
//! has ended, however, it ends every process that descends from it, removes every name that the
//! child had in its [`ledger`](super::ledger), and exits as the child did. The child does the work
//! of the tool. When its parent dies, by SIGKILL say, it does that cleaning itself, and dies.
//!
//! Signals need no handlers so: INT, TERM and HUP are passed on to the child, which dies of them.
//! Stopping and continuing (Ctrl-Z) reaches both, as the group of processes that they are.

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, pipe2};

use crate::cli::ledger::{KeptNames, Names, Stores};
use crate::cli::process;
use crate::command::children;
use crate::command::process_tree::{self, LOOK_EVERY_MS, Processes, TreeEnding};
use crate::error::{Error, Result};

/// How long the cleaning in the child may take, all told.
const CLEANING_MAX: Duration = Duration::from_secs(10);

/// In the child: the parent's number.
static PARENT: AtomicI32 = AtomicI32::new(0);

/// The signals that end a tool, and that the guard passes on.
const PASSED_ON: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// Forks. Returns in the child, with its ledger; the parent does not return. Uploads are given up in
/// `stores`, of which nothing was asked yet.
///
/// # Errors
/// When the system has no process or descriptor left for it.
pub(super) fn guard(stores: Stores) -> Result<Arc<Names>> {
    let failed = |error: Errno| Error::io("start", "the guard process", &error.into());
    let (ledger_reader, ledger_writer) =
        pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).map_err(failed)?;
    let (life_reader, life_writer) = pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
    let signals = signals();
    let before = SigSet::thread_get_mask().map_err(failed)?;
    signals.thread_block().map_err(failed)?;
    let parent = Pid::this();
    match process::fork() {
        Ok(ForkResult::Child) => {
            PARENT.store(parent.as_raw(), Ordering::Relaxed);
            let _ = before.thread_set_mask();
            drop((ledger_reader, life_writer));
            let _ = set_child_subreaper(true);
            let names = Arc::new(Names::new(ledger_writer, stores));
            watch_parent(life_reader, Arc::clone(&names))?;
            Ok(names)
        }
        Ok(ForkResult::Parent { child }) => {
            drop((ledger_writer, life_reader));
            let kept = KeptNames::new(ledger_reader, stores);
            let status = Guard { child, signals, kept }.run();
            // Held until here: that it closes is how the child learns of our death.
            drop(life_writer);
            exit_as(status)
        }
        Err(error) => {
            let _ = before.thread_set_mask();
            Err(failed(error))
        }
    }
}

/// To be called last, before the process ends: when the parent has died, the thread that cleans up in
/// its place needs this process still, and ends it.
pub(super) fn await_cleaning() {
    let parent = PARENT.load(Ordering::Relaxed);
    if parent != 0 && Pid::parent().as_raw() != parent {
        std::thread::sleep(CLEANING_MAX);
    }
}

/// The signals to wait for. One that is ignored (a `nohup`, a job of a shell without job control)
/// must stay so, although it would be reported.
fn signals() -> SigSet {
    let ignored = process::ignored_signals();
    let passed_on = PASSED_ON.into_iter().filter(|s| ignored & (1 << (*s as u32 - 1)) == 0);
    passed_on.chain([Signal::SIGCHLD]).collect()
}

/// In the child: starts the thread that cleans up when the parent has died.
fn watch_parent(life: OwnedFd, names: Arc<Names>) -> Result<()> {
    let watch = move || {
        // Nothing is ever written: it ends when its other end closes. An error is no end.
        while nix::unistd::read(&life, &mut [0]).is_err() {}
        children::start_no_more();
        process_tree::end(own_children);
        names.remove_all();
        process::wipe();
        process::die_by(Signal::SIGKILL as i32);
    };
    let thread = std::thread::Builder::new().name("watch parent".into()).spawn(watch);
    thread.map(drop).map_err(|e| Error::io("start", "a thread", &e))
}

/// The parent at work.
struct Guard {
    child: Pid,
    signals: SigSet,
    kept: KeptNames,
}

impl Guard {
    /// Waits for the child to end, cleans up, and tells how it ended.
    fn run(mut self) -> WaitStatus {
        let_go_of_streams();
        let _ = set_child_subreaper(true);
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let Ok(signals) = SignalFd::with_flags(&self.signals, flags) else {
            // Out of descriptors: nothing can be passed on, but the end is heard of.
            let _ = self.signals.thread_unblock();
            return waitpid(self.child, None).unwrap_or(WaitStatus::StillAlive);
        };
        let status = loop {
            if let Some(status) = bury(self.child) {
                break status;
            }
            self.wait_and_pass_on(&signals);
        };
        end_descendants(&signals);
        self.kept.read();
        self.kept.clean_up();
        status
    }

    /// Waits for something to happen; passes signals on, and takes notes of names.
    fn wait_and_pass_on(&mut self, signals: &SignalFd) {
        let ready = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds = vec![ready(signals.as_fd())];
        fds.extend(self.kept.descriptor().map(ready));
        let _ = poll(&mut fds, PollTimeout::NONE);
        self.kept.read();
        for signal in received(signals) {
            let _ = kill(self.child, signal);
            // Stopped, it would not hear it.
            let _ = kill(self.child, Signal::SIGCONT);
        }
    }
}

/// Gives up standard input and output, which are the child's alone now.
fn let_go_of_streams() {
    let null = std::fs::File::options().read(true).write(true).open("/dev/null");
    if let Ok(null) = null {
        let _ = nix::unistd::dup2_stdin(&null);
        let _ = nix::unistd::dup2_stdout(&null);
    } else {
        let _ = nix::unistd::close(0);
        let _ = nix::unistd::close(1);
    }
}

/// The signals that came and are to be passed on.
fn received(signals: &SignalFd) -> Vec<Signal> {
    let mut received = Vec::new();
    while let Ok(Some(info)) = signals.read_signal() {
        let signal = Signal::try_from(info.ssi_signo as i32);
        received.extend(signal.ok().filter(|signal| *signal != Signal::SIGCHLD));
    }
    received
}

/// Waits for those of our children that have ended, and tells how `child` did, if it is one.
fn bury(child: Pid) -> Option<WaitStatus> {
    let mut ended = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return ended,
            Ok(status) if status.pid() == Some(child) => ended = Some(status),
            Ok(_) | Err(Errno::EINTR) => (),
            Err(_) => return ended,
        }
    }
}

/// Ends all processes that descend from this one; in a hurry when a signal comes meanwhile.
fn end_descendants(signals: &SignalFd) {
    let mut ending = TreeEnding::start();
    while !ending.is_given_up() {
        bury(Pid::this());
        let peek = WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT | WaitPidFlag::WEXITED;
        if nix::sys::wait::waitid(nix::sys::wait::Id::All, peek) == Err(Errno::ECHILD) {
            return;
        }
        ending.look(own_children);
        let mut fds = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut fds, LOOK_EVERY_MS);
        if !received(signals).is_empty() {
            ending.hurry();
        }
    }
}

/// Where the processes that descend from this one begin.
fn own_children(now: &Processes) -> HashSet<i32> {
    now.children(Pid::this().as_raw()).map(|process| process.pid).collect()
}

/// Ends this process as the child did.
#[expect(clippy::exit)] // The parent is no part of the tool: there is nobody to return to.
fn exit_as(status: WaitStatus) -> ! {
    match status {
        WaitStatus::Exited(_, code) => std::process::exit(code),
        WaitStatus::Signaled(_, signal, _) => {
            // The child has left a core file, where that is wished; this one would say nothing.
            let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
            process::die_by(signal as i32);
            std::process::exit(128 + signal as i32)
        }
        _ => std::process::exit(4),
    }
}

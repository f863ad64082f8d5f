//! The children of this process: the commands that run now, and the processes that commands left
//! behind, which become our children where this process is a subreaper.
//!
//! Where it is none (in a test, say), what a command left behind is not ours to find or to end.

use std::collections::HashSet;
use std::io;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, RwLock};

use nix::sys::prctl::get_child_subreaper;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};

use crate::command::process_tree::{self, Processes};

/// The variable of a command's environment that names its task.
pub const TASK_VARIABLE: &str = "MC_TASK";

/// The variable of a command's environment that numbers the attempts at its task, from 1.
pub const ATTEMPT_VARIABLE: &str = "MC_ATTEMPT";

/// The variable of a command's environment that numbers the shard that its task makes, from 1, where
/// it makes one.
pub const SHARD_VARIABLE: &str = "MC_SHARD";

/// The variable of a command's environment that says where a line has made things ready for it.
pub const SETUP_VARIABLE: &str = "MC_SETUP";

/// The variable of a command's environment that names the host that it runs on; `:` is the tool's.
pub const HOST_VARIABLE: &str = "MC_HOST";

/// The variable of a command's environment that tells it from all other commands of this process,
/// with all that it starts.
const MARK_VARIABLE: &str = "MC_COMMAND";

/// Read while any command is being started; whoever writes it keeps it.
static STARTING_IN_PROCESS: RwLock<()> = RwLock::new(());

/// Lets this process start no command any more: who tries to waits for ever. To be called before
/// all that run are ended for good.
pub fn start_no_more() {
    let gate = STARTING_IN_PROCESS.write().unwrap_or_else(|poison| poison.into_inner());
    std::mem::forget(gate);
}

/// How many commands this process has started.
static STARTED: AtomicU64 = AtomicU64::new(0);

/// A command that was started.
#[derive(Debug)]
pub(crate) struct Started {
    /// Its process.
    pub(crate) child: Child,
    /// What it is marked with, for [`Children::end_command`].
    pub(crate) mark: String,
}

/// Which commands run now.
#[derive(Debug)]
pub struct Children {
    running: Mutex<HashSet<i32>>,
    /// Read while a command is being started, and not yet among the running: who looks for
    /// processes left behind must not take it for one.
    starting: RwLock<()>,
    /// Whether processes left behind come to us.
    adopting: bool,
}

impl Default for Children {
    fn default() -> Children {
        Children {
            running: Mutex::default(),
            starting: RwLock::default(),
            adopting: get_child_subreaper().unwrap_or(false),
        }
    }
}

impl Children {
    /// Starts a command.
    pub(crate) fn start(&self, command: &mut Command) -> io::Result<Started> {
        let mark = format!("{}.{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        command.env(MARK_VARIABLE, &mark);
        let _gate = STARTING_IN_PROCESS.read().unwrap_or_else(|poison| poison.into_inner());
        let _starting = self.starting.read().unwrap_or_else(|poison| poison.into_inner());
        let child = command.spawn()?;
        self.running().insert(child.id() as i32);
        Ok(Started { child, mark })
    }

    /// Says that the command `pid` was waited for.
    pub(crate) fn ended(&self, pid: i32) {
        self.running().remove(&pid);
        self.bury();
    }

    fn running(&self) -> MutexGuard<'_, HashSet<i32>> {
        self.running.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// Waits for the dead among the processes left behind, so that they do not pile up.
    fn bury(&self) {
        if !self.adopting {
            return;
        }
        let Ok(_nobody_starts) = self.starting.try_write() else { return };
        let peek = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        while let Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..)) =
            waitid(Id::All, peek)
        {
            // A command's own attempt waits for it, and must learn its status.
            if self.running().contains(&pid.as_raw()) {
                return;
            }
            let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG));
        }
    }

    /// Of the children in `now`, those that no attempt waits for.
    fn left_behind(&self, now: &Processes) -> Vec<i32> {
        if !self.adopting {
            return Vec::new();
        }
        let running = self.running();
        let children = now.children(std::process::id() as i32).map(|p| p.pid);
        children.filter(|pid| !running.contains(pid)).collect()
    }

    /// Ends the command `pid`, where it still is one, with all that it started, and what the command
    /// that was marked with `mark` left behind. Gives their names.
    pub(crate) fn end_command(&self, pid: Option<i32>, mark: &str) -> Vec<String> {
        let is_marked = |pid: &i32| {
            let value = process_tree::environment(*pid, MARK_VARIABLE);
            value.is_some_and(|value| value == mark.as_bytes())
        };
        let ended = process_tree::end(|now| {
            self.bury();
            self.left_behind(now).into_iter().filter(is_marked).chain(pid).collect()
        });
        self.bury();
        ended
    }

    /// Ends every process left behind, for the stage is over. Gives their names.
    pub fn end_all(&self) -> Vec<String> {
        self.bury();
        let nobody = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        // The kernel knows in an instant whether there are children at all.
        if !self.adopting || waitid(Id::All, nobody).is_err() {
            return Vec::new();
        }
        let ended = process_tree::end(|now| {
            self.bury();
            self.left_behind(now).into_iter().collect()
        });
        self.bury();
        ended
    }
}

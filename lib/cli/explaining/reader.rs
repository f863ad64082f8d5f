//! Who reads standard output: a tool of ours, which goes on with a plan, or somebody else, who sees it.
//!
//! The kernel tells, in `/proc`, which processes hold the pipe open to read it. A shell starts the
//! members of a pipe one after the other, and holds the pipe itself until the one that reads it has
//! begun; so as long as none but a shell has it, it is asked again for a while.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{getpid, getppid};

use crate::cli::explaining::STAGES;

/// How long a shell may take to start a member of a pipe.
const SHELL_MAX: Duration = Duration::from_secs(1);

/// How long another program may take that starts the members of a pipe.
const OTHER_MAX: Duration = Duration::from_millis(100);

/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(5);

/// How often it is asked at least.
const ASKED_MIN: u32 = 20;

/// How the processes of shells are called.
const SHELLS: [&str; 11] =
    ["sh", "bash", "dash", "zsh", "fish", "ksh", "mksh", "yash", "ash", "busybox", "tcsh"];

/// Who reads standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StdoutReader {
    /// A stage of a pipeline.
    Stage,
    /// Somebody else, or nobody.
    Other,
}

/// Who reads standard output, which is a pipe.
pub(super) fn of_stdout() -> StdoutReader {
    let Ok(found) = nix::sys::stat::fstat(std::io::stdout().as_fd()) else {
        return StdoutReader::Other;
    };
    let pipe = PathBuf::from(format!("pipe:[{}]", found.st_ino));
    let parent = fs::read_link(format!("/proc/{}/exe", getppid())).ok();
    let (begun, mut asked) = (Instant::now(), 0);
    loop {
        let readers = readers(&pipe);
        if readers.iter().any(|reader| STAGES.contains(&reader.name.as_str())) {
            return StdoutReader::Stage;
        }
        // Whoever is no shell and has not started us has begun already.
        let is_shell = |reader: &Reader| SHELLS.contains(&reader.name.trim_start_matches('-'));
        let is_parent = |reader: &Reader| reader.program.is_some() && reader.program == parent;
        let limit = match () {
            () if readers.iter().any(is_shell) => SHELL_MAX,
            () if readers.iter().any(is_parent) => OTHER_MAX,
            // One that began while it was looked for is seen the next time.
            () if readers.is_empty() && !is_abandoned() => OTHER_MAX,
            () => return StdoutReader::Other,
        };
        // On a machine that is busy, asking takes its time, too.
        asked += 1;
        if begun.elapsed() > limit && asked > ASKED_MIN {
            return StdoutReader::Other;
        }
        std::thread::sleep(ASK_EVERY);
    }
}

/// Whether nobody has standard output open to read it.
fn is_abandoned() -> bool {
    let stdout = std::io::stdout();
    let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::POLLOUT)];
    let polled = poll(&mut fds, PollTimeout::ZERO);
    polled.is_ok() && fds[0].revents().is_some_and(|found| found.contains(PollFlags::POLLERR))
}

/// A process that reads the pipe.
struct Reader {
    name: String,
    program: Option<PathBuf>,
}

/// The other processes that have `pipe` open to read it, as far as this one may see them.
fn readers(pipe: &Path) -> Vec<Reader> {
    let own = getpid().to_string();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_process = |name: &str| name.bytes().all(|b| b.is_ascii_digit()) && name != own;
    let mut found = Vec::new();
    for process in processes.filter(|one| one.file_name().to_str().is_some_and(is_process)) {
        let path = process.path();
        let Ok(files) = fs::read_dir(path.join("fd")) else { continue };
        if files.flatten().any(|file| reads(&file.path(), pipe)) {
            let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
            let program = fs::read_link(path.join("exe")).ok();
            found.push(Reader { name: name.trim_end().into(), program });
        }
    }
    found
}

/// Whether an open file of a process is `pipe`, open to be read: the link's owner may read it then.
fn reads(file: &Path, pipe: &Path) -> bool {
    fs::read_link(file).is_ok_and(|target| target == pipe)
        && fs::symlink_metadata(file).is_ok_and(|link| link.mode() & 0o400 != 0)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_reader_of_a_pipe_is_seen_and_its_writer_is_none() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let found = nix::sys::stat::fstat(child.stdin.as_ref().unwrap()).unwrap();
        let pipe = PathBuf::from(format!("pipe:[{}]", found.st_ino));
        let begun = Instant::now();
        loop {
            let names: Vec<String> = readers(&pipe).into_iter().map(|one| one.name).collect();
            if names == ["cat"] || begun.elapsed() > Duration::from_secs(30) {
                assert_eq!(names, ["cat"]);
                break;
            }
        }
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(readers(&pipe).is_empty());
    }
}

//! One call of a program: what it is given, what is expected of it, and how it went.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::running::{Output, Running};

/// A call hangs when it takes longer than this: nothing here needs half of it.
const HANG: Duration = Duration::from_secs(120);

/// A call that is not made yet. `succeeds()`, `fails(code)` or `spawn()` make it.
#[must_use = "a call is made by succeeds(), fails(code) or spawn()"]
pub struct Call {
    command: Command,
    stdin: Option<Vec<u8>>,
    stdout: Option<Vec<u8>>,
    stdout_to: bool,
    stderr: Option<Vec<String>>,
    hang: Duration,
}

impl Call {
    /// A call of `program`, with nothing on its standard input, no variable of ours in its
    /// environment, and the built tools first in its PATH.
    pub fn new(program: impl AsRef<OsStr>) -> Call {
        let mut command = Command::new(program);
        for (name, _) in
            std::env::vars_os().filter(|(n, _)| n.as_encoded_bytes().starts_with(b"MC_"))
        {
            command.env_remove(name);
        }
        command.env("PATH", path()).env("LC_ALL", "C.UTF-8").env("XDG_RUNTIME_DIR", runtime());
        command.env("XDG_STATE_HOME", runtime());
        command.process_group(0);
        Call { command, stdin: None, stdout: None, stdout_to: false, stderr: None, hang: HANG }
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Call {
        self.command.arg(arg);
        self
    }

    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Call {
        self.command.args(args);
        self
    }

    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Call {
        self.command.env(name, value);
        self
    }

    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Call {
        self.command.env_remove(name);
        self
    }

    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Call {
        self.command.current_dir(dir);
        self
    }

    /// What standard input holds; a thread feeds it, and a program that stops reading is no error.
    #[track_caller]
    pub fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Call {
        assert!(self.stdin.is_none(), "stdin() is said twice");
        self.stdin = Some(bytes.as_ref().to_vec());
        self
    }

    /// Standard output must be exactly this. It is said once, and not of one that goes to a file.
    #[track_caller]
    pub fn stdout(mut self, bytes: impl AsRef<[u8]>) -> Call {
        assert!(self.stdout.is_none(), "stdout() is said twice");
        assert!(!self.stdout_to, "stdout() is said of what stdout_to() sends to a file");
        self.stdout = Some(bytes.as_ref().to_vec());
        self
    }

    /// Standard output is the file `path`, `/dev/full` for instance.
    #[track_caller]
    pub fn stdout_to(mut self, path: impl AsRef<Path>) -> Call {
        assert!(self.stdout.is_none(), "stdout() is said of what stdout_to() sends to a file");
        let path = path.as_ref();
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path);
        self.command.stdout(file.unwrap_or_else(|e| panic!("cannot open {}: {e}", path.display())));
        self.stdout_to = true;
        self
    }

    /// Standard error must hold this text; more than one may be asked for.
    #[track_caller]
    pub fn stderr_has(mut self, text: impl Into<String>) -> Call {
        let text = text.into();
        assert!(!text.is_empty(), "stderr_has() of nothing: say stderr_any()");
        self.stderr.get_or_insert_default().push(text);
        self
    }

    /// Standard error may hold anything.
    pub fn stderr_any(mut self) -> Call {
        self.stderr.get_or_insert_default();
        self
    }

    /// Longer than this is a hang.
    pub fn within(mut self, hang: Duration) -> Call {
        self.hang = hang;
        self
    }

    /// The same call, with the most memory that it or a child of it held written as KiB to `file`.
    pub fn peak_to(mut self, file: impl AsRef<Path>) -> Call {
        let mut measured = Command::new(super::repository("scripts/peak"));
        measured.arg(file.as_ref()).arg(self.command.get_program()).args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => measured.env(name, value),
                None => measured.env_remove(name),
            };
        }
        if let Some(dir) = self.command.get_current_dir() {
            measured.current_dir(dir);
        }
        assert!(!self.stdout_to, "say peak_to() before stdout_to()");
        measured.process_group(0);
        self.command = measured;
        self
    }

    /// Whatever the exit status, all else that was expected holds.
    #[track_caller]
    pub fn ends(self) -> Output {
        self.spawn().ends()
    }

    /// The call exits with 0, and all that was expected holds.
    #[track_caller]
    pub fn succeeds(self) -> Output {
        self.fails(0)
    }

    /// The call exits with `code` (128 + N for the signal N), and all that was expected holds.
    #[track_caller]
    pub fn fails(self, code: i32) -> Output {
        self.spawn().exits(code)
    }

    /// [`Call::fails`], and standard error holds `text`.
    #[track_caller]
    pub fn fails_with(self, code: i32, text: &str) -> Output {
        self.stderr_has(text).fails(code)
    }

    /// Starts the call, for tests that act while it runs.
    #[track_caller]
    pub fn spawn(mut self) -> Running {
        self.command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        if !self.stdout_to {
            self.command.stdout(Stdio::piped());
        }
        let said = format!("{:?}", self.command.get_program())
            + &self.command.get_args().map(|arg| format!(" {arg:?}")).collect::<String>();
        let child = self.command.stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|e| panic!("cannot run {said}: {e}"));
        if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), self.stdin.take()) {
            std::thread::spawn(move || drop(pipe.write_all(&bytes)));
        }
        Running::new(child, said, self.hang, self.stdout, self.stderr)
    }
}

/// PATH with the built tools and the repository's scripts in front.
fn path() -> OsString {
    let mut path = OsString::from(super::tools());
    for more in
        [super::repository("scripts").as_os_str(), &std::env::var_os("PATH").unwrap_or_default()]
    {
        path.push(":");
        path.push(more);
    }
    path
}

/// The runtime directory of the tests: private, and no other than theirs.
fn runtime() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("runtime");
    DirBuilder::new().recursive(true).mode(0o700).create(&dir).unwrap();
    dir
}

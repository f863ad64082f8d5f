//! A call that runs, and how it went.

use std::fs::File;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// Reads a pipe to its end on a thread.
fn drain(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        sender.send(bytes)
    });
    receiver
}

/// A call that runs. A test that drops it ends it.
pub struct Running {
    child: Child,
    out: Option<Receiver<Vec<u8>>>,
    err: Option<Receiver<Vec<u8>>>,
    deadline: Instant,
    said: String,
    stdout: Option<Vec<u8>>,
    stderr: Option<Vec<String>>,
}

impl Running {
    pub(super) fn new(
        mut child: Child,
        said: String,
        hang: Duration,
        stdout: Option<Vec<u8>>,
        stderr: Option<Vec<String>>,
    ) -> Running {
        let (out, err) = (child.stdout.take().map(drain), child.stderr.take().map(drain));
        Running { child, out, err, deadline: Instant::now() + hang, said, stdout, stderr }
    }

    /// The process id, which is that of its process group too.
    pub fn id(&self) -> i32 {
        self.child.id() as i32
    }

    /// Whether it has not ended yet.
    #[track_caller]
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends `signal` to the process alone.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id()), signal).unwrap();
    }

    /// Sends `signal` to the process and all in its group, as a terminal does for Ctrl-C.
    #[track_caller]
    pub fn signal_all(&self, signal: Signal) {
        killpg(Pid::from_raw(self.id()), signal).unwrap();
    }

    /// Waits until the call has exited with `code` and all that was expected holds.
    #[track_caller]
    pub fn exits(self, code: i32) -> Output {
        self.ends_with(Some(code))
    }

    /// Waits until the call has exited, whatever its status, and all that was expected holds.
    #[track_caller]
    pub fn ends(self) -> Output {
        self.ends_with(None)
    }

    #[track_caller]
    fn ends_with(mut self, code: Option<i32>) -> Output {
        let output = self.ended();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let mut wrong = String::new();
        if let Some(code) = code.filter(|code| output.code != *code) {
            wrong += &format!("exit status {}, expected {code}\n", output.code);
        }
        if let Some(expected) = self.stdout.take().filter(|expected| *expected != output.stdout) {
            wrong += &difference(&expected, &output.stdout);
        }
        match &self.stderr {
            None if !stderr.is_empty() => wrong += "standard error is not empty\n",
            None => {}
            Some(texts) => {
                for text in texts.iter().filter(|text| !stderr.contains(*text)) {
                    wrong += &format!("standard error lacks {text:?}\n");
                }
            }
        }
        assert!(wrong.is_empty(), "{}\n{wrong}--- standard error:\n{stderr}", self.said);
        output
    }

    /// Waits for the end, whatever it is, of a call of which nothing was expected: the test looks
    /// at the output itself.
    #[track_caller]
    pub fn wait(&mut self) -> Output {
        let nothing = self.stdout.is_none() && self.stderr.as_ref().is_some_and(Vec::is_empty);
        assert!(nothing, "{}: what is expected is looked at by ends() or exits()", self.said);
        self.ended()
    }

    #[track_caller]
    fn ended(&mut self) -> Output {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < self.deadline, "{}: hangs", self.said);
            std::thread::sleep(Duration::from_millis(1));
        };
        Output {
            stdout: self.rest(Stream::Out),
            stderr: self.rest(Stream::Err),
            code: code(status),
        }
    }

    #[track_caller]
    fn rest(&mut self, stream: Stream) -> Vec<u8> {
        let pipe = if stream == Stream::Out { self.out.take() } else { self.err.take() };
        let Some(pipe) = pipe else { return Vec::new() };
        let left = self.deadline.saturating_duration_since(Instant::now());
        pipe.recv_timeout(left).unwrap_or_else(|_| {
            panic!("{}: has ended, but something holds {stream:?} open", self.said)
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = killpg(Pid::from_raw(self.id()), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stream {
    Out,
    Err,
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// The first line in which two outputs differ.
fn difference(expected: &[u8], got: &[u8]) -> String {
    let show = |line: Option<&[u8]>| match line {
        Some(line) => String::from_utf8_lossy(&line[..line.len().min(2000)]).into_owned(),
        None => "(the end)".to_string(),
    };
    let (mut left, mut right) = (expected.split(|b| *b == b'\n'), got.split(|b| *b == b'\n'));
    for number in 1.. {
        let (a, b) = (left.next(), right.next());
        if a != b {
            return format!(
                "standard output differs in line {number}\nexpected: {}\ngot:      {}\n",
                show(a),
                show(b)
            );
        }
    }
    String::new()
}

/// How a call went.
pub struct Output {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// The exit status; 128 + N for the signal N.
    pub code: i32,
}

impl Output {
    /// Standard output as text.
    #[track_caller]
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    /// The lines of standard output.
    #[track_caller]
    pub fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_string).collect()
    }

    /// The peak memory in bytes that [`Call::peak_to`] wrote to `file`.
    #[track_caller]
    pub fn peak(file: impl AsRef<Path>) -> u64 {
        let mut text = String::new();
        File::open(file).unwrap().read_to_string(&mut text).unwrap();
        text.trim().parse::<u64>().unwrap() * 1024
    }
}

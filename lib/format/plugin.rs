//! Formats of others: a program `mc-format-NAME` in PATH, called as
//! `mc-format-NAME read PATH [OPTION...]` to print the records of PATH, and as
//! `mc-format-NAME write PATH [OPTION...]` to make PATH, which is not there yet, of the records on
//! its standard input. With the option `parts=BYTES` it may tell parts that can be read apart
//! ([`foreign_parts`](super::foreign_parts)).
//!
//! It has exited with 0 or what it did counts for nothing. A write goes to a path of the same name
//! in a temporary directory beside, and is published when all is well: so a program that sees its
//! input end early has spoiled nothing. What it says on standard error is passed on line by line.
//!
//! Its end is when it has exited: a process that it left behind and that holds its output open (a
//! daemon) has a short grace, and is not waited for any longer.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::ledger::Ledger;
use super::place::ResourcePlace;
use super::rename::{Rename, Way};
use super::replaced::{follow, may_replace, resemble};
use super::resource::Resource;
use super::spec::BUILT_IN;
use super::whole_tree::WholeTree;
use super::{ReadOptions, Sink, Source, Warn, WriteOptions, ndjson};
use crate::error::{Error, ErrorKind, Result};
use crate::record::nearest::did_you_mean;
use crate::record::stream::Input;

/// The format whose program is one of ours, and how it is had: it is not part of a plain build.
const OURS: &str = "parquet";
const MADE_BY: &str = "scripts/install --parquet, or cargo install --path . --features parquet";

/// The longest line of a program's standard error that is passed on whole.
const MOST_LINE_BYTES: u64 = 4096;

/// How long what a program left behind may keep its output open.
const OUTPUT_GRACE: Duration = Duration::from_secs(2);

/// How often it is asked whether a program has ended, at the least.
const TICK: Duration = Duration::from_millis(100);

/// A program at work. Dropped before its end, it is killed.
pub(super) struct Program {
    pub(super) name: String,
    child: Child,
    /// Hears of the end of its standard error.
    silence: Option<Receiver<()>>,
    /// When its output is not waited for any more, once it has ended.
    give_up: Option<Instant>,
    next_look: Instant,
}

impl Program {
    /// Starts `mc-format-NAME VERB PATH [OPTION...]`.
    pub(super) fn start(
        resource: &Resource,
        verb: &str,
        path: &PathBuf,
        warn: &Warn,
    ) -> Result<Program> {
        let name = format!("mc-format-{}", resource.spec.name());
        let mut command = Command::new(&name);
        command.arg(verb).arg(path).args(resource.spec.clone().rest());
        match verb {
            "read" => command.stdin(Stdio::null()).stdout(Stdio::piped()),
            _ => command.stdin(Stdio::piped()).stdout(Stdio::null()),
        };
        let mut child = command.stderr(Stdio::piped()).spawn().map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => missing(resource.spec.name()),
            _ => Error::io("run", &name, &e),
        })?;
        let silence = child.stderr.take().map(|pipe| pass_lines(pipe, &name, warn));
        let silence = silence.transpose();
        let next_look = Instant::now() + TICK;
        let mut program = Program { name, child, silence: None, give_up: None, next_look };
        program.silence = silence?;
        Ok(program)
    }

    /// Reads what it prints, at least a byte unless it has ended and prints nothing more.
    pub(super) fn read(&mut self, buffer: &mut [u8], warn: &Warn) -> io::Result<usize> {
        loop {
            let Some(stdout) = &mut self.child.stdout else { return Ok(0) };
            let mut polled = [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)];
            let wait = PollTimeout::try_from(TICK).unwrap_or(PollTimeout::ZERO);
            match poll(&mut polled, wait) {
                Ok(0) | Err(Errno::EINTR) => (),
                Ok(_) => match stdout.read(buffer) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => (),
                    result => return result,
                },
                Err(e) => return Err(e.into()),
            }
            if self.is_given_up()? {
                let name = &self.name;
                warn(&format!(
                    "{name} has ended; what it left behind keeps its output open, and is not waited for"
                ));
                self.child.stdout = None;
            }
        }
    }

    /// Whether it has ended, and its output did not for so long that it is not waited for.
    fn is_given_up(&mut self) -> io::Result<bool> {
        let now = Instant::now();
        if self.give_up.is_none() && now >= self.next_look {
            self.next_look = now + TICK;
            self.give_up = self.child.try_wait()?.map(|_| now + OUTPUT_GRACE);
        }
        Ok(self.give_up.is_some_and(|at| now >= at))
    }

    /// Waits for its end, which has to be a good one.
    pub(super) fn finish(&mut self) -> Result<()> {
        let failed = |e: io::Error| Error::io("wait for", &self.name, &e);
        let status = self.child.wait().map_err(failed)?;
        if let Some(silence) = self.silence.take() {
            let give_up = self.give_up.unwrap_or_else(|| Instant::now() + OUTPUT_GRACE);
            // Lines for people may be lost, nothing else.
            let _ = silence.recv_timeout(give_up.saturating_duration_since(Instant::now()));
        }
        if status.success() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Command, format!("{}: {}", self.name, words(status))))
    }
}

/// There is no program of a format.
fn missing(format: &str) -> Error {
    if format == OURS {
        return Error::usage(format!(
            "the program for Parquet, mc-format-parquet, is not in PATH; mycloud's source makes it by: {MADE_BY}"
        ));
    }
    Error::usage(format!(
        "no format {format}: there are {BUILT_IN}, and no program mc-format-{format} is in PATH{}; a path with ':' \
         is written ./{format}:...",
        did_you_mean(format, BUILT_IN.split(", "))
    ))
}

impl Drop for Program {
    fn drop(&mut self) {
        // Killed before its input ends, so that it cannot take the end for the whole.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended badly".to_string(),
    }
}

/// Passes a program's standard error on by lines; what comes back hears of its end.
fn pass_lines(pipe: ChildStderr, name: &str, warn: &Warn) -> Result<Receiver<()>> {
    let (name, warn) = (name.to_string(), Warn::clone(warn));
    let (ended, silence) = channel();
    let body = move || {
        // Whoever listens hears when this goes.
        let _ended: Sender<()> = ended;
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.by_ref().take(MOST_LINE_BYTES).read_until(b'\n', &mut line).is_ok_and(|n| n > 0)
        {
            warn(&format!("{name}: {}", String::from_utf8_lossy(&line).trim_end()));
            line.clear();
        }
    };
    thread::Builder::new().spawn(body).map_err(|e| Error::io("start", "a thread", &e))?;
    Ok(silence)
}

/// The records that a program prints.
pub struct PluginReader {
    records: ndjson::NdjsonReader<Printed>,
}

impl PluginReader {
    /// Starts the program of the resource's format.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(resource: &Resource, options: &ReadOptions) -> Result<PluginReader> {
        let path = path_of(resource)?;
        let program = Program::start(resource, "read", path, &options.warn)?;
        let name = format!("{} {}", program.name, path.display());
        let printed = Printed { name, program, warn: Warn::clone(&options.warn) };
        Ok(PluginReader { records: ndjson::NdjsonReader::new(printed, options) })
    }
}

impl Source for PluginReader {
    fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        self.records.fill(out)
    }
}

/// What a program prints; its end is a good one only if the program's is.
struct Printed {
    program: Program,
    name: String,
    warn: Warn,
}

impl Input for Printed {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let failed = |e: io::Error| Error::io("read", &self.name, &e);
        let got = self.program.read(buffer, &self.warn).map_err(failed)?;
        if got == 0 {
            self.program.finish()?;
        }
        Ok(got)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Records that a program makes a file or a directory of.
pub struct PluginWriter {
    program: Program,
    /// A temporary directory; the program makes something of the right name in it.
    tree: WholeTree,
    path: PathBuf,
    replace: bool,
    ended: bool,
    ledger: Ledger,
}

/// Where the output that a resource names goes, and its name there.
fn output(resource: &Resource, replace: bool) -> Result<(PathBuf, PathBuf)> {
    let path = path_of(resource)?;
    let path = follow(path).map_err(|e| Error::path("write", path, &e))?;
    if path.is_dir() && !replace {
        let why = "exists already; --replace puts the new one in its place";
        return Err(Error::usage(format!("{} {why}", path.display())));
    }
    let Some(name) = path.file_name().map(PathBuf::from) else {
        return Err(Error::usage(format!("{} names no file", path.display())));
    };
    may_replace(&path).map_err(|e| Error::path("write", &path, &e))?;
    Ok((path, name))
}

/// Checks, where nothing is to run, that the output that `resource` names may be written; whether its
/// program is there is not known before it is started.
///
/// # Errors
/// As [`PluginWriter::create`].
pub fn check(resource: &Resource, options: &WriteOptions) -> Result<()> {
    output(resource, options.replace).map(drop)
}

impl PluginWriter {
    /// Starts the program of the resource's format.
    ///
    /// # Errors
    /// When there is none, or its output may not be replaced.
    pub fn create(resource: &Resource, options: &WriteOptions) -> Result<PluginWriter> {
        let (path, name) = output(resource, options.replace)?;
        let (replace, ledger) = (options.replace, options.ledger.clone());
        let tree = WholeTree::never(&path, &ledger)?;
        let program =
            Program::start(resource, "write", &tree.directory().join(name), &options.warn)?;
        Ok(PluginWriter { program, tree, path, replace, ended: false, ledger })
    }
}

impl Sink for PluginWriter {
    fn write(&mut self, records: &[u8]) -> Result<()> {
        let Some(stdin) = &mut self.program.child.stdin else { return Ok(()) };
        match stdin.write_all(records) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                // It reads no more: then it says why, or has not done what it should.
                self.program.child.stdin = None;
                self.program.finish()?;
                let why = "it ended before it had read all records";
                Err(Error::new(ErrorKind::Command, format!("{}: {why}", self.program.name)))
            }
            result => result.map_err(|e| Error::io("write to", &self.program.name, &e)),
        }
    }

    fn prepare(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        self.program.child.stdin = None;
        self.program.finish()?;
        self.tree.sync()
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.prepare()?;
        let failed = |e: io::Error| Error::path("write", &self.path, &e);
        let made = self.tree.directory().join(self.path.file_name().unwrap_or_default());
        if !fs::symlink_metadata(&made).is_ok_and(|about| about.is_file() || about.is_dir()) {
            let name = &self.program.name;
            let why = format!("{name} made no {}", self.path.display());
            return Err(Error::new(ErrorKind::Command, why));
        }
        // Of a directory that was there before, the temporary one takes the place and goes.
        let way = match made.is_dir() || self.path.is_dir() {
            true if self.replace && self.path.exists() => Way::Exchange,
            true => Way::New,
            false => Way::Replace,
        };
        may_replace(&self.path).map_err(failed)?;
        let file = fs::File::open(&made).map_err(failed)?;
        resemble(&file, &self.path).map_err(failed)?;
        let rename = Rename::new(made, self.path.clone(), way).map_err(failed)?;
        let PluginWriter { tree, ledger, .. } = *self;
        ledger.publish(rename, Some(Box::new(tree)))
    }
}

fn path_of(resource: &Resource) -> Result<&PathBuf> {
    match &resource.place {
        ResourcePlace::Path(path) => Ok(path),
        place => {
            let name = resource.spec.name();
            Err(Error::usage(format!("{name}:{place}: this format needs a path")))
        }
    }
}

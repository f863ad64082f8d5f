//! One run of a tool: its standard streams, its messages, and what it was told about both.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::cli::ledger::Names;
use crate::cli::{Stdout, guard, message, process};
use crate::error::{Error, Result};
use crate::format::ledger::Ledger;
use crate::run::pipe::PipeInput;
use crate::run::registry::{self, Registry};
use crate::run::runtime_dir;

/// One run of a tool.
#[derive(Debug)]
pub struct Session {
    tool: &'static str,
    verbose: u8,
    stdout: Stdout,
    stdin_taken: bool,
    names: Option<Arc<Names>>,
}

impl Session {
    /// Begins: from here on the reader of standard output knows that `tool` writes it.
    pub(super) fn new(tool: &'static str) -> Session {
        let directory = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        registry::install(Registry::new(runtime_dir::candidates(directory)));
        Session { tool, verbose: 0, stdout: Stdout::new(tool), stdin_taken: false, names: None }
    }

    pub(super) fn set_verbose(&mut self, verbose: u8) {
        self.verbose = verbose;
    }

    /// The name of the tool.
    pub fn tool(&self) -> &'static str {
        self.tool
    }

    /// How often `-v` was said.
    pub fn verbose(&self) -> u8 {
        self.verbose
    }

    /// Says `tool: text` on standard error.
    pub fn warn(&self, text: &str) {
        message::say(self.tool, text);
    }

    /// Says whole lines that are printable and have the tool's name in front already.
    pub fn pass_on(&self, lines: &str) {
        message::pass_on(lines);
    }

    /// Standard input, once.
    ///
    /// # Errors
    /// `Usage` when it is closed, cannot be read, or was taken before.
    pub fn stdin(&mut self) -> Result<PipeInput> {
        const NAME: &str = "standard input";
        if std::mem::replace(&mut self.stdin_taken, true) {
            return Err(Error::usage("standard input can be read only once"));
        }
        if process::closed_at_start(0) {
            return Err(Error::usage("standard input is closed"));
        }
        let stdin = std::io::stdin();
        let flags = fcntl(&stdin, FcntlArg::F_GETFL).map(OFlag::from_bits_truncate);
        if flags.is_ok_and(|flags| flags & OFlag::O_ACCMODE == OFlag::O_WRONLY) {
            return Err(Error::usage("standard input is open for writing only"));
        }
        let copy = stdin.as_fd().try_clone_to_owned();
        let file = File::from(copy.map_err(|e| Error::io("read", NAME, &e))?);
        if file.metadata().is_ok_and(|found| found.is_dir()) {
            return Err(Error::usage("standard input is a directory"));
        }
        Ok(PipeInput::new(file, NAME))
    }

    /// Standard output. It is flushed at the end, and what fails then fails the tool.
    pub fn stdout(&mut self) -> Stdout {
        self.stdout.clone()
    }

    /// Puts this process under a guard, which ends the processes and removes the temporary names
    /// that the tool leaves behind, even when it is killed. To be called right after the options
    /// are read, before anything else is begun: the work goes on in a child process.
    ///
    /// # Errors
    /// When there is no process left for it, or when it is too late.
    pub fn guard(&mut self) -> Result<()> {
        if self.names.is_none() {
            self.names = Some(guard::guard()?);
        }
        Ok(())
    }

    /// Takes note of temporary names, for the guard to remove; of nothing, where there is none.
    pub fn ledger(&self) -> Ledger {
        match &self.names {
            Some(names) => Ledger::new(names.clone()),
            None => Ledger::none(),
        }
    }

    /// Writes what standard output holds back.
    pub(super) fn finish_stdout(&self) -> Result<()> {
        self.stdout.finish()
    }

    /// Ends: the reader of standard output learns how.
    pub(super) fn end_stdout(&self, status: u8) {
        self.stdout.end(status);
    }
}

//! Standard input: a [`PipeInput`] that is metered.

use std::fs::File;
use std::os::fd::AsFd;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::cli::process;
use crate::cli::progress::Progress;
use crate::error::{Error, Result};
use crate::pipe::meter;
use crate::pipe::pipe_input::PipeInput;
use crate::record::stream::{Facts, Input};

/// The name of the stream in messages.
const NAME: &str = "standard input";

/// Standard input.
#[derive(Debug)]
pub struct Stdin {
    input: PipeInput,
}

impl Stdin {
    /// The stream of this process; from a terminal, `progress` is not shown.
    ///
    /// # Errors
    /// `Usage` when it is closed or cannot be read.
    pub(super) fn open(progress: &Progress) -> Result<Stdin> {
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
        // Whoever types sees how far that is.
        if nix::unistd::isatty(&file).unwrap_or(false) {
            progress.silence();
        }
        Ok(Stdin { input: PipeInput::new(file, NAME) })
    }
}

impl Input for Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let got = Input::read(&mut self.input, buffer)?;
        if !buffer.is_empty() {
            meter::of_process().read_input(&buffer[..got]);
        }
        Ok(got)
    }

    fn name(&self) -> &str {
        self.input.name()
    }

    fn is_ready(&self) -> bool {
        self.input.is_ready()
    }

    fn facts(&mut self) -> Option<Facts> {
        self.input.facts()
    }

    fn promised(&mut self) -> Option<Facts> {
        self.input.promised()
    }
}

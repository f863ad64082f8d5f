//! The worker's process: its guard, its streams, and what it says when it fails. What it does is
//! `worker::serve`'s. Under the name of a tool it is that tool.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::cli::called::{self, Called};
use crate::cli::ledger::Stores;
use crate::cli::{guard, memory, message, process};
use crate::error::{Error, Result};
use crate::format::ledger::Ledger;
use crate::worker::serve::{Surroundings, serve};

/// The name in messages.
const TOOL: &str = "mc-worker";

/// The share of the memory that is used, where the tool does not say.
const MEMORY_SHARE: u64 = 4;

/// How long after the one stream of a tool that has gone the other one is closed, at most.
const GONE_WAIT: Duration = Duration::from_secs(1);

/// Serves the tool at the other end of standard input and output, where the program is not called by
/// the name of one of `tools`, or of `others`, which commands on hosts do not get. The argument, where
/// there is one, is the directory for its files.
pub fn run(tools: &[Called], others: &[Called]) -> ExitCode {
    if let Some(tool) = called::find(tools.iter().chain(others)) {
        return tool();
    }
    process::listen_to_signals();
    message::hook_panics(TOOL);
    let result = work(tools);
    if let Err(error) = &result {
        message::say(TOOL, &error.to_string());
    }
    guard::await_cleaning();
    result.map_or_else(|error| ExitCode::from(error.exit_code()), |()| ExitCode::SUCCESS)
}

fn work(tools: &[Called]) -> Result<()> {
    let mut words = std::env::args_os().skip(1);
    let base = words.next();
    if let Some(word) =
        words.next().or(base.clone().filter(|b| b.as_encoded_bytes().starts_with(b"-")))
    {
        let word = word.display();
        return Err(Error::usage(format!("'{word}': this program is started by the other tools")));
    }
    if process::closed_at_start(0) || process::closed_at_start(1) {
        return Err(Error::usage("standard input or output is closed"));
    }
    let names = guard::guard(Stores(None))?;
    let stream = |fd: &dyn AsFd| {
        let copy = fd.as_fd().try_clone_to_owned();
        copy.map(File::from).map_err(|e| Error::io("use", "standard input and output", &e))
    };
    let (input, output) = (stream(&std::io::stdin())?, stream(&std::io::stdout())?);
    // What a command inherits by mistake must not be our streams.
    let null = File::options().read(true).write(true).open("/dev/null");
    let null = null.map_err(|e| Error::io("open", "/dev/null", &e))?;
    let to_tool = stream(&output)?;
    let _ = (nix::unistd::dup2_stdin(&null), nix::unistd::dup2_stdout(&null));
    let served = serve(Surroundings {
        input,
        output,
        base: base.map(PathBuf::from),
        home: std::env::var_os("HOME").map(PathBuf::from),
        runtime: std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from),
        search_path: std::env::var_os("PATH"),
        ssh_connection: std::env::var("SSH_CONNECTION").ok(),
        program: std::env::current_exe().map_err(|e| Error::io("find", "this program", &e))?,
        tools: tools.iter().map(|(name, _)| *name).collect(),
        memory: memory::allowed() / MEMORY_SHARE,
        ledger: Ledger::new(Arc::clone(&names) as _),
    });
    // However it was torn off, there is nobody to be told.
    if served.is_err() && has_gone(&to_tool) { Ok(()) } else { served }
}

/// Whether the tool has gone that `output` leads to; waits for that a moment.
fn has_gone(output: &File) -> bool {
    let mut fds = [PollFd::new(output.as_fd(), PollFlags::empty())];
    let wait = PollTimeout::try_from(GONE_WAIT).unwrap_or(PollTimeout::ZERO);
    poll(&mut fds, wait).is_ok() && fds[0].any() == Some(true)
}

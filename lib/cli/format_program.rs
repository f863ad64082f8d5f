//! The life of a program `mc-format-NAME` of ours: called as all of them are
//! (`mc-format-NAME read|write PATH [OPTION...]`), it speaks NDJSON on standard output or input.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use crate::cli::options::default_directory;
use crate::error::{Error, ErrorKind, Result};

/// How the records of a file are read: called with whole ones, on lines.
pub type ReadFormat = fn(&Path, &[String], &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>;

/// How a file is made of the records of an input; temporary files go to a directory.
pub type WriteFormat = fn(&Path, &[String], &mut dyn BufRead, &Path) -> Result<()>;

/// Room for calls: of a damaged file they may go down further than any sound one's columns.
const STACK_BYTES: usize = 256 << 20;

/// The exit status of a program that does not know what it is to do.
const USAGE: &str = "read PATH [OPTION...] | write PATH [OPTION...]";

/// Does what the command line says, and returns the exit code.
pub fn run(name: &str, read: ReadFormat, write: WriteFormat) -> ExitCode {
    // What a damaged file breaks is said as the file's damage, in one line.
    std::panic::set_hook(Box::new(|_| ()));
    let name = name.to_string();
    let thread = thread::Builder::new().stack_size(STACK_BYTES);
    let thread = thread.spawn(move || work(&name, read, write));
    let done = thread.map_err(|e| Error::io("start", "a thread", &e)).and_then(|thread| {
        let damaged = |_| Error::input("the file is damaged, or of a kind that is not known");
        thread.join().map_err(damaged)?
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == ErrorKind::StdoutClosed => ExitCode::from(error.exit_code()),
        Err(error) => {
            // Nobody is left to be told where this fails.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn work(name: &str, read: ReadFormat, write: WriteFormat) -> Result<()> {
    let mut words = std::env::args_os().skip(1);
    let usage = || Error::usage(format!("{name} {USAGE}"));
    let (verb, path) = (words.next().ok_or_else(usage)?, words.next().ok_or_else(usage)?);
    let text = |word: OsString| {
        word.into_string().map_err(|_| Error::usage("an option that is not UTF-8"))
    };
    let options = words.map(text).collect::<Result<Vec<String>>>()?;
    let path = PathBuf::from(path);
    match verb.to_str() {
        Some("read") => {
            let mut stdout = std::io::stdout().lock();
            read(&path, &options, &mut |records| {
                stdout.write_all(records).map_err(|e| match e.kind() {
                    std::io::ErrorKind::BrokenPipe => Error::new(ErrorKind::StdoutClosed, ""),
                    _ => Error::io("write", "standard output", &e),
                })
            })
        }
        Some("write") => {
            let mut stdin = BufReader::with_capacity(1 << 18, std::io::stdin().lock());
            write(&path, &options, &mut stdin, &default_directory())
        }
        _ => Err(usage()),
    }
}

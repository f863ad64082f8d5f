//! What becomes of the shards that a tool makes: their manifest goes to the next tool of the
//! pipeline, or into a file that keeps them; a terminal gets their records.

use std::fs::File;
use std::io::{PipeWriter, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::unistd::{AccessFlags, access};

use crate::cli::explaining;
use crate::cli::stdout::StdoutKind;
use crate::cli::{Session, Stdout};
use crate::dataset::manifest::run_of;
use crate::dataset::{RunId, claimed_name};
use crate::engine::consumer::Consumer;
use crate::engine::host_access::HostAccess;
use crate::engine::producer::Producer;
use crate::error::{Error, Result};
use crate::format::replaced::{follow, may_replace};
use crate::format::whole::WholeFile;
use crate::pipe::meter;
use crate::pipe::pipe_input::PipeInput;
use crate::record::stream::{Facts, Input, Output, Summary};

/// How much is written to a terminal at once.
const COPY_BYTES: usize = 64 * 1024;

/// That somebody could read the manifest: to be asked before anything is begun.
///
/// # Errors
/// `Usage` when nobody could.
pub fn check_output(session: &Session, keep: Option<&Path>) -> Result<()> {
    match keep {
        // Then it is for the plan.
        None if explaining::is_on() => Ok(()),
        None if session.stdout_sort() == StdoutKind::File => Err(Error::usage(
            "standard output is a file, and the shards would be gone before anybody reads it: say \
             -o FILE.mc to keep them, or | mc-gather",
        )),
        Some(path) if path == Path::new("-") => Err(Error::usage(
            "-o -: a dataset needs a file: say -o FILE.mc, or no -o and | mc-gather",
        )),
        Some(path) if path.extension().is_none_or(|extension| extension != "mc") => {
            let path = path.display();
            Err(Error::usage(format!(
                "-o {path}: what is kept of shards is their manifest: name it FILE.mc; for their \
                 records: | mc-gather -o {path}"
            )))
        }
        Some(path) if path.is_dir() => {
            Err(Error::usage(format!("{} is a directory", path.display())))
        }
        Some(path) => {
            let failed = |e: std::io::Error| Error::path("write", path, &e);
            may_replace(&follow(path).map_err(failed)?).map_err(failed)?;
            let directory = directory_of(path);
            access(directory, AccessFlags::W_OK | AccessFlags::X_OK)
                .map_err(|e| Error::path("write in", directory, &e.into()))
        }
        None => Ok(()),
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Calls `make`, which makes shards and writes their manifest, and sees to it that they find their
/// reader. `keep` is the file for the manifest of shards that are to be kept.
///
/// # Errors
/// What `make` says; `Incomplete` when nobody read the manifest.
pub fn publish(
    session: &Session,
    reach: &HostAccess,
    keep: Option<&Path>,
    make: impl FnOnce(&mut dyn Output) -> Result<(Summary, Producer)>,
) -> Result<Summary> {
    if let Some(path) = keep.filter(|_| reach.again.is_none()) {
        return keep_in(session, reach, path, make);
    }
    let mut stdout = session.stdout_handle();
    match session.stdout_sort() {
        StdoutKind::Terminal => gathered(reach, stdout, make),
        _ => {
            meter::of_process().writes_shards();
            let (summary, producer) = make(&mut stdout)?;
            session.close_stdout()?;
            producer.stay()?;
            Ok(summary)
        }
    }
}

/// Keeps the manifest in the file `path`, which appears whole, and only if no other tool has made a
/// manifest of that name meanwhile. What the one that is replaced stood for is removed then.
fn keep_in(
    session: &Session,
    reach: &HostAccess,
    path: &Path,
    make: impl FnOnce(&mut dyn Output) -> Result<(Summary, Producer)>,
) -> Result<Summary> {
    meter::of_process().writes_shards();
    let before = replaced(reach, path)?;
    let mut lines = Lines(Vec::new());
    let (summary, producer) = make(&mut lines)?;
    let written = WholeFile::create(path, &session.ledger()).and_then(|mut file| {
        file.file().write_all(&lines.0).map_err(|e| Error::path("write", path, &e))?;
        file.sync()?;
        producer.replaces(before);
        file.publish_by(|temporary, path| claimed_name::publish(temporary, path, before))
    });
    match written {
        Ok(()) => producer.published(before),
        Err(error) => {
            producer.forget();
            return Err(error);
        }
    }
    Ok(summary)
}

/// The run whose manifest is in the file `path`, where that is one: its data goes when another has
/// that name.
fn replaced(reach: &HostAccess, path: &Path) -> Result<Option<RunId>> {
    if !claimed_name::is_manifest(path) {
        return Ok(None);
    }
    let run = run_of(path)?;
    match reach.runs.load(run) {
        Ok(_) => Ok(Some(run)),
        // Written over, nobody could tell any more where its data lies.
        Err(error) => {
            let path = path.display();
            Err(error.hint(format!("{path} is not replaced, for its data would stay on hosts")))
        }
    }
}

/// Writes the records of the shards to `stdout`, a terminal, as they are made.
fn gathered(
    reach: &HostAccess,
    stdout: Stdout,
    make: impl FnOnce(&mut dyn Output) -> Result<(Summary, Producer)>,
) -> Result<Summary> {
    let (reader, writer) = std::io::pipe().map_err(|e| Error::io("make", "a pipe", &e))?;
    let input = PipeInput::new(File::from(OwnedFd::from(reader)), "the manifest");
    let reader = reach.clone();
    let show = move || show(&reader, input, stdout);
    let thread = std::thread::Builder::new().spawn(show);
    let thread = thread.map_err(|e| Error::io("start", "a thread", &e))?;
    let mut manifest = Manifest(writer);
    let made = make(&mut manifest);
    drop(manifest);
    let stayed = match made {
        Ok((summary, producer)) => producer.stay().map(|()| summary),
        Err(error) => Err(error),
    };
    let shown = thread.join().unwrap_or_else(|_| Err(Error::incomplete("internal error")));
    // What went wrong in the making tells more than the manifest that ended early for it.
    let summary = stayed?;
    shown.map(|()| summary)
}

fn show(reach: &HostAccess, input: PipeInput, mut stdout: Stdout) -> Result<()> {
    let mut records = Consumer::open(Box::new(input), reach)?.into_records("the shards".into())?;
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        match records.read(&mut buffer)? {
            0 => return stdout.flush(),
            count => stdout.write(&buffer[..count])?,
        }
    }
}

/// A manifest in memory.
struct Lines(Vec<u8>);

impl Output for Lines {
    fn declare(&mut self, _: &Facts) -> Result<()> {
        Ok(())
    }

    fn write(&mut self, lines: &[u8]) -> Result<()> {
        self.0.extend_from_slice(lines);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A manifest on its way through a pipe inside of this process.
struct Manifest(PipeWriter);

impl Output for Manifest {
    fn declare(&mut self, _: &Facts) -> Result<()> {
        Ok(())
    }

    fn write(&mut self, lines: &[u8]) -> Result<()> {
        self.0.write_all(lines).map_err(|e| Error::incomplete(format!("the reader has gone: {e}")))
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

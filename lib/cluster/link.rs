//! A link: the two streams of bytes between a tool and a worker that runs on a host, whatever
//! carries them.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cluster::{Host, StartWorker, WorkerBinary, road};
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::lock;

/// How long a worker on this machine may take to end when its link is cut.
const CUT_WAIT: Duration = Duration::from_secs(6);

/// How long the end of a worker on this machine is waited for, to say how it ended.
const WHY_WAIT: Duration = Duration::from_millis(300);

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// How hosts are reached.
#[derive(Clone)]
pub struct Settings {
    /// The worker to send.
    pub worker: Arc<WorkerBinary>,
    /// The road that this program has beside the ssh program, where it has one.
    pub library: Option<StartWorker>,
    /// The words of the ssh program to use for every host (`--ssh`), where one is forced.
    pub ssh: Option<Vec<OsString>>,
    /// The file of ssh's configuration (`ssh -F`), where it is not the user's usual one.
    pub ssh_config: Option<PathBuf>,
    /// What a worker on this machine has in its environment, as a login has on a host: names and
    /// values.
    pub environment: Vec<(OsString, OsString)>,
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// The socket of the user's ssh agent.
    pub agent: Option<PathBuf>,
    /// Takes whole lines for standard error, printable, without the tool's name in front.
    pub say: Arc<dyn Fn(&str) + Send + Sync>,
    /// Takes what is worth saying only under `-v`, likewise.
    pub explain: Arc<dyn Fn(&str) + Send + Sync>,
}

/// A worker's standard input and output, and what carries them.
pub struct Link {
    /// What is written here, the worker reads; blocking. Closed, it is the end of what it reads.
    pub to: OwnedFd,
    /// What the worker writes, is read here; blocking.
    pub from: OwnedFd,
    /// What carries the streams.
    pub end: Arc<dyn Carrier>,
}

/// What carries a link's streams, to cut it and to ask why it broke.
pub trait Carrier: Send + Sync {
    /// Cuts the link: writes fail and reads end soon after. More than one may call it.
    fn cut(&self);

    /// Why the link broke, in words, where it is known: to be asked after the streams have ended.
    fn why(&self) -> Option<String>;

    /// What carries them, in a word.
    fn road(&self) -> &'static str {
        "ssh"
    }

    /// Whether they go over a network.
    fn is_far(&self) -> bool {
        true
    }
}

/// Starts a worker on `host`.
///
/// # Errors
/// `Hosts` when the host cannot be reached or offers no place for the worker, `Usage` for a
/// configuration that cannot work.
pub fn connect(host: &Host, settings: &Settings) -> Result<Link> {
    if host.is_local() {
        return local(settings);
    }
    road::connect(host, settings)
}

/// A worker on this machine.
fn local(settings: &Settings) -> Result<Link> {
    let mut command = Command::new(settings.worker.path());
    command.env_clear().envs(settings.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let failed = |e: std::io::Error| Error::path("run", settings.worker.path(), &e);
    let mut child = command.spawn().map_err(failed)?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(to), Some(from)) => {
            let end = Arc::new(Local(Mutex::new(child)));
            Ok(Link { to: to.into(), from: from.into(), end })
        }
        _ => Err(Error::new(ErrorKind::Hosts, "the worker has no streams")),
    }
}

/// A worker that is a child of ours.
struct Local(Mutex<Child>);

impl Local {
    /// How the worker ended, if it has or does within `wait`.
    fn ended(&self, wait: Duration) -> Option<ExitStatus> {
        let begin = Instant::now();
        loop {
            let mut child = lock(&self.0);
            match child.try_wait() {
                Ok(None) if begin.elapsed() < wait => drop(child),
                result => return result.ok().flatten(),
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Carrier for Local {
    /// Asks it to end, which takes it as long as the commands take that it ends, and kills it when
    /// it does not.
    fn cut(&self) {
        if self.ended(Duration::ZERO).is_some() {
            return;
        }
        let child = lock(&self.0);
        let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM);
        drop(child);
        if self.ended(CUT_WAIT).is_none() {
            let mut child = lock(&self.0);
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn why(&self) -> Option<String> {
        let status = self.ended(WHY_WAIT)?;
        Some(status).filter(|status| !status.success()).map(|status| status.to_string())
    }

    fn road(&self) -> &'static str {
        "local"
    }

    fn is_far(&self) -> bool {
        false
    }
}

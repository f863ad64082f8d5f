//! The user's own `ssh` program as what carries a link: whatever its configuration means.
//!
//! The remote command is always `/bin/sh`, the same words in every login shell; all else goes
//! through its standard input.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::cluster::bootstrap::{self, ANSWER_MAX, BootstrapFailure};
use crate::cluster::complaints::Complaints;
use crate::cluster::patience::Patience;
use crate::cluster::ssh_failure::{SshFailure, meaning};
use crate::cluster::{Carrier, Host, Link, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::lock;

/// What the user's configuration must not change: nothing is asked, nothing else is started, and
/// what is not known is refused. Errors are said, so that they can be told apart.
const OPTIONS: &[&str] = &[
    "BatchMode=yes",
    "ClearAllForwardings=yes",
    "ConnectTimeout=10",
    "ControlMaster=no",
    "ControlPath=none",
    "ForwardAgent=no",
    "ForwardX11=no",
    "LogLevel=ERROR",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
    "ServerAliveCountMax=2",
    "ServerAliveInterval=5",
    "StrictHostKeyChecking=yes",
];

/// The exit status of ssh where it failed itself; any other is that of the shell on the host.
const OWN_FAILURE: i32 = 255;

/// How long a program that has closed its streams may take to exit.
const EXIT_MAX: Duration = Duration::from_secs(1);

/// Starts a worker on `host` through the ssh program, which is told `more` options.
///
/// # Errors
/// As [`crate::cluster::connect`].
pub(super) fn connect(host: &Host, settings: &Settings, more: &[&str]) -> Result<Link> {
    let mut patience = Patience::new();
    loop {
        match attempt(host, settings, more)? {
            Ok(link) => return Ok(link),
            Err(SshFailure::Final(error)) => return Err(error),
            Err(SshFailure::Again(error)) => {
                if !patience.wait() {
                    return Err(error);
                }
                (settings.explain)(&format!("{error}; tries again"));
            }
        }
    }
}

fn attempt(
    host: &Host,
    settings: &Settings,
    more: &[&str],
) -> Result<std::result::Result<Link, SshFailure>> {
    let (program, to, from) = spawn(host, settings, more)?;
    let failure = match bootstrap::start(&to, &from, host, settings) {
        Ok(()) => {
            program.complaints.aloud();
            return Ok(Ok(Link { to, from, end: Arc::new(program) }));
        }
        Err(failure) => failure,
    };
    drop((to, from));
    let refusal = match failure {
        BootstrapFailure::Final(error) => SshFailure::Final(error),
        BootstrapFailure::Ended(printed) => {
            let status = program.finish().and_then(|status| status.code());
            let lines = program.complaints.last();
            let by_itself = status.is_some_and(|code| code != OWN_FAILURE);
            meaning(host, &typed(host, settings), &lines, &printed, by_itself)
        }
        BootstrapFailure::Silent(printed) => {
            let mut lines = program.complaints.last();
            lines.extend(Some(printed).filter(|printed| !printed.is_empty()));
            let said = lines.last().map(|line| format!("; it said: {line}")).unwrap_or_default();
            let text = format!("{host}: no answer within {} s{said}", ANSWER_MAX.as_secs());
            SshFailure::Final(Error::new(ErrorKind::Hosts, text))
        }
    };
    Ok(Err(refusal))
}

fn spawn(host: &Host, settings: &Settings, more: &[&str]) -> Result<(Program, OwnedFd, OwnedFd)> {
    let (name, words) = match settings.ssh.as_deref() {
        Some([name, words @ ..]) => (name.clone(), words),
        _ => (OsString::from("ssh"), &[][..]),
    };
    let mut command = Command::new(&name);
    command.args(words).arg("-T");
    command.args(OPTIONS.iter().chain(more).flat_map(|option| ["-o", option]));
    command.args(whereto(host, settings)).arg("/bin/sh");
    // An ssh of a jump host does not hear of BatchMode: it asks this program, which knows nothing.
    command.env("SSH_ASKPASS", "/bin/false").env("SSH_ASKPASS_REQUIRE", "force");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let failed = |e: io::Error| Error::io("run", name.display(), &e).at(host);
    let mut child = command.spawn().map_err(failed)?;
    let (Some(to), Some(from), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Error::new(ErrorKind::Hosts, format!("{host}: ssh has no streams")));
    };
    let complaints = Complaints::new(host.to_string(), settings);
    let drained = {
        let complaints = Arc::clone(&complaints);
        let drained = thread::Builder::new().spawn(move || complaints.drain(stderr));
        drained.map_err(|e| {
            let (_, _) = (child.kill(), child.wait());
            Error::io("start", "a thread", &e).at(host)
        })?
    };
    let program = Program { child: Mutex::new(child), complaints, drained };
    Ok((program, to.into(), from.into()))
}

/// The words by which ssh is told of a host: nothing in them can be taken for an option.
pub(super) fn whereto(host: &Host, settings: &Settings) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    if let Some(file) = &settings.ssh_config {
        words.extend(["-F".into(), file.into()]);
    }
    if let Some(port) = host.port {
        words.extend(["-p".into(), port.to_string().into()]);
    }
    if let Some(user) = &host.user {
        words.extend(["-l".into(), user.into()]);
    }
    words.extend(["--".into(), host.name.clone().into()]);
    words
}

/// What the user would type to log in there.
pub(super) fn typed(host: &Host, settings: &Settings) -> String {
    let words = whereto(host, settings);
    let words = words.iter().filter(|word| *word != "--").map(|word| word.to_string_lossy());
    format!("ssh {}", words.collect::<Vec<_>>().join(" "))
}

/// A running ssh program.
struct Program {
    child: Mutex<Child>,
    complaints: Arc<Complaints>,
    /// The thread that reads its standard error.
    drained: thread::JoinHandle<()>,
}

impl Program {
    fn child(&self) -> MutexGuard<'_, Child> {
        lock(&self.child)
    }

    /// Waits a moment for its end and for its last words.
    fn finish(&self) -> Option<std::process::ExitStatus> {
        let deadline = Instant::now() + EXIT_MAX;
        loop {
            let status = self.child().try_wait().ok().flatten();
            let heard = status.is_some() && self.drained.is_finished();
            if heard || Instant::now() >= deadline {
                return status;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Carrier for Program {
    fn cut(&self) {
        self.complaints.hush();
        let mut child = self.child();
        let _ = child.kill();
        let _ = child.wait();
    }

    fn why(&self) -> Option<String> {
        let status = self.finish();
        if let Some(line) = self.complaints.last().pop() {
            return Some(line);
        }
        // A signal is our own cut.
        let code = status.and_then(|status| status.code()).filter(|code| *code != 0)?;
        let early = self.complaints.early().map(|line| format!("; earlier: {line}"));
        Some(format!("it ended with exit status {code}{}", early.unwrap_or_default()))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.cut();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::WorkerBinary;

    #[test]
    fn a_name_is_no_option_whatever_it_is() {
        let settings = Settings {
            worker: Arc::new(WorkerBinary::new("/nowhere".into())),
            library: None,
            ssh: None,
            ssh_config: Some("/c".into()),
            environment: Vec::new(),
            home: None,
            agent: None,
            say: Arc::new(|_| ()),
            explain: Arc::new(|_| ()),
        };
        // As it cannot be told by a word of a user's, which is looked at first.
        let (name, user) = ("-oProxyCommand=x".to_string(), Some("-oB".to_string()));
        let host = Host { name, user, port: Some(22), ..Host::local() };
        let words = ["-F", "/c", "-p", "22", "-l", "-oB", "--", "-oProxyCommand=x"];
        assert_eq!(whereto(&host, &settings), words.map(OsString::from));
    }
}

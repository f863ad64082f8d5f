//! How a shell on a host becomes the worker: a constant script finds the worker there by its hash,
//! or takes it from the same stream, and runs it.
//!
//! It needs two streams to a `/bin/sh`, whatever carries them; why those ended is for the carrier
//! to say. What the worker says is not its business.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cluster::dialogue::{Broken, Dialogue};
use crate::cluster::worker_binary::{Measured, WorkerBinary};
use crate::cluster::{Host, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::record::digest::hex_of;
use crate::record::harmless::harmless;

/// What a shell is told, behind the line that sets its variables.
const SCRIPT: &str = include_str!("bootstrap.sh");

/// The system that the worker of this machine runs on, as `uname -sm` names it. Of another machine, a
/// host is sent the worker that was made for it.
const SYSTEM: &str = if cfg!(target_arch = "aarch64") { "Linux aarch64" } else { "Linux x86_64" };

/// How the name of a system begins that some worker can run on.
const LINUX: &str = "Linux ";

/// How long a host may take to reach the shell and answer.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(15);

/// How long a host may take to receive the worker, however slow the line.
const COPY_MAX: Duration = Duration::from_secs(120);

/// The longest name of a machine, in bytes.
const MACHINE_MAX: usize = 32;

/// How much of the worker is sent at once.
const BLOCK_BYTES: usize = 64 * 1024;

/// How many bytes a login may print before its shell answers.
const NOISE_BYTES: usize = 64 * 1024;

/// Why there is no worker on a host.
pub(super) enum BootstrapFailure {
    /// The streams ended; with the first bytes that came before, printable.
    Ended(String),
    /// The streams live but nothing comes; likewise.
    Silent(String),
    /// It will not work, for this reason.
    Final(Error),
}

/// Makes the shell behind two streams the worker of `settings`. When it returns, the worker reads what
/// is written to `to`, and the first byte of `from` is its first.
///
/// # Errors
/// [`BootstrapFailure`]; the streams are of no use then.
pub(super) fn start(
    to: &impl AsFd,
    from: &impl AsFd,
    host: &Host,
    settings: &Settings,
) -> std::result::Result<(), BootstrapFailure> {
    let dialogue = Dialogue::new(to, from, ANSWER_MAX);
    converse(dialogue, SCRIPT, host, settings)
}

fn converse(
    mut dialogue: Dialogue<'_>,
    script: &str,
    host: &Host,
    settings: &Settings,
) -> std::result::Result<(), BootstrapFailure> {
    let mut worker = Arc::clone(&settings.worker);
    let mut measured = worker.measured().map_err(BootstrapFailure::Final)?;
    let nonce = nonce().map_err(BootstrapFailure::Final)?;
    let text = variables(&nonce, &measured) + script;
    match dialogue.say(text.as_bytes()) {
        // It does not listen; what it says instead is still to be heard.
        Ok(()) | Err(Broken::Ended) => {}
        Err(other) => return Err(broken(other, &dialogue)),
    }
    let mark = nonce.concat();
    let (count, noise) = match dialogue.skip_to(mark.as_bytes(), NOISE_BYTES) {
        Ok(skipped) => skipped,
        Err(Broken::TooMuch) => {
            return Err(BootstrapFailure::Final(no_shell(host, dialogue.heard())));
        }
        Err(other) => return Err(broken(other, &dialogue)),
    };
    if count > 0 {
        let noise = harmless(&noise);
        (settings.explain)(&format!("{host}: its login printed {count} bytes, skipped: {noise}"));
    }
    let system = dialogue.line().map_err(|b| broken(b, &dialogue))?;
    let (mut is_other, begun) = (false, Instant::now());
    loop {
        let line = dialogue.line().map_err(|b| broken(b, &dialogue))?;
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("ready", _) => return Ok(()),
            // Another tool sends it there, and has as long for it.
            ("wait", _) => {
                dialogue.extend(COPY_MAX.saturating_sub(begun.elapsed()).min(ANSWER_MAX))
            }
            ("send", place) => {
                let (bytes, place) = (measured.bytes, harmless(place.as_bytes()));
                (settings.explain)(&format!("{host}: sends the worker ({bytes} bytes) to {place}"));
                dialogue.extend(COPY_MAX);
                send(&worker, bytes, &mut dialogue)?;
            }
            ("other", _) if !is_other => {
                is_other = true;
                worker = made_for(system.trim(), host, &settings.worker)
                    .map_err(BootstrapFailure::Final)?;
                measured = worker.measured().map_err(BootstrapFailure::Final)?;
                let told = format!("{} {}\n", measured.sha256, measured.bytes);
                dialogue.say(told.as_bytes()).map_err(|b| broken(b, &dialogue))?;
            }
            ("none", why) => {
                return Err(BootstrapFailure::Final(Error::refusal(no_place(host, why))));
            }
            ("full", why) => {
                return Err(BootstrapFailure::Final(Error::new(
                    ErrorKind::Storage,
                    no_place(host, why),
                )));
            }
            (_, why) => {
                let why = harmless(why.as_bytes());
                let text = format!("{host}: the worker cannot be copied there: {why}");
                return Err(BootstrapFailure::Final(Error::new(ErrorKind::Hosts, text)));
            }
        }
    }
}

/// The line that sets the script's variables: hexadecimal digits and words of ours only.
fn variables([left, right]: &[String; 2], measured: &Measured) -> String {
    let (hash, size) = (&measured.sha256, measured.bytes);
    format!("mc_left={left} mc_right={right} mc_system='{SYSTEM}' mc_hash={hash} mc_size={size}\n")
}

/// A fresh mark, in two halves: whoever echoes the script does not print it.
fn nonce() -> Result<[String; 2]> {
    let path = Path::new("/dev/urandom");
    let mut bytes = [0; 16];
    let mut file = File::open(path).map_err(|e| Error::path("open", path, &e))?;
    file.read_exact(&mut bytes).map_err(|e| Error::path("read", path, &e))?;
    Ok([hex_of(&bytes[..8]), hex_of(&bytes[8..])])
}

fn broken(broken: Broken, dialogue: &Dialogue<'_>) -> BootstrapFailure {
    let heard = harmless(dialogue.heard());
    match broken {
        Broken::Silent => BootstrapFailure::Silent(heard),
        Broken::Ended | Broken::TooMuch => BootstrapFailure::Ended(heard),
    }
}

/// The worker for a host that is another `system` than this machine, as `uname -sm` names it.
///
/// # Errors
/// `Usage` when there is none.
fn made_for(system: &str, host: &Host, own: &WorkerBinary) -> Result<Arc<WorkerBinary>> {
    let shown = harmless(system.as_bytes());
    let Some(machine) = system.strip_prefix(LINUX).filter(|machine| is_machine(machine)) else {
        let why = format!("{host}: it is {shown}, and workers run on Linux only");
        return Err(Error::usage(why));
    };
    own.of_machine(machine).ok_or_else(|| {
        let path = own.path_of(machine);
        Error::usage(format!(
            "{host}: it is {shown}, and there is no {} for it: scripts/package worker-{machine} \
             makes that",
            path.display()
        ))
    })
}

/// Whether a word of a host's can be the name of a machine, which then is a part of a file's name.
fn is_machine(word: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=MACHINE_MAX).contains(&word.len()) && word.bytes().all(fits)
}

/// Sends the first `bytes` of a worker, which are all of it.
fn send(
    worker: &WorkerBinary,
    bytes: u64,
    dialogue: &mut Dialogue<'_>,
) -> std::result::Result<(), BootstrapFailure> {
    let mut file = worker.open().map_err(BootstrapFailure::Final)?.take(bytes);
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match file.read(&mut block).map_err(|e| BootstrapFailure::Final(worker.unread(&e)))? {
            0 => return Ok(()),
            read => dialogue.say(&block[..read]).map_err(|b| broken(b, dialogue))?,
        }
    }
}

fn no_place(host: &Host, why: &str) -> String {
    let why = harmless(why.as_bytes());
    format!("{host}: no place for the worker there: {why}")
}

/// The login runs something that is no shell.
fn no_shell(host: &Host, heard: &[u8]) -> Error {
    let heard = harmless(heard);
    Error::refusal(format!("{host}: its login prints without end and gives no shell: {heard}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;
    use std::process::{Child, Command, Stdio};
    use std::sync::{Arc, Mutex};

    /// The shells of this machine among those that stand behind `/bin/sh` somewhere.
    fn shells() -> Vec<&'static [&'static str]> {
        let all: [&[&str]; 5] = [
            &["/bin/sh"],
            &["/bin/dash"],
            &["/bin/bash", "--posix"],
            &["/bin/busybox", "sh"],
            &["/bin/zsh", "--emulate", "sh"],
        ];
        all.into_iter().filter(|words| Path::new(words[0]).exists()).collect()
    }

    /// A host that is a shell here, whose places are below a directory of the test's own.
    struct There {
        directory: tempfile::TempDir,
        shell: &'static [&'static str],
        /// What `uname` says, where it is not this machine's.
        system: &'static str,
        /// Put before the number of the user: all that is made belongs to another one, then.
        user: &'static str,
        explained: Arc<Mutex<Vec<String>>>,
        /// How long its answers are waited for.
        patience: Duration,
    }

    impl There {
        fn new(shell: &'static [&'static str]) -> There {
            let directory = tempfile::tempdir().unwrap();
            for place in ["var", "tmp", "home", "run", "shm"] {
                fs::create_dir(directory.path().join(place)).unwrap();
            }
            // More than a shell reads ahead and than a pipe holds.
            let worker =
                "#!/bin/sh\necho I am in $1\nexec cat\n#".to_string() + &"x".repeat(200_000);
            fs::write(directory.path().join("worker"), worker).unwrap();
            let patience = Duration::from_secs(3);
            There { directory, shell, system: "", user: "", explained: Arc::default(), patience }
        }

        fn place(&self, name: &str) -> PathBuf {
            self.directory.path().join(name.replace("UID", &nix::unistd::getuid().to_string()))
        }

        fn script(&self) -> String {
            let root = self.directory.path().to_str().unwrap();
            let script = SCRIPT.replace("$(uname", &format!("{}$(uname", self.system));
            let script = script.replace("/var/tmp", "ROOT/var").replace("/dev/shm", "ROOT/shm");
            let script = script.replace(" /tmp", " ROOT/tmp").replace("\"/tmp", "\"ROOT/tmp");
            script.replace("$(id -u)", &format!("{}$(id -u)", self.user)).replace("ROOT", root)
        }

        /// Runs the bootstrap in `words`, or in the shell.
        fn run(&self, words: &[&str]) -> (std::result::Result<(), BootstrapFailure>, Child) {
            let words = if words.is_empty() { self.shell } else { words };
            let mut command = Command::new(words[0]);
            command.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::piped());
            command.env("HOME", self.place("home")).env("XDG_RUNTIME_DIR", self.place("run"));
            let mut child = command.stderr(Stdio::null()).spawn().unwrap();
            let (explained, worker) = (Arc::clone(&self.explained), self.place("worker"));
            let settings = Settings {
                worker: Arc::new(WorkerBinary::new(worker)),
                library: None,
                ssh: None,
                ssh_config: None,
                environment: Vec::new(),
                home: None,
                agent: None,
                say: Arc::new(|line| panic!("{line}")),
                explain: Arc::new(move |line| explained.lock().unwrap().push(line.to_string())),
            };
            let host = Host { name: "n1".into(), ..Host::local() };
            let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
            let dialogue = Dialogue::new(&to, &from, self.patience);
            let result = converse(dialogue, &self.script(), &host, &settings);
            (child.stdin, child.stdout) = (Some(to), Some(from));
            (result, child)
        }

        /// Where the worker says that it runs, and what was explained.
        #[track_caller]
        fn runs(&self, words: &[&str]) -> (String, String) {
            let (result, mut child) = self.run(words);
            assert_eq!(result.err().map(text), None, "{words:?} {:?}", self.shell);
            drop(child.stdin.take());
            let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
            let place = Path::new(said.strip_prefix("I am in ").unwrap().trim_end());
            let place = place.strip_prefix(self.directory.path()).unwrap();
            let place =
                place.to_str().unwrap().replace(&format!("-{}", nix::unistd::getuid()), "-UID");
            (place, self.explained.lock().unwrap().drain(..).collect())
        }

        #[track_caller]
        fn fails(&self, words: &[&str]) -> String {
            let (result, mut child) = self.run(words);
            drop((child.stdin.take(), child.stdout.take()));
            child.wait().unwrap();
            text(result.err().unwrap())
        }
    }

    fn text(failure: BootstrapFailure) -> String {
        match failure {
            BootstrapFailure::Ended(said) => format!("ended {said}"),
            BootstrapFailure::Silent(said) => format!("silent {said}"),
            BootstrapFailure::Final(error) => format!("{:?} {error}", error.kind()),
        }
    }

    fn count(directory: &Path) -> usize {
        fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn a_worker_is_sent_once_and_found_again() {
        for shell in shells() {
            let there = There::new(shell);
            let (place, explained) = there.runs(&[]);
            assert_eq!(place, "var/mycloud-UID", "{shell:?}");
            assert!(explained.starts_with("n1: sends the worker (200"), "{explained}");
            assert_eq!(there.runs(&[]), ("var/mycloud-UID".into(), String::new()), "{shell:?}");
            assert_eq!(count(&there.place("var/mycloud-UID/bin")), 1, "{shell:?}");
        }
    }

    #[test]
    fn of_those_that_come_at_once_one_is_sent_the_worker() {
        for shell in shells() {
            let patience = Duration::from_secs(60);
            let there = There { patience, ..There::new(shell) };
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        let (result, mut child) = there.run(&[]);
                        assert_eq!(result.err().map(text), None, "{shell:?}");
                        drop((child.stdin.take(), child.stdout.take()));
                        child.wait().unwrap();
                    });
                }
            });
            let explained = there.explained.lock().unwrap();
            let sent = explained.iter().filter(|line| line.contains("sends the worker")).count();
            assert_eq!(sent, 1, "{shell:?} {explained:?}");
            assert_eq!(count(&there.place("var/mycloud-UID/bin")), 1, "{shell:?}");
        }
    }

    #[test]
    fn who_has_died_while_it_received_the_worker_is_not_waited_for() {
        for shell in shells() {
            let there = There::new(shell);
            let mut dead = Command::new("true").spawn().unwrap();
            dead.wait().unwrap();
            let bin = there.place("var/mycloud-UID/bin");
            fs::create_dir_all(&bin).unwrap();
            let private = fs::Permissions::from_mode(0o700);
            fs::set_permissions(bin.parent().unwrap(), private).unwrap();
            let hash = WorkerBinary::new(there.place("worker")).measured().unwrap().sha256;
            fs::write(bin.join(format!(".tmp.{hash}")), format!("{}\n", dead.id())).unwrap();
            assert_eq!(there.runs(&[]).0, "var/mycloud-UID", "{shell:?}");
            assert_eq!(count(&bin), 1, "{shell:?}");
        }
    }

    #[test]
    fn who_receives_the_worker_over_a_slow_line_is_waited_for() {
        // Longer than a shell waits where nothing comes, and than its tool waits for an answer.
        const PIECES: usize = 35;
        for shell in shells() {
            let there = There::new(shell);
            let bin = there.place("var/mycloud-UID/bin");
            fs::create_dir_all(&bin).unwrap();
            let private = fs::Permissions::from_mode(0o700);
            fs::set_permissions(bin.parent().unwrap(), private).unwrap();
            let hash = WorkerBinary::new(there.place("worker")).measured().unwrap().sha256;
            let slow = format!(
                "echo $$ > .tmp.{hash}; n=0; while [ $n -lt {PIECES} ]; do n=$((n + 1)); \
                 echo piece >> .tmp.$$; sleep 0.2; done; cp ../../../worker .tmp.$$; \
                 chmod 700 .tmp.$$; mv .tmp.$$ {hash}; rm .tmp.{hash}"
            );
            let mut slow =
                Command::new("/bin/sh").args(["-c", &slow]).current_dir(&bin).spawn().unwrap();
            while !bin.join(format!(".tmp.{hash}")).exists() {
                std::thread::sleep(Duration::from_millis(5));
            }
            // Found there, not sent.
            assert_eq!(there.runs(&[]), ("var/mycloud-UID".into(), String::new()), "{shell:?}");
            assert!(slow.wait().unwrap().success(), "{shell:?}");
            assert_eq!(count(&bin), 1, "{shell:?}");
        }
    }

    #[test]
    fn what_is_there_and_is_not_the_worker_is_not_run() {
        for shell in shells() {
            let there = There::new(shell);
            there.runs(&[]);
            let hash = WorkerBinary::new(there.place("worker")).measured().unwrap().sha256;
            let file = there.place("var/mycloud-UID/bin").join(hash);
            for damage in ["", "#!/bin/sh\necho I am in danger\n"] {
                fs::write(&file, damage).unwrap();
                let (place, explained) = there.runs(&[]);
                assert_eq!(place, "var/mycloud-UID", "{shell:?}");
                assert!(explained.contains("sends the worker"), "{shell:?}");
            }
        }
    }

    #[test]
    fn a_place_that_others_could_touch_is_passed_over() {
        for shell in shells() {
            let there = There::new(shell);
            std::os::unix::fs::symlink(there.place("shm"), there.place("var/mycloud-UID")).unwrap();
            let open = there.place("tmp/mycloud-UID");
            fs::create_dir(&open).unwrap();
            fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
            let node = nix::unistd::gethostname().unwrap().into_string().unwrap();
            assert_eq!(there.runs(&[]).0, format!("home/.cache/mycloud/{node}"), "{shell:?}");
            fs::remove_dir_all(there.place("home")).unwrap();
            assert_eq!(there.runs(&[]).0, "run/mycloud", "{shell:?}");
            fs::remove_dir_all(there.place("run")).unwrap();
            fs::write(there.place("shm/mycloud-UID"), "").unwrap();
            let why = there.fails(&[]);
            assert!(why.starts_with("Hosts n1: no place for the worker there: "), "{why}");
            assert!(why.contains("not a private directory"), "{why}");
            assert!(why.contains(": there is no "), "{why}");
        }
    }

    #[test]
    fn a_place_of_another_user_is_passed_over() {
        for shell in shells() {
            let there = There { user: "9", ..There::new(shell) };
            let why = there.fails(&[]);
            let told = why.matches("not a private directory of this login").count();
            assert_eq!(told, 5, "{shell:?} {why}");
        }
    }

    #[test]
    fn noise_before_the_shell_is_skipped_and_explained() {
        let there = There::new(&["/bin/sh"]);
        let (place, explained) = there.runs(&["/bin/sh", "-c", "printf 'a\\033b'; exec /bin/sh"]);
        assert_eq!(place, "var/mycloud-UID");
        let expected = "n1: its login printed 3 bytes, skipped: a\\x1bb";
        assert!(explained.starts_with(expected), "{explained}");
        let why = there.fails(&["/bin/sh", "-c", "yes; exec /bin/sh"]);
        assert!(why.starts_with("Hosts n1: its login prints without end"), "{why}");
    }

    #[test]
    fn a_login_without_a_shell_is_told() {
        let there = There::new(&["/bin/sh"]);
        assert_eq!(there.fails(&["/bin/echo", "not", "available"]), "ended not available");
        let echo = there.fails(&["/bin/cat"]);
        assert!(echo.starts_with("silent mc_left="), "{echo}");
    }

    #[test]
    fn another_system_is_refused_before_anything_is_made() {
        let mut there = There::new(&["/bin/sh"]);
        there.system = "Other node machine ";
        let why = there.fails(&[]);
        assert_eq!(why, "Usage n1: it is Other machine, and workers run on Linux only");
        there.system = "Linux node ../../machine ";
        let why = there.fails(&[]);
        assert_eq!(why, "Usage n1: it is Linux ../../machine, and workers run on Linux only");
        there.system = "Linux node sparc9 ";
        let (why, worker) = (there.fails(&[]), there.place("worker-sparc9"));
        let expected =
            format!("Usage n1: it is Linux sparc9, and there is no {} for", worker.display());
        assert!(why.starts_with(&expected), "{why}");
        assert_eq!(count(&there.place("var")), 0);
    }

    #[test]
    fn another_machine_is_sent_the_worker_that_was_made_for_it() {
        for shell in shells() {
            let there = There { system: "Linux node sparc9 ", ..There::new(shell) };
            let other = "#!/bin/sh\necho I am in $1 on a sparc\nexec cat\n#".to_string()
                + &"y".repeat(100_000);
            fs::write(there.place("worker-sparc9"), other).unwrap();
            let (place, explained) = there.runs(&[]);
            assert_eq!(place, "var/mycloud-UID on a sparc", "{shell:?}");
            assert!(explained.starts_with("n1: sends the worker (100"), "{explained}");
            let again = there.runs(&[]);
            assert_eq!(again, ("var/mycloud-UID on a sparc".into(), String::new()), "{shell:?}");
        }
    }

    #[test]
    fn a_stream_that_breaks_while_the_worker_is_sent_leaves_nothing_there() {
        for shell in ["/bin/sh", "/bin/bash --posix"] {
            let there = There::new(&["/bin/sh"]);
            let why = there.fails(&[
                "/bin/sh",
                "-c",
                &format!("dd bs=1 count=100000 2>/dev/null | {shell}"),
            ]);
            let told = "Hosts n1: the worker cannot be copied there: what came is not what was";
            assert!(why.starts_with(told) || why == "ended ", "{why}");
            assert_eq!(count(&there.place("var/mycloud-UID/bin")), 0, "{shell}");
        }
    }
}

//! A pipeline at work on hosts, to be disturbed: what it may say and leave behind then.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};

use crate::support::{CLEAN, Cluster, HOSTS, Output, Running, dir, marked, names, sh, until};

/// Longer than any pipeline waits for hosts that are lost, on a machine that is busy too.
const HANG: Duration = Duration::from_secs(300);

/// How many records go through.
pub const RECORDS: u32 = 2000;

/// A cluster whose hosts have the worker already: of one that is on its way when its host dies, a
/// piece stays there.
#[track_caller]
pub fn with_workers() -> Cluster {
    let cluster = Cluster::new();
    AtWork::new(&cluster, &cluster.hosts(HOSTS), "", "cat").succeeds();
    cluster
}

/// A command that waits at the [`Gate`] of its cluster, and how it is seen among processes.
pub const WAITS: &str = "flock -s /srv/gate true";

/// A gate that [`WAITS`] does not pass on any host before it is dropped.
pub struct Gate {
    _locked: Flock<File>,
}

impl Gate {
    /// Closes the gate of a cluster.
    #[track_caller]
    pub fn close(cluster: &Cluster) -> Gate {
        let file = File::create(cluster.srv().join("gate")).unwrap();
        Gate { _locked: Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap() }
    }
}

/// A pipeline that writes the numbers below [`RECORDS`] to the file `out` of its directory.
pub struct AtWork {
    pub dir: tempfile::TempDir,
    running: Running,
}

/// How it ended.
pub struct Ended {
    /// The exit statuses of its tools, in order; none when the shell was killed.
    pub codes: Vec<i32>,
    pub stderr: String,
    /// Whether `out` is there, and whole.
    pub whole: bool,
}

impl AtWork {
    /// Starts a map of `command` over the hosts `hosts` of `cluster`; `options` are mc-map's.
    pub fn new(cluster: &Cluster, hosts: &str, options: &str, command: &str) -> AtWork {
        AtWork::of(cluster, &format!("mc-map -h {hosts} {options} -c '{command}'"))
    }

    /// Starts `stages`, which pass the records of standard input on to the end as they are.
    pub fn of(cluster: &Cluster, stages: &str) -> AtWork {
        let dir = dir();
        std::fs::create_dir(dir.path().join("temporary")).unwrap();
        let script = format!(
            "mc-cat range:0..{RECORDS} | {stages} | mc-gather -o ndjson:out
            echo ${{PIPESTATUS[*]}} >codes; ! grep -q [1-9] codes"
        );
        let call = sh("bash", &script).on(cluster).current_dir(&dir).marked(dir.path());
        let call = call.env("TMPDIR", dir.path().join("temporary")).stderr_any().within(HANG);
        AtWork { running: call.spawn(), dir }
    }

    /// Waits until `text` is among the processes of `host`.
    #[track_caller]
    pub fn begun(&self, cluster: &Cluster, host: &str, text: &str) {
        let what = format!("{text} on {host}");
        until(&what, || cluster.run(["ps", host]).text().contains(text));
    }

    /// Waits for the first shard in the copy of a manifest, `m`: a host that it lies on.
    #[track_caller]
    pub fn first_shard(&self) -> String {
        let mut first = None;
        until("the first shard", || {
            let lines = std::fs::read_to_string(self.dir.path().join("m")).unwrap_or_default();
            let host = lines.split("\"hosts\":[\"").nth(1).and_then(|rest| rest.split_once('"'));
            first = host.map(|(host, _)| host.to_string());
            first.is_some()
        });
        first.unwrap()
    }

    /// The shell and the tools, and what they have started here.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Waits for the end: nothing is left here, and what is there of the answer is right.
    #[track_caller]
    pub fn ends(mut self) -> Ended {
        let Output { stderr, code, .. } = self.running.wait();
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        let begin = Instant::now();
        while !marked(self.dir.path()).is_empty() {
            let left = marked(self.dir.path());
            assert!(begin.elapsed() < CLEAN, "left running: {left:?}\n{stderr}");
            std::thread::sleep(Duration::from_millis(20));
        }
        let codes = std::fs::read_to_string(self.dir.path().join("codes")).unwrap_or_default();
        let codes = codes.split_whitespace().map(|code| code.parse().unwrap()).collect();
        let whole = is_whole(self.dir.path(), &stderr);
        assert!(whole || code != 0, "status 0 without an answer\n{stderr}");
        Ended { codes, stderr, whole }
    }

    /// [`AtWork::ends`], and there is the whole answer.
    #[track_caller]
    pub fn succeeds(self) -> Ended {
        let ended = self.ends();
        assert!(ended.codes.iter().all(|code| *code == 0), "{:?}\n{}", ended.codes, ended.stderr);
        assert!(ended.whole, "{}", ended.stderr);
        ended
    }

    /// [`AtWork::ends`], with exit status `code` of the first stage, no answer, and `text` on standard
    /// error.
    #[track_caller]
    pub fn fails_with(self, code: i32, text: &str) -> Ended {
        let ended = self.ends();
        assert_eq!(ended.codes.get(1), Some(&code), "{}", ended.stderr);
        assert!(ended.stderr.contains(text), "no {text:?} in\n{}", ended.stderr);
        assert!(!ended.whole, "an answer for all that\n{}", ended.stderr);
        ended
    }
}

/// Whether `out` is there; when it is, it is whole, and nothing else is there but a copy of a
/// manifest, `m`.
#[track_caller]
fn is_whole(dir: &Path, stderr: &str) -> bool {
    let left = names(dir);
    let expected = ["codes", "m", "out", "temporary"];
    assert!(left.iter().all(|name| expected.contains(&name.as_str())), "{left:?}\n{stderr}");
    let temporary = names(dir.join("temporary"));
    assert!(temporary.is_empty(), "left behind: {temporary:?}\n{stderr}");
    let Ok(out) = std::fs::read_to_string(dir.join("out")) else { return false };
    let numbers: String = (0..RECORDS).map(|n| format!("{n}\n")).collect();
    assert!(out == numbers, "a wrong answer of {} bytes\n{stderr}", out.len());
    true
}

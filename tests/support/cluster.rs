//! Hosts with real sshd, for the tests: `scripts/cluster`, and calls that reach its hosts.
//!
//! A cluster is held by a process that takes it down when its standard input ends: however the
//! suite ends, that pipe ends with it.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::{Call, Output, need, repository, tools};

/// How many hosts a cluster has.
pub const HOSTS: usize = 4;

/// How long after the end of a pipeline something of it may still be on a host, or what a test waits
/// for may take: three times what is promised, for the machine may be busy.
pub const CLEAN: Duration = Duration::from_secs(60);

/// Prints where the ssh_config is, and stays until its standard input ends.
const HOLD: &str = "echo \"$CLUSTER_SSH_CONFIG\"; exec cat >/dev/null";

/// Hosts with real sshd.
pub struct Cluster {
    name: String,
    ssh_config: PathBuf,
    holder: Child,
    held: Option<ChildStdin>,
}

/// The cluster that all tests share which leave its hosts as they are.
#[track_caller]
pub fn cluster() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::new)
}

impl Cluster {
    /// A cluster of one's own, for a test that harms hosts or looks at what is left on them. It
    /// goes when it is dropped.
    #[track_caller]
    pub fn new() -> Cluster {
        Cluster::of(HOSTS)
    }

    /// [`Cluster::new`], with as many hosts as this: n1, n2, ...
    #[track_caller]
    pub fn of(hosts: usize) -> Cluster {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        for (program, package) in
            [("ssh", "openssh-client"), ("ip", "iproute2"), ("nsenter", "util-linux")]
        {
            need(program, &format!("apt-get install {package}"));
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("t{:x}x{number:x}", std::process::id());
        let mut command = Command::new(repository("scripts/cluster"));
        command.args(["with", &hosts.to_string(), "--", "sh", "-c", HOLD]);
        command.env("CLUSTER_NAME", &name).stdin(Stdio::piped()).stdout(Stdio::piped());
        // A process group of its own: Ctrl-C is for the suite, whose end it then sees.
        let mut holder = command.stderr(Stdio::piped()).process_group(0).spawn().unwrap();
        let mut path = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut path).unwrap();
        let held = holder.stdin.take();
        if path.is_empty() {
            let said = holder.wait_with_output().unwrap().stderr;
            panic!("no cluster: {}", String::from_utf8_lossy(&said));
        }
        let ssh_config = PathBuf::from(path.trim_end());
        let cluster = Cluster { name, ssh_config, holder, held };
        let status = cluster.run(["status"]).text();
        let live = status.lines().filter(|line| line.contains(" up ")).count();
        assert_eq!(live, hosts, "fewer hosts live than there should be:\n{status}");
        cluster
    }

    /// The first `count` hosts, as `-h` takes them.
    pub fn hosts(&self, count: usize) -> String {
        let names: Vec<String> = (1..=count).map(|number| format!("n{number}")).collect();
        names.join(",")
    }

    /// The file for `ssh -F`.
    pub fn ssh_config(&self) -> &Path {
        &self.ssh_config
    }

    /// The directory that all hosts see as `/srv`.
    pub fn srv(&self) -> PathBuf {
        self.ssh_config.with_file_name("srv")
    }

    /// `scripts/cluster ARGS`, for what is not to go well too.
    pub fn call<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Call {
        Call::new(repository("scripts/cluster")).args(args).env("CLUSTER_NAME", &self.name)
    }

    /// `scripts/cluster ARGS`, which must do well: `["kill", "n2"]`.
    #[track_caller]
    pub fn run<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Output {
        self.call(args).stderr_any().succeeds()
    }

    /// The shell line `script` on `host`, without ssh.
    #[track_caller]
    pub fn on_host(&self, host: &str, script: &str) -> Output {
        self.run(["exec", host, "sh", "-c", script])
    }

    /// The processes on the hosts that are neither init nor sshd, a line each.
    #[track_caller]
    pub fn orphans(&self) -> String {
        self.run(["ps"]).text()
    }

    /// The files on the hosts that were not there at first, a line each.
    #[track_caller]
    pub fn leftovers(&self) -> String {
        let mut call = self.call(["leftovers"]).stderr_any().spawn();
        call.wait().text()
    }

    /// Fails unless soon no process and no file of a pipeline is left on any host.
    #[track_caller]
    pub fn is_clean(&self) {
        let begin = Instant::now();
        loop {
            let left = self.orphans() + &self.leftovers();
            if left.is_empty() {
                return;
            }
            assert!(begin.elapsed() < CLEAN, "left on the hosts:\n{left}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.held.take());
        let _ = self.holder.wait();
    }
}

impl Call {
    /// The call reaches the hosts of `cluster`, and sends them the worker that is to be tested.
    pub fn on(self, cluster: &Cluster) -> Call {
        self.env("MC_SSH_CONFIG", cluster.ssh_config()).env("MC_WORKER", worker())
    }
}

/// The worker that hosts get: that of `scripts/check`, or else the one that was built with the
/// tools, which runs on hosts that have this machine's libraries.
pub fn worker() -> PathBuf {
    std::env::var_os("MC_WORKER").map_or_else(|| tools().join("mc-worker"), PathBuf::from)
}

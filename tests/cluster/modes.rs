//! `scripts/cluster` in each of its modes, for root and for an ordinary user: hosts come up, work
//! as others do, and leave nothing.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::Uid;

use crate::support::{Call, dir, need, not_tested, repository, tools, worker};

/// An ordinary user that every machine has, to be when the tests are root's.
const NOBODY: u32 = 65534;

/// What the script and the pipelines need.
const PROGRAMS: [&str; 4] = ["mc-map", "mc-shuffle", "mc-gather", "mc-worker"];

/// Files that say that no ordinary user may have a namespace of users, and what they say then.
const FORBIDDEN: [(&str, &str); 3] = [
    ("/proc/sys/user/max_user_namespaces", "0"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0"),
    ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"),
];

/// A place to bring clusters up in, as a user.
struct Bed {
    dir: tempfile::TempDir,
    name: String,
    user: u32,
}

impl Bed {
    /// For `user`, who need not be able to see this repository.
    #[track_caller]
    fn new(user: u32) -> Bed {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let bed = Bed { dir: dir(), name: format!("t{:x}m{number:x}", std::process::id()), user };
        let (bin, home) = (bed.dir.path().join("bin"), bed.dir.path().join("home"));
        fs::create_dir(&bin).unwrap();
        fs::create_dir_all(home.join("run")).unwrap();
        for script in ["cluster", "cluster-host"] {
            fs::copy(repository("scripts").join(script), bin.join(script)).unwrap();
        }
        for program in PROGRAMS {
            let from = if program == "mc-worker" { worker() } else { tools().join(program) };
            let to = bin.join(program);
            fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop)).unwrap();
        }
        for open in [bed.dir.path(), &bin, &home] {
            fs::set_permissions(open, Permissions::from_mode(0o755)).unwrap();
        }
        fs::set_permissions(home.join("run"), Permissions::from_mode(0o700)).unwrap();
        for own in [&home, &home.join("run")] {
            chown(own, Some(user), Some(user)).unwrap();
        }
        bed
    }

    /// `script` in bash, as the user, with clusters of `mode`.
    fn bash(&self, mode: &str, script: &str) -> Call {
        let home = self.dir.path().join("home");
        let path = format!(
            "{}:{}",
            self.dir.path().join("bin").display(),
            std::env::var("PATH").unwrap_or_default()
        );
        let call = match Uid::effective().as_raw() == self.user {
            true => Call::new("env"),
            false => {
                need("setpriv", "apt-get install util-linux");
                let (user, group) = (self.user.to_string(), self.user.to_string());
                let call = Call::new("setpriv").args(["--reuid", &user, "--regid", &group]);
                call.args(["--clear-groups", "env"])
            }
        };
        let call = call.args(["bash", "-euo", "pipefail", "-c", script]).current_dir(&home);
        let worker = self.dir.path().join("bin/mc-worker");
        let call = call.env("PATH", path).env("HOME", &home).env("MC_WORKER", worker);
        let call = call.env("XDG_RUNTIME_DIR", home.join("run"));
        let call = call.env("XDG_STATE_HOME", home.join("state"));
        call.env("CLUSTER_MODE", mode).env("CLUSTER_NAME", &self.name)
    }

    /// Fails unless nothing is left of the bed's cluster.
    #[track_caller]
    fn is_gone(&self) {
        let of = format!("/tmp/cluster-{}-{}", self.name, self.user);
        assert!(!Path::new(&of).exists(), "{of}");
        let links = Call::new("ip").args(["-o", "link"]).succeeds().text();
        assert!(!links.contains(&format!(" {}", self.name)), "{links}");
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            for file in ["environ", "cmdline"] {
                let text = fs::read(entry.path().join(file)).unwrap_or_default();
                let text = String::from_utf8_lossy(&text).into_owned();
                assert!(!text.contains(&of), "{}: {text}", entry.path().display());
            }
        }
    }

    /// A pipeline over two hosts of a cluster prints what it does without hosts, and leaves nothing
    /// there.
    #[track_caller]
    fn works(&self, mode: &str) {
        let script = "cluster with 2 -- bash -euo pipefail -c '
            export MC_SSH_CONFIG=$CLUSTER_SSH_CONFIG
            seq 3000 | mc-map cat | mc-shuffle -k . | mc-gather > here
            seq 3000 | mc-map -h n1,n2 --block 500 cat | mc-shuffle -k . | mc-gather > there
            cmp here there
            left() { cluster orphans || :; cluster leftovers || :; }
            for i in {1..100}; do [ -n \"$(left)\" ] || break; sleep 0.2; done
            left; wc -l < there'";
        let call = self.bash(mode, script).stderr_has(format!("2 hosts ({mode})"));
        call.stdout("3000\n").succeeds();
        self.is_gone();
    }
}

/// The user of the suite, or an ordinary one where that is root.
fn ordinary() -> u32 {
    let user = Uid::effective();
    if user.is_root() { NOBODY } else { user.as_raw() }
}

#[test]
fn an_ordinary_user_has_hosts_in_a_namespace() {
    let says = |file: &str| fs::read_to_string(file).unwrap_or_default().trim().to_string();
    if let Some((file, value)) = FORBIDDEN.iter().find(|(file, value)| says(file) == *value) {
        return not_tested(&format!("no ordinary user has a namespace: {file} is {value}"));
    }
    Bed::new(ordinary()).works("rootless");
}

#[test]
fn hosts_without_namespaces() {
    Bed::new(Uid::effective().as_raw()).works("plain");
}

#[test]
fn a_port_that_is_taken_is_left_alone() {
    let bed = Bed::new(Uid::effective().as_raw());
    let port = || {
        let script = "cluster with 1 -- sh -ec '
            ssh -F $CLUSTER_SSH_CONFIG n1 true; sed -n \"s/^ *Port //p\" $CLUSTER_SSH_CONFIG'";
        let call = bed.bash("plain", script).stderr_has("1 hosts (plain)");
        call.succeeds().text().trim().parse::<u16>().unwrap()
    };
    let first = port();
    let _taken = TcpListener::bind(("127.0.0.1", first)).unwrap();
    assert_ne!(port(), first);
    bed.is_gone();
}

#[test]
fn a_cluster_takes_the_place_of_another() {
    let bed = Bed::new(Uid::effective().as_raw());
    let script = "cluster with 2 -- sh -ec 'cluster up 1 >&2; cluster status | wc -l'";
    bed.bash("plain", script).stderr_any().stdout("1\n").succeeds();
    bed.is_gone();
}

#[test]
fn a_cluster_that_does_not_come_up_leaves_nothing() {
    if !Uid::effective().is_root() {
        return not_tested("only root's clusters have disks");
    }
    let bed = Bed::new(0);
    let call = bed.bash("root", "cluster up 2").env("CLUSTER_DISK", "much");
    call.stderr_has("has no disk").stderr_any().fails(2);
    bed.is_gone();
}

//! Hosts of one's own with a dataset on them, to be harmed while it is exchanged.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{CLEAN, Call, Cluster, HOSTS, dir, sh, until, write};

/// The sockets that listen on a host, an address a line.
const LISTENERS: &str = "cat /proc/net/tcp /proc/net/tcp6 | while read -r n at to is r; do test $is != 0A || echo $at; done";

/// Keeps all slots of a host for itself, until it is told to let go; says so when it has them.
const HOLD_SLOTS: &str = r#"rm -f /tmp/free; cd /var/tmp/mycloud-*/slots
slots=$(seq 0 $(($(nproc) - 1)))
for n in $slots; do
    setsid flock ./$n sh -c 'until [ -e /tmp/free ]; do sleep 0.1; done' </dev/null >/dev/null 2>&1 &
done
for n in $slots; do
    while flock -n ./$n true; do sleep 0.1; done
done"#;

/// Four hosts that the dataset `x.mc` lies on, and a directory with that and its records, `in`.
pub struct Bed {
    pub cluster: Cluster,
    pub dir: tempfile::TempDir,
    /// What was on the hosts, and listened, before.
    files: String,
    listeners: String,
}

impl Bed {
    /// With `count` records of about 100 bytes: `{"k": ...}`, no two alike.
    #[track_caller]
    pub fn new(count: u64) -> Bed {
        let (cluster, dir) = (Cluster::new(), dir());
        let record = |n: u64| {
            let k = n * 1_000_003 % 999_983;
            format!("{{\"k\":{k},\"n\":{n},\"x\":\"{:070}\"}}\n", n * 7919)
        };
        write(&dir, "in", (0..count).map(record).collect::<String>());
        let mut bed = Bed { cluster, dir, files: String::new(), listeners: String::new() };
        let (hosts, block) = (bed.cluster.hosts(HOSTS), (count * 100).div_ceil(16));
        bed.run(&format!("cat in | mc-map -h {hosts} --block {block} -o x.mc cat")).succeeds();
        bed.run("mc-sort -k k < in > due").succeeds();
        (bed.files, bed.listeners) = (bed.cluster.leftovers(), bed.listeners());
        bed
    }

    /// A shell line in the directory.
    #[track_caller]
    pub fn run(&self, script: &str) -> Call {
        let call = sh("bash", &format!("set -o pipefail; {script}")).on(&self.cluster);
        let call = call.current_dir(&self.dir).marked(self.dir.path());
        call.env("XDG_STATE_HOME", self.dir.path().join("state"))
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The sockets that listen, with their hosts, a line each.
    pub fn listeners(&self) -> String {
        let of = |host: usize| {
            let found = self.cluster.call(["exec", &format!("n{host}"), "sh", "-c", LISTENERS]);
            found.stderr_any().ends().text()
        };
        (1..=HOSTS).map(|host| format!("n{host}:\n{}", of(host))).collect()
    }

    /// Where `host` listens for its peers.
    #[track_caller]
    pub fn listener(&self, host: &str) -> String {
        let before: Vec<&str> = self.listeners.lines().collect();
        let now = self.cluster.on_host(host, LISTENERS).text();
        let new = now.lines().find(|line| !before.contains(line)).expect("nobody listens");
        let (address, port) = new.split_once(':').unwrap();
        let address = u32::from_str_radix(address, 16).expect("an address of IPv4").to_le_bytes();
        let port = u16::from_str_radix(port, 16).unwrap();
        format!("{}:{port}", std::net::Ipv4Addr::from(address))
    }

    /// Whether some socket listens that did not before: parts go from host to host.
    pub fn exchanges(&self) -> bool {
        self.listeners() != self.listeners
    }

    /// Waits until hosts listen for one another: all is sorted then.
    #[track_caller]
    pub fn merges(&self) {
        until("somebody listens", || self.exchanges());
    }

    /// On `host` no task begins from now on.
    pub fn hold_slots(&self, host: &str) {
        self.cluster.on_host(host, HOLD_SLOTS);
    }

    /// There may be tasks again.
    pub fn free_slots(&self, host: &str) {
        self.cluster.on_host(host, "touch /tmp/free");
    }

    /// Soon there is nothing on the hosts but what was there before; `but` is a host that died.
    #[track_caller]
    pub fn is_as_before(&self, but: &str) {
        let lines = |text: &str| {
            let kept = text.lines().filter(|line| but.is_empty() || !line.starts_with(but));
            kept.map(String::from).collect::<Vec<_>>()
        };
        let (files, begin) = (lines(&self.files), Instant::now());
        loop {
            let (orphans, left) =
                (lines(&self.cluster.orphans()), lines(&self.cluster.leftovers()));
            if orphans.is_empty() && left == files && (!but.is_empty() || !self.exchanges()) {
                return;
            }
            assert!(begin.elapsed() < CLEAN, "left: {orphans:?}\n{left:?}\n{}", self.listeners());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

//! Many hosts and many ranges: what the tool and the workers hold open stays within bounds.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{Call, Cluster, dir, marked, sh, write};

/// How many hosts, and how many ranges.
const MANY: usize = 64;

/// How many hosts with real sshd: as many as fit beside the other tests.
const DOZENS: usize = 24;

/// What a tool may have open and run: so much for each host, and some more.
const DESCRIPTORS: usize = 6 * MANY + 100;
const THREADS: usize = 6 * MANY + 100;

/// How often a run is made at most until one was looked at.
const LOOKS: usize = 5;

/// What a worker may: it speaks with all others.
const OF_WORKER: usize = 3 * MANY + 100;

/// The most descriptors and threads of the processes of each name, until `stop`.
fn peaks(dir: &Path, stop: &AtomicBool) -> BTreeMap<String, (usize, usize)> {
    let mut peaks: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let count = |path: String| std::fs::read_dir(path).map_or(0, Iterator::count);
    while !stop.load(Ordering::Relaxed) {
        for (process, _) in marked(dir) {
            let name = std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
            let of = |what: &str| count(format!("/proc/{process}/{what}"));
            let peak = peaks.entry(name.trim().to_string()).or_default();
            *peak = (peak.0.max(of("fd")), peak.1.max(of("task")));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    peaks
}

/// A sort of `hosts` hosts, as `-h` has them, with as many ranges as [`MANY`], by each road: the same
/// bytes, within bounds. `call` makes a call of a shell line in `dir`.
#[track_caller]
fn stays_within_bounds(dir: &TempDir, hosts: (usize, &str), call: impl Fn(&str) -> Call) {
    let (count, hosts) = hosts;
    let record =
        |n: u64| format!("{{\"k\":{},\"n\":{n},\"x\":\"{n:060}\"}}\n", n * 1_000_003 % 99_991);
    write(dir, "in", (0..90_000).map(record).collect::<String>());
    let run =
        |line: &str| call(&format!("set -o pipefail; {line}")).current_dir(dir).marked(dir.path());
    run("mc-sort -k k < in > due").succeeds();
    for road in ["direct", "relay"] {
        let watched = || {
            let stop = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let peaks = scope.spawn(|| peaks(dir.path(), &stop));
                let sort = format!("mc-sort -v -n {MANY} --exchange {road} -k k");
                let line = format!(
                    "mc-map -h {hosts} --block 50K cat < in | {sort} | mc-gather | cmp - due"
                );
                let ended = run(&line).stderr_any().ends();
                stop.store(true, Ordering::Relaxed);
                let said = String::from_utf8_lossy(&ended.stderr);
                assert_eq!(ended.code, 0, "{said}");
                assert!(said.contains(&format!("{MANY} ranges over {count} hosts")), "{said}");
                peaks.join().unwrap()
            })
        };
        // On a machine that is busy a run may have passed between two looks at it.
        let peaks = (0..LOOKS).map(|_| watched()).find(|peaks| peaks.contains_key("mc-sort"));
        let peaks = peaks.expect("no run was seen");
        println!("{road}: descriptors and threads: {peaks:?}");
        let (descriptors, threads) = peaks["mc-sort"];
        assert!(descriptors < DESCRIPTORS && threads < THREADS, "{road}: {peaks:?}");
        // Those of other hosts are not seen here.
        if let Some((descriptors, threads)) = peaks.get("mc-worker") {
            assert!(*descriptors < OF_WORKER && *threads < OF_WORKER, "{road}: {peaks:?}");
        }
    }
}

#[test]
fn sixty_four_hosts_and_as_many_ranges_stay_within_bounds() {
    let hosts = ["1/:"; MANY].join(",");
    stays_within_bounds(&dir(), (MANY, &hosts), |line| sh("bash", line));
}

#[test]
fn real_hosts_by_the_dozen_and_many_ranges_stay_within_bounds() {
    let cluster = Cluster::of(DOZENS);
    stays_within_bounds(&dir(), (DOZENS, &format!("1/n[1-{DOZENS}]")), |line| {
        sh("bash", line).on(&cluster)
    });
    cluster.is_clean();
}

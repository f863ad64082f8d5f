//! Many hosts and many ranges: what the tool and the workers hold open stays within bounds.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{dir, marked, sh, write};

/// How many hosts, and how many ranges.
const MANY: usize = 64;

/// What a tool may have open and run: so much for each host, and some more.
const DESCRIPTORS: usize = 6 * MANY + 100;
const THREADS: usize = 6 * MANY + 100;

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
        std::thread::sleep(Duration::from_millis(100));
    }
    peaks
}

#[test]
fn sixty_four_hosts_and_as_many_ranges_stay_within_bounds() {
    let dir = dir();
    let record =
        |n: u64| format!("{{\"k\":{},\"n\":{n},\"x\":\"{n:060}\"}}\n", n * 1_000_003 % 99_991);
    write(&dir, "in", (0..90_000).map(record).collect::<String>());
    let run = |line: &str| {
        let call = sh("bash", &format!("set -o pipefail; {line}")).current_dir(&dir);
        call.marked(dir.path()).env("HOSTS", ["1/:"; MANY].join(","))
    };
    run("mc-sort -k k < in > due").succeeds();
    for road in ["direct", "relay"] {
        let stop = AtomicBool::new(false);
        let peaks = std::thread::scope(|scope| {
            let peaks = scope.spawn(|| peaks(dir.path(), &stop));
            let sort = format!("mc-sort -v -n {MANY} --exchange {road} -k k");
            let line =
                format!("mc-map -h $HOSTS --block 50K cat < in | {sort} | mc-gather | cmp - due");
            let ended = run(&line).stderr_any().ends();
            stop.store(true, Ordering::Relaxed);
            let said = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.code, 0, "{said}");
            assert!(said.contains(&format!("{MANY} ranges over {MANY} hosts")), "{said}");
            peaks.join().unwrap()
        });
        println!("{road}: descriptors and threads: {peaks:?}");
        let (descriptors, threads) = peaks["mc-sort"];
        assert!(descriptors < DESCRIPTORS && threads < THREADS, "{road}: {peaks:?}");
        let (descriptors, threads) = peaks["mc-worker"];
        assert!(descriptors < OF_WORKER && threads < OF_WORKER, "{road}: {peaks:?}");
    }
}

//! Peak memory: input far larger than what a tool may hold. `scripts/bench memory` is the same at
//! ten times the size.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::support::{Call, Output, Random, dir, sh};

const MIB: u64 = 1 << 20;

/// About `size` bytes of records in random order of `k`.
fn records(path: &Path, size: u64) {
    let mut random = Random::seeded(1);
    let mut file = BufWriter::new(File::create(path).unwrap());
    for id in 0..size / 63 {
        let key = random.next() >> 8;
        writeln!(file, r#"{{"k":"{key:014x}","id":{id},"text":"some words to carry"}}"#).unwrap();
    }
}

#[track_caller]
fn held_at_most(tool: &str, file: &Path, limit: u64) {
    let held = Output::peak(file);
    assert!(held <= limit, "{tool} held {held} bytes, and may hold {limit}");
}

#[test]
fn half_a_gigabyte_flows_through_three_tools_in_64_mib_each() {
    let dir = dir();
    let line = r#"{"text":"a line of a hundred bytes, xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#;
    let script = format!(
        "yes '{line}' | head -n 5000000 | peak cat mc-cat ndjson:- | peak map mc-map cat |
         peak gather mc-gather | wc -l"
    );
    sh("bash", &script).current_dir(&dir).stdout("5000000\n").succeeds();
    for tool in ["cat", "map", "gather"] {
        held_at_most(tool, &dir.path().join(tool), 64 * MIB);
    }
}

#[test]
fn a_sort_of_many_times_its_memory_stays_within_it() {
    let dir = dir();
    records(&dir.path().join("in"), 200_000_000);
    let script = "peak sort mc-sort -k k -S 64M < in | peak check mc-sort --check -k k &&
                  peak one mc-sort -j 1 -k id -S 64M < in | mc-sort -k id --check &&
                  peak group mc-shuffle -j 1 -k k -S 64M < in > /dev/null";
    sh("bash", &format!("set -o pipefail; {script}")).current_dir(&dir).succeeds();
    held_at_most("sort", &dir.path().join("sort"), 64 * MIB * 11 / 10);
    held_at_most("check", &dir.path().join("check"), 64 * MIB);
    // What one thread uses again it does not hoard.
    for tool in ["one", "group"] {
        held_at_most(tool, &dir.path().join(tool), 64 * MIB * 11 / 10);
    }
}

#[test]
fn a_limit_on_addresses_makes_a_sort_spill_and_not_fail() {
    let dir = dir();
    records(&dir.path().join("in"), 150_000_000);
    for (tool, limit) in [("sort", 500_000), ("shuffle", 500_000), ("sort", 250_000)] {
        let script = format!(
            "set -o pipefail; (ulimit -v {limit}; mc-{tool} -k k --stats stats < in) |
             mc-sort --check -k k"
        );
        sh("bash", &script).current_dir(&dir).succeeds();
        let spilled = Call::new("jq").args(["-s", "map(.spilled_bytes > 0) | all", "stats"]);
        spilled.current_dir(&dir).stdout("true\n").succeeds();
    }
}

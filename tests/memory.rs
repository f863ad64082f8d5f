//! Peak memory: input far larger than what a tool may hold. `scripts/bench memory` is the same at
//! ten times the size.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::support::{Call, Output, Random, dir, sh};

const MIB: u64 = 1 << 20;

/// What a program takes that holds nothing: more where it is not optimised.
const PROGRAM: u64 = 8 * MIB;

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
    held_at_most("sort", &dir.path().join("sort"), 64 * MIB * 11 / 10 + PROGRAM);
    held_at_most("check", &dir.path().join("check"), 64 * MIB);
    // What one thread uses again it does not hoard.
    for tool in ["one", "group"] {
        held_at_most(tool, &dir.path().join(tool), 64 * MIB * 11 / 10 + PROGRAM);
    }
}

#[test]
fn numbers_are_sorted_within_the_memory_however_often_they_are_spilled() {
    let dir = dir();
    let mut random = Random::seeded(3);
    let mut file = BufWriter::new(File::create(dir.path().join("in")).unwrap());
    for _ in 0..12_000_000 {
        writeln!(file, "{}", random.next() >> 33).unwrap();
    }
    file.flush().unwrap();
    let script = "set -e -o pipefail
                  peak sort mc-sort -S 32M --stats stats < in > little
                  mc-sort -S 1G < in > much
                  cmp little much && mc-sort --check < much && wc -l < much
                  (cat in; echo '\"last\"') | peak mixed mc-sort -S 64M > mixed.out
                  (cat much; echo '\"last\"') | cmp - mixed.out
                  ((yes 77 || :) | head -n 9000000; seq 100 -1 50) | peak equal mc-sort -S 64M > equal.out
                  uniq -c equal.out | sort -k1,1nr | awk 'NR == 1 {print $1, $2} END {print NR}'";
    sh("bash", script).current_dir(&dir).stdout("12000000\n9000001 77\n51\n").succeeds();
    let spilled = Call::new("jq").args([".spilled_bytes > 12000000", "stats"]);
    spilled.current_dir(&dir).stdout("true\n").succeeds();
    for (tool, limit) in [("sort", 32 * MIB), ("mixed", 64 * MIB), ("equal", 64 * MIB)] {
        held_at_most(tool, &dir.path().join(tool), limit * 11 / 10 + PROGRAM);
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

/// So many records of `size` bytes, in no order of `k`, which is not where they begin.
fn large_records(path: &Path, count: usize, size: usize) {
    let mut random = Random::seeded(2);
    let mut file = BufWriter::new(File::create(path).unwrap());
    let pad = "x".repeat(size);
    for _ in 0..count {
        writeln!(file, r#"{{"t":"{pad}","k":{}}}"#, random.next() >> 40).unwrap();
    }
}

#[test]
fn large_records_are_sorted_and_grouped_within_the_memory_too() {
    let dir = dir();
    large_records(&dir.path().join("in"), 60, 2_000_000);
    let script = "peak sort mc-sort -k k -S 16M < in > sorted &&
                  jq -s 'map(.k) | . == sort' sorted &&
                  peak unique mc-sort -k k -u -S 16M < in | cmp - sorted &&
                  peak one mc-sort -j 1 -k k -S 16M < in | cmp - sorted &&
                  peak group mc-shuffle -k k -S 16M < in | cmp - sorted &&
                  peak count mc-shuffle -k k -S 16M --reduce count < in | jq -s length &&
                  peak reduce mc-reduce -k k -S 16M count < sorted | jq -s length &&
                  peak whole mc-sort -S 16M < in | cmp - sorted";
    sh("bash", &format!("set -o pipefail; {script}"))
        .current_dir(&dir)
        .stdout("true\n60\n60\n")
        .succeeds();
    for tool in ["sort", "unique", "one", "group", "count", "reduce"] {
        held_at_most(tool, &dir.path().join(tool), 28 * MIB + PROGRAM);
    }
    // Whose key is the record.
    held_at_most("whole", &dir.path().join("whole"), 36 * MIB + PROGRAM);
}

#[test]
fn a_record_that_is_larger_than_the_memory_costs_a_small_multiple_of_itself() {
    let dir = dir();
    large_records(&dir.path().join("long"), 1, 30_000_000);
    let many = (0..1_000_000).map(|n| format!("\"k{n}\":{}", n % 777)).collect::<Vec<_>>();
    std::fs::write(dir.path().join("many"), format!("{{{}}}\n", many.join(","))).unwrap();
    for (file, key, times) in [("long", "-k k", 2), ("long", "", 3), ("many", "", 5)] {
        let script = format!("peak held mc-sort {key} -S 16M < {file} | cmp - {file}");
        sh("bash", &format!("set -o pipefail; {script}")).current_dir(&dir).succeeds();
        let size = std::fs::metadata(dir.path().join(file)).unwrap().len();
        held_at_most(file, &dir.path().join("held"), times * size + 16 * MIB);
    }
}

#[test]
fn few_descriptors_are_enough_for_what_is_spilled() {
    let dir = dir();
    records(&dir.path().join("in"), 20_000_000);
    let script = "set -o pipefail; mc-sort -k k < in > sorted && ulimit -n 32 &&
                  mc-sort -k k -S 1M --stats stats < in | cmp - sorted &&
                  mc-shuffle -k k -S 1M < in | cmp - sorted &&
                  mc-cat range:0..2000000 | mc-sort -r -S 1M | mc-sort -S 1M | wc -l &&
                  mc-shuffle -k k -S 1M --reduce count < in | wc -l &&
                  mc-shuffle -k text -S 1M --reduce ndistinct:k < in &&
                  mc-join -k k -S 1M --outer --prefix r_ ndjson:sorted < sorted | wc -l &&
                  mc-scatter -h 2/: < in | mc-sort -k k -S 1M | mc-gather | cmp - sorted";
    let count = 20_000_000 / 63;
    let grouped = format!(r#"{{"text":"some words to carry","k_ndistinct":{count}}}"#);
    sh("bash", script)
        .current_dir(&dir)
        .stdout(format!("2000000\n{count}\n{grouped}\n{count}\n"))
        .succeeds();
    let spilled = Call::new("jq").args([".spilled_bytes > 20000000", "stats"]);
    spilled.current_dir(&dir).stdout("true\n").succeeds();
}

//! Shards that lie on two hosts each, and a host of them that is killed in the middle of a pipeline.

use super::at_work::{AtWork, Gate, WAITS, with_workers};
use super::lost::is_swept;
use crate::support::{Cluster, until_or};

/// Spreads the records over three hosts, each of them on two.
const SCATTER: &str = "mc-scatter -h n1,n2,n3 --replicas 2 --block 400";

/// A pipeline whose first stage, `scatter`, gets the second half of its records once `n2`, which has
/// shards by then, is killed.
#[track_caller]
fn killed_while_copies_are_made(cluster: &Cluster, scatter: &str) -> AtWork {
    let gate = Gate::close(cluster);
    let wait = format!("flock -s {} true", cluster.srv().join("gate").display());
    let work = AtWork::of(cluster, &format!("{{ sed -u 900q; {wait}; cat; }} | {scatter}"));
    let is_there = |line: &str| line.starts_with("n2:") && is_shard(line);
    until_or(
        || cluster.leftovers().lines().any(is_there),
        || format!("a shard on n2: {}", cluster.leftovers()),
    );
    cluster.run(["kill", "n2"]);
    drop(gate);
    work
}

/// Whether a file that is left is a shard.
fn is_shard(line: &str) -> bool {
    let name = line.rsplit('/').next().unwrap_or_default();
    line.contains("/runs/") && name.bytes().all(|byte| byte.is_ascii_digit())
}

#[test]
fn what_reads_copies_goes_on_with_the_others() {
    let cluster = with_workers();
    let gate = Gate::close(&cluster);
    let stages = format!("{SCATTER} | mc-map -c '{WAITS}; cat'");
    let work = AtWork::of(&cluster, &stages);
    // Of what the map makes, nothing is there yet.
    work.begun(&cluster, "n2", WAITS);
    cluster.run(["kill", "n2"]);
    drop(gate);
    let ended = work.succeeds();
    assert!(ended.stderr.contains("mc-map: n2 is lost"), "{}", ended.stderr);
    is_swept(&cluster);
}

#[test]
fn a_host_that_is_killed_while_copies_are_made() {
    let cluster = with_workers();
    // Whether anybody has to wait for n2, and so has something to say of it, is chance.
    killed_while_copies_are_made(&cluster, SCATTER).succeeds();
    is_swept(&cluster);
}

#[test]
fn what_is_made_of_copies_has_none_itself_and_is_made_again() {
    let cluster = with_workers();
    let gate = Gate::close(&cluster);
    let command = format!("read n; [ $n -lt 1000 ] || {WAITS}; echo $n; cat");
    let work = AtWork::of(&cluster, &format!("{SCATTER} | mc-map -c '{command}' | tee m"));
    let lost = work.first_shard();
    cluster.run(["kill", &lost]);
    drop(gate);
    let ended = work.succeeds();
    let text = format!("mc-map: {lost} is lost");
    assert!(ended.stderr.contains(&text), "no {text:?} in\n{}", ended.stderr);
    is_swept(&cluster);
}

#[test]
fn copies_need_as_many_hosts() {
    let cluster = with_workers();
    let scatter = "mc-scatter -h n1,n2 --replicas 2 --block 400";
    let ended = killed_while_copies_are_made(&cluster, scatter).ends();
    let text = "mc-scatter: no 2 hosts are left to keep copies on";
    assert!(ended.stderr.contains(text), "no {text:?} in\n{}", ended.stderr);
    assert_eq!(ended.codes[2..], [5, 4], "{}", ended.stderr);
    assert!(!ended.whole);
    is_swept(&cluster);
}

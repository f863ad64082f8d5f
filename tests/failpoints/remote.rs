//! Calls that fail in pipelines over hosts: in the tools here, and in the workers there.

use std::fs::copy;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::calls::{How, library};
use super::pipeline::{Lane, Pipeline};
use super::sweep::{Found, sweep};
use crate::support::{CLEAN, Cluster, dir, tools, write};

/// What the tools here do for the sake of hosts.
const FOR_HOSTS: &[&str] = &["hear", "say", "connect", "accept", "socket", "lock", "thread"];

/// What workers do.
const ON_HOSTS: &[&str] = &[
    "open", "mkdir", "rename", "link", "read", "write", "take", "give", "hear", "say", "connect",
    "accept", "lock", "pipe", "spawn", "thread",
];

/// A command, a shuffle from host to host, and a reduction, into a file here.
const SHUFFLE: Pipeline = Pipeline {
    name: "shuffle",
    stages: &[
        "mc-cat csv:{}/in.csv",
        "mc-map -h n1,n2 --block 10K cat",
        "mc-shuffle -k k -n 3 -S 1M",
        "mc-reduce -k k count sum:v",
        "mc-gather -o csv:out.csv",
    ],
    output: "out.csv",
    replaces: true,
    shows: "cat out.csv",
    programs: &[
        ("mc-map", FOR_HOSTS),
        ("mc-shuffle", FOR_HOSTS),
        ("mc-reduce", FOR_HOSTS),
        ("mc-gather", &["hear", "say", "connect", "socket", "lock", "thread"]),
        ("mc-worker", ON_HOSTS),
    ],
};

/// A dataset that is kept on the hosts.
pub const KEPT: Pipeline = Pipeline {
    name: "kept",
    stages: &[
        "mc-cat csv:{}/in.csv",
        "mc-scatter -h n1,n2 --block 10K --replicas 2",
        "mc-sort -k k -n 3 -S 1M -o kept.mc",
    ],
    output: "kept.mc",
    replaces: false,
    shows: "mc-cat kept.mc && mc-hosts --rm kept.mc",
    programs: &[
        ("mc-scatter", FOR_HOSTS),
        ("mc-sort", &["hear", "say", "sync", "link", "rename"]),
        ("mc-worker", &["sync", "rename", "write"]),
    ],
};

/// A lane with two hosts of its own, in whose workers calls fail by the plan, too.
pub fn lane(directory: &Path) -> Lane {
    let cluster = Arc::new(Cluster::of(2));
    let plans = cluster.srv().join("failpoints");
    copy(library(), cluster.srv().join("failpoints.so")).unwrap();
    for host in ["n1", "n2"] {
        let line = "SetEnv LD_PRELOAD=/srv/failpoints.so FAILPOINTS=/srv/failpoints";
        cluster.run(["sshd", host, line]);
    }
    let (at, of) = (plans.clone(), Arc::clone(&cluster));
    let lane = Lane::new(directory.to_path_buf(), &plans, move |call| {
        let call = call.on(&of).env("MC_WORKER", tools().join("mc-worker"));
        call.env("LD_PRELOAD", library()).env("FAILPOINTS", &at)
    });
    lane.left_elsewhere(move || left_on(&cluster))
}

/// What is still on the hosts when nothing should be any more.
fn left_on(cluster: &Cluster) -> Vec<String> {
    let begin = Instant::now();
    loop {
        let left = cluster.orphans() + &cluster.leftovers();
        if left.is_empty() || begin.elapsed() > CLEAN {
            return left.lines().map(str::to_string).collect();
        }
    }
}

/// Makes calls fail in `pipeline`, on so many lanes at once.
fn on_hosts(pipeline: &Pipeline, lanes: usize) {
    let dir = dir();
    let rows: String = (0..1200).map(|n| format!("k{},{n}\n", n * 7919 % 97)).collect();
    write(&dir, "in.csv", format!("k,v\n{rows}"));
    let lanes: Vec<Lane> =
        (0..lanes).map(|number| lane(&dir.path().join(format!("lane{number}")))).collect();
    let found = Mutex::new(Found::default());
    sweep(pipeline, dir.path(), &lanes, &found);
    found.into_inner().unwrap().report();
}

#[test]
fn calls_for_the_sake_of_hosts_and_on_them() {
    on_hosts(&SHUFFLE, 3);
}

#[test]
fn calls_for_what_is_kept_on_hosts() {
    on_hosts(&KEPT, 2);
}

#[test]
fn a_worker_that_is_killed_as_it_keeps_what_it_has_costs_no_more_than_that() {
    let dir = dir();
    let rows: String = (0..1200).map(|n| format!("k{},{n}\n", n * 7919 % 97)).collect();
    write(&dir, "in.csv", format!("k,v\n{rows}"));
    let lane = lane(&dir.path().join("lane"));
    lane.run(&KEPT, dir.path());
    let due = lane.shown(&KEPT);
    // They sync nothing before that.
    lane.plan.set("mc-worker", "sync", 1, How::Kill);
    let ran = lane.judged(&KEPT, dir.path(), &due, How::Kill);
    assert!(ran.fired.is_some(), "nobody was killed");
    assert_eq!((ran.codes, ran.wrong), (vec![0; 3], Vec::new()), "{:?}", ran.said);
    let said = |line: &String| line.contains("what lies there is made again by who reads it");
    assert!(ran.said.iter().any(said), "{:?}", ran.said);
}

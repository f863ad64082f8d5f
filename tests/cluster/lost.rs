//! Hosts and workers that are lost while they work: the answer is the same, or there is none and the
//! exit status says so.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::at_work::AtWork;
use crate::support::{CLEAN, Cluster, marked};

/// A command that has finished nothing yet when it is seen at work, and its mark among processes.
const LONG: &str = "sleep 2.7; cat";
const SEEN: &str = "sleep 2.7";

/// Prints the number of the worker, whose command's shell has started [`SEEN`].
const WORKER: &str = "ps -o ppid= $(ps -o ppid= $(pgrep -nf '^sleep 2.7'))";

/// So many records that each slot of four hosts has a block or two.
const BLOCKS: &str = "--block 700";

/// The silence after which a host counts as lost, and time for the rest.
const NOTICED: Duration = Duration::from_secs(15 + 30);

/// What is done to n2 while it works on its first tasks costs nothing but time.
#[track_caller]
fn is_made_up_for(harm: impl Fn(&Cluster)) {
    let cluster = Cluster::new();
    let work = AtWork::new(&cluster, &cluster.hosts(4), BLOCKS, LONG);
    work.begun(&cluster, "n2", SEEN);
    harm(&cluster);
    let begin = Instant::now();
    let ended = work.succeeds();
    assert!(begin.elapsed() < NOTICED, "{:?}\n{}", begin.elapsed(), ended.stderr);
    assert!(ended.stderr.contains("n2"), "nothing said of n2:\n{}", ended.stderr);
    is_swept(&cluster);
}

/// What a dead host still holds when it comes back, the next worker there removes.
#[track_caller]
fn is_swept(cluster: &Cluster) {
    cluster.run(["heal"]);
    AtWork::new(cluster, &cluster.hosts(4), "", "cat").succeeds();
    cluster.is_clean();
}

#[test]
fn a_host_that_is_killed() {
    is_made_up_for(|cluster| drop(cluster.run(["kill", "n2"])));
}

#[test]
fn a_host_that_loses_power() {
    is_made_up_for(|cluster| drop(cluster.run(["crash", "n2"])));
}

#[test]
fn a_host_that_is_cut_off() {
    is_made_up_for(|cluster| drop(cluster.run(["cut", "n2"])));
}

#[test]
fn a_host_that_stands_still() {
    is_made_up_for(|cluster| drop(cluster.run(["pause", "n2"])));
}

#[test]
fn a_host_whose_disk_is_full() {
    is_made_up_for(|cluster| drop(cluster.run(["fill", "n2"])));
}

#[test]
fn a_worker_that_is_killed() {
    is_made_up_for(|cluster| drop(cluster.on_host("n2", &format!("kill -9 $({WORKER})"))));
}

#[test]
fn a_guardian_that_is_killed() {
    let guardian = format!("kill -9 $(ps -o ppid= $({WORKER}))");
    is_made_up_for(|cluster| drop(cluster.on_host("n2", &guardian)));
}

#[test]
fn a_guardian_that_is_killed_leaves_no_shards() {
    let cluster = Cluster::new();
    let work = AtWork::new(&cluster, "n1", "--block 300", "cat; sleep 0.2");
    work.begun(&cluster, "n1", "sleep 0.2");
    let begin = Instant::now();
    while cluster.leftovers().lines().count() < 5 {
        assert!(begin.elapsed() < CLEAN, "no shards: {}", cluster.leftovers());
        std::thread::sleep(Duration::from_millis(20));
    }
    // The parent of the worker that works in the run's directory: a reader's does not.
    let guardian = "for p in /proc/[0-9]*; do case $(readlink $p/cwd):$(readlink $p/exe) in \
                    */runs/*/work:*/mycloud-*) ps -o ppid= -p ${p#/proc/};; esac; done | head -n 1";
    cluster.on_host("n1", &format!("kill -9 $({guardian})"));
    let ended = work.ends();
    assert!(!ended.whole, "{}", ended.stderr);
    cluster.is_clean();
}

#[test]
fn a_short_cut_is_nothing() {
    let cluster = Cluster::new();
    let work = AtWork::new(&cluster, &cluster.hosts(2), BLOCKS, LONG);
    work.begun(&cluster, "n2", SEEN);
    cluster.run(["cut", "n2"]);
    std::thread::sleep(Duration::from_secs(3));
    cluster.run(["heal", "n2"]);
    let ended = work.succeeds();
    assert_eq!(ended.stderr, "");
    cluster.is_clean();
}

#[test]
fn shards_that_are_lost_with_their_host_are_named() {
    let cluster = Cluster::new();
    // All hosts have made shards when the last block is waited for.
    let command = "read n; sleep 0.3; [ $n -lt 1900 ] || sleep 6.2; echo $n; cat";
    let work = AtWork::new(&cluster, &cluster.hosts(2), "--block 400", command);
    let waits = |host: &str| {
        let text = cluster.run(["ps", host]).text();
        text.lines().any(|line| line.ends_with(" sleep 6.2"))
    };
    let begin = Instant::now();
    while !waits("n1") && !waits("n2") {
        assert!(begin.elapsed() < CLEAN);
        std::thread::sleep(Duration::from_millis(50));
    }
    let other = if waits("n1") { "n2" } else { "n1" };
    cluster.run(["kill", other]);
    let ended = work.fails_with(5, &format!("{other} is lost"));
    assert!(ended.stderr.contains("shard "), "{}", ended.stderr);
    is_swept(&cluster);
}

#[test]
fn all_hosts_at_once() {
    let cluster = Cluster::new();
    let work = AtWork::new(&cluster, &cluster.hosts(2), BLOCKS, LONG);
    work.begun(&cluster, "n2", SEEN);
    work.begun(&cluster, "n1", SEEN);
    cluster.run(["kill", "n1"]);
    cluster.run(["kill", "n2"]);
    work.fails_with(5, "lost");
    is_swept(&cluster);
}

#[test]
fn a_host_that_hears_nothing_ends_what_it_does() {
    let cluster = Cluster::new();
    let work = AtWork::new(&cluster, &cluster.hosts(2), BLOCKS, "sleep 40 & sleep 2.7; cat");
    work.begun(&cluster, "n2", SEEN);
    cluster.run(["cut", "n2"]);
    work.succeeds();
    // It has missed the end of the pipeline, and still clears up by itself. That its sshd waits for
    // the other side is sshd's affair.
    let begin = Instant::now();
    let ours = || {
        let text = cluster.orphans() + &cluster.leftovers();
        text.lines().filter(|line| !line.contains(" sshd: ")).collect::<Vec<_>>().join("\n")
    };
    while !ours().is_empty() {
        assert!(begin.elapsed() < CLEAN, "{}", ours());
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_tool_that_is_killed_takes_its_workers_with_it() {
    for (tool, number) in [("mc-map", 0), ("mc-map", 1), ("mc-gather", 0)] {
        let cluster = Cluster::new();
        let work = AtWork::new(&cluster, &cluster.hosts(2), BLOCKS, LONG);
        work.begun(&cluster, "n2", SEEN);
        let named = |(process, _): &(i32, i32)| {
            let name = std::fs::read_to_string(format!("/proc/{process}/comm"));
            name.is_ok_and(|name| name.trim() == tool)
        };
        let mut processes: Vec<_> = marked(work.dir.path()).into_iter().filter(named).collect();
        processes.sort();
        let (process, _) = processes[number.min(processes.len() - 1)];
        kill(Pid::from_raw(process), Signal::SIGKILL).unwrap();
        let ended = work.ends();
        assert!(!ended.whole);
        cluster.is_clean();
    }
}

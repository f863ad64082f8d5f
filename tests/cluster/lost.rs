//! Hosts and workers that are lost while they work: the answer is the same, or there is none and the
//! exit status says so.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::at_work::{AtWork, Gate, WAITS, with_workers};
use crate::support::{Cluster, dir, marked, sh, until, until_or, worker};

/// A command that has finished nothing before the gate opens.
const LONG: &str = "flock -s /srv/gate true; cat";

/// Prints the number of the worker, whose command's shell has started [`WAITS`].
const WORKER: &str = "ps -o ppid= $(ps -o ppid= $(pgrep -nf '^flock -s /srv/gate'))";

/// So many records that each slot of four hosts has a block or two.
const BLOCKS: &str = "--block 700";

/// What is done to n2 while it works on its first tasks costs nothing but time.
#[track_caller]
fn is_made_up_for(harm: impl Fn(&Cluster)) {
    let cluster = with_workers();
    let gate = Gate::close(&cluster);
    let work = AtWork::new(&cluster, &cluster.hosts(4), BLOCKS, LONG);
    work.begun(&cluster, "n2", WAITS);
    harm(&cluster);
    drop(gate);
    let ended = work.succeeds();
    assert!(ended.stderr.contains("n2"), "nothing said of n2:\n{}", ended.stderr);
    is_swept(&cluster);
}

/// What a dead host still holds when it comes back, the next worker there removes.
#[track_caller]
pub(super) fn is_swept(cluster: &Cluster) {
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

/// The process that `script` prints is killed on n2, and what it did there ends.
#[track_caller]
fn is_killed_with_its_work(cluster: &Cluster, script: &str) {
    let ended = "while pgrep -f '^flock -s /srv/gate' >&2; do sleep 0.05; done";
    cluster.on_host("n2", &format!("kill -9 $({script}); {ended}"));
}

#[test]
fn a_worker_that_is_killed() {
    is_made_up_for(|cluster| is_killed_with_its_work(cluster, WORKER));
}

#[test]
fn a_guardian_that_is_killed() {
    let guardian = format!("ps -o ppid= $({WORKER})");
    is_made_up_for(|cluster| is_killed_with_its_work(cluster, &guardian));
}

#[test]
fn a_guardian_that_is_killed_leaves_no_shards() {
    let cluster = with_workers();
    let work = AtWork::new(&cluster, "n1", "--block 300", "cat; sleep 0.2");
    work.begun(&cluster, "n1", "sleep 0.2");
    until("a few shards", || cluster.leftovers().lines().count() >= 5);
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
    let cluster = with_workers();
    let gate = Gate::close(&cluster);
    let work = AtWork::new(&cluster, &cluster.hosts(2), BLOCKS, LONG);
    work.begun(&cluster, "n2", WAITS);
    cluster.run(["cut", "n2"]);
    std::thread::sleep(Duration::from_secs(3));
    cluster.run(["heal", "n2"]);
    drop(gate);
    let ended = work.succeeds();
    assert_eq!(ended.stderr, "");
    cluster.is_clean();
}

#[test]
fn all_hosts_at_once() {
    let cluster = with_workers();
    let _gate = Gate::close(&cluster);
    let work = AtWork::new(&cluster, &cluster.hosts(2), BLOCKS, LONG);
    work.begun(&cluster, "n2", WAITS);
    work.begun(&cluster, "n1", WAITS);
    cluster.run(["kill", "n1"]);
    cluster.run(["kill", "n2"]);
    work.fails_with(5, "lost");
    is_swept(&cluster);
}

#[test]
fn a_host_that_hears_nothing_ends_what_it_does() {
    let cluster = with_workers();
    let gate = Gate::close(&cluster);
    let command = format!("sleep 1000 & {LONG}");
    let work = AtWork::new(&cluster, &cluster.hosts(2), BLOCKS, &command);
    work.begun(&cluster, "n2", WAITS);
    cluster.run(["cut", "n2"]);
    drop(gate);
    work.succeeds();
    // It has missed the end of the pipeline, and still clears up by itself. That its sshd waits for
    // the other side is sshd's affair.
    let ours = || {
        let text = cluster.orphans() + &cluster.leftovers();
        text.lines().filter(|line| !line.contains(" sshd: ")).collect::<Vec<_>>().join("\n")
    };
    until_or(|| ours().is_empty(), || format!("gone: {}", ours()));
}

/// The living processes of the tool `tool` of a pipeline: its guard, and the one that works.
fn processes_of(work: &AtWork, tool: &str) -> Vec<i32> {
    let named = |process: &i32| {
        let name = std::fs::read_to_string(format!("/proc/{process}/comm"));
        name.is_ok_and(|name| name.trim() == tool)
    };
    let mut found: Vec<i32> = marked(work.dir.path()).into_iter().map(|(pid, _)| pid).collect();
    found.retain(named);
    found.sort_unstable();
    found
}

#[test]
fn the_workers_of_a_killed_tool_say_nothing() {
    let dir = dir();
    let call = sh("sh", "yes 1 | exec mc-map -h :,: --env MYCLOUD_TEST_DIRECTORY -o x.mc cat")
        .current_dir(&dir);
    let call = call.marked(dir.path()).env("MC_WORKER", worker()).env("TMPDIR", dir.path());
    let mut running = call.env("XDG_STATE_HOME", dir.path().join("state")).stderr_any().spawn();
    let named = |process: i32, name: &str| {
        let is = std::fs::read_to_string(format!("/proc/{process}/comm"));
        is.is_ok_and(|is| is.trim() == name)
    };
    // Its commands run, so that more input is on its way to them; its parent is its guard.
    let mut all = Vec::new();
    until("a command runs", || {
        all = marked(dir.path());
        all.iter().any(|(process, _)| named(*process, "cat"))
    });
    let tool = all.iter().find(|(p, parent)| named(*p, "mc-map") && named(*parent, "mc-map"));
    kill(Pid::from_raw(tool.unwrap().0), Signal::SIGKILL).unwrap();
    // The workers share its standard error.
    let said = String::from_utf8(running.wait().stderr).unwrap();
    assert!(!said.contains("mc-worker"), "{said}");
}

#[test]
fn a_tool_that_is_killed_takes_its_workers_with_it() {
    for (tool, number) in [("mc-map", 0), ("mc-map", 1), ("mc-gather", 0)] {
        let cluster = with_workers();
        let gate = Gate::close(&cluster);
        let work = AtWork::new(&cluster, &cluster.hosts(2), BLOCKS, LONG);
        work.begun(&cluster, "n2", WAITS);
        let processes = processes_of(&work, tool);
        let process = processes[number];
        kill(Pid::from_raw(process), Signal::SIGKILL).unwrap();
        until(&format!("the end of {tool}"), || processes_of(&work, tool).is_empty());
        // Whoever else is left ends once its tasks do.
        drop(gate);
        let ended = work.ends();
        assert!(!ended.whole, "{tool} {number}: {}", ended.stderr);
        cluster.is_clean();
    }
}

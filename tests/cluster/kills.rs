//! Pipelines killed at random moments: nothing of them is left, on no machine.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::at_work::AtWork;
use crate::support::{Cluster, Random, dir, marked, sh, until_or};

/// How many moments each sort of kill is tried at, and how many of them at once.
const MOMENTS: u64 = 20;
const AT_ONCE: u64 = 4;

/// The moments lie within the first so many milliseconds: about what the pipeline takes.
const LONGEST_MS: u64 = 2500;

/// About what a tool takes that keeps its data, in milliseconds: from there on it is learnt, so that
/// some are killed before their data is kept and some behind it.
const KEEPS_MS: u64 = 800;

/// Runs pipelines on two hosts of a cluster and does `harm` to each at a random moment, with a
/// random number; then there is nothing left on the hosts.
/// `harm` says whether anything was there to be harmed.
#[track_caller]
fn disturbed(what: &str, harm: impl Fn(&Cluster, &AtWork, u64) -> bool + Sync) {
    let (cluster, mut random) = (Cluster::new(), Random::fresh());
    let harmed = AtomicU64::new(0);
    for _ in 0..MOMENTS / AT_ONCE {
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                let (moment, choice) = (random.below(LONGEST_MS), random.next());
                let (cluster, harm, harmed) = (&cluster, &harm, &harmed);
                scope.spawn(move || {
                    let options = "--block 300";
                    let work = AtWork::new(cluster, "n1,n2", options, "sleep 0.2; cat");
                    std::thread::sleep(Duration::from_millis(moment));
                    let found = harm(cluster, &work, choice);
                    println!("{what} after {moment} ms, choice {choice}: harmed: {found}");
                    harmed.fetch_add(u64::from(found), Ordering::Relaxed);
                    work.ends();
                });
            }
        });
        cluster.is_clean();
    }
    let harmed = harmed.into_inner();
    assert!(harmed >= MOMENTS / 4, "{what}: of {MOMENTS} pipelines {harmed} were harmed");
}

/// Sends a signal to the shell and all tools, if they are still there; whether they are.
fn signal_all(work: &AtWork, signal: Signal) -> bool {
    let are_there = !marked(work.dir.path()).is_empty();
    match killpg(Pid::from_raw(work.running().id()), signal) {
        Ok(()) | Err(Errno::ESRCH) => are_there,
        Err(e) => panic!("{e}"),
    }
}

#[test]
fn int_leaves_nothing() {
    disturbed("INT", |_, work, _| signal_all(work, Signal::SIGINT));
}

#[test]
fn term_leaves_nothing() {
    disturbed("TERM", |_, work, _| signal_all(work, Signal::SIGTERM));
}

#[test]
fn hup_leaves_nothing() {
    disturbed("HUP", |_, work, _| signal_all(work, Signal::SIGHUP));
}

#[test]
fn a_kill_of_any_one_process_here_leaves_nothing() {
    let harm = |_: &Cluster, work: &AtWork, choice: u64| {
        let processes = marked(work.dir.path());
        if processes.is_empty() {
            return false;
        }
        let (process, _) = processes[(choice % processes.len() as u64) as usize];
        let name = std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
        println!("KILL of {name}");
        kill(Pid::from_raw(process), Signal::SIGKILL).is_ok()
    };
    disturbed("KILL here", harm);
}

#[test]
fn a_kill_of_any_one_process_on_a_host_leaves_nothing() {
    let harm = |cluster: &Cluster, _: &AtWork, choice: u64| {
        let host = ["n1", "n2"][(choice % 2) as usize];
        let text = cluster.run(["ps", host]).text();
        let processes: Vec<&str> = text.lines().collect();
        if processes.is_empty() {
            return false;
        }
        let line = processes[(choice / 2 % processes.len() as u64) as usize];
        println!("KILL of {line}");
        let process = line.split_whitespace().nth(1).unwrap();
        cluster.call(["exec", host, "kill", "-KILL", process]).stderr_any().ends().code == 0
    };
    disturbed("KILL there", harm);
}

#[test]
fn a_kill_of_all_processes_here_leaves_nothing_on_hosts() {
    disturbed("KILL of all", |_, work, _| {
        let processes = marked(work.dir.path());
        let killed = |(process, _)| kill(Pid::from_raw(process), Signal::SIGKILL).is_ok();
        processes.into_iter().map(killed).fold(false, |any, killed| any | killed)
    });
}

#[test]
fn a_kill_of_a_tool_that_keeps_its_data_leaves_all_of_it_or_nothing() {
    let (cluster, mut random) = (Cluster::new(), Random::fresh());
    let (mut published, mut longest) = (0, KEEPS_MS);
    for _ in 0..MOMENTS {
        let (dir, moment) = (dir(), random.below(longest));
        let run = |script: &str| {
            let call = sh("bash", script).on(&cluster).current_dir(&dir).marked(dir.path());
            call.env("XDG_STATE_HOME", dir.path().join("state")).stderr_any()
        };
        let keeps = run("seq 500 > in; exec mc-map -h n1,n2 --block 300 -o x.mc cat < in");
        let mut running = keeps.spawn();
        std::thread::sleep(Duration::from_millis(moment));
        // All of them at once: nobody is left here to clean up.
        let _ = killpg(Pid::from_raw(running.id()), Signal::SIGKILL);
        running.wait();
        if dir.path().join("x.mc").exists() {
            (published, longest) = (published + 1, longest * 2 / 3);
            println!("there after {moment} ms");
            run("mc-cat x.mc | cmp - in && mc-hosts --rm x.mc").succeeds();
        } else {
            longest = longest * 4 / 3;
            println!("not there after {moment} ms");
            until_or(|| cluster.orphans().is_empty(), || format!("gone: {}", cluster.orphans()));
            run("seq 3 | mc-map -h n1,n2 cat | mc-gather").stdout("1\n2\n3\n").succeeds();
        }
        run("ls state/mycloud/runs").stdout("").succeeds();
        cluster.is_clean();
    }
    assert!((1..MOMENTS).contains(&published), "{published} of {MOMENTS} were there");
}

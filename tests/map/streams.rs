//! Commands that read and write in odd orders, talk much, stop early or leave something behind.

use std::time::{Duration, Instant};

use crate::support::{Output, dir, mc, sh};

use super::numbers;

#[test]
fn commands_that_read_little_or_nothing_lose_nothing_and_hang_never() {
    let records = numbers(1_000_000);
    let one = |line: &str| {
        mc("map").args(["--block", "8M", "-S", "1G", "-c", line]).stdin(&records).succeeds()
    };
    assert_eq!(one("true").stdout, b"");
    assert_eq!(one("head -n 1").stdout, b"1\n");
    assert_eq!(one("exec <&-; sleep 0.2; echo 1").stdout, b"1\n");
    assert_eq!(one("grep -q 5 && echo 5").stdout, b"5\n");
}

#[test]
fn commands_that_write_much_before_they_read_do_not_hang() {
    let line = "yes 1 | head -c 20000000; cat";
    let said = mc("map").args(["--per", "shard", "-c", line]).stdin(numbers(500_000)).succeeds();
    assert_eq!(said.stdout.len(), 20_000_000 + numbers(500_000).len());
    let line = "x=$(cat); yes 1 | head -c 20000000";
    let said = mc("map").args(["--per", "shard", "-c", line]).stdin(numbers(100)).succeeds();
    assert_eq!(said.stdout.len(), 20_000_000);
}

#[test]
fn standard_error_comes_by_whole_lines_with_the_task_in_front() {
    let line = "printf half >&2; sleep 0.1; echo ' line' >&2; printf 'last\\033[2J' >&2; cat";
    let said =
        mc("map").args(["--block", "2", "-j", "4", "-c", line]).stdin("1\n2\n").stdout("1\n2\n");
    let said = String::from_utf8(said.stderr_any().succeeds().stderr).unwrap();
    for task in 1..=2 {
        let one: Vec<_> =
            said.lines().filter(|l| l.starts_with(&format!("mc-map: task {task}: "))).collect();
        assert_eq!(
            one,
            [
                format!("mc-map: task {task}: half line"),
                format!("mc-map: task {task}: last\\x1b[2J")
            ]
        );
    }
    assert_eq!(said.lines().count(), 4);
}

#[test]
fn a_flood_on_standard_error_is_bounded_and_holds_nothing_up() {
    let dir = dir();
    let peak = dir.path().join("peak");
    let line = "head -c 300000000 /dev/zero | tr '\\0' x >&2; cat";
    let call = mc("map").args(["-c", line]).peak_to(&peak).stdin("1\n").stdout("1\n");
    let said = call.stderr_any().succeeds().stderr;
    assert!(said.len() < 5000 && said.ends_with(b"xxx...\n"), "{}", said.len());
    assert!(Output::peak(&peak) < 32 << 20);
    let call = mc("map").args(["-c", "seq 1 500000 >&2; cat"]).stdin("1\n").stdout("1\n");
    let said = String::from_utf8(call.stderr_any().succeeds().stderr).unwrap();
    assert_eq!(said.lines().count(), 500_000);
    assert!(said.lines().all(|line| line.starts_with("mc-map: task 1: ")));
}

#[test]
fn a_daemon_that_holds_the_output_is_killed_and_named() {
    let begin = Instant::now();
    let call =
        mc("map").args(["-c", "setsid sleep 61.5 & sleep 0.5; cat"]).stdin("1\n").stdout("1\n");
    call.stderr_has("killed what the command left behind with its output open: sleep").succeeds();
    assert!(begin.elapsed() < Duration::from_secs(20));
    assert_gone("sleep 61.5");
}

#[test]
fn a_daemon_that_holds_nothing_is_ended_with_the_stage() {
    let line = "setsid sleep 62.5 >/dev/null 2>&1 </dev/null & sleep 0.5; cat";
    let call = mc("map").args(["-c", line]).stdin("1\n").stdout("1\n");
    call.stderr_has("ended what commands left behind: sleep").succeeds();
    assert_gone("sleep 62.5");
}

#[test]
fn a_background_process_may_finish_within_the_grace() {
    let line = "(sleep 0.5; echo 2) & cat";
    mc("map").args(["-c", line]).stdin("1\n").stdout("1\n2\n").succeeds();
}

#[test]
fn many_short_lived_orphans_do_not_pile_up() {
    let line =
        "(sleep 0.01 >/dev/null 2>&1 &) ; cat; ps --ppid $PPID -o stat= | grep -c Z >&2; true";
    let call = mc("map").args(["-j", "2", "--block", "4", "-c", line]).stdin(numbers(300));
    let said = call.stdout(numbers(300)).stderr_any().succeeds().stderr;
    let said = String::from_utf8(said).unwrap();
    let zombies = said.lines().filter_map(|l| l.rsplit(' ').next()?.parse::<u32>().ok()).max();
    assert!(zombies.unwrap_or(0) < 20, "{zombies:?}");
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let said = sh("bash", "yes 1 | mc-map cat | head -n 1; echo ${PIPESTATUS[1]}").succeeds();
    assert_eq!(said.text(), "1\n141\n");
}

#[test]
fn a_full_disk_is_an_error() {
    for line in ["cat", "yes 1 | head -c 3000000"] {
        let call = mc("map").args(["-c", line]).stdin(numbers(10)).stdout_to("/dev/full");
        call.fails_with(6, "No space left on device");
    }
    sh("bash", "echo 1 | mc-map cat >&-").fails_with(2, "standard output is closed");
    sh("bash", "mc-map cat <&-").fails_with(2, "standard input is closed");
}

/// No process with this command line is left.
#[track_caller]
fn assert_gone(command: &str) {
    let left = sh("bash", &format!("pgrep -fx '{command}' || true")).succeeds().text();
    assert_eq!(left, "", "{command} is still there");
}

#[test]
fn signals_and_kills_leave_no_process() {
    use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGKILL, SIGTERM};
    for (number, signal) in [SIGINT, SIGTERM, SIGHUP, SIGKILL].into_iter().enumerate() {
        let sleeper = format!("sleep 63.{number}");
        let line = format!("setsid {sleeper} & {sleeper} & (trap '' TERM; {sleeper}); wait");
        let running = mc("map").args(["-c", &line]).stdin("1\n").stderr_any().spawn();
        let deadline = Instant::now() + Duration::from_secs(20);
        let count = || sh("bash", &format!("pgrep -cfx '{sleeper}' || true")).succeeds().text();
        while count() != "3\n" {
            assert!(Instant::now() < deadline, "the command does not start");
        }
        running.signal(signal);
        running.exits(128 + signal as i32);
        while count() != "0\n" {
            assert!(Instant::now() < deadline, "{signal}: processes are left");
        }
    }
}

//! Commands that read and write in odd orders, talk much, stop early or leave something behind.

use crate::support::{Output, dir, marked, mc, sh, until};

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

/// Waits until the shell's last background process has its name.
const IS_SLEEP: &str = "until [ $(cat /proc/$!/comm) = sleep ]; do sleep 0.01; done";

#[test]
fn a_daemon_that_holds_the_output_is_killed_and_named() {
    let (dir, line) = (dir(), format!("setsid sleep 1000 & {IS_SLEEP}; cat"));
    let call = mc("map").args(["-c", &line]).marked(dir.path()).stdin("1\n").stdout("1\n");
    call.stderr_has("killed what the command left behind with its output open: sleep").succeeds();
    assert_eq!(marked(dir.path()), []);
}

#[test]
fn a_daemon_that_holds_nothing_is_ended_with_the_stage() {
    let line = format!("setsid sleep 1000 >/dev/null 2>&1 </dev/null & {IS_SLEEP}; cat");
    let dir = dir();
    let call = mc("map").args(["-c", &line]).marked(dir.path()).stdin("1\n").stdout("1\n");
    call.stderr_has("ended what commands left behind: sleep").succeeds();
    assert_eq!(marked(dir.path()), []);
}

#[test]
fn a_background_process_may_finish_within_the_grace() {
    // It prints once the command has ended.
    let line = "(while kill -0 $$ 2>/dev/null; do sleep 0.01; done; echo 2) & cat";
    mc("map").args(["-c", line]).stdin("1\n").stdout("1\n2\n").succeeds();
}

#[test]
fn many_short_lived_orphans_do_not_pile_up() {
    let line =
        "(sleep 0.01 >/dev/null 2>&1 &) ; cat; ps --ppid $PPID -o stat= | grep -c Z >&2; true";
    let call = mc("map").args(["-j", "2", "--block", "4", "-c", line]).stdin(numbers(300));
    let said = call.stdout(numbers(300)).stderr_any().succeeds().stderr;
    let said = String::from_utf8(said).unwrap();
    let zombies: Vec<u32> =
        said.lines().filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
    assert!(zombies.len() > 100 && zombies.iter().all(|&count| count < 20), "{said}");
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

#[test]
fn signals_and_kills_leave_no_process() {
    use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGKILL, SIGTERM};
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGKILL] {
        let dir = dir();
        let line = "setsid sleep 1000 & sleep 1000 & (trap '' TERM; sleep 1000); wait";
        let call = mc("map").args(["-c", line]).marked(dir.path()).stdin("1\n");
        let running = call.stderr_any().spawn();
        let sleepers = || {
            let name = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/comm"));
            let is_sleep = |pid: i32| name(pid).is_ok_and(|name| name == "sleep\n");
            marked(dir.path()).into_iter().filter(|(pid, _)| is_sleep(*pid)).count()
        };
        until("the command has started all", || sleepers() == 3);
        running.signal(signal);
        running.exits(128 + signal as i32);
        until("all have ended", || marked(dir.path()).is_empty());
    }
}

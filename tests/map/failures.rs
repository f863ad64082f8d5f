//! Commands that fail: what is said, what is tried again, what counts.

use std::time::{Duration, Instant};

use crate::support::{dir, mc, sh, write};

use super::numbers;

#[test]
fn a_failure_names_the_command_its_end_and_its_last_words() {
    let line = "seq 1 12 >&2; exit 3";
    let call = mc("map").args(["--retries", "0", "-c", line]).stdin("1\n").stdout("");
    let said = call.stderr_any().fails(1).stderr;
    let said = String::from_utf8(said).unwrap();
    assert!(
        said.contains("task 1: the last lines of its standard error:\nmc-map: task 1:   3\n"),
        "{said}"
    );
    let last = said.lines().last().unwrap();
    assert_eq!(
        last,
        "mc-map: task 1: bash -c 'seq 1 12 >&2; exit 3': exit status 3; the output is not complete"
    );
}

#[test]
fn every_bad_end_is_a_failure() {
    let fails = |line: &str, how: &str| {
        let call = mc("map").args(["-c", line]).stdin("1\n").stdout("");
        call.stderr_has(format!("{how} (2 attempts)")).fails(1);
    };
    fails("cat; exit 1", "exit status 1");
    fails("cat; exit 255", "exit status 255");
    fails("no-such-command-xyz", "exit status 127");
    fails("cat; kill -SEGV $$", "killed by SIGSEGV");
    fails("cat; kill -KILL $$", "killed by SIGKILL");
    fails("cat; kill -TERM $$", "killed by SIGTERM");
    fails("cat; kill -PIPE $$", "killed by SIGPIPE");
}

#[test]
fn the_statuses_of_success_can_be_said() {
    mc("map").args(["--ok-exit", "0,1", "grep", "x"]).stdin("1\n").stdout("").succeeds();
    mc("map").args(["--ok-exit", "3", "-c", "cat; exit 3"]).stdin("1\n").stdout("1\n").succeeds();
    mc("map").args(["--ok-exit", "3", "cat"]).stdin("1\n").stderr_any().fails(1);
}

#[test]
fn a_task_is_tried_again_and_only_a_whole_attempt_counts() {
    let dir = dir();
    let line = format!(
        "echo '\"'$MC_ATTEMPT'\"'; cat; test $MC_ATTEMPT = 3 && touch {}/done",
        dir.path().display()
    );
    let call = || mc("map").args(["-c", &line]).stdin("1\n");
    call().stdout("").stderr_has("(2 attempts)").fails(1);
    let call = mc("map").args(["--retries", "2", "-c", &line]).stdin("1\n").stdout("\"3\"\n1\n");
    call.stderr_has("mc-map: task 1, attempt 2: exit status 1: trying again").succeeds();
}

#[test]
fn what_came_before_a_failure_is_there_and_whole_and_nothing_else() {
    let line =
        "read -r n; test \"$n\" = 501 && exit 9; test \"$n\" -lt 501 && sleep 0.1; echo $n; cat";
    let records = numbers(1000);
    for jobs in ["1", "2", "8"] {
        // Blocks of a hundred records of three digits: 501 begins one of them.
        let input = records.split_inclusive('\n').skip(100).take(800).collect::<String>();
        let call = mc("map").args(["-j", jobs, "--block", "400", "-c", line]).stdin(&input);
        let said = call.stderr_has("task 5").fails(1);
        let before: String = (101..501).map(|n| format!("{n}\n")).collect();
        assert_eq!(String::from_utf8(said.stdout).unwrap(), before, "-j {jobs}");
    }
}

#[test]
fn the_rest_is_stopped_when_a_task_fails() {
    let begin = Instant::now();
    let line = "read -r n; test \"$n\" = 1 && sleep 0.3 && exit 9; sleep 64.5";
    let call = mc("map").args(["-j", "4", "--block", "2", "--retries", "0", "-c", line]);
    call.stdin(numbers(9)).stdout("").stderr_has("task 1").fails(1);
    assert!(begin.elapsed() < Duration::from_secs(15));
}

#[test]
fn the_very_block_can_be_run_by_hand() {
    let dir = dir();
    let records = numbers(20_000);
    let file = write(&dir, "my numbers", &records);
    let line = "if grep -x 7777; then exit 4; fi";
    let from_file = format!("mc-map --block 10K -c '{line}' < '{}'", file.display());
    let from_pipe = format!("cat '{}' | mc-map --block 10K -c '{line}'", file.display());
    for call in [from_file, from_pipe] {
        let said = sh("bash", &call).stderr_any().fails(1).stderr;
        let said = String::from_utf8(said).unwrap();
        let hand = said.lines().find_map(|l| l.split_once(": by hand: ")).unwrap().1;
        let hand = hand.replacen("...", &format!("cat '{}'", file.display()), 1);
        let count = sh("bash", &hand).fails(4).text();
        assert_eq!(count, "7777\n", "{hand}");
        let block = hand.split(" | bash -c").next().unwrap();
        assert!(sh("bash", block).succeeds().stdout.len() <= 10 << 10, "{hand}");
    }
}

#[test]
fn a_command_that_hangs_is_ended_with_its_whole_tree() {
    let begin = Instant::now();
    let line = "sleep 65.5 & (trap '' TERM; sleep 65.5; sleep 65.5) & cat; sleep 65.5";
    let call = mc("map").args(["--timeout", "0.5", "--retries", "0", "-c", line]).stdin("1\n");
    call.stdout("").stderr_has("longer than --timeout").fails(124);
    assert!(begin.elapsed() < Duration::from_secs(20));
    let left = sh("bash", "pgrep -fx 'sleep 65.5' || true").succeeds().text();
    assert_eq!(left, "");
}

#[test]
fn a_timeout_is_tried_again_too() {
    let line = "test $MC_ATTEMPT = 2 || sleep 66.5; cat";
    let call = mc("map").args(["--timeout", "2s", "-c", line]).stdin("1\n").stdout("1\n");
    call.stderr_has("trying again").succeeds();
}

#[test]
fn of_several_failures_the_first_in_the_input_is_told() {
    let line =
        "read -r n; test \"$n\" = 3 && sleep 1; test \"$n\" -ge 3 && exit \"$n\"; echo \"$n\"";
    for jobs in ["1", "4"] {
        let call = mc("map").args(["-j", jobs, "--block", "2", "--retries", "0", "-c", line]);
        let said = call.stdin(numbers(8)).stderr_has("exit status 3; the output").fails(1);
        assert_eq!(said.text(), "1\n2\n");
    }
}

#[test]
fn no_room_for_output_is_told() {
    let line = "yes 1 | head -c 30000000";
    let call = mc("map").args(["-S", "1M", "-T", "/proc", "-c", line]).stdin("1\n");
    call.stdout("").fails_with(2, "temporary file in /proc");
}

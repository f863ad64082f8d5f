//! Commands that fail: what is said, what is tried again, what counts.

use crate::support::{dir, marked, mc, sh, until, write};

use super::numbers;

#[test]
fn a_failure_names_the_command_its_end_and_its_last_words() {
    let line = "seq 1 12 >&2; exit 3";
    let call = mc("map").args(["--retries", "0", "-c", line]).stdin("1\n").stdout("");
    let said = call.stderr_any().fails(1).stderr;
    let said = String::from_utf8(said).unwrap();
    let (words, rest): (Vec<&str>, Vec<&str>) =
        said.lines().partition(|line| line["mc-map: task 1: ".len()..].parse::<u32>().is_ok());
    assert_eq!(words.len(), 12, "{said}");
    assert_eq!(
        *rest.last().unwrap(),
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
    let dir = dir();
    // The first fails once the others have begun, which would take longer than a test may.
    let line = "read -r n; touch begun.$$; test \"$n\" = 1 || exec sleep 1000
        until [ $(ls | grep -c begun) = 4 ]; do sleep 0.05; done; exit 9";
    let call = mc("map").args(["-j", "4", "--block", "2", "--retries", "0", "-c", line]);
    let call = call.current_dir(&dir).marked(dir.path()).stdin(numbers(9));
    call.stdout("").stderr_has("task 1").fails(1);
    assert_eq!(marked(dir.path()), []);
}

#[test]
fn the_very_block_can_be_run_by_hand() {
    let dir = dir();
    let state = dir.path().join("my state");
    let kept = || state.join("mycloud/failed");
    let call = |script: &str| sh("bash", script).env("XDG_STATE_HOME", &state).current_dir(&dir);
    let line = "if grep -x 7777; then test -e mended || exit 4; fi";
    for hosts in ["", "-h :,:"] {
        let map = format!("seq 20000 | mc-map {hosts} --block 10K -c '{line}'");
        let failing =
            map.clone() + &format!(" | {}", if hosts.is_empty() { "cat" } else { "mc-gather" });
        let said = call(&format!("{failing}; test ${{PIPESTATUS[1]}} = 1")).stderr_any().succeeds();
        let said = String::from_utf8(said.stderr).unwrap();
        let hand = said.lines().find_map(|l| l.split_once(": by hand: ")).unwrap().1;
        assert!(said.contains("is kept until it succeeds: "), "{said}");
        assert!(hand.starts_with("bash -c 'if grep"), "{hand}");
        assert_eq!(call(hand).fails(4).text(), "7777\n", "{hand}");
        let block = hand.rsplit_once(" < ").unwrap().1;
        let bytes = call(&format!("cat {block}")).succeeds().text();
        assert!(bytes.len() <= 10 << 10 && bytes.contains("\n7777\n"), "{hand}");
        // The next success removes it; on a host the command does not start in this directory.
        let well = format!("seq 20000 | mc-map --block 10K -c '{line}' > out");
        call(&format!("touch mended; {well}; rm mended")).succeeds();
        assert_eq!(crate::support::names(kept()), [""; 0]);
    }
}

#[test]
fn what_the_command_got_is_kept_as_it_got_it() {
    let dir = dir();
    let call = mc("map").args(["-t", "--per", "shard", "grep", "x"]).stdin("\"a\\tb\"\n\"c\"\n");
    let said = call.env("XDG_STATE_HOME", dir.path()).stderr_any().fails(1).stderr;
    let said = String::from_utf8(said).unwrap();
    let path = said.lines().find_map(|line| line.split_once(" < ")).unwrap().1;
    assert_eq!(std::fs::read_to_string(path).unwrap(), "a\tb\nc\n");
    let call = mc("map").args(["-c", "exit 1"]).stdin("1\n").env("XDG_STATE_HOME", "/proc/none");
    call.stderr_has("what it was run on cannot be kept: cannot write").fails(1);
}

#[test]
fn a_traceback_is_shown_once() {
    let script = "raise ValueError('no')";
    for (hosts, rest) in [("", ""), ("-h :,:", "| mc-gather")] {
        let line = format!(
            "seq 4000 | mc-map {hosts} --block 2K --retries 3 python3 -c \"{script}\" {rest} >/dev/null"
        );
        let said = sh("bash", &format!("{line}; true")).stderr_any().succeeds().stderr;
        let said = String::from_utf8(said).unwrap();
        assert_eq!(said.matches("Traceback (most recent call last)").count(), 1, "{said}");
        assert_eq!(said.matches(": ValueError: no\n").count(), 1, "{said}");
        assert!(said.contains("(4 attempts)"), "{said}");
    }
    // One that says it long before its end, too.
    let dir = dir();
    let line = "echo why >&2; until grep -q why said; do sleep 0.05; done; exit 2";
    let call = sh("bash", &format!("echo 1 | mc-map -c '{line}' 2>said"));
    call.current_dir(&dir).fails(1);
    let said = std::fs::read_to_string(dir.path().join("said")).unwrap();
    assert!(said.matches(": why\n").count() == 1 && said.contains("(2 attempts)"), "{said}");
}

#[test]
fn what_a_long_command_says_is_passed_on_while_it_runs() {
    let dir = dir();
    let line = "echo working >&2; until [ -e done ]; do sleep 0.1; done; cat";
    let call = sh("bash", &format!("echo 1 | mc-map -c '{line}' 2>said")).current_dir(&dir);
    let running = call.stdout("1\n").spawn();
    let said = || std::fs::read_to_string(dir.path().join("said")).unwrap_or_default();
    until("it says that it works", || said() == "mc-map: task 1: working\n");
    write(&dir, "done", "");
    running.exits(0);
}

#[test]
fn a_command_that_hangs_is_ended_with_its_whole_tree() {
    let dir = dir();
    let line = "sleep 1000 & (trap '' TERM; sleep 1000; sleep 1000) & cat; sleep 1000";
    let call = mc("map").args(["--timeout", "0.5", "--retries", "0", "-c", line]).stdin("1\n");
    let call = call.marked(dir.path()).stdout("").stderr_has("longer than --timeout");
    call.fails(124);
    assert_eq!(marked(dir.path()), []);
}

#[test]
fn a_timeout_is_tried_again_too() {
    let line = "test $MC_ATTEMPT != 1 || sleep 1000; cat";
    // More often than it needs: the machine may be busy.
    let call = mc("map").args(["--timeout", "1s", "--retries", "9", "-c", line]);
    call.stdin("1\n").stdout("1\n").stderr_has("trying again").succeeds();
}

#[test]
fn of_several_failures_the_first_in_the_input_is_told() {
    let line = "read -r n
        test \"$n$JOBS\" != 34 || until [ -e failed ]; do sleep 0.05; done
        test \"$n\" -lt 3 || { test \"$n\" = 3 || touch failed; exit \"$n\"; }; echo \"$n\"";
    for jobs in ["1", "4"] {
        let (dir, call) = (dir(), mc("map").args(["-j", jobs, "--block", "2", "--retries", "0"]));
        let call = call.args(["-c", line]).env("JOBS", jobs).current_dir(&dir);
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

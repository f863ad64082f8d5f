//! `--failed`: records that a command fails on are found, left out and counted, and all others are
//! there, in their order; here and on hosts.

use crate::support::{Call, dir, jq, mc, names, sh};

use super::numbers;

/// A command that doubles numbers and fails on those that end in 13, after it has printed some.
const LINE: &str = "while read -r n; do \
    case $n in *13) echo \"no $n\" >&2; exit 9;; esac; echo $((n * 2)); done";

/// What it prints for the numbers from 1 to 2000 without those.
fn doubled() -> String {
    (1..=2000).filter(|n| n % 100 != 13).map(|n| format!("{}\n", n * 2)).collect()
}

/// The last line of standard error.
#[track_caller]
fn last(said: Vec<u8>) -> String {
    String::from_utf8(said).unwrap().lines().last().unwrap_or_default().to_string()
}

#[test]
fn exactly_the_records_that_fail_are_left_out() {
    for options in [
        &["--block", "1b"][..],
        &["--block", "100b", "-j", "4"],
        &["--block", "3K", "--retries", "0"],
        &["--retries", "0", "-S", "64K"],
    ] {
        let call = mc("map").args(["--failed", "skip"]).args(options).args(["-c", LINE]);
        let said = call.stdin(numbers(2000)).stdout(doubled()).stderr_any().succeeds().stderr;
        let want = "mc-map: 20 records dropped, on which the command failed";
        assert_eq!(last(said), want, "{options:?}");
    }
}

#[test]
fn what_is_left_out_is_kept_and_can_be_run_again() {
    let dir = dir();
    let file = dir.path().join("failed");
    let policy = format!("--failed=file={}", file.display());
    let call = mc("map").args([&policy, "--block", "1K", "-c", LINE]).stdin(numbers(300));
    call.stderr_has("3 records dropped, on which the command failed").succeeds();
    let kept = std::fs::read_to_string(&file).unwrap();
    let first = r#"{"record":13,"host":"localhost","task":1,"status":9,"stderr":["no 13"]}"#;
    assert_eq!(kept.lines().next().unwrap(), first);
    assert_eq!(jq(&["-c", ".record"], &kept), b"13\n113\n213\n");
    let again = format!("jq -c .record '{}' | mc-map jq '. * 2'", file.display());
    sh("bash", &again).stdout("26\n226\n426\n").succeeds();
}

#[test]
fn what_is_bad_and_what_fails_is_not_kept_in_one_file() {
    let dir = dir();
    let call = mc("map").current_dir(&dir).args(["--bad", "file=both", "--failed", "file=./both"]);
    call.arg("cat").stdin("1\nbad\n").stdout("").stderr_has("in two files, not in one").fails(2);
}

#[test]
fn a_signal_and_a_timeout_are_faults_too() {
    let dir = dir();
    let file = dir.path().join("failed");
    let policy = format!("--failed=file={}", file.display());
    let line = "while read -r n; do [ $n != 5 ] || kill -SEGV $$; [ $n != 7 ] || exec sleep 67.5; \
                echo $n; done";
    let call = mc("map").args([&policy, "--block=1K", "--retries=0", "--timeout=2s", "-c", line]);
    call.stdin(numbers(8)).stdout("1\n2\n3\n4\n6\n8\n").stderr_any().succeeds();
    let kept = std::fs::read_to_string(&file).unwrap();
    let want = "{\"record\":5,\"host\":\"localhost\",\"task\":1,\"signal\":\"SIGSEGV\",\"stderr\":[]}\n\
                {\"record\":7,\"host\":\"localhost\",\"task\":1,\"timeout\":true,\"stderr\":[]}\n";
    assert_eq!(kept, want);
}

#[test]
fn no_more_than_the_limit_are_left_out() {
    let call = |limit: &str| {
        mc("map").args(["--failed", limit, "--block", "1K", "-c", LINE]).stdin(numbers(300))
    };
    call("limit=3").stderr_has("3 records dropped").succeeds();
    let said = call("limit=2").fails_with(1, "the command fails on more than 2 records (--failed)");
    assert!(doubled().as_bytes().starts_with(&said.stdout));
    mc("map").args(["--failed", "maybe", "cat"]).fails_with(2, "say fail, skip, file=PATH or");
}

#[test]
fn a_record_is_given_up_only_after_its_own_attempts() {
    let dir = dir();
    let marker = dir.path().join("tried");
    let line =
        format!("if grep -x 5; then test -e {0} || {{ touch {0}; exit 1; }}; fi", marker.display());
    for retries in ["0", "1"] {
        let call =
            mc("map").args(["--failed=skip", "--block=1K", "--retries", retries, "-c", &line]);
        call.stdin(numbers(9)).stdout("5\n").succeeds();
        std::fs::remove_file(&marker).unwrap();
    }
    let line = "if grep -qx 5; then test $MC_ATTEMPT -ge 6 || exit 1; fi; true";
    let call =
        |retries| mc("map").args(["--failed=skip", "--block=1K", "--retries", retries, "-c", line]);
    call("0").stdin("5\n").stderr_has("1 record dropped").succeeds();
    call("5").stdin("5\n").stdout("").succeeds();
}

#[test]
fn the_statuses_of_success_and_lines_of_text_hold() {
    let line = "while read -r l; do [ \"$l\" != 'a b' ] || exit 3; echo \"<$l>\"; done; exit 1";
    let call = mc("map").args(["-t", "--ok-exit", "1", "--failed", "skip", "-c", line]);
    let call = call.stdin("\"x\"\n\"a b\"\n\"\"\n").stdout("\"<x>\"\n\"<>\"\n");
    call.stderr_has("exit status 3, on this record alone: \"a b\"").succeeds();
}

#[test]
fn a_command_that_is_not_there_is_no_records_fault() {
    let call = mc("map").args(["--failed", "skip", "-c", "no-such-command-xyz"]).stdin("1\n2\n");
    call.stdout("").stderr_has("exit status 127").fails(1);
    mc("map").args(["--failed=skip", "--per", "shard", "cat"]).fails_with(2, "--per shard");
}

#[test]
fn what_it_says_is_shown_once() {
    let line = "echo why >&2; exit 2";
    let call = mc("map").args(["--failed", "skip", "--block", "20b", "-c", line]);
    let said = call.stdin(numbers(200)).stdout("").stderr_any().succeeds().stderr;
    let said = String::from_utf8(said).unwrap();
    let task =
        |line: &str| line.split_once(": task ").unwrap().1.split_once(": ").unwrap().1.to_string();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert_eq!(task(lines[0]), "why");
    assert!(task(lines[1]).starts_with("exit status 2, on this record alone: "), "{said}");
    assert_eq!(lines[2], "mc-map: 200 records dropped, on which the command failed");
}

#[test]
fn numbers_about_them_are_kept() {
    let dir = dir();
    let stats = dir.path().join("stats");
    let call = mc("map").arg("--stats").arg(&stats).args(["--failed", "skip", "-c", LINE]);
    call.stdin(numbers(100)).stderr_any().succeeds();
    let text = std::fs::read_to_string(&stats).unwrap();
    assert!(text.contains("\"failed\":1,") && text.contains("\"records_out\":99"), "{text}");
}

/// `mc-map` on workers of this machine, and what it kept of the records that failed.
#[track_caller]
fn on_workers(script: &str) -> (Call, tempfile::TempDir) {
    let dir = dir();
    let call = sh("bash", script).env("LINE", LINE).current_dir(&dir).stderr_any();
    (call, dir)
}

#[test]
fn on_hosts_it_is_the_same() {
    for (script, options) in [
        ("seq 2000 | mc-map -h :,: --block 1K", ""),
        ("seq 2000 | mc-map -h : --block 300", "--retries 0"),
        ("seq 2000 | mc-scatter -h :,: --block 2K | mc-map", "--retries 2"),
    ] {
        let script = format!("{script} --failed file=bad {options} -c \"$LINE\" | mc-gather");
        let (call, dir) = on_workers(&script);
        let said = call.stdout(doubled()).succeeds().stderr;
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("mc-map: 20 records dropped, on which the command failed"), "{said}");
        assert_eq!(names(&dir), ["bad"]);
        let kept = std::fs::read_to_string(dir.path().join("bad")).unwrap();
        let records: Vec<u8> =
            (0..20).flat_map(|n| format!("{}\n", n * 100 + 13).into_bytes()).collect();
        assert_eq!(jq(&["-c", ".record"], &kept), records, "{script}");
        assert!(kept.lines().all(|line| line.contains("\"host\":\"localhost")), "{kept}");
        assert!(kept.contains("\"status\":9,\"stderr\":[\"no 13\"]"), "{kept}");
    }
}

#[test]
fn on_hosts_too_many_fail_the_stage() {
    let script =
        "seq 2000 | mc-map -h :,: --block 1K --failed limit=5 -c \"$LINE\" | mc-gather -o o.ndjson";
    let (call, dir) = on_workers(script);
    call.stderr_has("fails on more than 5 records").fails(4);
    assert_eq!(names(&dir), [""; 0]);
    let script = "seq 9 | mc-map -h :,: --failed skip -c no-such-command-xyz | mc-gather";
    on_workers(script).0.stderr_has("exit status 127").fails(4);
}

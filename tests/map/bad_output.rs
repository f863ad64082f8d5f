//! Commands whose output is no NDJSON.

use crate::support::{Output, dir, mc};

use super::numbers;

#[test]
fn output_is_checked_and_the_place_named() {
    let call = mc("map").args(["-c", "echo 1; echo '{\"a\":}'"]).stdin("0\n").stdout("");
    let place = "task 1: output of bash -c 'echo 1; echo '\\''{\"a\":}'\\''': line 2, byte 6:";
    call.stderr_has("by hand: bash -c ").fails_with(3, place);
    mc("map").args(["printf", "\\377\\n"]).stdin("0\n").fails_with(3, "not UTF-8");
    mc("map").args(["printf", "a\\033\\n"]).stdin("0\n").fails_with(3, "\\u{1b}");
}

#[test]
fn plain_lines_are_told_how_to_become_records() {
    let words = "\"tea\"\n\"salt\"\n";
    let call = mc("map").args(["-c", "jq -r ."]).stdin(words);
    call.fails_with(
        3,
        " (for plain lines say -t, where records are strings, or -c '... | jq -R .')",
    );
    // Both do what they say, and keep every line.
    mc("map").args(["-t", "-c", "cat"]).stdin(words).stdout(words).succeeds();
    mc("map").args(["-c", "jq -r . | jq -R ."]).stdin(words).stdout(words).succeeds();
    let said =
        mc("map").args(["-c", "echo \"{'a': 1}\""]).stdin("1\n").stderr_any().fails(3).stderr;
    assert!(!String::from_utf8(said).unwrap().contains("plain lines"));
    let call = mc("reduce").args(["-c", "jq -r '.[0]'"]).stdin("[\"tea\",1]\n");
    call.fails_with(3, " (make strings of plain lines: -c '... | jq -R .')");
    let script = "echo '\"tea\"' | mc-map -h : -c 'jq -r .' | mc-gather";
    crate::support::sh("bash", script).stderr_has("for plain lines say -t").fails(4);
}

#[test]
fn half_a_record_is_no_record() {
    mc("map").args(["printf", "1\\n2"]).stdin("0\n").stdout("1\n2\n").succeeds();
    mc("map").args(["printf", "1\\n{\"a\":"]).stdin("0\n").fails_with(3, "line 2, byte 6");
    // A bad end is told before bad output.
    mc("map").args(["-c", "printf '{'; exit 1"]).stdin("0\n").fails_with(1, "exit status 1");
}

#[test]
fn only_what_came_before_bad_output_is_there() {
    let line = "read -r n; test \"$n\" = 3 && echo [; echo $n";
    for jobs in ["1", "4"] {
        let call = mc("map").args(["-j", jobs, "--block", "2", "-c", line]).stdin(numbers(9));
        let said = call.stderr_has("task 3: output of").fails(3);
        assert_eq!(said.text(), "1\n2\n", "-j {jobs}");
    }
}

#[test]
fn bad_output_can_be_dropped_and_kept_in_order() {
    let dir = dir();
    let file = dir.path().join("bad");
    let line = "sed 's/^.*3$/no &/'";
    let call = || mc("map").args(["-j", "4", "--block", "64"]);
    let records = numbers(100);
    let good: String =
        records.lines().filter(|l| !l.ends_with('3')).map(|l| format!("{l}\n")).collect();
    call()
        .args(["--bad", "skip", "-c", line])
        .stdin(&records)
        .stdout(&good)
        .stderr_has("10 bad records dropped")
        .succeeds();
    let kept = format!("--bad=file={}", file.display());
    call().args([&kept, "-c", line]).stdin(&records).stdout(&good).stderr_any().succeeds();
    let want: String = (0..10)
        .map(|n| format!("no {}3\n", if n == 0 { String::new() } else { n.to_string() }))
        .collect();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), want);
    call()
        .args(["--bad", "limit=10", "-c", line])
        .stdin(&records)
        .stdout(&good)
        .stderr_any()
        .succeeds();
    call()
        .args(["--bad", "limit=9", "-c", line])
        .stdin(&records)
        .fails_with(3, "more than 9 bad records");
}

#[test]
fn the_output_of_a_failed_attempt_is_not_judged() {
    let line = "test $MC_ATTEMPT = 2 && cat || { echo [; exit 1; }";
    let call = mc("map").args(["--bad=skip", "-c", line]).stdin("1\n").stdout("1\n");
    let said = call.stderr_has("trying again").succeeds();
    assert!(!String::from_utf8(said.stderr).unwrap().contains("dropped"));
}

#[test]
fn a_record_without_an_end_is_refused_in_little_memory() {
    let dir = dir();
    let peak = dir.path().join("peak");
    let line = "printf '\"'; head -c 300000000 /dev/zero | tr '\\0' x; echo '\"'; echo 2";
    let call = |options: &[&str]| {
        mc("map").args(["-S", "8M", "--max-record", "1M"]).args(options).args(["-c", line])
    };
    let said = call(&[]).peak_to(&peak).stdin("1\n").stdout("");
    said.fails_with(3, "line 1: a record over 1048576 bytes");
    assert!(Output::peak(&peak) < 40 << 20, "{}", Output::peak(&peak));
    call(&["--bad=skip"]).stdin("1\n").stdout("2\n").stderr_any().succeeds();
}

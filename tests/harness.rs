//! The harness itself: that it notices what it is there to notice.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Call, Output, dir, jq, python, rows, sh};

#[test]
fn rows_are_compact_and_keep_their_order_and_spelling() {
    assert_eq!(
        rows![{"w": "b \" x", "a": [1.50, 1e400]}, "x y", null],
        "{\"w\":\"b \\\" x\",\"a\":[1.50,1e400]}\n\"x y\"\nnull\n"
    );
}

#[test]
fn stdin_larger_than_a_pipe_goes_through() {
    let bytes = vec![b'x'; 3 << 20];
    sh("dash", "cat").stdin(&bytes).stdout(&bytes).succeeds();
}

#[test]
#[should_panic(expected = "differs in line 2")]
fn a_wrong_output_is_noticed() {
    sh("dash", "printf 'a\\nb\\n'").stdout("a\nc\n").succeeds();
}

#[test]
#[should_panic(expected = "standard error is not empty")]
fn words_on_standard_error_are_noticed() {
    sh("dash", "echo careful >&2").succeeds();
}

#[test]
#[should_panic(expected = "exit status 3, expected 0")]
fn a_wrong_exit_status_is_noticed() {
    sh("dash", "exit 3").succeeds();
}

#[test]
#[should_panic(expected = "hangs")]
fn a_hang_is_noticed() {
    sh("dash", "sleep 100").within(Duration::from_millis(50)).succeeds();
}

#[test]
#[should_panic(expected = "holds Out open")]
fn a_daemon_that_holds_the_output_is_noticed() {
    sh("dash", "sleep 3 2>&- & exit 0").within(Duration::from_millis(300)).succeeds();
}

#[test]
#[should_panic(expected = "stdout() is said twice")]
fn a_second_expectation_does_not_take_the_place_of_the_first() {
    sh("dash", "echo b").stdout("a\n").stdout("b\n").succeeds();
}

#[test]
#[should_panic(expected = "stdin() is said twice")]
fn a_second_input_does_not_take_the_place_of_the_first() {
    sh("dash", "cat").stdin("a\n").stdin("b\n").stdout("b\n").succeeds();
}

#[test]
#[should_panic(expected = "sends to a file")]
fn nothing_is_expected_of_an_output_that_goes_to_a_file() {
    sh("dash", "echo a").stdout("").stdout_to("/dev/null").succeeds();
}

#[test]
#[should_panic(expected = "stderr_has() of nothing")]
fn an_empty_text_is_no_expectation() {
    sh("dash", "true").stderr_has("").succeeds();
}

#[test]
#[should_panic(expected = "is looked at by ends() or exits()")]
fn what_is_expected_is_not_passed_over() {
    sh("dash", "echo b").stdout("a\n").stderr_any().spawn().wait();
}

#[test]
fn a_signal_counts_as_its_number_past_128() {
    let running = sh("bash", "exec sleep 100").spawn();
    running.signal(Signal::SIGTERM);
    running.exits(143);
}

#[test]
fn peak_memory_is_that_of_the_child() {
    let dir = dir();
    let peak = dir.path().join("peak");
    let hold = "x = bytearray(64 << 20)\nfor i in range(0, 64 << 20, 4096): x[i] = 1";
    Call::new("python3").args(["-c", hold]).peak_to(&peak).succeeds();
    let held = Output::peak(&peak);
    assert!((64 << 20..128 << 20).contains(&held), "{held}");
}

#[test]
fn oracles_answer() {
    assert_eq!(jq(&["-c", "sort"], "[2,1]"), b"[1,2]\n");
    assert_eq!(python("import sys; print(sys.stdin.read() + sys.argv[1])", &["b"], "a"), b"ab\n");
}

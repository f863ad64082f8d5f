//! What becomes of other tasks when one fails (`--halt`), and of those that lag behind at the end
//! (`--speculate`).

use std::path::Path;

use crate::support::{Call, dir, mc};

/// `mc-map` with `options` over three tasks of a record each: the second one fails once the others
/// have begun, which then do `first` and `third`.
fn three(dir: &Path, options: &[&str], first: &str, third: &str) -> Call {
    let line = format!(
        "cd {}; read -r n; touch began$n; case $n in\n\
         1) until test -e failed; do sleep 0.01; done; {first} && echo $n;;\n\
         2) until test -e began1 && test -e began3; do sleep 0.01; done; touch failed; exit 9;;\n\
         3) until test -e failed; do sleep 0.01; done; {third} && touch done3; echo $n;;\n\
         esac",
        dir.display()
    );
    let call = mc("map").args(["-j", "3", "--block", "2", "--retries", "0"]).args(options);
    call.args(["-c", &line]).stdin("1\n2\n3\n")
}

#[test]
fn what_is_behind_a_failure_is_ended_and_what_is_before_it_counts() {
    let dir = dir();
    three(dir.path(), &[], "sleep 0.5", "sleep 600").stdout("1\n").stderr_has("task 2").fails(1);
    assert!(!dir.path().join("done3").exists());
}

#[test]
fn now_ends_all_at_once() {
    let dir = dir();
    let call = three(dir.path(), &["--halt", "now"], "sleep 600", "sleep 600");
    call.stdout("").stderr_has("task 2: ").fails(1);
    assert!(!dir.path().join("done3").exists());
}

#[test]
fn soon_lets_all_come_to_their_end() {
    let dir = dir();
    let call = three(dir.path(), &["--halt", "soon"], "sleep 0.5", "sleep 1");
    call.stdout("1\n").stderr_has("exit status 9").fails(1);
    assert!(dir.path().join("done3").exists());
}

#[test]
fn nothing_begins_after_a_failure() {
    for halt in ["now", "soon"] {
        let dir = dir();
        let line = format!("read -r n; echo $n >> {}/began; test $n != 3", dir.path().display());
        let args = ["-j", "1", "--block", "2", "--retries", "0", "--halt", halt, "-c", &line];
        mc("map").args(args).stdin("1\n2\n3\n4\n5\n").stdout("").stderr_any().fails(1);
        assert_eq!(std::fs::read_to_string(dir.path().join("began")).unwrap(), "1\n2\n3\n");
    }
    mc("map").args(["--halt", "later", "cat"]).fails_with(2, "now, soon");
}

#[test]
fn who_lags_behind_gets_a_second_attempt() {
    for (options, numbers) in [(&["--block", "2"][..], "1 3"), (&["--each"], "1 2")] {
        let line = format!(
            "read -r n; case \" {numbers} \" in *\" $MC_ATTEMPT \"*) ;; *) exit 7; esac\n\
             test $n = 8 -a $MC_ATTEMPT = 1 && sleep 600; echo $n"
        );
        let call = mc("map").args(["-j", "2", "--speculate"]).args(options).args(["-c", &line]);
        call.stdin(super::numbers(8))
            .stdout(super::numbers(8))
            .stderr_has("it takes long: a second attempt begins")
            .succeeds();
    }
}

#[test]
fn of_two_attempts_the_one_that_goes_well_counts() {
    let dir = dir();
    let line = |first: &str, second: &str| {
        format!(
            "cd {}; read -r n; test $n != 4 || case $MC_ATTEMPT in\n\
             1) {first};;\n\
             *) touch second; {second};;\n\
             esac; echo $n",
            dir.path().display()
        )
    };
    let call = |line: String| {
        let args = ["-j", "2", "--block", "2", "--retries", "0", "--speculate", "-c", &line];
        mc("map").args(args).stdin("1\n2\n3\n4\n").stderr_any()
    };
    let second = "until test -e second; do sleep 0.01; done";
    call(line(&format!("{second}; sleep 1"), "exit 3")).stdout("1\n2\n3\n4\n").succeeds();
    std::fs::remove_file(dir.path().join("second")).unwrap();
    call(line(&format!("{second}; exit 5"), "sleep 1")).stdout("1\n2\n3\n4\n").succeeds();
    std::fs::remove_file(dir.path().join("second")).unwrap();
    let said = call(line(&format!("{second}; exit 5"), "sleep 1; exit 3")).stdout("1\n2\n3\n");
    let said = said.fails(1).stderr;
    assert!(
        String::from_utf8_lossy(&said).ends_with("exit status 5; the output is not complete\n")
    );
}

//! Pipes in a line of `-c`: it fails when a member fails, here and on hosts, and not for a reader
//! that had enough.

use crate::support::{Call, dir, mc, sh};

use super::numbers;

/// Workers of this machine.
const WORKERS: &str = ":,:";

#[test]
fn a_member_that_fails_fails_the_line() {
    let fails = |options: &[&str], line: &str, how: &str| {
        let call = mc("map").args(options).args(["-c", line]).stdin(numbers(10)).stdout("");
        let said = call.stderr_has(how).fails(1).stderr;
        let said = String::from_utf8(said).unwrap();
        let shown = format!("bash -o pipefail -c '{line}': {how}");
        assert!(said.lines().last().unwrap().contains(&shown), "{said}");
    };
    fails(&[], "false | cat", "exit status 1");
    fails(&[], "cat | (cat; exit 3) | cat", "exit status 3");
    fails(&[], "no-such-command-xyz | cat", "exit status 127");
    fails(&[], "kill -SEGV $BASHPID | cat", "exit status 139");
    fails(&[], "exit 7 | yes | head -n 1", "exit status 7");
    fails(&["--ok-exit", "0,1"], "exit 2 | cat", "exit status 2");
}

#[test]
fn nothing_is_published_of_a_line_that_fails() {
    let dir = dir();
    let script = "seq 10 | mc-map -c 'false | cat' | mc-gather -o v.ndjson";
    sh("dash", script).current_dir(&dir).stdout("").stderr_has("mc-map failed").fails(4);
    assert_eq!(crate::support::names(&dir), [""; 0]);
}

#[test]
fn a_member_whose_reader_had_enough_is_well() {
    let one = |line: &str| {
        let call = mc("map").args(["--per", "shard", "-c", line]).stdin(numbers(100_000));
        call.stdout("1\n").succeeds();
    };
    one("sort -n | head -n 1");
    one("yes 1 | head -n 1");
    one("cat | cat | cat | head -n 1 && true");
    one("if yes 1 | grep -q 1; then echo 1; else echo 2; fi");
    one("first() { head -n 1; }; cat | first # no more");
    one("x=$(cat | head -n 1)\ncat <<E |\n$x\nE\nhead -n 1");
    // Only a signal tells: a program that takes the closed pipe for an error has failed.
    let line = "python3 -c 'for n in range(10**6): print(n)' | head -n 1";
    mc("map").args(["-c", line]).stdin("1\n").stderr_has("BrokenPipeError").fails(1);
}

#[test]
fn the_statuses_of_success_are_for_every_member() {
    let call = || mc("map").args(["--ok-exit", "0,1"]).stdin(numbers(3));
    call().args(["-c", "grep x | cat; true | grep x"]).stdout("").succeeds();
    call().args(["-c", "grep x | grep y"]).stdout("").succeeds();
    call().args(["-c", "(cat; exit 3) | cat"]).stderr_any().fails(1);
}

#[test]
fn a_line_may_judge_its_pipes_itself() {
    let line = "(cat; exit 3) | cat; test ${PIPESTATUS[0]} = 3";
    mc("map").args(["-c", line]).stdin("1\n").stdout("1\n").succeeds();
    mc("map").args(["-c", "{ false || true; } | cat"]).stdin("1\n").stdout("").succeeds();
}

#[test]
fn functions_take_their_pipes_to_other_shells_and_names_do_not_clash() {
    let text = |line: &str, printed: &str| {
        mc("map").args(["-t", "-c", line]).stdin("\"a\"\n").stdout(printed).succeeds();
    };
    let f = "f() { grep -q a | cat; }; export -f f;";
    text(&format!("{f} bash -c 'if f; then echo yes; else echo no; fi'"), "\"yes\"\n");
    let f = "f() { echo $1 | tr a b; }; export -f f;";
    text(&format!("{f} xargs -I{{}} bash -c 'f {{}}'"), "\"b\"\n");
    text("f() { cat | cat; }; bash -c \"$(declare -f f); f\"", "\"a\"\n");
    text("readonly s=5 i=6 bad=7; yes $s | head -n 1; cat | cat", "\"5\"\n\"a\"\n");
}

#[test]
fn what_is_no_pipe_is_none() {
    let line = "grep -E '1|3' || true; case 1 in 1|2) ;; esac; echo $((4 | 1))";
    mc("map").args(["--per=shard", "-c", line]).stdin(numbers(4)).stdout("1\n3\n5\n").succeeds();
    mc("map").args(["-c", "cat | 'head"]).fails_with(2, "byte 7: this quote does not end");
}

#[test]
fn on_hosts_it_is_the_same() {
    let map = |line: &str| {
        sh("bash", &format!("seq 10 | mc-map -h {WORKERS} --block 1K -c '{line}' | mc-gather"))
    };
    map("yes 1 | head -n 1").stdout("1\n").succeeds();
    let said = "bash -o pipefail -c '\\''false | cat'\\'': exit status 1";
    let said = said.replace("'\\''", "'");
    map("false | cat").stdout("").stderr_has(said).fails(4);
}

#[test]
fn whole_groups_are_treated_alike() {
    let reduce = |line: &str| mc("reduce").args(["-c", line]).stdin("[1,1]\n[1,2]\n");
    reduce("false | cat").stdout("").stderr_has("exit status 1").fails(1);
    reduce("cat | head -n 1").stdout("[1,1]\n").succeeds();
    let script = "seq 9 | mc-map -h :,: cat | mc-shuffle -k . | mc-reduce -c 'exit 3 | cat' | \
                  mc-gather";
    sh("bash", script).stdout("").stderr_has("exit status 3").fails(4);
}

/// A PATH with the programs that the tests need, and without bash.
fn without_bash(dir: &tempfile::TempDir) -> String {
    let script = "for p in sh cat grep sort head seq env dash; do ln -s $(command -v $p) $0; done";
    Call::new("sh").args(["-c", script]).arg(dir.path()).succeeds();
    dir.path().display().to_string()
}

#[test]
fn without_bash_a_pipe_is_refused_and_anything_else_runs() {
    let dir = dir();
    let path = without_bash(&dir);
    let map = |line: &str| mc("map").env("PATH", &path).args(["-c", line]).stdin(numbers(3));
    map("sort | head -n 1").fails_with(2, "a pipe in -c needs bash, which is in no directory of");
    map("grep -E '1|2' || true").stdout("1\n2\n").succeeds();
    mc("reduce").env("PATH", &path).args(["-c", "sort | cat"]).stdin("1\n").fails_with(2, "bash");
    let tools = crate::support::tools().display();
    let script =
        format!("seq 3 | {tools}/mc-map -h {WORKERS} -c 'sort | cat' | {tools}/mc-gather; echo $?");
    let call = Call::new("sh").args(["-c", &script]).env("PATH", &path).stdout("4\n");
    call.stderr_has("a pipe in -c needs bash").succeeds();
}

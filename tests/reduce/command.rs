//! A command that gets whole groups.

use crate::support::*;

/// Prints for each run of equal first elements how many there are: a torn group would print twice.
const COUNT: &str = "jq -c '.[0]' | uniq -c | awk '{print \"[\" $2 \",\" $1 \"]\"}'";

#[test]
fn a_command_gets_whole_groups() {
    let input: String = (0..3000).map(|n| format!("[{},{n}]\n", n / 7)).collect();
    let want: String =
        (0..429).map(|g| format!("[{g},{}]\n", if g == 428 { 4 } else { 7 })).collect();
    for block in ["1b", "100b", "5K", "1M"] {
        let call = mc("reduce").args(["-j", "2", "--block", block, "-c", COUNT]);
        call.stdin(&input).stdout(&want).succeeds();
    }
    let shell = ["--", "sh", "-c", COUNT];
    mc("reduce").args(["-k", ".[0]"]).args(shell).stdin(&input).stdout(&want).succeeds();
}

#[test]
fn one_group_is_one_process() {
    let input: String = (0..50_000).map(|n| format!("[\"k\",{n}]\n")).collect();
    let call = mc("reduce").args(["-S", "64K", "--block", "1K", "-c", "wc -l"]);
    call.stdin(&input).stdout("50000\n").succeeds();
    mc("reduce").args(["--all", "-c", "wc -l"]).stdin(&input).stdout("50000\n").succeeds();
}

#[test]
fn a_command_that_fails_names_its_groups() {
    let input = "[1,1]\n[1,2]\n[2,1]\n[3,1]\n";
    let line = "grep -q '^.3' && exit 9; cat";
    let dir = dir();
    let call = mc("reduce").args(["--block", "1b", "-j", "1", "-c", line]).stdin(input);
    let call = call.env("XDG_STATE_HOME", dir.path());
    let said = call.stderr_has("exit status 9").fails(1).stderr;
    let said = String::from_utf8(said).unwrap();
    let path = said.lines().find_map(|line| line.split_once("' < ")).unwrap().1;
    assert_eq!(std::fs::read_to_string(path).unwrap(), "[3,1]\n");
}

#[test]
fn groups_out_of_order_are_refused() {
    let call = mc("reduce").args(["-c", "cat"]).stdin("[2]\n[1]\n");
    call.stderr_has("line 2: the input is not in the order of the key").fails(3);
    let call = mc("reduce").args(["-k", "a", "-c", "cat"]).stdin("{\"b\":1}\n");
    call.stderr_has("has no 'a'").fails(3);
}

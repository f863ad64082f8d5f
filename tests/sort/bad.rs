//! Records that are none, that have no key, and inputs at their edges.

use crate::support::*;

#[test]
fn bad_records_are_named_by_line_and_byte() {
    for tool in ["sort", "shuffle"] {
        let say = |input: &[u8], text: &str| {
            mc(tool).args(["-k", "a"]).stdin(input).stdout("").stderr_has(text).fails(3);
        };
        say(b"{\"a\":1}\n{\"a\":1,}\n", "standard input: line 2, byte 8: expected a member name");
        say(b"{\"a\":1}\n\n{\"a\":\"\xff\"}\n", "line 3, byte 7: not UTF-8");
        say(b"{\"a\":1}\n{\"b\":1}\n", "line 2: the record has no 'a'");
        say(b"{\"a\":1", "line 1, byte 7: the record ends inside an object");
    }
    let deep = format!("{}{}\n", "[".repeat(1025), "]".repeat(1025));
    mc("sort").stdin(deep).stderr_has("nested too deeply").fails(3);
    let long = format!("\"{}\"\n", "x".repeat(200));
    let call = mc("sort").args(["--max-record", "100"]).stdin(&long);
    call.stderr_has("line 1: a record over 100 bytes").fails(3);
}

#[test]
fn bad_records_can_be_dropped_and_kept() {
    let dir = dir();
    let input = b"3\n{bad\n1\n\xff\n2\n";
    let call = mc("sort").args(["--bad", "skip"]).stdin(input).stdout("1\n2\n3\n");
    call.stderr_has("2 bad records dropped").succeeds();
    let kept = dir.path().join("bad");
    let call = mc("sort").arg("--bad").arg(format!("file={}", kept.display())).stdin(input);
    call.stdout("1\n2\n3\n").stderr_has("2 bad records dropped").succeeds();
    assert_eq!(std::fs::read(kept).unwrap(), b"{bad\n\xff\n");
    mc("sort").args(["--bad", "limit=2"]).stdin(input).stderr_any().succeeds();
    mc("sort").args(["--bad", "limit=1"]).stdin(input).stderr_has("more than 1 bad").fails(3);
}

#[test]
fn missing_keys_are_errors_nulls_or_dropped() {
    let input = rows![{"a": 1}, {"b": 2}, {"a": "x"}];
    let call = mc("sort").args(["-k", "a", "--missing", "skip"]).stdin(&input);
    call.stdout(rows![{"a": 1}, {"a": "x"}])
        .stderr_has("1 record without the key dropped")
        .succeeds();
    let call = mc("sort").args(["-k", "a", "--missing", "null"]).stdin(&input);
    call.stdout(rows![{"b": 2}, {"a": 1}, {"a": "x"}]).succeeds();
    mc("sort").args(["-k", "a:n"]).stdin(&input).stderr_has("no 'a'").fails(3);
    let call = mc("sort").args(["-k", "a:n", "--missing", "skip"]).stdin(&input);
    call.stdout(rows![{"a": 1}]).stderr_has("2 records without the key").succeeds();
}

#[test]
fn edges_of_an_input() {
    for tool in ["sort", "shuffle"] {
        mc(tool).stdin("").stdout("").succeeds();
        mc(tool).stdin("\n \n\r\n").stdout("").succeeds();
        mc(tool).stdin("\u{feff}2\r\n1").stdout("1\n2\n").succeeds();
        mc(tool).stdin("1").stdout_to("/dev/full").stderr_has("No space left").fails(6);
        mc(tool).args(["-k", "a:x"]).stderr_has("bad key 'a:x'").fails(2);
        mc(tool).stdin("1\n\u{c}\n2\n").stderr_has("line 2, byte 1: expected a value").fails(3);
        mc(tool).args(["-j", "40000"]).stderr_has("a number from 1 to 1024").fails(2);
        mc(tool).args(["-T", "/nowhere"]).stderr_has("/nowhere").fails(2);
    }
}

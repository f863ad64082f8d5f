//! `-r`, `-u`, `--check` and `-m`.

use super::records;
use crate::support::*;

#[test]
fn reverse_keeps_equal_keys_in_the_order_of_the_input() {
    let input = "[1,\"a\"]\n[2,\"a\"]\n[1,\"b\"]\n[2,\"b\"]\n";
    let want = "[2,\"a\"]\n[2,\"b\"]\n[1,\"a\"]\n[1,\"b\"]\n";
    mc("sort").arg("-r").stdin(input).stdout(want).succeeds();
    mc("sort").args(["-k", ".[0]:r"]).stdin(input).stdout(want).succeeds();
    mc("sort")
        .args(["-rk", ".[0]:r"])
        .stdin(want)
        .stdout("[1,\"a\"]\n[1,\"b\"]\n[2,\"a\"]\n[2,\"b\"]\n")
        .succeeds();
}

#[test]
fn unique_keeps_the_first_of_each_key() {
    let input = "[1,\"a\"]\n[0,\"b\"]\n[1.0,\"c\"]\n[0e5,\"d\"]\n";
    mc("sort").arg("-u").stdin(input).stdout("[0,\"b\"]\n[1,\"a\"]\n").succeeds();
    for memory in ["1b", "40b", "1M"] {
        let call = mc("sort").args(["-u", "-S", memory]).stdin(input);
        call.stdout("[0,\"b\"]\n[1,\"a\"]\n").succeeds();
    }
}

#[test]
fn unique_is_what_it_is_of_records_that_came_before_too() {
    // Much that is the same, as it is or in other words, over many blocks; and what is new throughout.
    let record = |n: u64| match n % 5 {
        0 => format!("\"{}\"\n", n / 5 % 1000 * 7919 % 1000),
        1 => format!("\"\\u003{}{}\"\n", n % 10, n / 7 % 300),
        2 => format!("{{\"k\":{},\"n\":{}}}\n", n % 777, n % 3),
        3 => format!("{{\"k\":{}.0,\"n\":{n}}}\n", n % 777),
        _ => format!("\"a longer text, the number {n} of all\"\n"),
    };
    let input: String = (0..120_000).map(record).collect();
    let firsts =
        |filter: &str| Call::new("jq").args(["-nc", filter]).stdin(&input).succeeds().stdout;
    let all =
        firsts("[inputs] | group_by(if type == \"object\" then [.k, .n] else . end) | map(.[0])[]");
    let by_key = firsts("[inputs | objects] | group_by(.k) | map(.[0])[]");
    let spelled =
        |bytes: Vec<u8>| Call::new("jq").arg("-c").arg(".").stdin(bytes).succeeds().stdout;
    for memory in ["300K", "2M", "1G"] {
        let call = mc("sort").args(["-u", "-S", memory]).stdin(&input);
        assert_eq!(spelled(call.succeeds().stdout), all, "{memory}");
        let missing = mc("sort").args(["-u", "-k", "k", "--missing", "skip", "-S", memory]);
        let call = missing.stdin(&input).stderr_has("72000 records");
        assert_eq!(spelled(call.succeeds().stdout), by_key, "{memory}");
    }
}

#[test]
fn check_says_the_first_record_out_of_order() {
    mc("sort").arg("--check").stdin("1\n2\n2\n3\n").stdout("").succeeds();
    mc("sort").args(["--check", "-r"]).stdin("3\n2\n2\n").stdout("").succeeds();
    let call = mc("sort").arg("--check").stdin("1\n\n3\n2\n");
    call.stdout("").stderr_has("standard input: line 4: not in order").fails(3);
    let call = mc("sort").args(["--check", "-u"]).stdin("1\n1.0\n");
    call.stderr_has("line 2: not in order: the record has the key of").fails(3);
    let sorted = mc("sort").args(["-k", "k"]).stdin(records(3, 500)).succeeds().stdout;
    mc("sort").args(["--check", "-k", "k"]).stdin(sorted).stdout("").succeeds();
}

#[test]
fn merge_is_the_sort_of_sorted_inputs() {
    let dir = dir();
    let parts: Vec<_> = (0..7)
        .map(|n| {
            let sorted = mc("sort").args(["-k", "k"]).stdin(records(n, 200)).succeeds().stdout;
            write(&dir, &format!("part-{n}.ndjson"), sorted)
        })
        .collect();
    let whole: String = (0..7).map(|n| records(n, 200)).collect();
    let want = mc("sort").args(["-k", "k"]).stdin(&whole).succeeds().stdout;
    mc("sort").args(["-m", "-k", "k"]).args(&parts).stdout(want).succeeds();
    let want = mc("sort").args(["-uk", "k"]).stdin(&whole).succeeds().stdout;
    mc("sort").args(["-mu", "-k", "k"]).args(&parts).stdout(want).succeeds();
}

#[test]
fn merge_refuses_an_input_that_is_not_in_order() {
    let dir = dir();
    let (good, bad) = (write(&dir, "good.ndjson", "1\n2\n"), write(&dir, "bad.ndjson", "2\n1\n"));
    let call = mc("sort").arg("-m").args([&good, &bad]);
    call.stderr_has("bad.ndjson: line 2: not in order").fails(3);
}

#[test]
fn several_inputs_are_sorted_as_one() {
    let dir = dir();
    let (a, b) = (write(&dir, "a.ndjson", "3\n1"), write(&dir, "b.ndjson", "2\r\n0\r\n"));
    mc("sort").args([&a, &b]).stdout("0\n1\n2\n3\n").succeeds();
    mc("shuffle").args([&a, &b]).stdout("0\n1\n2\n3\n").succeeds();
}

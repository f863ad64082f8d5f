//! Keys, forms of results, and what is refused.

use crate::support::*;

#[test]
fn the_key_comes_from_k_or_the_stream_or_the_pairs() {
    let input = rows![{"r": "b", "v": 1}, {"r": "a", "v": 2}];
    let want = rows![{"r": "a", "v_sum": 2}, {"r": "b", "v_sum": 1}];
    let pipe = |line: &str| sh("dash", line).stdin(&input);
    pipe("mc-shuffle -k r | mc-reduce sum:v").stdout(&want).succeeds();
    pipe("mc-shuffle -k r | cat | mc-reduce -k r sum:v").stdout(&want).succeeds();
    let call = pipe("mc-shuffle -k r | cat | mc-reduce sum:v");
    call.stderr_has("by which key?").fails(2);
    let call = mc("reduce").args(["-k", "r", "sum:v"]).stdin(&input);
    call.stderr_has(
        "line 2: the input is not in the order of the key; group it first: mc-shuffle -k r",
    )
    .fails(3);
    let reversed = rows![{"r": "b", "v_sum": 1}, {"r": "a", "v_sum": 2}];
    pipe("mc-sort -k r:r | mc-reduce sum:v").stdout(&reversed).succeeds();
    pipe("mc-sort -rk r | mc-reduce sum:v").stdout(&reversed).succeeds();
    let pairs = rows![["b", 1], ["a", 2], ["b", 3]];
    sh("dash", "mc-sort -r | mc-reduce sum")
        .stdin(&pairs)
        .stdout(rows![["b", 4], ["a", 2]])
        .succeeds();
    let pairs = rows![["a", 1], ["a", 2], ["b", 3]];
    mc("reduce").arg("sum").stdin(pairs).stdout(rows![["a", 3], ["b", 3]]).succeeds();
}

#[test]
fn results_have_the_form_of_their_keys() {
    let input = rows![{"a": {"x": 1}, "b": 2, "v": 5}];
    let reduce = |key: &str, want: String| {
        mc("reduce").args(["-k", key, "count", "n=sum:v"]).stdin(&input).stdout(want).succeeds();
    };
    reduce(".a.x,b", rows![{"x": 1, "b": 2, "count": 1, "n": 5}]);
    reduce(".", rows![[{"a": {"x": 1}, "b": 2, "v": 5}, {"count": 1, "n": 5}]]);
    mc("reduce")
        .args(["-k", ".[0],.[1]", "count"])
        .stdin("[1,2]\n")
        .stdout("[[1,2],1]\n")
        .succeeds();
    mc("reduce").arg("count").stdin("\"w\"\n\"w\"\n").stdout("[\"w\",2]\n").succeeds();
    mc("reduce")
        .args(["--all", "count", "sum"])
        .stdin("1\n2\n")
        .stdout("{\"count\":2,\"sum\":3}\n")
        .succeeds();
    mc("reduce").args(["--all", "count"]).stdin("").stdout("{\"count\":0}\n").succeeds();
    mc("reduce").args(["-k", "a", "count"]).stdin("").stdout("").succeeds();
}

#[test]
fn wrong_calls_are_refused() {
    let refused = |args: &[&str], text: &str| {
        mc("reduce").args(args).stdin("{\"a\":1}\n").stderr_has(text).fails(2);
    };
    refused(&[], "compute what?");
    refused(&["-k", "a", "sum"], "sum of which field?");
    refused(&["-k", "a", "nope:a"], "bad op 'nope:a'");
    refused(&["-k", "a", "sum:b", "sum:b"], "two results are named 'b_sum'");
    refused(&["-k", "a", "a=count"], "both named 'a'");
    refused(&["-k", "a", "--all", "count"], "cannot be used with");
    refused(&["-k", "a", "count", "-c", "cat"], "do not go together");
    refused(&["-k", "a", "--retries", "2", "count"], "--retries is for a command");
    refused(&["-h", "hosts", "count"], "hosts");
}

#[test]
fn operands_that_are_none_are_judged() {
    let input = rows![{"k": 1, "v": "x"}];
    let call = mc("reduce").args(["-k", "k", "sum:v"]).stdin(input);
    call.stderr_has("line 1: sum:v: \"x\" is not a number").fails(3);
    let input = rows![{"k": 1, "v": ""}, {"k": 1, "v": null}, {"k": 1}, {"k": 1, "v": "2"}];
    mc("reduce").args(["-k", "k", "sum:v"]).stdin(&input).stderr_has("line 1").fails(3);
    let want = rows![{"k": 1, "v_sum": 2, "count": 4}];
    let call = mc("reduce").args(["-k", "k", "--missing", "null", "sum:v", "count"]);
    call.stdin(&input).stdout(&want).succeeds();
    let call = mc("reduce").args(["-k", "k", "--missing", "skip", "sum:v", "count"]);
    call.stdin(&input)
        .stdout(&want)
        .stderr_has("3 records lacking a value or a number, which is left out")
        .succeeds();
    mc("reduce").args(["-k", "k", "top=10001:v"]).stderr_has("a number from 1 to 10000").fails(2);
    let input = "[1,1e308]\n[1,1e308]\n";
    mc("reduce").arg("sum").stdin(input).stderr_has("group 1: sum: the result is beyond").fails(3);
}

//! Order and grouping: jq's, Python's exact numbers', and the same under every memory limit.

use super::records;
use crate::support::*;

/// What jq prints for our output: so that spelling does not matter, only values and their order.
fn as_jq_spells(output: &[u8]) -> Vec<u8> {
    jq(&["-c", "."], output)
}

#[test]
fn sort_and_shuffle_order_as_jq_does() {
    for seed in 0..20 {
        let input = records(seed, 300);
        let want = jq(&["-cs", "sort_by(.k)[]"], &input);
        for tool in ["sort", "shuffle"] {
            let got = mc(tool).args(["-k", "k"]).stdin(&input).succeeds();
            assert_eq!(as_jq_spells(&got.stdout), want, "seed {seed}");
        }
        let want = jq(&["-cs", "unique_by(.k)[]"], &input);
        let got = mc("sort").args(["-uk", "k"]).stdin(&input).succeeds();
        assert_eq!(as_jq_spells(&got.stdout), want, "seed {seed}");
        let whole = jq(&["-cs", "sort[]"], &input);
        assert_eq!(as_jq_spells(&mc("sort").stdin(&input).succeeds().stdout), whole);
    }
}

#[test]
fn a_group_is_never_torn() {
    let input = records(99, 2000);
    let want = jq(&["-cs", "group_by(.k)[] | [.[0].k, map(.n)]"], &input);
    let got = mc("shuffle").args(["-k", ".k", "-j", "3"]).stdin(&input).succeeds();
    let seen = jq(
        &[
            "-cn",
            "reduce inputs as $r ([]; if length > 0 and .[-1][0] == $r.k then .[-1][1] += [$r.n] else . + [[$r.k, [$r.n]]] end) | .[]",
        ],
        got.stdout,
    );
    assert_eq!(String::from_utf8(seen), String::from_utf8(want));
}

#[test]
fn records_keep_their_bytes() {
    let input = "{ \"k\" : 1.50, \"b\":\"\\u0041\" }\n{\"k\":1.5e0,\"k\":0}\n [1 , 2]\n";
    let want = " [1 , 2]\n{\"k\":1.5e0,\"k\":0}\n{ \"k\" : 1.50, \"b\":\"\\u0041\" }\n";
    mc("sort").args(["-k", "k", "--missing=null"]).stdin(input).stdout(want).succeeds();
}

#[test]
fn the_output_is_the_same_under_every_memory_limit() {
    let input = records(7, 1500);
    let dir = dir();
    let want = mc("sort").args(["-k", "k"]).stdin(&input).succeeds().stdout;
    for memory in ["1b", "3b", "100b", "2K", "64K", "300K", "1M", "16M"] {
        for jobs in ["1", "2", "5"] {
            let call = mc("sort").args(["-k", "k", "-S", memory, "-j", jobs, "-T"]).arg(dir.path());
            call.stdin(&input).stdout(&want).succeeds();
        }
    }
    assert!(names(&dir).is_empty());
}

#[test]
fn numbers_compare_exactly_whatever_their_size() {
    let mut random = Random::seeded(5);
    let mut digits = |most: u64| -> String {
        (0..1 + random.below(most)).map(|_| char::from(b'0' + random.below(10) as u8)).collect()
    };
    let numbers: String = (0..600)
        .map(|n| {
            let sign = if n % 3 == 0 { "-" } else { "" };
            let whole = format!("1{}", digits(25));
            let whole = if n % 5 == 0 { "0".into() } else { whole };
            match n % 4 {
                0 => format!("{sign}{whole}\n"),
                1 => format!("{sign}{whole}.{}\n", digits(30)),
                2 => format!("{sign}{whole}.{}e-{}\n", digits(5), digits(3)),
                _ => format!("{sign}{whole}E+{}\n", digits(2)),
            }
        })
        .collect();
    let oracle = "
import sys
from fractions import Fraction
lines = sys.stdin.read().split()
print('\\n'.join(sorted(lines, key=Fraction)))";
    let want = python(oracle, &[], &numbers);
    mc("sort").stdin(&numbers).stdout(&want).succeeds();
    let texts: String = numbers.lines().map(|n| format!("{{\"t\":\"{n}\"}}\n")).collect();
    let got = mc("sort").args(["-k", "t:n"]).stdin(texts).succeeds();
    assert_eq!(jq(&["-r", ".t"], got.stdout), want);
}

#[test]
fn exponents_are_never_expanded() {
    let input = "1e999999999999999999999999\n-1e999999999999999999999999\n1e-999999999999999999999\n0\n1e999999999999999999999998\n";
    let want = "-1e999999999999999999999999\n0\n1e-999999999999999999999\n1e999999999999999999999998\n1e999999999999999999999999\n";
    mc("sort").stdin(input).stdout(want).succeeds();
}

#[test]
fn order_by_orders_inside_the_groups() {
    let input = rows![
        {"u": "b", "ts": "9", "n": 0},
        {"u": "a", "ts": "10", "n": 1},
        {"u": "b", "ts": "10", "n": 2},
        {"u": "a", "ts": "9", "n": 3},
        {"u": "a", "ts": "10", "n": 4},
    ];
    let want = rows![
        {"u": "a", "ts": "10", "n": 1},
        {"u": "a", "ts": "10", "n": 4},
        {"u": "a", "ts": "9", "n": 3},
        {"u": "b", "ts": "10", "n": 2},
        {"u": "b", "ts": "9", "n": 0},
    ];
    mc("shuffle").args(["-k", "u", "--order-by", "ts:nr"]).stdin(input).stdout(want).succeeds();
}

#[test]
fn the_implied_key_is_the_first_element_else_the_record() {
    let input = "[\"b\",1]\n[\"a\",2]\n[\"b\",0]\n[\"a\",1]\n[]\n\"z\"\n{\"a\":1}\n";
    let want = "[\"a\",2]\n[\"a\",1]\n[\"b\",1]\n[\"b\",0]\n\"z\"\n[]\n{\"a\":1}\n";
    mc("shuffle").stdin(input).stdout(want).succeeds();
}

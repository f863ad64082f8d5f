//! Reduced: the bytes are those of the run without hosts.

use super::alike::{alike, sales, seven};
use crate::support::sh;

/// Every built-in op.
const OPS: &str = "count sum:v mean:v var:v stddev:v min:v max:v minby:v maxby:v first:n last:n \
    ndistinct:v collect:v top=3:v p50:v p99.9:v quantile=0.25:v";

fn ops(line: &str) -> String {
    line.replace("OPS", OPS)
}

#[test]
fn every_op_before_anything_is_sent() {
    let all = alike(
        sales(6000),
        [
            &ops("mc-shuffle -k k {x} --reduce OPS"),
            &ops("mc-shuffle -k k --order-by n:nr,v {x} --reduce OPS"),
            "mc-shuffle -k k:r,v {x} --reduce count first:n",
            "mc-shuffle --missing=null -k m {x} --reduce sum:v last:k",
            "mc-shuffle --missing=skip -k k {x} --reduce sum:m count",
        ],
    );
    assert_eq!([0, 1, 3, 4].map(|of: usize| all[of].lines().len()), [24, 24, 32, 24]);
    assert!(all.iter().all(|due| due.code == 0));
}

#[test]
fn every_op_where_groups_lie_or_their_parts() {
    let all = alike(
        sales(6000),
        [
            &ops("mc-shuffle -k k {x} | mc-reduce OPS"),
            &ops("mc-sort -k k {x} | mc-reduce {x} OPS"),
            &ops("mc-reduce --all {x} OPS"),
            &ops("mc-sort -k k,n {x} | mc-reduce -k k {x} OPS"),
            &ops("mc-sort -k k {x} | mc-map cat | mc-reduce -k k {x} OPS"),
            "mc-sort -r -k k {x} | mc-reduce {x} count first:n last:n",
            "mc-shuffle -k k:r {x} | mc-reduce count total=sum:v",
        ],
    );
    assert_eq!(all.each_ref().map(|due| due.lines().len()), [24, 24, 1, 24, 24, 24, 24]);
    assert!(all.iter().all(|due| due.code == 0));
}

#[test]
fn commands_get_whole_groups() {
    let last = r#"jq -nc "[inputs] | group_by(.k)[] | {k: .[0].k, n: length, last: .[-1].n}""#;
    let all = alike(
        sales(4000),
        [
            &format!("mc-shuffle -k k {{x}} | mc-reduce -c '{last}'"),
            &format!("mc-sort -k k {{x}} | mc-reduce -c '{last}'"),
            "mc-shuffle -k k --order-by n:n {x} | mc-reduce -- cat",
        ],
    );
    assert_eq!(all.map(|due| due.lines().len()), [24, 24, 4000]);
}

#[test]
fn pairs_have_a_key_of_their_own() {
    let pairs: String = (0..5000).map(|n| format!("[{}, {n}]\n", n * 31 % 57)).collect();
    let all = alike(
        pairs,
        [
            "mc-shuffle {x} | mc-reduce sum count",
            "mc-shuffle {x} --reduce sum max",
            "mc-sort {x} | mc-reduce {x} sum",
            "mc-sort {x} | mc-map cat | mc-reduce first",
            "mc-reduce --all {x} sum:'.[1]'",
        ],
    );
    assert_eq!(all.map(|due| due.lines().len()), [57, 57, 57, 57, 1]);
}

#[test]
fn groups_by_another_key_are_refused() {
    let refused = |line: &str, code: i32, text: &str| {
        let map = "set -o pipefail; mc-map -h n1,n3 --block 9K cat";
        let call = sh("bash", &format!("{map} | {line}; exit ${{PIPESTATUS[2]}}"));
        let call = call.on(seven()).stdin(sales(900));
        call.fails_with(code, text);
    };
    for road in ["direct", "relay"] {
        let reduce = format!("mc-reduce --exchange {road} count");
        let fix = "not in the order of the key; group it first: mc-shuffle -k n";
        refused(&format!("mc-shuffle -k k | {reduce} -k n"), 3, fix);
        refused(&format!("mc-map cat | {reduce} -k n"), 3, fix);
    }
    // Whether they are pairs is to be seen here.
    refused("mc-map cat | mc-reduce count", 2, "by which key?");
}

//! Inputs that are hard on an exchange: the bytes are those of the run without hosts.

use super::alike::{alike_on, alike_on_some, sales};

const LINES: [&str; 6] = [
    "mc-sort {x}",
    "mc-sort -u -k k {x}",
    "mc-shuffle -k k --order-by n:nr {x}",
    "mc-shuffle -k k {x} --reduce count first:n collect:n",
    "mc-shuffle -k k {x} | mc-reduce last:n sum:n",
    "mc-sort -k k {x} | mc-reduce {x} count p50:n",
];

#[test]
fn all_keys_are_equal() {
    let input: String =
        (0..9000).map(|n| format!("{{\"k\":\"a\",\"n\":{}}}\n", n * 7 % 9000)).collect();
    assert_eq!(alike_on_some(input, LINES).map(|due| due.lines().len()), [9000, 1, 9000, 1, 1, 1]);
}

#[test]
fn no_records_at_all() {
    assert!(alike_on_some("", LINES).iter().all(|due| due.code == 0 && due.stdout.is_empty()));
    let [all] = alike_on_some("\n\n", ["mc-reduce --all {x} count sum:n"]);
    assert_eq!(all.text(), "{\"count\":0,\"n_sum\":null}\n");
}

#[test]
fn a_record_among_empty_shards() {
    let lines = [
        "mc-map --ok-exit 0,1 grep '\"n\":\"*747\\b' | mc-sort -k v {x}",
        "mc-map --ok-exit 0,1 grep '\"n\":\"*747\\b' | mc-shuffle -k k {x} | mc-reduce count",
        "mc-map --ok-exit 0,1 grep nowhere | mc-shuffle -k k {x} --reduce count",
        "mc-shuffle -k k {x} | mc-map -c 'sed /hot/d' | mc-reduce -k k {road} max:v",
    ];
    assert_eq!(alike_on_some(sales(2000), lines).map(|due| due.lines().len()), [2, 1, 0, 23]);
}

#[test]
fn a_record_of_three_megabytes() {
    let large = format!("{{\"k\":\"c\",\"n\":5,\"x\":\"{}\"}}\n", "x".repeat(3_000_000));
    let input = sales(500) + &large + &sales(500);
    alike_on_some(
        &input,
        ["mc-sort -k k {x}", "mc-sort -r {x}", "mc-shuffle -k k {x} --reduce last"],
    );
}

#[test]
fn keys_that_begin_alike_for_longer_than_a_mark_holds() {
    let record =
        |n: u32| format!("{{\"k\":\"{}{:05}\",\"n\":{n}}}\n", "y".repeat(300), n * 7919 % 3001);
    let input: String = (0..6000).map(record).collect();
    assert_eq!(
        alike_on_some(input, LINES).map(|due| due.lines().len()),
        [6000, 3001, 6000, 3001, 3001, 3001]
    );
}

#[test]
fn a_million_keys() {
    let record = |n: u64| format!("{{\"k\":{},\"n\":{n}}}\n", n * 7919 % 1_000_003);
    let input: String = (0..1_000_000).map(record).collect();
    let lines = [
        "mc-sort -k k {x}",
        "mc-shuffle -k k {x} --reduce count",
        "mc-sort -k k {x} | mc-reduce {x} sum:n",
    ];
    let due = alike_on(&[(2, 1_000_003), (7, 300_007)], 1, input.as_ref(), lines);
    assert_eq!(due.map(|due| due.lines().len()), [1_000_000; 3]);
}

#[test]
fn more_than_the_memory() {
    let record = |n: u64| format!("{{\"k\":{},\"n\":{n},\"x\":\"{:0300}\"}}\n", n * 7919 % 2003, n);
    let input: String = (0..20_000).map(record).collect();
    let lines = [
        "mc-sort -S 1M -k k {x}",
        "mc-shuffle -S 1M -k k --order-by n:r {x}",
        "mc-shuffle -S 1M -k k {x} --reduce collect:n",
        "mc-sort -S 1M -k k {x} | mc-reduce -S 1M {x} collect:n",
    ];
    assert_eq!(
        alike_on_some(input, lines).map(|due| due.lines().len()),
        [20_000, 20_000, 2003, 2003]
    );
}

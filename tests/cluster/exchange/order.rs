//! Sorted and grouped: the bytes are those of the run without hosts.

use super::alike::{alike, sales};
use crate::support::{dir, sh, write};

#[test]
fn sorting() {
    let all = alike(
        sales(8000),
        [
            "mc-sort {x}",
            "mc-sort -k k {x}",
            "mc-sort -k n:nr,k {x}",
            "mc-sort -r -k k,n:n {x}",
            "mc-sort -u -k k {x}",
            "mc-sort -u -r -k n:n {x}",
            "mc-sort --missing=null -k m {x}",
            "mc-sort --missing=skip -k m:r {x}",
        ],
    );
    assert_eq!(all.map(|due| due.lines().len()), [8000, 8000, 8000, 8000, 24, 1009, 8000, 1143]);
}

#[test]
fn grouping() {
    let all = alike(
        sales(8000),
        [
            "mc-shuffle -k k {x}",
            "mc-shuffle -k k --order-by v:r,n:n {x}",
            "mc-shuffle -k n:n --order-by k {x}",
            "mc-shuffle --missing=null -k m --order-by m {x}",
        ],
    );
    assert!(all.iter().all(|due| due.lines().len() == 8000));
}

#[test]
fn one_stage_after_another() {
    let all = alike(
        sales(6000),
        [
            "mc-shuffle -k k {x} | mc-map jq -c '[.v,.k]' | mc-sort {x}",
            "mc-sort -k v {x} | mc-shuffle -k k {x}",
            "mc-shuffle -k v {x} | mc-map sed s/hot/cold/ | mc-shuffle -k k {x} | mc-reduce count",
            "mc-sort -u -k n:n {x} | mc-sort -k k:r {x}",
        ],
    );
    assert_eq!(all.map(|due| due.lines().len()), [6000, 6000, 24, 1009]);
}

/// A shell line that prints which shards of a manifest hold records.
const FILLED: &str = "sed 's/^#mc1 //' made.mc | jq -c 'select(.shard and .records > 0) | .shard'";

#[test]
fn a_heavy_key_spreads_over_ranges_and_keeps_its_order() {
    let dir = dir();
    let run = |line: &str| {
        let call = sh("bash", &format!("set -o pipefail; {line}")).current_dir(&dir);
        call.marked(dir.path())
    };
    let records = |keys: usize| {
        let record = |n: usize| format!("{{\"k\":\"key{}\",\"n\":\"{n:060}\"}}\n", n % keys);
        (0..20_000).map(record).collect::<String>()
    };
    // All of one key, in one shard.
    write(&dir, "in", records(1));
    run("mc-map -h :,: --block 64M -o x.mc cat < in && grep -c '\"shard\":' x.mc")
        .stdout("1\n")
        .succeeds();
    let sorted = run("mc-sort -S 2M -n 4 -k k -o made.mc < x.mc && mc-gather < made.mc | cmp - in");
    sorted.succeeds();
    run(FILLED).stdout("1\n2\n3\n4\n").succeeds();
    // Where a key has to stay together, it does.
    for (tool, due) in [("mc-shuffle -k k", "cat in"), ("mc-sort -u -k k", "head -n 1 in")] {
        let line = format!("mc-hosts --rm made.mc > rm && {tool} -S 2M -n 4 -o made.mc < x.mc");
        run(&format!("{line} && mc-gather < made.mc | cmp - <({due})")).succeeds();
        assert_eq!(run(FILLED).succeeds().lines().len(), 1, "{tool}");
    }
    run("mc-hosts --rm made.mc x.mc > rm").succeeds();
    // Three keys, in some shards of many blocks each.
    write(&dir, "in", records(3));
    for order in ["-k k", "-r -k k", "-k k:r"] {
        run("mc-map -h :,: --block 500K -o x.mc cat < in").succeeds();
        let line = format!("mc-sort {order} < in > due && mc-sort -S 1M -n 9 {order} < x.mc");
        run(&format!("{line} | mc-gather | cmp - due && mc-hosts --rm x.mc > rm")).succeeds();
    }
}

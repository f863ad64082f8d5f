//! Sorted and grouped: the bytes are those of the run without hosts.

use super::alike::{alike, sales};

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

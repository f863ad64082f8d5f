//! What could be done better: it is said where it holds, and gives the same bytes.

use super::{explained, files};
use crate::support::{sh, worker, write};

/// That the plan of `pipeline` has this advice, and that `better` gives the same bytes.
#[track_caller]
fn better(pipeline: &str, advice: &str, better: &str) {
    let dir = files();
    let rows: String = (0..500).map(|n| format!("{},{},{n}\n", n % 7, n % 3)).collect();
    write(&dir, "rows.csv", format!("a,b,n\n{rows}"));
    let text = explained(dir.path(), pipeline);
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(&format!("better: {advice}")), "{advice} is not in\n{text}");
    assert!(!explained(dir.path(), better).contains("better: "), "{better}");
    let run = |line: &str| {
        let call = sh("bash", &format!("set -o pipefail; {line}")).current_dir(dir.path());
        call.env("MC_WORKER", worker()).succeeds().text()
    };
    let wanted = run(pipeline);
    assert!(!wanted.is_empty());
    assert_eq!(run(better), wanted, "{better}");
}

#[test]
fn groups_are_reduced_in_one_step() {
    better(
        "mc-cat rows.csv | mc-shuffle -k a,b | mc-reduce count x=sum:n first:n",
        "mc-shuffle and mc-reduce in one step: mc-shuffle -k a,b --reduce count x=sum:n first:n",
        "mc-cat rows.csv | mc-shuffle -k a,b --reduce count x=sum:n first:n",
    );
    better(
        "mc-shuffle -k a --order-by n:nr rows.csv | mc-reduce -k a first:n",
        "mc-shuffle and mc-reduce in one step: mc-shuffle -k a --order-by n:nr --reduce first:n",
        "mc-shuffle -k a --order-by n:nr rows.csv --reduce first:n",
    );
    better(
        "mc-sort -k b:nr rows.csv | mc-reduce p50:n",
        "mc-sort and mc-reduce in one step: mc-shuffle -k b:nr --reduce p50:n",
        "mc-shuffle -k b:nr rows.csv --reduce p50:n",
    );
    better(
        "mc-cat rows.csv | mc-scatter -h :,: | mc-shuffle -k a | mc-reduce mean:n | mc-gather",
        "mc-shuffle and mc-reduce in one step: mc-shuffle -k a --reduce mean:n sends no more",
        "mc-cat rows.csv | mc-scatter -h :,: | mc-shuffle -k a --reduce mean:n | mc-gather",
    );
}

#[test]
fn what_is_in_order_is_not_put_in_order_again() {
    better(
        "mc-sort -k a,n:nr rows.csv | mc-shuffle -k a,n:nr",
        "leave mc-shuffle out: the records come in that order from mc-sort",
        "mc-sort -k a,n:nr rows.csv",
    );
    better(
        "mc-shuffle -k a rows.csv | mc-sort -k a",
        "leave mc-sort out: the records come in that order from mc-shuffle",
        "mc-shuffle -k a rows.csv",
    );
}

#[test]
fn hosts_read_files_that_are_large_enough_themselves() {
    let dir = files();
    // Nothing of it is read, so it need hold nothing.
    std::fs::File::create(dir.path().join("big.ndjson")).unwrap().set_len(1 << 29).unwrap();
    let text = explained(dir.path(), "mc-cat big.ndjson | mc-map -h 2/a,2/b cat");
    assert!(text.contains("mc-split in the place of mc-cat"), "{text}");
    assert!(!explained(dir.path(), "mc-cat sales.csv | mc-map -h a,b cat").contains("better"));
    let run = |line: &str| {
        let call = sh("bash", line).current_dir(dir.path()).env("MC_WORKER", worker());
        call.succeeds().text()
    };
    let split = run("mc-split --block 20 sales.csv | mc-map -h :,: cat | mc-gather");
    assert_eq!(split, run("mc-cat sales.csv | mc-map -h :,: cat | mc-gather"));
}

#[test]
fn what_is_packed_is_unpacked_here_and_spread() {
    let dir = files();
    std::fs::File::create(dir.path().join("big.csv.gz")).unwrap().set_len(17 << 20).unwrap();
    let text = explained(dir.path(), "mc-split big.csv.gz | mc-map -h 2/a,2/b cat");
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let advice = "better: big.csv.gz is gzip and cannot be cut: one slot has to read all of it. \
                  mc-cat big.csv.gz | mc-scatter -h HOSTS";
    assert!(flat.contains(advice), "{text}");
    let run = |line: &str| {
        let call = sh("bash", line).current_dir(dir.path()).env("MC_WORKER", worker());
        call.succeeds().text()
    };
    run("gzip -k sales.csv");
    let whole = run("mc-split sales.csv.gz | mc-map -h :,: cat | mc-gather");
    let spread = run("mc-cat sales.csv.gz | mc-scatter -h :,: | mc-map cat | mc-gather");
    assert!(!whole.is_empty() && whole == spread, "{whole}");
}

#[test]
fn shards_are_neither_scattered_first_nor_gathered_in_between() {
    better(
        "mc-cat rows.csv | mc-scatter -h :,: | mc-map -h :,: cat | mc-gather",
        "leave mc-scatter out",
        "mc-cat rows.csv | mc-map -h :,: cat | mc-gather",
    );
    better(
        "mc-cat rows.csv | mc-map -h :,: cat | mc-gather | mc-sort -k n:n",
        "leave mc-gather out before mc-sort",
        "mc-cat rows.csv | mc-map -h :,: cat | mc-sort -k n:n | mc-gather",
    );
}

#[test]
fn a_dataset_is_worked_on_where_it_lies() {
    let dir = files();
    let run = |line: &str| {
        let call = sh("bash", line).current_dir(dir.path()).env("MC_WORKER", worker());
        call.succeeds().text()
    };
    run("mc-cat sales.csv | mc-scatter -h :,: -o kept.mc");
    let text = explained(dir.path(), "mc-cat kept.mc | mc-sort -k item");
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let advice = "better: mc-sort < kept.mc in the place of mc-cat works where the shards lie";
    assert!(flat.contains(advice), "{text}");
    assert!(
        flat.contains("network: about 138 bytes from the hosts to here: the records of kept.mc"),
        "{text}"
    );
    let there = explained(dir.path(), "mc-sort -k item < kept.mc");
    assert!(there.contains("on localhost, localhost#2") && !there.contains("better"), "{there}");
    assert_eq!(
        run("mc-sort -k item < kept.mc | mc-gather"),
        run("mc-cat kept.mc | mc-sort -k item")
    );
    run("mc-hosts --rm kept.mc");
}

#[test]
fn what_would_change_the_records_is_no_advice() {
    let dir = files();
    for pipeline in [
        "mc-shuffle -k region sales.csv | mc-reduce -k item count",
        "mc-shuffle -k region sales.csv | mc-reduce --all count",
        "mc-shuffle -k region sales.csv | mc-reduce -c 'wc -l'",
        "mc-shuffle -k region --missing skip sales.csv | mc-reduce sum:amount",
        "mc-sort -r -k region sales.csv | mc-reduce sum:amount",
        "mc-sort -u -k region sales.csv | mc-reduce sum:amount",
        "mc-sort -k region sales.csv | mc-sort -k region,item",
        "mc-sort -k region sales.csv | mc-sort -u -k region",
        "mc-sort -k region sales.csv | mc-map cat | mc-sort -k region",
        "mc-cat -h a,b x.csv | mc-gather | mc-sort --bad skip -k a",
        "mc-cat -h a,b x.csv | mc-gather | mc-map --per shard cat",
    ] {
        let text = explained(dir.path(), pipeline);
        assert!(!text.contains("better: "), "{pipeline}:\n{text}");
    }
}

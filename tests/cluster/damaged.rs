//! Copies of shards that are damaged where they lie: whoever reads the shards takes others, and says
//! so; where there are no others, that is said.

use std::path::Path;

use crate::support::{Call, Cluster, cluster, dir, sh, worker, write};

/// Harms the shards that the shell finds at `$1`, each in another way: a byte becomes another digit,
/// a byte becomes one that no record holds, the end is cut off, the file goes, two records change places.
const HARM: &str = r#"n=0; for f in $1; do n=$((n + 1)); case $((n % 5)) in
    0) printf 77777 | dd of=$f bs=1 seek=3 conv=notrunc 2>/dev/null;;
    1) printf '\001' | dd of=$f bs=1 seek=40 conv=notrunc 2>/dev/null;;
    2) truncate -s -9 $f;;
    3) rm $f;;
    4) sed -i '1{h;d};2G' $f;;
esac; done; test $n -ge 5"#;

/// Every other shard, and the others.
const ODD: &str = "*[13579]";
const EVEN: &str = "*[02468]";

/// What reads a dataset `x.mc` and prints its records, which are in order.
const READERS: [&str; 12] = [
    "mc-cat x.mc",
    "mc-gather < x.mc",
    "mc-map cat < x.mc | mc-gather",
    "mc-map -t cat < x.mc | mc-gather",
    "mc-map -t --bad skip cat < x.mc | mc-gather",
    "mc-map -h n1 cat < x.mc | mc-gather",
    "mc-map -h n4,n3 cat < x.mc | mc-gather",
    "mc-scatter -h n1,n4 --replicas 2 < x.mc | mc-gather",
    "mc-sort < x.mc | mc-gather",
    "mc-sort x.mc",
    "mc-shuffle < x.mc | mc-gather",
    "mc-split -n 3 -o p%d.ndjson x.mc && cat p0.ndjson p1.ndjson p2.ndjson",
];

/// What counts its records.
const COUNTERS: [&str; 4] = [
    "mc-reduce --all count < x.mc | mc-gather",
    "mc-shuffle --reduce count < x.mc | mc-reduce --all count:'.[1]' | mc-gather",
    "mc-shuffle < x.mc | mc-reduce count | mc-reduce --all count | mc-gather",
    "mc-shuffle < x.mc | mc-reduce -c cat | mc-reduce --all count | mc-gather",
];

/// Texts in their order.
fn texts() -> String {
    (0..9000).map(|n| format!("\"{n:06}\"\n")).collect()
}

fn on(cluster: &Cluster, dir: &Path, script: &str) -> Call {
    let script = format!("set -o pipefail; {script}");
    sh("bash", &script).on(cluster).current_dir(dir).env("XDG_STATE_HOME", dir.join("state"))
}

fn harm(cluster: &Cluster, host: &str, shards: &str) {
    cluster.on_host(host, &format!("set -- '/var/tmp/mycloud-*/kept/*/{shards}'; {HARM}"));
}

#[test]
fn another_copy_is_taken_by_all_who_read() {
    let (cluster, dir) = (Cluster::new(), dir());
    let run = |script: &str| on(&cluster, dir.path(), script);
    write(&dir, "in", texts());
    run("cat in | mc-scatter -h n1,n2 --replicas 2 --block 5K -o x.mc").succeeds();
    // Whichever host is asked first.
    harm(&cluster, "n1", ODD);
    harm(&cluster, "n2", EVEN);
    let said = |call: Call| {
        call.stderr_has(": shard ").stderr_has("another copy takes its place").stderr_any()
    };
    for reader in READERS {
        said(run(&format!("({reader}) | cmp - in"))).succeeds();
    }
    for counter in COUNTERS {
        said(run(counter)).stdout("{\"count\":9000}\n").succeeds();
    }
    run("mc-cat x.mc | head -n 1 || true").stderr_any().stdout("\"000000\"\n").succeeds();
}

#[test]
fn no_copy_that_is_good_is_an_incomplete_input() {
    let (cluster, dir) = (Cluster::new(), dir());
    let run = |script: &str| on(&cluster, dir.path(), script);
    write(&dir, "in", texts());
    run("cat in | mc-scatter -h n1,n2 --replicas 2 --block 5K -o x.mc").succeeds();
    for host in ["n1", "n2"] {
        cluster.on_host(host, "truncate -s -1 /var/tmp/mycloud-*/kept/*/2");
    }
    for reader in READERS.iter().chain(&COUNTERS).filter(|reader| !reader.contains("n3")) {
        let first = format!("set +o pipefail; ({reader}) > out; exit ${{PIPESTATUS[0]}}");
        let call = run(&first).stderr_has("no copy of shard 2 is good: ").stderr_has("n1: shard 2");
        call.stderr_has("n2: shard 2").stderr_any().fails(4);
    }
    cluster.run(["kill", "n2"]);
    let call = run("mc-gather -o ndjson:out < x.mc").stderr_has("n1: shard 2 is damaged");
    call.stderr_has("n2").stderr_any().fails(5);
}

#[test]
fn one_copy_that_is_damaged_is_no_bad_input() {
    let (cluster, dir) = (cluster(), dir());
    let run = |script: &str| on(cluster, dir.path(), script);
    write(&dir, "in", texts());
    run("cat in | mc-scatter -h n1 --block 5K | mc-shuffle -n 4 -o g.mc").succeeds();
    let run_of_it = run("sed -n '1s/.*\"run\":\"\\([0-9a-f]*\\)\".*/\\1/p' g.mc").succeeds().text();
    let shards = format!("{}.*/2", run_of_it.trim());
    cluster.on_host(
        "n1",
        &format!("printf '\\001' | dd of=$(echo /var/tmp/mycloud-*/kept/{shards}) bs=1 seek=40 conv=notrunc 2>&1"),
    );
    for reader in ["mc-reduce count", "mc-reduce -c cat", "mc-map -t cat", "mc-sort -k ."] {
        run(&format!("{reader} < g.mc | mc-gather"))
            .fails_with(4, "n1: shard 2 is damaged: it is not what its manifest says");
    }
    run("mc-hosts --rm g.mc").succeeds();
}

#[test]
fn two_copies_on_one_machine_are_two() {
    let dir = dir();
    write(&dir, "in", texts());
    let run = |script: &str| {
        let call = sh("bash", &format!("set -o pipefail; {script}")).current_dir(dir.path());
        call.env("XDG_STATE_HOME", dir.path().join("state")).env("MC_WORKER", worker())
    };
    run("cat in | mc-scatter -h :,: --replicas 2 --block 5K -o x.mc").succeeds();
    let of_run = "$(sed -n '1s/.*\"run\":\"\\([0-9a-f]*\\)\".*/\\1/p' x.mc)";
    for (which, shards) in [("head", ODD), ("tail", EVEN)] {
        let one = format!("$(ls -d /var/tmp/mycloud-$(id -u)/kept/{of_run}.* | {which} -n 1)");
        run(&format!("set -- \"{one}/{shards}\"; {HARM}")).succeeds();
    }
    for reader in READERS.iter().filter(|reader| !reader.contains("-h n")) {
        let call = run(&format!("({reader}) | cmp - in")).stderr_has(": shard ");
        call.stderr_has("another copy takes its place").stderr_any().succeeds();
    }
    run("mc-hosts --rm x.mc").succeeds();
}

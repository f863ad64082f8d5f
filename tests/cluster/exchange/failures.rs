//! Exchanges that something happens to: all of the answer, or none and an exit status that says so.

use nix::sys::signal::Signal;

use super::alike::{sales, seven};
use super::bed::Bed;
use crate::support::{dir, marked, sh, until, write};

/// So many records that their exchange over a slow host takes many seconds.
const LONG: u64 = 60_000;
const SLOW: &str = "2mbit";

/// A sort of a dataset that begins, and the hosts are slow.
fn begun(bed: &Bed, tool: &str) -> crate::support::Running {
    bed.cluster.run(["slow", "n3", SLOW]);
    let running = bed.run(&format!("exec {tool}")).stderr_any().spawn();
    bed.merges();
    running
}

/// How many threads the workers on `host` have.
fn threads(bed: &Bed, host: &str) -> usize {
    let list = "for p in $(pgrep -f 'mycloud-[0-9]*/bin/'); do ls /proc/$p/task; done 2>/dev/null";
    bed.cluster.call(["exec", host, "sh", "-c", list]).stderr_any().ends().lines().len()
}

#[test]
fn a_host_that_is_killed_while_it_sorts_is_named() {
    let bed = Bed::new(2000);
    bed.hold_slots("n2");
    let mut sort = bed.run("exec mc-sort -k k -o y.mc < x.mc").stderr_any().spawn();
    // The others have sorted what they have; n2 has more threads, which wait for slots (one for each
    // of its shards, as many as it has slots at most).
    until("n2 alone has to sort", || {
        let [one, two, three, four] = ["n1", "n2", "n3", "n4"].map(|host| threads(&bed, host));
        println!("threads of the workers: {:?}", [one, two, three, four]);
        [one, three, four] == [one; 3] && one > 0 && two > one
    });
    bed.cluster.run(["kill", "n2"]);
    let ended = sort.wait();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.code, 5, "{said}");
    assert!(said.contains("n2 is lost: "), "{said}");
    // Nobody is there who could make again what lay there.
    assert!(said.contains("is out of reach, with n2"), "{said}");
    assert!(!bed.path().join("y.mc").exists());
    bed.is_as_before("n2");
}

#[test]
fn a_host_that_is_killed_while_ranges_are_merged_is_named() {
    let bed = Bed::new(LONG);
    let mut sort = begun(&bed, "mc-sort -n 9 -k k -o y.mc < x.mc");
    bed.cluster.run(["kill", "n2"]);
    let ended = sort.wait();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.code, 5, "{said}");
    assert!(said.contains("n2 is lost"), "{said}");
    assert!(!bed.path().join("y.mc").exists());
    bed.cluster.run(["heal", "n3"]);
    bed.is_as_before("n2");
}

#[test]
fn a_host_that_loses_power_while_ranges_are_merged_is_noticed() {
    let bed = Bed::new(LONG);
    let mut sort = begun(&bed, "mc-shuffle -n 9 -k k -o y.mc < x.mc");
    bed.cluster.run(["crash", "n2"]);
    let ended = sort.wait();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.code, 5, "{said}");
    assert!(said.contains("n2"), "{said}");
    assert!(!bed.path().join("y.mc").exists());
    bed.cluster.run(["heal", "n3"]);
    bed.is_as_before("n2");
}

#[test]
fn a_killed_tool_leaves_nothing_on_any_host() {
    let bed = Bed::new(LONG);
    let mut sort = begun(&bed, "mc-sort -n 9 -k k -o y.mc < x.mc");
    sort.signal(Signal::SIGKILL);
    assert_eq!(sort.wait().code, 137);
    bed.cluster.run(["heal", "n3"]);
    bed.is_as_before("");
    assert!(!bed.path().join("y.mc").exists() && marked(bed.path()).is_empty());
    // The dataset is as it was.
    bed.run("mc-cat x.mc | cmp - in && mc-hosts --rm x.mc").succeeds();
    bed.cluster.is_clean();
}

#[test]
fn an_interrupted_tool_leaves_nothing_on_any_host() {
    let bed = Bed::new(LONG);
    let mut shuffle = begun(&bed, "mc-shuffle -n 9 -k k --reduce collect:x -o y.mc < x.mc");
    shuffle.signal_all(Signal::SIGINT);
    assert_eq!(shuffle.wait().code, 130);
    bed.cluster.run(["heal", "n3"]);
    bed.is_as_before("");
}

#[test]
fn ranges_go_elsewhere_when_a_disk_is_full() {
    let bed = Bed::new(LONG);
    let mut sort = begun(&bed, "mc-sort -n 60 -k k -o y.mc < x.mc");
    bed.cluster.run(["fill", "n2"]);
    bed.cluster.run(["slow", "n3", "1gbit"]);
    let ended = sort.wait();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.code, 0, "{said}");
    assert_eq!(said.matches("; its ranges go elsewhere").count(), 1, "{said}");
    bed.run("mc-cat y.mc | cmp - due").succeeds();
    let manifest = std::fs::read_to_string(bed.path().join("y.mc")).unwrap();
    let last = manifest.lines().find(|line| line.contains("\"shard\":60,")).unwrap();
    assert!(!last.contains("\"n2\"") && said.contains(": n2: "), "{last}\n{said}");
}

#[test]
fn nothing_can_be_sorted_on_a_full_disk() {
    let bed = Bed::new(20_000);
    bed.cluster.run(["fill", "n2"]);
    for tool in ["mc-sort -k k", "mc-shuffle -k k --reduce count"] {
        bed.run(&format!("{tool} -o y.mc < x.mc")).fails_with(6, "n2: ");
        assert!(!bed.path().join("y.mc").exists());
    }
    bed.cluster.run(["heal", "n2"]);
    bed.is_as_before("");
    bed.run("mc-sort -k k < x.mc | mc-gather | cmp - due").succeeds();
}

#[test]
fn a_bad_key_is_bad_input_and_its_shard_is_named() {
    let dir = dir();
    write(&dir, "in", sales(700) + "{\"v\":1}\n" + &sales(700));
    for (tool, text) in [
        ("mc-sort -k k", "mc-sort: n"),
        ("mc-shuffle -k k", "mc-shuffle: n"),
        ("mc-shuffle -k k --reduce count", "mc-shuffle: n"),
        ("mc-shuffle -k v --reduce sum:k", "mc-shuffle: n"),
    ] {
        let line = format!(
            "mc-map -h n1,n2,n3 --block 5K cat < in | {tool} | mc-gather -o ndjson:out
            echo ${{PIPESTATUS[*]}}"
        );
        let ended = sh("bash", &line).on(seven()).current_dir(&dir).stderr_any().ends();
        assert!(ended.text().ends_with(" 3 4\n"), "{tool}: {}", ended.text());
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(said.contains(text) && said.contains(": shard "), "{tool}: {said}");
        assert!(!dir.path().join("out").exists());
    }
}

#[test]
fn an_upstream_that_fails_fails_the_exchange() {
    let dir = dir();
    write(&dir, "in", sales(1400));
    for tool in ["mc-sort -k k", "mc-shuffle -k k --reduce count", "mc-reduce --all count"] {
        let map = "mc-map -h n1,n2,n3 --block 5K --retries 0 -c 'grep -q k21 && exit 7; exec cat'";
        let line = format!(
            "{map} < in | {tool} | mc-gather -o ndjson:out
            echo ${{PIPESTATUS[*]}}"
        );
        let ended = sh("bash", &line).on(seven()).current_dir(&dir).stderr_any().ends();
        assert_eq!(ended.text(), "1 4 4\n", "{tool}");
        assert!(!dir.path().join("out").exists());
    }
}

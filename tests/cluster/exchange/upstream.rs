//! Shards that are not there when their hosts come to them: that the tool before has failed, or has
//! ended, is what is said, and not what is lacking for that.

use super::bed::Bed;
use crate::support::until;

/// How many tools make shards on n1.
fn makers(bed: &Bed) -> usize {
    bed.cluster.on_host("n1", "ls /var/tmp/mycloud-*/runs").lines().len()
}

#[test]
fn the_upstream_has_failed_in_the_middle_of_its_manifest() {
    let bed = Bed::new(3000);
    // On the only slot the last shard takes all others with it, and fails.
    let last = "tee had; grep -q :2999, had || exit 0
        touch ~/waits; until [ -e ~/go ]; do sleep 0.05; done; rm ../[0-9]*; exit 3";
    let sort = "{ until [ -e ready ]; do sleep 0.05; done; exec mc-sort -k k; }";
    let map = format!("mc-map -h 1/n1 --retries 0 --block 20K -c '{last}' < in");
    let line = format!("{map} | {sort} | mc-gather; exit ${{PIPESTATUS[1]}}");
    let mut running = bed.run(&line).stderr_any().spawn();
    until("the last shard", || bed.cluster.on_host("n1", "ls ~").text().contains("waits"));
    std::fs::write(bed.path().join("ready"), "").unwrap();
    until("mc-sort works", || makers(&bed) == 2);
    bed.cluster.on_host("n1", "touch ~/go");
    let ended = running.wait();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.code, 4, "{said}");
    assert!(said.contains("mc-sort: the upstream mc-map failed (exit 1)"), "{said}");
    bed.cluster.on_host("n1", "rm ~/waits ~/go");
    bed.is_as_before("");
}

#[test]
fn the_upstream_was_killed_once_its_manifest_was_whole() {
    for (maker, reader) in
        [("mc-map cat", "mc-sort -k k"), ("mc-shuffle -n 9 -k k", "mc-reduce count")]
    {
        let bed = Bed::new(2000);
        let maker_alone = format!("{{ {maker} < x.mc & echo $! > pid; wait; }} | tee m");
        let waits = format!("{{ until [ -e ready ]; do sleep 0.05; done; exec {reader}; }}");
        let line = format!("{maker_alone} | {waits} | mc-gather; exit ${{PIPESTATUS[2]}}");
        let mut running = bed.run(&line).stderr_any().spawn();
        let read = |name: &str| std::fs::read_to_string(bed.path().join(name)).unwrap_or_default();
        until("the manifest", || read("m").contains("{\"end\""));
        assert!(read("m").contains("\"n1\""), "{}", read("m"));
        bed.hold_slots("n1");
        std::fs::write(bed.path().join("ready"), "").unwrap();
        until("the reader works", || makers(&bed) == 2);
        crate::support::sh("sh", &format!("kill -9 {}", read("pid"))).succeeds();
        until("the shards are gone", || makers(&bed) < 2);
        bed.free_slots("n1");
        let ended = running.wait();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.code, 4, "{said}");
        let tool = |line: &str| line.split(' ').next().unwrap().to_string();
        let text = format!("{}, which kept it there, has ended", tool(maker));
        let says = |line: &str| line.starts_with(&tool(reader)) && line.ends_with(&text);
        assert!(said.lines().any(says), "{said}");
    }
}

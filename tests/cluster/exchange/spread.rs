//! How ranges are spread over the hosts.

use super::bed::Bed;
use crate::support::{HOSTS, until};

/// How many ranges.
const RANGES: usize = 64;

#[test]
fn a_host_that_is_slow_gets_fewer_ranges() {
    let bed = Bed::new(60_000);
    // Each range has a part on n3, so that all of them take their time, until it has no slot.
    bed.cluster.run(["slow", "n3", "512kbit"]);
    let running = bed.run(&format!("exec mc-sort -n {RANGES} -k k -o y.mc < x.mc")).spawn();
    bed.merges();
    bed.hold_slots("n3");
    bed.cluster.run(["heal", "n3"]);
    let slots = bed.cluster.on_host("n3", "nproc").text().trim().parse::<usize>().unwrap();
    let shards = |host: usize| {
        let list = "ls /var/tmp/mycloud-*/runs/* | grep -cx '[0-9]*' || true";
        let count = bed.cluster.on_host(&format!("n{host}"), list).text();
        count.trim().parse::<usize>().unwrap()
    };
    // All that n3 does not keep for itself goes to the others.
    until("the others have done the rest", || {
        (1..=HOSTS).map(shards).sum::<usize>() + slots + 1 >= RANGES
    });
    bed.free_slots("n3");
    running.exits(0);
    bed.run("mc-cat y.mc | cmp - due").succeeds();
    let manifest = std::fs::read_to_string(bed.path().join("y.mc")).unwrap();
    let of = |host: &str| manifest.matches(&format!("\"{host}\"")).count();
    let others = of("n1") + of("n2") + of("n4");
    assert_eq!(of("n3") + others, RANGES);
    assert!(of("n3") * 2 * 3 < others, "n3 has {} of {RANGES}:\n{manifest}", of("n3"));
}

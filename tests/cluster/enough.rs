//! Hosts that are enough though others are out of reach, or have no room.

use std::path::Path;

use super::at_work::with_workers;
use crate::support::{Call, Cluster, dir, names, sh, worker, write};

fn on(cluster: &Cluster, dir: &Path, script: &str) -> Call {
    let script = format!("set -o pipefail; {script}");
    sh("bash", &script).on(cluster).current_dir(dir).env("XDG_STATE_HOME", dir.join("state"))
}

fn numbers() -> String {
    (1..=9000).map(|n| format!("{n}\n")).collect()
}

/// The call succeeds and says but this of a host.
#[track_caller]
fn says_of(call: Call, host: &str, text: &str) {
    let said = call.stderr_any().succeeds().stderr;
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains(&format!(": {host}: ")) && said.trim_end().ends_with(text), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_host_that_is_down_is_left_out_as_long_as_enough_are_there() {
    let (cluster, dir) = (with_workers(), dir());
    let run = |script: &str| on(&cluster, dir.path(), script);
    write(&dir, "in", numbers());
    std::fs::write(cluster.srv().join("all.ndjson"), numbers()).unwrap();
    cluster.run(["kill", "n2"]);
    let makers = [
        "mc-map -h n1,n2,n3 --block 5K cat < in",
        "mc-scatter -h n1,n2 --block 5K < in",
        "mc-cat -h n1,n2,n3 --shared --block 5K /srv/all.ndjson",
        "mc-map -h n1,n2,n3 --min-hosts 2 --block 5K cat < in",
        "mc-scatter -h n1,n2,n3 --min-hosts 2 --block 5K < in",
        "mc-scatter -h n1,n2,n3 --replicas 2 --block 5K < in",
        "mc-scatter -h n1,n2,n3 --replicas 2 --min-hosts 1 --block 5K < in",
        "mc-cat -h n1,n2,n3 --shared --min-hosts 2 --block 5K /srv/all.ndjson",
    ];
    for maker in makers {
        let line = maker.replacen(" -h", " -o x.mc -h", 1);
        says_of(run(&line), "n2", "; going on without it");
        run("mc-cat x.mc | cmp - in && mc-hosts --rm x.mc").succeeds();
    }
    for (maker, text) in [
        ("mc-map -h n1,n2,n3,nowhere.invalid cat < in", "; --min-hosts 2 goes on with the others"),
        ("mc-map -h n1,n2,n3 --min-hosts 3 cat < in", "of 3 hosts 2 can be worked on, not 3: n2: "),
        ("mc-map -h n2 cat < in", "n2: "),
        ("mc-map -h n2 --min-hosts 1 cat < in", "n2: "),
        ("mc-scatter -h n1,nowhere.invalid < in", "; --min-hosts 1 goes on with the others"),
        (
            "mc-scatter -h n1,n2,[::1]:9 < in",
            "Connection refused; --min-hosts 1 goes on with what is there",
        ),
        ("mc-scatter -h n1,n2,n3 --replicas 3 < in", "of 3 hosts 2 can be worked on, not 3: n2: "),
        ("mc-cat -h n1,n2 /srv/all.ndjson", "n2: "),
    ] {
        let maker = maker.replacen(" -h", " -o x.mc -h", 1);
        let ended = run(&maker).stderr_has(text).stderr_any().fails(5);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(said.contains("--min-hosts"), text.contains("--min-hosts"), "{maker}: {said}");
        assert!(!dir.path().join("x.mc").exists());
    }
    for (maker, text) in [
        ("mc-map -h n1,n2 --min-hosts 3 cat", "--min-hosts 3 needs as many hosts, not 2"),
        ("mc-map --min-hosts 1 cat", "--hosts"),
        ("mc-cat -h n1,n2 --min-hosts 1 /srv/all.ndjson", "--shared"),
    ] {
        run(&format!("{maker} < in")).stderr_has(text).stderr_any().fails(2);
    }
    // What works where shards lie asks for no more than is needed.
    run("mc-scatter -h n1,n3,n4 --replicas 2 --block 5K -o x.mc < in").succeeds();
    cluster.run(["kill", "n3"]);
    for reader in ["mc-map -o y.mc cat", "mc-sort -k .:n -o y.mc", "mc-shuffle -k . -o y.mc"] {
        says_of(run(&format!("{reader} < x.mc")), "n3", "; going on without it");
        run("mc-cat y.mc | sort -n | cmp - in && mc-hosts --rm y.mc").stderr_any().succeeds();
    }
}

#[test]
fn one_machine_can_be_enough() {
    let dir = dir();
    write(&dir, "in", numbers());
    let script = "mc-map -h :,:,nowhere.invalid --min-hosts 2 cat < in | mc-gather | cmp - in";
    let call = sh("bash", &format!("set -o pipefail; {script}")).current_dir(&dir);
    let call = call.env("XDG_STATE_HOME", dir.path().join("state")).env("MC_WORKER", worker());
    let call = call.env("TMPDIR", dir.path());
    call.stderr_has("nowhere.invalid").stderr_has("; going on without it").succeeds();
    assert_eq!(names(&dir), ["in", "state"]);
}

#[test]
fn a_full_disk_is_set_aside_while_others_have_room() {
    let (cluster, dir) = (with_workers(), dir());
    let run = |script: &str| on(&cluster, dir.path(), script);
    // So many that what is removed on a host after its disk was filled, a few pages, is no room.
    write(&dir, "in", (1..=200_000).map(|n| format!("{n}\n")).collect::<String>());
    run("mc-scatter -h n1,n2,n3 --replicas 2 --block 140K -o x.mc < in").succeeds();
    cluster.on_host("n2", "seq 9 > /var/tmp/own.ndjson");
    cluster.run(["fill", "n2"]);
    let aside = "No space left on device; its tasks go elsewhere";
    for maker in [
        "mc-map -h n1,n2,n3 --block 20K cat < in",
        "mc-scatter -h n1,n2,n3 --replicas 2 --block 20K < in",
        "mc-map cat < x.mc",
        "mc-map -h n2,n4 cat < x.mc",
    ] {
        let line = maker.replacen(" ", " -o y.mc ", 1);
        says_of(run(&line), "n2", aside);
        run("mc-cat y.mc | cmp - in && mc-hosts --rm y.mc").succeeds();
    }
    let call = run("mc-sort -k .:n -o y.mc < x.mc").stderr_has(": n2: ");
    call.stderr_has("; copies of its shards on other hosts take their place").succeeds();
    run("mc-cat y.mc | cmp - in && mc-hosts --rm y.mc").succeeds();
    // Nobody else has its files, nor room where there is none.
    run("mc-cat -h n1,n2 -o y.mc /var/tmp/own.ndjson").stderr_has("mc-cat: n1: ").fails(2);
    run("mc-cat -h n2 -o y.mc /var/tmp/own.ndjson").stderr_has("n2: cannot write /").fails(6);
    run("mc-scatter -h n1,n2 --replicas 2 -o y.mc < in")
        .stderr_has("no 2 hosts are left to keep copies on: n2: cannot write /")
        .stderr_any()
        .fails(6);
    cluster.run(["fill", "n1"]);
    run("mc-map -h n1,n2 -o y.mc cat < in")
        .stderr_has("mc-map: no host is left to work on: n1: cannot write /var/tmp/mycloud-0/")
        .stderr_has("; n2: cannot write /var/tmp/mycloud-0/")
        .stderr_any()
        .fails(6);
    assert!(!dir.path().join("y.mc").exists());
}

#[test]
fn a_command_that_has_no_room_on_one_host_works_on_the_others() {
    let (cluster, dir) = (with_workers(), dir());
    write(&dir, "in", numbers());
    write(&dir, "large", "x".repeat(1 << 20));
    cluster.run(["fill", "n2", "524288"]);
    let script = "mc-map -h n1,n2,n3 --ship large --block 700 -o y.mc cat < in";
    says_of(on(&cluster, dir.path(), script), "n2", "its tasks go elsewhere");
    on(&cluster, dir.path(), "mc-cat y.mc | cmp - in").succeeds();
}

//! Those who read shards, and hosts that they need not, or cannot, reach.

use std::path::Path;

use crate::support::{Call, Cluster, dir, sh, until, until_or, write};

/// How often a pipeline is compared with one that waits for a host: the machine may be busy with the
/// one that does not.
const TRIES: usize = 4;

/// More than is on its way at any time.
const LINES: u32 = 4_000_000;

/// Takes the first bytes, and the rest once the test says so.
const TAKE_SLOWLY: &str = "{ dd bs=1000 count=1 iflag=fullblock status=none > begin; touch begun;
    while ! [ -e go ]; do sleep 0.02; done; cat > rest; }";

/// A pipeline on `cluster`, in `dir`, where its runs are known too.
fn on(cluster: &Cluster, dir: &Path, script: &str) -> Call {
    let script = format!("set -o pipefail; {script}");
    sh("bash", &script).on(cluster).current_dir(dir).env("XDG_STATE_HOME", dir.join("state"))
}

/// Waits until the file `name` is in `dir`.
#[track_caller]
fn wait_for(dir: &Path, name: &str) {
    until(name, || dir.join(name).exists());
}

#[test]
fn a_host_that_stands_still_and_is_not_needed_is_not_waited_for() {
    let (cluster, dir) = (Cluster::new(), dir());
    let run = |script: &str| on(&cluster, dir.path(), script);
    run("seq 9000 > in; mc-scatter -h n1,n2,n3 --replicas 2 --block 5K -o x.mc < in").succeeds();
    // One shard, that lies on one of them.
    run("mc-map -h n1,n2,n3 --block 1M -o y.mc cat < in; grep -c n[12] y.mc > lies; true")
        .succeeds();
    let lies = std::fs::read_to_string(dir.path().join("lies")).unwrap();
    let other = if lies == "0\n" { "n2" } else { "n3" };
    for (host, data, readers) in [
        ("n2", "x.mc", &["mc-cat x.mc", "mc-gather < x.mc", "mc-sort -k .:n x.mc"][..]),
        (other, "y.mc", &["mc-cat y.mc", "mc-gather < y.mc"]),
    ] {
        cluster.run(["pause", host]);
        for reader in readers {
            // Who waits, until the host is given up, ends after it that began later.
            let is_first = |_| {
                let waits = format!("exec mc-map -v -h {host} cat <<< 1 2> waits");
                let mut waits = run(&waits).spawn();
                until("another tool waits for the host", || dir.path().join("waits").exists());
                run(&format!("{reader} | cmp - in")).succeeds();
                waits.runs()
            };
            assert!((0..TRIES).any(is_first), "{host} {data} {reader}");
        }
        cluster.run(["resume", host]);
    }
}

#[test]
fn only_hosts_of_the_shards_are_connected_to() {
    let (cluster, dir) = (Cluster::new(), dir());
    on(&cluster, dir.path(), "mc-map -h n1,n2 --block 100K -o x.mc cat <<< 1; grep shard x.mc")
        .succeeds();
    for host in ["n1", "n2"] {
        cluster.on_host(host, "rm -rf /var/tmp/mycloud-*/bin");
    }
    on(&cluster, dir.path(), "mc-cat x.mc").stdout("1\n").succeeds();
    let came = |host: &str| cluster.on_host(host, "ls -d /var/tmp/mycloud-*/bin || true").text();
    assert_eq!([came("n1"), came("n2")].iter().filter(|came| !came.is_empty()).count(), 1);
}

/// A reader whose connection is killed in the middle of a shard: nobody else has one, for the shard
/// is kept.
#[track_caller]
fn is_read_on(options: &str) {
    let (cluster, dir) = (Cluster::new(), dir());
    let make = format!("mc-map {options} -h n1 --block 100M -o x.mc cat < in");
    let read = format!("mc-gather -v < x.mc | {TAKE_SLOWLY} && cat begin rest | cmp - in");
    let script = format!("seq {LINES} > in; {make} && {read} && mc-hosts --rm x.mc");
    let reader = on(&cluster, dir.path(), &script).stderr_has("connecting again").spawn();
    wait_for(dir.path(), "begun");
    cluster.on_host("n1", "kill -9 $(pgrep -nf '^sshd.*@')");
    write(&dir, "go", "");
    reader.exits(0);
    cluster.is_clean();
}

#[test]
fn a_connection_that_breaks_under_a_reader_is_made_again() {
    is_read_on("");
    is_read_on("--ssh ssh");
}

#[test]
fn a_host_that_is_gone_is_given_up() {
    let (cluster, dir) = (Cluster::new(), dir());
    let run = |script: &str| on(&cluster, dir.path(), script);
    run(&format!("seq {LINES} > in; mc-scatter -h n1 --block 100M -o x.mc < in")).succeeds();
    let reader = run(&format!("mc-cat x.mc | {TAKE_SLOWLY}")).stderr_has("n1").spawn();
    wait_for(dir.path(), "begun");
    cluster.run(["kill", "n1"]);
    write(&dir, "go", "");
    reader.exits(5);
}

/// A reader of shards of 1 MB that are there no more when it comes to them, for `end` has ended
/// the mc-map that made them by a command that waits for a file on n1 at its last shard.
#[track_caller]
fn is_told(maker: &str, end: impl Fn(&Cluster, &Path), text: &str) {
    let (cluster, dir) = (Cluster::new(), dir());
    let script = format!("seq {LINES} > in; {maker} | mc-gather | {TAKE_SLOWLY}");
    let reader = on(&cluster, dir.path(), &script).stderr_has(text).spawn();
    wait_for(dir.path(), "begun");
    end(&cluster, dir.path());
    until_or(|| cluster.leftovers().is_empty(), || format!("gone: {}", cluster.leftovers()));
    write(&dir, "go", "");
    let output = reader.exits(4);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let gather = said.lines().filter(|line| line.starts_with("mc-gather: ")).count();
    assert_eq!(gather, 1, "{said}");
    cluster.is_clean();
}

#[test]
fn a_reader_says_that_the_upstream_failed_not_what_it_lacks_for_that() {
    let command = "read n; [ $n -lt 3900000 ] || { until [ -e ~/go ]; do sleep 0.1; done; exit 3; }; echo $n; cat";
    for (also, text) in [
        ("", "mc-gather: the upstream mc-map failed (exit 1)"),
        ("| mc-map cat", "mc-map: the upstream mc-map failed (exit 1)"),
    ] {
        let maker = format!("mc-map -h n1 --block 1M -c '{command}' < in {also}");
        let end = |cluster: &Cluster, _: &Path| drop(cluster.on_host("n1", "touch ~/go"));
        let end = |cluster: &Cluster, dir: &Path| {
            end(cluster, dir);
            wait_for(dir, "ended");
            cluster.on_host("n1", "rm ~/go");
        };
        is_told(&format!("{{ {maker}; echo >ended; }}"), end, text);
    }
}

#[test]
fn a_reader_says_that_the_owner_was_killed() {
    let maker = "{ mc-map -h n1 --block 1M cat < in & echo $! > pid; wait; } | tee m";
    let kill = |_: &Cluster, dir: &Path| {
        // All shards are made, and so is the manifest.
        let manifest = || std::fs::read_to_string(dir.join("m")).unwrap();
        until("the end of the manifest", || manifest().contains("{\"end\""));
        let pid = std::fs::read_to_string(dir.join("pid")).unwrap();
        sh("sh", &format!("kill -9 {pid}")).succeeds();
    };
    is_told(maker, kill, "mc-map, which kept it there, has ended");
}

#[test]
fn a_late_reader_is_told_that_the_run_has_ended() {
    let (cluster, dir) = (Cluster::new(), dir());
    let run = |script: &str| on(&cluster, dir.path(), script);
    run("mc-map -h n1 cat <<< 1 | tee m | mc-gather").stdout("1\n").succeeds();
    run("mc-gather < m").fails_with(4, "is not known here: it has ended");
    run("mc-map cat < m | mc-gather").fails_with(4, "is not known here: it has ended");
}

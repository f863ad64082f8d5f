//! Data that was kept, lost with a host when the tools that made it have long ended: whoever reads it has them
//! called again, for what is lost, as long as what they read is as it was.

use std::path::Path;

use super::at_work::Gate;
use crate::support::{Call, Cluster, dir, sh, until, until_or, write};

/// A pipeline on `cluster`, in `dir`, where its runs are known too.
fn on(cluster: &Cluster, dir: &Path, script: &str) -> Call {
    let script = format!("set -o pipefail; {script}");
    sh("bash", &script).on(cluster).current_dir(dir).env("XDG_STATE_HOME", dir.join("state"))
}

/// A few thousand rows of CSV, and the records that they are.
fn rows() -> (String, String) {
    let (mut csv, mut records) = ("n,k\n".to_string(), String::new());
    for n in 0..9000 {
        let k = n * 7919 % 1000;
        csv += &format!("{n},{k}\n");
        records += &format!("{{\"n\":\"{n}\",\"k\":\"{k}\"}}\n");
    }
    (csv, records)
}

/// Keeps `x.mc` by `maker`, with HOSTS in it, in a new directory with the file `rows.csv`; then the host of its first
/// shard is lost.
struct Kept {
    cluster: Cluster,
    dir: tempfile::TempDir,
    lost: String,
    /// The other ones.
    others: [String; 2],
}

impl Kept {
    #[track_caller]
    fn by(maker: &str) -> Kept {
        let (cluster, dir) = (Cluster::of(4), dir());
        let (csv, records) = rows();
        write(&dir, "rows.csv", csv);
        write(&dir, "records", records);
        let maker = maker.replace("HOSTS", "n1,n2,n3");
        on(&cluster, dir.path(), &maker).stderr_any().succeeds();
        on(&cluster, dir.path(), "mc-cat x.mc > want && test -s want").succeeds();
        let manifest = std::fs::read_to_string(dir.path().join("x.mc")).unwrap();
        let lost = manifest.split("\"hosts\":[\"").nth(1).unwrap().split('"').next().unwrap();
        let others = ["n1", "n2", "n3"].into_iter().filter(|host| *host != lost);
        let others: Vec<String> = others.map(String::from).take(2).collect();
        cluster.run(["kill", lost]);
        Kept { cluster, dir, lost: lost.into(), others: others.try_into().unwrap() }
    }

    fn run(&self, script: &str) -> Call {
        on(&self.cluster, self.dir.path(), script)
    }

    /// That each of `readers` reads what was there, with `said` among what is said.
    #[track_caller]
    fn is_read_by(&self, readers: &[&str], said: &str) {
        for reader in readers {
            let reader = reader.replace("OTHERS", &self.others.join(","));
            self.run(&format!("{reader} | cmp - want")).stderr_has(said).succeeds();
        }
        self.is_clean();
    }

    /// That nothing is on the hosts but what is kept.
    #[track_caller]
    fn is_clean(&self) {
        let left = || {
            let left = self.cluster.leftovers();
            left.lines().filter(|line| !line.contains("/kept/")).collect::<Vec<_>>().join("\n")
        };
        until_or(|| left().is_empty() && self.cluster.orphans().is_empty(), left);
    }
}

const READERS: [&str; 3] =
    ["mc-cat x.mc", "mc-map cat < x.mc | mc-gather", "mc-map -h OTHERS cat < x.mc | mc-gather"];

#[test]
fn what_a_command_printed() {
    let kept = Kept::by("mc-cat rows.csv | mc-map -h HOSTS --block 9K -o x.mc cat");
    kept.run("cmp want records").succeeds();
    let said = "made again: mc-cat rows.csv | mc-map -h n1,n2,n3 --block 9K -o x.mc cat";
    kept.is_read_by(&READERS, said);
    // Not all of it.
    let script = "shards=$(grep -c '\"shard\":' x.mc); mc-cat x.mc 2>&1 >/dev/null \
                  | grep -o '[0-9]* shards are made again' | test $(cut -d' ' -f1) -lt $shards";
    kept.run(script).succeeds();
    kept.run("mc-sort -k n:n x.mc | mc-gather | cmp - want").stderr_any().succeeds();
    // It is kept as it was.
    kept.run("cmp want <(mc-cat x.mc) && mc-hosts --force --rm x.mc").stderr_any().succeeds();
}

#[test]
fn records_of_one_key_keep_their_order_whatever_was_made_again() {
    // What is made again has other numbers where it lies, and comes behind the shards that wait already.
    let kept = Kept::by("mc-cat rows.csv | mc-map -h HOSTS --block 9K -o x.mc cat");
    for (exchanged, here) in [
        ("mc-sort -k k < x.mc | mc-gather", "mc-sort -k k"),
        ("mc-sort -u -k k < x.mc | mc-gather", "mc-sort -u -k k"),
        (
            "mc-shuffle -k k < x.mc | mc-reduce first:n last:n collect:n | mc-gather | sort",
            "mc-shuffle -k k | mc-reduce first:n last:n collect:n | sort",
        ),
    ] {
        let script = format!("{exchanged} | cmp - <(cat want | {here})");
        kept.run(&script).stderr_has(" made again: mc-cat rows.csv | mc-map").succeeds();
    }
    kept.is_clean();
}

#[test]
fn what_was_damaged() {
    let kept = Kept::by("mc-cat rows.csv | mc-map -h HOSTS --block 9K -o x.mc cat");
    let harm = "for shard in /var/tmp/mycloud-*/kept/*/*; do \
                printf 9 | dd of=$shard bs=1 seek=3 conv=notrunc 2>&1; done";
    kept.others.iter().for_each(|host| drop(kept.cluster.on_host(host, harm)));
    kept.is_read_by(&READERS[..2], " is damaged");
}

#[test]
fn what_was_made_of_a_file_without_a_tool() {
    let kept = Kept::by("mc-map -h HOSTS --block 9K -o x.mc cat < records");
    kept.is_read_by(&READERS[..1], "made again: mc-map -h n1,n2,n3 --block 9K -o x.mc cat < /");
}

#[test]
fn what_was_exchanged() {
    let kept =
        Kept::by("mc-cat rows.csv | mc-scatter -h HOSTS --block 9K | mc-sort -k k:n -n 24 -o x.mc");
    kept.run("jq -r .k want | sort -nc").succeeds();
    kept.is_read_by(&READERS, " made again: mc-cat rows.csv | mc-scatter");
}

#[test]
fn what_was_made_in_many_stages() {
    let kept = Kept::by(
        "mc-cat rows.csv | mc-map -c 'grep -v 13' | mc-map -h HOSTS --block 9K cat \
         | mc-shuffle -k k -n 24 | mc-map cat | mc-map -o x.mc -c 'sed s/k/K/'",
    );
    kept.is_read_by(&READERS, " made again: mc-cat rows.csv | mc-map -c");
}

#[test]
fn what_was_reduced() {
    let kept = Kept::by(
        "mc-cat rows.csv | mc-scatter -h HOSTS --block 9K | mc-shuffle -k k -n 24 \
         | mc-reduce -o x.mc count sum:n",
    );
    kept.is_read_by(&READERS[..2], " made again: mc-cat rows.csv | mc-scatter");
}

#[test]
fn what_was_split() {
    let kept = Kept::by("mc-split --block 9K rows.csv | mc-map -h HOSTS -o x.mc cat");
    kept.is_read_by(&READERS[..1], " made again: mc-split --block 9K rows.csv | mc-map");
}

#[test]
fn what_was_made_of_what_was_kept() {
    let kept = Kept::by(
        "mc-cat rows.csv | mc-map -h HOSTS --block 9K -o w.mc cat && mc-map -o x.mc sed s/1/7/ < w.mc",
    );
    kept.is_read_by(&READERS[..1], " made again: mc-map -o x.mc sed s/1/7/ < /");
}

#[test]
fn while_another_host_is_lost() {
    let kept = Kept::by("mc-cat range:0..1000000 | mc-map -h HOSTS,n4 --block 100K -o x.mc cat");
    let gate = Gate::close(&kept.cluster);
    let waits = format!("flock -s {} true", kept.cluster.srv().join("gate").display());
    let reading =
        kept.run(&format!("mc-cat x.mc | {{ head -c 100; touch on; {waits}; cat; }} > got"));
    let temporary = kept.dir.path().join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let reading = reading.env("TMPDIR", &temporary).stderr_any().spawn();
    until("the first bytes", || kept.dir.path().join("on").exists());
    // What the tools are told that are called again is gone once they know it.
    let left = || std::fs::read_dir(&temporary).unwrap().count();
    until("the tools to be told", || left() == 0);
    kept.cluster.run(["kill", &kept.others[0]]);
    drop(gate);
    let said = String::from_utf8_lossy(&reading.exits(0).stderr).into_owned();
    assert!(said.contains("made again: mc-cat range:0..1000000"), "{said}");
    kept.run("cmp got want").succeeds();
    until("the tools to end", || kept.cluster.orphans().is_empty());
}

#[test]
fn on_hosts_that_only_its_makers_reach() {
    let kept = Kept::by("mc-cat rows.csv | mc-map -h HOSTS --block 2K -o x.mc cat");
    let host = kept.lost.as_str();
    kept.cluster.run(["start", host]);
    // The host is there, but not for the tool that reads: whoever makes its shards again puts some there again.
    let script = "{ echo Host LOST; echo Port 1; cat $MC_SSH_CONFIG; } > partly; \
                  MC_SSH_CONFIG=$PWD/partly mc-sort -k n:n < x.mc | mc-gather | cmp - want";
    let call = kept.run(&script.replace("LOST", host)).stderr_any();
    let said = String::from_utf8(call.succeeds().stderr).unwrap();
    for text in [format!("mc-sort: {host}: "), "made again: mc-cat rows.csv".into()] {
        assert!(said.contains(&text), "{said}");
    }
    kept.is_clean();
}

#[test]
fn not_where_it_cannot_be() {
    let kept = Kept::by("mc-cat rows.csv | cat | mc-map -h HOSTS --block 9K -o x.mc cat");
    // Nobody knows what came from another program.
    kept.run("mc-cat x.mc").stderr_has(&kept.lost).fails(5);
    let kept = Kept::by("mc-cat rows.csv | mc-map -h HOSTS --block 9K -o x.mc cat");
    kept.run("echo 1,1 >> rows.csv; mc-cat x.mc").stderr_has("it cannot be made again: ").fails(5);
    kept.run("mc-cat x.mc").stderr_has("rows.csv, which it was made of, has changed").fails(5);
    kept.run("rm rows.csv; mc-cat x.mc").stderr_has("is not there any more").fails(5);
}

#[test]
fn not_what_comes_out_otherwise() {
    // The same in another order is something else, too.
    for command in ["cat; echo $RANDOM$RANDOM$RANDOM", "shuf"] {
        let maker = format!("mc-cat rows.csv | mc-map -h HOSTS --block 9K -o x.mc -c '{command}'");
        Kept::by(&maker).run("mc-cat x.mc").stderr_has("is not repeatable").fails(4);
    }
}

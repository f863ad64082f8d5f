//! Shards that are kept, copied, split off and read on hosts, and who owns them.

use std::path::Path;

use crate::support::{Call, Cluster, cluster, dir, sh, write};

/// A pipeline on the shared cluster, in `dir`, where its runs are known too.
fn on(cluster: &Cluster, dir: &Path, script: &str) -> Call {
    let script = format!("set -o pipefail; {script}");
    sh("bash", &script).on(cluster).current_dir(dir).env("XDG_STATE_HOME", dir.join("state"))
}

fn numbers(last: u32) -> String {
    (1..=last).map(|n| format!("{n}\n")).collect()
}

#[test]
fn what_is_kept_is_there_the_next_day_until_it_is_removed() {
    let (cluster, dir) = (cluster(), dir());
    let run = |script: &str| on(cluster, dir.path(), script);
    write(&dir, "in", numbers(9000));
    run("mc-map -h n1,n2 --block 5K -o x.mc cat < in").stdout("").succeeds();
    run("mc-cat x.mc | cmp - in").succeeds();
    run("mc-cat x.mc | head -n 2 || true").stdout("1\n2\n").succeeds();
    // A shard is a task, and its first line comes of it.
    let first = "mc-map -c 'head -n 1' < x.mc | mc-gather | wc -l";
    run(&format!(
        "shards=$(grep -c '\"shard\":' x.mc); test $shards -gt 5 -a $({first}) = $shards"
    ))
    .succeeds();
    run("mc-map -o y.mc cat < x.mc && mc-sort -k .:r y.mc | head -n 1 || true")
        .stdout("9000\n")
        .stderr_any()
        .succeeds();
    run("mc-map -h n3,: cat < x.mc | mc-gather | cmp - in").succeeds();
    run("mc-map --per shard cat < x.mc | mc-gather")
        .fails_with(4, "--per and --block are for records");
    for maker in ["mc-map -h n1 -o - cat", "mc-scatter -h n1 -o -", "mc-cat -h n1 -o - /etc/passwd"]
    {
        run(&format!("{maker} < in")).fails_with(2, "a dataset needs a file");
    }
    // What cannot be removed does not hold up the rest.
    run("mc-hosts --rm x.mc in no --rm y.mc").stderr_has("no: No such file").fails(2);
    assert!(!dir.path().join("x.mc").exists() && !dir.path().join("y.mc").exists());
    run("mc-cat x.mc").stderr_any().fails(2);
}

#[test]
fn a_dataset_is_replaced_as_a_file_is_and_its_data_goes() {
    let (cluster, dir) = (Cluster::new(), dir());
    let run = |script: &str| on(&cluster, dir.path(), script);
    let kept = |host: &str| {
        cluster.on_host(host, "ls /var/tmp/mycloud-*/kept 2>/dev/null || true").lines().len()
    };
    let all = || [kept("n1"), kept("n2"), kept("n3")];
    write(&dir, "in", numbers(900));
    run("mc-map -h n1,n2 --block 1K -o x.mc cat < in").succeeds();
    run("mc-map -h n1,n2,n3 --block 1K -o x.mc sed s/1/7/ < in").succeeds();
    run("mc-cat x.mc | cmp - <(sed s/1/7/ in)").succeeds();
    assert_eq!(all(), [1, 1, 1]);
    // Of itself, too; and one that fails leaves the old one.
    run("mc-sort -k .:nr -o x.mc < x.mc && mc-map cat < x.mc | mc-gather > sorted").succeeds();
    run("mc-map -h n1 -o x.mc false < in").stderr_any().fails(1);
    run("mc-map -h n1 -o x.mc sed /9/q3 < in").stderr_any().fails(1);
    run("mc-cat x.mc | cmp - sorted").succeeds();
    assert!(all().iter().sum::<usize>() <= 3, "{:?}", all());
    // What lies on hosts that do not work on the new one is said, and goes later.
    run("mc-map -h n3 -o x.mc cat < in").stderr_has("what was replaced lies on n1").succeeds();
    run("mc-map -h n1,n2 cat < in | mc-gather | cmp - in").succeeds();
    assert_eq!(all(), [0, 0, 1]);
    // Removed by hand, what it was is known still.
    run("rm x.mc && mc-hosts --rm x.mc").stderr_has("x.mc is gone, and its data is not").fails(2);
    run("mc-hosts --rm $(mc-hosts --rm x.mc 2>&1 | grep -o '[0-9a-f]*$')").succeeds();
    assert_eq!(all(), [0, 0, 0]);
    // Where nobody knows what it was, it stays.
    run("mc-map -h n1 -o x.mc cat < in && mv state other").succeeds();
    run("mc-map -h n1 -o x.mc cat < in").fails_with(4, "is not replaced");
    run("rm -rf state; mv other state; mc-cat x.mc | cmp - in && mc-hosts --rm x.mc").succeeds();
}

#[test]
fn what_lies_on_hosts_that_are_gone_can_be_forgotten() {
    let (cluster, dir) = (Cluster::new(), dir());
    let run = |script: &str| on(&cluster, dir.path(), script);
    write(&dir, "in", numbers(900));
    run("mc-map -h n1,n2 --block 1K -o x.mc cat < in").succeeds();
    cluster.run(["kill", "n2"]);
    run("mc-hosts --rm x.mc").stderr_any().fails(5);
    assert!(dir.path().join("x.mc").exists());
    run("mc-hosts --force --rm x.mc").stderr_has("what may lie on n2 is forgotten").succeeds();
    assert!(!dir.path().join("x.mc").exists());
    run("ls state/mycloud/runs").stdout("").succeeds();
    run("mc-hosts --force -h n1").fails_with(2, "--rm");
}

#[test]
fn what_a_killed_tool_kept_counts_where_its_manifest_is_and_goes_otherwise() {
    let (cluster, dir) = (Cluster::new(), dir());
    let run = |script: &str| on(&cluster, dir.path(), script);
    let kept = |host: &str| cluster.on_host(host, "ls /var/tmp/mycloud-*/kept").lines().len();
    write(&dir, "in", numbers(9000));
    run("mc-map -h n1,n2 --block 5K -o x.mc cat < in").succeeds();
    // What is known of a run whose tool is killed right before, or after, the manifest is there.
    let killed =
        "sed -i 's/\"unpublished\":false/\"unpublished\":true/' state/mycloud/runs/*/run.json";
    let settled = "grep -q '\"unpublished\":false' state/mycloud/runs/*/run.json";
    for reader in ["mc-map -h n2,n3 cat < in | mc-gather", "mc-cat x.mc"] {
        run(&format!("! ({killed}; {settled}) && {reader} | cmp - in && {settled}")).succeeds();
    }
    run("mc-cat x.mc | cmp - in").succeeds();
    run(&format!("{killed}; rm x.mc; mc-map -h n2,n3 cat < in | mc-gather | cmp - in")).succeeds();
    assert_eq!((kept("n1"), kept("n2")), (1, 0));
    run("mc-map -h n1 cat < in | mc-gather | cmp - in; ls state/mycloud/runs")
        .stdout("")
        .succeeds();
    assert_eq!(kept("n1"), 0);
    cluster.is_clean();
}

#[test]
fn a_manifest_may_be_kept_on_its_way_but_not_what_it_tells_of() {
    let (cluster, dir) = (cluster(), dir());
    let run = |script: &str| on(cluster, dir.path(), script);
    write(&dir, "in", numbers(100));
    run("mc-map -h n1,n2 cat < in | tee m | mc-gather | cmp - in").succeeds();
    run("mc-gather < m").fails_with(4, "is not known here");
    run("sed 's/\"run\":\"..../\"run\":\"0000/' m | mc-gather").fails_with(4, "is not known here");
    run("mc-map -h n1 cat < in > m").fails_with(2, "say -o FILE.mc");
    run("mc-map -h n1 cat < in | cat >/dev/null").fails_with(4, "nobody has read the shards");
}

#[test]
fn a_manifest_that_was_tampered_with_is_no_good() {
    let (cluster, dir) = (cluster(), dir());
    let run = |script: &str| on(cluster, dir.path(), script);
    write(&dir, "in", numbers(9000));
    run("mc-map -h n1,n2 --block 5K -o x.mc cat < in").succeeds();
    run("sed '$d' x.mc | mc-gather").stderr_any().fails(4);
    run("sed 3d x.mc | mc-gather").stderr_any().fails(4);
    run("(cat x.mc; echo 1) | mc-gather").stderr_any().fails(2);
    run("(cat x.mc x.mc) | mc-gather").stderr_any().fails(2);
    // The shards' places are swapped: each is there, but is not what its line says.
    run("sed 's/\"shard\":2,/\"shard\":0,/; s/\"shard\":1,/\"shard\":2,/; s/\"shard\":0,/\"shard\":1,/' x.mc | mc-gather")
        .stderr_any()
        .fails(4);
    run("mc-gather -o ndjson:out < <(sed '$d' x.mc)").stderr_any().fails(4);
    assert!(!dir.path().join("out").exists());
    run("mc-hosts --rm x.mc").stderr_any().succeeds();
}

#[test]
fn a_shard_that_changed_where_it_lies_is_never_delivered() {
    let (cluster, dir) = (Cluster::new(), dir());
    write(&dir, "in", numbers(9000));
    let run = |script: &str| on(&cluster, dir.path(), script);
    // Another digit; two records that change places.
    for harm in ["printf 9 | dd of=$f bs=1 seek=3 conv=notrunc 2>&1", "sed -i '1{h;d};2G' $f"] {
        // Of what it was made nothing is known.
        run("cat in | mc-map -h n1 --block 5K -o x.mc cat").succeeds();
        cluster.on_host("n1", &format!("f=$(ls -d /var/tmp/mycloud-*/kept/*/2); {harm}"));
        run("mc-map cat < x.mc | mc-gather").fails_with(4, "shard 2 is damaged");
        run("mc-gather -o ndjson:out < x.mc").fails_with(4, "shard 2 is damaged");
        assert!(!dir.path().join("out").exists());
        run("mc-hosts --rm x.mc").succeeds();
    }
}

#[test]
fn copies_outlive_a_host() {
    let (cluster, dir) = (Cluster::new(), dir());
    let run = |script: &str| on(&cluster, dir.path(), script);
    write(&dir, "in", numbers(9000));
    run("mc-scatter -h n1,n2,n3 --replicas 2 --block 5K -o x.mc < in").succeeds();
    run("mc-scatter -h n1,n2,n3 --replicas 4 -o z.mc < in").fails_with(2, "--replicas 4 needs");
    for reader in ["mc-cat x.mc", "mc-gather < x.mc", "mc-sort -k .:n < x.mc | mc-gather"] {
        run(&format!("{reader} | cmp - in")).succeeds();
    }
    cluster.run(["kill", "n2"]);
    for reader in ["mc-cat x.mc", "mc-map cat < x.mc | mc-gather"] {
        run(&format!("{reader} | cmp - in")).stderr_any().succeeds();
    }
    cluster.run(["kill", "n1"]);
    run("mc-gather -o ndjson:out < x.mc").stderr_any().fails(5);
    assert!(!dir.path().join("out").exists());
}

#[test]
fn a_copy_that_is_gone_or_damaged_is_made_up_for_by_another() {
    let (cluster, dir) = (Cluster::new(), dir());
    let run = |script: &str| on(&cluster, dir.path(), script);
    write(&dir, "in", numbers(9000));
    run("mc-scatter -h n1,n2,n3 --replicas 2 --block 5K -o x.mc < in").succeeds();
    cluster.on_host("n1", "rm -f /var/tmp/mycloud-*/kept/*/[0-9]*");
    for reader in [
        "mc-cat x.mc",
        "mc-gather < x.mc",
        "mc-sort -k .:n < x.mc | mc-gather",
        "mc-map cat < x.mc | mc-gather",
    ] {
        run(&format!("{reader} | cmp - in")).stderr_any().succeeds();
    }
    run("mc-reduce --all count < x.mc | mc-gather")
        .stderr_any()
        .stdout("{\"count\":9000}\n")
        .succeeds();
}

#[test]
fn each_host_reads_its_own_files_or_all_of_them_once() {
    let (cluster, dir) = (Cluster::new(), dir());
    for host in ["n1", "n2", "n3"] {
        cluster.on_host(
            host,
            &format!(
                "for i in 1 2; do printf 'who,file\\n{host},%s\\n' $i > /var/tmp/data$i.csv; done"
            ),
        );
    }
    let run = |script: &str| on(&cluster, dir.path(), script);
    run("mc-cat -h n2,n1 'csv:/var/tmp/data*.csv' | mc-gather | jq -r '.who + .file' | paste -sd,")
        .stdout("n21,n22,n11,n12\n")
        .succeeds();
    run("mc-cat -h n1,n3 --shared /var/tmp/data1.csv /var/tmp/data2.csv | mc-map wc -l | mc-gather | paste -sd,")
        .stdout("1,1\n")
        .succeeds();
    run("mc-cat -h n1,n4 /var/tmp/data1.csv | mc-gather").fails_with(4, "mc-cat: n4: cannot read");
    run("mc-cat -h n1 | mc-gather").fails_with(4, "say which files");
}

#[test]
fn files_are_split_between_records_and_nothing_is_copied() {
    let (cluster, dir) = (cluster(), dir());
    let run = |script: &str| on(cluster, dir.path(), script);
    let rows: String = (0..3000).map(|n| format!("{n},\"a \"\"{n}\"\",\n b\"\r\n")).collect();
    write(&dir, "a.csv", format!("id,text\r\n{rows}"));
    run("mc-cat a.csv > whole").stdout("").succeeds();
    for pieces in [1, 2, 7, 40] {
        let script = format!(
            "mc-split -n {pieces} a.csv | tee m | mc-map -h n1,n2,n3 cat | mc-gather | cmp - whole && grep -c shard m"
        );
        let count: usize = run(&script).succeeds().text().trim().parse().unwrap();
        assert!(count >= pieces.min(7) && count <= pieces + 1, "{pieces}: {count}");
    }
    run("mc-split -n 3 a.csv -o a.mc && mc-cat a.mc | cmp - whole").succeeds();
    run("echo 1,2 >> a.csv; mc-cat a.mc").fails_with(4, "was changed after it was split");
    run("mc-split -n 3 < a.csv").fails_with(2, "say which files to split");
}

#[test]
fn what_a_command_needs_is_sent_with_it() {
    let (cluster, dir) = (cluster(), dir());
    let run = |script: &str| on(cluster, dir.path(), script);
    write(&dir, "bin/f", "#!/bin/sh\nexec sed -f \"$1\"\n");
    write(&dir, "etc/words/one", "s/1/one/");
    run("chmod +x bin/f").succeeds();
    run("printf '\"1\"\\n' | mc-map -t -h n1,n2 --ship etc bin/f etc/words/one | mc-gather")
        .stdout("\"one\"\n")
        .succeeds();
    run("printf '\"1\"\\n' | mc-map -t -h n1 bin/f etc/words/one | mc-gather")
        .stderr_has("say --ship etc/words/one")
        .stderr_any()
        .fails(4);
    run("echo 1 | mc-map -h n1 no-such-command | mc-gather").fails_with(4, "no-such-command");
    let reduce = "seq 3 | mc-scatter -h n1,n2 --block 1 | mc-shuffle -n 2 -k . | mc-reduce";
    run(&format!("{reduce} -t --ship etc -- bin/f etc/words/one | mc-gather"))
        .stdout("\"one\"\n\"2\"\n\"3\"\n")
        .succeeds();
    run(&format!("{reduce} -t -- bin/f etc/words/one | mc-gather"))
        .stderr_has("say --ship etc/words/one")
        .stderr_any()
        .fails(4);
    run("echo 1 | mc-reduce --ship etc -- cat").fails_with(2, "--ship is for shards");
    run("echo 1 | mc-reduce --ship etc count").fails_with(2, "--ship is for a command");
}

#[test]
fn slots_are_shared_by_all_who_work_on_a_host() {
    let (cluster, dir) = (Cluster::new(), dir());
    let task = "mc-map -h 1/n1 --block 1 -c 'mkdir /var/tmp/busy && sleep 0.05 && rmdir /var/tmp/busy && cat'";
    let script = format!(
        "({task} < in | mc-gather > a) & ({task} < in | mc-gather > b); wait; cmp a in && cmp b in"
    );
    write(&dir, "in", numbers(12));
    on(&cluster, dir.path(), &script).succeeds();
}

#[test]
fn one_machine_is_a_cluster_too() {
    let dir = dir();
    write(&dir, "in", numbers(5000));
    let run = |script: &str| {
        let state = dir.path().join("state");
        sh("bash", script).current_dir(dir.path()).env("XDG_STATE_HOME", state)
    };
    run("mc-map -h :,: --block 2K cat < in | mc-map -c 'sed s/1/2/' | mc-gather > out; sed s/1/2/ in | cmp - out").succeeds();
    run("echo 1 | mc-map -h :,: --retries 0 false | mc-gather")
        .fails_with(4, "mc-map: localhost: task 1: false: exit status 1");
}

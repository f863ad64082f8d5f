//! `mc-hosts`: the table, what is kept, and its removal.

use std::path::Path;

use crate::support::{Call, Cluster, HOSTS, cluster, dir, mc, sh, write};

/// The words of the table's line about `host`.
fn line(table: &str, host: &str) -> Vec<String> {
    let lines = table.lines().map(|line| line.split_whitespace().map(String::from));
    let mut lines = lines.map(|words| words.collect::<Vec<_>>());
    lines.find(|words| words.first().is_some_and(|word| word == host)).expect(host)
}

/// The run whose manifest is at `path`.
fn run(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap().split('"').nth(3).unwrap().to_string()
}

#[test]
fn the_table_has_a_line_for_each_host() {
    let hosts = cluster();
    let dir = dir();
    let file = write(&dir, "hosts", "n[1-3] # three\n7/n4\n:\n");
    let table = mc("hosts").arg("-h").arg(&file).on(hosts).succeeds().text();
    assert_eq!(table.lines().count(), HOSTS + 2, "{table}");
    for number in 1..=HOSTS {
        let words = line(&table, &format!("n{number}"));
        assert_eq!(words[1..3], ["yes", "ssh2"], "{table}");
        assert_eq!(words[7], std::env::consts::ARCH, "{table}");
        assert_eq!(words[9], "ms", "{table}");
    }
    assert_eq!(line(&table, "n4")[3], "7");
    assert_eq!(line(&table, ":")[1..3], ["yes", "local"]);
    let table = mc("hosts").args(["-h", "n1", "--ssh", "ssh"]).on(hosts).succeeds().text();
    assert_eq!(line(&table, "n1")[1..3], ["yes", "ssh"]);
}

#[test]
fn the_hosts_of_a_job_are_those_that_the_batch_system_names() {
    let hosts = cluster();
    let dir = dir();
    let nodes = write(&dir, "nodes", "n3\nn1\nn3\nn1\nn3\n");
    let slurm = [("SLURM_JOB_NODELIST", "n[1-3,4]"), ("SLURM_JOB_CPUS_PER_NODE", "2(x3),1")];
    let pbs = [("PBS_NODEFILE", nodes.to_str().unwrap()), ("PBS_JOBID", "7")];
    for (variables, slots) in [
        (slurm, &[("n1", "2"), ("n2", "2"), ("n3", "2"), ("n4", "1")][..]),
        (pbs, &[("n3", "3"), ("n1", "2")]),
    ] {
        let in_job = |call: Call| variables.iter().fold(call, |call, (n, v)| call.env(n, v));
        let table = in_job(mc("hosts").args(["-h", "@job"]).on(hosts)).succeeds().text();
        let found: Vec<(String, String)> = table
            .lines()
            .skip(1)
            .map(|row| {
                let words: Vec<&str> = row.split_whitespace().collect();
                (words[0].to_string(), words[3].to_string())
            })
            .collect();
        let expected = slots.iter().map(|(host, count)| (host.to_string(), count.to_string()));
        assert_eq!(found, expected.collect::<Vec<_>>(), "{table}");
        let script = "set -o pipefail; seq 2000 | mc-map -h @job --block 500 cat | mc-sort -k .:nr | mc-gather |
            cmp - <(seq 2000 -1 1)";
        in_job(sh("bash", script).on(hosts)).succeeds();
    }
}

#[test]
fn a_host_out_of_reach_is_said_and_the_others_are_shown() {
    let hosts = Cluster::new();
    hosts.run(["kill", "n2"]);
    let call = mc("hosts").args(["-h", "n1,n2,nobody@n3"]).on(&hosts);
    let call = call.stderr_has("mc-hosts: n2: ").stderr_has("mc-hosts: nobody@n3: ");
    let table = call.stderr_has("2 of 3 hosts are out of reach\n").fails(5).text();
    for (host, reached) in [("n1", "yes"), ("n2", "no"), ("nobody@n3", "no")] {
        assert_eq!(line(&table, host)[1], reached, "{table}");
    }
}

#[test]
fn what_is_kept_is_listed_until_it_is_removed() {
    let hosts = Cluster::new();
    // What other tests keep meanwhile is not of this one's knowledge.
    let (dir, state) = (dir(), dir());
    let known = |call: Call| call.env("XDG_STATE_HOME", state.path());
    let make = |name: &str| {
        let script = format!("mc-cat range:0..5000 | mc-map -h n1,n2 --block 4K -o {name} cat");
        known(sh("dash", &script)).current_dir(&dir).on(&hosts).succeeds();
        run(&dir.path().join(name))
    };
    let kept =
        |call: &[&str]| known(mc("hosts").args(call)).arg("--kept").on(&hosts).succeeds().text();
    let (one, two) = (make("one.mc"), make("two.mc"));
    let listed = kept(&["-h", "n[1-4]"]);
    assert!(kept(&[]).contains(&one), "known without -h");
    for run in [&one, &two] {
        let lines = listed.lines().filter(|line| line.starts_with(run.as_str()));
        let lines: Vec<Vec<&str>> = lines.map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines.len(), 2, "{listed}");
        let shards: u64 = lines.iter().map(|words| words[2].parse::<u64>().unwrap()).sum();
        assert!(shards > 2 && lines.iter().all(|words| words[4] == "kept"), "{listed}");
        assert!(lines[0][7].ends_with(".mc"), "{listed}");
    }
    let rm = |words: &[&str]| known(mc("hosts").args(words)).current_dir(&dir).on(&hosts);
    rm(&["--rm", "one.mc"]).stdout("").succeeds();
    // By name, on hosts that are named: as if the run were not known.
    rm(&["-h", "n1,n2", "--rm", &two]).succeeds();
    rm(&["-h", "n1,n2", "--rm", &two]).stderr_has("nothing of run").fails(2);
    rm(&["--rm", &one]).stderr_has("is not known here").fails(4);
    assert!(crate::support::names(&dir).is_empty());
    assert_eq!(kept(&["-h", "n[1-4]"]).lines().count(), 1);
    hosts.is_clean();
}

#[test]
fn what_lies_on_hosts_that_were_not_named_stays_known() {
    let hosts = Cluster::new();
    let dir = dir();
    let rm = |words: &[&str]| mc("hosts").args(words).current_dir(&dir).on(&hosts);
    for name in ["x.mc", "y.mc"] {
        let script = format!("mc-cat range:0..5000 | mc-map -h n1,n2,n3 --block 4K -o {name} cat");
        sh("dash", &script).current_dir(&dir).on(&hosts).succeeds();
    }
    let one = run(&dir.path().join("y.mc"));
    let kept = |host: &str| hosts.on_host(host, "ls /var/tmp/mycloud-*/kept").lines().len();
    rm(&["-h", "n2,n4", "--rm", "x.mc"]).stderr_has("what lies on n1, n3 stays").succeeds();
    assert_eq!(["n1", "n2", "n3"].map(kept), [2, 1, 2]);
    assert!(dir.path().join("x.mc").exists());
    // Once more is no harm, and then the rest goes by itself.
    rm(&["-h", "n2", "--rm", "x.mc"]).stderr_has("what lies on n1, n3 stays").succeeds();
    rm(&["--rm", "x.mc"]).succeeds();
    assert!(!dir.path().join("x.mc").exists());
    // Host by host, the last takes the manifest with it.
    rm(&["-h", "n3,n1", "--rm", &one]).stderr_has("what lies on n2 stays").succeeds();
    assert!(dir.path().join("y.mc").exists());
    rm(&["-h", "n2", "--rm", &one]).succeeds();
    assert!(crate::support::names(&dir).is_empty());
    assert_eq!(["n1", "n2", "n3"].map(kept), [0, 0, 0]);
    hosts.is_clean();
}

#[test]
fn what_lies_on_a_host_out_of_reach_stays_known() {
    let hosts = Cluster::new();
    let dir = dir();
    let script = "mc-cat range:0..5000 | mc-map -h n1,n2 --block 4K -o x.mc cat";
    sh("dash", script).current_dir(&dir).on(&hosts).succeeds();
    hosts.run(["kill", "n2"]);
    let rm = |hosts: &Cluster| mc("hosts").args(["--rm", "x.mc"]).current_dir(&dir).on(hosts);
    rm(&hosts).stderr_has("n2: ").stderr_has("1 of 2 hosts is out of reach").fails(5);
    assert!(dir.path().join("x.mc").exists());
    hosts.run(["start", "n2"]);
    rm(&hosts).succeeds();
    assert!(!dir.path().join("x.mc").exists());
}

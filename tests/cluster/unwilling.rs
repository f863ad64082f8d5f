//! Hosts that offer little, or that cannot be had: pipelines over all hosts when one of them is so.

use crate::support::{Call, Cluster, HOSTS, dir, sh, write};

/// How hosts may be reached.
const ROADS: [&str; 2] = ["", "--ssh ssh"];

/// A map over all hosts, by each of [`ROADS`].
fn maps(cluster: &Cluster) -> [Call; 2] {
    ROADS.map(|road| {
        let line = format!(
            "set -o pipefail; mc-map -h {} {road} --block 200 ./f | mc-gather",
            cluster.hosts(HOSTS)
        );
        sh("bash", &line).on(cluster).stdin(numbers())
    })
}

fn numbers() -> String {
    (1..=500).map(|n| format!("{n}\n")).collect()
}

/// A directory with a command of one's own.
fn with_command() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = dir();
    let path = write(&dir, "f", "#!/bin/sh\nexec cat\n");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

/// After `harm`, all goes well all the same.
#[track_caller]
fn survives(harm: impl Fn(&Cluster)) {
    let (cluster, dir) = (Cluster::new(), with_command());
    harm(&cluster);
    for map in maps(&cluster) {
        map.current_dir(&dir).stdout(numbers()).succeeds();
    }
    cluster.is_clean();
}

/// After `harm` to n2, nothing is sent anywhere: exit status 5 of mc-map, which says `texts` of it.
#[track_caller]
fn is_refused(texts: &[&str], harm: impl Fn(&Cluster)) {
    let (cluster, dir) = (Cluster::new(), with_command());
    harm(&cluster);
    for map in maps(&cluster) {
        let mut map = map.current_dir(&dir).stderr_has("mc-map: n2: ");
        for text in texts {
            map = map.stderr_has(*text);
        }
        let output = map.fails(4);
        assert!(output.stdout.is_empty());
    }
    cluster.is_clean();
}

/// After `harm` to n2, the others do it all, and mc-map says so of it in one line.
#[track_caller]
fn does_without(text: &str, harm: impl Fn(&Cluster)) {
    let (cluster, dir) = (Cluster::new(), with_command());
    harm(&cluster);
    for map in maps(&cluster) {
        let map = map.current_dir(&dir).stderr_has("mc-map: n2: ").stderr_has(text);
        let said = map.stderr_has("; going on without it").stdout(numbers()).succeeds().stderr;
        assert_eq!(said.iter().filter(|byte| **byte == b'\n').count(), 1);
    }
    cluster.is_clean();
}

/// The login shell of n2 is `shell`.
fn login_shell(cluster: &Cluster, shell: &str) {
    cluster.on_host("n2", &format!("sed -i 's|/bin/bash|{shell}|' /etc/passwd"));
}

#[test]
fn a_login_that_gives_no_shell() {
    is_refused(&[], |cluster| login_shell(cluster, "/usr/sbin/nologin"));
}

#[test]
fn directories_where_nothing_may_be_run() {
    survives(|cluster| drop(cluster.run(["noexec", "n2"])));
    is_refused(&["executed"], |cluster| {
        cluster.run(["noexec", "n2", "/tmp", "/var/tmp", "/home", "/dev/shm"]);
    });
}

#[test]
fn a_directory_where_nothing_may_be_run_any_more() {
    let (cluster, dir) = (Cluster::new(), with_command());
    let half = |from: u32, to: u32| format!("seq {from} {to}");
    let script = format!(
        "set -o pipefail; ({}; until [ -e go ]; do sleep 0.05; done; {}) | \
         mc-map -h n1,n2 --block 200 ./f | mc-gather",
        half(1, 250),
        half(251, 500)
    );
    let call = sh("bash", &script).on(&cluster).current_dir(&dir);
    let running = call.stderr_has("mc-map: n2: ").stdout(numbers()).spawn();
    cluster.on_host("n2", "until ls -R /var/tmp/mycloud-0/runs | grep -qx f; do sleep 0.05; done");
    cluster.run(["noexec", "n2", "/var/tmp"]);
    write(&dir, "go", "");
    let said = String::from_utf8(running.exits(0).stderr).unwrap();
    let expected =
        "nothing may be run in /var/tmp/mycloud-0 any more (noexec); its tasks go elsewhere";
    assert!(said.contains(expected), "{said}");
    cluster.is_clean();
}

#[test]
fn what_was_kept_where_workers_had_to_be_is_found_when_they_may_be_elsewhere() {
    let (cluster, dir) = (Cluster::new(), dir());
    let run = |script: &str| {
        let script = format!("set -o pipefail; {script}");
        let call = sh("bash", &script).on(&cluster).current_dir(&dir).stdin(numbers());
        call.env("XDG_STATE_HOME", dir.path().join("state"))
    };
    cluster.run(["noexec", "n2"]);
    run("mc-map -h n1,n2 --block 200 -o x.mc cat").succeeds();
    cluster.on_host("n2", "find /home /root -path '*/.cache/mycloud/*/kept/*' | grep .");
    cluster.run(["heal", "n2"]);
    run("mc-cat x.mc").stdout(numbers()).succeeds();
    run("mc-sort -k .:n x.mc | mc-gather").stdout(numbers()).succeeds();
    run("mc-hosts --rm x.mc").succeeds();
    cluster.is_clean();
}

#[test]
fn directories_that_are_not_ours() {
    survives(|cluster| {
        cluster.on_host("n2", "mkdir -m 777 /var/tmp/mycloud-0");
        cluster.on_host("n2", "mkdir -m 700 /tmp/mycloud-0; chown nobody /tmp/mycloud-0");
    });
}

#[test]
fn a_disk_that_is_full_from_the_start() {
    let (cluster, dir) = (Cluster::new(), with_command());
    cluster.run(["fill", "n2"]);
    for map in maps(&cluster) {
        let map = map.current_dir(&dir).stderr_has("mc-map: n2: ").stderr_has("no room for ");
        map.stderr_has("; going on without it").stderr_any().stdout(numbers()).succeeds();
    }
    for host in ["n1", "n3", "n4"] {
        cluster.run(["fill", host]);
    }
    for map in maps(&cluster) {
        // The others have the worker already.
        let map = map.current_dir(&dir).stderr_has("mc-map: no host is left to work on: n1: ");
        let ended = map.stderr_has("cannot write /var/tmp/mycloud-0/").stderr_any().fails(4);
        assert!(ended.stdout.is_empty());
    }
    cluster.run(["heal"]);
    cluster.is_clean();
}

#[test]
fn a_host_with_another_key() {
    is_refused(&["CHANGED", "ssh-keygen"], |cluster| drop(cluster.run(["rekey", "n2"])));
}

#[test]
fn a_host_that_knows_no_key_of_ours() {
    is_refused(&["denies the login"], |cluster| {
        cluster.run(["sshd", "n2", "AuthorizedKeysFile none"]);
    });
}

#[test]
fn a_host_that_is_down() {
    does_without("refused", |cluster| drop(cluster.run(["kill", "n2"])));
}

#[test]
fn a_host_that_does_not_answer() {
    does_without("timed out", |cluster| drop(cluster.run(["crash", "n2"])));
}

#[test]
fn a_name_that_is_no_host() {
    let cluster = crate::support::cluster();
    for road in ROADS {
        let line = format!("mc-map -h n1,nowhere.invalid {road} cat");
        sh("bash", &line).on(cluster).stderr_has("nowhere.invalid").stdin("1\n").fails(5);
    }
}

//! The hosts themselves: that they are what the tests take them for, and that they go.

use std::path::Path;

use crate::support::{Call, Cluster, HOSTS, cluster};

/// `script` on `host` through ssh.
fn ssh(cluster: &Cluster, host: &str, script: &str) -> Call {
    Call::new("ssh").arg("-F").arg(cluster.ssh_config()).args([host, script])
}

#[test]
fn every_host_has_its_own_name_and_files() {
    let hosts = cluster();
    for number in 1..=HOSTS {
        let (name, next) = (format!("n{number}"), format!("n{}", number % HOSTS + 1));
        let file = format!("/tmp/of-{name}");
        ssh(hosts, &name, &format!("hostname; touch {file}"))
            .stdout(format!("{name}\n"))
            .succeeds();
        ssh(hosts, &next, &format!("ls {file}")).stderr_any().fails(2);
        ssh(hosts, &name, &format!("rm {file}")).succeeds();
    }
}

#[test]
fn what_is_left_on_a_host_is_seen() {
    let hosts = Cluster::new();
    hosts.is_clean();
    ssh(&hosts, "n2", "setsid sleep 1000 </dev/null >/dev/null 2>&1 & touch /var/tmp/left")
        .succeeds();
    assert!(hosts.orphans().contains("sleep 1000"), "{}", hosts.orphans());
    assert_eq!(hosts.leftovers(), "n2:/var/tmp/left\n");
    hosts.run(["kill", "n2"]);
    assert_eq!(hosts.orphans(), "");
    ssh(&hosts, "n2", "true").stderr_any().fails(255);
}

#[test]
fn a_cluster_leaves_nothing() {
    let hosts = Cluster::new();
    let dir = hosts.ssh_config().parent().unwrap().to_path_buf();
    let name = dir.file_name().unwrap().to_str().unwrap().to_string();
    let name = name.split('-').nth(1).unwrap();
    let present = || {
        let links = Call::new("ip").args(["-o", "link"]).succeeds().text();
        links.contains(name) || marked(&dir)
    };
    assert!(present());
    drop(hosts);
    assert!(!present());
    assert!(!dir.exists());
}

/// Whether a process lives that was started for the cluster in `dir`.
fn marked(dir: &Path) -> bool {
    let mark = format!("CLUSTER_MARK={} ", dir.display());
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .map(|entry| std::fs::read(entry.path().join("environ")).unwrap_or_default())
        .any(|environ| environ.split(|&b| b == 0).any(|v| v.starts_with(mark.as_bytes())))
}

//! How hosts are reached: by libssh2 or the ssh program, which keys count, and what logins may be
//! like.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::{Call, Cluster, cluster, dir, mc, need, sh, until, write};

/// What can carry a link to the hosts: without a network of this machine's own, only the program
/// finds them.
pub(super) fn carriers(cluster: &Cluster) -> &'static [&'static str] {
    let config = std::fs::read_to_string(cluster.ssh_config()).unwrap();
    if config.contains("ProxyCommand") { &["ssh"] } else { &["ssh2", "ssh"] }
}

/// The configuration of `cluster`, changed.
fn config(cluster: &Cluster, dir: &TempDir, changes: &[(&str, &str)]) -> PathBuf {
    let text = std::fs::read_to_string(cluster.ssh_config()).unwrap();
    let changed = changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in {text}");
        text.replace(from, to)
    });
    write(dir, "config", changed)
}

/// A pipeline over `host` that `prints` its one record when the host is reached.
fn reach(cluster: &Cluster, host: &str, options: &str) -> Call {
    let line = format!("set -o pipefail; echo 1 | mc-map -v -h {host} {options} cat | mc-gather");
    sh("bash", &line).on(cluster).stdout("1\n")
}

/// A call that does not reach `n1` with this configuration.
#[track_caller]
fn refused(cluster: &Cluster, config: &Path, carrier: &str, why: &str) {
    let call = mc("map").on(cluster).env("MC_SSH_CONFIG", config).stdin("1\n");
    call.args(["-h", "n1", "--ssh", carrier, "cat"]).fails_with(5, why);
}

#[test]
fn libssh2_carries_what_it_can_and_the_program_the_rest() {
    let (hosts, dir) = (cluster(), dir());
    for carrier in carriers(hosts) {
        reach(hosts, "n1", &format!("--ssh {carrier}")).stderr_any().succeeds();
    }
    let usual = if carriers(hosts).len() > 1 { "n1: ssh2\n" } else { "for its ProxyCommand" };
    reach(hosts, "n1", "").stderr_has(usual).succeeds();
    let proxy = "  ProxyCommand bash -c 'exec 3<>/dev/tcp/%h/%p; cat <&0 >&3 & exec cat <&3'\n";
    if carriers(hosts).len() > 1 {
        let config = config(hosts, &dir, &[("  BatchMode yes\n", proxy)]);
        let proxied = reach(hosts, "n1", "").env("MC_SSH_CONFIG", &config);
        proxied.stderr_has("n1: system ssh, for its ProxyCommand").succeeds();
    }
}

#[test]
fn a_host_key_that_is_not_known_is_refused_with_the_cure() {
    let (hosts, dir) = (cluster(), dir());
    let known = hosts.ssh_config().with_file_name("known_hosts");
    let text = std::fs::read_to_string(&known).unwrap();
    let [n1, n2] = [0, 1].map(|line| text.lines().nth(line).unwrap().split_once(' ').unwrap());
    let file = dir.path().join("known");
    let names = (known.to_str().unwrap(), file.to_str().unwrap());
    let config = config(hosts, &dir, &[names]);
    let typed = format!("is not known: run `ssh -F {} n1` once", config.display());
    let forget = format!("-R '{}'`", n1.0).replace('\'', "");
    for (lines, why) in [
        (String::new(), typed.as_str()),
        (format!("{} {}\n", n1.0, n2.1), "its host key has CHANGED"),
        (format!("{} {}\n", n1.0, n2.1), &forget),
        (format!("{text}@revoked * {}\n", n1.1), "its host key is marked as revoked"),
    ] {
        std::fs::write(&file, lines).unwrap();
        for carrier in carriers(hosts) {
            let call = mc("map").on(hosts).env("MC_SSH_CONFIG", &config).stdin("1\n");
            let call = call.args(["-h", "n1", "--ssh", carrier, "cat"]).stderr_any();
            let out = call.fails(5);
            let said = String::from_utf8(out.stderr).unwrap().replace(['\'', '"'], "");
            assert!(said.contains(&why.replace('\'', "")), "{carrier}: {said}");
        }
    }
    // Hashed, among lines that make no sense, it is as good as plain.
    std::fs::write(&file, &text).unwrap();
    let mut keygen = Command::new("ssh-keygen");
    keygen.arg("-Hf").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(keygen.status().unwrap().success());
    let hashed = std::fs::read_to_string(&file).unwrap();
    assert!(hashed.contains("|1|"));
    std::fs::write(&file, format!("nonsense\n* ssh-ed25519 !!!\n{hashed}")).unwrap();
    for carrier in carriers(hosts) {
        let call = reach(hosts, "n1", &format!("--ssh {carrier}")).env("MC_SSH_CONFIG", &config);
        call.stderr_any().succeeds();
    }
}

#[test]
fn keys_come_from_files_and_from_the_agent_and_locked_ones_are_told() {
    let (hosts, dir) = (cluster(), dir());
    let key = hosts.ssh_config().with_file_name("key");
    let key = key.to_str().unwrap();
    let locked = dir.path().join("locked");
    std::fs::copy(key, &locked).unwrap();
    let mut lock = Command::new("ssh-keygen");
    lock.args(["-q", "-p", "-N", "secret", "-f"]).arg(&locked).stdout(Stdio::null());
    assert!(lock.status().unwrap().success());
    let file = format!("IdentityFile {key}");
    let other = format!("IdentityFile {}", locked.display());
    let config = config(
        hosts,
        &dir,
        &[
            (&file, &other),
            ("IdentityAgent none", "IdentityAgent SSH_AUTH_SOCK"),
            ("IdentitiesOnly yes", "IdentitiesOnly no"),
        ],
    );
    need("ssh-agent", "apt-get install openssh-client");
    for carrier in carriers(hosts) {
        refused(hosts, &config, carrier, "run ssh-add");
        let line = format!(
            "set -o pipefail; export SSH_AUTH_SOCK={agent}; ssh-agent -D -a $SSH_AUTH_SOCK >&2 &
            trap 'kill $!' EXIT; until ssh-add -q {key} 2>/dev/null; do sleep 0.1; done
            echo 1 | mc-map -h n1 --ssh {carrier} cat | mc-gather",
            agent = dir.path().join(format!("agent-{carrier}")).display(),
        );
        let call = sh("bash", &line).on(hosts).env("MC_SSH_CONFIG", &config).stderr_any();
        call.stdout("1\n").succeeds();
    }
}

/// Each login here runs its command as another kind of login would.
#[test]
fn logins_may_be_noisy_or_have_another_shell() {
    let hosts = Cluster::new();
    for (number, (login, shell)) in [
        ("printf 'no line end'; echo noise >&2; exec sh -c \"$SSH_ORIGINAL_COMMAND\"", "sh"),
        ("fish -c \"$SSH_ORIGINAL_COMMAND\"", "fish"),
        ("tcsh -c \"$SSH_ORIGINAL_COMMAND\"", "tcsh"),
        ("zsh -c \"$SSH_ORIGINAL_COMMAND\"", "zsh"),
    ]
    .into_iter()
    .enumerate()
    {
        need(shell, &format!("apt-get install {shell}"));
        let host = format!("n{}", number + 1);
        hosts.run(["sshd", &host, &format!("ForceCommand {login}")]);
        for carrier in carriers(&hosts) {
            let call = reach(&hosts, &host, &format!("--ssh {carrier}")).stderr_any();
            let said = String::from_utf8(call.succeeds().stderr).unwrap();
            let noise = said.contains("printed 11 bytes, skipped: no line end");
            assert_eq!(noise, number == 0, "{said}");
        }
    }
    hosts.run(["sshd", "n1", "ForceCommand echo This account is not available."]);
    for carrier in carriers(&hosts) {
        let why = "n1: its login gives no shell: This account is not available.";
        refused(&hosts, hosts.ssh_config(), carrier, why);
    }
}

#[test]
fn what_a_login_prints_is_not_what_its_commands_print() {
    let hosts = Cluster::new();
    hosts.on_host("n1", "echo 'echo Welcome; echo to you >&2' > ~/.bashrc");
    for command in ["cat | cat", "cat", "bash -c cat"] {
        let line = format!("mc-map -h n1 -c '{command}' | mc-gather");
        let call = sh("bash", &line).on(&hosts).stdin("1\n2\n").stdout("1\n2\n").stderr_any();
        let said = String::from_utf8(call.succeeds().stderr).unwrap();
        assert!(!said.contains("task") && !said.contains("Welcome"), "{command}: {said}");
    }
}

#[test]
fn a_host_that_turns_logins_away_is_asked_again() {
    let hosts = Cluster::new();
    hosts.run(["sshd", "n1", "MaxStartups 1:100:1"]);
    for carrier in carriers(&hosts) {
        // A login that takes its time while it is none yet, once.
        let dir = dir();
        let held = dir.path().join("held");
        let go = dir.path().join("go");
        let wait = format!("until [ -e {} ]; do sleep 0.05; done", go.display());
        let hold = write(&dir, "hold", format!("mkdir {} && {wait}", held.display()));
        let mut slow = Command::new("ssh");
        slow.arg("-F").arg(hosts.ssh_config()).arg("-o").stderr(Stdio::null());
        slow.arg(format!("KnownHostsCommand=/bin/sh {}", hold.display())).args(["n1", "true"]);
        let mut running = slow.spawn().unwrap();
        until("a login takes its time", || {
            // The login before it may still count.
            if running.try_wait().unwrap().is_some() {
                running = slow.spawn().unwrap();
            }
            held.exists()
        });
        let call = reach(&hosts, "n1", &format!("--ssh {carrier} 2> >(tee said >&2)"));
        let reached = call.current_dir(&dir).stderr_has("n1: it turns logins away").spawn();
        let said = || std::fs::read_to_string(dir.path().join("said")).unwrap_or_default();
        until("the host is tried again", || said().contains("tries again"));
        write(&dir, "go", "");
        reached.exits(0);
        running.wait().unwrap();
    }
}

#[test]
fn a_worker_finds_a_place_where_it_may_run() {
    let hosts = Cluster::new();
    hosts.run(["noexec", "n1"]);
    // Either tool may have sent it.
    reach(&hosts, "n1", "").stderr_any().succeeds();
    let found = hosts.on_host("n1", "ls -A ~/.cache/mycloud/n1/bin").text();
    assert_eq!(found.trim().len(), 64, "{found}");
    let warm = reach(&hosts, "n1", "").stderr_any().succeeds();
    assert!(!String::from_utf8(warm.stderr).unwrap().contains("sends the worker"));
}

#[test]
fn a_silent_host_is_given_up() {
    let hosts = Cluster::new();
    hosts.run(["pause", "n1"]);
    for carrier in carriers(&hosts) {
        let call = mc("map").on(&hosts).args(["-h", "n1", "--ssh", carrier, "cat"]).stdin("1\n");
        call.stderr_has("n1: ").fails(5);
    }
}

//! Connections that break, or fall silent, at any byte of a login.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;

use tempfile::TempDir;

use super::at_work::with_workers;
use super::ssh::carriers;
use crate::support::{Cluster, dir, sh, write};

/// What becomes of a connection through a relay once so many bytes of the host's have passed.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// It breaks; those that come later are whole.
    BreaksOnce(usize),
    /// It breaks, and so does every other.
    Breaks(usize),
    /// Nothing more passes, either way.
    FallsSilent(usize),
}

/// Passes on what comes from `from`, `limit` bytes of it: how many those were, and whether more came.
fn pass(mut from: &TcpStream, mut to: &TcpStream, limit: usize) -> (usize, bool) {
    let (mut passed, mut block) = (0, [0; 4096]);
    while let Ok(read @ 1..) = from.read(&mut block) {
        let kept = read.min(limit - passed);
        if to.write_all(&block[..kept]).is_err() {
            break;
        }
        passed += kept;
        if kept < read {
            return (passed, true);
        }
    }
    (passed, false)
}

/// Carries one connection to `host`.
fn carry(client: TcpStream, host: &str, fault: Option<Fault>) {
    let Ok(server) = TcpStream::connect(host) else { return };
    let limit = match fault {
        None => usize::MAX,
        Some(Fault::BreaksOnce(limit) | Fault::Breaks(limit) | Fault::FallsSilent(limit)) => limit,
    };
    let silent = matches!(fault, Some(Fault::FallsSilent(_)));
    thread::scope(|scope| {
        scope.spawn(|| {
            pass(&client, &server, usize::MAX);
            let _ = server.shutdown(Shutdown::Both);
        });
        let (passed, is_more) = pass(&server, &client, limit);
        // Seen where the test fails.
        println!("{:?} to {host}, {fault:?}: {passed} bytes passed", client.local_addr());
        if is_more && silent {
            // Until the client has had enough.
            let _ = std::io::copy(&mut &server, &mut std::io::sink());
        }
        let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
    });
}

/// A relay to `host`, an address, for as long as the test lives: its port.
fn relay(host: String, fault: Fault) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            let (client, host) = (client.unwrap(), host.clone());
            let faulty = number == 0 || !matches!(fault, Fault::BreaksOnce(_));
            thread::spawn(move || carry(client, &host, faulty.then_some(fault)));
        }
    });
    port
}

/// A configuration in which `r1`, `r2`, ... are the hosts of `cluster` in turn, behind relays with
/// these faults, beside the hosts themselves.
fn relayed(cluster: &Cluster, dir: &TempDir, faults: &[Fault]) -> (PathBuf, String) {
    let text = std::fs::read_to_string(cluster.ssh_config()).unwrap();
    let value = |line: &str| line.split_whitespace().nth(1).unwrap().to_string();
    let values = |key: &str| {
        text.lines().filter(|line| line.trim_start().starts_with(key)).map(value).collect()
    };
    let (addresses, ports): (Vec<String>, Vec<String>) = (values("HostName"), values("Port"));
    let port = ports.first().map_or("22", String::as_str);
    let mut config = String::new();
    for (number, fault) in faults.iter().enumerate() {
        let address = &addresses[number % addresses.len()];
        let local = relay(format!("{address}:{port}"), *fault);
        let alias = if port == "22" { address.clone() } else { format!("[{address}]:{port}") };
        config += &format!(
            "Host r{}\n  HostName 127.0.0.1\n  Port {local}\n  HostKeyAlias {alias}\n",
            number + 1
        );
    }
    let names: Vec<String> = (1..=faults.len()).map(|number| format!("r{number}")).collect();
    (write(dir, "config", config + &text), names.join(","))
}

/// A pipeline over `hosts`, whose input does not end before it said `awaited` (for a minute at most):
/// what it says.
#[track_caller]
fn answers(
    cluster: &Cluster,
    config: &PathBuf,
    hosts: &str,
    options: &str,
    awaited: &str,
) -> String {
    let dir = dir();
    let input = if awaited.is_empty() { "seq 999" } else { "(seq 999; said)" };
    let line = format!(
        "set -o pipefail
        said() {{
            for i in {{1..1000}}; do grep -q '{awaited}' said && return; sleep 0.05; done
        }}
        {input} | mc-map -h {hosts} {options} --block 200 cat 2>said | mc-gather | cmp - <(seq 999)
        status=$?; cat said >&2; exit $status"
    );
    let call = sh("bash", &line).on(cluster).env("MC_SSH_CONFIG", config).current_dir(&dir);
    String::from_utf8(call.stderr_any().succeeds().stderr).unwrap()
}

#[test]
fn a_login_that_breaks_is_tried_again() {
    let (cluster, dir) = (with_workers(), dir());
    let faults: Vec<Fault> = (0..15).map(|number| Fault::BreaksOnce(number * 150)).collect();
    for road in carriers(&cluster) {
        let (config, names) = relayed(&cluster, &dir, &faults);
        let (hosts, options) = (format!("n1,{names}"), format!("-v --ssh {road}"));
        // What is said of it depends on the step that it breaks in.
        let again = "; tries again";
        let said = answers(&cluster, &config, &hosts, &options, again);
        assert!(said.contains(again), "{road}: {said}");
        assert!(!said.contains("going on without it"), "{road}: {said}");
    }
    // Once the worker is there, it is lost like any other.
    let faults = [2400, 2700, 3000, 4000].map(Fault::BreaksOnce);
    let (config, names) = relayed(&cluster, &dir, &faults);
    answers(&cluster, &config, &format!("n1,n2,n3,n4,{names}"), "", "");
    cluster.is_clean();
}

#[test]
fn a_host_that_is_lost_while_it_is_logged_in_to_is_left_out() {
    let (cluster, dir) = (with_workers(), dir());
    // With four that are there, half of them.
    let breaks = [Fault::Breaks(1500), Fault::Breaks(2100)];
    let faults = [&breaks[..], &[Fault::FallsSilent(0), Fault::FallsSilent(2100)]].concat();
    let (config, names) = relayed(&cluster, &dir, &faults);
    let all = format!("n1,n2,n3,n4,{names}");
    for road in carriers(&cluster) {
        let said = answers(&cluster, &config, &all, &format!("--ssh {road}"), "");
        let without = said.lines().filter(|line| line.ends_with("; going on without it")).count();
        assert_eq!(without, faults.len(), "{road}: {said}");
    }
}

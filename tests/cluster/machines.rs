//! Hosts that are another kind of machine than this one, and workers that do not fit.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{Cluster, dir, mc, sh, tools, worker};

/// A host's `uname` that says another machine, first in the PATH of its logins.
const OTHER: &str = "mkdir -p ~/bin && echo 'PATH=$HOME/bin:$PATH' > ~/.bashrc &&
    printf '#!/bin/sh\\n/usr/bin/uname \"$@\" | sed s/x86_64/sparc9/\\n' > ~/bin/uname && chmod +x ~/bin/uname";

/// Copies the worker at `from` to `to`, after `change`.
fn copy(from: &Path, to: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(from).unwrap();
    change(&mut bytes);
    std::fs::write(to, bytes).unwrap();
    std::fs::set_permissions(to, PermissionsExt::from_mode(0o755)).unwrap();
}

/// Where `part` stands in `bytes`.
fn find(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|window| window == part).unwrap()
}

#[test]
fn each_host_gets_the_worker_that_was_made_for_it() {
    let (cluster, dir) = (Cluster::of(2), dir());
    cluster.on_host("n1", OTHER);
    let own = dir.path().join("mc-worker");
    copy(&worker(), &own, |_| ());
    let other = dir.path().join("mc-worker-sparc9");
    let hosts = |list: &str| {
        let call = mc("hosts").on(&cluster).env("MC_WORKER", &own).args(["-v", "-h", list]);
        call.stderr_any()
    };
    let why = format!("n1: it is Linux sparc9, and there is no {} for it", other.display());
    hosts("n1").stderr_has(&why).fails(5);
    // The same program, and another file.
    copy(&worker(), &other, |bytes| bytes.push(b'x'));
    let size = std::fs::metadata(&own).unwrap().len();
    let sent = hosts("n1,n2").succeeds();
    let said = String::from_utf8(sent.stderr).unwrap();
    for (host, size) in [("n1", size + 1), ("n2", size)] {
        let sends = format!("{host}: sends the worker ({size} bytes)");
        assert!(said.contains(&sends), "{sends} is not in {said}");
    }
    let line =
        "set -o pipefail; seq 8 | mc-map -v -h n1,n2 --block 1 cat | mc-shuffle -k . | mc-gather";
    let call = sh("bash", line).on(&cluster).env("MC_WORKER", &own).stderr_any().succeeds();
    assert!(!String::from_utf8_lossy(&call.stderr).contains("sends the worker"));
    let mut lines: Vec<String> = call.text().lines().map(String::from).collect();
    lines.sort();
    assert_eq!(lines, ["1", "2", "3", "4", "5", "6", "7", "8"]);
}

#[test]
fn a_worker_of_another_build_that_was_installed_is_refused() {
    let dir = dir();
    for tool in ["mc-map", "mc-gather", "mc-worker"] {
        copy(&tools().join(tool), &dir.path().join(tool), |_| ());
    }
    let line = format!(
        "set -o pipefail; PATH={}:$PATH; echo 1 | mc-map -h : cat | mc-gather",
        dir.path().display()
    );
    let call = || sh("bash", &line).env("MC_WORKER", "");
    call().stdout("1\n").succeeds();
    let old = dir.path().join("mc-worker");
    copy(&tools().join("mc-worker"), &old, |bytes| {
        let version = format!("{} ", env!("CARGO_PKG_VERSION"));
        let is_build = |at: &usize| {
            let id = bytes.get(at + version.len()..at + version.len() + 16);
            bytes[*at..].starts_with(version.as_bytes())
                && id.is_some_and(|id| id.iter().all(u8::is_ascii_hexdigit))
        };
        let found: Vec<usize> = (0..bytes.len()).filter(is_build).collect();
        assert!(!found.is_empty());
        found.iter().for_each(|at| bytes[at + version.len()..][..16].fill(b'0'));
    });
    call().stderr_any().stderr_has("its worker is of another build").fails(4);
    // Who names a worker has it.
    call().env("MC_WORKER", &old).stdout("1\n").succeeds();
}

#[test]
fn a_worker_that_lacks_its_libraries_there_says_what_would_not() {
    let (cluster, dir) = (Cluster::of(1), dir());
    let path = dir.path().join("mc-worker");
    copy(&tools().join("mc-worker"), &path, |bytes| {
        let at = find(bytes, b"/ld-linux");
        bytes[at..at + 9].copy_from_slice(b"/no-linux");
    });
    let line = "set -o pipefail; echo 1 | mc-map -h n1 cat | mc-gather";
    let call = sh("bash", line).on(&cluster).env("MC_WORKER", &path).stderr_any();
    call.stderr_has("scripts/install makes one that needs none").fails(4);
}

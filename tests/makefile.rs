//! The example Makefile: several targets, interrupted at many moments, resumed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Call, copy, dir, mc, names, need, repository};

fn make(dir: &Path) -> Call {
    need("make", "apt-get install make");
    Call::new("make").arg("-j2").current_dir(dir)
}

/// What a directory has beyond the examples: the targets.
fn made(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let before = names(repository("examples"));
    let new = names(dir).into_iter().filter(|name| !before.contains(name));
    new.map(|name| (name.clone(), std::fs::read(dir.join(name)).unwrap())).collect()
}

#[test]
fn targets_that_were_interrupted_are_whole_or_absent_and_make_goes_on() {
    let whole = dir();
    copy(repository("examples"), whole.path());
    make(whole.path()).succeeds();
    let expected = made(whole.path());
    assert_eq!(expected.len(), 5, "{:?}", expected.keys());
    assert!(make(whole.path()).succeeds().text().contains("Nothing to be done"));

    let interrupted = dir();
    copy(repository("examples"), interrupted.path());
    let mut states = Vec::new();
    for (round, milliseconds) in [20, 60, 120, 240, 480, 960, 1920, 3840].into_iter().enumerate() {
        let mut running = make(interrupted.path()).stderr_any().spawn();
        std::thread::sleep(Duration::from_millis(milliseconds));
        let signal = [Signal::SIGKILL, Signal::SIGINT, Signal::SIGTERM][round % 3];
        running.signal_all(signal);
        running.wait();
        let now = made(interrupted.path());
        for (name, bytes) in &now {
            assert!(expected.get(name) == Some(bytes), "{name} is not what it should be");
        }
        states.push(now.len());
    }
    assert!(states[0] < expected.len(), "nothing was interrupted: {states:?}");
    make(interrupted.path()).succeeds();
    assert!(made(interrupted.path()) == expected);
}

#[test]
fn a_mapper_that_fails_makes_no_target() {
    let dir = dir();
    copy(repository("examples"), dir.path());
    let mapper = "#!/bin/sh\nhead -n 100\nexit 3\n";
    std::fs::write(dir.path().join("clean.py"), mapper).unwrap();
    make(dir.path()).stderr_has("exit status 3").fails(2);
    assert_eq!(made(dir.path()).len(), 0);
}

#[test]
fn targets_that_lie_on_hosts_are_made_once_and_removed_with_their_shards() {
    let (here, far) = (dir(), dir());
    for dir in [&here, &far] {
        copy(repository("examples"), dir.path());
    }
    let on_hosts = |words: &[&str]| make(far.path()).args(["-f", "hosts.mk"]).args(words);
    on_hosts(&[]).succeeds();
    assert!(on_hosts(&[]).succeeds().text().contains("Nothing to be done"));
    make(here.path()).args(["carriers.csv", "worst.ndjson"]).succeeds();
    let (mut far_made, here_made) = (made(far.path()), made(here.path()));
    assert!(far_made.remove("clean.mc").unwrap().starts_with(b"#mc1 {\"run\":"));
    assert!(far_made.iter().all(|(name, bytes)| here_made[name] == *bytes));
    assert_eq!(far_made.len(), 2);
    let manifest = far.path().join("clean.mc");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    let run = manifest.split('"').nth(3).unwrap();
    let listed = || mc("hosts").args(["-h", ":", "--kept"]).succeeds().text().contains(run);
    assert!(listed());
    // A mapper that is newer makes the dataset anew, and the old one is gone.
    let now = std::fs::File::options().append(true).open(far.path().join("clean.py")).unwrap();
    now.set_modified(std::time::SystemTime::now()).unwrap();
    on_hosts(&[]).succeeds();
    assert!(!listed() && made(far.path()).len() == 3);
    on_hosts(&["clean"]).succeeds();
    assert!(made(far.path()).is_empty() && !listed());
}

//! The example Makefile: several targets, interrupted at many moments, resumed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Call, copy, dir, names, need, repository};

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

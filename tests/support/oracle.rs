//! Programs that we did not write, asked what the right answer is. One that is missing is a loud
//! failure: a test that skips its oracle shows nothing.

use std::path::PathBuf;

use super::{Call, repository};

/// Fails, with the line that installs it, unless `program` is there.
#[track_caller]
pub fn need(program: &str, install: &str) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    assert!(there, "{program} is not installed: {install} (scripts/test does it)");
}

/// What the Python program `code` prints, given `stdin`; `args` are its `sys.argv[1:]`.
#[track_caller]
pub fn python(code: &str, args: &[&str], stdin: impl AsRef<[u8]>) -> Vec<u8> {
    need("python3", "apt-get install python3");
    let call = Call::new(python_program()).arg("-c").arg(code).args(args).stdin(stdin);
    call.env("PYTHONUTF8", "1").succeeds().stdout
}

/// The Python with the modules that the tests need: that of `scripts/test`, or else the system's.
pub fn python_program() -> PathBuf {
    let own = repository("target/python/bin/python3");
    if own.is_file() { own } else { PathBuf::from("python3") }
}

/// What `jq ARGS` prints, given `stdin`.
#[track_caller]
pub fn jq(args: &[&str], stdin: impl AsRef<[u8]>) -> Vec<u8> {
    need("jq", "apt-get install jq");
    Call::new("jq").args(args).stdin(stdin).succeeds().stdout
}

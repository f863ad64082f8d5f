//! `--explain`, `MC_EXPLAIN` and `mc-explain`: what a pipeline would do, while nothing is done.

mod advice;
mod errors;
mod line;
mod pipes;
mod schema;
mod stages;

use std::path::Path;

use crate::support::{Call, dir, mc, sh, write};

/// A directory with files to explain pipelines over.
pub fn files() -> tempfile::TempDir {
    let dir = dir();
    write(&dir, "sales.csv", "region,item,amount\nnorth,tea,3\nsouth,tea,4.5\nnorth,salt,2\n");
    write(&dir, "users.ndjson", "{\"region\":\"north\",\"who\":1}\n");
    write(&dir, "pairs.ndjson", "[\"a\",1]\n[\"a\",2]\n");
    write(&dir, "clean", "#!/bin/sh\ntouch ran; cat\n");
    Call::new("chmod").arg("+x").arg(dir.path().join("clean")).succeeds();
    dir
}

/// What `mc-explain` says of a pipeline in `dir`: its plan as text.
#[track_caller]
pub fn explained(dir: &Path, pipeline: &str) -> String {
    mc("explain").arg(pipeline).current_dir(dir).succeeds().text()
}

/// The same as JSON.
#[track_caller]
pub fn plan(dir: &Path, pipeline: &str) -> serde_json::Value {
    let text = mc("explain").args(["--json", pipeline]).current_dir(dir).succeeds().text();
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// A shell line that explains.
#[track_caller]
pub fn asked(shell: &str, dir: &Path, script: &str) -> Call {
    sh(shell, script).current_dir(dir).env("MC_EXPLAIN", "1")
}

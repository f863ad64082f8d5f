//! `scripts/torture` itself: that it sees what may never be.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::{Call, dir, repository, tools, worker, write};

/// Takes the place of mc-gather in the runs of these seeds: it gives a part of the answer, does not end,
/// leaves a process and a file, fails without a word, and fails as it should.
const GATHER: &str = r#"#!/bin/sh
case $PWD in
    */1/a) mc-gather-as-it-is "$@" && sed -i '$d' out; exit;;
    */2/a) sleep 1000;;
    */3/a) (sleep 1000 &); : >"$TMPDIR/left";;
    */4/a) exit 4;;
    */5/a) echo "mc-gather: nothing to be had" >&2; exit 4;;
esac
exec mc-gather-as-it-is "$@"
"#;

#[test]
fn what_may_never_be_is_seen() {
    let dir = dir();
    for entry in std::fs::read_dir(tools()).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("mc-") && !name.contains('.') {
            let name = if name == "mc-gather" { "mc-gather-as-it-is" } else { &name };
            symlink(entry.path(), dir.path().join(name)).unwrap();
        }
    }
    write(&dir, "mc-gather", GATHER);
    let gather = dir.path().join("mc-gather");
    std::fs::set_permissions(gather, Permissions::from_mode(0o755)).unwrap();
    let call = Call::new(repository("scripts/torture")).env("MC_WORKER", worker());
    let call = call.args(["--only", "none", "--pipeline", "map_csv", "--seed", "1", "--runs", "6"]);
    let call = call.args(["--at-once", "6", "--limit", "40", "--clean", "4", "--tools"]);
    let said = call.arg(dir.path()).fails(1).text();
    let line = |text: &str| {
        assert!(said.contains(text), "no {text:?} in\n{said}");
    };
    line("    wrong: map_csv: status 0, out of ");
    line("    hang: map_csv: ");
    line("runs here: ");
    line("lies here: left");
    line("    unsaid: map_csv: status 4 and not a word");
    line("    mc-gather: nothing to be had");
    let row = said.lines().rev().find(|line| line.starts_with("all ")).unwrap();
    let row: Vec<&str> = row.split_whitespace().collect();
    // Runs, identical, wrong, hang, orphan, leftover, unsaid.
    assert_eq!(row[1..8], ["6", "1", "1", "1", "1", "1", "1"], "{said}");
}

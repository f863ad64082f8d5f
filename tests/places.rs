//! Where notes on pipes can lie, and what is done where there is no place for them.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use nix::unistd::Uid;
use tempfile::TempDir;

use crate::support::{Call, dir, mc, names, need, not_tested, other_user, sh, write};

/// A shell line in which no directory can hold notes: not even the superuser's file system takes any.
/// Its directory is `dir`.
fn without_places(dir: &TempDir, script: &str) -> Call {
    need("unshare", "apt-get install util-linux");
    let dir = dir.path().display();
    let script = format!(
        "export HOME=/ XDG_STATE_HOME=/proc XDG_RUNTIME_DIR= TMPDIR=/mnt
         mount --bind {dir} /mnt && cd /mnt &&
         mount -t tmpfs -o ro none /run && mount -t tmpfs -o ro none /dev/shm &&
         mount --bind /tmp /tmp && mount -o remount,bind,ro /tmp && {{ {script}
         }}"
    );
    let root = Uid::effective().is_root();
    let user = if root { &[][..] } else { &["--map-root-user"] };
    Call::new("unshare").arg("--mount").args(user).args(["bash", "-c", &script])
}

#[test]
fn a_failure_is_known_where_no_note_can_be_written() {
    let dir = dir();
    let out = write(&dir, "out.ndjson", "good\n");
    let there = |script: &str| without_places(&dir, script);
    for fails in ["seq 5 | mc-map false", "mc-cat no-such-file", "mc-cat --no-such-option"] {
        let line = format!("{fails} | mc-gather -o out.ndjson");
        let call = there(&line).stderr_has("mc-gather: the upstream, a tool that wrote into");
        call.fails(4);
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "good\n", "{fails}");
    }
    for (good, holds) in [
        ("seq 2 | mc-map cat", "1\n2\n"),
        ("seq 2", "1\n2\n"),
        ("{ echo 1 | mc-cat; echo 2 | mc-cat; }", "1\n2\n"),
        ("seq 40 | xargs -P 4 -n 1 sh -c 'echo 1 | mc-cat ndjson:-'", &"1\n".repeat(40)),
    ] {
        there(&format!("{good} | mc-gather -o out.ndjson")).succeeds();
        assert_eq!(std::fs::read_to_string(&out).unwrap(), holds, "{good}");
    }
    let grouped = there("echo '{\"r\":1}' | mc-shuffle -k r | mc-reduce count");
    grouped.stderr_has("-k").fails(2);
}

#[test]
fn a_directory_for_notes_that_cannot_serve_is_an_error_of_every_tool() {
    let dir = dir();
    let out = write(&dir, "out.ndjson", "good\n");
    let open = dir.path().join("open");
    std::fs::DirBuilder::new().mode(0o755).create(&open).unwrap();
    let open = open.to_str().unwrap();
    let line = "seq 5 | mc-map false | mc-gather -o out.ndjson";
    let call = sh("bash", line).current_dir(dir.path()).env("MC_RUNTIME_DIR", open);
    call.stderr_has("mc-gather: ").stderr_has("its mode is 755; chmod 700 it").fails(2);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "good\n");
    for place in [open, "relative", "/no/such/directory", "/proc", out.to_str().unwrap()] {
        for tool in [
            "cat", "split", "scatter", "map", "sort", "shuffle", "reduce", "join", "gather",
            "hosts", "report",
        ] {
            // What lacks is said later, and a tool that was not told what to do is told that first.
            let args: &[&str] = match tool {
                "map" => &["cat"],
                "scatter" | "hosts" => &["-h", ":"],
                "reduce" => &["count"],
                "report" => &["-"],
                "join" => &["-k", ".", "range:0..1"],
                _ => &[],
            };
            let call = mc(tool).args(args).env("MC_RUNTIME_DIR", place);
            call.stderr_has(format!("{place} (MC_RUNTIME_DIR): cannot keep notes")).fails(2);
        }
        let help = mc("cat").arg("--help").env("MC_RUNTIME_DIR", place);
        assert!(help.succeeds().text().contains("--verbose"));
    }
    let good = dir.path().join("made");
    sh("bash", line).current_dir(dir.path()).env("MC_RUNTIME_DIR", &good).stderr_any().fails(4);
    assert!(good.is_dir());
}

#[test]
fn where_nothing_could_be_known_an_output_is_refused_unless_unchecked() {
    if !Uid::effective().is_root() {
        not_tested("only the superuser can be another user");
        return;
    }
    let dir = dir();
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(dir.path(), 0o777);
    // The pipe is made by the shell, which is another user than the tools.
    let other = other_user();
    let there = |script: &str| without_places(&dir, script);
    for (tool, output) in [
        ("mc-gather -o out.ndjson", "out.ndjson"),
        ("mc-gather -n 1 -o out-%d.ndjson", "out-0.ndjson"),
        ("mc-split -n 1 -o out-%d.ndjson", "out-0.ndjson"),
    ] {
        let call = there(&format!("seq 5 | {other} {tool}"));
        call.stderr_has("name a private directory in MC_RUNTIME_DIR, or say --unchecked").fails(2);
        assert!(names(&dir).is_empty());
        there(&format!("seq 5 | {other} {tool} --unchecked")).succeeds();
        assert_eq!(std::fs::read_to_string(dir.path().join(output)).unwrap(), "1\n2\n3\n4\n5\n");
        std::fs::remove_file(dir.path().join(output)).unwrap();
    }
    // Nothing is published: a stream need not be whole.
    there(&format!("seq 5 | {other} mc-gather | tail -n 1")).stdout("5\n").succeeds();
    for tool in [
        "map -h : -o x.mc cat",
        "scatter -h : -o x.mc",
        "sort -o x.mc",
        "shuffle -o x.mc",
        "reduce -k . -o x.mc count",
    ] {
        let call = there(&format!("echo | {other} mc-{tool}"));
        call.stderr_has("--unchecked").fails(2);
    }
}

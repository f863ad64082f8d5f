//! Trees of files.

use std::os::unix::fs::symlink;

use crate::support::*;

fn cat(dir: &tempfile::TempDir, resource: &str) -> Call {
    mc("cat").current_dir(dir.path()).arg(resource)
}

fn gather(dir: &tempfile::TempDir, records: &str) -> Call {
    mc("gather").current_dir(dir.path()).args(["-o", "files:out"]).stdin(records)
}

#[test]
fn a_tree_is_read_in_the_order_of_its_paths_and_comes_back() {
    let dir = dir();
    for (name, data) in
        [("b/c/d", "1".as_bytes()), ("b-x", b"2\n"), ("b/c.txt", b""), ("a", b"\xff\0")]
    {
        write(&dir, &format!("in/{name}"), data);
    }
    std::fs::create_dir(dir.path().join("in/empty")).unwrap();
    let want = rows![["a", {"$base64": "/wA="}], ["b-x", "2\n"], ["b/c.txt", ""], ["b/c/d", "1"]];
    cat(&dir, "files:in").stdout(&want).succeeds();
    gather(&dir, &want).succeeds();
    cat(&dir, "files:out").stdout(&want).succeeds();
    cat(&dir, "files:in/b-x").stdout(rows![["b-x", "2\n"]]).succeeds();
    assert_eq!(names(&dir), ["in", "out"]);
}

#[test]
fn names_that_are_not_utf8_come_back() {
    let dir = dir();
    let records = "[{\"$base64\":\"L/8=\"},\"x\"]\n".replace("L/8=", "Zv8=");
    gather(&dir, &records).succeeds();
    cat(&dir, "files:out").stdout(&records).succeeds();
}

#[test]
fn links_to_files_are_read_and_what_is_no_file_is_refused_or_left_out() {
    let dir = dir();
    write(&dir, "in/a", "1");
    symlink("a", dir.path().join("in/link")).unwrap();
    cat(&dir, "files:in").stdout(rows![["a", "1"], ["link", "1"]]).succeeds();
    let refused = |why: &str| cat(&dir, "files:in").stdout("").stderr_has(why).fails(2);
    symlink(".", dir.path().join("in/loop")).unwrap();
    refused("in/loop is a link to a directory (files,skip: leaves it out)");
    std::fs::remove_file(dir.path().join("in/loop")).unwrap();
    symlink("nowhere", dir.path().join("in/dangling")).unwrap();
    refused("cannot read in/dangling");
    std::fs::remove_file(dir.path().join("in/dangling")).unwrap();
    nix::unistd::mkfifo(&dir.path().join("in/fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    refused("in/fifo is neither file nor directory");
    cat(&dir, "files,skip:in").stdout(rows![["a", "1"], ["link", "1"]]).succeeds();
}

#[test]
fn nothing_is_written_outside_the_tree_or_twice() {
    let dir = dir();
    let refused = |path: &str, why: &str| {
        let call = gather(&dir, &format!("[\"x\",\"1\"]\n[{path},\"2\"]\n"));
        call.stderr_has(format!("record 2 is no file: {why}")).fails(3);
        assert!(names(&dir).is_empty(), "{path}");
    };
    for path in ["../up", "/abs", "a/../b", ".", "a//b", "./a", "a/", "", "nul\\u0000"] {
        refused(&format!("\"{path}\""), "the path '");
    }
    refused("\"x\"", "the path 'x' comes twice");
    refused("\"x/y\"", "the path 'x/y' leads through a file");
    refused("1", "its path: not a string");
    refused(&format!("\"{}\"", "n".repeat(300)), "the path 'nnn");
    let call = gather(&dir, "[\"a/b\",\"1\"]\n[\"a\",\"2\"]\n");
    call.stderr_has("the path 'a' comes twice").fails(3);
    assert!(names(&dir).is_empty());
}

#[test]
fn an_existing_tree_is_replaced_only_when_asked() {
    let dir = dir();
    write(&dir, "out/old", "1");
    let call = gather(&dir, "[\"new\",\"2\"]\n");
    call.stderr_has("out exists already; --replace puts the new one in its place").fails(2);
    cat(&dir, "files:out").stdout(rows![["old", "1"]]).succeeds();
    gather(&dir, "[\"bad\"]\n").arg("--replace").stderr_any().fails(3);
    cat(&dir, "files:out").stdout(rows![["old", "1"]]).succeeds();
    gather(&dir, "[\"new\",\"2\"]\n").arg("--replace").succeeds();
    cat(&dir, "files:out").stdout(rows![["new", "2"]]).succeeds();
    assert_eq!(names(&dir), ["out"]);
    write(&dir, "file", "");
    let call = mc("gather").current_dir(dir.path()).args(["-o", "files:file", "--replace"]);
    call.stdin("").stderr_has("file is not a directory").fails(2);
}

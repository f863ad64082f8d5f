//! What `-o` writes: whole or not at all, one file or several.

use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::*;

fn gather(dir: &tempfile::TempDir, output: &str) -> Call {
    mc("gather").current_dir(dir.path()).args(["-o", output])
}

fn read(dir: &tempfile::TempDir, name: &str) -> String {
    std::fs::read_to_string(dir.path().join(name)).unwrap()
}

#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    let dir = dir();
    for name in ["out.csv", "out.csv.gz", "out.csv.zip", "out.zip"] {
        write(&dir, name, "old");
        gather(&dir, name).stdin("{\"a\":1}\n{\"b\":2}\n").stderr_any().fails(3);
        gather(&dir, name).stdin("{\"a\":1}\n{\"a\":\n").stderr_any().fails(3);
        assert_eq!(read(&dir, name), "old");
    }
    gather(&dir, "out.csv").stdin("{\"a\":1}\n").succeeds();
    assert_eq!(read(&dir, "out.csv"), "a\n1\n");
    assert_eq!(names(&dir), ["out.csv", "out.csv.gz", "out.csv.zip", "out.zip"]);
}

#[test]
fn a_pipeline_that_fails_leaves_the_old_file_alone() {
    let dir = dir();
    write(&dir, "out.csv", "old");
    for shell in ["dash", "bash"] {
        let script = "mc-cat ndjson:- nowhere.csv | mc-gather -o csv:out.csv";
        let call = sh(shell, &format!("echo '{{\"a\":1}}' | {{ {script}; }}"));
        call.current_dir(dir.path()).stderr_any().fails(4);
        let script = "printf '{\"a\":1}\\n[' | mc-cat ndjson:- | mc-gather -o csv:out.csv";
        sh(shell, script).current_dir(dir.path()).stderr_any().fails(4);
    }
    assert_eq!(read(&dir, "out.csv"), "old");
    assert_eq!(names(&dir), ["out.csv"]);
}

#[test]
fn permissions_are_those_of_the_umask_and_links_stay() {
    let dir = dir();
    let umask = "umask 027; echo '{\"a\":1}' | mc-gather -o out.csv";
    sh("dash", umask).current_dir(dir.path()).succeeds();
    assert_eq!(std::fs::metadata(dir.path().join("out.csv")).unwrap().mode() & 0o777, 0o640);
    symlink("out.csv", dir.path().join("link.csv")).unwrap();
    gather(&dir, "link.csv").stdin("{\"b\":2}\n").succeeds();
    assert!(dir.path().join("link.csv").is_symlink());
    assert_eq!(read(&dir, "out.csv"), "b\n2\n");
}

#[test]
fn special_files_are_written_to_as_they_are() {
    let dir = dir();
    gather(&dir, "csv:/dev/null").stdin("{\"a\":1}\n").succeeds();
    assert!(!Path::new("/dev/null").is_file());
    let full = |output: &str| gather(&dir, output).stdin("{\"a\":1}\n");
    full("csv:/dev/full").stderr_has("cannot write /dev/full: No space left on device").fails(6);
    full("csv:-").stdout_to("/dev/full").stderr_has("No space left on device").fails(6);
    let zip = gather(&dir, "zip:/dev/full").stdin("[\"a\",\"b\"]\n");
    zip.stderr_has("cannot write /dev/full").fails(6);
    nix::unistd::mkfifo(&dir.path().join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let script = "cat fifo & echo '{\"a\":1}' | mc-gather -o csv:fifo; wait";
    sh("dash", script).current_dir(dir.path()).stdout("a\n1\n").succeeds();
    gather(&dir, "csv:.").stdin("").stderr_any().fails(2);
    gather(&dir, "no/out.csv").stdin("").stderr_has("cannot write no/out.csv").fails(2);
}

/// Starts `mc-gather -o OUTPUT` in `dir`, feeds it records, and kills it (and nobody else) when
/// `begun` says that it writes.
fn killed(dir: &Path, output: &str, records: &str, begun: impl Fn(i32) -> bool) {
    let mut child = Command::new(tools().join("mc-gather"))
        .args(["-o", output])
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(records.as_bytes()).unwrap();
    until("it writes", || begun(child.id() as i32));
    child.kill().unwrap();
    child.wait().unwrap();
    // Its standard input stays open: the end of that is not what ends what is left of it.
    until("nothing is left", || names(dir).is_empty());
    drop(stdin);
}

/// Whether the process or a child of it has a file without a name open in `dir`.
fn holds_nameless(process: i32, dir: &Path) -> bool {
    let mut children = String::new();
    let path = format!("/proc/{process}/task/{process}/children");
    let _ = std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut children));
    let own = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    own.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|target| target.starts_with(dir))
        || children.split_whitespace().any(|child| holds_nameless(child.parse().unwrap(), dir))
}

#[test]
fn a_kill_leaves_nothing() {
    let dir = dir();
    let path = dir.path().canonicalize().unwrap();
    let records = "{\"a\":1}\n".repeat(1 << 17);
    killed(&path, "out.csv", &records, |process| holds_nameless(process, &path));
    let data = "x".repeat(500);
    let records: String = (0..2000).map(|n| format!("[\"{n}\",\"{data}\"]\n")).collect();
    killed(&path, "files:out", &records, |_| !names(&path).is_empty());
}

#[test]
fn what_goes_to_standard_output_is_not_held_back_by_a_format() {
    let call = mc("gather").args(["-o", "csv:-"]).stdin("{\"a\":1}\n{\"b\":1}\n");
    call.stderr_has("standard output: record 2 does not fit in CSV").fails(3);
    mc("gather").stdin("1\n[\n").stderr_has("line 2").fails(3);
}

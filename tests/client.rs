//! `client://` on this machine: commands read and write what is shared, and nothing else.

use std::os::unix::fs::symlink;

use crate::support::{Call, dir, mc, names, rows, sh, write};

/// A directory with `d/a.csv`, `d/raw` of bytes that are no text, an empty `out`, and `secret`.
fn shared() -> tempfile::TempDir {
    let dir = dir();
    write(&dir, "d/a.csv", "x,y\n1,2\n3,4\n");
    write(&dir, "d/raw", [0, 10, 13, 255, 10]);
    write(&dir, "secret", "secret\n");
    std::fs::create_dir(dir.path().join("out")).unwrap();
    symlink("../secret", dir.path().join("d/leaves")).unwrap();
    dir
}

fn run(dir: &tempfile::TempDir, script: &str) -> Call {
    sh("bash", &format!("set -o pipefail; {script}")).current_dir(dir.path())
}

#[test]
fn a_command_reads_records_and_bytes() {
    let dir = shared();
    run(&dir, "mc-cat range:0..1 | mc-map --share d -c 'mc-cat csv:client://$PWD/d/a.csv'")
        .stdout(rows![{"x": "1", "y": "2"}, {"x": "3", "y": "4"}])
        .succeeds();
    // By the name alone, in a share that is one file, and under the name that is no link.
    symlink("d", dir.path().join("link")).unwrap();
    for (share, path) in
        [("d/a.csv", "d/a.csv"), ("link", "link/a.csv"), ("link", "d/a.csv"), ("d:ro", "d/a.csv")]
    {
        let line =
            format!("mc-map --share {share} -c 'mc-cat client://$(pwd -P)/{path} | tail -n 1'");
        run(&dir, &format!("mc-cat range:0..1 | {line}"))
            .stdout(rows![{"x": "3", "y": "4"}])
            .succeeds();
    }
    let raw = "mc-map --share d -c 'mc-cat --raw client://$PWD/d/raw | od -An -tx1 | jq -R .'";
    run(&dir, &format!("mc-cat range:0..1 | {raw}")).stdout("\" 00 0a 0d ff 0a\"\n").succeeds();
    run(&dir, "echo 7 | mc-reduce --all --share d -c 'mc-cat client://$PWD/d/a.csv | head -n 1'")
        .stdout(rows![{"x": "1", "y": "2"}])
        .succeeds();
}

#[test]
fn what_is_not_shared_is_refused_and_the_flag_named() {
    let dir = shared();
    for (share, path, said) in [
        ("", "d/a.csv", "say --share DIR"),
        ("--share out", "d/a.csv", "not shared: say --share DIR for a directory that it lies in"),
        ("--share d", "secret", "not shared: say --share DIR"),
        ("--share d", "d/../secret", "a path with '..' in it is refused"),
        ("--share d", "d/leaves", "a link in it leads out of what is shared"),
        ("--share d", "d", "is a directory"),
        ("--share d", "d/none.csv", "No such file"),
        ("--share /", "../../../../../../../proc/self/environ", "'..'"),
    ] {
        let line = format!("mc-map --retries 0 {share} -c 'mc-cat csv:client://$PWD/{path}'");
        let ended =
            run(&dir, &format!("mc-cat range:0..1 | {line}")).stdout("").fails_with(1, said);
        let said = String::from_utf8(ended.stderr).unwrap();
        let lines = said.lines().filter(|line| line.contains("task 1: mc-cat: ")).count();
        assert_eq!(lines, 1, "{said}");
    }
    for path in ["/proc/self/environ", "/dev/null"] {
        let line = format!("mc-map --retries 0 --share / -c 'mc-cat --raw client://{path}'");
        run(&dir, &format!("mc-cat range:0..1 | {line}")).fails_with(1, "is no regular file");
    }
    mc("cat").arg("csv:client:///a.csv").fails_with(2, "say --share DIR there");
    mc("cat").arg("csv:client://a.csv").fails_with(2, "client:///PATH");
    mc("map").args(["--share", "/no/such", "cat"]).fails_with(2, "cannot share /no/such: No such");
    mc("reduce").args(["--share", "/", "count"]).fails_with(2, "--share is for a command");
}

#[test]
fn a_command_writes_files_that_appear_whole() {
    let dir = shared();
    let line = "mc-map --block 1 --share d --share out:rw -c \
                'mc-cat client://$PWD/d/a.csv | mc-gather -o csv:client://$PWD/out/$MC_TASK.csv'";
    run(&dir, &format!("mc-cat range:0..3 | {line}")).stdout("").succeeds();
    assert_eq!(names(dir.path().join("out")), ["1.csv", "2.csv", "3.csv"]);
    for name in ["1", "2", "3"] {
        let written = std::fs::read(dir.path().join(format!("out/{name}.csv"))).unwrap();
        assert_eq!(written, b"x,y\n1,2\n3,4\n");
    }
    let several =
        "mc-map --per shard --share out:rw -c 'mc-gather -n 2 -o client://$PWD/out/n%d.ndjson'";
    run(&dir, &format!("mc-cat range:0..4 | {several}")).succeeds();
    assert_eq!(std::fs::read(dir.path().join("out/n1.ndjson")).unwrap(), b"2\n3\n");

    for (share, command, said) in [
        ("out", "cat", "shared for reading only: say --share DIR:rw"),
        ("d:rw", "cat", "not shared: say --share DIR:rw for a directory"),
        ("out:rw", "mc-cat range:0..3 csv:no/such", "No such file"),
    ] {
        let line = format!(
            "mc-map --retries 0 --share {share} -c '{command} | mc-gather -o client://$PWD/out/new.ndjson'"
        );
        run(&dir, &format!("mc-cat range:0..1 | {line}")).fails_with(1, said);
        assert!(!names(dir.path().join("out")).contains(&"new.ndjson".to_string()));
    }
}

#[test]
fn bytes_go_on_as_they_are() {
    let dir = dir();
    let bytes: Vec<u8> = (0..300_000u32).flat_map(|n| n.wrapping_mul(n).to_le_bytes()).collect();
    let path = write(&dir, "a", &bytes);
    write(&dir, "b.gz", "no gzip\n");
    let both = [&bytes[..], b"no gzip\n"].concat();
    mc("cat").arg("--raw").arg(&path).arg(dir.path().join("b.*")).stdout(&both).succeeds();
    mc("cat").args(["--raw", "-"]).stdin(&bytes).stdout(&bytes).succeeds();
    mc("cat").arg("--raw").stdin(&bytes).stdout(&bytes).succeeds();
    mc("cat").args(["--raw", "-f", "csv", "-"]).stderr_any().fails(2);
    mc("cat").args(["--raw", "/no/such"]).fails_with(2, "No such file");
}

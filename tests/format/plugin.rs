//! Formats of others: `mc-format-NAME`, and the example for SQLite.

use std::os::unix::fs::PermissionsExt;

use crate::support::*;

/// A directory with a format of its own, `mc-format-odd`, in `bin`.
fn with_format(script: &str) -> tempfile::TempDir {
    let dir = dir();
    let program = write(&dir, "bin/mc-format-odd", format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

fn call(tool: &str, dir: &tempfile::TempDir) -> Call {
    let path = format!("{}:{}", dir.path().join("bin").display(), std::env::var("PATH").unwrap());
    mc(tool).current_dir(dir.path()).env("PATH", path)
}

#[test]
fn a_program_is_a_format() {
    let dir = with_format(
        "case $1 in read) cat \"$2\"; shift 2; for o; do echo \"\\\"$o\\\"\"; done;; write) cat > \"$2\";; esac",
    );
    write(&dir, "x", "1\n");
    call("cat", &dir).arg("odd,o=v,w:x").stdout("1\n\"o=v\"\n\"w\"\n").succeeds();
    call("gather", &dir).args(["-o", "odd:y"]).stdin("[2]\n").succeeds();
    assert_eq!(std::fs::read(dir.path().join("y")).unwrap(), b"[2]\n");
    call("gather", &dir).args(["-o", "odd:y"]).stdin("3\n").succeeds();
    assert_eq!(std::fs::read(dir.path().join("y")).unwrap(), b"3\n");
    call("gather", &dir).args(["-o", "odd:y"]).stdin("[\n").stderr_any().fails(3);
    assert_eq!(std::fs::read(dir.path().join("y")).unwrap(), b"3\n");
    assert_eq!(names(&dir), ["bin", "x", "y"]);
}

#[test]
fn a_program_that_fails_fails_the_tool_and_is_heard() {
    let dir = with_format("echo 1; echo why >&2; exit 3");
    write(&dir, "x", "");
    let said = call("cat", &dir).arg("odd:x");
    said.stderr_has("mc-cat: mc-format-odd: why").stderr_has("exit status 3").fails(1);
    let dir = with_format("kill -9 $$");
    write(&dir, "x", "");
    call("cat", &dir).arg("odd:x").stderr_has("mc-format-odd: killed by signal 9").fails(1);
    let dir = with_format("echo '{bad'");
    write(&dir, "x", "");
    call("cat", &dir).arg("odd:x").stderr_has("mc-format-odd x: line 1, byte 2").fails(3);
}

#[test]
fn parts_that_a_program_tells_are_read_apart() {
    let asked = "shift 2; case $* in *parts=*) PARTS;; *) echo \"\\\"$*\\\"\";; esac";
    let with = |parts: &str| with_format(&asked.replace("PARTS", parts));
    let told = "echo '#parts'; echo a; echo b-2";
    let parts = "\"o part=a\"\n7\n\"o part=b-2\"\n7\n";
    for (told, lines) in [
        (told, parts),
        // What is no parts is no matter: the whole is read.
        ("echo '#parts'", "\"o\"\n7\n"),
        ("echo why >&2; exit 2", "\"o\"\n7\n"),
        (&format!("{told}; exit 1"), "\"o\"\n7\n"),
        ("echo '\"#parts\"'; yes '\"record\"'", "\"o\"\n7\n"),
    ] {
        let dir = with(told);
        write(&dir, "x", "");
        for begin in [
            "mc-split --block 9 odd,o:x | mc-map -h :,:",
            "mc-cat -h :,: --shared --block 9 odd,o:x | mc-map",
        ] {
            let script = format!("PATH=$PWD/bin:$PATH; {begin} -c 'cat; echo 7' | mc-gather");
            let call = sh("bash", &script).current_dir(dir.path()).env("MC_WORKER", worker());
            call.stdout(lines).succeeds();
        }
    }
    let dir = with("echo '#parts'; echo a,like=b");
    write(&dir, "x", "");
    let call = call("split", &dir).args(["--block", "9", "odd:x"]);
    call.stderr_has("mc-format-odd: 'a,like=b' is no word for a part").fails(1);
}

#[test]
fn a_program_of_ours_that_is_not_there_is_told_with_how_it_is_had() {
    let dir = dir();
    write(&dir, "x.parquet", "PAR1");
    let said = "the program for Parquet, mc-format-parquet, is not in PATH; mycloud's source makes it by: \
                scripts/install --parquet, or cargo install --path . --features parquet";
    let alone = |tool: &str| mc(tool).current_dir(dir.path()).env("PATH", dir.path());
    alone("cat").arg("x.parquet").fails_with(2, said);
    alone("cat").arg("parquet:x.parquet").fails_with(2, said);
    alone("gather").args(["-o", "new.parquet"]).stdin("{}\n").fails_with(2, said);
    assert_eq!(names(&dir), ["x.parquet"]);
}

#[test]
fn a_daemon_that_a_program_leaves_behind_holds_nothing_up() {
    // It has all its three streams, and more to say than anybody waits for.
    let daemon = "(trap '' HUP; echo $BASHPID > pid; sleep 300; echo 3) & echo 1; echo 2";
    let dir = dir();
    let program = write(&dir, "bin/mc-format-odd", format!("#!/bin/bash\n{daemon}\n"));
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    write(&dir, "x", "");
    let read = call("cat", &dir).arg("odd:x").within(std::time::Duration::from_secs(60));
    read.stderr_has("mc-format-odd has ended; what it left behind").stdout("1\n2\n").succeeds();
    let pid = std::fs::read_to_string(dir.path().join("pid")).unwrap();
    let process = std::path::Path::new("/proc").join(pid.trim());
    assert!(!process.exists(), "the daemon is still there");
    let dir = with_format("cat > \"$2\"; sleep 300 & exit 0");
    call("gather", &dir).args(["-o", "odd:y"]).stdin("[2]\n").succeeds();
    assert_eq!(std::fs::read(dir.path().join("y")).unwrap(), b"[2]\n");
}

#[test]
fn a_program_that_makes_nothing_or_reads_nothing_has_not_written() {
    let dir = with_format("cat > /dev/null");
    let gather = |dir| call("gather", dir).args(["-o", "odd:y"]);
    gather(&dir).stdin("1\n").stderr_has("mc-format-odd made no y").fails(1);
    let dir = with_format("touch \"$2\"");
    let many = "1\n".repeat(1 << 20);
    gather(&dir).stdin(&many).stderr_has("ended before it had read all records").fails(1);
    let dir = with_format("touch \"$2\"; exit 5");
    gather(&dir).stdin(&many).stderr_has("exit status 5").fails(1);
    assert_eq!(names(&dir), ["bin"]);
}

#[test]
fn sqlite_tables_are_read_and_written() {
    let dir = dir();
    let records = rows![
        {"n": 1, "x": 1.5, "t": "é\n", "b": {"$base64": "/wA="}, "z": null},
        {"n": -9223372036854775808, "x": 1e+300, "t": "", "b": {"$base64": ""}, "z": null}
    ];
    let gather = |name: &str| mc("gather").current_dir(dir.path()).args(["-o", name]);
    let cat = |name: &str| mc("cat").current_dir(dir.path()).arg(name);
    gather("sqlite:a.db").stdin(&records).succeeds();
    cat("sqlite:a.db").stdout(&records).succeeds();
    let code = "import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute('select n, typeof(x), typeof(b) from records').fetchall())";
    let rows = python(code, &[dir.path().join("a.db").to_str().unwrap()], "");
    assert_eq!(rows, b"[(1, 'real', 'blob'), (-9223372036854775808, 'real', 'blob')]\n");
    cat("sqlite,table=records,where=n > 0:a.db")
        .stdout(records.lines().next().unwrap().to_string() + "\n")
        .succeeds();
    gather("sqlite,table=t,column=a:b.db").stdin("").succeeds();
    cat("sqlite:b.db").stdout("").succeeds();
    for (record, why) in [
        ("{\"a\":[1]}", "a: [1] is neither text, number nor null"),
        ("{\"a\":9223372036854775808}", "a: 9223372036854775808 is beyond 64 bits"),
        ("{\"a\":1.50}", "the number 1.50 would come back as 1.5"),
        ("{\"b\":1}", "it has a member 'b', which is no column"),
        ("1", "it is no object"),
    ] {
        let call = gather("sqlite:a.db").stdin(format!("{{\"a\":1}}\n{record}\n"));
        call.stderr_has(format!("record 2 does not fit in a table: {why}")).fails(1);
    }
    cat("sqlite:a.db").stdout(&records).succeeds();
    // A table by its name behind the path, of whatever SQLite holds; what is there as a file is that.
    let code = "import sqlite3, sys\nb = sqlite3.connect(sys.argv[1])\nb.executescript('''\
        create table \"odd \"\"name\" (\"a b\" integer, \"select\" text, [x] blob, primary key (\"a b\")) without rowid;\
        insert into \"odd \"\"name\" values (9223372036854775807, cast(x'ff' as text), x'00ff'), (-1, 'é', zeroblob(0));\
        create view seen as select \"a b\" n from \"odd \"\"name\"; create table t (r real); insert into t values (1e999)''')";
    python(code, &[dir.path().join("c.db").to_str().unwrap()], "");
    let rows = rows![{"a b": -1, "select": "é", "x": {"$base64": ""}},
        {"a b": 9223372036854775807, "select": {"$base64": "/w=="}, "x": {"$base64": "AP8="}}];
    cat("sqlite,table=odd \"name:c.db").stdout(rows).succeeds();
    cat("sqlite:c.db?seen").stdout(rows![{"n": -1}, {"n": 9223372036854775807}]).succeeds();
    cat("sqlite:c.db").stderr_has("it has 2 tables (odd \"name, t): say table=NAME").fails(1);
    cat("sqlite:c.db?t").stderr_has("it holds inf, which JSON has no word for").fails(1);
    cat("sqlite:c.db?none").stderr_has("no such table: none").fails(1);
    gather("sqlite:d.db?sales").stdin(&records).succeeds();
    cat("sqlite:d.db?sales").stdout(&records).succeeds();
    cat("sqlite:d.db").stdout(&records).succeeds();
    cat("sqlite:?.db?sales").stderr_any().fails(1);
    cat("sqlite:[d].db?sales").stdout(&records).succeeds();
    cat("sqlite,nope=1:a.db").stderr_has("no option 'nope=1' here").fails(1);
    write(&dir, "no.db", "not a database, but long enough to have a header of one, perhaps");
    cat("sqlite:no.db").stderr_has("file is not a database").fails(1);
    assert_eq!(names(&dir), ["a.db", "b.db", "c.db", "d.db", "no.db"]);
}

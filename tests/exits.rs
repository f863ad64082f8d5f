//! Exit codes, one test each, and what every tool does when its streams are closed, full, or
//! nobody reads.

use crate::support::{Call, dir, mc, names, not_tested, other_user, rows, sh, write};

/// Each tool, as it copies its standard input or does something like it.
const TOOLS: [(&str, &[&str]); 7] = [
    ("cat", &["ndjson:-"]),
    ("map", &["cat"]),
    ("sort", &[]),
    ("shuffle", &[]),
    ("reduce", &["-k", ".", "count"]),
    ("join", &["-k", ".", "--anti", "range:0..1"]),
    ("gather", &[]),
];

fn tool(name: &str, args: &[&str]) -> Call {
    mc(name).args(args)
}

/// The same as words of a shell.
fn words(name: &str, args: &[&str]) -> String {
    args.iter().fold(format!("mc-{name}"), |line, arg| format!("{line} '{arg}'"))
}

#[test]
fn exit_0_is_complete() {
    for (name, args) in TOOLS {
        tool(name, args).stdin("1\n2\n").succeeds();
        tool(name, args).stdin("").stdout("").succeeds();
    }
}

#[test]
fn exit_1_is_a_failed_command() {
    mc("map").arg("false").stdin("1\n").stderr_has("mc-map: ").fails(1);
    mc("reduce").args(["-k", ".", "--", "false"]).stdin("1\n").stderr_has("mc-reduce: ").fails(1);
}

#[test]
fn exit_2_is_usage() {
    for name in ["cat", "split", "map", "sort", "shuffle", "reduce", "join", "gather"] {
        let tool = format!("mc-{name}: ");
        mc(name).arg("--no-such-option").stderr_has(&tool).fails(2);
        mc(name).arg("-h").fails_with(2, &format!("{tool}{BARE_H}\n"));
    }
    mc("cat").arg("ndjson:/no/such/file").stderr_has("/no/such/file: No such file").fails(2);
}

/// What a bare `-h` is told.
const BARE_H: &str = "-h names hosts; --help is the way to help";

#[test]
fn tools_take_hosts_or_say_who_does() {
    let with_hosts = |name: &&str| mc(name).arg("--help").succeeds().text().contains("--hosts ");
    let all = [
        "cat", "split", "scatter", "map", "sort", "shuffle", "reduce", "join", "gather", "hosts",
        "report",
    ];
    let (with, without): (Vec<&str>, Vec<&str>) = all.into_iter().partition(with_hosts);
    for name in without {
        for hosts in [&["-h", "hosts"][..], &["--hosts=a,b"], &["-ha"]] {
            let said = mc(name).args(hosts).stderr_has(format!("mc-{name} takes no -h: ")).fails(2);
            let said = String::from_utf8(said.stderr).unwrap();
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(with.iter().all(|tool| said.contains(&format!("mc-{tool}"))), "{said}");
        }
    }
    for name in with {
        for hosts in ["-oProxyCommand=x", "a;b", "a,$(b)", "a,,b", "a,a", "./no/such/file", "@x"] {
            let call = mc(name).arg(format!("-h{hosts}"));
            let call = if name == "map" { call.arg("true") } else { call };
            let said = call.stdin("").stderr_has(format!("mc-{name}: -h")).fails(2).stderr;
            assert_eq!(said.iter().filter(|&&byte| byte == b'\n').count(), 1);
        }
    }
}

#[test]
fn exit_3_is_bad_input() {
    for (name, args) in [("cat", &["ndjson:-"][..]), ("sort", &[]), ("shuffle", &[])] {
        let call = tool(name, args).stdin("1\n{\n").stderr_has(format!("mc-{name}: "));
        call.stderr_has("line 2").fails(3);
    }
    mc("map").arg("cat").stdin("{\n").stderr_any().fails(3);
    mc("reduce").args(["-k", ".", "count"]).stdin("2\n1\n").stderr_has("order").fails(3);
}

#[test]
fn exit_4_is_incomplete() {
    let script = "mc-cat /no/such/file | mc-gather";
    sh("dash", script).stdout("").stderr_has("the upstream mc-cat failed").fails(4);
}

#[test]
fn exit_6_is_a_full_disk() {
    for (name, args) in TOOLS {
        let call = tool(name, args).stdin("1\n2\n").stdout_to("/dev/full");
        call.stderr_has("No space left on device").fails(6);
    }
    let rows: String = (0..100_000).map(|n| format!("{n}\n")).collect();
    for (name, args) in TOOLS {
        let call = tool(name, args).stdin(&rows).stdout_to("/dev/full");
        call.stderr_has("No space left on device").fails(6);
    }
    mc("gather").args(["-o", "ndjson:/dev/full"]).stdin("1\n").stderr_any().fails(6);
}

#[test]
fn exit_124_is_a_timeout() {
    let call = mc("map").args(["--timeout", "300ms", "--retries", "0", "sleep", "60"]);
    call.stdin("1\n").stderr_has("mc-map: ").fails(124);
}

#[test]
fn exit_141_is_a_closed_output_and_quiet() {
    for (name, args) in TOOLS {
        // More than all pipes in between hold.
        let line = format!(
            "seq 1000000 1600000 | {{ {}; echo $? >status; }} | head -1 >first; cat status first",
            words(name, args)
        );
        let dir = dir();
        let output = sh("dash", &line).current_dir(dir.path()).succeeds();
        let lines = output.lines();
        assert_eq!((lines.len(), lines[0].as_str()), (2, "141"), "mc-{name}: {lines:?}");
        assert!(lines[1].contains("1000000"), "mc-{name}: {lines:?}");
    }
}

#[test]
fn a_closed_output_from_the_start_is_exit_2_and_spoils_no_file() {
    for (name, args) in TOOLS {
        let line = format!("echo 1 | {} >&-", words(name, args));
        sh("dash", &line).stderr_has("standard output is closed").fails(2);
        // Files that are opened later must not take its place.
        let dir = dir();
        write(&dir, "in", "1\n");
        let line = format!("{} <in 3<in >&-", words(name, args));
        sh("dash", &line).current_dir(dir.path()).stderr_any().fails(2);
        assert_eq!(std::fs::read_to_string(dir.path().join("in")).unwrap(), "1\n");
    }
    sh("dash", "mc-cat --help >&-").stderr_any().fails(2);
    sh("dash", "echo 1 | mc-gather -o ndjson:out >&-").current_dir(dir().path()).succeeds();
}

#[test]
fn standard_input_that_cannot_be_read_is_exit_2() {
    for (name, args) in TOOLS {
        let words = words(name, args);
        sh("dash", &format!("{words} <&-")).stderr_has("standard input is closed").fails(2);
        sh("dash", &format!("{words} </")).stderr_has("standard input is a directory").fails(2);
        sh("dash", &format!("{words} 0>/dev/null")).stderr_has("writing only").fails(2);
    }
}

#[test]
fn texts_for_people_are_no_exception() {
    for name in ["cat", "split", "map", "sort", "shuffle", "reduce", "join", "gather"] {
        for text in ["--help", "--version", "--completions=bash"] {
            let said = mc(name).arg(text).succeeds().text();
            assert!(said.contains(&format!("mc-{name}")), "{said}");
            mc(name).arg(text).stdout_to("/dev/full").stderr_any().fails(6);
        }
    }
}

#[test]
fn a_closed_standard_error_changes_nothing_else() {
    sh("dash", "mc-cat /no/such/file 2>&-").fails(2);
    let dir = dir();
    let line = "echo 1 | mc-gather -o ndjson:out 2>&-; cat out";
    sh("dash", line).current_dir(dir.path()).stdout("1\n").succeeds();
    assert_eq!(names(dir.path()), ["out"]);
}

#[test]
fn what_is_dropped_is_said_and_counted() {
    let input = rows![{"a": 1}, {"b": 1}] + "bad\n{\n";
    let call = mc("sort").args(["-k", "a", "--bad", "skip", "--missing", "skip"]).stdin(&input);
    let call = call.stdout(rows![{"a": 1}]).stderr_has("mc-sort: 2 bad records dropped\n");
    call.stderr_has("mc-sort: 1 record without the key dropped\n").succeeds();
}

#[test]
fn numbers_about_a_run_are_appended() {
    let dir = dir();
    let stats = dir.path().join("stats");
    sh("dash", "echo 1 | mc-cat | mc-map false | mc-gather")
        .env("MC_STATS", &stats)
        .stderr_any()
        .fails(4);
    let text = std::fs::read_to_string(&stats).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut lines: Vec<(String, u64)> = lines
        .filter(|line| line["kind"] == "stage")
        .map(|line| {
            assert!(line["peak_rss_bytes"].as_u64() > Some(1 << 16), "{line}");
            (line["tool"].as_str().unwrap().to_string(), line["status"].as_u64().unwrap())
        })
        .collect();
    lines.sort();
    let want = [("mc-cat", 0), ("mc-gather", 4), ("mc-map", 1)];
    assert_eq!(lines, want.map(|(tool, status)| (tool.to_string(), status)));
    mc("cat").args(["--stats", "/no/such/file", "ndjson:-"]).stdin("").stderr_any().fails(2);
}

#[test]
fn numbers_are_said_when_they_are_wanted() {
    let call = mc("sort").arg("-v").stdin("2\n1\n").stdout("1\n2\n");
    call.stderr_has("mc-sort: 2 records (4 B) read, 2 records (4 B) written, ").succeeds();
    mc("sort").stdin("2\n1\n").stdout("1\n2\n").succeeds();
}

#[test]
fn without_processes_and_threads_the_exit_is_6() {
    if !nix::unistd::Uid::effective().is_root() {
        let why = "only the superuser can be another user, whose processes can be counted";
        return not_tested(why);
    }
    let (other, work) = (other_user(), dir());
    let writable = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(work.path(), writable).unwrap();
    let lines = ["mc-map cat", "mc-sort", "mc-gather -o ndjson:out", "mc-map -h : cat | mc-gather"];
    let (mut enough, mut too_few) = (0, 0);
    for (number, line) in (1..8).flat_map(|number| lines.map(|line| (number, line))) {
        let limited = line.replace("mc-", &format!("{other} prlimit --nproc={number} mc-"));
        let call =
            sh("bash", &format!("set -o pipefail; seq 5 | {limited}")).current_dir(work.path());
        let ended = call.env("XDG_STATE_HOME", work.path()).stderr_any().ends();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!said.contains("internal error"), "{number} {line}: {said}");
        match ended.code {
            0 => enough += 1,
            6 => {
                assert!(said.contains("no more processes and threads are allowed"), "{said}");
                too_few += 1;
            }
            // Beyond the tool, on the host, or in the tool after it.
            4 | 5 if line.contains("-h") => (),
            code => panic!("{number} {line}: exit {code}: {said}"),
        }
    }
    assert!(enough > 0 && too_few > 0, "{enough} and {too_few}");
    let none = format!("seq 5 | {other} prlimit --nproc=1 mc-map cat");
    sh("bash", &none).stderr_has("cannot start the guard process: no more processes").fails(6);
}

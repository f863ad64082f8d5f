//! Pipes that know how they ended: what a tool does when the one before it failed, was killed, or
//! is not all that wrote.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Call, dir, mc, names, need, rows, sh, tools, write};

const SHELLS: [&str; 2] = ["dash", "bash"];

/// An upstream that writes a record and fails, with words on standard error.
const FAILS: &str = "{ echo '{\"a\":1}' | mc-map -c 'cat; exit 7' --retries 0 2>/dev/null; }";

/// Waits until the upstream, whose output a pipe holds, has said with a file that it has ended.
const WHEN_DONE: &str = "until [ -e done ]; do sleep 0.01; done; rm done";

/// An upstream that says with a file that it has ended, for [`WHEN_DONE`].
fn done(upstream: &str) -> String {
    format!("{{ {upstream}; code=$?; touch done; (exit $code); }}")
}

#[track_caller]
fn in_shells(script: &str, code: i32) {
    for shell in SHELLS {
        let dir = dir();
        sh(shell, script).current_dir(&dir).stderr_any().fails(code);
    }
}

#[test]
fn a_failed_upstream_publishes_nothing() {
    let dir = dir();
    let out = write(&dir, "out.csv", "old\n");
    write(&dir, "Makefile", "all:\n\t@printf '1\\n' | mc-map false | mc-gather -o csv:out.csv\n");
    for (program, script) in [
        ("dash", "echo 1 | mc-map false | mc-gather -o csv:out.csv"),
        ("bash", "echo 1 | mc-map false | mc-gather -o csv:out.csv"),
        ("make", "all"),
    ] {
        need(program, &format!("apt-get install {program}"));
        let call = match program {
            "make" => Call::new("make").arg(script),
            shell => sh(shell, script),
        };
        let (code, call) = match program {
            "make" => (2, call.stderr_has("Error 4")),
            _ => (4, call),
        };
        call.current_dir(dir.path())
            .stderr_has("mc-gather: the upstream mc-map failed (exit 1)")
            .fails(code);
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "old\n", "{program}");
    }
    assert_eq!(names(dir.path()), ["Makefile", "out.csv"]);
}

#[test]
fn the_key_of_a_shuffle_is_known_downstream() {
    let input = rows![{"r": "a", "x": 1}, {"r": "b", "x": 2}, {"r": "a", "x": 3}];
    for shell in SHELLS {
        let call = sh(shell, "mc-shuffle -k r | mc-reduce sum:x").stdin(&input);
        call.stdout(rows![{"r": "a", "x_sum": 4}, {"r": "b", "x_sum": 2}]).succeeds();
    }
    let late = format!("{} | {{ {WHEN_DONE}; mc-reduce sum:x; }}", done("mc-shuffle -k r"));
    let dir = dir();
    let late = sh("dash", &late).current_dir(dir.path()).stdin(&input);
    late.stdout(rows![{"r": "a", "x_sum": 4}, {"r": "b", "x_sum": 2}]).succeeds();
}

#[test]
fn the_key_is_not_known_behind_a_filter_of_others_or_two_writers() {
    let dir = dir();
    write(&dir, "in", rows![{"r": "a", "x": 1}]);
    let two = done("mc-shuffle -k r <in; mc-shuffle -k r <in");
    for script in [
        "mc-shuffle -k r <in | cat | mc-reduce sum:x",
        "mc-shuffle -k r <in | tee copy | mc-reduce sum:x",
        &format!("{two} | {{ {WHEN_DONE}; mc-reduce sum:x; }}"),
    ] {
        sh("dash", script).current_dir(dir.path()).stderr_has("-k").fails(2);
    }
    let said = "mc-shuffle -k r <in | cat | mc-reduce -k r sum:x";
    sh("dash", said).current_dir(dir.path()).stdout(rows![{"r": "a", "x_sum": 1}]).succeeds();
}

#[test]
fn records_of_others_among_those_of_a_shuffle_are_never_taken_for_its_own() {
    let dir = dir();
    write(&dir, "in", rows![{"r": "a", "x": 1}]);
    let script = "{ mc-shuffle -k r <in; echo '{\"r\":\"b\",\"x\":2}'; } | mc-reduce sum:x";
    for _ in 0..5 {
        let mut running = sh("dash", script).current_dir(dir.path()).stderr_any().spawn();
        // It depends on who is first whether the facts are not used, or found wrong at the end.
        let code = running.wait().code;
        assert!(code == 2 || code == 4, "exit {code}");
    }
    let script = "{ mc-shuffle -k r <in; echo '{\"r\":\"b\",\"x\":2}'; } | mc-gather";
    let both = rows![{"r": "a", "x": 1}, {"r": "b", "x": 2}];
    sh("dash", script).current_dir(dir.path()).stdout(both).succeeds();
}

#[test]
fn a_gather_passes_on_what_is_known_and_fails_for_nobody_who_mixes_streams() {
    let dir = dir();
    let row = |n: u32| format!("{{\"r\":{},\"x\":1}}\n", n / 100_000);
    write(&dir, "in", (0..200_000).map(row).collect::<String>());
    let alone = "mc-shuffle -k r <in | mc-gather | mc-reduce sum:x";
    let sums = rows![{"r": 0, "x_sum": 100000}, {"r": 1, "x_sum": 100000}];
    sh("dash", alone).current_dir(dir.path()).stdout(sums).succeeds();
    let mixed = "{ mc-shuffle -k r <in; sleep 0.3; echo '{\"r\":2,\"x\":1}'; } | mc-gather";
    let count = format!("{mixed} | wc -l");
    sh("dash", &count).current_dir(dir.path()).stdout("200001\n").succeeds();
    let reduced = format!("{mixed} | mc-reduce sum:x");
    let call = sh("dash", &reduced).current_dir(dir.path());
    call.stderr_has("mc-reduce: the upstream mc-gather").fails(4);
}

#[test]
fn every_writer_of_a_pipe_counts() {
    let good = "echo '{\"a\":1}' | mc-cat";
    for (script, code) in [
        (format!("{{ {good}; {good}; }} | mc-gather >/dev/null"), 0),
        (format!("({good}; {good}) | mc-gather >/dev/null"), 0),
        (format!("{{ {good}; {FAILS}; }} | mc-gather >/dev/null"), 4),
        (format!("{{ {FAILS}; {good}; }} | mc-gather >/dev/null"), 4),
        (format!("({FAILS}; {good}) | mc-gather >/dev/null"), 4),
        (format!("if {good}; then {FAILS}; fi | mc-gather >/dev/null"), 4),
        (format!("{{ {FAILS} || true; }} | mc-gather >/dev/null"), 4),
        (format!("{FAILS} 2>&1 | mc-gather >/dev/null"), 4),
        (format!("{good} 2>&1 | mc-gather >/dev/null"), 0),
    ] {
        in_shells(&script, code);
    }
}

#[test]
fn usage_errors_upstream_count_too() {
    in_shells("mc-cat --no-such-option | mc-gather", 4);
    in_shells("mc-cat /no/such/file | mc-gather", 4);
    in_shells("mc-cat -h hosts x | mc-gather", 4);
}

#[test]
fn a_failure_goes_down_the_whole_pipeline() {
    let script = format!("{FAILS} | mc-sort | mc-shuffle | mc-gather");
    let call = sh("dash", &script).stderr_has("the upstream mc-map failed (exit 1)");
    call.stderr_has("mc-gather: the upstream mc-shuffle failed (exit 4)").fails(4);
}

#[test]
fn process_substitution_is_a_pipe_like_any_other() {
    let good = sh("bash", "mc-cat <(echo 1 | mc-cat) <(echo 2 | mc-cat)");
    good.stdout("1\n2\n").succeeds();
    sh("bash", "mc-cat <(echo 1 | mc-cat) <(mc-cat /no/such/file)")
        .stderr_has("the upstream mc-cat failed (exit 2)")
        .fails(4);
    sh("bash", "mc-gather < <(mc-cat /no/such/file)").stderr_any().fails(4);
    sh("bash", "mc-cat csv:<(mc-cat /no/such/file)").stderr_any().fails(4);
}

#[test]
fn timeout_and_xargs_stand_in_between() {
    let dir = dir();
    for name in ["a", "b", "c"] {
        write(&dir, name, "1\n");
    }
    for (script, code) in [
        ("timeout 60 mc-cat ndjson:a | mc-gather >/dev/null", 0),
        ("timeout 60 mc-cat ndjson:none | mc-gather >/dev/null", 4),
        // Until nobody reads it.
        ("yes 1 | timeout 2 mc-cat | mc-gather >/dev/null", 4),
        ("ls a b c | xargs -n 1 mc-cat -f ndjson | mc-gather >/dev/null", 0),
        ("echo a none c | xargs -n 1 mc-cat -f ndjson | mc-gather >/dev/null", 4),
        ("echo a none c | xargs -n 1 -P 3 mc-cat -f ndjson | mc-gather >/dev/null", 4),
    ] {
        for shell in SHELLS {
            sh(shell, script).current_dir(dir.path()).stderr_any().fails(code);
        }
    }
}

#[test]
fn readers_may_come_late() {
    for (upstream, code) in [("echo 1 | mc-cat", 0), ("mc-cat /no/such/file", 4), (FAILS, 4)] {
        for reader in ["mc-gather", "head -c 1 >/dev/null; mc-gather"] {
            let line = format!("{} | {{ {WHEN_DONE}; {reader}; }}", done(upstream));
            in_shells(&format!("{line} >/dev/null"), code);
        }
    }
}

#[test]
fn a_killed_upstream_is_noticed() {
    // The pipe holds mc-cat open until it is killed; its parent is told its number by nobody.
    for signal in ["KILL", "TERM", "INT", "HUP", "SEGV"] {
        let script = format!(
            "{{ sh -c 'echo $$ >pid; exec mc-cat ndjson:in'; }} 2>/dev/null | {{ \
             until [ -s pid ] && ls -l /proc/$(cat pid)/fd | grep -q '/in$'; do sleep 0.01; done; \
             while kill -{signal} $(cat pid) 2>/dev/null; do sleep 0.05; done; exec mc-gather; \
             }} >/dev/null"
        );
        let dir = dir();
        need("mkfifo", "apt-get install coreutils");
        let fifo = dir.path().join("in");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        // Held by the test, so that it neither blocks nor ends.
        let _held = std::fs::OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
        let call = sh("dash", &script).current_dir(dir.path());
        call.stderr_has("the upstream mc-cat vanished before its end").fails(4);
    }
}

#[test]
fn filters_of_others_in_between_know_nothing() {
    in_shells(&format!("{FAILS} | cat | mc-gather >/dev/null"), 0);
    in_shells(&format!("{FAILS} | tee /dev/null | mc-gather >/dev/null"), 0);
    in_shells("mc-cat /no/such/file | grep x | mc-gather", 0);
    in_shells(&format!("{FAILS} | cat >/dev/null"), 0);
}

#[test]
fn a_named_fifo_is_no_pipe_of_ours() {
    let script = "mkfifo f; mc-cat /no/such/file 2>/dev/null >f & mc-gather <f";
    sh("dash", script).current_dir(dir().path()).stdout("").succeeds();
}

#[test]
fn the_environment_may_be_anything() {
    let dir = dir();
    let file = write(&dir, "file", "");
    let odd = [
        "env -u XDG_RUNTIME_DIR -u HOME -u TMPDIR".to_string(),
        "env -i PATH=\"$PATH\"".to_string(),
        format!("env XDG_RUNTIME_DIR={}", dir.path().display()),
        format!("env XDG_RUNTIME_DIR={}", file.display()),
        "env XDG_RUNTIME_DIR=/no/such/directory".to_string(),
        "env XDG_RUNTIME_DIR=relative".to_string(),
        "env XDG_RUNTIME_DIR=/proc".to_string(),
        "env XDG_RUNTIME_DIR=".to_string(),
    ];
    for odd in odd {
        for (before, behind) in [(odd.as_str(), ""), ("", odd.as_str()), (&odd, &odd)] {
            let good = format!("echo 1 | {before} mc-cat | {behind} mc-gather");
            sh("dash", &good).stdout("1\n").succeeds();
            let bad = format!("{before} mc-cat /no/such/file | {behind} mc-gather");
            sh("dash", &bad).stderr_has("the upstream mc-cat failed (exit 2)").fails(4);
        }
    }
}

#[test]
fn thousands_of_stale_entries_do_not_mislead() {
    let dir = dir();
    let runtime = dir.path().join("mycloud");
    std::fs::DirBuilder::new().mode(0o700).create(&runtime).unwrap();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let boot: String = boot.chars().filter(char::is_ascii_hexdigit).collect();
    for number in 0..5000 {
        let name = format!("{boot}.1.{number}.1.elsewhere.{number}");
        std::fs::write(runtime.join(name), "an entry that nobody closed").unwrap();
    }
    for _ in 0..20 {
        let call = sh("dash", "echo 1 | mc-cat | mc-gather").env("XDG_RUNTIME_DIR", dir.path());
        call.stdout("1\n").succeeds();
    }
}

#[test]
fn pipelines_side_by_side_do_not_mix() {
    let script = "for n in 1 2 3 4 5 6 7 8 9 10; do
            { echo $n | mc-cat | mc-gather >/dev/null || echo good $n failed >&2; } &
            { mc-cat /no/such/file 2>/dev/null | mc-gather 2>/dev/null && echo bad $n passed >&2; } &
        done; wait";
    sh("dash", script).succeeds();
}

#[test]
fn records_pass_on_as_they_come() {
    for (tool, args) in
        [("mc-cat", &[][..]), ("mc-gather", &[]), ("mc-map", &["--block", "1b", "cat"])]
    {
        let mut child = Command::new(tools().join(tool))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (give, take) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut record = [0; 2];
            while stdout.read_exact(&mut record).is_ok() && give.send(record).is_ok() {}
        });
        for record in [*b"1\n", *b"2\n"] {
            stdin.write_all(&record).unwrap();
            let passed = take.recv_timeout(Duration::from_secs(20));
            assert_eq!(passed, Ok(record), "{tool} holds a record back while its input goes on");
        }
        drop(stdin);
        assert!(child.wait().unwrap().success(), "{tool}");
    }
}

#[test]
fn many_writers_side_by_side_are_all_counted() {
    let script = |fails: &str| {
        format!("seq 200 | xargs -P 50 -I N sh -c 'echo N | mc-cat ndjson:- {fails}' 2>/dev/null")
    };
    sh("bash", &format!("{} | mc-gather | wc -l", script(""))).stdout("200\n").succeeds();
    in_shells(&format!("{} | mc-gather >/dev/null", script("$([ N = 77 ] && echo none.csv)")), 4);
}

#[test]
fn nothing_where_shards_are_needed_is_incomplete() {
    let dir = dir();
    for tool in ["sort -o x.mc", "shuffle -n 2", "reduce -k . -o x.mc count", "map -o x.mc cat"] {
        let call = sh("dash", &format!("mc-{tool} </dev/null")).current_dir(dir.path());
        call.stderr_has("standard input is empty, where the manifest of shards should be").fails(4);
        let call = sh("dash", &format!("echo 1 | mc-{tool}")).current_dir(dir.path());
        call.stderr_has("for ").fails(2);
    }
    write(&dir, "empty.mc", "");
    mc("cat").arg("empty.mc").current_dir(dir.path()).fails_with(4, "empty.mc is empty");
    assert_eq!(names(&dir), ["empty.mc"]);
}

#[test]
fn a_tool_that_is_killed_at_any_moment_of_its_first_ones_is_noticed() {
    let dir = dir();
    let numbers: String = (0..100_000).map(|n| format!("{n}\n")).collect();
    let input = write(&dir, "in.ndjson", &numbers);
    let (began, mut failed) = (Instant::now(), 0);
    for number in 0..300 {
        let (args, name) =
            if number % 2 == 0 { (["ndjson:-"], "mc-cat") } else { (["cat"], "mc-map") };
        let (reader, writer) = std::io::pipe().unwrap();
        let started = |name: &str, args: &[&str], stdin: Stdio, stdout: Stdio| {
            let mut command = Command::new(tools().join(name));
            command.args(args).stdin(stdin).stdout(stdout).stderr(Stdio::null());
            command.current_dir(dir.path()).spawn().unwrap()
        };
        let gather = ["-o", "out.ndjson"];
        let ours = reader.try_clone().unwrap();
        let mut gather = started("mc-gather", &gather, reader.into(), Stdio::null());
        let mut tool = started(name, &args, File::open(&input).unwrap().into(), writer.into());
        // From the moment on in which it has begun.
        while mycloud::pipe::pipe_mark::count(&ours) == 0 && tool.try_wait().unwrap().is_none() {}
        std::thread::sleep(Duration::from_micros(number * 10_000 / 300));
        tool.kill().unwrap();
        tool.wait().unwrap();
        let out = dir.path().join("out.ndjson");
        if gather.wait().unwrap().success() {
            assert!(std::fs::read_to_string(&out).unwrap() == numbers, "{name}, try {number}");
            std::fs::remove_file(&out).unwrap();
        } else {
            assert!(!out.exists());
            failed += 1;
        }
        if began.elapsed() > Duration::from_secs(60) {
            break;
        }
    }
    assert!(failed > 0);
}

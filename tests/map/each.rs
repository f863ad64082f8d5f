//! A process for each record (`--each`), and the forms of records on either side of a command
//! (`--in`, `--out`).

use crate::support::{dir, everywhere, jq, mc, on_all_hosts, rows, sh, write};

use super::numbers;

#[test]
fn each_record_is_a_run_with_its_text_in_the_words() {
    let records = rows![{"a": {"b": "x  $(id) ' \""}, "c": 1.5}, {"a": {"b": "*"}, "c": [1, 2]}];
    let call = mc("map").args(["--each", "--out", "text", "printf", "<%s|%s>", "{.a.b}", "{.c}"]);
    call.stdin(&records).stdout(rows!["<x  $(id) ' \"|1.5>", "<*|[1,2]>"]).succeeds();
    let call = mc("map").args(["--per", "record", "--out", "text", "echo", "{}-{}"]);
    call.stdin(rows!["a b", 7]).stdout(rows!["a b-a b", "7-7"]).succeeds();
    // The record is on standard input, and what is printed stays in order.
    let slow = "read -r n; sleep 0.0$((n % 7)); echo $n; echo $MC_HOST >&2";
    let call = mc("map").args(["--each", "-j", "5", "-c", slow]).stdin(numbers(40)).stderr_any();
    call.stdout(numbers(40)).succeeds();
}

#[test]
fn each_record_everywhere() {
    let line = "mc-cat range:0..300 | mc-map {h} --each -t factor {} | mc-gather";
    let out = everywhere(line, |call| call);
    assert_eq!(out.stdout, jq(&["-R", "."], sh("dash", "seq 0 299 | factor").succeeds().stdout));
    everywhere("mc-map {h} --each --failed skip -c 'grep -v 7' | mc-gather", |call| {
        call.stdin(numbers(100))
    });
}

#[test]
fn a_record_that_fails_is_the_end_or_is_left_out_as_it_was() {
    let records = "{\"n\":1}\n{\"n\":2.50}\n{\"n\":3}\n";
    let dir = dir();
    let state = dir.path().join("state");
    let command = ["--each", "/usr/bin/test", "{.n}", "!=", "2.50"];
    let call = mc("map").args(command).stdin(records).env("XDG_STATE_HOME", &state);
    let ended = call
        .stderr_has("by hand: /usr/bin/test 2.50 '!=' 2.50 < ")
        .fails_with(1, "test 2.50 '!=' 2.50: exit status 1");
    assert_eq!(ended.stdout, b"");
    let call = mc("map").args(["--failed", "file=bad", "--in", "text"]).args(command);
    let call = call.current_dir(&dir).stdin(records);
    call.stderr_has("1 record dropped, on which the command failed").succeeds();
    let bad = std::fs::read_to_string(dir.path().join("bad")).unwrap();
    assert!(bad.starts_with("{\"record\":{\"n\":2.50},"), "{bad}");
    // Attempts are the record's own.
    let line = "echo . >>tries; test $MC_ATTEMPT = 3";
    let call = mc("map").args(["--each", "--retries", "2", "-c", line]).current_dir(&dir);
    call.stdin("1\n2\n").stderr_any().succeeds();
    assert_eq!(std::fs::read_to_string(dir.path().join("tries")).unwrap(), ".\n".repeat(6));
}

#[test]
fn what_has_no_such_part_is_a_bad_record() {
    let call = || mc("map").args(["--each", "--out", "text"]);
    let records = rows![{"a": 1}, {"b": 2}];
    call().args(["echo", "{.a}"]).stdin(&records).fails_with(3, "line 2: it has no .a");
    let skip = call().args(["--bad", "skip", "echo", "{.a}"]).stdin(&records);
    skip.stdout(rows!["1"]).stderr_has("1 bad record dropped").succeeds();
    call().args(["echo", "{.[}"]).stdin("1\n").fails_with(2, "bad key");
    call().args(["{}"]).stdin("1\n").fails_with(2, "cannot be told by the record");
    call().args(["-c", "echo {}"]).stdin("1\n").fails_with(2, "bash -c 'echo \"$1\"' bash {}");
    let long = format!("\"{}\"\n7\n", "x".repeat(200_000));
    call()
        .args(["echo", "{}"])
        .stdin(&long)
        .fails_with(3, "line 1: a text of 200000 bytes is too long for an argument");
    let skip = call().args(["--bad", "skip", "echo", "{}"]).stdin(&long);
    skip.stdout(rows!["7"]).stderr_has("1 bad record dropped").succeeds();
    call().args(["--block", "1K", "echo", "{}"]).stdin("\"a\\u0000\"\n").fails_with(3, "NUL");
}

#[test]
fn outcomes_are_records_whatever_they_are() {
    let dir = dir();
    let lines = rows!["echo a; echo b >&2", "exit 3", "kill -9 $$", "printf '\\377'"];
    let call = mc("map").args(["--each", "--outcome", "bash", "-c", "{}"]).stdin(&lines);
    let out = call.current_dir(&dir).succeeds().stdout;
    assert_eq!(
        jq(&["-c", "del(.seconds)"], &out),
        rows![
            {"in": "echo a; echo b >&2", "out": "a\n", "err": "b", "exit": 0, "signal": null, "host": ":"},
            {"in": "exit 3", "out": "", "err": "", "exit": 3, "signal": null, "host": ":"},
            {"in": "kill -9 $$", "out": "", "err": "", "exit": null, "signal": "SIGKILL", "host": ":"},
            {"in": "printf '\\377'", "out": {"$base64": "/w=="}, "err": "", "exit": 0, "signal": null, "host": ":"}
        ]
        .into_bytes()
    );
    let line = "mc-map {h} --each --outcome bash -c {} | mc-gather | jq -c '[.in, .exit]'";
    let many: String = (0..200).map(|n| format!("\"exit {}\"\n", n % 3)).collect();
    everywhere(line, |call| call.stdin(&many));
    let call = mc("map").args(["--each", "--outcome", "--timeout", "100ms", "sleep", "60"]);
    let out = call.stdin("1\n").succeeds().stdout;
    assert_eq!(jq(&["-c", "[.exit, .signal]"], out), b"[null,\"timeout\"]\n");
    let hosts = "mc-map -h n1 --each --outcome true | mc-gather | jq -r .host";
    let call = sh("bash", hosts).on(crate::support::cluster()).stdin("1\n2\n");
    call.stdout("n1\nn1\n").succeeds();
}

#[test]
fn command_lines_run_on_hosts_and_those_that_failed_again() {
    let (dir, cluster) = (dir(), crate::support::cluster());
    let ready = cluster.srv().join(format!("ready{}", std::process::id()));
    let there = format!("/srv/ready{}", std::process::id());
    // A fifth of them needs what is not there yet.
    let line = |n: u32| match n % 5 {
        0 => format!("cat {there} && echo {n}\n"),
        _ => format!("echo {n}\n"),
    };
    write(&dir, "commands", (0..500).map(line).collect::<String>());
    let run = "mc-map -h n1,n2,n3,n4 --each --outcome bash -c {} | mc-gather";
    let call = |script: &str| {
        sh("bash", &format!("set -o pipefail; {script}")).on(cluster).current_dir(&dir)
    };
    call(&format!("mc-cat text:commands | {run} -o ndjson:runs")).succeeds();
    call("jq -s 'map(.exit == 0) | group_by(.) | map(length)' -c runs")
        .stdout("[100,400]\n")
        .succeeds();
    call("jq -r .host runs | sort -u").stdout("n1\nn2\nn3\nn4\n").succeeds();
    std::fs::write(&ready, "ready\n").unwrap();
    call(&format!("jq -c 'select(.exit != 0).in' runs | {run} -o ndjson:again")).succeeds();
    let want: String = (0..100).map(|n| format!("0 ready\\n{}\\n\n", n * 5)).collect();
    let shown = "jq -r '\"\\(.exit) \\(.out | tojson[1:-1])\"' again";
    call(shown).stdout(want).succeeds();
    std::fs::remove_file(ready).unwrap();
}

#[test]
fn data_goes_in_and_out_as_bytes_with_a_name() {
    let dir = dir();
    std::fs::create_dir_all(dir.path().join("in/sub")).unwrap();
    let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    for name in ["a.bin", "sub/b.c.bin", "empty"] {
        let bytes = if name == "empty" { &[][..] } else { &bytes };
        write(&dir, &format!("in/{name}"), bytes);
    }
    let line = "rm -rf out; mc-cat files:in | mc-map {h} --each --raw --name '{stem}.gz' gzip -nc \
        | mc-gather -o files:out && (cd out && find . -type f | sort && zcat a.gz sub/b.c.gz empty.gz | md5sum)";
    let out = on_all_hosts(line, |call| call.current_dir(&dir));
    let sum = sh("bash", "cat in/a.bin in/sub/b.c.bin | md5sum").current_dir(&dir).succeeds();
    let want = ["./a.gz\n./empty.gz\n./sub/b.c.gz\n".as_bytes(), &sum.stdout].concat();
    assert_eq!(out.stdout, want);
    // Strings have no name; one process may get all.
    let call = mc("map").args(["--per", "shard", "--raw", "cat"]).stdin(rows!["a\nb", "c"]);
    call.stdout(rows!["a\nbc"]).succeeds();
    mc("map")
        .args(["--each", "--raw", "cat"])
        .stdin(rows!["a\n", 7])
        .stdout(rows!["a\n", "7"])
        .succeeds();
    for (options, why) in [
        (&["--raw", "cat"][..], "--each"),
        (&["--each", "--name", "x", "cat"], "--raw"),
        (&["--name", "x", "cat"], "--each"),
        (&["--each", "--raw", "--name", "{size}", "cat"], "{size} is none of"),
        (&["--each", "--outcome", "--out", "text", "cat"], "--outcome"),
        (&["--each", "--outcome", "--failed", "skip", "cat"], "--failed"),
        (&["-t", "--kv", "cat"], "cannot be used"),
    ] {
        mc("map").args(options).stdin("1\n").fails_with(2, why);
    }
}

#[test]
fn each_side_has_a_form_of_its_own() {
    mc("map").args(["-t", "factor"]).stdin("6\n").stdout(rows!["6: 2 3"]).succeeds();
    let call = mc("map").args(["--in", "text", "jq", "-R", "-c", "{l: .}"]);
    call.stdin(rows!["a\tb", {"x": 1}]).stdout(rows![{"l": "a\tb"}, {"l": "{\"x\":1}"}]).succeeds();
    let call = mc("map").args(["--out", "kv", "jq", "-r", "\"\\(.k)\\t\\(.v)\""]);
    call.stdin(rows![{"k": "a", "v": [1]}]).stdout(rows![["a", "[1]"]]).succeeds();
    let pairs = rows![["a", "b\tc"], ["d", null], "plain"];
    mc("map")
        .args(["--kv", "cat"])
        .stdin(&pairs)
        .stdout(rows![["a", "b\tc"], ["d", null], ["plain", null]])
        .succeeds();
    mc("map").args(["--kv", "cat"]).stdin(rows![["a\tb", 1]]).fails_with(3, "a key with a tab");
    let call = mc("map").args(["--kv", "--failed", "skip", "-c", "! grep x"]).stderr_any();
    call.stdin(rows![[1, "x"], [2, "y"]]).stdout("").succeeds();
}

/// Word count as two programs of Hadoop Streaming.
#[test]
fn programs_of_streaming_run_as_they_are() {
    let dir = dir();
    let mapper = "#!/usr/bin/env python3\nimport sys\nfor line in sys.stdin:\n    for word in line.split():\n        print('%s\\t%s' % (word, 1))\n";
    let reducer = "#!/usr/bin/env python3\nimport sys\nlast, total = None, 0\nfor line in sys.stdin:\n    word, count = line.rstrip('\\n').split('\\t', 1)\n    if word != last and last is not None:\n        print('%s\\t%d' % (last, total))\n        total = 0\n    last = word\n    total += int(count)\nif last is not None:\n    print('%s\\t%d' % (last, total))\n";
    for (name, text) in [("mapper.py", mapper), ("reducer.py", reducer)] {
        use std::os::unix::fs::PermissionsExt;
        let path = write(&dir, name, text);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let text: String = (0..3000).map(|n| format!("w{} a b{}\n", n % 97, n % 5)).collect();
    write(&dir, "in", &text);
    let line = "mc-cat text:in | mc-map {h} --kv ./mapper.py | mc-shuffle -k '.[0]' \
        | mc-reduce --kv -- ./reducer.py | mc-gather | sort";
    let out = everywhere(line, |call| call.current_dir(&dir));
    let want = "tr ' ' '\\n' <in | sort | uniq -c | awk '{printf \"[\\\"%s\\\",\\\"%d\\\"]\\n\", $2, $1}' | sort";
    assert_eq!(out.stdout, sh("bash", want).current_dir(&dir).succeeds().stdout);
}

//! Joins of shards where they lie, and those that come here for it: the same bytes.

use super::answers::KINDS;
use crate::support::*;

/// Records of few keys, some of them null or not there; `name` tells them apart.
fn records(count: u32, keys: u32, name: &str) -> String {
    let key = |n: u32| match n % 7 {
        0 => String::new(),
        1 => "\"k\": null, ".into(),
        _ => format!("\"k\": \"{}\", ", n * 7919 % keys),
    };
    (0..count).map(|n| format!("{{{}\"{name}\":{n}}}\n", key(n))).collect()
}

#[test]
fn every_kind_of_join_prints_the_same_bytes_on_hosts() {
    let dir = dir();
    write(&dir, "r.ndjson", records(60, 50, "m"));
    for kind in KINDS {
        let option = if kind == "inner" { String::new() } else { format!("--{kind}") };
        let line = format!("mc-map {{h}} cat | mc-join -k k {option} r.ndjson | mc-gather");
        let output = everywhere(&line, |call| call.current_dir(&dir).stdin(records(700, 80, "n")));
        assert_eq!(output.code, 0, "{kind}");
        assert!(output.lines().len() > 40, "{kind}");
    }
}

#[test]
fn the_words_of_a_join_reach_the_hosts_as_they_are() {
    let dir = dir();
    let right = "k;a b,name\nx;1\ny;2\n".replace("a b,name", "\"a \"\"b\"\", $HOME\"");
    write(&dir, "r.txt", right);
    let left = rows![{"it's": {"k": "X"}, "n": 1}, {"it's": {"k": "y"}, "n": 2}];
    let line = r#"mc-map {h} cat | mc-join -k '.["it'\''s"].k:i=k' --prefix '-é "$x ' -f 'csv,delim=;' r.txt |
                  mc-gather"#;
    let output = everywhere(line, |call| call.current_dir(&dir).stdin(&left));
    let want = "{\"it's\":{\"k\":\"X\"},\"n\":1,\"-é \\\"$x a \\\"b\\\", $HOME\":\"1\"}\n\
                {\"it's\":{\"k\":\"y\"},\"n\":2,\"-é \\\"$x a \\\"b\\\", $HOME\":\"2\"}\n";
    assert_eq!(output.text(), want);
}

#[test]
fn what_is_refused_here_is_refused_on_hosts() {
    let dir = dir();
    write(&dir, "r.ndjson", rows![{"k": "1", "n": 1}]);
    let line = "mc-map {h} cat | mc-join -k k r.ndjson | mc-gather";
    let output = everywhere(line, |call| call.current_dir(&dir).stdin(records(900, 9, "n")));
    assert_eq!(output.code, 4, "what mc-gather ends with when mc-join failed");
    let script =
        "printf '%s\\n' '{\"k\":\"1\",\"n\":1}' | mc-scatter -h : | mc-join -k k r.ndjson |
                  cat > /dev/null; echo ${PIPESTATUS[2]}";
    let call = sh("bash", script).current_dir(&dir).stdout("3\n");
    call.stderr_has("the record has a field 'n', and so has its match on line 1 of right.ndjson")
        .succeeds();
    write(&dir, "r.ndjson", "{\"k\":1}\n{\n");
    let call = sh("bash", script).current_dir(&dir).stdout("3\n");
    call.stderr_has("mc-join: r.ndjson: line 2, byte 2: ").succeeds();
}

#[test]
fn a_small_right_side_is_sent_and_a_large_one_is_not() {
    let dir = dir();
    write(&dir, "r.ndjson", rows![{"k": 3, "m": 1}]);
    let line = |options: &str, end: &str| {
        format!(
            "seq 20 | sed 's/.*/{{\"k\":&}}/' | mc-scatter -h :,: |
             mc-join -v -k k {options} r.ndjson {end}"
        )
    };
    let call = sh("bash", &line("", "| mc-gather")).current_dir(&dir);
    let call = call.stdout(rows![{"k": 3, "m": 1}]);
    call.stderr_has("mc-join: r.ndjson: 14 bytes, sent to each host").succeeds();
    for (options, said) in [
        ("-S 16", "mc-join: r.ndjson: too large to be sent to the hosts and held there"),
        ("--outer", "mc-join: the shards are brought to this machine"),
        ("--bad skip", "mc-join: the shards are brought to this machine"),
    ] {
        let call = sh("bash", &line(options, "| grep -m 1 3,")).current_dir(&dir);
        call.stdout(rows![{"k": 3, "m": 1}]).stderr_has(said).succeeds();
    }
    let refused =
        "-o is for shards that are worked on where they lie, on hosts; here it is records";
    for options in ["-S 16 -o x.mc", "--outer -o x.mc"] {
        let call = sh("bash", &line(options, "")).current_dir(&dir);
        call.stderr_has(refused).fails(2);
    }
    assert_eq!(names(dir.path()), ["r.ndjson"]);
}

#[test]
fn what_is_joined_on_hosts_can_be_kept_there() {
    let dir = dir();
    write(&dir, "r.csv", "k,m\n3,three\n5,five\n");
    let script = "set -e -o pipefail
                  seq 20 | sed 's/.*/{\"k\":\"&\"}/' | mc-scatter -h :,: | mc-join -k k r.csv -o x.mc
                  mc-cat x.mc; mc-join -k k --anti x.mc < left; mc-hosts --rm x.mc";
    write(&dir, "left", rows![{"k": "5"}, {"k": "6"}]);
    let want = rows![{"k": "3", "m": "three"}, {"k": "5", "m": "five"}, {"k": "6"}];
    sh("bash", script).current_dir(&dir).stdout(want).succeeds();
}

#[test]
fn an_empty_side_is_one_on_hosts_too() {
    let dir = dir();
    write(&dir, "r.ndjson", "");
    let line = "mc-map {h} cat | mc-join -k k --left r.ndjson | mc-gather";
    let output = everywhere(line, |call| call.current_dir(&dir).stdin(records(50, 5, "n")));
    assert_eq!(output.text(), records(50, 5, "n"));
    write(&dir, "r.ndjson", rows![{"k": 1}]);
    let output = everywhere(line, |call| call.current_dir(&dir).stdin(""));
    assert_eq!(output.text(), "");
}

#[test]
fn right_records_that_are_not_what_was_sent_are_refused() {
    let dir = dir();
    write(&dir, "r.ndjson", rows![{"k": 1, "m": 1}]);
    let call = |hash: &str| {
        let call = mc("join").args(["-k", "k", "--right-hash", hash, "r.ndjson"]);
        call.current_dir(&dir).stdin(rows![{"k": 1}])
    };
    let said = "mc-join: r.ndjson is not what the right records were";
    call(&"0".repeat(32)).stderr_has(said).fails(4);
}

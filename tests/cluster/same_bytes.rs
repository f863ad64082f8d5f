//! A pipeline prints the same bytes wherever it runs.

use crate::support::{
    Call, Cluster, cluster, dir, everywhere, jq, names, on_all_hosts, python, random_lines,
    repository, rows, sh, tools, write,
};

/// The numbers from 1 to `last`, a line each.
fn numbers(last: u32) -> String {
    (1..=last).map(|n| format!("{n}\n")).collect()
}

/// Orders: a region of few, an amount with a fraction, a note with all that is hard to carry.
fn orders(count: u64) -> String {
    let notes = ["", "a, b", "\\\"quoted\\\"", "Grüße \\ud83d\\ude00", "\\u0000\\t", "1e400"];
    let order = |n: u64| {
        let (region, note) = (n * 7919 % 11, notes[(n % 6) as usize]);
        format!(
            "{{\"k\": \"r{region}\", \"n\":{n},\"amount\":{}.{:02}, \"note\":\"{note}\"}}\n",
            n % 97,
            n % 100
        )
    };
    (0..count).map(order).collect()
}

#[test]
fn records_that_nothing_changes() {
    for input in [orders(900), String::new(), "[ 1,  2 ]\n".into(), "\n\r\n 7 \r\n\n".into()] {
        let output = everywhere("mc-map {h} cat | mc-gather", |call| call.stdin(&input));
        assert_eq!(output.code, 0);
    }
    let input = orders(900);
    let output = everywhere("mc-map {h} cat | mc-gather", |call| call.stdin(&input));
    assert!(output.stdout == input.as_bytes());
}

#[test]
fn a_record_that_is_larger_than_any_block() {
    let large = format!("1\n\"{}\"\n2\n", "x".repeat(3_000_000));
    let output = everywhere("mc-map {h} cat | mc-gather", |call| call.stdin(&large));
    assert!(output.stdout == large.as_bytes());
}

#[test]
fn words_reach_the_command_as_they_are() {
    let line = r#"mc-map {h} printf '"%s"\n' '' ' ' '*' '$HOME' "it's" 'a\\b' '-h' '--' '`id`' ';' 'é' | mc-gather"#;
    let output = everywhere(line, |call| call.stdin("1\n"));
    assert_eq!(output.lines().len(), 11);
    let line = "mc-map {h} jq -nc --args '$ARGS.positional' \"$(printf 'two\\nlines\\t.')\" '\"' | mc-gather";
    let output = on_all_hosts(line, |call| call.stdin("1\n"));
    assert_eq!(output.text(), rows![["two\nlines\t.", "\""]]);
}

#[test]
fn a_shell_line() {
    let line = r#"mc-map {h} -c 'sed /7/d | sed "s/^\(.*\)$/[\1,\"it'\''s\"]/"' | mc-gather"#;
    let output = everywhere(line, |call| call.stdin(numbers(5000)));
    assert!(output.text().starts_with("[1,\"it's\"]\n[2,"));
}

#[test]
fn lines_of_text() {
    let lines = random_lines(11, 3000, 30, b"ab \"\\\t$'");
    let dir = dir();
    write(&dir, "lines.txt", &lines);
    let line = "mc-cat text:lines.txt | mc-map {h} -t tr a-z A-Z | mc-gather -o text:-";
    let output = everywhere(line, |call| call.current_dir(&dir));
    assert!(output.stdout == lines.to_ascii_uppercase());
}

#[test]
fn bytes_that_are_no_text() {
    let input = rows!["xa", "b", {"$base64": "/wA="}];
    let output = everywhere("mc-map {h} -t tr a '\\377' | mc-gather", |call| call.stdin(&input));
    assert_eq!(output.text(), rows![{"$base64": "eP8="}, "b", {"$base64": "/wA="}]);
}

#[test]
fn a_command_of_ones_own() {
    let dir = dir();
    let script =
        "#!/usr/bin/env python3\nimport sys\nfor line in sys.stdin:\n    print(int(line) ** 3)\n";
    let path = write(&dir, "cube.py", script);
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = everywhere("mc-map {h} ./cube.py | mc-gather", |call| {
        call.current_dir(&dir).stdin(numbers(2000))
    });
    assert!(output.text().ends_with("\n8000000000\n"));
}

#[test]
fn csv_in_and_out() {
    let flights = repository("examples/data/flights.csv.gz");
    let line = "mc-cat csv,null=NA:\"$FLIGHTS\" | head -n 300 | mc-map {h} examples/clean.py |
        mc-gather -o csv:-";
    let output = everywhere(line, |call| call.env("FLIGHTS", &flights).current_dir(repository("")));
    assert!(output.lines().len() > 250, "{}", output.lines().len());
}

#[test]
fn quoted_line_ends_in_csv() {
    let table = "a,b\n1,\"x\ny\"\n\"\",\"\"\"\"\n3,\"é,\r\n\"\n".repeat(40);
    let table = table.replace("\na,b\n", "\n");
    let dir = dir();
    write(&dir, "t.csv", &table);
    let line = "mc-cat csv:t.csv | mc-map {h} cat | mc-gather -o csv:-";
    let output = everywhere(line, |call| call.current_dir(&dir));
    let again = "import csv,sys; print(sum(1 for _ in csv.reader(sys.stdin)))";
    assert_eq!(python(again, &[], output.stdout), b"121\n");
}

#[test]
fn groups_and_sums() {
    let input = orders(2000);
    let line =
        "mc-map {h} jq -c '{k, v: .n}' | mc-shuffle -k k | mc-reduce sum:v count | mc-gather";
    let output = everywhere(line, |call| call.stdin(&input));
    let by_jq = "[inputs] | group_by(.k)[] | {k: .[0].k, v_sum: map(.n) | add, count: length}";
    assert!(output.stdout == jq(&["-nc", by_jq], &input));
}

#[test]
fn word_count() {
    let text = "the quick brown fox\njumps over the lazy dog\n\nThe end\n".repeat(200);
    let dir = dir();
    write(&dir, "text.txt", text);
    let line = "mc-cat text:text.txt | mc-map {h} -t -c 'tr -cs a-zA-Z \"\\n\" | grep .' |
        mc-shuffle --reduce count | mc-gather";
    let output = everywhere(line, |call| call.current_dir(&dir));
    assert!(output.text().contains("[\"the\",400]\n"));
}

#[test]
fn one_key_for_all_and_sorting_by_another() {
    let input: String = (0..3000).map(|n| format!("[\"same\",{}]\n", n * 7919 % 1000)).collect();
    for line in [
        "mc-map {h} cat | mc-shuffle | mc-gather",
        "mc-map {h} cat | mc-shuffle | mc-reduce sum | mc-gather",
        "mc-map {h} cat | mc-sort -k '.[1]' | mc-gather",
        "mc-map {h} cat | mc-sort -u -k '.[1]:r' | mc-gather",
    ] {
        assert_eq!(everywhere(line, |call| call.stdin(&input)).code, 0);
    }
}

#[test]
fn one_map_after_another() {
    let line = "mc-map {h} -c 'sed s/$/0/' | mc-map -c 'sed /3/d' | mc-map wc -l | mc-gather |
        mc-reduce --all sum";
    let output = everywhere(line, |call| call.stdin(numbers(3000)));
    assert_eq!(output.text(), "{\"sum\":2187}\n".replace("2187", &without_3().to_string()));
}

/// How many of the numbers to 3000 have no 3 in them.
fn without_3() -> usize {
    (1..=3000).filter(|n: &u32| !n.to_string().contains('3')).count()
}

#[test]
fn a_command_that_prints_nothing_or_much() {
    let none = everywhere("mc-map {h} -c 'cat >/dev/null' | mc-gather", |c| c.stdin(numbers(999)));
    assert_eq!((none.code, none.stdout.len()), (0, 0));
    let line = "mc-map {h} -c 'while read n; do seq $n; done' | mc-gather";
    let much = everywhere(line, |call| call.stdin(numbers(500)));
    assert_eq!(much.lines().len(), 500 * 501 / 2);
}

#[test]
fn bad_records_and_failing_commands() {
    let (input, dir) = (format!("{}{{\n{}", numbers(900), numbers(900)), dir());
    let bad = everywhere("mc-map {h} cat | mc-gather -o ndjson:out", |call| {
        call.current_dir(&dir).stdin(&input)
    });
    assert_eq!(bad.code, 4, "mc-gather's, for mc-map's is 3");
    let skipped = everywhere("mc-map {h} --bad skip cat | mc-gather", |c| c.stdin(&input));
    assert_eq!((skipped.code, skipped.lines().len()), (0, 1800));
    let line =
        "mc-map {h} -c 'grep -q 777 && exit 3; exec cat /dev/null' | mc-gather -o ndjson:out";
    let failed = everywhere(line, |call| call.current_dir(&dir).stdin(numbers(1000)));
    assert_eq!(failed.code, 4, "mc-gather's, for mc-map's is 1");
    assert_eq!(names(&dir), [""; 0]);
    let line = "mc-map {h} --ok-exit 0,1 grep 99 | mc-gather";
    let some = everywhere(line, |call| call.stdin(numbers(1000)));
    assert_eq!((some.code, some.lines().len()), (0, 19));
}

#[test]
fn bad_records_by_the_megabyte() {
    // Of each record, more than a megabyte of bad ones, and more than a frame in one of them.
    let bad =
        "while read n; do seq -f \"{$n %.0f\" 30000; head -c 1300000 /dev/zero | tr \"\\0\" x;
        echo; echo $n; done";
    let (input, dir) = (numbers(4), dir());
    let map = |policy: &str| format!("mc-map {{h}} --bad {policy} -c '{bad}' | mc-gather");
    let in_dir = |call: Call| call.current_dir(&dir).stdin(&input);
    let kept = on_all_hosts(&format!("{}; echo $?; cat bad", map("file=bad")), in_dir);
    assert!(kept.stdout.len() > 6_000_000 && kept.text().starts_with("1\n2\n3\n4\n0\n{1 1\n"));
    let skipped = everywhere(&map("skip"), in_dir);
    assert_eq!((skipped.code, skipped.text()), (0, input.clone()));
    let most = everywhere(&map("limit=120004"), in_dir);
    assert_eq!((most.code, most.text()), (0, input.clone()));
    let over = everywhere(&format!("{} -o ndjson:out", map("limit=120003")), in_dir);
    assert_eq!((over.code, names(&dir)), (4, vec!["bad".to_string()]));

    // What is said, too; and each once, however often its task is run, and on whatever hosts; but what is
    // said of the attempts, and of a host that had most of the first ones, which all fail.
    let said = |options: &str, tail: &str| {
        let again = "test $MC_ATTEMPT = 1 && { echo [; exit 1; }";
        let line = format!("mc-map --block 1 {options} -c '{again}; {bad}' {tail}");
        let call = in_dir(sh("bash", &line)).on(cluster()).stderr_any().ends();
        let stderr = String::from_utf8(call.stderr).unwrap();
        let of_attempts = ["trying again", "tasks fail there that go well elsewhere"];
        let is_due = |line: &&str| !of_attempts.iter().any(|text| line.contains(text));
        stderr.lines().filter(is_due).map(String::from).collect::<Vec<_>>()
    };
    for policy in ["skip", "limit=75000"] {
        let here = said(&format!("--bad {policy}"), ">/dev/null");
        assert!(!here.is_empty());
        for hosts in ["n1", "n1,n2"] {
            let there = said(&format!("-h {hosts} --bad {policy}"), "| mc-gather 2>/dev/null");
            assert_eq!(there, here, "{hosts}");
        }
    }
}

#[test]
fn our_own_tools_in_a_command() {
    let input = numbers(900);
    let line = "mc-map {h} -c 'mc-map sed s/$/0/ | mc-cat ndjson:- | mc-map -c \"sed /7/d\"' |
        mc-gather | mc-map {h} mc-map -c 'sed s/3/4/' | mc-gather";
    let output = everywhere(line, |call| call.stdin(&input));
    assert_eq!((output.code, output.text().lines().next()), (0, Some("10")));

    // They are there where none is installed, and leave nothing.
    let cluster = Cluster::new();
    cluster.on_host("n1", "! command -v mc-sort");
    let script = "seq 3 | mc-map -h n1 --block 1K -c 'mc-sort -k .:r' | mc-gather";
    sh("bash", script).on(&cluster).stdout("3\n2\n1\n").succeeds();
    cluster.is_clean();
}

#[test]
fn our_own_tools_in_a_command_without_hosts() {
    let tools = tools();
    let script = format!(
        "PATH=/usr/bin:/bin; seq 3 | {}/mc-map --per shard -c 'mc-sort -k .:r'",
        tools.display()
    );
    sh("bash", &script).stdout("3\n2\n1\n").succeeds();
}

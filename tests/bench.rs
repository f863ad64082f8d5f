//! `scripts/bench` itself: when two answers are the same, what data it makes, and that the figures in the
//! README are those that were measured.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Call, dir, jq, names, python_program, repository};

/// A program of `scripts/`, built as the bench builds it.
fn program(name: &str) -> (TempDir, PathBuf) {
    let dir = dir();
    let (source, built) = (repository(&format!("scripts/{name}.rs")), dir.path().join(name));
    Call::new("rustc").args(["--edition", "2021", "-o"]).arg(&built).arg(source).succeeds();
    (dir, built)
}

#[test]
fn two_answers_are_the_same_whatever_their_form_and_only_then() {
    let (_dir, check) = program("bench-check");
    let said = |args: &str, answer: &str| {
        Call::new(&check).args(args.split(' ')).stdin(answer).succeeds().text()
    };
    let json = "{\"w\":\"a\\u00e9\\\"\",\"n\":1}\n{\"w\":\"b\",\"n\":20}\n";
    let right = said("ordered json", json);
    assert!(right.starts_with("2 "), "{right}");
    for (args, answer) in [
        ("ordered json", "[\"aé\\\"\", 1]\n[\"b\" , 20]\n"),
        ("ordered json 2 1", "[1,\"aé\\\"\"]\n\n[20,\"b\"]\n"),
        ("ordered json 1 0", "{\"w\":\"aé\\\"\",\"of\":{\"x\":[],\"n\":1}}\n[\"b\",[[20]]]\n"),
        ("ordered csv", "\"aé\"\"\",1\nb,20\n"),
        ("ordered blank 2 1", "   1 aé\"\n  20 b\n"),
        ("ordered semicolon", "aé\";1\nb;20"),
    ] {
        assert_eq!(said(args, answer), right, "{args}: {answer}");
    }
    for (args, answer) in [
        ("ordered tab", "b\t20\naé\"\t1\n"),
        ("ordered tab", "aé\"\t1\nb\t21\n"),
        ("ordered tab", "aé\"\t1\nb\t20\nb\t20\n"),
        ("ordered tab", "aé\"\t1\n"),
        ("ordered tab 1", "aé\"\t1\nb\t20\n"),
    ] {
        assert_ne!(said(args, answer), right, "{args}: {answer}");
    }
    assert_eq!(said("any line", "b\na\n"), said("any line", "a\nb\n"));
    assert_ne!(said("any line", "b\nb\n"), said("any line", "a\na\n"));
    assert_eq!(said("any line", "10\n9\n"), said("ascending line", "9\n10\n"));
    assert_eq!(
        said("any semicolon 1 2r", "a;0.25\n"),
        said("any json 1 2r", "[\"a\",0.24999999999]\n")
    );
    assert_ne!(said("any semicolon 1 2r", "a;0.25\n"), said("any semicolon 1 2r", "a;0.24\n"));
    assert_eq!(said("any json 1 2n", "[\"a\",0.250]\n"), said("any tab 1 2n", "a\t2.5e-1\n"));
    assert_eq!(said("sum json 0", "{\"k\":\"\\ud83d\",\"v\":3}\n[1,[4]]\n"), "7\n");
    for (args, answer, told) in [
        ("ascending line", "9\n10\n8\n", "line 3 is not in order: 8"),
        ("sum tab 2", "a\tb\n", "no integer: a\tb"),
        ("any tab 3", "a\tb\n", "no column 3"),
        ("any tab 2n", "a\tb\n", "no number: b"),
        ("any xml", "a\n", "no such form: xml"),
        ("first line", "a\n", "no such order: first"),
    ] {
        Call::new(&check).args(args.split(' ')).stdin(answer).stderr_has(told).fails(2);
    }
}

#[test]
fn data_is_the_same_each_time_and_what_it_is_called() {
    let (_dir, make) = program("bench-data");
    let made = |args: &str| Call::new(&make).args(args.split(' ')).succeeds().text();
    for kind in
        ["numbers 300", "objects 300", "pairs 300", "group 300 50", "stations 300", "rows 300"]
    {
        assert_eq!(made(kind), made(kind));
        assert_eq!(made(kind).lines().count(), 300, "{kind}");
    }
    let different = |args: &str, filter: &str| jq(&["-s", filter], made(args));
    assert_eq!(different("objects 20000", "map(.k) | unique | length"), b"20000\n");
    assert_eq!(different("group 20000 50", "map(.g) | unique | length"), b"50\n");
    let names: Value = serde_json::from_slice(&different("few 50", "map(.g)")).unwrap();
    assert_eq!(
        json!(different("group 20000 50", "map(.g) | unique")),
        json!(different("few 50", "map(.g) | unique"))
    );
    assert_eq!(names.as_array().map(Vec::len), Some(50));
    let (words, prose) = (made("words 1000"), made("prose 1000"));
    assert!((100_000..100_200).contains(&words.len()), "{}", words.len());
    assert!(words.chars().all(|c| c.is_ascii_lowercase() || c == ' ' || c == '\n'));
    assert!(prose.contains(", ") && prose.lines().all(|line| line.starts_with(char::is_uppercase)));
    let table = String::from_utf8(jq(&["-c", "[.[]]"], made("rows 300"))).unwrap();
    let table = table.lines().map(|line| serde_json::from_str(line).unwrap());
    let made = made("table 300");
    let read = csv::Reader::from_reader(made.as_bytes())
        .into_records()
        .map(|row| json!(row.unwrap().iter().collect::<Vec<_>>()));
    assert_eq!(read.collect::<Vec<Value>>(), table.collect::<Vec<Value>>());
}

#[test]
fn keys_have_the_shapes_that_are_asked_for() {
    let (_dir, make) = program("bench-data");
    let shape = |layout: &str, shape: &str, filter: &str| {
        let made = Call::new(&make).args(["shape", layout, shape, "5000"]).succeeds().stdout;
        String::from_utf8(jq(&["-c", "-s", filter], made)).unwrap().trim().to_string()
    };
    assert_eq!(shape("values", "sorted", ". == sort"), "true");
    assert_eq!(shape("values", "reversed", ". == (sort | reverse)"), "true");
    assert_eq!(shape("objects", "equal", "map(.k) | unique | length"), "1");
    assert_eq!(shape("objects", "mixed", "map(.k | type) | unique | length"), "6");
    assert_eq!(shape("objects", "prefixes", "map(.k[:40]) | unique | length"), "1");
    for name in ["random", "unicode", "escapes", "last", "spaced"] {
        assert_eq!(shape("groups", name, "map(.k) | unique | length"), "995", "{name}");
        assert_eq!(shape("groups", name, "map(.v) | add"), "2497500", "{name}");
    }
}

/// The table of figures in a file.
fn table(path: &str) -> String {
    let text = std::fs::read_to_string(repository(path)).unwrap();
    let (_, rest) = text.split_once("<!-- figures: ").unwrap();
    rest.split_once("<!-- /figures -->").unwrap().0.to_string()
}

#[test]
fn the_figures_of_the_readme_are_those_of_the_newest_bench() {
    let newest = names(repository("benches")).pop().unwrap();
    let figures = table("README.md");
    assert!(figures.lines().count() > 10, "{figures}");
    assert_eq!(figures, table(&format!("benches/{newest}/summary.md")));
}

#[test]
fn each_summary_is_what_its_raw_figures_say() {
    for date in names(repository("benches")) {
        let place = repository(&format!("benches/{date}"));
        let call = Call::new(python_program()).arg(repository("scripts/bench_figures.py"));
        let call = call.env("PYTHONUTF8", "1").arg(place.join("raw.ndjson"));
        call.stdout(std::fs::read(place.join("summary.md")).unwrap()).succeeds();
    }
}

#[test]
fn what_runs_again_takes_the_place_of_its_earlier_times() {
    let job = |name: &str, seconds: f64| {
        let about = json!({"job": name, "row": "x", "kind": "peers", "records": 5, "bytes": 9, "lines": 5, "commands": {"mycloud": "a | b", "sort": "c"}});
        let time = |tool, seconds| json!({"job": name, "records": 5, "tool": tool, "round": 1, "seconds": seconds, "cpu": seconds, "peak": 7});
        vec![about, time("mycloud", seconds), time("sort", 3.0)]
    };
    let run = || vec![json!({"machine": "m", "commit": "c", "versions": ["sort 1"]})];
    let place = dir();
    let code = "import json, pathlib, sys; sys.dont_write_bytecode = True; sys.path.insert(0, sys.argv[1])\n\
        import bench_figures\n\
        for run in json.load(sys.stdin): bench_figures.save(pathlib.Path(sys.argv[2]), run)";
    let runs = vec![
        [run(), job("one | two", 2.0), job("three", 1.0)].concat(),
        [run(), job("three", 1.5)].concat(),
    ];
    let call = Call::new(python_program())
        .arg("-c")
        .arg(code)
        .arg(repository("scripts"))
        .arg(place.path());
    call.stdin(json!(runs).to_string()).succeeds();
    let raw = std::fs::read_to_string(place.path().join("raw.ndjson")).unwrap();
    assert_eq!(raw.lines().count(), 1 + 3 + 3, "the same run is there once");
    let summary = std::fs::read_to_string(place.path().join("summary.md")).unwrap();
    for row in [
        "| one \\| two | 5 | 2.00 | 1.00 | sort 1.50x |",
        "| three | 5 | 1.50 | 1.00 | sort 2.00x |",
    ] {
        assert!(summary.contains(row), "{row} is not in\n{summary}");
    }
}

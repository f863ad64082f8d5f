//! Objects that are read.

use super::store;
use crate::support::*;

/// Lines of text, so many bytes of them.
fn lines(bytes: usize) -> Vec<u8> {
    let mut text = Vec::new();
    while text.len() < bytes {
        text.extend_from_slice(format!("line {} of many, of some length\n", text.len()).as_bytes());
    }
    text
}

/// Some bytes as gzip.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    Call::new("gzip").arg("-c").stdin(bytes).succeeds().stdout
}

#[test]
fn an_object_is_read_as_a_file_of_its_name_is() {
    let csv = b"a,b\n1,2\n".as_slice();
    let packed = gzip(csv);
    let objects: &[(&str, &[u8])] = &[
        ("plain.csv", csv),
        ("2026/b/x.csv.gz", &packed),
        ("2026/a.tsv", b"a\tb\n3\t4\n"),
        ("2026/.hidden.csv", csv),
        ("2026/README", b"no csv"),
        ("odd name/\u{e9}+%20&=;.csv", csv),
        ("empty.ndjson", b""),
        ("lines.txt", b"one\ntwo\n"),
        ("many.json", b"[1,\n2]"),
    ];
    store().bucket("as-files", objects);
    let cat = |resource: &str| store().mc("cat").arg(resource);
    let (one, two) = (rows![{"a": "1", "b": "2"}], rows![{"a": "3", "b": "4"}]);
    for resource in [
        "s3://as-files/plain.csv",
        "csv:s3://as-files/2026/b/x.csv.gz",
        "s3://as-files/odd name/\u{e9}+%20&=;.csv",
        "csv:s3://as-files/odd name/*",
        "S3://as-files/pl[a]in.csv",
    ] {
        cat(resource).stdout(&one).succeeds();
    }
    cat("csv:s3://as-files/2026/*.[ct]s*").stdout(&two).succeeds();
    cat("csv:s3://as-files/2026/**/[ax].*sv*").stdout(format!("{two}{one}")).succeeds();
    cat("s3://as-files/**/*.csv.gz").stdout(&one).succeeds();
    cat("s3://as-files/empty.ndjson").stdout("").succeeds();
    cat("s3://as-files/lines.txt").stdout("\"one\"\n\"two\"\n").succeeds();
    cat("json,items:s3://as-files/many.json").stdout("1\n2\n").succeeds();
    cat("s3://as-files/*.csv").arg("range:0..1").stdout(format!("{one}0\n")).succeeds();
    let raw = |resource: &str| cat("--raw").arg(resource);
    raw("s3://as-files/2026/b/x.csv.gz").stdout(&packed).succeeds();
    raw("s3://as-files/[lm]*").stdout("one\ntwo\n[1,\n2]").succeeds();
    // Each as a stream of its own, and the right records of a join.
    let join =
        store().mc("join").args(["-k", "a", "s3://as-files/plain.csv"]).stdin("{\"a\":\"1\"}\n");
    join.stdout(&one).succeeds();
}

#[test]
fn a_pattern_asks_for_what_can_match_and_takes_all_pages() {
    store().bucket("pages", &[("z/other.txt", b"no\n")]);
    let code =
        "for n in range(1100): c.put_object(Bucket='pages', Key=f'p/{n:04}.txt', Body=f'{n}\\n')";
    store().boto(code, &[]);
    let all: String = (0..1100).map(|n| format!("\"{n}\"\n")).collect();
    store().mc("cat").arg("s3://pages/p/*.txt").stdout(all).succeeds();
    store().mc("cat").arg("s3://pages/p/00[0-1]?.txt").arg("s3://pages/z/*.txt").succeeds();
    let none = store().mc("cat").arg("s3://pages/q*.txt");
    none.fails_with(2, "mc-cat: s3://pages/q*.txt: no object matches");
}

#[test]
fn a_long_object_comes_in_ranges_within_bounded_memory() {
    let text = lines(70_000_000);
    store().bucket(
        "ranges",
        &[("long.txt", &text), ("eight", &text[..8 << 20]), ("more", &text[..(8 << 20) + 1])],
    );
    let raw = |key: &str| store().mc("cat").args(["--raw", &format!("s3://ranges/{key}")]);
    let dir = dir();
    let peak = dir.path().join("peak");
    let read = raw("long.txt").peak_to(&peak).succeeds();
    assert!(read.stdout == text);
    let peak = Output::peak(&peak);
    assert!(peak < 120 << 20, "{peak} bytes");
    for (key, length) in [("eight", 8 << 20), ("more", (8 << 20) + 1)] {
        assert!(raw(key).succeeds().stdout == text[..length], "{key}");
    }
    let asked = store().front("log?path=GET+/ranges/long.txt");
    let ranges: Vec<&str> = asked.lines().collect();
    assert_eq!(ranges.len(), 9, "{asked}");
    assert!(ranges[0].ends_with("bytes=0-8388607"), "{asked}");
}

#[test]
fn what_fails_for_a_while_is_asked_for_again() {
    let text = lines(20_000_000);
    store().bucket("again", &[("long.txt", &text), ("cut.txt", &text)]);
    store().front("fail?path=/again/long.txt&status=503&code=SlowDown&count=3");
    store().front("fail?path=/again/cut.txt&count=2");
    for key in ["long.txt", "cut.txt"] {
        let read = store().mc("cat").args(["--raw", &format!("s3://again/{key}")]).succeeds();
        assert!(read.stdout == text, "{key}");
    }
    store().front("fail?path=/again&method=GET&status=500&count=1");
    store().mc("cat").args(["--raw", "s3://again/*"]).succeeds();
}

#[test]
fn an_object_that_is_changed_while_it_is_read_is_no_input() {
    let text = lines(100_000_000);
    store().bucket("changed", &[("long.txt", &text)]);
    // The reader stops when the pipe is full, and goes on when there is another object of that name.
    let script = format!(
        "mc-cat --raw s3://changed/long.txt | {{ head -c 100000 > /dev/null; \"$0\" -c \"$1\" '{}'; cat > /dev/null; }}; \
         exit ${{PIPESTATUS[0]}}",
        store().url
    );
    let code = format!(
        "{}c.put_object(Bucket='changed', Key='long.txt', Body=b'x' * 100_000_000)",
        super::BOTO
    );
    let read = store().bash(&script).arg(python_program()).arg(code);
    read.fails_with(
        4,
        "mc-cat: cannot read s3://changed/long.txt: it was changed while it was read",
    );
}

//! What `--stats` wrote, as `mc-report` reads it.

use super::{Outcome, Target};
use crate::report::Report;

const WORDS: &[&[u8]] = &[
    b"\"stage\"",
    b"\"task\"",
    b"\"shard\"",
    b"\"begin\":",
    b"\"reads\":[7]",
    b"\"writes\":7",
    b"\"makes_run\":\"r\"",
    b"\"outcome\":\"lost\"",
    b"\"host\":\"<b>\"",
    b"1e308",
    b"-1e308",
    b"18446744073709551615",
    b"0",
    b"null",
    b"</svg>",
    b"\\\"><script>",
    b"\\u0000",
    b"\\u202e",
    b"\n",
];

/// Fails unless each element is closed in its turn, and there is none that a page may not have.
fn is_sound(page: &str) {
    let mut open = Vec::new();
    for piece in page.split('<').skip(1) {
        let end = piece.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(piece.len());
        match &piece[..end] {
            "!DOCTYPE" | "meta" => (),
            "script" | "img" | "link" | "iframe" => panic!("{piece}"),
            name => match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name)),
                None => open.push(name),
            },
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn stats() {
    let seeds = [
        "{\"v\":1,\"kind\":\"stage\",\"tool\":\"a\",\"stage\":\"x\",\"status\":0,\"seconds\":1,\
         \"pid\":1,\"begin\":1.5,\"end\":2.5,\"writes\":7,\"records_in\":1,\"bytes_out\":9,\
         \"counters\":{\"g\":{\"n\":1}}}\n\
         {\"v\":1,\"kind\":\"stage\",\"tool\":\"a\",\"stage\":\"y\",\"status\":1,\"seconds\":1,\
         \"pid\":1,\"begin\":1.5,\"end\":2.5,\"reads\":[7]}",
        "{\"v\":1,\"kind\":\"task\",\"tool\":\"a\",\"stage\":\"x\",\"work\":\"command\",\"task\":1,\
         \"attempt\":1,\"host\":\"n1\",\"slot\":1,\"begin\":1,\"end\":2,\"seconds\":1,\
         \"lines\":[1,2],\"outcome\":\"done\"}\n\
         {\"v\":1,\"kind\":\"command\",\"tool\":\"a\",\"stage\":\"x\",\"command\":\"f\",\"input\":\"json\"}",
        "{\"v\":1,\"kind\":\"shard\",\"tool\":\"a\",\"stage\":\"x\",\"shard\":1,\"records\":3,\"bytes\":9}\n\
         {\"v\":1,\"kind\":\"shard\",\"tool\":\"a\",\"stage\":\"x\",\"shard\":2,\"records\":0,\"bytes\":0}\n\
         {\"v\":1,\"kind\":\"failure\",\"tool\":\"a\",\"stage\":\"x\",\"task\":1,\"error\":\"e\"}\n\
         {\"v\":1,\"kind\":\"plan\",\"text\":\"t\"}",
    ];
    Target { memory: (16 << 20, 400), ..Target::new("stats", &seeds, WORDS) }.run(|input| {
        let mut report = Report::default();
        for (number, line) in input.split(|byte| *byte == b'\n').enumerate() {
            if report.line("run", number as u64 + 1, line).is_err() {
                return Outcome::Refused;
            }
        }
        is_sound(&report.page("run"));
        Outcome::Taken
    });
}

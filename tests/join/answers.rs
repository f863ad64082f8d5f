//! What is joined with what: as in SQLite, whatever the memory and however many threads.

use std::fmt::Write;

use crate::support::*;

/// How much memory, and how many threads; none says nothing, which is a hash table.
const WAYS: [&[&str]; 5] =
    [&[], &["-j", "1"], &["-j", "3"], &["-S", "1"], &["-S", "200K", "-j", "1"]];

pub const KINDS: [&str; 5] = ["inner", "left", "outer", "semi", "anti"];

/// What says so.
pub fn option(kind: &str) -> Vec<String> {
    if kind == "inner" { Vec::new() } else { vec![format!("--{kind}")] }
}

/// So many records with keys of about `kinds`: numbers in all spellings, strings that look like
/// them, null, and none.
fn records(seed: u64, count: usize, kinds: u64, name: &str) -> String {
    let mut random = Random::seeded(seed);
    let mut text = String::new();
    for n in 0..count {
        let number = random.below(kinds);
        let key = match random.below(9) {
            0 => "\"k\":null,".into(),
            1 => String::new(),
            2 => format!("\"k\":\"{number}\","),
            3 => format!("\"k\":{number}.0,"),
            4 => format!("\"k\":{number}e0,"),
            5 => format!("\"k\":-{number}.5,"),
            6 => format!("\"k\":\"é {number}\","),
            7 => format!("\"k\":\"\\u00e9\\u0020{number}\","),
            _ => format!("\"k\": {number} ,"),
        };
        writeln!(text, "{{{key}\"{name}\":{n}}}").unwrap();
    }
    text
}

/// Compares each kind of join with SQLite's, in each way.
fn same(left: &str, right: &str) {
    let dir = dir();
    let (left, right) = (write(&dir, "left", left), write(&dir, "right.ndjson", right));
    for kind in KINDS {
        let args = [kind, left.to_str().unwrap(), right.to_str().unwrap()];
        let want = python(include_str!("join.py"), &args, "");
        for way in WAYS {
            let call = mc("join").args(["-k", "k"]).args(option(kind)).args(way).arg(&right);
            let got = call.stdin(std::fs::read(&left).unwrap()).succeeds().stdout;
            assert!(jq(&["-c", "[.n, .m]"], got) == want, "{kind} {way:?}");
        }
    }
}

#[test]
fn keys_match_as_in_sqlite() {
    same(&records(1, 2000, 300, "n"), &records(2, 1500, 300, "m"));
    same(&records(3, 300, 6, "n"), &records(4, 200, 6, "m"));
}

#[test]
fn either_side_may_be_empty_and_either_much_larger() {
    let (some, many) = (records(5, 5, 4, "n"), records(6, 3000, 1000, "n"));
    let other = |text: &str| text.replace("\"n\":", "\"m\":");
    same("", &other(&some));
    same(&some, "");
    same("", "");
    same(&many, &other(&some));
    same(&some, &other(&many));
}

#[test]
fn a_key_may_have_parts_modifiers_and_another_name() {
    let dir = dir();
    let right = rows![
        {"id": "7", "v": {"major": "B"}, "x": 1},
        {"id": "007", "v": {"major": "b"}, "x": 2},
        {"id": null, "v": {"major": "b"}, "x": 3},
    ];
    write(&dir, "r.ndjson", right);
    let left = rows![
        {"user": {"id": 7}, "major": "b"},
        {"user": {"id": 7.0}, "major": "B"},
        {"user": {"id": null}, "major": "b"},
        {"user": {}, "major": "b"},
        {"user": {"id": 7}, "major": null},
    ];
    let join = |key: &str, want: String| {
        let call = mc("join").current_dir(&dir).args(["-k", key, "r.ndjson"]).stdin(&left);
        call.stdout(want).succeeds();
    };
    join(
        ".user.id=id:n,major:i=.v.major",
        rows![
            {"user": {"id": 7}, "major": "b", "v": {"major": "B"}, "x": 1},
            {"user": {"id": 7}, "major": "b", "v": {"major": "b"}, "x": 2},
            {"user": {"id": 7.0}, "major": "B", "v": {"major": "B"}, "x": 1},
            {"user": {"id": 7.0}, "major": "B", "v": {"major": "b"}, "x": 2},
        ],
    );
    join(
        ".user.id:n=id,major=.v.major",
        rows![
            {"user": {"id": 7}, "major": "b", "v": {"major": "b"}, "x": 2},
            {"user": {"id": 7.0}, "major": "B", "v": {"major": "B"}, "x": 1},
        ],
    );
    join(".user.id=id,major=.v.major", String::new());
}

#[test]
fn numbers_are_equal_whatever_their_size() {
    let dir = dir();
    let right = rows![
        [9007199254740993, "odd"],
        [1e400, "large"],
        [0.1, "tenth"],
        [true, "t"],
        [[1, null], "a"]
    ];
    write(&dir, "r.ndjson", right);
    let left = rows![
        [9007199254740992],
        [9007199254740993.0],
        [10e399],
        [1e-1],
        [true],
        [[1.0, null]],
        [{}]
    ];
    let want = rows![
        [9007199254740993.0, "odd"],
        [10e399, "large"],
        [1e-1, "tenth"],
        [true, "t"],
        [[1.0, null], "a"],
    ];
    for way in WAYS {
        let call = mc("join").current_dir(&dir).args(["-k", ".[0]", "r.ndjson"]).args(way);
        call.stdin(&left).stdout(&want).succeeds();
    }
}

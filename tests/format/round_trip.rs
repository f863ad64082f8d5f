//! `read(write(x)) == x`, for each format and any records that it can hold.

use std::path::Path;

use mycloud::error::{ErrorKind, Result};
use mycloud::format::ledger::Ledger;
use mycloud::format::resource::Resource;
use mycloud::format::{Once, ReadOptions, WriteOptions, read, write};
use mycloud::record::bad::Policy;
use mycloud::record::text::{push_bytes, push_string};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// What reads back after `records` were written to `format`, an option list, at `path`.
fn round(format: &str, path: &Path, records: &[u8]) -> Result<Vec<u8>> {
    let resource = Resource::parse(format!("{format}:{}", path.display()).as_ref(), None)?;
    let options = WriteOptions {
        replace: true,
        stdout: Once::none(),
        ledger: Ledger::none(),
        directory: std::env::temp_dir(),
        warn: std::sync::Arc::new(|_| ()),
        terminal: None,
        client: Default::default(),
        objects: None,
    };
    let mut sink = write::create(&resource, &options)?;
    // In two pieces, as it comes in life.
    let middle =
        records[..records.len() / 2].iter().rposition(|&b| b == b'\n').map_or(0, |n| n + 1);
    sink.write(&records[..middle])?;
    sink.write(&records[middle..])?;
    sink.finish()?;
    // How members are packed is for writing only.
    let format = format.trim_end_matches(",store");
    let resource = Resource::parse(format!("{format}:{}", path.display()).as_ref(), None)?;
    let mut source = read::open(&[resource], &ReadOptions::new(Policy::Fail)?)?;
    let mut out = Vec::new();
    while source.fill(&mut out)? {}
    Ok(out)
}

/// Text of all that gives trouble somewhere.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a,;:'#\"\\n\\r\\t \u{feff}é😀\\\\\u{0}]{0,6}",
        "(sep=;|sep=|;;|\\\\N|ab?|#)[;b]?",
        "-?[0-9]{1,3}(\\.[0-9])?",
        Just("NA".to_string()),
        ".{0,20}",
    ]
}

fn string(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    push_string(&mut out, text);
    out
}

/// Writes and reads `cases` lists of records; each comes back, or (where `refusable`) is refused.
fn holds(format: &str, name: &str, refusable: bool, records: impl Strategy<Value = Vec<Vec<u8>>>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    let mut runner =
        TestRunner::new(Config { cases: 100, failure_persistence: None, ..Config::default() });
    let result = runner.run(&records, |records| {
        let lines: Vec<u8> = records.iter().flat_map(|r| [r.as_slice(), b"\n"].concat()).collect();
        match round(format, &path, &lines) {
            Ok(back) => {
                prop_assert_eq!(String::from_utf8_lossy(&back), String::from_utf8_lossy(&lines));
            }
            Err(e) => prop_assert!(refusable && e.kind() == ErrorKind::BadInput, "{}", e),
        }
        Ok(())
    });
    result.unwrap_or_else(|e| panic!("{format}: {e}"));
}

/// Objects with the same names, of strings; no name is empty.
fn table() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(text(), 1..5).prop_flat_map(|mut names| {
        names.iter_mut().filter(|name| name.is_empty()).for_each(|name| name.push('x'));
        names.sort();
        names.dedup();
        let width = names.len();
        vec(vec(text(), width), 0..6).prop_map(move |rows| {
            let object = |row: &Vec<String>| {
                let members = names.iter().zip(row);
                let members: Vec<_> =
                    members.map(|(n, v)| [string(n), string(v)].join(&b':')).collect();
                [b"{".as_slice(), &members.join(&b','), b"}"].concat()
            };
            rows.iter().map(object).collect()
        })
    })
}

fn array(values: &[Vec<u8>]) -> Vec<u8> {
    [b"[".as_slice(), &values.join(&b','), b"]"].concat()
}

fn pairs(
    keys: impl Strategy<Value = String>,
    values: impl Strategy<Value = Vec<u8>>,
) -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec((keys, values), 0..6).prop_map(|pairs| {
        let bytes = |data: &[u8]| {
            let mut out = Vec::new();
            push_bytes(&mut out, data);
            out
        };
        pairs.iter().map(|(key, value)| array(&[string(key), bytes(value)])).collect()
    })
}

#[test]
fn csv_comes_back() {
    holds("csv", "a.csv", false, table());
    holds("csv,delim=;", "a.csv.gz", false, table());
    holds("csv,encoding=utf-16", "a.csv", false, table());
    holds("csv,encoding=windows-1252", "a.csv", true, table());
    holds("csv,typed,null=NA", "a.csv", true, table());
    let row =
        vec(text(), 3).prop_map(|row| array(&row.iter().map(|t| string(t)).collect::<Vec<_>>()));
    holds("csv,header=no", "a.csv", false, vec(row, 0..6));
    let one = text().prop_map(|text| array(&[string(&text)]));
    holds("csv,header=no", "one.csv.zip", false, vec(one, 0..6));
    let typed = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>()
            .prop_filter("finite", |x| x.is_finite())
            .prop_map(|x| serde_json::to_string(&x).unwrap()),
        Just("null".to_string()),
    ];
    let row = vec(typed, 2)
        .prop_map(|row| array(&row.iter().map(|t| t.clone().into_bytes()).collect::<Vec<_>>()));
    holds("csv,header=no,typed,null=NA", "a.csv", false, vec(row, 0..6));
}

#[test]
fn csv_comes_back_in_every_dialect() {
    for (dialect, refusable) in [
        (",quote='", false),
        (",escape=\\", false),
        (",trim", false),
        (",comment=#", false),
        (",comment=a;,trim", false),
        (",delim=;;", false),
        (",delim=ab", false),
        (",delim=%2C%3A,escape=\\,trim", false),
        (",delim=tab,quote=\"", false),
        (",delim=tab,escape=\\", false),
        (",delim=tab", true),
        (",quote=no", true),
        (",quote=no,escape=\\,trim,comment=;", true),
        (",quote=no,escape=a,delim=;;", true),
        (",null=NA,null=,trim", true),
        (",null=\\N,null=NA,escape=\\,typed", true),
        (",delim=tab,null=\\N,quote=no,escape=\\", true),
    ] {
        let format = format!("csv{dialect}");
        holds(&format, "a.csv", refusable, table());
        let row = vec(text(), 1..4)
            .prop_map(|row| array(&row.iter().map(|t| string(t)).collect::<Vec<_>>()));
        holds(&format!("{format},header=no"), "a.csv", true, vec(row, 1..2));
    }
    // Without a second column, nothing is refused that is not empty.
    let lines = "[a,;\"\n\r\t\\\\ #]{1,6}".prop_map(|text| array(&[string(&text)]));
    let format = "csv,delim=tab,quote=no,escape=\\,trim,comment=#,header=no";
    holds(format, "a.csv", false, vec(lines, 0..6));
}

#[test]
fn text_comes_back_or_is_refused() {
    let lines = || vec(text().prop_map(|text| string(&text)), 0..6);
    holds("text", "a.txt", true, lines());
    holds("text", "a.txt.zst", true, lines());
    let plain = "[a-zé\"\\\\ ]{0,9}".prop_map(|text| string(&text));
    holds("text", "a.txt", false, vec(plain, 0..6));
    holds("text,kv", "a.txt", true, pairs(text(), text().prop_map(String::into_bytes)));
    let bytes = vec(prop_oneof![any::<u8>(), Just(0xff), Just(b'a')], 0..9).prop_map(|bytes| {
        let mut out = Vec::new();
        push_bytes(&mut out, &bytes);
        out
    });
    holds("text,invalid=base64", "a.txt.gz", true, vec(bytes, 0..6));
    holds("text,encoding=utf-32le", "a.txt", true, lines());
}

#[test]
fn ndjson_comes_back_byte_for_byte() {
    let value = prop_oneof![
        text().prop_map(|t| string(&t)),
        Just(b"{ \"a\" : [1.0, 1e400, -0]\t}".to_vec()),
        Just(b"\"\\u00e9\\ud800\"".to_vec()),
    ];
    holds("ndjson", "a.ndjson.xz", false, vec(value.clone(), 0..6));
    holds("ndjson,encoding=utf-16be", "a.ndjson", false, vec(value.clone(), 0..6));
    holds("json", "a.json.zst", false, vec(value.clone(), 0..6));
    holds("json,items", "a.json", false, vec(value, 0..6));
}

#[test]
fn members_and_trees_come_back() {
    let data = || vec(any::<u8>(), 0..300);
    let name = "[a-zé/. ]{1,12}";
    holds("zip", "a.zip", false, pairs(name, data()));
    holds("zip,store", "a.zip.bz2", true, pairs(text(), data()));
    let tree = btree_map("[a-zé.]{1,3}x(/[a-z]x){0,2}", data(), 0..6);
    let tree = tree.prop_map(|tree| {
        let bytes = |data: &[u8]| {
            let mut out = Vec::new();
            push_bytes(&mut out, data);
            out
        };
        tree.iter().map(|(path, data)| array(&[string(path), bytes(data)])).collect()
    });
    holds("files", "tree", true, tree);
}

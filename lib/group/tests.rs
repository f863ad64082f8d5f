//! Sorting and grouping as their callers see them, against oracles that hold all in memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::cursor::StreamCursor;
use super::grouping::Grouping;
use super::order::{self, Judge, Limits, Order};
use super::reduce::{by_hashing, by_sorting, in_order};
use crate::aggregate::Op;
use crate::error::{Error, ErrorKind, Result};
use crate::extsort::merge::Cursor;
use crate::record::bad::{Bad, Policy};
use crate::record::block::{Block, Blocks};
use crate::record::key::{Keys, Missing};
use crate::record::stream::{Facts, Input, Output, Summary};

mod join;
mod parts;
mod ways;

const MAX_RECORD: usize = 1 << 20;

/// A stream that comes in pieces of so many bytes.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    piece: usize,
}

impl Pieces {
    fn new(lines: &[String], piece: usize) -> Pieces {
        let bytes = lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect();
        Pieces { bytes, at: 0, piece }
    }
}

impl Input for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let rest = &self.bytes[self.at..];
        let count = rest.len().min(self.piece).min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }

    fn name(&self) -> &str {
        "a stream"
    }
}

#[derive(Default)]
struct Written(Vec<u8>);

impl Written {
    fn lines(self) -> Vec<String> {
        String::from_utf8(self.0).unwrap().lines().map(String::from).collect()
    }
}

impl Output for Written {
    fn declare(&mut self, _: &Facts) -> Result<()> {
        Ok(())
    }

    fn write(&mut self, records: &[u8]) -> Result<()> {
        assert!(records.is_empty() || records.ends_with(b"\n"), "half a line");
        self.0.extend_from_slice(records);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

fn limits(memory: usize, jobs: usize) -> Limits {
    Limits { memory, jobs, directory: std::env::temp_dir(), max_record: MAX_RECORD }
}

fn strict() -> Arc<Bad> {
    Arc::new(Bad::new(Policy::Fail).unwrap())
}

fn order(keys: &str) -> Order {
    Order {
        keys: Keys::parse(keys).unwrap(),
        order_by: Vec::new(),
        reverse: false,
        missing: Missing::Fail,
        unique: false,
    }
}

fn grouping(keys: Option<Keys>, ops: &[&str]) -> Result<Grouping> {
    let ops = ops.iter().map(|op| Op::parse(op)).collect::<Result<_>>()?;
    Grouping::new(keys, ops, Missing::Fail, MAX_RECORD)
}

fn by(keys: &str, ops: &[&str]) -> Grouping {
    grouping(Some(Keys::parse(keys).unwrap()), ops).unwrap()
}

/// A record: a key, one of its spellings, and a value.
type Row = (i64, usize, i64);

fn spelled(key: i64, spelling: usize) -> String {
    [format!("{key}"), format!("{key}.0"), format!("{key}e0")][spelling].clone()
}

/// The records, numbered from 0 in `n`.
fn records(rows: &[Row]) -> Vec<String> {
    let record = |(n, &(key, spelling, value)): (usize, &Row)| {
        format!("{{\"k\":{}, \"v\":{value},\"n\":{n}}}", spelled(key, spelling))
    };
    rows.iter().enumerate().map(record).collect()
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec((-4i64..5, 0usize..3, -50i64..50), 0..300)
}

/// Bytes of memory: from next to nothing, where all is spilled, to more than enough.
fn memory() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![1, 10_000, 1 << 20, 64 << 20])
}

const OPS: [&str; 5] = ["c=count", "s=sum:v", "f=first:v", "d=ndistinct:v", "l=collect:n"];

/// What [`OPS`] are of each key.
fn reduced(rows: &[Row]) -> Vec<String> {
    let mut groups: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (n, (key, _, _)) in rows.iter().enumerate() {
        groups.entry(*key).or_default().push(n);
    }
    let result = |(key, all): (i64, Vec<usize>)| {
        let first = &rows[all[0]];
        let sum: i64 = all.iter().map(|n| rows[*n].2).sum();
        format!(
            "{{\"k\":{},\"c\":{},\"s\":{sum},\"f\":{},\"d\":{},\"l\":[{}]}}",
            spelled(key, first.1),
            all.len(),
            first.2,
            all.iter().map(|n| rows[*n].2).collect::<BTreeSet<i64>>().len(),
            all.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
        )
    };
    groups.into_iter().map(result).collect()
}

/// The results of groups by `k`, in whatever order they come.
fn hashed(lines: &[String], limits: &Limits, piece: usize) -> Result<(Vec<String>, Summary)> {
    let mut written = Written::default();
    let input = Pieces::new(lines, piece);
    let summary = by_hashing(by("k", &OPS), limits, &strict(), input, &mut written)?;
    Ok((written.lines(), summary))
}

/// The results of groups by `k`, which come in the order of the key.
fn ordered(lines: &[String], limits: &Limits, piece: usize) -> Result<(Vec<String>, Summary)> {
    let mut written = Written::default();
    let blocks = Blocks::new(Pieces::new(lines, piece), MAX_RECORD);
    let summary = in_order(by("k", &OPS), limits, &strict(), None, blocks, &mut written)?;
    Ok((written.lines(), summary))
}

/// The first of `keys` that is not to stand there.
fn first_out_of_order(keys: &[i64], strict: bool) -> Option<usize> {
    (1..keys.len()).find(|&n| keys[n] < keys[n - 1] || strict && keys[n] == keys[n - 1])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_sort_is_stable_whatever_the_memory_and_the_threads(
        rows in rows(),
        memory in memory(),
        jobs in 1usize..4,
        reverse: bool,
        unique: bool,
        piece in 1usize..5000,
    ) {
        let lines = records(&rows);
        let order = Order { reverse, unique, ..order("k") };
        let mut written = Written::default();
        let input = Pieces::new(&lines, piece);
        let limits = limits(memory, jobs);
        let summary = order::sort(&order, &limits, &strict(), input, &mut written).unwrap();
        let mut due: Vec<usize> = (0..rows.len()).collect();
        match reverse {
            true => due.sort_by_key(|n| Reverse(rows[*n].0)),
            false => due.sort_by_key(|n| rows[*n].0),
        }
        if unique {
            due.dedup_by_key(|n| rows[*n].0);
        }
        prop_assert_eq!(summary.records_in as usize, rows.len());
        prop_assert_eq!(summary.records_out as usize, due.len());
        let due: Vec<String> = due.into_iter().map(|n| lines[n].clone()).collect();
        prop_assert_eq!(written.lines(), due);
    }

    #[test]
    fn groups_are_the_same_by_hashing_and_in_order(
        rows in rows(),
        memory in memory(),
        jobs in 1usize..4,
        piece in 1usize..5000,
    ) {
        let (limits, mut rows) = (limits(memory, jobs), rows);
        let (results, summary) = hashed(&records(&rows), &limits, piece).unwrap();
        prop_assert_eq!(&results, &reduced(&rows));
        prop_assert_eq!(summary.records_in as usize, rows.len());
        prop_assert_eq!(summary.records_out as usize, results.len());
        rows.sort_by_key(|row| row.0);
        let (results, summary) = ordered(&records(&rows), &limits, piece).unwrap();
        prop_assert_eq!(&results, &reduced(&rows));
        prop_assert_eq!(summary.records_out as usize, results.len());
    }

    #[test]
    fn a_record_out_of_order_is_named(
        rows in rows(),
        memory in memory(),
        jobs in 1usize..4,
        piece in 1usize..5000,
    ) {
        let keys: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let result = ordered(&records(&rows), &limits(memory, jobs), piece);
        match first_out_of_order(&keys, false) {
            None => prop_assert_eq!(result.unwrap().0, reduced(&rows)),
            Some(first) => {
                let error = result.unwrap_err();
                prop_assert_eq!(error.kind(), ErrorKind::BadInput);
                let said = error.to_string();
                let text = ": the input is not in the order of the key; group it first: mc-shuffle -k k";
                let line = said.strip_suffix(text).and_then(|said| said.strip_prefix("a stream: line "));
                // The first one, or where that begins a block, it may be the next in there.
                let n = line.and_then(|line| line.parse::<usize>().ok()).expect(&said) - 1;
                prop_assert!(n >= first && keys[n] < keys[n - 1], "{}: {}", first, said);
            }
        }
    }

    #[test]
    fn the_records_of_a_group_come_in_the_order_that_is_asked_for(
        rows in rows(),
        memory in memory(),
        jobs in 1usize..4,
    ) {
        let order = Order { order_by: Keys::parse("v:r").unwrap().parts, ..order("k") };
        let (grouping, mut written) = (by("k", &["l=collect:n"]), Written::default());
        let (input, limits) = (Pieces::new(&records(&rows), 4096), limits(memory, jobs));
        by_sorting(grouping, &order, &limits, &strict(), input, &mut written).unwrap();
        let mut all: Vec<usize> = (0..rows.len()).collect();
        all.sort_by_key(|n| (rows[*n].0, Reverse(rows[*n].2)));
        let mut due: Vec<String> = Vec::new();
        for group in all.chunk_by(|a, b| rows[*a].0 == rows[*b].0) {
            let numbers: Vec<String> = group.iter().map(usize::to_string).collect();
            let (key, spelling, _) = rows[group[0]];
            due.push(format!("{{\"k\":{},\"l\":[{}]}}", spelled(key, spelling), numbers.join(",")));
        }
        prop_assert_eq!(written.lines(), due);
    }

    #[test]
    fn a_stream_in_order_is_passed_on_up_to_the_first_that_is_not(
        rows in rows(),
        sorted: bool,
        strict_order: bool,
        piece in 1usize..5000,
    ) {
        let mut rows = rows;
        if sorted {
            rows.sort_by_key(|row| row.0);
        }
        let (lines, keys): (_, Vec<i64>) = (records(&rows), rows.iter().map(|row| row.0).collect());
        let judge = Arc::new(Judge::new("a stream", strict()));
        let blocks = Blocks::new(Pieces::new(&lines, piece), MAX_RECORD);
        let keyer = order("k").keyer();
        let mut cursor = StreamCursor::new(blocks, keyer, strict_order, judge, strict());
        let (mut seen, mut last) = (Vec::new(), Vec::new());
        let error = loop {
            match cursor.advance() {
                Ok(true) => {
                    prop_assert!(last.as_slice() <= cursor.key());
                    last = cursor.key().to_vec();
                    seen.push(String::from_utf8(cursor.text().to_vec()).unwrap());
                }
                Ok(false) => break None,
                Err(error) => break Some(error),
            }
        };
        let stop = first_out_of_order(&keys, strict_order);
        prop_assert_eq!(&seen[..], &lines[..stop.unwrap_or(lines.len())]);
        let text = stop.map(|n| {
            let what = if keys[n] == keys[n - 1] { "has the key of" } else { "belongs before" };
            let line = n + 1;
            format!("a stream: line {line}: not in order: the record {what} the one before it")
        });
        prop_assert_eq!(error.map(|error| error.to_string()), text);
    }
}

/// The results of `ops` of the records, by `keys`, or by what is the key where none is said.
fn results(keys: Option<Keys>, ops: &[&str], records: &[&str]) -> Result<Vec<String>> {
    let lines: Vec<String> = records.iter().map(ToString::to_string).collect();
    let mut written = Written::default();
    let (grouping, input) = (grouping(keys, ops)?, Pieces::new(&lines, 100));
    by_hashing(grouping, &limits(1 << 20, 2), &strict(), input, &mut written)?;
    Ok(written.lines())
}

#[test]
fn results_have_the_form_of_their_key() {
    let keys = |text: &str| Some(Keys::parse(text).unwrap());
    let is = |keys, ops: &[&str], records: &[&str], due: &[&str]| {
        assert_eq!(results(keys, ops, records).unwrap(), due);
    };
    let objects =
        [r#"{"a":{"b":"x"},"c":1}"#, r#"{"a":{"b":"x"},"c":1.0}"#, r#"{"a":{"b":"w"},"c":null}"#];
    let due = [r#"{"b":"w","c":null,"count":1}"#, r#"{"b":"x","c":1,"count":2}"#];
    is(keys(".a.b,c"), &["count"], &objects, &due);
    let pairs = ["[\"b\",2]", "[\"a\",1]", "[\"b\",40]"];
    is(Some(Keys::implied()), &["sum"], &pairs, &["[\"a\",1]", "[\"b\",42]"]);
    let due = ["[\"a\",{\"count\":1,\"max\":1}]", "[\"b\",{\"count\":2,\"max\":40}]"];
    is(Some(Keys::implied()), &["count", "max"], &pairs, &due);
    is(Some(Keys::implied()), &["count"], &["3", "1", "3.0"], &["[1,1]", "[3,2]"]);
    is(Some(Keys::implied()), &["sum"], &[" 3", "1 ", "3"], &["[1,1]", "[3,6]"]);
    is(keys(".[0],.[2]"), &["count"], &["[1,2,3]", "[1,0,3]"], &["[[1,3],2]"]);
    is(None, &["count", "s=sum:c"], &objects[..2], &["{\"count\":2,\"s\":2}"]);
    is(None, &["count"], &[], &["{\"count\":0}"]);
    is(keys("k"), &["count"], &[], &[]);
}

#[test]
fn names_that_clash_are_refused() {
    let refused = |keys: &str, ops: &[&str], text: &str| {
        let error = grouping(Some(Keys::parse(keys).unwrap()), ops).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains(text), "{error}");
    };
    refused("k", &["k=count"], "the key and an op are both named 'k'");
    refused(".a.x,.b.x", &["count"], "two parts of -k are both named 'x'");
    refused("k", &["count", "count"], "'count'");
}

#[test]
fn what_cannot_be_told_is_said_with_its_group() {
    let large = [r#"{"k":1,"v":1e308}"#, r#"{"k":1,"v":1e308}"#, r#"{"k":2,"v":1}"#];
    let failed = |keys| results(keys, &["sum:v"], &large).unwrap_err();
    let error = failed(Some(Keys::parse("k").unwrap()));
    assert_eq!(error.kind(), ErrorKind::BadInput);
    assert!(error.to_string().contains("group \"k\":1: "), "{error}");
    assert!(!failed(None).to_string().contains("group"));
    let operand = [r#"{"k":1,"v":1}"#, r#"{"k":1,"v":"x"}"#];
    let error = results(Some(Keys::parse("k").unwrap()), &["sum:v"], &operand).unwrap_err();
    assert!(error.to_string().starts_with("a stream: line 2: "), "{error}");
}

#[test]
fn records_without_the_key_are_an_error_null_or_dropped_and_counted() {
    let lines = ["{\"k\":1}", "{}", "{\"k\":0}"].map(String::from);
    let sorted = |missing| {
        let (order, mut written) = (Order { missing, ..order("k") }, Written::default());
        let input = Pieces::new(&lines, 100);
        let summary = order::sort(&order, &limits(1 << 20, 2), &strict(), input, &mut written)?;
        Ok::<_, Error>((written.lines(), summary.missing))
    };
    let error = sorted(Missing::Fail).unwrap_err();
    assert!(error.to_string().starts_with("a stream: line 2: "), "{error}");
    assert_eq!(sorted(Missing::Null).unwrap().0, ["{}", "{\"k\":0}", "{\"k\":1}"]);
    let dropped = (vec!["{\"k\":0}".to_string(), "{\"k\":1}".into()], 1);
    assert_eq!(sorted(Missing::Skip).unwrap(), dropped);
}

#[test]
fn records_that_are_lost_on_the_way_are_noticed() {
    let judge = Judge::new("a stream", strict());
    judge.count(3, 2, 30);
    judge.verify(2).unwrap();
    assert_eq!(judge.verify(1).unwrap_err().kind(), ErrorKind::Incomplete);
    let summary = judge.summary();
    assert_eq!((summary.records_in, summary.bytes_in), (3, 30));
}

#[test]
fn a_block_that_was_read_already_comes_first() {
    let start = Block { bytes: b"{\"k\":1}\n{\"k\":2}\n".to_vec(), first_line: 1, line_count: 2 };
    let rest = Pieces::new(&["{\"k\":2}".to_string()], 100);
    let (blocks, mut written) = (Blocks::new(rest, MAX_RECORD), Written::default());
    let (grouping, limits) = (by("k", &["count"]), limits(1 << 20, 2));
    let summary = in_order(grouping, &limits, &strict(), Some(start), blocks, &mut written);
    assert_eq!(summary.unwrap().records_in, 3);
    assert_eq!(written.lines(), ["{\"k\":1,\"count\":1}", "{\"k\":2,\"count\":2}"]);
}

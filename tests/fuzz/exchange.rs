//! What peers send one another: sorted items, and partial results.

use super::{Outcome, Target};
use crate::aggregate::{Op, RecordPosition, ReductionPlan, Scratch, StateDecoder};
use crate::extsort::merge::Cursor;
use crate::extsort::spill::{Items, push_parts};
use crate::record::fields::Fields;
use crate::record::key::Missing;
use crate::record::scan::check;

#[test]
fn items() {
    let items = |items: &[(&str, &str)]| {
        let mut bytes = Vec::new();
        items
            .iter()
            .for_each(|(key, text)| push_parts(&mut bytes, key.as_bytes(), text.as_bytes()));
        bytes
    };
    let seeds = vec![items(&[("a", "{\"k\":\"a\"}"), ("b", ""), ("", "x")]), items(&[])];
    let words: &[&[u8]] = &[b"\0\0\0\0\0\0\0\0", b"\xff\xff\xff\xff", b"\x01\0\0\0\x01\0\0\0kt"];
    Target { seeds, ..Target::new("items", &[], words) }.run(|input| {
        let (mut found, mut again) = (Items::new(input), Vec::new());
        loop {
            match found.advance() {
                Ok(true) => push_parts(&mut again, found.key(), found.text()),
                Ok(false) => break,
                Err(_) => return Outcome::Refused,
            }
        }
        assert_eq!(again, input);
        Outcome::Taken
    });
}

/// Ops of all states.
const OPS: &[&str] = &[
    "count",
    "sum:v",
    "mean:v",
    "stddev:v",
    "min:v",
    "max:v",
    "first:v",
    "last:v",
    "top=2:v",
    "sample=2:v",
    "ndistinct:v",
    "collect:v",
    "p50:v",
    "mode:v",
];

#[test]
fn partial_results() {
    let ops: Vec<Op> = OPS.iter().filter_map(|op| Op::parse(op).ok()).collect();
    assert!(ops.len() + 2 >= OPS.len(), "{}", ops.len());
    let plans: Vec<ReductionPlan> = ops
        .iter()
        .map(|op| ReductionPlan::new(vec![op.clone()], None, Missing::Null, 1 << 16).unwrap())
        .collect();
    // Which op it is stands in front.
    let mut seeds = Vec::new();
    for (number, plan) in plans.iter().enumerate() {
        let mut fields = Fields::new(plan.paths());
        let (mut states, mut scratch) = (Vec::new(), Scratch::default());
        plan.start(&mut states);
        for (index, value) in
            ["1.5", "-123456789012345678901234567890", "1e-300", "7"].iter().enumerate()
        {
            let record = format!("{{\"v\":{value}}}").into_bytes();
            let places = fields.locate(&record).unwrap();
            let at = RecordPosition { shard: 0, index: index as u64 };
            plan.add(&mut scratch, &mut states, &record, places, at).unwrap();
        }
        let mut bytes = vec![number as u8];
        plan.encode(&states, &mut bytes);
        seeds.push(bytes);
    }
    let words: &[&[u8]] = &[
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x80\x80\x80\x80\x10",
        b"\0",
        b"\x011",
        b"\x03\"a\"",
    ];
    let target = Target { seeds: seeds.clone(), ..Target::new("partial-results", &[], words) };
    let target = Target { memory: (256 << 10, 300), ..target };
    target.run(|input| {
        let Some((number, bytes)) = input.split_first() else { return Outcome::Refused };
        let number = usize::from(*number) % plans.len();
        let (plan, mut states) = (&plans[number], Vec::new());
        if plan.decode(&mut StateDecoder::new(bytes), &mut states).is_err() {
            return Outcome::Refused;
        }
        let mut again = Vec::new();
        plan.encode(&states, &mut again);
        let mut reread = Vec::new();
        plan.decode(&mut StateDecoder::new(&again), &mut reread).unwrap();
        let mut ours = Vec::new();
        plan.decode(&mut StateDecoder::new(&seeds[number][1..]), &mut ours).unwrap();
        let _ = plan.merge(&mut ours, reread);
        for mut states in [states, ours] {
            let mut out = Vec::new();
            let _ = plan.push_members(&mut states, &mut out);
            let _ = check(&out);
        }
        Outcome::Taken
    });
}

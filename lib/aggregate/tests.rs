//! Plans as their callers see them.

use proptest::prelude::*;

use super::*;
use crate::record::DEFAULT_MAX_RECORD;
use crate::record::fields::Fields;
use crate::record::key::Missing;
use crate::record::number::push_key;
use crate::record::scan::Step;

fn plan(ops: &[&str], value: Option<&[Step]>, missing: Missing) -> Result<ReductionPlan> {
    let ops = ops.iter().map(|op| Op::parse(op)).collect::<Result<_>>()?;
    ReductionPlan::new(ops, value, missing, DEFAULT_MAX_RECORD)
}

/// The results of the records as the inside of an object, and how many lacked an operand.
fn reduce(plan: &ReductionPlan, records: &[&str]) -> Result<(String, usize)> {
    let mut fields = Fields::new(plan.paths());
    let (mut states, mut scratch, mut missing) = (Vec::new(), Scratch::default(), 0);
    plan.start(&mut states);
    for (index, record) in records.iter().enumerate() {
        let places = fields.locate(record.as_bytes()).unwrap();
        let at = RecordPosition { shard: 0, index: index as u64 };
        let added = plan.add(&mut scratch, &mut states, record.as_bytes(), places, at)?;
        missing += usize::from(added.missing);
    }
    let mut out = Vec::new();
    plan.push_members(&mut states, &mut out)?;
    Ok((String::from_utf8(out).unwrap(), missing))
}

fn results(ops: &[&str], missing: Missing, records: &[&str]) -> (String, usize) {
    reduce(&plan(ops, None, missing).unwrap(), records).unwrap()
}

fn failure(ops: &[&str], records: &[&str]) -> String {
    let error = reduce(&plan(ops, None, Missing::Fail).unwrap(), records).unwrap_err();
    assert_eq!(error.exit_code(), 3);
    error.to_string()
}

const ALL: [&str; 16] = [
    "count:v",
    "sum:v",
    "mean:v",
    "var:v",
    "p50:v",
    "min:v",
    "maxby:v",
    "top=2:v",
    "lastby:v",
    "bottomby=2:v",
    "sample=2:v",
    "first:v",
    "last:v",
    "ndistinct:v",
    "collect:v",
    "count",
];

#[test]
fn groups_without_operands() {
    let none = r#""v_count":0,"v_sum":null,"v_mean":null,"v_var":null,"v_p50":null,"v_min":null,"v_maxby":null,"v_top2":[],"v_lastby":null,"v_bottomby2":[],"#;
    let skipped = results(&ALL, Missing::Skip, &["{}", "{\"w\":1}"]);
    let any =
        r#""v_sample2":[],"v_first":null,"v_last":null,"v_ndistinct":0,"v_collect":[],"count":2"#;
    assert_eq!(skipped, (format!("{none}{any}"), 2));
    let nulls = results(&ALL, Missing::Null, &["{}", "{\"v\":null}"]);
    let any = r#""v_sample2":[null,null],"v_first":null,"v_last":null,"v_ndistinct":1,"v_collect":[null,null],"count":2"#;
    assert_eq!(nulls, (format!("{none}{any}"), 0));
}

#[test]
fn nulls_and_blanks_are_missing_numbers_but_values() {
    let records = ["{\"v\":null}", "{\"v\":\" \"}", "{\"v\":\"7\"}"];
    let (found, missing) = results(&["sum:v", "max:v"], Missing::Skip, &records);
    assert_eq!((found.as_str(), missing), (r#""v_sum":7,"v_max":7"#, 2));
    let (found, missing) = results(&["collect:v", "ndistinct:v"], Missing::Fail, &records);
    assert_eq!((found.as_str(), missing), (r#""v_collect":[null," ","7"],"v_ndistinct":3"#, 0));
}

#[test]
fn what_is_no_operand_is_named() {
    let lacks = failure(&["sum:a.b"], &["{}"]);
    assert!(lacks.contains("sum:a.b: the record has no 'a.b'"), "{lacks}");
    assert!(failure(&["min:v"], &["{\"v\":null}"]).contains("--missing=skip"));
    assert_eq!(failure(&["sum:v"], &["{\"v\":\"5x\"}"]), "sum:v: \"5x\" is not a number");
    assert_eq!(failure(&["p50:v"], &["{\"v\":[1]}"]), "p50:v: [1] is not a number");
    assert_eq!(
        failure(&["sum:v"], &["{\"v\":1e400}"]),
        "sum:v: 1e400 is beyond the range of doubles"
    );
    assert_eq!(
        failure(&["var:v"], &["{\"v\":1e308}", "{\"v\":-1e308}"]),
        "var:v: the result is beyond the range of doubles"
    );
}

#[test]
fn a_refused_record_leaves_no_trace() {
    let plan = plan(&["count", "sum:v", "collect:v", "max:w"], None, Missing::Fail).unwrap();
    let mut fields = Fields::new(plan.paths());
    let (mut states, mut scratch) = (Vec::new(), Scratch::default());
    plan.start(&mut states);
    let mut add = |record: &[u8], index| {
        let places = fields.locate(record).unwrap();
        plan.add(&mut scratch, &mut states, record, places, RecordPosition { shard: 0, index })
    };
    add(b"{\"v\":1,\"w\":2}", 0).unwrap();
    assert!(add(b"{\"v\":5}", 1).is_err());
    let mut out = Vec::new();
    plan.push_members(&mut states, &mut out).unwrap();
    assert_eq!(out, br#""count":1,"v_sum":1,"v_collect":[1],"w_max":2"#);
}

#[test]
fn ops_of_one_field_share_their_states() {
    let plan = plan(
        &["sum:v", "p50:v", "mean:v", "stddev:v", "p95:v", "var:v", "sum:w"],
        None,
        Missing::Fail,
    )
    .unwrap();
    assert_eq!((plan.width(), plan.len(), plan.paths().len()), (3, 7, 2));
    let (found, _) = reduce(&plan, &["{\"v\":1,\"w\":3}", "{\"v\":2,\"w\":4}"]).unwrap();
    let expected = r#""v_sum":3,"v_p50":1.5,"v_mean":1.5,"v_stddev":0.7071067811865476,"v_p95":1.95,"v_var":0.5,"w_sum":7"#;
    assert_eq!(found, expected);
}

#[test]
fn ops_without_field_take_the_value_of_pairs_or_whole_records() {
    let second = [Step::Index(1)];
    let pairs = plan(&["sum", "count", "collect"], Some(&second), Missing::Fail).unwrap();
    let found = reduce(&pairs, &["[\"a\",1]", "[\"a\",2.5]"]).unwrap().0;
    assert_eq!(found, r#""sum":3.5,"count":2,"collect":[1,2.5]"#);
    let whole = plan(&["first", "collect"], None, Missing::Fail).unwrap();
    let found = reduce(&whole, &[" {\"a\": 1} "]).unwrap().0;
    assert_eq!(found, r#""first":{"a": 1},"collect":[{"a": 1}]"#);
    let error = plan(&["sum"], None, Missing::Fail).unwrap_err();
    assert_eq!(error.to_string(), "sum of which field? (sum:FIELD)");
    assert_eq!(plan(&["x=sum:a", "x=sum:b"], None, Missing::Fail).unwrap_err().exit_code(), 2);
}

#[test]
fn growth_is_told_as_it_is() {
    let plan =
        plan(&["p50:v", "ndistinct:v", "collect:v", "top=5:v", "last:v"], None, Missing::Fail);
    let plan = plan.unwrap();
    let mut fields = Fields::new(plan.paths());
    let (mut states, mut scratch, mut grown) = (Vec::new(), Scratch::default(), 0);
    plan.start(&mut states);
    let before = plan.memory(&states);
    for index in 0..10_000 {
        let record = format!("{{\"v\":{index}.25}}");
        let places = fields.locate(record.as_bytes()).unwrap();
        let at = RecordPosition { shard: 0, index };
        grown += plan.add(&mut scratch, &mut states, record.as_bytes(), places, at).unwrap().grown;
    }
    let held = plan.memory(&states) - before;
    assert!((held * 3 / 4..held * 3 / 2).contains(&grown), "told {grown}, held {held}");
    let mut taken = 0;
    plan.drain(&mut states, &mut |_, value| {
        taken += value.len();
        Ok(())
    })
    .unwrap();
    assert_eq!(taken, 10_000 * 16);
    assert!(plan.memory(&states) < before + held / 2);
}

#[test]
fn damaged_bytes_are_refused() {
    let plan = plan(&ALL, None, Missing::Null).unwrap();
    let mut fields = Fields::new(plan.paths());
    let (mut states, mut scratch) = (Vec::new(), Scratch::default());
    plan.start(&mut states);
    for record in ["{\"v\":1.5}", "{\"v\":123456789012345678901234567890}", "{\"v\":1e-300}"] {
        let places = fields.locate(record.as_bytes()).unwrap();
        plan.add(&mut scratch, &mut states, record.as_bytes(), places, RecordPosition::default())
            .unwrap();
    }
    let mut bytes = Vec::new();
    plan.encode(&states, &mut bytes);
    for end in 0..bytes.len() {
        let mut cut = StateDecoder::new(&bytes[..end]);
        assert_eq!(plan.decode(&mut cut, &mut Vec::new()).unwrap_err().exit_code(), 4);
    }
    // Whatever other bytes decode to, nothing panics.
    for at in 0..bytes.len() {
        for flip in [1, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            let mut decoded = Vec::new();
            if plan.decode(&mut StateDecoder::new(&damaged), &mut decoded).is_ok() {
                let _ = plan.push_members(&mut decoded, &mut Vec::new());
                let _ = plan.merge(&mut states.clone(), decoded);
            }
        }
    }
}

/// The first of some numbers, in the order of their key bytes (the last, if `greatest`): of equal ones the first.
fn extreme(numbers: &[String], greatest: bool) -> &str {
    let key = |number: &String| {
        let mut key = Vec::new();
        push_key(&mut key, number.as_bytes());
        key
    };
    let mut best = &numbers[0];
    for number in numbers {
        let better = if greatest { key(number) > key(best) } else { key(number) < key(best) };
        best = if better { number } else { best };
    }
    best
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// What a double cannot tell apart, a key does.
    #[test]
    fn the_least_and_the_greatest_are_those_by_key(
        numbers in prop::collection::vec(
            prop_oneof![
                "-?(0|[1-9][0-9]{0,2})(\\.[0-9]{1,2})?",
                "-?90071992547409[89][0-9]",
                "-?9007199254740992\\.[0-9]",
                "-?0\\.1000000000000000[0-9]{1,3}",
                "-?[1-9]e-?[34][0-9][0-9]",
                "-?[1-9][0-9]{17,40}",
            ],
            1..12,
        ),
    ) {
        let plan = plan(&["min:v", "max:v"], None, Missing::Fail).unwrap();
        let records: Vec<_> = numbers.iter().map(|number| format!("{{\"v\":{number}}}")).collect();
        let records: Vec<_> = records.iter().map(String::as_str).collect();
        let (least, greatest) = (extreme(&numbers, false), extreme(&numbers, true));
        let due = format!("\"v_min\":{least},\"v_max\":{greatest}");
        prop_assert_eq!(reduce(&plan, &records).unwrap().0, due);
    }
}

//! Joins against the model: every left record beside every right one.

use super::*;
use crate::group::join::{Join, JoinKind, JoinVoice, join};
use crate::record::key_pair::KeyPair;

const KINDS: [JoinKind; 5] =
    [JoinKind::Inner, JoinKind::Left, JoinKind::Outer, JoinKind::Semi, JoinKind::Anti];

/// A key of few, in one of its spellings; null, or none at all, under some.
fn key(number: u8, spelling: usize) -> Option<String> {
    match number {
        0 => None,
        1 => Some("null".into()),
        2 => Some("\"3\"".into()),
        number => Some(spelled(i64::from(number), spelling)),
    }
}

fn record(key: Option<&String>, name: &str, number: usize) -> String {
    let key = key.map_or(String::new(), |key| format!("\"k\": {key}, "));
    format!("{{{key}\"{name}\":{number}}}")
}

/// Whether two keys match, as the model has it.
fn is_match(left: &(u8, usize), right: &(u8, usize)) -> bool {
    left.0 == right.0 && left.0 > 1
}

/// What a join of these rows is to be.
fn expected(kind: JoinKind, left: &[(u8, usize)], right: &[(u8, usize)]) -> Vec<String> {
    let mut lines = Vec::new();
    for (n, ours) in left.iter().enumerate() {
        let record = record(key(ours.0, ours.1).as_ref(), "n", n);
        let found: Vec<usize> = (0..right.len()).filter(|m| is_match(ours, &right[*m])).collect();
        match kind {
            JoinKind::Inner | JoinKind::Left | JoinKind::Outer => {
                let joined = |m| format!("{},\"m\":{m}}}", record.trim_end_matches('}'));
                lines.extend(found.iter().map(joined));
                if found.is_empty() && kind != JoinKind::Inner {
                    lines.push(record);
                }
            }
            JoinKind::Semi if !found.is_empty() => lines.push(record),
            JoinKind::Anti if found.is_empty() => lines.push(record),
            JoinKind::Semi | JoinKind::Anti => (),
        }
    }
    if kind == JoinKind::Outer {
        let alone = right.iter().enumerate();
        let alone = alone.filter(|(_, theirs)| !left.iter().any(|ours| is_match(ours, theirs)));
        lines.extend(alone.map(|(m, theirs)| record(key(theirs.0, theirs.1).as_ref(), "m", m)));
    }
    lines
}

/// What the join is, and whether the right side was held.
fn joined(
    kind: JoinKind,
    (left, right): (&[String], &[String]),
    limits: &Limits,
) -> Result<(Vec<String>, Summary, bool)> {
    let keys = KeyPair::parse("k").unwrap();
    let what = Join { keys, kind, prefix: String::new() };
    let sides = (Pieces::new(left, 100), Pieces::new(right, 100));
    let mut written = Written::default();
    let held = std::cell::Cell::new(false);
    let note = |text: &str| held.set(text.contains("hash table"));
    let voice = JoinVoice { warn: &|_| (), note: &note };
    let summary = join(&what, limits, &strict(), sides, &mut written, &voice)?;
    Ok((written.lines(), summary, held.get()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_memory_and_any_threads_give_what_the_model_gives(
        left in prop::collection::vec((0u8..8, 0usize..3), 0..60),
        right in prop::collection::vec((0u8..8, 0usize..3), 0..60),
        jobs in 1usize..4,
    ) {
        let rows = |rows: &[(u8, usize)], name: &str| -> Vec<String> {
            let rows = rows.iter().enumerate();
            rows.map(|(n, row)| record(key(row.0, row.1).as_ref(), name, n)).collect()
        };
        let lines = (rows(&left, "n"), rows(&right, "m"));
        for kind in KINDS {
            let model = expected(kind, &left, &right);
            for memory in [1, 20_000, 100 << 20] {
                let (got, summary, _) =
                    joined(kind, (&lines.0, &lines.1), &limits(memory, jobs)).unwrap();
                prop_assert_eq!(&got, &model, "{:?} in {} bytes", kind, memory);
                prop_assert_eq!(summary.records_out, model.len() as u64);
                prop_assert_eq!(summary.records_in, (left.len() + right.len()) as u64);
            }
        }
    }
}

#[test]
fn a_key_that_many_records_of_both_sides_have_is_spooled() {
    let many = |name: &str, count: usize, text: &str| -> Vec<String> {
        (0..count).map(|n| format!("{{\"k\":7,\"{name}\":{n},\"{name}t\":\"{text}\"}}")).collect()
    };
    let text = "x".repeat(1000);
    let (left, right) = (many("n", 30, &text), many("m", 300, &text));
    let (held, _, is_held) =
        joined(JoinKind::Inner, (&left, &right), &limits(100 << 20, 2)).unwrap();
    assert!(is_held);
    assert_eq!(held.len(), 30 * 300);
    assert!(held[301].starts_with("{\"k\":7,\"n\":1,") && held[301].contains("\"m\":1,"));
    let (sorted, summary, is_held) =
        joined(JoinKind::Inner, (&left, &right), &limits(1, 2)).unwrap();
    assert!(!is_held && sorted == held);
    // The records once, and not with each other.
    assert!(summary.spilled_bytes < 5_000_000, "{}", summary.spilled_bytes);
}

#[test]
fn what_grows_without_bounds_is_made_in_parts() {
    let rows = |name: &str, count: usize| -> Vec<String> {
        (0..count).map(|n| format!("{{\"k\":7,\"{name}\":{n}}}")).collect()
    };
    let (left, right) = (rows("n", 400), rows("m", 100));
    let (lines, summary, is_held) =
        joined(JoinKind::Outer, (&left, &right), &limits(200_000, 3)).unwrap();
    assert!(is_held);
    assert_eq!((lines.len(), summary.records_out), (40_000, 40_000));
    for (number, line) in lines.iter().enumerate() {
        let (n, m) = (number / 100, number % 100);
        assert_eq!(*line, format!("{{\"k\":7,\"n\":{n},\"m\":{m}}}"));
    }
}

#[test]
fn a_field_of_both_sides_is_refused_either_way() {
    let left: Vec<String> = vec![r#"{"k":1,"x":1}"#.into(), r#"{"k":2,"n\u0061me":1}"#.into()];
    let right: Vec<String> = vec![r#"{"k":2,"name":3}"#.into()];
    for memory in [1, 100 << 20] {
        let failed = joined(JoinKind::Left, (&left, &right), &limits(memory, 1));
        let said = failed.err().unwrap().to_string();
        let known = "a stream: line 2: the record has a field 'name', and so has its match on \
                     line 1 of a stream (--prefix P puts P before the names from there)";
        assert_eq!(said, known);
        joined(JoinKind::Semi, (&left, &right), &limits(memory, 1)).unwrap();
    }
}

//! The reducers against Python's fractions, however a group is partitioned, sent and merged.

use mycloud::aggregate::{Op, OpState, RecordPosition, ReductionPlan, Scratch, StateDecoder};
use mycloud::error::ErrorKind;
use mycloud::record::fields::Fields;
use mycloud::record::key::Missing;

use crate::support::{Random, python};

const ARITHMETIC: &[&str] = &[
    "count",
    "sum",
    "mean",
    "avg",
    "var",
    "stddev",
    "p50",
    "median",
    "p95",
    "p99.9",
    "quantile=0.125",
    "min",
    "max",
];
const ORDERED: &[&str] = &[
    "count",
    "min",
    "max",
    "minby",
    "maxby",
    "firstby",
    "lastby",
    "top=1",
    "top=4",
    "bottom=3",
    "topby=2",
    "bottomby=5",
    "first",
    "last",
    "ndistinct",
    "collect",
];

/// Reduces the records as a cluster would: in parts, which are sent, drained and merged anyhow.
/// The results in order, as JSON text; `overflow` for those that are no doubles.
///
/// # Errors
/// That numbers and text are there, which are to be ordered.
fn reduce(ops: &[&str], records: &[String], random: &mut Random) -> mycloud::Result<Vec<String>> {
    let parsed = ops.iter().map(|op| match *op {
        "count" => Op::parse(op).unwrap(),
        _ => Op::parse(&format!("{op}:v")).unwrap(),
    });
    let plan = ReductionPlan::new(parsed.collect(), None, Missing::Null, 1 << 20).unwrap();
    let mut fields = Fields::new(plan.paths());
    let mut scratch = Scratch::default();
    let mut parts: Vec<Vec<OpState>> = Vec::new();
    for _ in 0..=random.below(4) {
        let mut states = Vec::new();
        plan.start(&mut states);
        parts.push(states);
    }
    for (index, record) in records.iter().enumerate() {
        let part = random.below(parts.len() as u64) as usize;
        let places = fields.locate(record.as_bytes()).unwrap().to_vec();
        let at = RecordPosition { shard: index as u64 / 7, index: index as u64 % 7 };
        plan.add(&mut scratch, &mut parts[part], record.as_bytes(), &places, at)?;
    }
    let mut taken = Vec::new();
    let mut take = |index: usize, value: &[u8]| {
        taken.push((index, value.to_vec()));
        Ok(())
    };
    let drain = random.below(2) == 0;
    while parts.len() > 1 || random.below(2) == 0 {
        let one = random.below(parts.len() as u64) as usize;
        let one = parts.swap_remove(one);
        let mut bytes = Vec::new();
        plan.encode(&one, &mut bytes);
        let mut sent = Vec::new();
        plan.decode(&mut StateDecoder::new(&bytes), &mut sent).unwrap();
        if drain && random.below(2) == 0 {
            plan.drain(&mut sent, &mut take).unwrap();
        }
        match parts.last_mut() {
            Some(other) => plan.merge(other, sent)?,
            None => parts.push(sent),
        }
    }
    let mut states = parts.pop().unwrap();
    if drain {
        plan.drain(&mut states, &mut take).unwrap();
        taken.sort();
        for (index, value) in taken {
            plan.sorted(&mut states, index, &value).unwrap();
        }
    }
    let result = |index| {
        let mut out = Vec::new();
        match plan.finish(&mut states, index, &mut out) {
            Ok(()) => String::from_utf8(out).unwrap(),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::BadInput);
                assert!(error.to_string().contains("beyond the range"), "{error}");
                "overflow".into()
            }
        }
    };
    Ok((0..ops.len()).map(result).collect())
}

fn compare(ops: &[&str], groups: &[Vec<String>], random: &mut Random) {
    let mut cases = String::new();
    for records in groups {
        cases += &format!("{{\"ops\":{ops:?},\"records\":[{}]}}\n", records.join(","));
    }
    let answers = String::from_utf8(python(include_str!("oracle.py"), &[], cases)).unwrap();
    assert_eq!(answers.lines().count(), groups.len());
    for (records, answer) in groups.iter().zip(answers.lines()) {
        let expected: Vec<String> = serde_json::from_str(answer).unwrap();
        let found = match reduce(ops, records, random) {
            Ok(found) => found,
            Err(error) => {
                assert!(expected.contains(&"mixed".into()), "{error}: {records:#?}");
                assert_eq!(error.kind(), ErrorKind::BadInput);
                assert!(error.to_string().contains("number"), "{error}");
                continue;
            }
        };
        for ((op, found), expected) in ops.iter().zip(found).zip(expected) {
            assert_eq!(found, expected, "{op} of {records:#?}");
        }
    }
}

/// A number of a kind, as JSON.
fn number(kind: u64, random: &mut Random) -> String {
    let sign = if random.below(2) == 0 { "-" } else { "" };
    match kind {
        0 => format!("{sign}{}", random.below(50)),
        1 => format!("{sign}{}", random.next()),
        2 => format!("{sign}{}{:019}", 1 + random.below(1 << 60), random.below(1 << 60)),
        3 => format!("{sign}{}.{:02}", random.below(1000), random.below(100)),
        4 => format!("{sign}{}.{}e{}", random.below(10), random.next(), random.below(30)),
        5 => format!("{sign}{}e-{}", random.next(), random.below(360)),
        6 => format!("{sign}1.{}e308", random.below(8)),
        7 => format!("{sign}{}", (1u64 << 53) - 3 + random.below(6)),
        8 => format!("{sign}{}.0", (1u64 << 53) - 3 + random.below(6)),
        9 => {
            let double = f64::from_bits(random.next());
            if double.is_finite() { format!("{double:e}") } else { "0.0".into() }
        }
        10 => format!("{sign}1e-{}", 300 + random.below(30)),
        _ => {
            let spellings =
                ["\" +5\"", "\"007\"", "\"5.\"", "\".5E+1\\t\"", "\"-0.50\"", "null", "\"\""];
            spellings[random.below(spellings.len() as u64) as usize].into()
        }
    }
}

#[test]
fn arithmetic_is_that_of_fractions() {
    let mut random = Random::seeded(1);
    let groups: Vec<Vec<String>> = (0..500)
        .map(|_| {
            let kinds = [random.below(12), random.below(12)];
            (0..random.below(24))
                .map(|_| {
                    let kind = kinds[random.below(2) as usize];
                    format!("{{\"v\":{}}}", number(kind, &mut random))
                })
                .collect()
        })
        .collect();
    compare(ARITHMETIC, &groups, &mut random);
}

#[test]
fn ordered_and_any_values_are_those_of_the_input() {
    let values = [
        "null",
        "\"\"",
        "\"  \"",
        "false",
        "true",
        "1",
        "1.0",
        "\"1\"",
        "\" +1.\"",
        "10e-1",
        "-0",
        "0.0",
        "\"-0\"",
        "\"a\"",
        "\"é\"",
        "\"ab\"",
        "[1]",
        "[1,null]",
        "[]",
        "{}",
        "{\"b\":1}",
        "{\"a\":[2]}",
        "1e300",
        "-1e300",
        "0.1",
        "0.10000000000000000555",
        "99999999999999999999",
    ];
    let mut random = Random::seeded(2);
    let groups: Vec<Vec<String>> = (0..500)
        .map(|_| {
            // Of numbers and text, most groups have only either.
            let text = |value: &&str| ["\"a\"", "\"é\"", "\"ab\""].contains(value);
            let number = |value: &&str| value.contains(|c: char| c.is_ascii_digit());
            let kept = random.below(3);
            let values = values.iter().filter(|value| match kept {
                0 => true,
                1 => !text(value),
                _ => !number(value) || value.starts_with(['[', '{']),
            });
            let values: Vec<&str> = values.copied().collect();
            let range = 1 + random.below(values.len() as u64);
            let from = random.below(values.len() as u64);
            (0..1 + random.below(20))
                .map(|id| {
                    let at = (from + random.below(range)) % values.len() as u64;
                    format!("{{\"v\":{},\"id\":{id}}}", values[at as usize])
                })
                .collect()
        })
        .collect();
    compare(ORDERED, &groups, &mut random);
}

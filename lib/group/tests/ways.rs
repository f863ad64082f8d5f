//! The fast ways against the general one, on what is meant to trip them.

use super::*;

/// Lines that look alike and are not: runs of integers with other numbers among them, of long
/// beginnings, mixed types, escapes.
fn hostile() -> impl Strategy<Value = Vec<String>> {
    let integers =
        prop_oneof!["-?[1-9][0-9]{0,17}", "(0|9223372036854775807|-9223372036854775808)", "[1-9]",];
    let others = prop_oneof![
        "-?[1-9][0-9]{39}",
        "(-0|0\\.0|1\\.0|1e0|10e-1|1e400|-1e400|9223372036854775808)",
        "-?(0|[1-9][0-9]{0,3})\\.[0-9]{1,3}",
        "\"the same beginning of all [ab]{0,3}(\\\\u0061|\\\\n|a|é|😀)?\"",
        "\"[1-9]{1,3}\"",
        "(null|true|false|\\[\\]|\\{\\}|\\[1,2\\]|\\{\"a\":1\\}|\\{\"a\" : 1\\.0\\})",
        " [1-9]{1,2} ",
    ];
    let line = (0u8..100, integers, others);
    // How many of a hundred are no integers.
    prop_oneof![Just(0u8), Just(1), Just(10), Just(100)].prop_flat_map(move |other| {
        let line = line.clone();
        prop::collection::vec(line, 0..1500).prop_map(move |lines| {
            lines.into_iter().map(|(n, integer, o)| if n < other { o } else { integer }).collect()
        })
    })
}

fn sorted(lines: &[String], order: &Order, limits: &Limits, piece: usize) -> Vec<String> {
    let mut written = Written::default();
    let input = Pieces::new(lines, piece);
    order::sort(order, limits, &strict(), input, &mut written).unwrap();
    written.lines()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn records_are_sorted_as_what_is_wrapped_around_them_is(
        lines in hostile(),
        memory in memory(),
        jobs in 1usize..4,
        reverse: bool,
        part_reverse: bool,
        unique: bool,
        piece in 1usize..9000,
    ) {
        let whole = if part_reverse { ".:r" } else { "." };
        let order = |key: &str| Order { reverse, unique, ..order(key) };
        // The general way: a key in an object that is never twice the same.
        let wrap = |(n, line): (usize, &String)| format!("{{\"k\":{line},\"{n}\":0}}");
        let wrapped: Vec<String> = lines.iter().enumerate().map(wrap).collect();
        let key = if part_reverse { "k:r" } else { "k" };
        let due = sorted(&wrapped, &order(key), &limits(1 << 20, 1), 1 << 20);
        let unwrap = |line: &String| {
            let at = line.rfind(",\"").unwrap();
            line["{\"k\":".len()..at].to_string()
        };
        let due: Vec<String> = due.iter().map(unwrap).collect();
        prop_assert_eq!(sorted(&lines, &order(whole), &limits(memory, jobs), piece), due);
    }

    #[test]
    fn records_that_are_built_alike_are_sorted_as_those_that_are_not(
        values in hostile(),
        memory in memory(),
        jobs in 1usize..4,
        piece in 1usize..9000,
        way in (any::<bool>(), any::<bool>(), any::<bool>()),
        key in prop::sample::select(vec!["k", "k:r", "k:n", "k:nr", "k:i", "k:V", "m,k:r", "k,m:n", "m.a", ""]),
        order_by in prop::sample::select(vec!["", "m", "m:nr"]),
        missing in prop::sample::select(vec![Missing::Null, Missing::Skip, Missing::Fail]),
    ) {
        let (reverse, unique, pairs) = way;
        let parts = |text: &str| match text {
            "" => Keys::implied(),
            text if pairs => {
                let spelled = text.replace("m.a", ".[1].a").replace('k', ".[0]");
                Keys::parse(&spelled.replace('m', ".[1]")).unwrap()
            }
            text => Keys::parse(text).unwrap(),
        };
        let order = Order { reverse, unique, missing, keys: parts(key), order_by: parts(order_by).parts };
        let record = |n: usize, value: &String, behind: &str| match (pairs, values.get(n / 2)) {
            (true, other) => format!("[{value},{}{behind},{n}]", other.unwrap_or(value)),
            (false, Some(other)) => format!("{{\"k\":{value},\"m\":{other},\"x\":[0{behind}],\"n\":{n}}}"),
            (false, None) => format!("{{\"k\":{value},\"x\":[0{behind}],\"n\":{n}}}"),
        };
        // The last number of each, in the order of all.
        let results = |behind: &dyn Fn(usize) -> String, limits: &Limits| {
            let numbered = values.iter().enumerate();
            let lines: Vec<String> = numbered.map(|(n, value)| record(n, value, &behind(n))).collect();
            let mut written = Written::default();
            let sorted = order::sort(&order, limits, &strict(), Pieces::new(&lines, piece), &mut written);
            let counts = sorted.map(|s| (s.records_in, s.records_out, s.missing));
            let last = |line: &String| line[line.rfind([',', ':']).unwrap() + 1..].to_string();
            match counts {
                Ok(counts) => Ok((counts, written.lines().iter().map(last).collect::<Vec<_>>())),
                Err(error) => Err(error.kind()),
            }
        };
        // No two of these are built alike: each is read alone.
        let due = results(&|n| format!(",{}0{}", "[".repeat(1 + n % 40), "]".repeat(1 + n % 40)), &limits(64 << 20, 1));
        prop_assert_eq!(results(&|_| String::new(), &limits(memory, jobs)), due);
    }

    #[test]
    fn groups_are_those_of_their_values_however_they_are_spelled(
        lines in hostile(),
        memory in memory(),
        jobs in 1usize..4,
        piece in 1usize..9000,
    ) {
        let counted = |lines: &[String], limits: &Limits| {
            let mut written = Written::default();
            let grouping = by("k", &["count", "sum:n"]);
            let input = Pieces::new(lines, piece);
            by_hashing(grouping, limits, &strict(), input, &mut written).unwrap();
            written.lines()
        };
        let record = |line: &String| format!("{{\"n\":1,\"k\":{line}}}");
        let records: Vec<String> = lines.iter().map(record).collect();
        // The general way: in order, each group at once.
        let in_order_of = sorted(&records, &order("k"), &limits(1 << 20, 1), 1 << 20);
        let mut written = Written::default();
        let blocks = Blocks::new(Pieces::new(&in_order_of, 1 << 20), MAX_RECORD);
        let grouping = by("k", &["count", "sum:n"]);
        in_order(grouping, &limits(1 << 20, 1), &strict(), None, blocks, &mut written).unwrap();
        prop_assert_eq!(counted(&records, &limits(memory, jobs)), written.lines());
    }

    #[test]
    fn groups_of_records_that_are_dealt_are_those_of_one_table(
        rows in prop::collection::vec((0u8..40, 0u8..4, 0u8..4, -99i64..99), 0..900),
        memory in prop::sample::select(vec![1usize, 10_000, 60_000]),
        jobs in 1usize..4,
        piece in 500usize..9000,
        ops in prop::sample::select(vec![
            vec!["count", "sum:v"],
            vec!["count", "mean:v", "sum:w"],
            vec!["median:v", "var:v"],
            vec!["min:v", "first:w", "count:v", "collect:w"],
            vec!["ndistinct:v"],
        ]),
        missing in prop::sample::select(vec![Missing::Null, Missing::Skip]),
    ) {
        let record = |(key, other, kind, value): &(u8, u8, u8, i64)| {
            let key = if *key == 0 { String::new() } else { format!("\"k\":\"key {key}\",") };
            let other = ["", "\"j\":null,", "\"j\":[1,2],", "\"j\":\"\\u0061\","][usize::from(*other)];
            let value = match kind {
                0 => format!("\"v\":{value}"),
                1 => format!("\"w\":{value},\"v\":\"{value}\""),
                2 => format!("\"v\":{value}.25,\"w\":{value}"),
                _ => format!("\"v\":{}{}", value * 2 + 1, "0".repeat(20)),
            };
            format!("{{{key}{other}{value}}}")
        };
        let lines: Vec<String> = rows.iter().map(record).collect();
        let results = |limits: &Limits| {
            let mut written = Written::default();
            let ops = ops.iter().map(|op| Op::parse(op).unwrap()).collect();
            let keys = Some(Keys::parse("k,j").unwrap());
            let grouping = Grouping::new(keys, ops, missing, MAX_RECORD).unwrap();
            let input = Pieces::new(&lines, piece);
            let summary = by_hashing(grouping, limits, &strict(), input, &mut written).unwrap();
            (written.lines(), summary.records_in, summary.missing, summary.lacking)
        };
        prop_assert_eq!(results(&limits(memory, jobs)), results(&limits(64 << 20, 1)));
    }

    #[test]
    fn batches_of_records_that_are_alike_are_added_as_each_of_them_is(
        rows in prop::collection::vec((0u16..900, 0u16..1000, -9999i64..9999), 0..1500),
        few in prop::sample::select(vec![3u16, 900]),
        others in prop::sample::select(vec![0u16, 2, 300]),
        kind in 0u16..5,
        memory in prop::sample::select(vec![1usize, 60_000, 1 << 20]),
        jobs in 1usize..4,
        pairs: bool,
        ops in prop::sample::select(vec![
            vec!["count", "sum:v"],
            vec!["min:v", "mean:v", "max:v"],
            vec!["max:v", "count:v", "rows=count"],
            vec!["sum:v", "var:v", "minby:v"],
        ]),
        missing in prop::sample::select(vec![Missing::Fail, Missing::Skip]),
    ) {
        let record = |(key, pick, value): &(u16, u16, i64), behind: &str| {
            let kind = if *pick < others { pick % 9 } else { kind };
            let value = match kind {
                0 => format!("{value}"),
                1 => format!("\"{value}\""),
                2 => format!("{}.{}", value / 10, value.unsigned_abs() % 10),
                3 => format!("\"-0.{}\"", value.unsigned_abs()),
                4 => format!("{}", value * 100_000_000_000),
                5 => format!("{value}{}", "7".repeat(20)),
                6 => format!("{value}e1"),
                7 => "\"\"".to_string(),
                _ => "\"text\"".to_string(),
            };
            // Of all lengths about 16.
            let key = format!("\"{:0width$}\"", key % few, width = 10 + usize::from(key % few % 9));
            match pairs {
                true => format!("[{key},{value}{}]", behind.replace("\"x", "\"").replace("\":", "\",")),
                false => format!("{{\"k\":{key},\"v\":{value}{behind}}}"),
            }
        };
        let results = |lines: &[String], limits: &Limits| {
            let mut written = Written::default();
            let ops = ops.iter().map(|op| match pairs {
                true => Op::parse(&op.replace(":v", ":.[1]")).unwrap(),
                false => Op::parse(op).unwrap(),
            });
            let keys = Some(Keys::parse(if pairs { ".[0]" } else { "k" }).unwrap());
            let grouping = Grouping::new(keys, ops.collect(), missing, MAX_RECORD).unwrap();
            let input = Pieces::new(lines, 6000);
            let summary = by_hashing(grouping, limits, &strict(), input, &mut written);
            let summary = summary.map(|s| (s.records_in, s.missing, s.lacking));
            (summary.map_err(|_| ()), written.lines())
        };
        let lines: Vec<String> = rows.iter().map(|row| record(row, "")).collect();
        // No two of these are built alike: each is read, and added, alone.
        let apart = rows.iter().enumerate();
        let apart: Vec<String> =
            apart.map(|(n, row)| record(row, &format!(",\"x{n}\":[{}]", "[],".repeat(n % 40) + "0"))).collect();
        let due = results(&apart, &limits(64 << 20, 1));
        if !ops.contains(&"minby:v") {
            prop_assert_eq!(results(&lines, &limits(memory, jobs)), due);
        } else if due.0.is_ok() {
            prop_assert_eq!(results(&lines, &limits(memory, jobs)).0, due.0);
        }
    }
}

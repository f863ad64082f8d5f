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
}

//! Parts of groups: in a table, spilled, and put together again.

use super::super::assemble::Assembly;
use super::super::grouping::Group;
use super::super::reader::GroupReader;
use super::super::spelled::Spelled;
use super::super::table::{self, Table};
use super::*;
use crate::aggregate::RecordPosition;
use crate::extsort::sorter::Sorter;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_table_holds_each_group_once_and_becomes_a_sorted_run(
        keys in prop::collection::vec(0u16..1500, 0..3000),
    ) {
        let grouping = by("k", &["count"]);
        let (plan, mut table) = (grouping.plan(), Table::new());
        let mut reader = GroupReader::new(&Arc::new(grouping.clone()));
        let mut due: BTreeMap<u16, (u64, u64)> = BTreeMap::new();
        for (index, key) in (0u64..).zip(&keys) {
            due.entry(*key).or_insert((index, 0)).1 += 1;
            let (at, label) = (RecordPosition { shard: 7, index }, |out: &mut Vec<u8>| {
                out.extend_from_slice(format!("first {index}").as_bytes());
            });
            // Of all lengths, so that some are alike at both ends.
            let spelling = format!("{key:0width$}", width = 1 + usize::from(key % 40)).into_bytes();
            let spelled = Spelled::at(&spelling, 0..spelling.len());
            let guess = table.guess([spelled.hash].into_iter(), plan.width())[0];
            let known = table.get(&spelled, guess);
            prop_assert_eq!(known, table.get(&spelled, None));
            let number = known.unwrap_or_else(|| {
                table.insert(plan, &spelled, &key.to_be_bytes(), at, label)
            });
            reader.clear();
            reader.read(b"{\"k\":1}").unwrap();
            reader.add(0, b"{\"k\":1}", at, table.states(plan.width(), number)).unwrap();
        }
        let empty = Table::new().memory();
        prop_assert!(table.memory() >= empty + due.len() * 2);
        let mut sorter = Sorter::new(limits(1 << 20, 1).settings(false));
        sorter.add(table.into_run(plan).unwrap()).unwrap();
        let mut groups = Vec::new();
        sorter.finish_items(|key, text| {
            groups.push(table::decode(plan, key, text)?);
            Ok(())
        }).unwrap();
        prop_assert_eq!(groups.len(), due.len());
        for (mut group, (key, (first, count))) in groups.into_iter().zip(due) {
            let mut result = Vec::new();
            plan.finish(&mut group.states, 0, &mut result).unwrap();
            prop_assert_eq!(group.key, key.to_be_bytes().to_vec());
            prop_assert_eq!(group.label, format!("first {first}").into_bytes());
            prop_assert_eq!(group.at, RecordPosition { shard: 7, index: first });
            prop_assert_eq!(result, count.to_string().into_bytes());
        }
    }

    #[test]
    fn groups_are_put_together_of_any_parts_in_any_memory(
        rows in rows(),
        cuts in prop::collection::vec(1usize..20, 1..20),
        memory in memory(),
    ) {
        let mut rows = rows;
        rows.sort_by_key(|row| row.0);
        let grouping = Arc::new(by("k", &OPS));
        let mut results = Vec::new();
        let settings = limits(memory, 1).settings(false);
        let mut assembly = Assembly::new(&grouping, settings, |lines: &[u8]| {
            results.extend_from_slice(lines);
            Ok(())
        });
        let mut sizes = cuts.into_iter().cycle();
        let lines: Vec<(usize, String)> = records(&rows).into_iter().enumerate().collect();
        for group in lines.chunk_by(|a, b| rows[a.0].0 == rows[b.0].0) {
            let mut rest = group;
            while !rest.is_empty() {
                let (part, more) = rest.split_at(sizes.next().unwrap().min(rest.len()));
                assembly.add(group_of(&grouping, part)).unwrap();
                rest = more;
            }
        }
        let due = reduced(&rows);
        let (groups, _) = assembly.finish().unwrap();
        prop_assert_eq!(groups as usize, due.len());
        prop_assert_eq!(Written(results).lines(), due);
    }

    #[test]
    fn parts_of_a_group_may_be_taken_in_any_order(rows in rows(), seed: u64) {
        let grouping = Arc::new(by("k", &OPS));
        let rows: Vec<Row> = rows.into_iter().map(|(_, spelling, value)| (1, spelling, value)).collect();
        let mut parts: Vec<Group> = records(&rows)
            .into_iter()
            .enumerate()
            .map(|record| group_of(&grouping, &[record]))
            .collect();
        // Any order that the seed gives.
        parts.sort_by_key(|part| (part.at.index + 1).wrapping_mul(seed | 1).rotate_left(29));
        let taken = parts.into_iter().reduce(|mut group, part| {
            group.take(&grouping, part).unwrap();
            group
        });
        let mut result = Vec::new();
        if let Some(mut group) = taken {
            grouping.push_result(&mut group, &mut result).unwrap();
        }
        prop_assert_eq!(Written(result).lines(), reduced(&rows));
    }
}

/// The part of a group that some numbered records are.
fn group_of(grouping: &Arc<Grouping>, records: &[(usize, String)]) -> Group {
    let (mut reader, mut group) = (GroupReader::new(grouping), Group::default());
    grouping.plan().start(&mut group.states);
    for (number, (n, record)) in records.iter().enumerate() {
        let at = RecordPosition { shard: 0, index: *n as u64 };
        reader.read(record.as_bytes()).unwrap();
        if number == 0 {
            group.at = at;
            reader.push_key(number, record.as_bytes(), &mut group.key).unwrap();
            reader.push_label(number, record.as_bytes(), &mut group.label);
        }
        reader.add(number, record.as_bytes(), at, &mut group.states).unwrap();
    }
    group
}

#[test]
fn what_outgrows_the_memory_is_spilled_and_comes_back() {
    let grouping = Arc::new(by("k", &["m=p50:n", "d=ndistinct:n"]));
    let assembled = |memory: usize| {
        let mut results = Vec::new();
        let settings = limits(memory, 1).settings(false);
        let mut assembly = Assembly::new(&grouping, settings, |lines: &[u8]| {
            results.extend_from_slice(lines);
            Ok(())
        });
        for n in 0..20_000 {
            assembly.add(group_of(&grouping, &[(n, format!("{{\"k\":1,\"n\":{n}}}"))])).unwrap();
        }
        let (groups, spilled) = assembly.finish().unwrap();
        assert_eq!(groups, 1);
        (Written(results).lines(), spilled)
    };
    let (kept, spilled) = assembled(1 << 30);
    assert_eq!(spilled, 0);
    assert_eq!(kept, ["{\"k\":1,\"m\":9999.5,\"d\":20000}"]);
    let (small, spilled) = assembled(1 << 16);
    assert!(spilled > 100_000, "{spilled}");
    assert_eq!(small, kept);
}

#[test]
fn a_spilled_group_that_is_damaged_is_an_error() {
    let grouping = Arc::new(by("k", &OPS));
    let lines = records(&[(1, 0, 5), (1, 1, -7)]).into_iter().enumerate().collect::<Vec<_>>();
    let group = group_of(&grouping, &lines);
    let mut bytes = Vec::new();
    table::encode(grouping.plan(), &group, &mut bytes);
    let mut back = table::decode(grouping.plan(), &group.key, &bytes).unwrap();
    assert_eq!((&back.key, &back.label, back.at), (&group.key, &group.label, group.at));
    let mut result = Vec::new();
    grouping.push_result(&mut back, &mut result).unwrap();
    assert_eq!(result, b"{\"k\":1,\"c\":2,\"s\":-2,\"f\":5,\"d\":2,\"l\":[0,1]}\n");
    for cut in 0..bytes.len() {
        let error = table::decode(grouping.plan(), &group.key, &bytes[..cut]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incomplete, "{cut} of {}: {error}", bytes.len());
    }
}

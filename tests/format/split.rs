//! mc-split: parts that are disjoint and cover.

use crate::support::*;

fn records(count: u64, seed: u64) -> Vec<String> {
    let mut random = Random::seeded(seed);
    let record = |n| {
        let key = random.below(9);
        format!(
            "{{\"n\":{n},\"k\":\"key {key}\",\"x\":\"{}\"}}\n",
            "x".repeat(random.below(60) as usize)
        )
    };
    (0..count).map(record).collect()
}

fn split(dir: &tempfile::TempDir, args: &[&str]) -> Call {
    mc("split").current_dir(dir.path()).args(args)
}

fn parts(dir: &tempfile::TempDir, count: usize) -> Vec<String> {
    let part = |n| std::fs::read_to_string(dir.path().join(format!("part-{n:02}.ndjson"))).unwrap();
    (0..count).map(part).collect()
}

#[test]
fn every_way_gives_parts_that_are_disjoint_and_cover_all() {
    for (size, count) in [(0, 3), (1, 4), (10, 3), (997, 7), (50, 50), (5000, 2)] {
        let all = records(size, size);
        let n = count.to_string();
        for way in
            [&["--by", "contiguous"][..], &["--by", "round-robin"], &["--by", "key", "-k", "k"]]
        {
            let dir = dir();
            let args = [&["-n", &n, "-o", "part-%02d.ndjson"], way].concat();
            split(&dir, &args).stdin(all.concat()).succeeds();
            let parts = parts(&dir, count);
            assert_eq!(names(&dir).len(), count);
            let mut found: Vec<&str> = parts.iter().flat_map(|p| p.split_inclusive('\n')).collect();
            let number = |line: &&str| line[5..line.find(',').unwrap()].parse::<u64>().unwrap();
            for part in &parts {
                let numbers: Vec<u64> = part.lines().map(|line| number(&line)).collect();
                assert!(numbers.is_sorted(), "{way:?}: the order stays");
            }
            match way[1] {
                "contiguous" => {
                    assert_eq!(parts.concat(), all.concat());
                    let (most, longest) = (all.concat().len() / count, 100);
                    assert!(parts.iter().all(|part| part.len() <= most + longest));
                }
                "round-robin" => {
                    let lines = |part: &String| part.lines().count();
                    let (least, most) =
                        (parts.iter().map(lines).min(), parts.iter().map(lines).max());
                    assert!(most.unwrap() - least.unwrap() <= 1);
                }
                _ => {
                    for key in 0..9 {
                        let key = format!("\"key {key}\"");
                        assert!(parts.iter().filter(|part| part.contains(&key)).count() <= 1);
                    }
                }
            }
            found.sort_by_key(number);
            assert_eq!(found, all, "{way:?}");
        }
    }
}

#[test]
fn the_part_of_a_key_does_not_change() {
    // XXH3 of the canonical bytes: a change here moves everybody's keys.
    let dir = dir();
    split(&dir, &["-n", "3", "--by", "key", "-o", "part-%02d.ndjson", "range:0..12"]).succeeds();
    let parts = parts(&dir, 3);
    assert_eq!(parts, ["0\n4\n5\n6\n7\n11\n", "1\n3\n8\n10\n", "2\n9\n"].map(String::from));
    let same = "1\n1.0\n1e0\n";
    split(&dir, &["-n", "3", "--by", "key", "-o", "part-%02d.ndjson"]).stdin(same).succeeds();
    assert!(self::parts(&dir, 3).contains(&same.to_string()));
}

#[test]
fn records_without_the_key_are_refused_or_dropped() {
    let dir = dir();
    let args = ["-n", "2", "--by", "key", "-k", "a", "-o", "part-%02d.ndjson"];
    let input = "{\"a\":1}\n{\"b\":1}\n";
    split(&dir, &args).stdin(input).stderr_has("record 2: the record has no 'a'").fails(3);
    assert!(names(&dir).is_empty());
    let call = split(&dir, &args).args(["--missing", "skip"]).stdin(input);
    call.stderr_has("1 record without the key dropped").succeeds();
    assert_eq!(parts(&dir, 2).concat(), "{\"a\":1}\n");
}

#[test]
fn files_in_any_format_are_split_into_any() {
    let dir = dir();
    write(&dir, "a.csv", "x\n1\n2\n3\n");
    let args = ["-n", "3", "-o", "csv,header=no:%d%%.csv.gz", "a.csv"];
    split(&dir, &args).succeeds();
    assert_eq!(names(&dir), ["0%.csv.gz", "1%.csv.gz", "2%.csv.gz", "a.csv"]);
    let cat = mc("cat").current_dir(dir.path()).args(["-f", "csv,header=no", "?%.csv.gz"]);
    cat.stdout("[\"1\"]\n[\"2\"]\n[\"3\"]\n").succeeds();
}

#[test]
fn gather_writes_numbered_parts_too_and_publishes_them_together() {
    let dir = dir();
    let all = records(100, 1).concat();
    let gather = |dir: &tempfile::TempDir, output: &str| {
        mc("gather").current_dir(dir.path()).args(["-n", "4", "-o", output])
    };
    gather(&dir, "part-%02d.ndjson").stdin(&all).succeeds();
    assert_eq!(parts(&dir, 4).concat(), all);
    let bad = format!("{all}{{\n");
    gather(&dir, "part-%02d.ndjson").stdin(bad).stderr_any().fails(3);
    assert_eq!(parts(&dir, 4).concat(), all);
    // The last record does not fit: no part is published.
    gather(&dir, "csv:c-%d.csv").stdin(format!("{all}1\n")).stderr_any().fails(3);
    assert_eq!(names(&dir).len(), 4);
}

#[test]
fn calls_that_make_no_sense_are_refused() {
    let dir = dir();
    let refused = |args: &[&str], why: &str| {
        split(&dir, args).stdin("").stdout("").stderr_has(why).fails(2);
    };
    refused(&["-n", "2"], "say which files to split");
    refused(&["-o", "%d.csv"], "say with -n how many files to write");
    refused(&["-n", "0", "-o", "%d.csv"], "invalid value '0'");
    refused(&["-n", "2", "-o", "x.csv"], "need %d in the name");
    refused(&["-n", "2", "-o", "%d-%d.csv"], "two %d in the name");
    refused(&["-n", "2", "-o", "%s%d.csv"], "after % in a numbered name");
    refused(&["-n", "2", "-o", "-"], "need a path with %d");
    refused(&["-n", "2", "-o", "%d.csv", "-k", "a"], "-k and --missing are for --by key");
    refused(&["-n", "99999999", "-o", "%d.csv"], "no more than");
    let call = mc("gather").current_dir(dir.path()).args(["-o", "%d.csv"]).stdin("");
    call.stderr_has("say with -n how many to write").fails(2);
    assert!(names(&dir).is_empty());
}

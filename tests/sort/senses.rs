//! Keys as texts: case ignored, against Python; versions, against `sort -V`; and both everywhere
//! that keys are.

use crate::support::*;

/// Texts that are like versions, file names and worse, so many, one a line.
fn versions(seed: u64, count: usize) -> String {
    let mut random = Random::seeded(seed);
    let pieces = [
        "0",
        "00",
        "1",
        "2",
        "9",
        "10",
        "100",
        "007",
        "18446744073709551616",
        ".",
        "..",
        "~",
        "-",
        "_",
        "+",
        ":",
        " ",
        "a",
        "b",
        "rc",
        "Z",
        "alpha",
        "v",
        ".tar.gz",
        ".txt",
        ".c~",
        ".7z",
        "é",
        "ß",
    ];
    let mut line = |_| -> String {
        let count = random.below(7);
        let word: Vec<_> =
            (0..count).map(|_| pieces[random.below(pieces.len() as u64) as usize]).collect();
        word.concat() + "\n"
    };
    (0..count).map(&mut line).collect()
}

/// What GNU sort makes of lines, equal ones in the order of the input.
fn gnu_sort(options: &[&str], lines: &str) -> Vec<u8> {
    Call::new("sort").arg("-s").args(options).env("LC_ALL", "C").stdin(lines).succeeds().stdout
}

/// Whether GNU sort has our order of this line: it folds ASCII alone, and coreutils 9.1 alone takes
/// a hidden file's whole name for a suffix.
fn is_compared(line: &str, key: &str) -> bool {
    let is_suffix = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '~')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '~')
    };
    let hidden = line.strip_prefix('.').is_some_and(|line| line.split('.').all(is_suffix));
    !hidden && (line.is_ascii() || key != "t:iV")
}

#[test]
fn versions_are_in_the_order_of_gnu_sort() {
    for seed in 0..12 {
        let lines = versions(seed, 800);
        for (key, options) in [
            ("t:V", &["-V"][..]),
            ("t:Vr", &["-V", "-r"]),
            ("t:V", &["-V", "-u"]),
            ("t:iV", &["-V", "-f"]),
        ] {
            let kept = lines.lines().filter(|line| is_compared(line, key));
            let kept: String = kept.map(|line| line.to_string() + "\n").collect();
            let records = jq(&["-cR", "{t: .}"], &kept);
            let want = gnu_sort(options, &kept);
            let unique = if options.contains(&"-u") { &["-u"][..] } else { &[] };
            let call = mc("sort").args(["-k", key, "-S", "20K"]).args(unique);
            let sorted = call.stdin(records).succeeds().stdout;
            assert!(jq(&["-r", ".t"], sorted) == want, "seed {seed}, {options:?}");
        }
    }
}

#[test]
fn case_is_ignored_as_python_folds_it() {
    let words = [
        "straße",
        "STRASSE",
        "Σίσυφος",
        "ΣΊΣΥΦΟΣ",
        "σίσυφοσ",
        "Ann",
        "ann",
        "ANN",
        "Éa",
        "éA",
        "ﬃ",
        "FFI",
        "İ",
        "i",
        "I",
        "ı",
        "Ꭰ",
        "ꭰ",
        "Z",
        "a",
        "",
        "ǅ",
        "ǆ",
    ];
    let mut random = Random::seeded(8);
    let input: String = (0..500)
        .map(|n| {
            let mut word = || words[random.below(words.len() as u64) as usize];
            format!("{{\"t\":\"{}{}\",\"n\":{n}}}\n", word(), word())
        })
        .collect();
    let oracle = "
import sys, json
rows = sys.stdin.read().splitlines()
fold = lambda row: json.loads(row)['t'].casefold()
print('\\n'.join(sorted(rows, key=fold)))";
    let want = python(oracle, &[], &input);
    for memory in ["1b", "10K", "1G"] {
        let call = mc("sort").args(["-k", "t:i", "-S", memory]).stdin(&input);
        call.stdout(&want).succeeds();
    }
    mc("sort").args(["--check", "-k", "t:i"]).stdin(&want).stdout("").succeeds();
    let first = "
import sys, json
seen = {}
for row in sys.stdin: seen.setdefault(json.loads(row)['t'].casefold(), row)
print(''.join(seen[k] for k in sorted(seen)), end='')";
    let want = python(first, &[], &input);
    mc("sort").args(["-u", "-k", "t:i"]).stdin(&input).stdout(want).succeeds();
}

#[test]
fn keys_that_differ_in_case_are_one_group_named_as_the_first() {
    let input = rows![
        {"n": "bob", "v": 1}, {"n": "Ann", "v": 2}, {"n": "BOB", "v": 3}, {"n": "ann", "v": 4},
    ];
    let want = rows![{"n": "Ann", "v_sum": 6}, {"n": "bob", "v_sum": 4}];
    for line in [
        "mc-shuffle -k n:i | mc-reduce sum:v",
        "mc-shuffle -k n:i --reduce sum:v",
        "mc-shuffle -S 1b -k n:i --reduce sum:v",
        "mc-sort -k n:i | mc-reduce sum:v",
        "mc-sort -k n:ir | mc-reduce sum:v | mc-sort -k n",
        "mc-shuffle -k n:i | cat | mc-reduce -k n:i sum:v",
        "mc-scatter -h :,: | mc-shuffle -n 2 -k n:i | mc-reduce sum:v | mc-gather",
        "mc-scatter -h :,: | mc-shuffle -k n:i --reduce sum:v | mc-gather",
    ] {
        sh("dash", line).stdin(&input).stdout(&want).succeeds();
    }
    let dir = dir();
    let parts: Vec<_> = [rows![{"n": "ann"}, {"n": "Cy"}], rows![{"n": "Bob"}]]
        .into_iter()
        .enumerate()
        .map(|(n, part)| write(&dir, &format!("{n}.ndjson"), part))
        .collect();
    let want = rows![{"n": "ann"}, {"n": "Bob"}, {"n": "Cy"}];
    mc("sort").args(["-m", "-k", "n:i"]).args(parts).stdout(want).succeeds();
}

#[test]
fn versions_on_hosts_are_in_the_order_of_one_machine() {
    let records = jq(&["-cR", "{t: .}"], versions(77, 500));
    let want = mc("sort").args(["-k", "t:V"]).stdin(&records).succeeds().stdout;
    let line = "mc-scatter -h :,: | mc-sort -n 3 -k t:V | mc-gather";
    sh("dash", line).stdin(&records).stdout(&want).succeeds();
    let want = mc("shuffle").args(["-k", "t:V", "--reduce", "count"]).stdin(&records).succeeds();
    let line = "mc-scatter -h :,: | mc-shuffle -n 3 -k t:V --reduce count | mc-gather";
    sh("dash", line).stdin(&records).stdout(&want.stdout).succeeds();
}

#[test]
fn modifiers_that_contradict_each_other_are_refused() {
    let refused = |key: &str, text: &str| {
        mc("sort").args(["-k", key]).stdin("").stderr_has(text).fails(2);
    };
    refused("a:nV", "bad key 'a:nV': n and V: a number or a version, not both");
    refused("a:ni", "bad key 'a:ni': n and i: numbers have no case");
    refused("a:v", "'v' is no modifier; they are n (numbers), i (case ignored), V (versions)");
    let call = mc("sort").args(["-k", "a:n"]).stdin(rows![{"a": "1.2.3"}]);
    call.stderr_has("line 1: 'a' is not a number: \"1.2.3\"").fails(3);
}

#[test]
fn records_that_differ_in_case_are_split_into_one_file() {
    let dir = dir();
    let input: String = (0..60)
        .map(|n| {
            let name = format!("name{}", n % 20);
            let name = if n >= 20 { name.to_uppercase() } else { name };
            format!("{{\"n\":\"{name}\"}}\n")
        })
        .collect();
    let options = ["-n", "4", "--by", "key", "-k", "n:i", "-o", "part-%d.ndjson"];
    mc("split").args(options).current_dir(dir.path()).stdin(&input).stdout("").succeeds();
    let mut seen = std::collections::HashMap::new();
    for part in names(&dir) {
        for line in std::fs::read_to_string(dir.path().join(&part)).unwrap().lines() {
            let place = seen.entry(line.to_lowercase()).or_insert_with(|| (part.clone(), 0));
            assert_eq!(place.0, part, "{line}");
            place.1 += 1;
        }
    }
    assert!(seen.len() == 20 && seen.values().all(|(_, count)| *count == 3), "{seen:?}");
}

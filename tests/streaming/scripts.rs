//! A mapper and a reducer as tutorials have them, with counters, here and on hosts.

use std::collections::BTreeMap;

use crate::support::{cluster, dir, repository, sh};

use super::lines;

#[test]
fn a_public_pair_of_scripts_runs_unchanged_everywhere() {
    let dir = dir();
    let text = lines(2000);
    std::fs::write(dir.path().join("text"), &text).unwrap();
    for name in ["mapper.py", "reducer.py"] {
        let script = repository("tests/streaming").join(name);
        std::fs::copy(script, dir.path().join(name)).unwrap();
    }
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for word in text.split_whitespace() {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    let want: String = counts.iter().map(|(word, count)| format!("{word}\t{count}\n")).collect();
    let empty = text.lines().filter(|line| line.is_empty()).count();
    let frequent = counts.values().filter(|count| **count > 100).count();
    for hosts in ["".to_string(), "-h :,:".into(), format!("-h {}", cluster().hosts(4))] {
        let line = format!(
            "mc-cat text:text | mc-map {hosts} --block 3K --kv ./mapper.py | mc-shuffle | \
             mc-reduce --kv -- ./reducer.py | mc-gather -o text,kv:-"
        );
        let call = sh("bash", &line).on(cluster()).current_dir(&dir).stdout(&want);
        let said = String::from_utf8(call.stderr_any().succeeds().stderr).unwrap();
        let mut counters: Vec<&str> =
            said.lines().filter(|line| line.contains(": counter ")).collect();
        counters.sort_unstable();
        let expected = [
            format!("mc-map: counter words,empty lines: {empty}"),
            "mc-map: counter words,lines: 2000".into(),
            format!("mc-reduce: counter words,frequent: {frequent}"),
        ];
        assert_eq!(counters, expected, "{hosts}");
        assert!(said.contains("status: mapped"), "{hosts}: {said}");
        assert!(!said.contains("reporter:"), "{hosts}: {said}");
    }
}

//! What Cargo.toml names is used. The crates of the library the compiler finds (lib.rs denies those
//! that are not); here are those of the tests alone.

use crate::support::repository;

/// The crates for the tests, as code names them.
fn crates() -> Vec<String> {
    let manifest = std::fs::read_to_string(repository("Cargo.toml")).unwrap();
    let below = manifest.split_once("\n[dev-dependencies]\n").unwrap().1;
    let lines = below.lines().take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name);
    names.map(|name| name.replace('-', "_")).collect()
}

/// All of the suite's code.
fn suite() -> String {
    let (mut code, mut open) = (String::new(), vec![repository("tests")]);
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            code += &std::fs::read_to_string(&path).unwrap();
        }
    }
    code
}

#[test]
fn every_crate_for_the_tests_is_used_by_them() {
    let (names, code) = (crates(), suite());
    assert!(!names.is_empty());
    // Not as a part of a longer path: `format::csv::` is ours.
    let is_path =
        |before: &str| !before.ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c));
    let is_used = |name: &&String| {
        let path = format!("{name}::");
        code.match_indices(&path).any(|(at, _)| is_path(&code[..at]))
    };
    let unused: Vec<&String> = names.iter().filter(|name| !is_used(name)).collect();
    assert!(unused.is_empty(), "no test uses {unused:?}: drop them from Cargo.toml");
}

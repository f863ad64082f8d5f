//! The JSON of plans: described in full, of this version, and nothing in it that is not described.

use std::collections::BTreeSet;

use super::{files, plan};
use crate::support::repository;

/// The words that `mycloud(7)` shows as fields under PLANS.
fn described() -> BTreeSet<String> {
    let page = std::fs::read_to_string(repository("man/mycloud.7")).unwrap();
    let section = page.split("\n.Sh PLANS\n").nth(1).unwrap().split("\n.Sh ").next().unwrap();
    let lines = section.lines().filter_map(|line| {
        line.strip_prefix(".It Li ").or(line.strip_prefix(".Li ")).or(line.strip_prefix(".Pq Li "))
    });
    let words = lines.flat_map(|line| line.split([' ', ',']));
    words.filter(|word| word.starts_with(char::is_alphabetic)).map(String::from).collect()
}

/// The fields that the types of the schema have.
fn fields() -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for file in ["lib/explain/schema.rs", "lib/explain/outline.rs"] {
        let text = std::fs::read_to_string(repository(file)).unwrap();
        let mut renamed = None;
        for line in text.lines().map(str::trim) {
            let is_name = |name: &&str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            let field = line.strip_prefix("pub ").and_then(|rest| rest.split_once(": "));
            if let Some(name) = line.strip_prefix("#[serde(rename = \"") {
                renamed = Some(name.split('"').next().unwrap().to_string());
            } else if let Some(field) = field.map(|field| field.0).filter(is_name) {
                fields.insert(renamed.take().unwrap_or_else(|| field.to_string()));
            } else if !line.starts_with(['#', '/']) {
                renamed = None;
            }
        }
    }
    assert!(fields.len() > 60, "{fields:?}");
    fields
}

#[test]
fn every_field_is_described_and_nothing_else_is() {
    let (fields, described) = (fields(), described());
    let missing: Vec<_> = fields.difference(&described).collect();
    assert!(missing.is_empty(), "mycloud(7), PLANS, says nothing of {missing:?}");
    let more: Vec<_> = described.difference(&fields).collect();
    assert!(more.is_empty(), "mycloud(7), PLANS, speaks of {more:?}, which there are not");
}

/// All names of members in a value, but those of options.
fn names(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                found.insert(name.clone());
                if name != "options" {
                    names(value, found);
                }
            }
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| names(value, found)),
        _ => (),
    }
}

#[test]
fn plans_have_no_other_fields() {
    let dir = files();
    let plan = plan(
        dir.path(),
        "mc-cat sales.csv | mc-map -h n1 --each ./clean | mc-join -k region users.ndjson | \
         mc-sort -k region | mc-reduce sum:amount | mc-gather -o out.csv",
    );
    assert_eq!(plan["version"], 1);
    let mut found = BTreeSet::new();
    names(&plan, &mut found);
    let fields = fields();
    let more: Vec<_> = found.difference(&fields).collect();
    assert!(more.is_empty(), "{more:?}");
}

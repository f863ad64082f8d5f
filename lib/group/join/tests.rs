//! How two records become one, against what serde_json makes of them.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::joined::{Adding, ClashCheck, Shapes, push_joined};
use crate::record::key::Keys;
use crate::record::scan;

/// What `right` adds, by its key, under a prefix; and how it comes out alone.
fn added(key: &str, prefix: &str, right: &str) -> (Vec<u8>, Vec<u8>, String) {
    let adding = Adding::new(&Keys::parse(key).unwrap(), prefix);
    let (mut added, mut names, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    adding.push(right.as_bytes(), &mut added, &mut names);
    adding.push_alone(right.as_bytes(), &mut alone);
    (added, names, String::from_utf8(alone).unwrap())
}

fn joined(left: &str, key: &str, right: &str) -> String {
    let mut out = Vec::new();
    push_joined(left.as_bytes(), &added(key, "", right).0, &mut out);
    String::from_utf8(out).unwrap()
}

fn clash(left: &str, added: &[u8], names: &[u8]) -> Option<String> {
    let shapes = Shapes::default();
    let shape = shapes.number(names, added);
    let clash = ClashCheck::new(shapes.all()).clash(left.as_bytes(), shape, added);
    // A shape that is not kept is looked at each time, and says the same.
    assert_eq!(ClashCheck::new(Vec::new()).clash(left.as_bytes(), shape, added), clash);
    clash
}

#[test]
fn each_form_has_its_join() {
    for (left, key, right, want) in [
        (r#"{"k":1, "a":2}"#, "k", r#"{"b": [3, 4],"k":1}"#, r#"{"k":1, "a":2,"b":[3, 4]}"#),
        (r#" { "k" : 1 } "#, "id", r#"{"id":1,"b":2}"#, r#"{ "k" : 1,"b":2}"#),
        (r#"{"k":1}"#, "k", r#"{"k":1}"#, r#"{"k":1}"#),
        ("{}", "id", r#"{"id":{},"b":2}"#, r#"{"b":2}"#),
        (r#"{"k":1}"#, ".m.id", r#"{"m":{"id":1,"x":2}}"#, r#"{"k":1,"m":{"id":1,"x":2}}"#),
        (r#"{"k":1}"#, "\u{e9}", r#"{"\u00e9":1,"b":2}"#, r#"{"k":1,"b":2}"#),
        (r#"["a", 1]"#, ".[0]", r#"["a", 2, 3]"#, r#"["a", 1,2,3]"#),
        (r#"["a"]"#, ".[1]", r#"["x","a"]"#, r#"["a","x"]"#),
        (r#"["a",1]"#, ".[0]", r#"["a"]"#, r#"["a",1]"#),
        ("7", "id", r#"{"id":7,"b":2}"#, r#"[7,{"b":2}]"#),
        (r#"{"k":"a"}"#, ".[0]", r#"["a",[1]]"#, r#"[{"k":"a"},[[1]]]"#),
        (r#"["a"]"#, "id", r#"{"id":"a"}"#, r#"[["a"],{}]"#),
        (r#""a""#, ".", r#""a""#, r#""a""#),
        (r#" {"k":1} "#, ".", "1", r#" {"k":1} "#),
        (r#"{"k":1}"#, ".,k", r#"{"k":1,"b":2}"#, r#"{"k":1}"#),
    ] {
        assert_eq!(joined(left, key, right), want, "{left} and {right} by {key}");
    }
}

#[test]
fn a_prefix_is_for_all_but_the_key() {
    let (made, names, alone) = added("k", "r\"_", r#"{"k":1,"a":2, "b":3}"#);
    assert_eq!(String::from_utf8(made).unwrap(), r#"{"r\"_a":2,"r\"_b":3"#);
    assert_eq!(String::from_utf8(names).unwrap(), r#""r\"_a""r\"_b""#);
    assert_eq!(alone, r#"{"k":1,"r\"_a":2,"r\"_b":3}"#);
    let (_, _, alone) = added("k", "", r#" {"k":1, "a":2 } "#);
    assert_eq!(alone, r#" {"k":1, "a":2 } "#);
    let (_, _, alone) = added(".[0]", "r_", "[1, 2]");
    assert_eq!(alone, "[1, 2]");
}

fn names() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["k", "a", "b", "c", "é", "x\"y", "z\\", ""]).prop_map(String::from)
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((names(), inner), 0..3)
                .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn two_objects_have_the_members_of_both(
        left in prop::collection::vec((names(), values()), 0..5),
        right in prop::collection::vec((names(), values()), 0..5),
        prefix in prop::sample::select(vec!["", "a", "r_", "\"\\", "é"]),
        is_spaced in any::<bool>(),
    ) {
        let left: Map<_, _> = left.into_iter().collect();
        let right: Map<_, _> = right.into_iter().collect();
        let text = |map: &Map<String, Value>| match is_spaced {
            true => serde_json::to_string_pretty(map).unwrap(),
            false => serde_json::to_string(map).unwrap(),
        };
        let (made, names, alone) = added("k", prefix, &text(&right));
        let taken = right.iter().filter(|(name, _)| *name != "k");
        let taken: Map<_, _> =
            taken.map(|(name, value)| (format!("{prefix}{name}"), value.clone())).collect();
        let twice: Vec<&String> = taken.keys().filter(|name| left.contains_key(*name)).collect();
        match clash(&text(&left), &made, &names) {
            Some(name) => prop_assert!(twice.contains(&&name), "{name}"),
            None => prop_assert!(twice.is_empty(), "{twice:?}"),
        }
        let mut out = Vec::new();
        push_joined(text(&left).as_bytes(), &made, &mut out);
        prop_assert!(scan::check(&out).is_ok());
        let mut want = left.clone();
        want.extend(taken.clone());
        // Where there is a clash nothing of this is written.
        if twice.is_empty() {
            prop_assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), Value::from(want));
        }
        let mut alone_want = taken;
        alone_want.extend(right.get("k").map(|key| ("k".to_string(), key.clone())));
        if !alone_want.is_empty() {
            let alone: Value = serde_json::from_str(&alone).unwrap();
            prop_assert_eq!(alone, Value::from(alone_want));
        }
    }

    #[test]
    fn whatever_two_records_are_they_become_one(left in values(), right in values()) {
        let joined = joined(&left.to_string(), ".[0]", &right.to_string());
        let got: Value = serde_json::from_str(&joined).unwrap();
        let want = match (&left, &right) {
            (Value::Object(ours), Value::Object(theirs)) => {
                let clash = theirs.keys().any(|name| ours.contains_key(name));
                prop_assume!(!clash);
                Value::from(ours.clone().into_iter().chain(theirs.clone()).collect::<Map<_, _>>())
            }
            (Value::Array(ours), Value::Array(theirs)) => {
                Value::from([ours, theirs.get(1..).unwrap_or_default()].concat())
            }
            (_, Value::Object(theirs)) => json!([left, theirs]),
            (_, Value::Array(theirs)) => json!([left, theirs.get(1..).unwrap_or_default()]),
            _ => left,
        };
        prop_assert_eq!(got, want);
    }
}

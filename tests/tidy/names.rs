//! Names of public types: each stands for one thing, and none for what Rust's prelude calls so.

use std::collections::BTreeMap;

use super::source::{public_types, tokens};
use super::{Source, none, rust};

/// Names that several public types have, and how many: to become fewer, and never more.
const DOUBLES: &[(&str, usize)] = &[];

/// Names of the prelude that types have for all that: `crate::Result` is that of the house.
const OF_PRELUDE: &[(&str, usize)] = &[("Result", 1)];

/// What the prelude gives without a `use`: types, traits, and what is in its enums.
const PRELUDE: &[&str] = &[
    "AsMut",
    "AsRef",
    "Box",
    "Clone",
    "Copy",
    "Default",
    "DoubleEndedIterator",
    "Drop",
    "Eq",
    "Err",
    "ExactSizeIterator",
    "Extend",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "FromIterator",
    "Future",
    "Into",
    "IntoFuture",
    "IntoIterator",
    "Iterator",
    "None",
    "Ok",
    "Option",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Result",
    "Send",
    "Sized",
    "Some",
    "String",
    "Sync",
    "ToOwned",
    "TryFrom",
    "Vec",
];

/// How many public types have each name.
fn counted(sources: &[Source]) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for (_, text) in sources {
        for name in public_types(&tokens(text)) {
            *counted.entry(name.to_string()).or_default() += 1;
        }
    }
    counted
}

/// What is wrong where so many types have these names, and `allowed` says how many may; `most` is how
/// many of a name need no allowance.
fn wrong(counted: &BTreeMap<String, usize>, most: usize, allowed: &[(&str, usize)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, count) in counted {
        let may = allowed.iter().find(|(allowed, _)| allowed == name).map_or(most, |(_, may)| *may);
        if *count > may {
            wrong.push(format!("{count} public types are called {name}, and {may} may be"));
        }
    }
    for (name, may) in allowed {
        let count = counted.get(*name).copied().unwrap_or(0);
        if count < *may || *may <= most {
            wrong.push(format!("{name}: {may} are allowed and there are {count}: lower the list"));
        }
    }
    wrong
}

#[test]
fn no_two_public_types_have_one_name_but_those_of_the_list() {
    none(wrong(&counted(&rust("lib")), 1, DOUBLES));
}

#[test]
fn no_public_type_is_called_as_one_of_the_prelude() {
    let mut counted = counted(&rust("lib"));
    counted.retain(|name, _| PRELUDE.contains(&name.as_str()));
    none(wrong(&counted, 0, OF_PRELUDE));
}

#[test]
fn the_lists_say_how_many_and_can_only_shrink() {
    let file = |text: &str| ("lib/x.rs".to_string(), text.to_string());
    let files = [file("pub struct A; pub enum B {}"), file("pub(super) struct A; struct B;")];
    let counted = counted(&files);
    let is = |allowed: &[(&str, usize)], text: &str| {
        let wrong = wrong(&counted, 1, allowed);
        assert!(wrong.len() == 1 && wrong[0].contains(text), "{wrong:?}");
    };
    assert_eq!(wrong(&counted, 1, &[("A", 2)]), [""; 0]);
    is(&[], "2 public types are called A");
    is(&[("A", 3)], "A: 3 are allowed and there are 2");
    is(&[("A", 2), ("B", 1)], "B: 1 are allowed");
    is(&[("A", 2), ("C", 2)], "C: 2 are allowed and there are 0");
    let option = BTreeMap::from([("Option".to_string(), 1)]);
    assert_eq!(wrong(&option, 0, &[]).len(), 1);
    assert_eq!(wrong(&option, 0, &[("Option", 1)]), [""; 0]);
}

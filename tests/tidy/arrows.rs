//! Which room may name which: the table in `lib/lib.rs`, held against the code, both ways.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{module, paths, tokens};
use super::{Source, none, rust, unit_tests};

/// What `lib.rs` says in front of the table.
const HEADING: &str = "//! # The arrows";

/// The rooms that each room names.
type Arrows = BTreeMap<String, BTreeSet<String>>;

/// The row of the tools, which are no room.
const TOOLS: &str = "bins";

/// The table of `lib.rs`: a row `| room | those that it names |` for each.
fn table(lib: &str) -> Arrows {
    let rows = lib.lines().skip_while(|line| *line != HEADING).skip(1);
    let rows = rows.take_while(|line| line.starts_with("//!") && !line.starts_with("//! #"));
    let cells = rows.filter_map(|row| row.strip_prefix("//! | ")?.split_once(" | "));
    let words = |cell: &str| {
        let words = cell.trim_end_matches('|').split([',', ' ']);
        words.map(str::to_string).filter(|word| !word.is_empty()).collect()
    };
    let head = |room: &str| room == "room" || room.starts_with('-');
    let rows = cells.filter(|(room, _)| !head(room));
    rows.map(|(room, named)| (room.to_string(), words(named))).collect()
}

/// The room that a file lies in; none for `lib.rs` itself.
pub fn room(file: &str) -> Option<String> {
    match file.strip_prefix("bins/") {
        Some(_) => Some(TOOLS.to_string()),
        None => module(file).into_iter().next(),
    }
}

/// Whether a file holds nothing but unit tests.
fn is_of_tests(file: &str) -> bool {
    file.ends_with("/tests.rs") || file.contains("/tests/")
}

/// The arrows of the code, and of unit tests by themselves: each with a place where it is.
fn drawn(sources: &[Source]) -> [BTreeMap<(String, String), String>; 2] {
    let rooms: BTreeSet<String> = sources.iter().filter_map(|(file, _)| room(file)).collect();
    let mut drawn = [BTreeMap::new(), BTreeMap::new()];
    for (file, text) in sources {
        let Some(own) = room(file) else { continue };
        let tests = if is_of_tests(file) { 1 } else { unit_tests(text) };
        for (path, line) in paths(&tokens(text), &module(file)) {
            let Some(named) = path.first().filter(|name| **name != own && rooms.contains(*name))
            else {
                continue;
            };
            let of_tests = usize::from(line >= tests);
            let arrow = (own.clone(), named.clone());
            drawn[of_tests].entry(arrow).or_insert_with(|| format!("{file}:{line}"));
        }
    }
    drawn
}

/// The rooms that lie below `from`, by however many arrows.
fn below(table: &Arrows, from: &str) -> BTreeSet<String> {
    let (mut below, mut open) = (BTreeSet::new(), vec![from.to_string()]);
    while let Some(room) = open.pop() {
        let named = table.get(&room).into_iter().flatten();
        open.extend(named.filter(|room| below.insert((*room).clone())).cloned());
    }
    below
}

/// What is wrong with the table: arrows that are not in it, or in it and nowhere else, and rooms that
/// name one another.
fn wrong(lib: &str, sources: &[Source]) -> Vec<String> {
    let (table, [code, tests]) = (table(lib), drawn(sources));
    let mut wrong = Vec::new();
    let rooms: BTreeSet<String> = sources.iter().filter_map(|(file, _)| room(file)).collect();
    for room in rooms.iter().filter(|room| !table.contains_key(*room)) {
        wrong.push(format!("lib/lib.rs: the table of arrows has no row for {room}"));
    }
    let has = |from: &str, to: &str| table.get(from).is_some_and(|named| named.contains(to));
    let code_wrong = code.iter().filter(|((from, to), _)| !has(from, to));
    let tests_wrong = tests.iter().filter(|((from, to), _)| !below(&table, from).contains(to));
    for ((from, to), place) in code_wrong.chain(tests_wrong) {
        wrong.push(format!("{place}: {from} may not know {to}: no such arrow is in lib/lib.rs"));
    }
    for (from, named) in &table {
        for to in named.iter().filter(|to| !code.contains_key(&(from.clone(), (*to).clone()))) {
            wrong.push(format!("lib/lib.rs: the arrow from {from} to {to} is not in the code"));
        }
    }
    // Rooms that name none but those that are out already go out, until there are no more.
    let mut left: BTreeSet<&String> = table.keys().collect();
    while let Some(out) = left.iter().find(|room| table[**room].iter().all(|to| !left.contains(to)))
    {
        let out = *out;
        left.remove(out);
    }
    if !left.is_empty() {
        wrong.push(format!("lib/lib.rs: arrows go in a circle between {left:?}"));
    }
    wrong
}

#[test]
fn arrows_between_rooms_are_those_of_the_table() {
    let sources: Vec<Source> = ["lib", "bins"].into_iter().flat_map(rust).collect();
    let lib = sources.iter().find(|(file, _)| file == "lib/lib.rs").unwrap().1.clone();
    none(wrong(&lib, &sources));
}

#[test]
fn every_room_is_told_of_in_the_map() {
    let sources = rust("lib");
    let lib = &sources.iter().find(|(file, _)| file == "lib/lib.rs").unwrap().1;
    let rooms: BTreeSet<String> = sources.iter().filter_map(|(file, _)| room(file)).collect();
    let told = |room: &String| {
        lib.contains(&format!("//! - [`{room}`]")) || lib.contains(&format!("//! - [`mod@{room}`]"))
    };
    none(rooms.into_iter().filter(|room| room != "error" && !told(room)).collect());
}

/// Two rooms and the tools as they should be.
const LIB: &str = "//! # The arrows\n//!\n//! | room | names |\n//! | --- | --- |\n\
    //! | bins | high |\n//! | high | low |\n//! | low | |\n//!\n//! # More\npub mod low;";

fn tree(high: &str, low: &str) -> Vec<Source> {
    let file = |name: &str, text: &str| (name.to_string(), text.to_string());
    vec![
        file("lib/lib.rs", LIB),
        file("lib/high/mod.rs", high),
        file("lib/low.rs", low),
        file("bins/tool.rs", "use mycloud::{high::{self, x}};"),
    ]
}

#[test]
fn a_table_that_is_right_is_no_fault_and_each_fault_of_it_is_told() {
    let good = "use crate::{high::x, low::{a, b}};";
    assert_eq!(wrong(LIB, &tree(good, "")), [""; 0]);
    let is = |lib: &str, high: &str, low: &str, text: &str| {
        let wrong = wrong(lib, &tree(high, low));
        assert!(wrong.len() == 1 && wrong[0].contains(text), "{wrong:?}");
    };
    is(LIB, good, "fn f() { crate::high::g() }", "lib/low.rs:1: low may not know high");
    is(
        LIB,
        good,
        "\n#[cfg(test)]\nmod tests {\n use super::super::high;\n}",
        "low.rs:4: low may not",
    );
    let mut further = tree(good, "");
    further[3].1 += "\n#[cfg(test)]\nmod tests { use mycloud::low; }";
    assert_eq!(wrong(LIB, &further), [""; 0], "what lies further down");
    is(LIB, "// crate::low", "", "the arrow from high to low is not in the code");
    let in_tests = "\n#[cfg(test)]\nmod tests {\n use crate::low;\n}";
    is(LIB, in_tests, "", "the arrow from high to low is not in the code");
    is(&LIB.replace("//! | low | |\n", ""), good, "", "no row for low");
    is(
        &LIB.replace("bins | high |", "bins | high, low |"),
        good,
        "",
        "from bins to low is not in the",
    );
    let circle = LIB.replace("low | |", "low | high |");
    is(&circle, good, "use crate::high;", "in a circle between {\"bins\", \"high\", \"low\"}");
}

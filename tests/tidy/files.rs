//! What files hold, how long they are, and that each is there for something.

use std::collections::BTreeSet;
use std::path::Path;

use super::arrows::room;
use super::source::{functions, module, modules, paths, tokens};
use super::{Source, all_rust, none, paths_below, rust, without_tests};
use crate::support::repository;

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 70;

/// A program is its options and the way of the stream through the library.
const PROGRAM_LINES: usize = 130;

/// Files that may be longer, each with the reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// Functions that may be longer, each with the reason: `FILE: NAME`.
const LONG_FUNCTIONS: &[(&str, &str)] = &[];

/// Names that say nothing of what is inside.
const VAGUE: &[&str] = &["util", "utils", "misc", "common", "helper", "helpers", "shared", "stuff"];

/// What decides what is done next: it knows nothing that is not the same each time, so that every
/// order of events can be played to it.
const PLANS: [&str; 7] = [
    "lib/engine/dispatch.rs",
    "lib/engine/exchange/course.rs",
    "lib/engine/exchange/planner/",
    "lib/engine/roster.rs",
    "lib/engine/schedule.rs",
    "lib/engine/stragglers.rs",
    "lib/engine/trial.rs",
];

/// What is not the same each time.
const OF_THE_WORLD: [&str; 11] = [
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::sync",
    "std::thread",
    "Instant",
    "SystemTime",
    "Connection",
    "random()",
];

/// What only the room `cli` may do.
const OF_CLI: [&str; 6] =
    ["env::var", "env::args", "clap::", "process::exit", "io::stdin", "io::stdout"];

/// Those of `found` (a place and its length) that are over the limit and not allowed to be, and those
/// that are allowed to be and are not.
fn too_long(found: &[(String, usize)], limit: usize, allowed: &[(&str, &str)]) -> Vec<String> {
    let is_allowed = |place: &str| allowed.iter().any(|(allowed, _)| *allowed == place);
    let long: Vec<_> = found.iter().filter(|(_, lines)| *lines > limit).collect();
    let over = long.iter().filter(|(place, _)| !is_allowed(place));
    let mut wrong: Vec<String> =
        over.map(|(place, lines)| format!("{place}: {lines} lines, limit {limit}")).collect();
    let unused =
        allowed.iter().filter(|(allowed, _)| !long.iter().any(|(place, _)| place == allowed));
    wrong
        .extend(unused.map(|(place, _)| format!("{place} may be long and is not: say no more so")));
    wrong
}

#[test]
fn files_fit_a_reader() {
    let length = |(file, text): Source| (file, without_tests(&text).lines().count());
    let lengths: Vec<_> = all_rust().into_iter().map(length).collect();
    none(too_long(&lengths, FILE_LINES, LONG_FILES));
    let programs: Vec<_> =
        lengths.into_iter().filter(|(file, _)| file.starts_with("bins/")).collect();
    assert!(programs.len() > 9, "only {} programs are found", programs.len());
    none(too_long(&programs, PROGRAM_LINES, &[]));
}

/// The functions of a file, each with its place and its length.
fn lengths((file, text): &Source) -> Vec<(String, usize)> {
    let functions = functions(&tokens(text)).into_iter();
    functions.map(|function| (format!("{file}: {}", function.name), function.lines)).collect()
}

#[test]
fn functions_fit_a_screen() {
    let lengths: Vec<_> = all_rust().iter().flat_map(lengths).collect();
    assert!(lengths.len() > 3000, "only {} functions are found", lengths.len());
    none(too_long(&lengths, FUNCTION_LINES, LONG_FUNCTIONS));
}

#[test]
fn what_is_too_long_is_told_and_what_may_be_and_is_not() {
    let file = format!("pub(in crate::x) fn a() {{\n{}}}\nfn b() {{}}\n", "f();\n".repeat(70));
    let found = lengths(&("x.rs".into(), file));
    assert_eq!(found, [("x.rs: a".to_string(), 72), ("x.rs: b".into(), 1)]);
    assert_eq!(too_long(&found, 70, &[]), ["x.rs: a: 72 lines, limit 70"]);
    assert_eq!(too_long(&found, 70, &[("x.rs: a", "it must")]), [""; 0]);
    assert_eq!(too_long(&found, 72, &[("x.rs: a", "it must")]).len(), 1);
}

/// The stages, by the folder that they lie in.
fn stages(sources: &[Source]) -> BTreeSet<String> {
    sources.iter().filter_map(|(file, _)| stage(file)).collect()
}

/// The stage that a file belongs to.
fn stage(file: &str) -> Option<String> {
    module(file).get(1).filter(|_| file.starts_with("lib/stage/")).cloned()
}

/// Where a stage names another one.
fn stages_that_know_others(sources: &[Source]) -> Vec<String> {
    let (stages, mut wrong) = (stages(sources), Vec::new());
    for (file, text) in sources {
        let Some(own) = stage(file) else { continue };
        for (path, line) in paths(&tokens(text), &module(file)) {
            let named = path.get(1).filter(|_| path[0] == "stage");
            if let Some(other) = named.filter(|name| **name != own && stages.contains(*name)) {
                wrong.push(format!("{file}:{line}: the stage {own} may not know {other}"));
            }
        }
    }
    wrong
}

#[test]
fn stages_do_not_know_one_another() {
    let sources = rust("lib/stage");
    assert!(stages(&sources).len() > 5, "{:?}", stages(&sources));
    none(stages_that_know_others(&sources));
}

#[test]
fn a_stage_that_knows_another_is_told() {
    let file = |name: &str, text: &str| (format!("lib/stage/{name}.rs"), text.to_string());
    let others = [file("mod", "pub mod a; pub mod b;"), file("b/c", "use super::{d, super::d};")];
    for (text, count) in [
        ("use crate::stage::{a, b::{c, d}};", 2),
        ("use super::b;", 1),
        ("fn f() { super::b::run() }", 1),
        ("// stage::b::run", 0),
        ("use crate::stage::a;", 0),
    ] {
        let sources = [&others[..], &[file("a", text)]].concat();
        assert_eq!(stages_that_know_others(&sources).len(), count, "{text}");
    }
}

/// The code of a file without its unit tests: what stands together is one word, and what braces take
/// apart is there once more in one.
fn code(text: &str) -> String {
    let tokens = tokens(without_tests(text));
    let paths = paths(&tokens, &[]).into_iter().map(|(path, _)| format!(" {}", path.join("::")));
    tokens.iter().map(|token| token.text.to_string()).chain(paths).collect()
}

/// Where what plans names what is not the same each time, or is not there.
fn worldly(sources: &[Source], plans: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    for plan in plans {
        let files: Vec<_> = sources.iter().filter(|(file, _)| file.starts_with(plan)).collect();
        if files.is_empty() {
            wrong.push(format!("no such file: {plan}"));
        }
        for (file, text) in files {
            let code = code(text);
            let names = OF_THE_WORLD.iter().filter(|name| code.contains(**name));
            wrong.extend(names.map(|name| format!("{file}: names {name}")));
        }
    }
    wrong
}

#[test]
fn what_plans_knows_no_socket_no_thread_and_no_clock() {
    none(worldly(&rust("lib/engine"), &PLANS));
}

#[test]
fn a_plan_that_knows_a_clock_is_told() {
    let file = |text: &str| [("lib/plan/a.rs".to_string(), text.to_string())];
    let plan = &["lib/plan/"][..];
    assert_eq!(worldly(&file("use std::time::Instant;"), plan), ["lib/plan/a.rs: names Instant"]);
    assert_eq!(worldly(&file("use std::{cmp, thread::{self}};"), plan).len(), 1);
    assert_eq!(worldly(&file("fn f(to: &Connection) {}"), plan).len(), 1);
    assert_eq!(worldly(&file("// Instant\nuse std::time::Duration;"), plan), [""; 0]);
    assert_eq!(worldly(&file(""), &["lib/other/"]), ["no such file: lib/other/"]);
}

/// What others than `cli` and the tools do that is for these alone. The tools know clap, and no more.
fn done_for_cli(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, text) in sources.iter().filter(|(file, _)| room(file).is_none_or(|r| r != "cli")) {
        let code = code(text);
        for name in OF_CLI.iter().filter(|name| code.contains(**name)) {
            if !(file.starts_with("bins/") && *name == "clap::") {
                wrong.push(format!("{file}: {name} is for cli alone"));
            }
        }
    }
    wrong
}

#[test]
fn only_cli_reads_the_environment_and_the_command_line() {
    let sources: Vec<Source> = ["lib", "bins"].into_iter().flat_map(rust).collect();
    none(done_for_cli(&sources));
}

#[test]
fn what_is_done_for_cli_is_told() {
    let wrong = |file: &str, text: &str| done_for_cli(&[(file.into(), text.into())]).len();
    assert_eq!(wrong("lib/run/x.rs", "fn f() { std::env::var(\"A\") }"), 1);
    assert_eq!(wrong("bins/mc-x.rs", "fn f() { std::process :: exit(1) }"), 1);
    assert_eq!(wrong("bins/mc-x.rs", "use std::{env::{args, var}, io};"), 2);
    assert_eq!(wrong("bins/mc-x.rs", "use clap::Parser;"), 0);
    assert_eq!(wrong("lib/cli/x.rs", "use clap::Parser; fn f() { std::env::args() }"), 0);
    assert_eq!(
        wrong("lib/run/x.rs", "// clap::\n\n#[cfg(test)]\nmod tests { fn f() { env::var() } }"),
        0
    );
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = all_rust().into_iter().filter(|(_, text)| !text.starts_with("//! "));
    none(silent.map(|(file, _)| format!("{file}: begins without //!")).collect());
}

#[test]
fn no_room_has_a_vague_name() {
    let vague = |file: &String| {
        let path = Path::new(file).with_extension("");
        path.iter().any(|part| VAGUE.contains(&part.to_str().unwrap()))
    };
    none(["bins", "lib", "tests"].into_iter().flat_map(paths_below).filter(vague).collect());
}

/// The files of `sources` that no `mod` names, from the file `root` on.
fn forgotten(sources: &[Source], root: &str) -> Vec<String> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![root.to_string()]);
    while let Some(file) = open.pop() {
        let Some((_, text)) = sources.iter().find(|(name, _)| *name == file) else { continue };
        // The files of a module lie beside a mod.rs and the root, or in a folder of its name.
        let folder = match file.rsplit_once('/') {
            Some((folder, "mod.rs")) => folder,
            Some((folder, _)) if file == root => folder,
            _ => file.trim_end_matches(".rs"),
        };
        for name in modules(&tokens(text)) {
            open.extend([format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")]);
        }
        seen.insert(file);
    }
    let names = sources.iter().map(|(name, _)| name.clone());
    names.filter(|name| !seen.contains(name)).collect()
}

#[test]
fn no_file_is_forgotten() {
    let unnamed = |file: String| format!("{file} is in no module");
    let (tests, lib) = (rust("tests"), rust("lib"));
    let mut wrong = Vec::new();
    // What feeds the decoders, and what plays the plans, is a module of the library's unit tests.
    let mut suite = tests.clone();
    for folder in ["tests/fuzz/", "tests/simulation/", "tests/conversation/"] {
        let is_there = |(file, _): &Source| file.starts_with(folder);
        let (of_lib, rest): (Vec<Source>, Vec<Source>) = suite.into_iter().partition(is_there);
        wrong.extend(forgotten(&of_lib, &format!("{folder}mod.rs")).into_iter().map(unnamed));
        suite = rest;
    }
    wrong.extend(forgotten(&suite, "tests/suite.rs").into_iter().map(unnamed));
    wrong.extend(forgotten(&lib, "lib/lib.rs").into_iter().map(unnamed));
    let cargo = std::fs::read_to_string(repository("Cargo.toml")).unwrap();
    let is_tool = |file: &String| cargo.contains(&format!("path = \"{file}\""));
    wrong.extend(paths_below("bins").into_iter().filter(|file| !is_tool(file)));
    let programs = paths_below("tests").into_iter().filter(|file| file.ends_with(".py"));
    let is_run = |file: &str| {
        let (folder, name) = file.rsplit_once('/').unwrap();
        let beside = |source: &str| source.starts_with(folder);
        tests.iter().any(|(source, text)| beside(source) && text.contains(&format!("{name}\"")))
    };
    wrong.extend(programs.filter(|file| !is_run(file)).map(|file| format!("{file} is not run")));
    none(wrong);
}

#[test]
fn a_file_that_no_module_names_is_told() {
    let file = |name: &str, text: &str| (format!("tests/{name}"), text.to_string());
    let sources = [
        file("suite.rs", "mod a;\nmod b { mod c; }"),
        file("a/mod.rs", "mod d; // mod e;"),
        file("a/d.rs", "mod f;"),
        file("a/d/f.rs", ""),
        file("a/e.rs", ""),
        file("a/f.rs", ""),
    ];
    assert_eq!(forgotten(&sources, "tests/suite.rs"), ["tests/a/e.rs", "tests/a/f.rs"]);
}

#[test]
fn no_file_speaks_of_one_machine_or_is_unfinished() {
    // Put together here, so that this file passes its own test.
    let words =
        ["/wo+rk/", "/ro+ot/", "/tmp/w+t", "index-u+rl", "TO+DO", "FIX+ME", "Under con+struction"];
    let words: Vec<String> = words.iter().map(|word| word.replace('+', "")).collect();
    let mut wrong = Vec::new();
    for file in paths_below("").iter().filter(|file| *file != "Cargo.lock") {
        let Ok(text) = std::fs::read_to_string(repository(file)) else { continue };
        for word in words.iter().filter(|word| text.contains(word.as_str())) {
            wrong.push(format!("{file}: {word}"));
        }
    }
    none(wrong);
}

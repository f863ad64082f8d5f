//! The man pages: the same options as `--help`, clean, and examples that do what they show. And
//! the scripts of the completions.

use std::collections::BTreeSet;

use crate::support::{Call, copy, dir, mc, need, repository, sh};

/// What mandoc says of pages that it has not indexed, which is nothing about ours.
const INDEX_WORDS: &[&str] = &["referenced manual not found", "mandoc.db"];

/// The tools that a person types: not what they send to hosts, nor what they call.
fn tools() -> Vec<String> {
    let names = crate::support::names(repository("bins"));
    names
        .iter()
        .filter(|name| *name != "mc-worker.rs" && !name.starts_with("mc-format-"))
        .map(|name| name.trim_end_matches(".rs")["mc-".len()..].to_string())
        .collect()
}

fn pages() -> Vec<String> {
    crate::support::names(repository("man"))
}

fn page(name: &str) -> String {
    std::fs::read_to_string(repository("man").join(name)).unwrap()
}

/// The options in `--help`, such as `-k, --key KEY`.
fn options_of_help(tool: &str) -> BTreeSet<String> {
    let help = mc(tool).arg("--help").succeeds().text();
    let lines = help
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with('-') && !line.starts_with("- "));
    let spelling = |line: &str| line.split("  ").next().unwrap().replace(['<', '>'], "");
    lines.map(|line| spelling(line).trim_end_matches("...").to_string()).collect()
}

/// The options that a page describes, in the same spelling: each begins an item of a list.
fn options_of_page(text: &str) -> BTreeSet<String> {
    let items = text.lines().filter_map(|line| line.strip_prefix(".It Fl "));
    let spelling = |item: &str| {
        let mut words = item.split(' ');
        let mut text = format!("-{}", words.next().unwrap());
        while let Some(word) = words.next() {
            match word {
                "Fl" => text += &format!(" -{}", words.next().unwrap()),
                "Ar" => text += &format!(" {}", words.next().unwrap()),
                "," => text += ",",
                "..." => (),
                _ => panic!(".It Fl {item}: an option is written .It Fl x , Fl -long Ar VALUE"),
            }
        }
        text
    };
    items.map(spelling).collect()
}

#[test]
fn pages_and_help_have_the_same_options() {
    for tool in tools() {
        let page = page(&format!("mc-{tool}.1"));
        let (help, page) = (options_of_help(&tool), options_of_page(&page));
        let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| -> Vec<String> {
            a.difference(b).cloned().collect()
        };
        let (in_help, in_page) = (only(&help, &page), only(&page, &help));
        assert!(
            in_help.is_empty() && in_page.is_empty(),
            "mc-{tool}: only --help has {in_help:?}, only the page has {in_page:?}"
        );
        assert!(help.contains("--version"), "mc-{tool}: --help was not understood: {help:?}");
    }
}

#[test]
fn every_tool_has_its_page_and_no_page_is_without_its_tool() {
    let mut expected: Vec<String> = tools().iter().map(|tool| format!("mc-{tool}.1")).collect();
    // A program in another language, which has its tests in tests/spark.
    expected.push("mc-spark.1".into());
    expected.extend(["mycloud-tutorial.7", "mycloud.7"].map(String::from));
    expected.sort();
    assert_eq!(pages(), expected);
}

#[test]
fn pages_are_clean() {
    need("mandoc", "apt-get install mandoc");
    let pages: Vec<_> = pages().iter().map(|name| repository("man").join(name)).collect();
    let output = Call::new("mandoc").args(["-T", "lint"]).args(&pages).stderr_any().spawn().wait();
    let said = output.text() + &String::from_utf8_lossy(&output.stderr);
    let said = said.lines().filter(|line| !INDEX_WORDS.iter().any(|words| line.contains(words)));
    let said: Vec<&str> = said.collect();
    assert!(said.is_empty(), "{}", said.join("\n"));
}

#[test]
fn mc_shuffle_says_first_that_it_is_not_random() {
    let page = page("mc-shuffle.1");
    let first = page.lines().find_map(|line| line.strip_prefix(".Nd ")).unwrap();
    assert!(first.contains("not a random permutation"), "{first}");
}

/// A command of a page's examples, and what it prints, if the page says.
struct Example {
    line: usize,
    command: String,
    prints: String,
}

/// The examples of a page: in a literal display, `$ ` begins a command, `> ` continues it, and
/// what follows is what it prints; displays without `$ ` are not run.
fn examples(text: &str) -> Vec<Example> {
    let (mut examples, mut literal): (Vec<Example>, bool) = (Vec::new(), false);
    let mut begun = false;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with(".Bd -literal") || line == ".Ed" {
            (literal, begun) = (line != ".Ed", false);
            continue;
        }
        let line = line.replace("\\&", "").replace("\\e", "\\");
        if let (true, Some(command)) = (literal, line.strip_prefix("$ ")) {
            begun = true;
            let (command, prints) = (command.to_string(), String::new());
            examples.push(Example { line: number + 1, command, prints });
        } else if let Some(example) = examples.last_mut().filter(|_| literal && begun) {
            match line.strip_prefix("> ") {
                Some(more) => example.command += &format!("\n{more}"),
                None => example.prints += &format!("{line}\n"),
            }
        }
    }
    examples
}

#[test]
fn examples_print_what_the_pages_show() {
    need("jq", "apt-get install jq");
    let mut run = 0;
    for name in pages() {
        let dir = dir();
        copy(repository("tests/data/manual"), dir.path());
        for example in examples(&page(&name)) {
            // The place is part of the command, so that a failure shows it.
            let script = format!("# man/{name}, line {}\n{}", example.line, example.command);
            let call = sh("dash", &script).current_dir(dir.path());
            if example.prints.is_empty() {
                call.succeeds();
            } else {
                call.stdout(example.prints).succeeds();
            }
            run += 1;
        }
    }
    assert!(run > 20, "only {run} examples were found");
}

/// What may be said of a format that is read and written, as its own errors say it: `delim=`,
/// `trim`, `comparator=ignore`.
fn options_of_format(format: &str) -> BTreeSet<String> {
    let resource = format!("{format},no-such-option:x");
    let mut options = BTreeSet::new();
    for (tool, args) in [("cat", vec![&*resource]), ("gather", vec!["-o", &resource])] {
        let said = mc(tool).args(args).stdin("").stderr_any().spawn().wait();
        let said = String::from_utf8(said.stderr).unwrap();
        let list = said.split_once("there are ").map_or("", |(_, list)| list.trim_end());
        options
            .extend(list.split(", ").map(|option| option.split(' ').next().unwrap().to_string()));
    }
    options.retain(|option| !option.is_empty() && option != "none");
    assert!(!options.is_empty(), "{format} says of no option that it has it");
    options
}

/// The reductions that `--help` names, as they are called.
fn reductions() -> Vec<String> {
    let help = mc("reduce").arg("--help").succeeds().text();
    let list = help.split_once("each group: ").unwrap().1.split_once("\n\n").unwrap().0;
    let names = list.split([',', '(', ')']).map(str::trim).filter(|name| name.len() > 2);
    // Those that begin with another's name are quantiles of other numbers.
    let names = names.filter(|name| *name != "...").map(|name| match name {
        "p50" | "p95" => "p",
        name => name.trim_end_matches(char::is_uppercase),
    });
    names.map(str::to_string).collect()
}

#[test]
fn every_option_of_a_format_every_reduction_and_every_modifier_has_an_example() {
    let commands: Vec<String> = pages()
        .iter()
        .flat_map(|name| examples(&page(name)))
        .map(|example| example.command)
        .collect();
    let missing = |wanted: &dyn Fn(&str) -> bool| !commands.iter().any(|command| wanted(command));
    let mut lacking = Vec::new();
    for format in ["csv", "tsv", "json", "ndjson", "text", "zip", "leveldb", "table"] {
        for option in options_of_format(format) {
            let said = format!(",{option}");
            if missing(&|command| command.contains(&said)) {
                lacking.push(format!("{format}{said}"));
            }
        }
    }
    for name in reductions() {
        let begins = |command: &str| {
            let mut words = command.split([' ', '=', '\n']);
            words.any(|word| word.starts_with(&name) || word == name.trim_end_matches('='))
        };
        if missing(&begins) {
            lacking.push(name);
        }
    }
    for modifier in ["n", "r", "i", "V"] {
        let said = |command: &str| {
            let of =
                |word: &str| word.split_once(':').is_some_and(|(_, mods)| mods.contains(modifier));
            command.split("-k ").skip(1).any(|rest| rest.split(' ').next().is_some_and(of))
        };
        if missing(&said) {
            lacking.push(format!("-k KEY:{modifier}"));
        }
    }
    assert!(lacking.is_empty(), "no example of the pages has {}", lacking.join(", "));
}

#[test]
fn completions_are_scripts_for_each_shell() {
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        need(shell, &format!("apt-get install {shell}"));
        for tool in tools() {
            let script = mc(&tool).args(["--completions", shell]).succeeds().text();
            let dir = dir();
            let path = crate::support::write(&dir, "script", &script);
            Call::new(shell).arg(check).arg(path).succeeds();
        }
    }
}

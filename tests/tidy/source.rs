//! Rust as these rules read it: words and signs without comments and texts, and the paths that they
//! name.

/// A word or a sign, and the line that it stands in, from 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token<'a> {
    pub text: &'a str,
    pub line: usize,
}

/// The words and signs of a file: no comments, and no texts and characters but their quotes.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while at < text.len() {
        let rest = &text[at..];
        let (length, is_token) = next(rest);
        if is_token {
            tokens.push(Token { text: &rest[..length], line });
        }
        line += rest[..length].matches('\n').count();
        at += length;
    }
    tokens
}

/// How long what `text` begins with is, and whether it is a word or a sign.
fn next(text: &str) -> (usize, bool) {
    let first = text.chars().next().unwrap_or_default();
    if first.is_whitespace() {
        return (first.len_utf8(), false);
    }
    if text.starts_with("//") {
        return (text.find('\n').unwrap_or(text.len()), false);
    }
    if text.starts_with("/*") {
        return (comment(text), false);
    }
    if let Some(length) = literal(text) {
        return (length, false);
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    match text.find(|c| !is_word(c)).unwrap_or(text.len()) {
        0 if text.starts_with("::") => (2, true),
        0 => (first.len_utf8(), true),
        word => (word, true),
    }
}

/// The length of the comment that `text` begins with; others may lie in it.
fn comment(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    loop {
        let rest = &text[at..];
        let step = if rest.starts_with("/*") { 1 } else { -i32::from(rest.starts_with("*/")) };
        depth += step;
        at += if step == 0 { rest.chars().next().map_or(0, char::len_utf8) } else { 2 };
        if depth == 0 || at >= text.len() {
            return at;
        }
    }
}

/// The length of the text or character that `text` begins with, if it begins with one.
fn literal(text: &str) -> Option<usize> {
    let start = text.find(|c: char| !matches!(c, 'r' | 'b' | 'c'))?;
    let quoted = &text[start..];
    let hashes = quoted.len() - quoted.trim_start_matches('#').len();
    if start <= 2 && text[..start].contains('r') && quoted[hashes..].starts_with('"') {
        let end = format!("\"{}", "#".repeat(hashes));
        let from = start + hashes + 1;
        return Some(text[from..].find(&end).map_or(text.len(), |at| from + at + end.len()));
    }
    let quote = quoted.chars().next().filter(|c| start <= 1 && matches!(c, '"' | '\''))?;
    let mut inside = quoted[1..].char_indices();
    let (_, first) = inside.next()?;
    // A lifetime has no second quote.
    if quote == '\'' && first != '\\' && !quoted[1 + first.len_utf8()..].starts_with('\'') {
        return None;
    }
    let mut escaped = first == '\\';
    if first == quote {
        return Some(start + 2);
    }
    for (at, c) in inside {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(start + 1 + at + 1),
            _ => {}
        }
    }
    Some(text.len())
}

/// The module that a file of `lib/` is: `["format", "csv"]` for `lib/format/csv/mod.rs`.
pub fn module(file: &str) -> Vec<String> {
    let inside = file.strip_prefix("lib/").unwrap_or_default().trim_end_matches(".rs");
    let inside = inside.strip_suffix("/mod").unwrap_or(inside);
    inside
        .split('/')
        .filter(|part| *part != "lib" && !part.is_empty())
        .map(str::to_string)
        .collect()
}

/// The paths that a file of the module `module` names from `crate`, `mycloud`, `self`, `super` or
/// `std`, in `use` and elsewhere, from the root of the library or from `std`, and their lines.
pub fn paths(tokens: &[Token<'_>], module: &[String]) -> Vec<(Vec<String>, usize)> {
    let (mut found, mut depth, mut inside) = (Vec::new(), 0, Vec::new());
    let mut here = module.to_vec();
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    for at in 0..tokens.len() {
        match text(at) {
            "{" => {
                depth += 1;
                if at >= 2 && text(at - 2) == "mod" {
                    inside.push(depth);
                    here.push(text(at - 1).to_string());
                }
            }
            "}" => {
                if inside.last() == Some(&depth) {
                    inside.pop();
                    here.pop();
                }
                depth -= 1;
            }
            root @ ("crate" | "mycloud" | "self" | "std" | "super")
                if text(at + 1) == "::" && (at == 0 || text(at - 1) != "::") =>
            {
                let mut from = match root {
                    "self" | "super" => here.clone(),
                    "std" => vec!["std".to_string()],
                    _ => Vec::new(),
                };
                if root == "super" {
                    from.pop();
                }
                tree(tokens, at + 1, from, &mut found);
            }
            _ => {}
        }
    }
    found
}

/// The paths that begin with `from` and go on at `at`, with `::`, in braces as deep as they are.
/// Returns where they end.
fn tree(
    tokens: &[Token<'_>],
    mut at: usize,
    mut from: Vec<String>,
    found: &mut Vec<(Vec<String>, usize)>,
) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let is_word = |word: &str| word.starts_with(|c: char| c.is_alphabetic() || c == '_');
    while text(at) == "::" {
        at += 1;
        match text(at) {
            "{" => {
                at += 1;
                while !matches!(text(at), "}" | "") {
                    at = match text(at) {
                        "self" => {
                            found.push((from.clone(), tokens[at].line));
                            at + 1
                        }
                        "as" => at + 2,
                        word if is_word(word) => {
                            let mut from = from.clone();
                            from.push(word.to_string());
                            tree(tokens, at + 1, from, found)
                        }
                        _ => at + 1,
                    };
                }
                return at + 1;
            }
            "super" => drop(from.pop()),
            word if is_word(word) => from.push(word.to_string()),
            _ => break,
        }
        at += 1;
    }
    found.push((from, tokens[at - 1].line));
    at
}

/// A function: its name, and in how many lines it stands.
pub struct Function<'a> {
    pub name: &'a str,
    pub lines: usize,
}

/// The functions of a file, those inside others too.
pub fn functions<'a>(tokens: &[Token<'a>]) -> Vec<Function<'a>> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let mut found = Vec::new();
    for at in (0..tokens.len()).filter(|at| text(*at) == "fn") {
        let name = text(at + 1);
        if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            continue;
        }
        let (mut end, mut round, mut depth) = (at, 0, 0);
        while end + 1 < tokens.len() {
            end += 1;
            match text(end) {
                "(" | "[" => round += 1,
                ")" | "]" => round -= 1,
                ";" if round == 0 && depth == 0 => break,
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                _ => {}
            }
        }
        found.push(Function { name, lines: tokens[end].line + 1 - tokens[at].line });
    }
    found
}

/// The modules that a file says are in other files: `mod NAME;`.
pub fn modules<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    let is = |three: &[Token<'_>]| three[0].text == "mod" && three[2].text == ";";
    tokens.windows(3).filter(|three| is(three)).map(|three| three[1].text).collect()
}

/// The names of the types that a file makes public, to all or to some.
pub fn public_types<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let mut found = Vec::new();
    for at in (0..tokens.len()).filter(|at| text(*at) == "pub") {
        let mut at = at + 1;
        if text(at) == "(" {
            while !matches!(text(at), ")" | "") {
                at += 1;
            }
            at += 1;
        }
        while matches!(text(at), "unsafe" | "auto") {
            at += 1;
        }
        if matches!(text(at), "struct" | "enum" | "trait" | "type" | "union") {
            found.push(tokens[at + 1].text);
        }
    }
    found
}

fn texts(text: &str) -> Vec<&str> {
    tokens(text).into_iter().map(|token| token.text).collect()
}

fn named(text: &str, file: &str) -> Vec<String> {
    paths(&tokens(text), &module(file)).into_iter().map(|(path, _)| path.join("::")).collect()
}

#[test]
fn comments_texts_and_characters_are_no_code() {
    assert_eq!(texts("a // b\n/* c /* d */ e */ f /// g"), ["a", "f"]);
    let literals = r##"a("b \" c", 'd', '\'', b'e', b"f", r"g\", r#"h " i"#, '"') j"##;
    assert_eq!(texts(literals).join(""), "a(,,,,,,,)j");
    assert_eq!(texts("fn a<'b>(c: &'b str) {}").join(" "), "fn a < ' b > ( c : & ' b str ) { }");
    assert_eq!(texts("'\u{e9}' x '{' y \"\" z"), ["x", "y", "z"]);
    assert_eq!(texts("rest r#type bar::b"), ["rest", "r", "#", "type", "bar", "::", "b"]);
    let lines: Vec<usize> = tokens("a\n\"b\n\"\nc").iter().map(|token| token.line).collect();
    assert_eq!(lines, [1, 4]);
}

#[test]
fn paths_are_found_in_braces_however_deep_and_relative_ones_too() {
    let text = "use crate::{a::{b, c::{self, d as e}}, f::*}; pub(in crate::g) fn h() {}";
    assert_eq!(named(text, "lib/x.rs"), ["a::b", "a::c", "a::c::d", "f", "g"]);
    assert_eq!(named("use super::y::{self, z};", "lib/r/x.rs"), ["r::y", "r::y::z"]);
    assert_eq!(named("use super::super::q::z;", "lib/r/s/x.rs"), ["r::q::z"]);
    assert_eq!(named("mod t { use super::u; } use super::v;", "lib/r/mod.rs"), ["r::u", "v"]);
    assert_eq!(
        named("self::a::b(); x.self_::c; let d = crate::e::<F>::g;", "lib/r/mod.rs"),
        ["r::a::b", "e"]
    );
    assert_eq!(named("use std::{io::{self, Read}};", "lib/x.rs"), ["std::io", "std::io::Read"]);
    assert_eq!(named("// crate::a\n\"crate::b\"", "lib/x.rs"), [""; 0]);
    assert_eq!(
        named("use mycloud::{cli::options, stage::cat};", "bins/x.rs"),
        ["cli::options", "stage::cat"]
    );
}

#[test]
fn functions_are_measured_whoever_may_call_them() {
    let text = "pub(in crate::a) const fn b<const N: usize>(c: [u8; 3]) -> d\nwhere E: F {\n{\n}\n}\n\
                trait G { fn h(); fn i() {} }\ntype J = fn(u8) -> u8;";
    let found: Vec<(&str, usize)> =
        functions(&tokens(text)).iter().map(|function| (function.name, function.lines)).collect();
    assert_eq!(found, [("b", 5), ("h", 1), ("i", 1)]);
}

#[test]
fn public_types_are_those_of_rooms_too() {
    let text = "pub struct A; pub(crate) enum B {} pub(in crate::x) trait C {} struct D; pub fn e() {} \
                pub unsafe trait F {} pub type G = H;";
    assert_eq!(public_types(&tokens(text)), ["A", "B", "C", "F", "G"]);
}

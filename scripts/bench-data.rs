//! The data of `scripts/bench`: a program of its own without dependencies, which `rustc -O` builds. All is
//! drawn from a fixed seed: the same bytes on every machine.
//!
//!     bench-data KIND COUNT [KEYS]            prints COUNT records of a kind, with KEYS different keys
//!     bench-data shape LAYOUT SHAPE COUNT     prints COUNT records whose keys are as SHAPE says
//!     bench-data scripts COUNT DIR            makes COUNT small files in DIR, and prints their names

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

const SEED: u64 = 1;

/// Bytes of text that a record of the kinds `words` and `prose` stands for, and how many words there are.
const TEXT: u64 = 100;
const WORDS: u64 = 5000;

const STATIONS: u64 = 413;

/// How many different keys the shapes of groups have.
const GROUPS: u64 = 1000;

/// What is wrong, in one line.
type Outcome<T> = Result<T, String>;

/// The generator splitmix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    fn below(&mut self, limit: u64) -> u64 {
        ((self.next() >> 32) * limit) >> 32
    }
}

fn mixed(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// 48 other bits for 48 bits: random to look at, and no two alike.
fn scattered(x: u64) -> u64 {
    const MASK: u64 = (1 << 48) - 1;
    let x = (x + 0x5851_f42d).wrapping_mul(0x9e37_79b9_7f4b) & MASK;
    let x = (x ^ (x >> 24)).wrapping_mul(0xd1b5_4a32_d193) & MASK;
    x ^ (x >> 24)
}

fn letters(mut number: u64, count: u64) -> String {
    let letter = |_| {
        let letter = b'a' + (number % 26) as u8;
        number /= 26;
        char::from(letter)
    };
    (0..count).map(letter).collect()
}

/// The `number`th name: of 5 to 12 letters, and no two alike.
fn name(number: u64) -> String {
    let count = 5 + number % 8;
    let all = u128::from(26u64.pow(count as u32));
    // The factor has no divisor in common with 26, so that no two come out alike.
    let scattered = (u128::from(number / 8) + 17) * 40_014_000_007 % all;
    letters(scattered as u64, count)
}

fn capital(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

/// Names of places: some of two words, some with letters beyond ASCII.
fn station(number: u64) -> String {
    const ACCENTS: [&str; 7] = ["é", "ü", "ñ", "ø", "ç", "İ", "ă"];
    let mut station = capital(&name(number));
    if number % 9 == 0 {
        station += ACCENTS[number as usize / 9 % ACCENTS.len()];
    }
    if number % 11 == 0 {
        station += &format!(" {}", capital(&name(number + STATIONS)));
    }
    station
}

/// Words as text has them: the `n`th is there 1/n times as often as the first, and frequent ones are short.
struct Text {
    words: Vec<String>,
    /// The word of each equal part of the probability.
    parts: Vec<u16>,
}

impl Text {
    fn new() -> Text {
        let (mut words, mut known, mut random) = (Vec::new(), HashSet::new(), Random(SEED));
        while (words.len() as u64) < WORDS {
            let longest = 2 + u64::from((words.len() + 1).ilog2()) / 2;
            let count = longest + random.below(3);
            let word = letters(random.next(), count);
            if known.insert(word.clone()) {
                words.push(word);
            }
        }
        let total: f64 = (1..=WORDS).map(|rank| 1.0 / rank as f64).sum();
        let (mut parts, mut reached) = (Vec::new(), 0.0);
        for rank in 1..=WORDS {
            reached += 1.0 / rank as f64 / total;
            parts.resize((reached * f64::from(1 << 20)) as usize, (rank - 1) as u16);
        }
        Text { words, parts }
    }

    fn word(&self, random: &mut Random) -> &str {
        &self.words[usize::from(self.parts[random.below(self.parts.len() as u64) as usize])]
    }

    /// Adds a line of 5 to 20 words; in `prose` with capitals and commas.
    fn line(&self, prose: bool, random: &mut Random, line: &mut String) {
        for at in 0..5 + random.below(16) {
            if at > 0 {
                line.push_str(if prose && random.below(8) == 0 { ", " } else { " " });
            }
            let word = self.word(random);
            if prose && (at == 0 || random.below(16) == 0) {
                line.push_str(&capital(word));
            } else {
                line.push_str(word);
            }
        }
        line.push_str(if prose { ".\n" } else { "\n" });
    }
}

/// A row of a table: id, name, city, amount, date, note; some notes have commas or quotes.
fn row(number: u64, text: &Text, random: &mut Random) -> [String; 6] {
    let amount = format!("{}.{:02}", random.below(100_000), random.below(100));
    let date = format!("2013-{:02}-{:02}", 1 + random.below(12), 1 + random.below(28));
    let mut note = String::new();
    while note.len() < 45 {
        note.push_str(text.word(random));
        note.push_str(if random.below(64) == 0 { ", " } else { " " });
    }
    if random.below(64) == 0 {
        note.push_str("\"so\"");
    }
    let city = capital(&name(random.below(100)));
    [number.to_string(), name(random.next() >> 40), city, amount, date, note.trim_end().into()]
}

const COLUMNS: [&str; 6] = ["id", "name", "city", "amount", "date", "note"];

fn csv(row: &[String; 6]) -> String {
    let quoted = |field: &String| match field.contains([',', '"']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.clone(),
    };
    row.iter().map(quoted).collect::<Vec<_>>().join(",")
}

fn json(row: &[String; 6]) -> String {
    let member =
        |(name, field): (&&str, &String)| format!("\"{name}\":\"{}\"", field.replace('"', "\\\""));
    COLUMNS.iter().zip(row).map(member).collect::<Vec<_>>().join(",")
}

/// Prints `count` records of a kind. `keys`: how many different ones there are, where that can be said.
fn make(kind: &str, count: u64, keys: u64, out: &mut impl Write) -> io::Result<()> {
    let (mut random, text, mut line) = (Random(SEED), Text::new(), String::new());
    let places: Vec<_> = (0..STATIONS).map(station).collect();
    let names: Vec<_> = (0..keys).map(name).collect();
    let (mut number, mut written, all) =
        (0, 0, if matches!(kind, "words" | "prose") { count * TEXT } else { count });
    // Every other word.
    let mut sorted: Vec<_> = text.words.iter().step_by(2).take(count as usize).collect();
    sorted.sort();
    if kind == "table" {
        writeln!(out, "{}", COLUMNS.join(","))?;
    }
    while written < all {
        line.clear();
        let r = &mut random;
        let told = match kind {
            "numbers" => writeln!(line, "{}", r.next() >> 33),
            "objects" => writeln!(line, "{{\"k\":\"{:012x}\",\"v\":{number}}}", scattered(number)),
            "pairs" => writeln!(line, "[\"{:012x}\",{number}]", scattered(number)),
            "group" => writeln!(
                line,
                "{{\"g\":\"{}\",\"v\":{}}}",
                names[r.below(keys) as usize],
                r.below(100_000)
            ),
            "few" => writeln!(
                line,
                "{{\"g\":\"{}\",\"rank\":{},\"of\":\"{:08x}\"}}",
                name(number),
                r.below(1000),
                r.next() >> 32
            ),
            "stations" => {
                let place = r.below(STATIONS);
                // About normal: the sum of four, around a mean that is the place's own.
                let tenths = (0..4).map(|_| r.below(200)).sum::<u64>() as i64 - 400
                    + (place * 370 / STATIONS) as i64
                    - 60;
                let sign = if tenths < 0 { "-" } else { "" };
                writeln!(
                    line,
                    "{};{sign}{}.{}",
                    places[place as usize],
                    tenths.abs() / 10,
                    tenths.abs() % 10
                )
            }
            "words" | "prose" => {
                text.line(kind == "prose", r, &mut line);
                Ok(())
            }
            "table" => writeln!(line, "{}", csv(&row(number, &text, r))),
            "rows" => writeln!(line, "{{{}}}", json(&row(number, &text, r))),
            "dictionary" => writeln!(line, "{}", sorted[number as usize % sorted.len()]),
            _ => return Err(io::Error::other(format!("no such kind: {kind}"))),
        };
        told.map_err(io::Error::other)?;
        out.write_all(line.as_bytes())?;
        number += 1;
        written += if all == count { 1 } else { line.len() as u64 };
    }
    Ok(())
}

/// Prints `count` records by a key of some shape: as values by themselves, as members of objects by which
/// to sort, or by which to group.
fn shapes(layout: &str, shape: &str, count: u64, out: &mut impl Write) -> Outcome<()> {
    let (mut random, wanted) = (Random(SEED), if layout == "groups" { GROUPS } else { count });
    for number in 0..count {
        // Which of the keys, in their order.
        let rank = match shape {
            "sorted" => number * wanted / count,
            "reversed" => wanted - 1 - number * wanted / count,
            "equal" => 7,
            _ => random.below(wanted),
        };
        let spread = if matches!(shape, "sorted" | "reversed") {
            rank * ((1 << 48) / wanted)
        } else {
            scattered(rank)
        };
        let key = key(shape, spread, layout == "values");
        let v = number % 1000;
        let line = match (layout, shape) {
            ("values", _) => key,
            (_, "last") => format!("{{\"v\":{v},\"of\":[\"x\",{{\"k\":0}}],\"k\":{key}}}"),
            (_, "spaced") => format!("{{\"k\": {key}, \"v\": {v}}}"),
            ("objects" | "groups", _) => format!("{{\"k\":{key},\"v\":{v}}}"),
            _ => return Err(format!("no such layout: {layout}")),
        };
        writeln!(out, "{line}").map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// 48 bits as a key, in JSON: by itself a number, else a string, where the shape does not say otherwise.
fn key(shape: &str, bits: u64, by_itself: bool) -> String {
    let number = bits >> 17;
    let spelt = |letters: [&str; 16]| {
        (0..12).rev().map(|at| letters[(bits >> (4 * at)) as usize % 16]).collect::<String>()
    };
    match shape {
        "prefixes" if by_itself => format!("31415926535897932384626433832795{number:010}"),
        "prefixes" => format!("\"https://www.example.org/archive/2013/flights/{bits:012x}\""),
        "mixed" => match bits % 6 {
            0 => number.to_string(),
            1 => format!("{number}.50"),
            2 => format!("\"{bits:012x}\""),
            3 => ["null", "true", "false"][number as usize % 3].into(),
            4 => format!("[{number},\"a\"]"),
            _ => format!("{{\"a\":{number}}}"),
        },
        "unicode" => {
            let letters = [
                "é", "ß", "ж", "я", "東", "京", "語", "a", "b", "c", "ñ", "😀", "𝛼", "ü", "ó", "z",
            ];
            format!("\"{}\"", spelt(letters))
        }
        "escapes" => {
            let u = ["\\u00e9", "\\\"", "\\\\", "\\n", "\\u6771", "\\/", "\\ud83d\\ude00", "\\t"];
            let [a, b, c, d, e, f, g, h] = u;
            format!(
                "\"{}\"",
                spelt(["a", "b", "c", "d", "e", "f", "g", "h", a, b, c, d, e, f, g, h])
            )
        }
        _ if by_itself => number.to_string(),
        _ => format!("\"{bits:012x}\""),
    }
}

/// Makes `count` files, half of them scripts of a shell, and prints their names.
fn scripts(count: u64, dir: &str, out: &mut impl Write) -> io::Result<()> {
    let mut random = Random(SEED);
    std::fs::create_dir_all(dir)?;
    for number in 0..count {
        let path = format!("{dir}/{}{number}", name(number));
        let first = if number % 2 == 0 { "#!/bin/sh" } else { "Not a script." };
        // A length of its own for each, so that the shortest are the same ones for everybody.
        let lines =
            "echo a line\n".repeat((number + 2 + random.below(2) * count) as usize % 400 + 1);
        std::fs::write(&path, format!("{first}\n{lines}"))?;
        writeln!(out, "{path}")?;
    }
    Ok(())
}

fn run(args: &[String]) -> Outcome<()> {
    let number = |text: &String| text.parse::<u64>().map_err(|_| format!("no number: {text}"));
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let told = |error: io::Error| error.to_string();
    match args {
        [what, layout, shape, count] if what == "shape" => {
            shapes(layout, shape, number(count)?, &mut out)?
        }
        [what, count, dir] if what == "scripts" => {
            scripts(number(count)?, dir, &mut out).map_err(told)?
        }
        [kind, count] => make(kind, number(count)?, 1, &mut out).map_err(told)?,
        [kind, count, keys] => make(kind, number(count)?, number(keys)?, &mut out).map_err(told)?,
        _ => return Err("usage: see the top of scripts/bench-data.rs".into()),
    }
    out.flush().map_err(told)
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Err(error) = run(&args) {
        eprintln!("bench-data: {error}");
        std::process::exit(2);
    }
}

//! The rows of CSV in every dialect, against Python's csv and the `csv` crate, which know some.

use mycloud::format::bytes::Memory;
use mycloud::format::csv::{CsvReader, Dialect};
use mycloud::format::spec::Spec;
use mycloud::format::{ReadOptions, Source};
use mycloud::record::bad::Policy;

use crate::support::*;

/// How many random texts each dialect gets.
const TEXTS: u64 = 4000;

/// The rows that we read, in a dialect without header; none where they are refused.
fn ours(format: &str, text: &str) -> Option<Vec<Vec<String>>> {
    let dialect = Dialect::parse(&Spec::parse(format).unwrap()).unwrap();
    let options = ReadOptions::new(Policy::Fail).unwrap();
    let mut reader =
        CsvReader::new(Box::new(Memory::new("m", text.as_bytes())), &dialect, &options);
    let mut out = Vec::new();
    loop {
        match reader.fill(&mut out) {
            Ok(true) => (),
            Ok(false) => break,
            Err(error) => {
                assert_eq!(error.exit_code(), 3);
                return None;
            }
        }
    }
    let lines = String::from_utf8(out).unwrap();
    Some(lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn random_text(seed: u64, letters: &[u8]) -> String {
    let mut random = Random::seeded(seed);
    let length = random.below(14);
    (0..length).map(|_| letters[random.below(letters.len() as u64) as usize] as char).collect()
}

/// The rows, if all have as many fields as the first.
fn even(rows: Option<Vec<Vec<String>>>) -> Option<Vec<Vec<String>>> {
    rows.filter(|rows| rows.windows(2).all(|two| two[0].len() == two[1].len()))
}

/// For each text (a JSON string a line): what Python's csv makes of it, its rows or null. The
/// argument holds the parameters of the dialect, as JSON.
const PYTHON_ROWS: &str = r#"
import csv, io, json, sys
dialect = json.loads(sys.argv[1])
for line in sys.stdin:
    text = json.loads(line)
    try:
        reader = csv.reader(io.StringIO(text, newline=''), strict=True, **dialect)
        rows = [row for row in reader if row]
    except csv.Error:
        rows = None
    print(json.dumps(rows, ensure_ascii=False, separators=(',', ':')))
"#;

/// Reads random texts of `letters` in a dialect: what Python reads and refuses, we do.
fn as_python(format: &str, dialect: &str, letters: &[u8], differs: fn(&str) -> bool) {
    let texts = (0..TEXTS).map(|seed| random_text(seed, letters));
    let texts: Vec<String> = texts.filter(|text| !differs(text)).collect();
    let asked: String = texts.iter().map(|t| serde_json::to_string(t).unwrap() + "\n").collect();
    let answers = python(PYTHON_ROWS, &[dialect], asked);
    let (mut taken, mut refused) = (0, 0);
    for (text, answer) in texts.iter().zip(String::from_utf8(answers).unwrap().lines()) {
        let rows = even(serde_json::from_str(answer).unwrap());
        assert_eq!(ours(format, text), rows, "{format}: {text:?}");
        if rows.is_some() { taken += 1 } else { refused += 1 }
    }
    assert!(taken > 400 && refused > 400, "{format}: {taken} {refused}");
}

#[test]
fn reads_what_pythons_csv_reads_and_refuses_what_it_refuses() {
    let same = |_: &str| false;
    as_python("csv,header=no", "{}", b"a,,\"\"\"\n\r b", same);
    as_python("csv,header=no,quote='", r#"{"quotechar":"'"}"#, b"a,,'''\n\r \"", same);
    as_python(
        "csv,header=no,delim=;,quote=no",
        r#"{"delimiter":";","quoting":3}"#,
        b"a;;\"\n\r,",
        same,
    );
    as_python(
        "csv,header=no,quote=\",delim=tab",
        r#"{"delimiter":"\t"}"#,
        b"a\t\t\"\"\"\n\r",
        same,
    );
}

/// Whether Python reads escapes in a way of its own: it takes a last one for nothing, and does not
/// end a field that holds an escaped line end.
fn escapes_otherwise(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'\\' && matches!(bytes.next(), None | Some(b'\n' | b'\r')) {
            return true;
        }
    }
    false
}

#[test]
fn reads_escapes_as_python_does() {
    let letters = b"a,,\"\"\"\\\\\n\rN";
    as_python("csv,header=no,escape=\\", r#"{"escapechar":"\\"}"#, letters, escapes_otherwise);
    let dialect = r#"{"escapechar":"\\","quoting":3,"delimiter":"\t"}"#;
    as_python("tsv,header=no,quote=no,escape=\\", dialect, b"a\t\t\"\\\n\rN", escapes_otherwise);
    assert_eq!(
        ours("csv,header=no,escape=\\", "a\\\nb,c"),
        Some(vec![vec!["a\nb".into(), "c".into()]])
    );
    assert_eq!(ours("csv,header=no,escape=\\", "a,b\\"), None);
}

/// The rows that the `csv` crate reads.
fn of_the_crate(builder: &csv::ReaderBuilder, text: &str) -> Option<Vec<Vec<String>>> {
    let rows = builder.from_reader(text.as_bytes()).into_records();
    let rows: Result<Vec<_>, _> = rows.collect();
    Some(rows.ok()?.iter().map(|row| row.iter().map(str::to_string).collect()).collect())
}

/// What we read, the crate reads alike. What it reads and we refuse is none of its errors, but
/// quotes that are not in order, of which it says nothing: so it is not what we read by.
#[test]
fn the_csv_crate_reads_the_same_and_more() {
    let with = |change: fn(&mut csv::ReaderBuilder)| {
        let mut builder = csv::ReaderBuilder::new();
        change(builder.has_headers(false));
        builder
    };
    for (options, builder, letters) in [
        ("", with(|_| ()), b"a,,\"\"\"\n\r ".as_slice()),
        (",delim=;,quote='", with(|b| _ = b.delimiter(b';').quote(b'\'')), b"a;;'''\n\r\""),
        (",quote=no", with(|b| _ = b.quoting(false)), b"a,,\"\n\r"),
        (",comment=#", with(|b| _ = b.comment(Some(b'#'))), b"a,,\"\"\"\n##"),
        (
            ",delim=pipe,comment=#,quote=\"",
            with(|b| _ = b.delimiter(b'|').comment(Some(b'#'))),
            b"a||\"\"\n#",
        ),
    ] {
        let format = format!("csv,header=no{options}");
        let (mut taken, mut more) = (0, 0);
        for seed in 0..TEXTS {
            // A comment without a line end is a row to the crate, and a CR does not end one.
            let text = random_text(seed, letters) + "\n";
            let theirs = of_the_crate(&builder, &text);
            match ours(&format, &text) {
                Some(rows) => {
                    assert_eq!(Some(rows), theirs, "{format}: {text:?}");
                    taken += 1;
                }
                None => {
                    let quote = if options.contains("quote='") { '\'' } else { '"' };
                    assert!(theirs.is_none() || text.contains(quote), "{format}: {text:?}");
                    more += u32::from(theirs.is_some());
                }
            }
        }
        assert!(taken > 1000, "{format}: {taken}");
        assert_eq!(more > 100, !options.contains("quote=no"), "{format}: {more}");
    }
}

/// What is read of some bytes in a dialect, and how it ended.
fn read_bytes(format: &str, bytes: &[u8]) -> (Vec<u8>, Option<String>) {
    let dialect = Dialect::parse(&Spec::parse(format).unwrap()).unwrap();
    let options = ReadOptions::new(Policy::Fail).unwrap();
    let mut reader = CsvReader::new(Box::new(Memory::new("m", bytes)), &dialect, &options);
    let mut out = Vec::new();
    loop {
        match reader.fill(&mut out) {
            Ok(true) => (),
            Ok(false) => return (out, None),
            Err(error) => return (out, Some(error.to_string())),
        }
    }
}

/// Rows whose fields are copied as they stand are those that a closer look finds: the one that a dialect
/// with comments takes at each row.
#[test]
fn rows_are_read_alike_whether_they_are_copied_or_looked_at() {
    let fields: [&[u8]; 18] = [
        b"",
        b"a",
        b"eight by",
        b"a longer text than that",
        b"\"\"",
        b"\"quoted, and long enough\"",
        b"\"a \"\"quote\"\"\"",
        b"\"two\nlines\"",
        b"back\\slash",
        b"\t",
        b" x ",
        "\u{e4}\u{20ac}\u{1f600}".as_bytes(),
        b"-12.5",
        b"1,2",
        b"a\"b",
        b"\"a\"b",
        b"\xff",
        b"\"",
    ];
    let ends: [&[u8]; 5] = [b"\n", b"\n", b"\r\n", b"\r", b"\n\n"];
    let (mut whole, mut failed) = (0, 0);
    for seed in 0..TEXTS {
        let mut random = Random::seeded(seed);
        let mut pick = |count: usize| random.below(count as u64) as usize;
        // Mostly such as are mostly well.
        let (width, known, odd) = (1 + pick(4), 1 + pick(fields.len()), pick(20));
        let mut bytes = Vec::new();
        for _ in 0..pick(40) {
            let columns = if pick(200) == 0 { pick(6) } else { width };
            for column in 0..columns {
                bytes.extend_from_slice(if column > 0 { b"," } else { b"" });
                let kinds = if pick(30) < odd { known } else { known.min(6) };
                bytes.extend_from_slice(fields[pick(kinds)]);
            }
            bytes.extend_from_slice(ends[if odd > 10 { pick(ends.len()) } else { odd % 3 }]);
        }
        bytes.truncate(bytes.len() - pick(3).min(bytes.len()));
        for dialect in ["header=no", "header=no,lax", "header=no,ragged=fit"] {
            let copied = read_bytes(&format!("csv,{dialect}"), &bytes);
            let looked_at = read_bytes(&format!("csv,{dialect},comment=~~~"), &bytes);
            let text = String::from_utf8_lossy(&bytes);
            assert_eq!(copied, looked_at, "{dialect}: {text:?}");
            if copied.1.is_none() { whole += 1 } else { failed += 1 }
        }
    }
    assert!(whole > 1000 && failed > 1000, "{whole} {failed}");
}

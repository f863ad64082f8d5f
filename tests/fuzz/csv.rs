//! CSV: rows as they come in any steps, by the fast and by the general reader, and against the `csv`
//! crate, which says nothing of quotes that are not in order.

use serde_json::Value;

use super::driver::chosen;
use super::input::{Read, Stepwise, read_all, steps};
use super::{Outcome, Target};
use crate::format::csv::{CsvReader, Dialect};
use crate::format::spec::Spec;

const SEEDS: &[&str] = &[
    "name,amount\nann,1\nbob,2\ncyd,3\n",
    "a,b,c\r\n\"x, y\",\"he said \"\"no\"\"\",\"two\nlines\"\r\n,,\r\n",
    "id\n1\n\n2\n",
    "\u{feff}k,v\nZoë,😀\n\"\",\"\"\nlong text that has no quotes,and one more\n",
    "a;b\tc\n'1';2\t3\n",
];

const WORDS: &[&[u8]] = &[
    b",",
    b"\"",
    b"\"\"",
    b"\"\"\"",
    b"\n",
    b"\r\n",
    b"\r",
    b"\",\"",
    b"\"\n",
    b",\"",
    b"\xff",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"\0",
    b"\t",
    b";",
    b"'",
    b"\\",
    b"#",
    b"12345678",
    b"abcdefgh",
    b" ",
];

/// Dialects, each read in steps.
const DIALECTS: &[&str] = &[
    "csv,header=no",
    "csv,typed,null=1",
    "csv,ragged=fit,rename,trim",
    "csv,header=no,ragged=pad,lax",
    "csv,header=no,escape=\\,quote=',comment=#",
    "tsv,header=no",
];

fn read(spec: &str, input: &[u8], step: usize, strict: bool) -> Read {
    let spec = Spec::parse(spec).unwrap().with("encoding", "utf-8");
    let dialect = Dialect::parse(&spec).unwrap();
    let input = Box::new(Stepwise::new(input, step));
    read_all(|options| Ok(Box::new(CsvReader::new(input, &dialect, options))), strict)
}

/// The rows that the `csv` crate finds; none where they do not fit, or are no text.
fn of_the_crate(input: &[u8]) -> Option<Vec<Vec<String>>> {
    // It leaves out the mark at the beginning itself.
    let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(input);
    let rows = reader.records().map(|row| Some(row.ok()?.iter().map(str::to_string).collect()));
    rows.collect()
}

fn rows(records: &str) -> Vec<Vec<String>> {
    records.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn rows_of_all_dialects() {
    let target = Target { memory: (8 << 20, 400), ..Target::new("csv", SEEDS, WORDS) };
    target.choosing(DIALECTS).run(|input| {
        let Some((dialect, input)) = chosen(input, DIALECTS) else { return Outcome::Refused };
        let [whole, stepwise @ ..] = steps(input).map(|step| read(dialect, input, step, false));
        assert_eq!(stepwise, [whole.clone(), whole.clone()], "{dialect}");
        let plain = read("csv,header=no", input, usize::MAX, true);
        // The same by the general reader: nothing here escapes.
        if !input.contains(&0x7f) {
            let general = read("csv,header=no,escape=\x7f", input, usize::MAX, true);
            assert_eq!(general.0, plain.0);
            assert_eq!(general.1.is_ok(), plain.1.is_ok(), "{:?} {:?}", general.1, plain.1);
        }
        let (out, Ok(()), _) = plain else { return Outcome::Refused };
        if let Some(theirs) = of_the_crate(input) {
            assert_eq!(rows(&out), theirs);
        }
        let with_header = read("csv", input, usize::MAX, true);
        if with_header.1.is_ok() {
            let found = rows(&out);
            for (line, row) in with_header.0.lines().zip(&found[1.min(found.len())..]) {
                let record: Value = serde_json::from_str(line).unwrap();
                for (name, value) in found[0].iter().zip(row) {
                    assert_eq!(record[name], **value);
                }
            }
        }
        Outcome::Taken
    });
}

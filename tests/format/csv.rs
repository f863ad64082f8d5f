//! CSV, against Python's csv.

use crate::support::*;

fn cat(options: &str, text: impl AsRef<[u8]>) -> Call {
    mc("cat").arg(format!("csv{options}:-")).stdin(text)
}

fn gather(options: &str, records: impl AsRef<[u8]>) -> Call {
    mc("gather").args(["-o".to_string(), format!("csv{options}:-")]).stdin(records)
}

/// For each text (a JSON string a line): what Python's csv makes of it, its rows or null.
const PYTHON_ROWS: &str = r#"
import csv, io, json, sys
for line in sys.stdin:
    text = json.loads(line)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=''), strict=True) if row]
    except csv.Error:
        rows = None
    print(json.dumps(rows, ensure_ascii=False, separators=(',', ':')))
"#;

#[test]
fn reads_what_pythons_csv_reads_and_refuses_what_it_refuses() {
    use mycloud::format::bytes::Memory;
    use mycloud::format::csv::{Dialect, Reader};
    use mycloud::format::spec::Spec;
    use mycloud::format::{ReadOptions, Source};
    use mycloud::record::bad::Policy;

    let dialect = Dialect::parse(&Spec::parse("csv,header=no").unwrap()).unwrap();
    let options = ReadOptions::new(Policy::Fail).unwrap();
    let texts: Vec<String> = (0..4000).map(|seed| random_text(seed, b"a,,\"\"\"\n\r b")).collect();
    let asked: String = texts.iter().map(|t| serde_json::to_string(t).unwrap() + "\n").collect();
    let answers = python(PYTHON_ROWS, &[], asked);
    let (mut taken, mut refused) = (0, 0);
    for (text, answer) in texts.iter().zip(String::from_utf8(answers).unwrap().lines()) {
        let mut reader =
            Reader::new(Box::new(Memory::new("m", text.as_bytes())), &dialect, &options);
        let mut out = Vec::new();
        let ours = loop {
            match reader.fill(&mut out) {
                Ok(true) => (),
                Ok(false) => break Some(String::from_utf8(out).unwrap()),
                Err(error) => {
                    assert_eq!(error.exit_code(), 3);
                    break None;
                }
            }
        };
        let rows: Option<Vec<Vec<String>>> = serde_json::from_str(answer).unwrap();
        let even = rows.filter(|rows| rows.windows(2).all(|two| two[0].len() == two[1].len()));
        let lines = |row: &Vec<String>| serde_json::to_string(row).unwrap() + "\n";
        assert_eq!(ours, even.as_ref().map(|rows| rows.iter().map(lines).collect()), "{text:?}");
        if even.is_some() { taken += 1 } else { refused += 1 }
    }
    assert!(taken > 500 && refused > 500, "{taken} {refused}");
}

fn random_text(seed: u64, letters: &[u8]) -> String {
    let mut random = Random(seed);
    let length = random.below(14);
    (0..length).map(|_| letters[random.below(letters.len() as u64) as usize] as char).collect()
}

#[test]
fn python_reads_back_what_is_written() {
    let records = concat!(
        r#"{"plain":"a","wild, \"name\"\n":"b,c"}"#,
        "\n",
        r#"{"plain":"say \"hi\"","wild, \"name\"\n":"two\nlines\r\nand a CR\r"}"#,
        "\n",
        r#"{"plain":"","wild, \"name\"\n":"é€😀\\ \u0001\u001f"}"#,
        "\n",
        r#"{"plain":" spaced ","wild, \"name\"\n":"'"}"#,
        "\n",
    );
    let written = gather("", records).succeeds().stdout;
    let code = "import csv,io,json,sys
for row in csv.DictReader(io.StringIO(sys.stdin.buffer.read().decode(), newline=''), strict=True):
    print(json.dumps(row, ensure_ascii=False, separators=(',', ':')))";
    let sorted = |bytes: &[u8]| jq(&["-cS", "."], bytes);
    assert_eq!(sorted(&python(code, &[], &written)), sorted(records.as_bytes()));
    cat("", written).stdout(records).succeeds();
}

#[test]
fn the_flights_are_what_python_reads() {
    let flights = repository("examples/data/flights.csv.gz");
    let code = "import csv,gzip,json,sys
for row in csv.DictReader(gzip.open(sys.argv[1], 'rt', newline='')):
    print(json.dumps(row, ensure_ascii=False, separators=(',', ':')))";
    let want = python(code, &[flights.to_str().unwrap()], "");
    assert!(mc("cat").arg(&flights).succeeds().stdout == want);
    let csv = gather("", &want).succeeds().stdout;
    assert!(cat("", csv).succeeds().stdout == want);
}

#[test]
fn ragged_rows_are_refused_by_number_padded_or_skipped() {
    let text = "a,b\n1,2\n\"x\ny\",3\n4\n5,6\n";
    cat("", text)
        .stdout("{\"a\":\"1\",\"b\":\"2\"}\n{\"a\":\"x\\ny\",\"b\":\"3\"}\n")
        .stderr_has("standard input: row 3 (line 5): it has 1 fields, and 2 are expected")
        .fails(3);
    cat(",ragged=pad,col=b", text)
        .stdout("{\"b\":\"2\"}\n{\"b\":\"3\"}\n{\"b\":\"\"}\n{\"b\":\"6\"}\n")
        .succeeds();
    cat(",ragged=pad,null=", "a,b\n1\n").stdout("{\"a\":\"1\",\"b\":null}\n").succeeds();
    cat(",ragged=pad", "a\n1,2\n").stderr_has("row 1 (line 2): it has 2 fields").fails(3);
    let call = cat("", text).arg("--bad").arg("skip").stderr_has("1 bad record dropped");
    assert_eq!(call.succeeds().lines().len(), 3);
}

#[test]
fn a_quote_that_is_never_closed_is_an_error_that_says_where_it_opened() {
    let text = "a,b\n1,2\n3,\"4\n5,6\n7,8\n";
    let call = cat("", text).stdout("{\"a\":\"1\",\"b\":\"2\"}\n");
    call.stderr_has("row 2 (line 3): a quote opens on line 3 and is never closed").fails(3);
    // Skipped, it costs its line and not the rest of the file.
    let call = cat("", text).args(["--bad", "skip"]).stderr_has("1 bad record dropped");
    assert_eq!(call.succeeds().lines().len(), 3);
    cat("", "a,\"b\n1,2\n").stderr_has("a quote opens on line 1 and is never closed").fails(3);
    let long = format!("a\n\"{}", "x\n".repeat(1000));
    let call = cat("", long).args(["--max-record", "100"]);
    call.stderr_has("row 1 (line 2): over 100 bytes (--max-record); is a quote").fails(3);
    cat("", "a\n\"b\"c\n").stderr_has("text follows the closing quote on line 2").fails(3);
    cat(",lax", "a\n\"b\"c\"d\"\n").stdout("{\"a\":\"bc\\\"d\\\"\"}\n").succeeds();
}

#[test]
fn a_row_that_is_too_long_costs_a_line_however_much_is_read_at_once() {
    let (long, lines) = ("x".repeat(700_000), "y\n".repeat(60_000));
    let text = format!("a,b\n1,2\n3,{long}\n4,\"5\n{lines}\"\n6,7\n");
    let call = cat("", text).args(["--max-record", "100000", "--bad", "skip"]);
    let call = call.stdout("{\"a\":\"1\",\"b\":\"2\"}\n{\"a\":\"6\",\"b\":\"7\"}\n");
    call.stderr_has("60003 bad records dropped").succeeds();
    let long = "a".repeat(300);
    cat("", format!("{long}\n1\n"))
        .args(["--max-record", "200"])
        .stderr_has("the first row is over --max-record")
        .fails(3);
}

#[test]
fn headers_name_the_members_or_are_not_there() {
    cat("", "a,b,a\n").stderr_has("line 1: the header has two columns 'a'").fails(3);
    cat(",header=no", "a,b,a\n").stdout("[\"a\",\"b\",\"a\"]\n").succeeds();
    cat(",header=no,col=x,col=y", "1,2\n").stdout("{\"x\":\"1\",\"y\":\"2\"}\n").succeeds();
    cat(",header=no,col=x", "1,2\n").stderr_has("2 fields, and 1 names by col=").fails(3);
    cat(",col=b,col=a", "a,x,b\n1,2,3\n").stdout("{\"b\":\"3\",\"a\":\"1\"}\n").succeeds();
    cat(",col=z", "a\n1\n").stderr_has("col=z: the header has no such column").fails(3);
    cat("", "\n\na,\"b\"\"c\"\n\n1,2\n\n").stdout("{\"a\":\"1\",\"b\\\"c\":\"2\"}\n").succeeds();
    cat("", "a\nb\n\"\"\n").stdout("{\"a\":\"b\"}\n{\"a\":\"\"}\n").succeeds();
}

#[test]
fn values_are_strings_unless_the_options_say_otherwise() {
    let text = "a,b,c\n1.50,NA,01\n\"2\",1e400,-0\n+1,0x1, 1\n";
    cat(",typed,null=NA", text)
        .stdout(concat!(
            "{\"a\":1.50,\"b\":null,\"c\":\"01\"}\n",
            "{\"a\":2,\"b\":1e400,\"c\":-0}\n",
            "{\"a\":\"+1\",\"b\":\"0x1\",\"c\":\" 1\"}\n"
        ))
        .succeeds();
    cat(",null=", "a,b\n,x\n").stdout("{\"a\":null,\"b\":\"x\"}\n").succeeds();
    cat(",delim=;", "a;b\n1,5;2\n").stdout("{\"a\":\"1,5\",\"b\":\"2\"}\n").succeeds();
    cat(",delim=pipe", "a|b\n1|\"|\"\n").stdout("{\"a\":\"1\",\"b\":\"|\"}\n").succeeds();
}

#[test]
fn bytes_that_are_not_utf8_are_refused_by_row() {
    let text = b"a,b\n1,2\n3,\xff\n4,5\n";
    let call = cat("", text).stdout("{\"a\":\"1\",\"b\":\"2\"}\n");
    call.stderr_has("row 2 (line 3): it is not UTF-8").fails(3);
    let call = cat("", text).args(["--bad", "skip"]).stderr_has("1 bad record dropped");
    assert_eq!(call.succeeds().lines().len(), 2);
    cat("", b"a\xff\n1\n").stderr_has("line 1: the header is not UTF-8").fails(3);
    cat(",typed", b"a\n\"\xc3\"\"\xa9\"\n").stderr_has("row 1 (line 2): it is not UTF-8").fails(3);
}

#[test]
fn columns_are_those_of_the_first_record_or_as_told() {
    let two = "{\"a\":1,\"b\":[1,{\"c\":null}]}\n{\"b\":true,\"a\":null}\n";
    gather("", two).stdout("a,b\n1,\"[1,{\"\"c\"\":null}]\"\n,true\n").succeeds();
    gather(",null=NA,delim=tab", two)
        .stdout("a\tb\n1\t\"[1,{\"\"c\"\":null}]\"\nNA\ttrue\n")
        .succeeds();
    gather(",header=no", two).stdout("1,\"[1,{\"\"c\"\":null}]\"\n,true\n").succeeds();
    gather(",col=b,col=a", two).stdout("b,a\n\"[1,{\"\"c\"\":null}]\",1\ntrue,\n").succeeds();
    gather(",col=b,col=a", "").stdout("b,a\n").succeeds();
    gather("", "").stdout("").succeeds();
    gather(",header=no", "[1,\"x\"]\n[null,\"\"]\n").stdout("1,x\n,\n").succeeds();
    gather("", "{\"a\":1,\"a\":2}\n{\"\\u0061\":3}\n").stdout("a\n2\n3\n").succeeds();
    gather("", "{\"a\":\"\"}\n").stdout("a\n\"\"\n").succeeds();
    gather(",ragged=pad", "{\"a\":1,\"b\":2}\n{\"b\":3}\n").stdout("a,b\n1,2\n,3\n").succeeds();
}

#[test]
fn what_csv_cannot_hold_is_refused_by_record() {
    let refused = |options: &str, records: &str, why: &str| {
        let call = gather(options, records).stdout("");
        call.stderr_has(format!("does not fit in CSV: {why}")).fails(3);
    };
    let first = "{\"a\":1}\n";
    refused(
        "",
        &format!("{first}{{\"a\":1,\"b\":2}}\n"),
        "it has a member 'b', which is no column",
    );
    gather("", format!("{first}{{}}\n")).stderr_has("record 2 does not fit").fails(3);
    refused("", "{\"a\":1,\"b\":2}\n{\"a\":1}\n", "it lacks the column \"b\"");
    refused("", "[1]\n", "an array has no column names: say csv,header=no");
    refused("", "1\n", "it is no object");
    refused("", "{}\n", "an object without members");
    refused(",header=no", "[]\n", "an empty array");
    refused(",header=no", "[1]\n[1,2]\n", "it has 2 elements, the first has 1");
    refused(",header=no", "[1]\n{\"a\":1}\n", "it is no array");
    refused("", "{\"a\":\"\\ud800\"}\n", "a value holds a lone surrogate");
    refused(",null=NA", "{\"a\":\"NA\"}\n", "the string \"NA\" is the name of null");
    refused(",typed", "{\"a\":\"12\"}\n", "typed would read the string \"12\" as a number");
}

#[test]
fn long_fields_and_rows_cross_every_buffer() {
    let field = "x\n\"\"".repeat(200_000);
    let text = format!("a,b\r\n\"{field}\",1\r\n2,\"{field}\"");
    let value = "x\\n\\\"".repeat(200_000);
    let want = format!("{{\"a\":\"{value}\",\"b\":\"1\"}}\n{{\"a\":\"2\",\"b\":\"{value}\"}}\n");
    assert!(cat("", text).succeeds().stdout == want.as_bytes());
}

//! Rows of CSV in the usual dialect.

use super::{cat, gather};
use crate::support::*;

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
fn long_fields_and_rows_cross_every_buffer() {
    let field = "x\n\"\"".repeat(200_000);
    let text = format!("a,b\r\n\"{field}\",1\r\n2,\"{field}\"");
    let value = "x\\n\\\"".repeat(200_000);
    let want = format!("{{\"a\":\"{value}\",\"b\":\"1\"}}\n{{\"a\":\"2\",\"b\":\"{value}\"}}\n");
    assert!(cat("", text).succeeds().stdout == want.as_bytes());
}

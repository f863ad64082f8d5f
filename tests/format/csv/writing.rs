//! Records to CSV.

use super::{cat, gather};
use crate::support::*;

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
fn columns_of_all_records_come_in_the_order_of_their_first() {
    let records = "{\"a\":1}\n{\"b\":2,\"a\":null}\n{\"c\":\"x,y\",\"b\":3}\n";
    gather("", records)
        .stdout("")
        .stderr_has("record 2 does not fit in CSV: it has a member 'b', which is no column as the first record has none (columns=union writes")
        .fails(3);
    gather(",columns=union", records).stdout("a,b,c\n1,,\n,2,\n,3,\"x,y\"\n").succeeds();
    gather(",columns=union,null=NA", records)
        .stdout("a,b,c\n1,NA,NA\nNA,2,NA\nNA,3,\"x,y\"\n")
        .succeeds();
    gather(",columns=union,header=no", records).stdout("1,,\n,2,\n,3,\"x,y\"\n").succeeds();
    gather(",columns=union", "").stdout("").succeeds();
    gather(",columns=union", "{}\n").stdout("").stderr_any().fails(3);
    gather(",columns=union", "{\"a\":1}\n[2]\n")
        .stdout("")
        .stderr_has(
            "record 2 does not fit in CSV: it is no object, and columns=union is for objects",
        )
        .fails(3);
    gather(",columns=union", "{\"a\":1}\n{\"b\":\"\\ud800\"}\n")
        .stderr_has("record 2 does not fit in CSV: a value holds a lone surrogate")
        .fails(3);
    gather(",columns=union,col=a", "").stderr_has("col= and columns=union do not go").fails(2);
    gather(",columns=all", "").stderr_has("say columns=first or columns=union").fails(2);
    cat(",columns=union", "").stderr_has("columns= is for writing only").fails(2);
}

#[test]
fn columns_of_many_records_wait_in_a_file() {
    let dir = dir();
    let records: String =
        (0..200_000).map(|n| format!("{{\"n\":{n},\"k{}\":1}}\n", n % 7)).collect();
    let peak = dir.path().join("peak");
    let call = mc("gather").current_dir(dir.path()).args(["-o", "csv,columns=union:a.csv"]);
    call.stdin(&records).peak_to(&peak).succeeds();
    assert!(Output::peak(&peak) < 64 << 20, "{}", Output::peak(&peak));
    let text = std::fs::read_to_string(dir.path().join("a.csv")).unwrap();
    assert!(text.starts_with("n,k0,k1,k2,k3,k4,k5,k6\n0,1,,,,,,\n1,,1,,,,,\n"), "{:.80}", text);
    assert_eq!(text.lines().count(), 200_001);
    assert_eq!(names(&dir), ["a.csv", "peak"]);
    // What does not fit leaves nothing.
    let call = mc("gather").current_dir(dir.path()).args(["-o", "csv,columns=union:b.csv"]);
    call.stdin("{\"a\":1}\n1\n").stderr_has("b.csv: record 2").fails(3);
    assert_eq!(names(&dir), ["a.csv", "peak"]);
}

#[test]
fn columns_that_are_named_are_chosen() {
    let records = "{\"a\":1,\"b\":2,\"c\":3}\n{\"c\":6,\"b\":5,\"a\":4}\n";
    gather(",col=c,col=a", records).stdout("c,a\n3,1\n6,4\n").succeeds();
    gather(",col=a,header=no", records).stdout("1\n4\n").succeeds();
    let call = gather(",col=a,col=z", records).stdout("");
    call.stderr_has("it lacks the column \"z\" (ragged=pad leaves it empty)").fails(3);
    gather(",col=a,col=z,ragged=pad", records).stdout("a,z\n1,\n4,\n").succeeds();
    let records = "{\"a\":1}\n{\"b\":2,\"a\":3}\n{}\n";
    gather(",ragged=fit", records).stdout("a\n1\n3\n\"\"\n").succeeds();
    gather(",ragged=cut,header=no", "[1]\n[2,3]\n").stdout("1\n2\n").succeeds();
    gather(",header=no", "[1]\n[2,3]\n").stderr_has("(ragged=cut leaves out what is").fails(3);
    gather(",header=no", "[1,2]\n[3]\n").stderr_has("(ragged=pad fills it up)").fails(3);
}

#[test]
fn dialects_write_what_they_read() {
    let records = "{\"a\":\"x|y\",\"b\":\"say \\\"no\\\"\"}\n{\"a\":\"#1\",\"b\":null}\n";
    gather(",delim=pipe,quote='", records).stdout("a|b\n'x|y'|say \"no\"\n#1|\n").succeeds();
    gather(",escape=\\,comment=#", records)
        .stdout("a,b\nx|y,\"say \\\"no\\\"\"\n\"#1\",\n")
        .succeeds();
    gather(",delim=tab,quote=no,escape=\\,null=\\N", records)
        .stdout("a\tb\nx|y\tsay \"no\"\n#1\t\\N\n")
        .succeeds();
    gather(",delim=||,null=NA,null=-", records)
        .stdout("a||b\nx|y||\"say \"\"no\"\"\"\n#1||NA\n")
        .succeeds();
    let refused = |options: &str, records: &str, why: &str| {
        gather(options, records).stdout("").stderr_has(why).fails(3);
    };
    refused(",quote=no", "{\"a\":\"1,2\"}\n", "(escape=\\ gives quote=no a way)");
    refused(",quote=no", "{\"a\":\"\"}\n", "a row of one empty value is a blank line");
    refused(",delim=tab", "{\"a\":\"1\\n2\"}\n", "a line end, which tabs allow only with quote=\"");
    refused(",null=NA,null=-", "{\"a\":\"-\"}\n", "the string \"-\" is the name of null (another");
    // The ways that are named.
    gather(",quote=no,escape=\\", "{\"a\":\"1,2\"}\n").stdout("a\n1\\,2\n").succeeds();
    gather(",delim=tab,quote=\"", "{\"a\":\"1\\n2\"}\n").stdout("a\n\"1\n2\"\n").succeeds();
    gather(",delim=tab,escape=\\", "{\"a\":\"1\\n2\"}\n").stdout("a\n\"1\\\n2\"\n").succeeds();
    gather(",escape=\\,null=\"", "").stderr_has("null=\" cannot be written").fails(2);
}

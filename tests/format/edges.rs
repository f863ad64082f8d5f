//! Empty inputs, BOM, CRLF, a last line without its end, bytes that are not UTF-8: each format at its edges.

use crate::support::*;

fn cat(format: &str, text: impl AsRef<[u8]>) -> Call {
    mc("cat").args(["-f", format, "-"]).stdin(text)
}

#[test]
fn empty_inputs_hold_no_records() {
    for format in ["ndjson", "csv", "csv,header=no", "text", "text,kv", "text,words"] {
        for text in ["", "\u{feff}"] {
            cat(format, text).stdout("").succeeds();
        }
    }
    cat("csv", "a,b\n").stdout("").succeeds();
    cat("ndjson", "\n\r\n  \n").stdout("").succeeds();
    cat("zip", "").stdout("").stderr_has("standard input").fails(3);
    mc("cat").arg("range:7..7").stdout("").succeeds();
    let dir = dir();
    mc("cat").arg(format!("files:{}", dir.path().display())).stdout("").succeeds();
}

#[test]
fn a_byte_order_mark_crlf_and_a_missing_line_end_are_tolerated() {
    for text in
        ["a,b\n1,2\n", "\u{feff}a,b\r\n1,2\r\n", "a,b\n1,2", "\u{feff}a,b\r\n1,2", "a,b\r1,2\r"]
    {
        cat("csv", text).stdout("{\"a\":\"1\",\"b\":\"2\"}\n").succeeds();
    }
    for text in ["1\n2\n", "\u{feff}1\r\n\r\n2\r\n", "1\n2", "\n1\n\n2\r\n"] {
        cat("ndjson", text).stdout("1\n2\n").succeeds();
    }
    for text in ["a\tb\n\n", "\u{feff}a\tb\r\n\r\n"] {
        cat("text,kv", text).stdout("[\"a\",\"b\"]\n[\"\",null]\n").succeeds();
        cat("text", text).stdout("\"a\\tb\"\n\"\"\n").succeeds();
    }
    cat("text", "a\n\u{feff}b\rc").stdout("\"a\"\n\"\u{feff}b\\rc\"\n").succeeds();
}

#[test]
fn words_are_runs_of_letters_digits_and_apostrophes() {
    let text = "Don't  stop—naïve 漢字 x2, _a_ 'q'\n\n3rd\n";
    let want = "\"Don't\"\n\"stop\"\n\"naïve\"\n\"漢字\"\n\"x2\"\n\"a\"\n\"'q'\"\n\"3rd\"\n";
    cat("text,words", text).stdout(want).succeeds();
    let code = r#"
import json, re, sys
for word in re.findall(r"(?:[^\W_]|')+", sys.stdin.read()): print(json.dumps(word, ensure_ascii=False))"#;
    let readme = std::fs::read(repository("README.md")).unwrap();
    assert!(cat("text,words", &readme).succeeds().stdout == python(code, &[], &readme));
}

#[test]
fn bad_lines_are_refused_by_line_and_byte_or_dropped() {
    for (format, text) in
        [("ndjson", b"1\n2\n3\n\"\xff\"\n4\n".as_slice()), ("text", b"1\n2\n3\n\"\xff\"\n4\n")]
    {
        let call = cat(format, text);
        call.stderr_has("standard input: line 4, byte 2: not UTF-8").fails(3);
        let call = cat(format, text).args(["--bad", "skip"]).stderr_has("1 bad record dropped");
        assert_eq!(call.succeeds().lines().len(), 4);
    }
    let call = cat("text", "short\nthis is long\n").args(["--max-record", "6"]);
    call.stderr_has("line 2: a record over 6 bytes").fails(3);
    let call = cat("ndjson", "{\"a\":1}\n{\"a\":1\n").stdout("{\"a\":1}\n");
    call.stderr_has("line 2, byte 7: the record ends inside an object").fails(3);
}

#[test]
fn text_refuses_what_a_line_cannot_hold() {
    let refused = |format: &str, record: &str, why: &str| {
        let call = mc("gather").args(["-o", &format!("{format}:-")]).stdin(record);
        call.stdout("").stderr_has(format!("standard output: record 1 is no text: {why}")).fails(3);
    };
    refused("text", "1\n", "it is not a string");
    refused("text", "\"a\\nb\"\n", "a line of text cannot hold a line end");
    refused("text", "\"a\\r\"\n", "a line of text cannot end with a CR");
    refused("text", "\"\\ufeffa\"\n", "a text cannot begin with a byte order mark");
    refused("text", "\"\\ud800\"\n", "it holds a lone surrogate");
    refused("text,kv", "[\"a\"]\n", "it is no [key, value] pair");
    refused("text,kv", "[1,2]\n", "its key is not a string");
    refused("text,kv", "[\"a\\tb\",\"c\"]\n", "its key holds a TAB");
    let call = mc("gather").args(["-o", "text,kv:-"]).stdin("[\"a\",{\"b\":1}]\n[\"c\",null]\n");
    call.stdout("a\t{\"b\":1}\nc\n").succeeds();
}

//! JSON however it is laid out, against jq.

use crate::support::*;

fn cat(format: &str, text: impl AsRef<[u8]>) -> Call {
    mc("cat").args(["-f", format, "-"]).stdin(text)
}

const VALUES: &str = r#"{"a":[1,{"b":"x y\n"}],"c":1.50}
[]
"two words"
-1e400
{"a":{},"d":[[],null,true]}
"#;

#[test]
fn values_are_records_however_they_are_laid_out() {
    need("jq", "apt-get install jq");
    let values = VALUES.replace("-1e400\n", "7\n");
    for options in [&["."][..], &["--tab", "."], &["--indent", "7", "."], &["-c", "."]] {
        let text = jq(options, &values);
        let want = jq(&["-c", "."], &values);
        assert_eq!(cat("json", &text).succeeds().stdout, want, "{options:?}");
        // One behind the other, and all of it on one line.
        let row = String::from_utf8(text).unwrap();
        let row = row.replace(['\n', '\t'], " ");
        let compact = cat("json", row).succeeds().text();
        assert_eq!(jq(&["-c", "."], compact), want, "{options:?}");
    }
    cat("json", "{}[]\"a\"\"b\"1{\"a\":2}null [3]")
        .stdout("{}\n[]\n\"a\"\n\"b\"\n1\n{\"a\":2}\nnull\n[3]\n")
        .succeeds();
    cat("json", "\u{feff} \r\n\x1e{\"a\":1}\n\x1e 2 \x1e\x1e3")
        .stdout("{\"a\":1}\n 2 \n3\n".replace(" 2 ", "2"))
        .succeeds();
    let sequence: String = values.lines().map(|line| format!("\x1e{line}\n")).collect();
    cat("json", sequence).stdout(&values).succeeds();
    for nothing in ["", "\n\n", " \x1e\n", "\u{feff}"] {
        cat("json", nothing).stdout("").succeeds();
    }
}

#[test]
fn tokens_stay_as_they_are_and_so_does_a_value_on_its_own_line() {
    let lines = " {\"a\" : 1.0,\t\"\\u00e9\":1e400}\n[ 1 ,2]\n  \"x\"  \n7";
    cat("json", lines).stdout(format!("{lines}\n")).succeeds();
    cat("json", "{ \"a b\" :\r\n\t[1.0 , -0,\n\"\\u00e9 \\\" \\\\\" ]\n}\n")
        .stdout("{\"a b\":[1.0,-0,\"\\u00e9 \\\" \\\\\"]}\n")
        .succeeds();
    cat("json", "{\"a\": 1} {\"b\": 2}\n").stdout("{\"a\": 1}\n{\"b\": 2}\n").succeeds();
    // The name says so too, with and without lines.
    let dir = dir();
    let path = write(&dir, "a.json", "{\n  \"b\": 2\n}\n{\"a\": 1}\n");
    mc("cat").arg(&path).stdout("{\"b\":2}\n{\"a\": 1}\n").succeeds();
    mc("sort")
        .args(["-k", "a", "--missing", "null"])
        .arg(&path)
        .stdout("{\"b\":2}\n{\"a\": 1}\n")
        .succeeds();
    let utf16: Vec<u8> =
        "\u{feff}{\n\"\u{e9}\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    cat("json", utf16).stdout("{\"\u{e9}\":1}\n").succeeds();
    cat("json,encoding=latin1", b"[\n\"\xe9\"]").stdout("[\"\u{e9}\"]\n").succeeds();
}

#[test]
fn the_elements_of_arrays_come_one_by_one() {
    cat("json,items", "[1, {\"a\": 2},[3 ] , \"]\"]")
        .stdout("1\n{\"a\": 2}\n[3 ]\n\"]\"\n")
        .succeeds();
    cat("json,items", "[]\n[ ]\n[[]]\x1e[1\n,\n2]").stdout("[]\n1\n2\n").succeeds();
    cat("json,items", "[\n  {\n    \"a\": 1\n  },\n  2\n]\n").stdout("{\"a\":1}\n2\n").succeeds();
    let refused = |text: &str, why: &str| {
        cat("json,items", text).stderr_has(format!("standard input: {why}")).fails(3);
    };
    refused(
        "{\"a\":1}\n",
        "line 1, byte 1: it is no array, of which json,items takes the elements",
    );
    refused("[1 2]", "line 1, byte 4: expected ',' or ']'");
    refused("[1,\n", "line 2: it ends inside the array that begins on line 1");
    refused("[1,]", "line 1, byte 4: expected a value");
    refused("[1]]", "line 1, byte 4: expected a value");
    // An array far longer than a record may be, all of it on one line, in little memory.
    let dir = dir();
    let text = format!("[{}0]", "{\"a\":\"some text\"},".repeat(2_000_000));
    let path = write(&dir, "big", text);
    let peak = dir.path().join("peak");
    let call = mc("cat").arg(format!("json,items:{}", path.display())).args(["--max-record", "1K"]);
    let output = call.peak_to(&peak).stdout_to(dir.path().join("out")).succeeds();
    drop(output);
    let lines = std::fs::read(dir.path().join("out")).unwrap();
    assert_eq!(lines.iter().filter(|&&byte| byte == b'\n').count(), 2_000_001);
    assert!(Output::peak(&peak) < 25 << 20, "{} bytes", Output::peak(&peak));
}

#[test]
fn what_is_wrong_is_named_by_line_and_byte() {
    let refused = |text: &str, good: &str, why: &str| {
        cat("json", text).stdout(good).stderr_has(format!("standard input: {why}")).fails(3);
    };
    refused(
        "{\"a\":1}\n{\n \"b\": x}\n",
        "{\"a\":1}\n",
        "line 3, byte 7: expected a value (at:  \"b\": x}) in the value that begins on line 2",
    );
    refused("{} }\n", "", "line 1, byte 4: something follows the value");
    refused("{},\n{}\n", "", "line 1, byte 3: something follows the value");
    refused("1x\n", "", "line 1, byte 2: something follows the value");
    refused("truefalse", "", "line 1, byte 5: something follows the value");
    refused("[1,\n\n", "", "line 3, byte 1: the record ends where a value should be");
    refused("{\"a\":\"x\n\"}", "", "line 1, byte 8: a raw control character in a string");
    refused("[\n\"\0\"]", "", "line 2, byte 2: a NUL byte");
    let deep = |depth: usize| ["[\n".repeat(depth), "]\n".repeat(depth)].concat();
    cat("json", deep(1024))
        .stdout(format!("{}{}\n", "[".repeat(1024), "]".repeat(1024)))
        .succeeds();
    refused(&deep(1025), "", "line 1025, byte 1: nested too deeply");
    cat("json", b"{}\n[\n\"\xe9\"]\n")
        .stdout("{}\n")
        .stderr_has("line 3, byte 2: not UTF-8")
        .stderr_has("encoding=NAME")
        .fails(3);
    cat("json,invalid=replace", b"{}\n[\n\"\xe9\"]\n").stdout("{}\n[\"\u{fffd}\"]\n").succeeds();
    let call = cat("json", "[1,\n2,\n3]\n").args(["--max-record", "6"]);
    call.stderr_has("line 1: a record over 6 bytes").fails(3);
}

#[test]
fn bad_values_are_dropped_and_no_good_one_with_them() {
    let skip = |format: &str, text: &str, good: &str, bad: usize| {
        let said = format!("{bad} bad record{} dropped", if bad == 1 { "" } else { "s" });
        cat(format, text).args(["--bad", "skip"]).stdout(good).stderr_has(said).succeeds();
    };
    skip("json", "{\"a\":1}\n{\"a\":2\n{\"a\":3}\n", "{\"a\":1}\n{\"a\":3}\n", 1);
    // What is inside of a bad value is no record.
    let broken =
        "{\n  \"a\": 1,\n  \"b\": [\n    1,\n    \"x\"\n  ],\n  \"c\": oops\n}\n{\n  \"d\": 4\n}\n";
    skip("json", broken, "{\"d\":4}\n", 1);
    skip("json", "\x1e{\"a\":\x1e{\"b\":2}\n", "{\"b\":2}\n", 1);
    skip("json", "\"open\n1\n2x\n3\n{\"a\":1},\n4", "1\n3\n4\n", 3);
    skip("json", "{\"never\":[1,\n  2,\n", "", 1);
    let call = cat("json", "[1,\n 2,\n 3,\n 4]\n5\n").args(["--bad", "skip", "--max-record", "8"]);
    call.stdout("5\n").stderr_has("1 bad record dropped").succeeds();
    let items = "[\n  {\"a\":1},\n  {\"a\":x},\n  {\n    \"a\": 3\n  },\n  {\"a\":\n]\n[\n  4\n]\n";
    skip("json,items", items, "{\"a\":1}\n{\"a\":3}\n4\n", 2);
    skip("json,items", "[1]\n{\"a\":1}\n[2]\n", "1\n2\n", 1);
    // Whether a line is inside of a bad value, nobody can tell where nothing is indented.
    let unclear = |format: &str, text: &str, good: &str| {
        let call = cat(format, text).args(["--bad", "skip"]).stdout(good);
        call.stderr_has("is a part of it cannot be told").fails(3);
    };
    unclear("json", "1\n{\n\"a\":oops,\n\"b\":[\n{\"c\":1}\n]}\n", "1\n");
    unclear("json,items", "[\n1,\n{\"a\":[1,\n2\n3]},\n{\"b\":2}]\n", "1\n");
    let call = cat("json,items", "[1,2").args(["--bad", "skip"]).stdout("1\n2\n");
    call.stderr_has("line 2: it ends inside the array that begins on line 1").fails(3);
    // Elements that share a line with a bad one cannot be told from what is inside of it.
    let call = cat("json,items", "[1,{x},2]\n[3]\n").args(["--bad", "skip"]);
    call.stdout("1\n").stderr_has("line 1, byte 5").fails(3);
    let dir = dir();
    let kept = dir.path().join("bad");
    let call = cat("json", broken).args(["--bad", &format!("file={}", kept.display())]);
    call.stdout("{\"d\":4}\n").stderr_any().succeeds();
    assert_eq!(
        std::fs::read_to_string(kept).unwrap(),
        broken[..broken.find("{\n  \"d\"").unwrap()]
    );
}

#[test]
fn what_python_writes_for_no_number_is_null_when_asked() {
    let text = "{\"a\":NaN,\"b\":[Infinity,-Infinity],\"NaN\":\"NaN\"}\nNaN\n{\"a\":1}\n";
    let want = "{\"a\":null,\"b\":[null,null],\"NaN\":\"NaN\"}\nnull\n{\"a\":1}\n";
    let code = "import json, math; print(json.dumps({'a': math.nan, 'b': [math.inf, -math.inf]}, indent=1))";
    for format in ["ndjson", "json"] {
        cat(&format!("{format},nan=null"), text).stdout(want).succeeds();
        let call = cat(format, text).stdout("");
        call.stderr_has("line 1, byte 6: NaN is no JSON").stderr_has("nan=null").fails(3);
        cat(format, "-Infinity\n").stderr_has("byte 1: -Infinity is no JSON").fails(3);
        cat(format, "[Infinity]\n").stderr_has("byte 2: Infinity is no JSON").fails(3);
        cat(&format!("{format},nan=null"), "[-NaN]\n").stderr_has("line 1, byte 3").fails(3);
        cat(&format!("{format},nan=0"), "").stderr_has("say nan=null or nan=fail").fails(2);
    }
    let pretty = python(code, &[], "");
    cat("json,nan=null", pretty).stdout("{\"a\":null,\"b\":[null,null]}\n").succeeds();
    cat("json,items,nan=null", "[NaN, 1]").stdout("null\n1\n").succeeds();
}

#[test]
fn values_are_written_a_line_each_or_as_one_array() {
    let dir = dir();
    let gather = |output: &str| mc("gather").current_dir(dir.path()).args(["-o", output]);
    for name in ["a.json", "json:b"] {
        gather(name).stdin(VALUES).succeeds();
        mc("cat").current_dir(dir.path()).arg(name).stdout(VALUES).succeeds();
    }
    assert_eq!(std::fs::read_to_string(dir.path().join("a.json")).unwrap(), VALUES);
    gather("json,items:c.json.gz").stdin(VALUES).succeeds();
    mc("cat").current_dir(dir.path()).arg("json,items:c.json.gz").stdout(VALUES).succeeds();
    gather("json,items:-").stdin("1\n{\"a\":2}\n").stdout("[\n1,\n{\"a\":2}\n]\n").succeeds();
    gather("json,items:-").stdin("").stdout("[]\n").succeeds();
    need("jq", "apt-get install jq");
    let array = gather("json,items:-").stdin("3\n[4]\n").succeeds();
    assert_eq!(jq(&["-c", "."], array.stdout), b"[3,[4]]\n");
}

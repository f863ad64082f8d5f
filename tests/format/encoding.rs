//! Text that is not UTF-8: by its byte order mark, by `encoding=`, and what is no text at all.

use crate::support::*;

/// What Python makes of `text` in `encoding`, with a byte order mark where it writes one.
fn encode(text: &str, encoding: &str) -> Vec<u8> {
    let code =
        "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read().decode().encode(sys.argv[1]))";
    python(code, &[encoding], text.as_bytes())
}

fn cat(format: &str, text: impl AsRef<[u8]>) -> Call {
    mc("cat").args(["-f", format, "-"]).stdin(text)
}

const TABLE: &str = "n,stadt\r\n1,M\u{fc}nchen\r\n2,\"Zo\u{eb},\nF\u{fc}rth\"\r\n";
const RECORDS: &str = "{\"n\":\"1\",\"stadt\":\"M\u{fc}nchen\"}\n{\"n\":\"2\",\"stadt\":\"Zo\u{eb},\\nF\u{fc}rth\"}\n";

#[test]
fn a_byte_order_mark_tells_the_encoding_without_being_asked() {
    let dir = dir();
    for encoding in ["utf-8-sig", "utf-16", "utf-32"] {
        let path = write(&dir, "a.csv", encode(TABLE, encoding));
        mc("cat").arg(path).stdout(RECORDS).succeeds();
        cat("csv", encode(TABLE, encoding)).stdout(RECORDS).succeeds();
        // It knows better than the option.
        cat("csv,encoding=latin1", encode(TABLE, encoding)).stdout(RECORDS).succeeds();
        cat("text", encode("\u{e9}\n\u{1f600}", encoding))
            .stdout("\"\u{e9}\"\n\"\u{1f600}\"\n")
            .succeeds();
        cat("ndjson", encode(" {\"\u{e9}\" : 1.0}\r\n\n2", encoding))
            .stdout(" {\"\u{e9}\" : 1.0}\n2\n")
            .succeeds();
    }
    for (mark, encoding) in [(b"\xfe\xff".as_slice(), "utf-16-be"), (b"\0\0\xfe\xff", "utf-32-be")]
    {
        cat("csv", [mark, &encode(TABLE, encoding)].concat()).stdout(RECORDS).succeeds();
    }
    // Other tools read the records of a single file themselves.
    let path = write(&dir, "b.ndjson", encode("2\n1\n", "utf-16"));
    mc("sort").arg(path).stdout("1\n2\n").succeeds();
}

#[test]
fn encodings_are_named_as_people_name_them() {
    for (name, python) in [
        ("latin1", "latin-1"),
        ("ISO-8859-1", "latin-1"),
        ("windows-1252", "cp1252"),
        ("cp1252", "cp1252"),
        ("iso-8859-15", "iso-8859-15"),
        ("cp850", ""),
        ("utf-16le", "utf-16-le"),
        ("utf-16be", "utf-16-be"),
        ("utf-32le", "utf-32-le"),
        ("utf-32be", "utf-32-be"),
        ("utf-8", "utf-8"),
        ("gb18030", "gb18030"),
    ] {
        let format = format!("csv,encoding={name}");
        match python {
            "" => {
                cat(&format, "").stderr_has("encoding=cp850 is unknown; there are utf-8").fails(2)
            }
            python => cat(&format, encode(TABLE, python)).stdout(RECORDS).succeeds(),
        };
    }
    // As browsers do, and everybody means: with the euro and the quotes of Windows.
    cat("text,encoding=latin1", b"5 \x80 \x93a\x94\n")
        .stdout("\"5 \u{20ac} \u{201c}a\u{201d}\"\n")
        .succeeds();
    let shift = encode("\u{65e5}\u{672c}\u{8a9e},\u{30bd}\n", "shift_jis");
    cat("csv,header=no,encoding=shift_jis", shift)
        .stdout("[\"\u{65e5}\u{672c}\u{8a9e}\",\"\u{30bd}\"]\n")
        .succeeds();
    let words =
        encode("\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442} \u{43c}\u{438}\u{440}\n", "koi8-r");
    cat("text,words,encoding=koi8-r", words)
        .stdout("\"\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442}\"\n\"\u{43c}\u{438}\u{440}\"\n")
        .succeeds();
}

#[test]
fn what_is_not_in_its_encoding_is_bad_or_replaced_and_said_what_to_do() {
    let hint =
        "encoding=NAME reads another encoding, invalid=replace marks what is wrong; --bad skip";
    let line = b"good\nca\xe9 \xff!\nlast\n";
    cat("text", line)
        .stderr_has("line 2, byte 3: not UTF-8")
        .stderr_has(hint)
        .stdout("\"good\"\n")
        .fails(3);
    // Each way out that the message names.
    cat("text,encoding=latin1", line)
        .stdout("\"good\"\n\"ca\u{e9} \u{ff}!\"\n\"last\"\n")
        .succeeds();
    cat("text,invalid=replace", line)
        .stdout("\"good\"\n\"ca\u{fffd} \u{fffd}!\"\n\"last\"\n")
        .succeeds();
    cat("text", line)
        .args(["--bad", "skip"])
        .stdout("\"good\"\n\"last\"\n")
        .stderr_has("1 bad record")
        .succeeds();
    cat("csv", b"a,b\n\xe9,1\n").stderr_has("it is not UTF-8").stderr_has(hint).fails(3);
    cat("csv,invalid=replace", b"\xe9,b\n\"x\xe9\"\"\",1\n")
        .stdout("{\"\u{fffd}\":\"x\u{fffd}\\\"\",\"b\":\"1\"}\n")
        .succeeds();
    cat("csv", b"a\xe9\n1\n").stderr_has("the header is not UTF-8").stderr_has(hint).fails(3);
    cat("ndjson", b"1\n\"\xe9\"\n")
        .stderr_has("line 2, byte 2: not UTF-8")
        .stderr_has(hint)
        .stdout("1\n")
        .fails(3);
    cat("ndjson,invalid=replace", b"1\n\"\xe9\"\n").stdout("1\n\"\u{fffd}\"\n").succeeds();
    cat("ndjson,invalid=replace", b"{\xe9}\n").stderr_has("expected a member name").fails(3);
    cat("text,invalid=fail", line).stderr_has("not UTF-8").stdout("\"good\"\n").fails(3);
    // Half a character of UTF-16, and one that is cut.
    for bytes in [b"\xff\xfea\0\n\0\0\xd8b\0\n\0".as_slice(), b"\xff\xfea\0\n\0b"] {
        cat("text", bytes)
            .stderr_has("line 2")
            .stderr_has("not UTF-16LE")
            .stdout("\"a\"\n")
            .fails(3);
        cat("text,invalid=replace", bytes).succeeds();
        cat("text,invalid=base64", bytes).stderr_has("not UTF-16LE").stdout("\"a\"\n").fails(3);
    }
}

#[test]
fn bytes_that_are_no_text_travel_as_base64_and_come_back() {
    let lines = b"plain\n\xff\x00\xfe\ttab\n\xc3\n";
    let records = "\"plain\"\n{\"$base64\":\"/wD+CXRhYg==\"}\n{\"$base64\":\"ww==\"}\n";
    cat("text,invalid=base64", lines).stdout(records).succeeds();
    let back = mc("gather").args(["-o", "text:-"]).stdin(records).succeeds();
    assert_eq!(back.stdout, lines);
    let pairs =
        "[\"plain\",null]\n[{\"$base64\":\"/wD+\"},\"tab\"]\n[{\"$base64\":\"ww==\"},null]\n";
    cat("text,kv,invalid=base64", lines).stdout(pairs).succeeds();
    let back = mc("gather").args(["-o", "text,kv:-"]).stdin(pairs).succeeds();
    assert_eq!(back.stdout, lines);
    let gather = |record: &str| mc("gather").args(["-o", "text:-"]).stdin(record);
    gather("{\"$base64\":\"/wr/\"}\n").stderr_has("cannot hold a line end").stdout("").fails(3);
    gather("{\"$base64\":\"*\"}\n").stderr_has("it is not a string").stdout("").fails(3);
    cat("text,words,invalid=base64", "").stderr_has("do not go together").fails(2);
    cat("csv,invalid=base64", "").stderr_has("say invalid=fail or invalid=replace").fails(2);
}

#[test]
fn text_that_would_be_read_as_something_else_is_refused() {
    let refused = |resource: &str, record: &str, what: &str| {
        let dir = dir();
        let call = mc("gather").current_dir(&dir).args(["-o", resource]).stdin(record);
        call.stderr_has(format!("the first record begins with {what}")).fails(3);
        assert_eq!(crate::support::names(&dir), [""; 0]);
    };
    refused("text:a.txt", "{\"$base64\":\"//5h\"}\n", "a byte order mark of UTF-16LE");
    refused("text,encoding=latin1:a.txt", "\"\u{ff}\u{fe}a\"\n", "a byte order mark of UTF-16LE");
    refused("text,encoding=latin1:a.txt", "\"\u{ef}\u{bb}\u{bf}\"\n", "a byte order mark of UTF-8");
    let row = "[\"\u{fe}\u{ff}\",\"b\"]\n";
    refused("csv,encoding=latin1,header=no:a.csv", row, "a byte order mark of UTF-16BE");
    refused("text:a.txt", "\"BZh91AY&SY\"\n", "the first bytes of bzip2");
    // Behind the first record the same is text.
    let dir = dir();
    let records = "\"\"\n\"\u{ff}\u{fe}a\"\n";
    let call = mc("gather").current_dir(&dir).args(["-o", "text,encoding=latin1:a.txt"]);
    call.stdin(records).succeeds();
    let call = mc("cat").current_dir(&dir).arg("text,encoding=latin1:a.txt");
    call.stdout(records).succeeds();
}

#[test]
fn utf_16_without_a_mark_is_named_with_the_way_out() {
    for (encoding, name) in
        [("utf-16-le", "utf-16le"), ("utf-16-be", "utf-16be"), ("utf-32-le", "utf-32le")]
    {
        for format in ["csv", "text", "ndjson"] {
            let call = cat(format, encode(TABLE, encoding)).stdout("");
            let shown = name.to_uppercase();
            call.stderr_has(format!("standard input: it looks like {shown} without a byte order mark: say encoding={name}"))
                .fails(3);
        }
        cat(&format!("csv,encoding={name}"), encode(TABLE, encoding)).stdout(RECORDS).succeeds();
    }
    let other = cat("csv,encoding=utf-16be", encode(TABLE, "utf-16-le")).stdout("");
    other.stderr_has("it is UTF-16LE, not UTF-16BE: say encoding=utf-16le").fails(3);
    // Whoever says so reads the zeros.
    cat("text,encoding=utf-8", "a\0".repeat(8))
        .stdout(format!("\"{}\"\n", "a\\u0000".repeat(8)))
        .succeeds();
    cat("ndjson", "1\n\"a\0b\"\n").stderr_has("line 2, byte 3: a NUL byte").stdout("1\n").fails(3);
    cat("ndjson", "1\n\0\0\0\0\n").stderr_has("line 2, byte 1: a NUL byte").stdout("1\n").fails(3);
}

#[test]
fn files_are_written_in_other_encodings_or_refused_by_line() {
    let dir = dir();
    for (name, python) in [
        ("latin1", "cp1252"),
        ("utf-16", "utf-16"),
        ("utf-32", "utf-32"),
        ("iso-8859-15", "iso-8859-15"),
    ] {
        let path = dir.path().join("a.csv");
        let output = format!("csv,encoding={name}:{}", path.display());
        mc("gather").args(["-o", &output]).stdin(RECORDS).succeeds();
        let text = TABLE.replace('\r', "");
        assert_eq!(std::fs::read(&path).unwrap(), encode(&text, python), "{name}");
        mc("cat").arg(&output).stdout(RECORDS).succeeds();
    }
    let big = mc("gather").args(["-o", "text,encoding=utf-16be:-"]).stdin("\"\u{e9}\"\n");
    big.stdout(b"\xfe\xff\0\xe9\0\n").succeeds();
    let call = mc("gather")
        .args(["-o", "text,encoding=latin1:-"])
        .stdin("\"a\"\n\"\u{141}\u{f3}d\u{17a}\"\n");
    call.stderr_has("standard output: line 2: windows-1252 has no '\u{141}'")
        .stderr_has("encoding=utf-8")
        .fails(3);
    let call =
        mc("gather").args(["-o", "text,encoding=latin1:-"]).stdin("{\"$base64\":\"/w==\"}\n");
    call.stderr_has("line 1: bytes that are not UTF-8").stdout("").fails(3);
    let path = dir.path().join("none.csv");
    let output = format!("csv,encoding=latin1:{}", path.display());
    mc("gather")
        .args(["-o", &output])
        .stdin("{\"a\":\"\u{65e5}\"}\n")
        .stderr_has("has no")
        .fails(3);
    assert!(!path.exists());
}

#[test]
fn compressed_data_is_unpacked_whatever_it_is_called() {
    let dir = dir();
    for (program, name) in
        [("gzip", "gzip"), ("zstd", "Zstandard"), ("bzip2", "bzip2"), ("xz", "xz")]
    {
        let packed = Call::new(program).arg("-c").stdin("2\n1\n").succeeds().stdout;
        let said = format!("standard input is {name}: it is unpacked");
        mc("cat").stdin(&packed).stdout("2\n1\n").stderr_has(&said).succeeds();
        cat("csv,header=no", &packed).stdout("[\"2\"]\n[\"1\"]\n").stderr_has(&said).succeeds();
        for tool in [&["sort"][..], &["map", "sort"], &["gather"]] {
            let call = mc(tool[0]).args(&tool[1..]).stdin(&packed).stderr_has(&said);
            assert_eq!(call.succeeds().text().len(), 4, "{tool:?}");
        }
        for file in ["data", "a.ndjson"] {
            let path = write(&dir, file, &packed);
            mc("cat").arg(format!("text:{}", path.display())).stdout("\"2\"\n\"1\"\n").succeeds();
        }
        mc("sort").arg(dir.path().join("a.ndjson")).stdout("1\n2\n").succeeds();
        // As short as it may be, and cut in its magic.
        cat("text", &packed[..packed.len() - 1]).stderr_has("cut short").stderr_has(&said).fails(3);
    }
    cat("text", "BZh9 is how it begins\n").stdout("\"BZh9 is how it begins\"\n").succeeds();
}

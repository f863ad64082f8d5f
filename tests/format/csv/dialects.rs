//! Dialects of CSV: what their options read.

use super::cat;

/// Reads `text` by options, and must get `records`.
#[track_caller]
fn reads(options: &str, text: impl AsRef<[u8]>, records: &str) {
    cat(options, text).stdout(records).succeeds();
}

#[test]
fn quotes_are_another_character_or_none() {
    reads(",quote='", "a,b\n'1,''2\n3',\"x\"\n", "{\"a\":\"1,'2\\n3\",\"b\":\"\\\"x\\\"\"}\n");
    reads(
        ",quote=no",
        "a,b\n\"1,2\"\n3,it\"s\n",
        "{\"a\":\"\\\"1\",\"b\":\"2\\\"\"}\n{\"a\":\"3\",\"b\":\"it\\\"s\"}\n",
    );
    reads(",quote=no", "a\n\"\n", "{\"a\":\"\\\"\"}\n");
}

#[test]
fn escapes_take_the_next_character_as_it_is() {
    let text = "id,note\n1,\"say \\\"no\\\", or\"\n2,a\\,b\\\\\n3,\"\"\"x\"\"\"\n4,a\\\nb\n";
    let want = concat!(
        r#"{"id":"1","note":"say \"no\", or"}"#,
        "\n",
        r#"{"id":"2","note":"a,b\\"}"#,
        "\n",
        r#"{"id":"3","note":"\"x\""}"#,
        "\n",
        r#"{"id":"4","note":"a\nb"}"#,
        "\n"
    );
    reads(",escape=\\", text, want);
    reads(",escape=^", "a\n\"x^\"y\"\n", "{\"a\":\"x\\\"y\"}\n");
    cat(",escape=\\", "a\n1\\")
        .stderr_has("row 1 (line 2): the file ends with the character")
        .fails(3);
    cat(",escape=\\", "a\n\"1\\\"\n").stderr_has("a quote opens on line 2 and is never").fails(3);
}

#[test]
fn what_mysql_dumps_is_read_as_it_was() {
    // Null is \N, an escaped one is text; tabs and line ends are escaped as they are.
    let text = "1\t\\N\tplain\n2\t\\\\N\ta\\\tb\\\nc\n3\tN\t\"q\\\\\n";
    let want = concat!(
        r#"["1",null,"plain"]"#,
        "\n",
        r#"["2","\\N","a\tb\nc"]"#,
        "\n",
        r#"["3","N","\"q\\"]"#,
        "\n"
    );
    reads(",header=no,delim=tab,quote=no,escape=\\,null=\\N", text, want);
    reads(",header=no,null=\\N", "\\N,x\n", "[null,\"x\"]\n");
}

#[test]
fn comments_are_passed_over_and_text_is_not() {
    let text = "# made by hand\na,b\n#1,2\n3,#4\n\"#5\",6\n# the end";
    let want = "{\"a\":\"3\",\"b\":\"#4\"}\n{\"a\":\"#5\",\"b\":\"6\"}\n";
    reads(",comment=#", text, want);
    reads(",comment=//", "// \"\na\n/1\n//2\n", "{\"a\":\"/1\"}\n");
    reads(",comment=#", "#x\r#y\ra\r#\"\r1\r", "{\"a\":\"1\"}\n");
    let call = cat(",comment=#", "a,b\n# \"\n1\n").stderr_has("row 1 (line 3): it has 1 fields");
    call.fails(3);
}

#[test]
fn lines_before_the_header_are_skipped() {
    let want = "{\"a\":\"1\"}\n";
    reads(",skip=3", "Report \"x\nby,us\n\na\n1\n", want);
    reads(",skip=1", "\u{feff}x\r\na\r\n1\r\n", want);
    reads(",skip=2", "x\ry\ra\r1\r", want);
    reads(",skip=1,header=no", "x,y\n1\n", "[\"1\"]\n");
    reads(",skip=2", "x\ny\n", "");
    reads(",skip=2", "", "");
    let long = "x".repeat(700_000);
    reads(",skip=2", format!("{long}\r\n{long}\na\n1\n"), want);
    cat(",skip=3", "a\n1\n").stderr_has("2 lines are all, and skip=3 is more").fails(3);
    let call = cat(",skip=2", "x\ny\na,b\n1\n").stderr_has("row 1 (line 4): it has 1 fields");
    call.fails(3);
}

#[test]
fn blanks_around_fields_and_quotes_are_trimmed() {
    let text = "a , b\t, c \n 1, \"x, y\" ,\t2 \n  \n\" 3 \",\"\"  ,  \n";
    let want = concat!(
        "{\"a\":\"1\",\"b\":\"x, y\",\"c\":\"2\"}\n",
        "{\"a\":\" 3 \",\"b\":\"\",\"c\":\"\"}\n"
    );
    reads(",trim", text, want);
    reads(",trim,delim=tab,quote=no", "a\t b\n \t x y \n", "{\"a\":\"\",\"b\":\"x y\"}\n");
    reads(",trim,escape=\\", "a\n x\\ \n", "{\"a\":\"x \"}\n");
    reads("", "a, b\n1, 2 \n", "{\"a\":\"1\",\" b\":\" 2 \"}\n");
    cat(",trim", "a\n\"x\" y\n").stderr_has("text follows the closing quote on line 2").fails(3);
}

#[test]
fn delimiters_are_of_one_character_or_several() {
    let want = "{\"a\":\"1\",\"b\":\"x|y\",\"c\":\"\"}\n";
    reads(",delim=||", "a||b||c\n1||x|y||\n", want);
    reads(",delim=%3A%3A", "a::b::c\n1::\"x|y\"::\n", want);
    reads(",delim=%2C ", "a, b\n1, \"x, y\"\n", "{\"a\":\"1\",\"b\":\"x, y\"}\n");
    reads(",delim=%01", "a\u{1}b\n1\u{1}2\n", "{\"a\":\"1\",\"b\":\"2\"}\n");
    reads(",delim=¦", "a¦b\n1¦2\n", "{\"a\":\"1\",\"b\":\"2\"}\n");
    reads(",delim=||", "a\n\"x\"", "{\"a\":\"x\"}\n");
    cat(",delim=||", "a||b\n\"x\"|y\n").stderr_has("text follows the closing quote").fails(3);
}

#[test]
fn several_texts_stand_for_null() {
    let text = "a,b\nNA,N/A\n-,\"NA\"\n,n/a\n";
    let want = "{\"a\":null,\"b\":null}\n{\"a\":\"-\",\"b\":null}\n{\"a\":null,\"b\":\"n/a\"}\n";
    reads(",null=NA,null=N/A,null=", text, want);
    reads(",null=a%2Cb,null=%3A", "x\n\"a,b\"\n:\n", "{\"x\":null}\n{\"x\":null}\n");
}

#[test]
fn excels_first_line_tells_the_delimiter() {
    let want = "{\"a\":\"1\",\"b\":\"2,5\"}\n";
    for text in ["sep=;\na;b\n1;2,5\n", "\u{feff}sep=;\r\na;b\r\n1;2,5\r\n", "SEP=;\ra;b\r1;2,5\r"]
    {
        reads("", text, want);
        reads(",delim=semicolon", text, want);
        let call = cat(",delim=comma", text).stdout("");
        call.stderr_has("line 1: this line says sep=;, but columns are to be parted by ','")
            .fails(3);
    }
    // The two ways out of a clash.
    reads(",delim=pipe,skip=1", "sep=;\na|b\n1|2,5\n", want);
    reads(",delim=;,skip=1", "sep=|\na;b\n1;2,5\n", want);
    reads("", "sep=\t\na\tb\n1\t\"2,5\"\n", want);
    reads(",header=no", "sep=;\n1;2\n", "[\"1\",\"2\"]\n");
    reads("", "sep=;", "");
    // What is no such line is a header.
    reads("", "\"sep=;\"\n1\n", "{\"sep=;\":\"1\"}\n");
    reads("", "sep=;x\n1\n", "{\"sep=;x\":\"1\"}\n");
    reads("", "sep\n1\n", "{\"sep\":\"1\"}\n");
    reads("", "a\nsep=;\n", "{\"a\":\"sep=;\"}\n");
    cat("", "sep=\"\na\n1\n").stderr_has("delim= holds the quote").fails(3);
}

#[test]
fn rows_that_are_too_long_or_too_short_are_made_to_fit() {
    let text = "a,b\n1,2,,\n3\n4,5\n";
    let call = cat(",ragged=cut", text).stdout("{\"a\":\"1\",\"b\":\"2\"}\n");
    call.stderr_has("row 2 (line 3): it has 1 fields, and 2 are expected").fails(3);
    let want = "{\"a\":\"1\",\"b\":\"2\"}\n{\"a\":\"3\",\"b\":\"\"}\n{\"a\":\"4\",\"b\":\"5\"}\n";
    reads(",ragged=fit", text, want);
    reads(",ragged=cut,col=b", "a,b\n1,2,3\n", "{\"b\":\"2\"}\n");
    reads(
        ",ragged=fit,header=no",
        "1,2\n3\n4,5,6\n",
        "[\"1\",\"2\"]\n[\"3\",\"\"]\n[\"4\",\"5\"]\n",
    );
}

#[test]
fn a_carriage_return_alone_ends_rows_too() {
    let want = "{\"a\":\"1\",\"b\":\"2\"}\n{\"a\":\"3\",\"b\":\"4\"}\n";
    reads("", "a,b\r1,2\r3,4\r", want);
    reads(",quote=no", "a,b\r1,2\r3,4", want);
    // What is bad costs its line, not the rest.
    let call = cat("", "a,b\r\"1\"x,2\r1,2\r\"x\r3,4\r").args(["--bad", "skip"]).stdout(want);
    call.stderr_has("2 bad records dropped").succeeds();
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let refused = |options: &str, why: &str| {
        cat(options, "").stdout("").stderr_has(format!("format csv: {why}")).fails(2);
    };
    refused(",delim=", "delim= is one character or several");
    refused(",delim=a\"", "delim= holds the quote");
    refused(",delim=|,escape=|", "delim= holds the character of escape=");
    refused(",quote=ab", "quote= is one ASCII character, or no");
    refused(",quote=", "quote= is one ASCII character, or no");
    refused(",escape=", "escape= is one ASCII character");
    refused(",escape=\"", "escape= is the quote");
    refused(",quote=',escape='", "escape= is the quote");
    refused(",comment=\"", "comment= begins as a row may");
    refused(",comment=%2C", "comment= begins as a row may");
    refused(",header=no,rename", "rename is for a header");
    refused(",skip=x", "'skip=x' is not a positive whole number");
    refused(",ragged=all", "say ragged=refuse, pad, cut or fit");
}

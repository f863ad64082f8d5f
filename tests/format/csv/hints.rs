//! The way out that a message names is one: followed, every row is there, and right.

use super::cat;

/// What is refused for `why`, with the hint; by `options` it is read as `records`.
#[track_caller]
fn followed(text: &str, why: &str, options: &str, records: &str) {
    cat("", text).stderr_has(why).fails(3);
    cat(options, text).stdout(records).succeeds();
}

/// What is refused for `why`, without any hint.
#[track_caller]
fn no_way(text: impl AsRef<[u8]>, why: &str) {
    let output = cat("", text).stderr_has(why).fails(3);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.trim_end().ends_with(why), "{said}");
}

#[test]
fn backslashes_before_quotes_lead_to_escape() {
    let text = "a,b\n1,\"say \\\"no\\\", she said\"\n2,\"\\\"x\\\"\"\n";
    let why = "text follows the closing quote on line 2 (escape=\\ if \\\" is a quote in the text)";
    let want =
        concat!(r#"{"a":"1","b":"say \"no\", she said"}"#, "\n", r#"{"a":"2","b":"\"x\""}"#, "\n");
    followed(text, why, ",escape=\\", want);
    let text = "a\n\"x\\\",\"\n";
    let why = "a quote opens on line 2 and is never closed (escape=\\ if";
    cat("", "a\n\"x\\\"\"\n").stderr_has(why).fails(3);
    cat(",escape=\\", "a\n\"x\\\"\"\n").stdout("{\"a\":\"x\\\"\"}\n").succeeds();
    cat(",escape=\\", text).stdout("{\"a\":\"x\\\",\"}\n").succeeds();
}

#[test]
fn stray_quotes_lead_nowhere_that_would_lose_them() {
    no_way(
        "a,b\n1,\"5\" disk\"\n",
        "text follows the closing quote on line 2 (a quote in the text is to be doubled)",
    );
    no_way("a,b\n1,\"x\ny,2\n", "a quote opens on line 2 and is never closed");
    cat("", "a,b\n1,\"5\"\" disk\"\n").stdout("{\"a\":\"1\",\"b\":\"5\\\" disk\"}\n").succeeds();
}

#[test]
fn blanks_around_quotes_lead_to_trim() {
    let want = "{\"a\":\"1\",\"b\":\"x, y\"}\n";
    let why =
        "row 1 (line 2): it has 3 fields, and 2 are expected (trim drops blanks around quotes)";
    followed("a,b\n1, \"x, y\"\n", why, ",trim", want);
    let why = "text follows the closing quote on line 2 (trim drops blanks around quotes)";
    followed("a,b\n1,\"x, y\" \n", why, ",trim", want);
}

#[test]
fn a_quote_that_opens_among_tabs_leads_to_both_ways() {
    let text = "a\tb\n1\t\"x\n2\ty\"\n3\tz\n";
    let ways = "a quote opens on line 2 and does not close in it: say quote=no if quotes are text, \
                quote=\" if a field may hold line ends";
    cat(",delim=tab", text).stdout("").stderr_has(format!("row 1 (line 2): {ways}")).fails(3);
    let want = concat!(
        "{\"a\":\"1\",\"b\":\"\\\"x\"}\n",
        "{\"a\":\"2\",\"b\":\"y\\\"\"}\n",
        "{\"a\":\"3\",\"b\":\"z\"}\n"
    );
    cat(",delim=tab,quote=no", text).stdout(want).succeeds();
    let text = "a\tb\n1\t\"x\n2, y\"\n3\tz\n";
    cat(",delim=tab", text).stderr_has(ways).fails(3);
    let want = "{\"a\":\"1\",\"b\":\"x\\n2, y\"}\n{\"a\":\"3\",\"b\":\"z\"}\n";
    cat(",delim=tab,quote=\"", text).stdout(want).succeeds();
    // At once, though the quote might close much later, and in the header.
    let long = format!("a\tb\n1\t\"x\n{}2\ty\"\n", "3\tz\n".repeat(200_000));
    cat(",delim=tab", &long).stdout("").stderr_has(ways).fails(3);
    let call = cat(",delim=tab", &long).args(["--bad", "skip"]).stderr_has("1 bad record dropped");
    assert_eq!(call.succeeds().lines().len(), 200_001);
    cat(",delim=tab", "a\t\"b\nc\"\n1\t2\n")
        .stderr_has("a quote opens on line 1 and does not")
        .fails(3);
    // One that closes in its line is a quote.
    cat(",delim=tab", "a\tb\n1\t\"x\ty\"\n").stdout("{\"a\":\"1\",\"b\":\"x\\ty\"}\n").succeeds();
    let why = "text follows the closing quote on line 2 (quote=no if quotes are text)";
    cat(",delim=tab", "a\tb\n1\t\"x\" y\n").stderr_has(why).fails(3);
    cat(",delim=tab,quote=no", "a\tb\n1\t\"x\" y\n")
        .stdout("{\"a\":\"1\",\"b\":\"\\\"x\\\" y\"}\n")
        .succeeds();
}

#[test]
fn rows_of_another_length_lead_to_what_keeps_all_of_them() {
    let why = "it has 1 fields, and 2 are expected (ragged=pad fills it up)";
    followed("a,b\n1\n", why, ",ragged=pad", "{\"a\":\"1\",\"b\":\"\"}\n");
    let why = "it has 4 fields, and 2 are expected (ragged=cut leaves out the empty ones)";
    followed("a,b\n1,2,,\n", why, ",ragged=cut", "{\"a\":\"1\",\"b\":\"2\"}\n");
    no_way("a,b\n1,2,3\n", "it has 3 fields, and 2 are expected");
    // Two rows in one, and what is hardly text at all, are not to be filled up.
    no_way(
        "a,b,c\n1,\"2\n3,4\",5\n6,\"7\n8\"\n",
        "row 2 (line 4): it has 2 fields, and 3 are expected",
    );
    let nul = format!("a,b\n{}1\0\n", "1,2\n".repeat(50));
    let why = "it has 1 fields, and 2 are expected (NUL bytes are in it, as in files that were not \
               written to their end)";
    no_way(nul, &format!("row 51 (line 52): {why}"));
}

#[test]
fn a_header_of_one_column_leads_to_its_delimiter_or_its_line() {
    let why = "it has 2 fields, and 1 are expected (delim=semicolon if that parts the columns)";
    followed("a;b\n1;2,5\n", why, ",delim=semicolon", "{\"a\":\"1\",\"b\":\"2,5\"}\n");
    let why = "it has 2 fields, and 1 are expected (delim=tab if that parts the columns)";
    followed("a\tb\n1\t2,5\n", why, ",delim=tab", "{\"a\":\"1\",\"b\":\"2,5\"}\n");
    let text = "Report of May\nby us\n\na,b\n1,2\n";
    let why = "(line 4): it has 2 fields, and 1 are expected (skip=3 if the lines before this one are no data)";
    followed(text, why, ",skip=3", "{\"a\":\"1\",\"b\":\"2\"}\n");
}

//! Names of columns: those that come twice, and those that are none.

use super::{cat, gather};

#[test]
fn names_that_come_twice_or_are_none_are_refused_or_renamed() {
    let ways = "say rename, or header=no for arrays";
    cat("", "id,id\n1,2\n")
        .stderr_has(format!("line 1: the header has two columns 'id': {ways}"))
        .fails(3);
    cat("", "a,\n1,2\n")
        .stderr_has(format!("line 1: column 2 of the header has no name: {ways}"))
        .fails(3);
    cat("", "a,,\n1,2,3\n").stderr_has("column 2 of the header has no name").fails(3);
    // Both ways keep every row.
    let text = "a,b,a,,a_2\n1,2,3,4,5\n";
    let want = "{\"a\":\"1\",\"b\":\"2\",\"a_3\":\"3\",\"column4\":\"4\",\"a_2\":\"5\"}\n";
    cat(",rename", text).stdout(want).succeeds();
    let arrays = "[\"a\",\"b\",\"a\",\"\",\"a_2\"]\n[\"1\",\"2\",\"3\",\"4\",\"5\"]\n";
    cat(",header=no", text).stdout(arrays).succeeds();
    cat(",rename,col=a_3,col=column4", text)
        .stdout("{\"a_3\":\"3\",\"column4\":\"4\"}\n")
        .succeeds();
    cat(",rename", "a,b\n1,2\n").stdout("{\"a\":\"1\",\"b\":\"2\"}\n").succeeds();
}

#[test]
fn a_trailing_delimiter_in_every_row_is_a_column_without_a_name() {
    let text = "a,b,\n1,2,\n";
    cat(",rename", text).stdout("{\"a\":\"1\",\"b\":\"2\",\"column3\":\"\"}\n").succeeds();
    cat(",rename,col=a,col=b", text).stdout("{\"a\":\"1\",\"b\":\"2\"}\n").succeeds();
}

#[test]
fn headers_without_rows_quoted_ones_and_empty_files_are_read() {
    cat("", "a,b\n").stdout("").succeeds();
    cat("", "").stdout("").succeeds();
    cat("", "\u{feff}").stdout("").succeeds();
    cat("", "\u{feff}\"a\",\"b\nc\"\n1,2\n").stdout("{\"a\":\"1\",\"b\\nc\":\"2\"}\n").succeeds();
    cat("", "\u{feff}\"a\",\"b\nc\"\n1\n").stderr_has("row 1 (line 3)").fails(3);
}

#[test]
fn a_member_without_a_name_is_no_column() {
    gather("", "{\"\":1}\n").stdout("").stderr_has("a column has no name (header=no").fails(3);
    gather(",header=no", "{\"\":1}\n").stdout("1\n").succeeds();
    gather(",rename", "").stderr_has("rename is for reading only").fails(2);
    gather(",skip=1", "").stderr_has("skip= is for reading only").fails(2);
}

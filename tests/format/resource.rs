//! Resources as they are named, and the names that are refused.

use crate::support::*;

fn refused(args: &[&str], why: &str) {
    mc("cat").args(args).stdout("").stderr_has(why).fails(2);
}

#[test]
fn the_name_or_the_word_before_the_colon_says_the_format() {
    let dir = dir();
    let cat = |resource: &str| mc("cat").current_dir(dir.path()).arg(resource);
    for (name, text, record) in [
        ("a.ndjson", "[1]\n", "[1]\n"),
        ("a.jsonl", "[1]\n", "[1]\n"),
        ("a.csv", "x\n1\n", "{\"x\":\"1\"}\n"),
        ("a.tsv", "x\ty\n1\t2\n", "{\"x\":\"1\",\"y\":\"2\"}\n"),
        ("a.txt", "one\n", "\"one\"\n"),
        ("a.log", "one\n", "\"one\"\n"),
    ] {
        write(&dir, name, text);
        cat(name).stdout(record).succeeds();
    }
    cat("text:a.csv").stdout("\"x\"\n\"1\"\n").succeeds();
    cat("csv,header=no,delim=tab:a.tsv").stdout("[\"x\",\"y\"]\n[\"1\",\"2\"]\n").succeeds();
    write(&dir, "csv:odd", "plain\n");
    cat("text:./csv:odd").stdout("\"plain\"\n").succeeds();
    write(&dir, "ndjson:x.txt", "plain\n");
    cat("./ndjson:x.txt").stdout("\"plain\"\n").succeeds();
    let plain = mc("cat").current_dir(dir.path()).args(["-f", "text", "csv:odd"]);
    plain.stdout("\"plain\"\n").succeeds();
}

#[test]
fn several_resources_follow_one_another() {
    let dir = dir();
    write(&dir, "a.csv", "x\n1\n");
    write(&dir, "b.txt", "two");
    let call = mc("cat").current_dir(dir.path()).args(["range:0..2", "a.csv", "-", "b.txt"]);
    call.stdin("3\n").stdout("0\n1\n{\"x\":\"1\"}\n3\n\"two\"\n").succeeds();
    refused(&["-", "ndjson:-"], "standard input (-) can be used only once");
}

#[test]
fn patterns_are_read_in_the_order_of_their_names() {
    let dir = dir();
    for name in ["b.txt", "a.txt", ".hidden.txt", "c.log", "sub/d.txt"] {
        write(&dir, name, name);
    }
    let cat = |resource: &str| mc("cat").current_dir(dir.path()).arg(resource);
    cat("*.txt").stdout("\"a.txt\"\n\"b.txt\"\n").succeeds();
    cat("text:*/?.txt").stdout("\"sub/d.txt\"\n").succeeds();
    cat("[bc].*").stdout("\"b.txt\"\n\"c.log\"\n").succeeds();
    cat("*.csv").stdout("").stderr_has("*.csv: no file matches").fails(2);
}

#[test]
fn what_is_no_resource_is_refused_before_anything_is_read() {
    refused(&["range:0..3", "no.txt"], "cannot read no.txt: No such file or directory");
    refused(&["csvv:/dev/null"], "no program mc-format-csvv is in PATH");
    refused(&["csvv:/dev/null"], "is in PATH (did you mean csv?)");
    refused(&["csvv:/dev/null"], "ndjson, text, csv, tsv, zip, leveldb, files, range");
    refused(&[repository("LICENSE-MIT").to_str().unwrap()], "its name does not tell its format");
    refused(&["a b:x"], "'a b' is not a format");
    refused(&["csv:"], "without a path");
    refused(&["csv:client:///etc/passwd"], "client://");
    refused(&["ndjson:-", "sales.mc"], "sales.mc");
    refused(&["shards:x"], "No such file");
    refused(&["range:0..3", "range:3..0"], "say range:FIRST..END");
    refused(&["/"], "does not tell its format");
    refused(&["text:/"], "is a directory: say files:/");
}

#[test]
fn a_url_is_read_or_its_scheme_is_named() {
    let dir = dir();
    let path = write(&dir, "a b.csv", "x\n1\n");
    let url = format!("file://{}", path.display()).replace(' ', "%20");
    mc("cat").arg(&url).stdout("{\"x\":\"1\"}\n").succeeds();
    mc("cat").arg(format!("text:{url}")).stdout("\"x\"\n\"1\"\n").succeeds();
    mc("gather").args(["-o", &url]).stdin("{\"x\":2}\n").succeeds();
    assert_eq!(std::fs::read(&path).unwrap(), b"x\n2\n");
    for url in
        ["s3://bucket/a.csv", "csv:s3://bucket/a.csv", "ftp://host/a.csv", "gs://b/a", "hdfs://n/a"]
    {
        let scheme = url.trim_start_matches("csv:").split(':').next().unwrap();
        refused(&[url], &format!("{scheme}:// cannot be read or written here: http://, https://"));
        let call = mc("gather").args(["-o", url]).stdin("").stdout("");
        call.stderr_has(format!("{scheme}:// cannot be")).fails(2);
    }
    refused(&["file://host/a.csv"], "a file of this machine is file:///PATH");
}

#[test]
fn unknown_and_unfit_options_are_refused() {
    refused(&["ndjson,typed:-"], "no option 'typed' here; there are encoding=, invalid=");
    refused(&["csv,tpyed:-"], "no option 'tpyed' here; there are header=, delim=");
    refused(&["csv,tpyed:-"], "(did you mean typed?)");
    refused(&["csv,delimiter=;:-"], "(did you mean delim?)");
    refused(&["csv,typed=yes:-"], "'typed' takes no value");
    refused(&["csv,quote=ab:-"], "one ASCII character");
    refused(&["csv,header=maybe:-"], "header=yes or header=no");
    refused(&["csv,col=a,col=a:-"], "col=a is given twice");
    refused(&["text,kv,words:-"], "do not go together");
    refused(&["range,x:0..3"], "no option 'x'");
    refused(&["zip,ratio=0:-"], "not a positive whole number");
    let written = |resource: &str, why: &str| {
        mc("gather").args(["-o", resource]).stdin("").stderr_has(why).fails(2);
    };
    written("range:0..3", "for reading only");
    written("text,words:-", "for reading only");
    written("http://127.0.0.1/x.csv", "cannot write over http");
    written("csv,nope:-", "no option 'nope'");
    written("csvv:x", "(did you mean csv?)");
    written("zip,ratio=3:-", "no option 'ratio'");
}

#[test]
fn a_directory_or_a_file_that_may_not_be_read_is_the_calls_fault() {
    let dir = dir();
    std::fs::create_dir(dir.path().join("d.csv")).unwrap();
    let call = mc("cat").current_dir(dir.path()).arg("d.csv");
    call.stderr_has("d.csv is a directory").fails(2);
}

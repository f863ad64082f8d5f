//! Resources as they are named, and the names that are refused.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

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

/// Writes `bytes` to a file whose name may be any bytes.
fn write_bytes(dir: &tempfile::TempDir, name: &[u8], bytes: &str) {
    std::fs::write(dir.path().join(OsStr::from_bytes(name)), bytes).unwrap();
}

#[test]
fn a_name_of_any_bytes_is_met_and_tells_its_format() {
    let dir = dir();
    for (name, text) in [(b"Stra\xdfe.csv".as_slice(), "x\n1\n"), (b"a\xff.TXT", "two\n")] {
        write_bytes(&dir, name, text);
    }
    write_bytes(&dir, b"n.csv", "x\n3\n");
    let cat = |resource: &[u8]| mc("cat").current_dir(dir.path()).arg(OsStr::from_bytes(resource));
    cat(b"csv:*.csv").stdout(rows![{"x": "1"}, {"x": "3"}]).succeeds();
    cat(b"*").stdout(rows![{"x": "1"}, "two", {"x": "3"}]).succeeds();
    cat(b"Stra\xdfe.csv").stdout(rows![{"x": "1"}]).succeeds();
    cat(b"Stra?e.csv").stdout(rows![{"x": "1"}]).succeeds();
    cat(b"text:a\xff*").stdout(rows!["two"]).succeeds();
    // On a host as well, where the worker lives on.
    let whole = |pattern: &str| format!("{}/{pattern}", dir.path().display());
    let line = "mc-cat -h : \"$1\" | mc-gather";
    let far = |pattern: &str| sh("bash", line).args(["bash", &whole(pattern)]);
    far("*.csv").stdout(rows![{"x": "1"}, {"x": "3"}]).succeeds();
    // Written as well as read.
    let made = OsStr::from_bytes(b"\xfe.csv.zip");
    let gather = mc("gather").current_dir(dir.path()).arg("-o").arg(made);
    gather.stdin("{\"y\":1}\n").succeeds();
    cat(b"\xfe.csv.zip").stdout(rows![{"y": "1"}]).succeeds();
}

#[test]
fn a_colon_in_the_name_of_a_file_that_is_there_begins_no_path() {
    let dir = dir();
    let name = "2021-05-06T07:08:09.csv";
    write(&dir, name, "x\n1\n");
    write(&dir, "a b:c.txt", "two\n");
    write(&dir, "csv:y.txt", "three\n");
    let cat = |args: &[&str]| mc("cat").current_dir(dir.path()).args(args);
    cat(&[name]).stdout(rows![{"x": "1"}]).succeeds();
    cat(&["2021*T07:*.csv"]).stdout(rows![{"x": "1"}]).succeeds();
    cat(&["*:08:*"]).stdout(rows![{"x": "1"}]).succeeds();
    cat(&[&format!("text:{name}")]).stdout(rows!["x", "1"]).succeeds();
    cat(&["a b:c.txt"]).stdout(rows!["two"]).succeeds();
    // A format of ours is one whatever is there.
    cat(&["csv:y.txt"]).stderr_has("cannot read y.txt").fails(2);
    cat(&["2021-05-06T08:08:09.csv"])
        .stderr_has("format 2021-05-06T08: cannot read 08:09")
        .fails(2);
    cat(&["2021-05-06T08:*.csv"]).stderr_has("is written ./2021-05-06T08:").fails(2);
    let gather = mc("gather").current_dir(dir.path()).args(["-o", name]);
    gather.stdin("{\"x\":4}\n").succeeds();
    cat(&[name]).stdout(rows![{"x": "4"}]).succeeds();
    // On a host too; a worker here begins where the tool does.
    let far = sh("bash", "mc-cat -h : \"$1\" | mc-gather").args(["bash", name]);
    far.current_dir(dir.path()).stdout(rows![{"x": "4"}]).succeeds();
    let list = format!("{name}\0a b:c.txt");
    cat(&["--files0-from", "-"]).stdin(list).stdout(rows![{"x": "4"}, "two"]).succeeds();
}

#[test]
fn patterns_reach_below_and_pass_over_directories() {
    let dir = dir();
    for name in ["d/a.txt", "d/e/b.TXT", "d/e/f/c.Log.GZ", "d/.g/h.txt", "d/dir.txt/i.txt"] {
        write(&dir, name, format!("{name}\n"));
    }
    let gz = dir.path().join("d/e/f/c.Log.GZ");
    let packed = mc("gather").args(["-o", "text:-"]).stdin(rows!["packed"]);
    let packed = Call::new("gzip").arg("-c").stdin(packed.succeeds().stdout).succeeds().stdout;
    std::fs::write(gz, &packed).unwrap();
    write(&dir, "d/j.txt.BGZ", &packed);
    let cat = |args: &[&str]| mc("cat").current_dir(dir.path()).args(args);
    cat(&["d/**/*.txt"]).stdout(rows!["d/a.txt", "d/dir.txt/i.txt"]).succeeds();
    let all = rows!["d/a.txt", "d/dir.txt/i.txt", "d/e/b.TXT", "packed", "packed"];
    cat(&["d/**"]).stdout(&all).succeeds();
    cat(&["**"]).stdout(&all).succeeds();
    cat(&["d/*.txt"]).stdout(rows!["d/a.txt"]).succeeds();
    cat(&["d/.*/*"]).stdout(rows!["d/.g/h.txt"]).succeeds();
    cat(&["-v", "text:d/*.txt"]).stderr_has("d/*.txt: a directory is passed over").succeeds();
    cat(&["text:d/?"]).stderr_has("d/?: no file matches; a directory is passed over").fails(2);
    cat(&["text:d/dir.txt"]).stderr_has("is a directory").fails(2);
    cat(&["files:d/di*"]).stdout(rows![["i.txt", "d/dir.txt/i.txt\n"]]).succeeds();
    cat(&["text:a**b"]).stderr_has("a**b: not a pattern").fails(2);
    let sort = mc("sort").current_dir(dir.path()).args(["-r", "d/**/*.t*"]);
    sort.stdout(rows!["packed", "d/dir.txt/i.txt", "d/a.txt"]).succeeds();
    let gather = mc("gather").current_dir(dir.path()).args(["-o", "text:x.txt.bgz"]);
    gather.stdin("").stderr_has(".bgz is for reading only").fails(2);
}

#[test]
fn a_list_names_files_and_nothing_in_a_name_is_special() {
    let dir = dir();
    for name in ["a.txt", "*.txt", "-", "csv:b", "n\nl.txt", "http:", "x[1].txt", "x1.txt"] {
        write(&dir, name, format!("{}\n", name.escape_debug()));
    }
    let cat = |args: &[&str]| mc("cat").current_dir(dir.path()).args(args);
    let list = "*.txt\0n\nl.txt\0a.txt";
    let want = rows!["*.txt", "n\\nl.txt", "a.txt"];
    cat(&["--files0-from", "-"]).stdin(list).stdout(&want).succeeds();
    cat(&["--files0-from=-"]).stdin(format!("{list}\0")).stdout(&want).succeeds();
    write(&dir, "list", "-\0csv:b\0http:\0x[1].txt\0");
    let odd = rows!["-", "csv:b", "http:", "x[1].txt"];
    cat(&["-f", "text", "--files0-from", "list"]).stdout(&odd).succeeds();
    cat(&["-f", "text", "--files0-from", "./list"]).stdout(&odd).succeeds();
    cat(&["--files0-from", "list"]).stderr_has("-: its name does not tell its format").fails(2);
    let refused = |list: &str, why: &str| {
        cat(&["--files0-from", "-"]).stdin(list).stdout("").stderr_has(why).fails(2);
    };
    refused("a.txt\0\0a.txt\0", "--files0-from -: name 2 is empty");
    refused("", "--files0-from -: there is no name in it");
    refused("a.txt\0none.txt\0", "cannot read none.txt");
    // Not the file that it would match as a pattern.
    std::fs::remove_file(dir.path().join("x[1].txt")).unwrap();
    refused("x[1].txt\0", "cannot read x[1].txt");
    cat(&["--files0-from", "no"]).stderr_has("cannot read no").fails(2);
    cat(&["--files0-from", "-", "a.txt"]).stdin(list).stderr_has("cannot be used with").fails(2);
    // A list of files of a host, and one whose writer fails.
    let line = "printf '%s\\0' \"$PWD\"/*.txt | mc-cat -h : --files0-from - | mc-gather";
    let far = sh("bash", line).current_dir(dir.path());
    far.stdout(rows!["*.txt", "a.txt", "n\\nl.txt", "x1.txt"]).succeeds();
    let gone =
        sh("bash", "printf '%s/x[1].txt\\0' \"$PWD\" | mc-cat -h : --files0-from - | mc-gather");
    gone.current_dir(dir.path()).stderr_has("no file matches").stdout("").fails(4);
    let line = "mc-cat text:a.txt no | mc-cat --files0-from -";
    sh("bash", line).current_dir(dir.path()).stderr_any().fails(4);
}

#[test]
fn what_is_no_resource_is_refused_before_anything_is_read() {
    refused(&["range:0..3", "no.txt"], "cannot read no.txt: No such file or directory");
    refused(&["csvv:/dev/null"], "no program mc-format-csvv is in PATH");
    refused(&["csvv:/dev/null"], "is in PATH (did you mean csv?)");
    refused(&["csvv:/dev/null"], "ndjson, json, text, csv, tsv, zip, leveldb, files, range");
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
    for url in [
        "s3a://bucket/a.csv",
        "csv:s3n://bucket/a.csv",
        "ftp://host/a.csv",
        "gcs://b/a",
        "hdfs://n/a.csv",
    ] {
        let scheme = url.trim_start_matches("csv:").split(':').next().unwrap();
        refused(
            &[url],
            &format!("{scheme}:// cannot be read or written here: s3://, gs://, az://, http://, "),
        );
        let call = mc("gather").args(["-o", url]).stdin("").stdout("");
        call.stderr_has(format!("{scheme}:// cannot be")).fails(2);
    }
    refused(&["file://host/a.csv"], "a file of this machine is file:///PATH");
}

#[test]
fn unknown_and_unfit_options_are_refused() {
    refused(&["ndjson,typed:-"], "no option 'typed' here; there are nan=, encoding=, invalid=");
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

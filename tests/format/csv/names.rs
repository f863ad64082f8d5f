//! What the name of a file tells of its dialect, and option values of any text.

use crate::support::*;

#[test]
fn the_ending_tells_the_delimiter_unless_an_option_does() {
    let dir = dir();
    let cat = |resource: &str| mc("cat").current_dir(dir.path()).arg(resource);
    write(&dir, "a.tsv", "x\ty\n1\t2,5\n");
    write(&dir, "b.tab", "x\ty\n1\t2,5\n");
    let want = "{\"x\":1,\"y\":\"2,5\"}\n";
    cat("csv,typed:a.tsv").stdout(want).succeeds();
    cat("csv,typed:b.tab").stdout(want).succeeds();
    cat("tsv,typed:a.tsv").stdout(want).succeeds();
    cat("tsv,typed:-").stdin("x\ty\n1\t2,5\n").stdout(want).succeeds();
    let plain = mc("cat").current_dir(dir.path());
    plain.args(["-f", "csv,typed", "a.tsv", "b.tab"]).stdout(want.repeat(2)).succeeds();
    cat("csv,typed:?.t*").stdout(want.repeat(2)).succeeds();
    cat("csv,delim=comma:a.tsv").stderr_has("(delim=tab if that parts the columns)").fails(3);
    cat("csv,delim=comma,ragged=cut:a.tsv").stdout("{\"x\\ty\":\"1\\t2\"}\n").succeeds();
    cat("tsv,delim=;:a.tsv").stderr_has("format tsv: its columns are parted by tabs").fails(2);
}

#[test]
fn what_is_written_and_packed_is_told_by_the_ending_too() {
    let dir = dir();
    let records = "{\"x\":null,\"y\":\"a,b\"}\n";
    for name in ["a.tsv", "a.tsv.gz", "a.tab.zst", "a.tsv.zip"] {
        let gather =
            mc("gather").current_dir(dir.path()).args(["-o", &format!("csv,null=NA:{name}")]);
        gather.stdin(records).succeeds();
        let cat = mc("cat").current_dir(dir.path()).arg(format!("csv,null=NA:{name}"));
        cat.stdout(records).succeeds();
    }
    assert_eq!(std::fs::read(dir.path().join("a.tsv")).unwrap(), b"x\ty\nNA\ta,b\n");
    let gather = mc("gather").current_dir(dir.path()).args(["-o", "tsv:a.out"]).stdin(records);
    gather.succeeds();
    assert_eq!(std::fs::read(dir.path().join("a.out")).unwrap(), b"x\ty\n\ta,b\n");
}

#[test]
fn each_member_of_a_zip_has_its_own_name() {
    let dir = dir();
    write(&dir, "a.tsv", "x\ty\n1\t2\n");
    write(&dir, "b.csv", "x,y\n3,4\n");
    let code = "import zipfile
with zipfile.ZipFile('two.zip', 'w') as z: z.write('a.tsv'); z.write('b.csv')";
    let made = Call::new("python3").args(["-c", code]).current_dir(dir.path());
    made.succeeds();
    let want = "{\"x\":\"1\",\"y\":\"2\"}\n{\"x\":\"3\",\"y\":\"4\"}\n";
    mc("cat").current_dir(dir.path()).arg("csv:two.zip").stdout(want).succeeds();
}

#[test]
fn hosts_read_what_is_read_here() {
    let dir = dir();
    write(&dir, "a.tsv", "# c\nx\ty\n1\t\"2\n2\tN/A\n");
    let line = "mc-cat -h : \"csv,null=N/A,comment=#,quote=no:$PWD/*.t*\" | mc-gather";
    let call = sh("dash", line).current_dir(dir.path());
    call.stdout("{\"x\":\"1\",\"y\":\"\\\"2\"}\n{\"x\":\"2\",\"y\":null}\n").succeeds();
}

#[test]
fn values_of_options_hold_any_text_and_paths_stay_paths() {
    let dir = dir();
    write(&dir, "na.csv", "a,b\nN/A,\"x,y\"\n");
    write(&dir, "d/a:b.csv", "a\n1\n");
    write(&dir, "csv:x", "a\n1\n");
    let cat = |resource: &str| mc("cat").current_dir(dir.path()).arg(resource);
    cat("csv,null=N/A:na.csv").stdout("{\"a\":null,\"b\":\"x,y\"}\n").succeeds();
    cat("csv,null=N/A,null=x%2Cy:na.csv").stdout("{\"a\":null,\"b\":null}\n").succeeds();
    cat("d/a:b.csv").stdout("{\"a\":\"1\"}\n").succeeds();
    cat("csv:./csv:x").stdout("{\"a\":\"1\"}\n").succeeds();
    cat("csv,null=N/A:d/a:b.csv").stdout("{\"a\":\"1\"}\n").succeeds();
    cat("csv,col=%FF:na.csv").stderr_has("'%FF' stands for no UTF-8").fails(2);
}

//! `mc-spark`: pipelines on a real Spark are what they are without it.

use crate::support::{
    Call, Spark, copy, dir, names, on_spark, pyspark, random_lines, repository, rows, sh, spark,
    tools, write,
};

/// `mc-spark` itself, with a Spark of its own.
#[track_caller]
fn mc_spark() -> Call {
    let python = repository("target/python/bin");
    let path =
        format!("{}:{}:{}", python.display(), tools().display(), std::env::var("PATH").unwrap());
    let call = Call::new(repository("spark/mc-spark")).env("PATH", path);
    call.env("MC_WORKER", env!("CARGO_BIN_EXE_mc-worker"))
}

/// Runs `line` without Spark and on it, in a directory that `files` fills, with `input`.
#[track_caller]
fn same(line: &str, input: &str, files: &dyn Fn(&tempfile::TempDir)) {
    let dir = dir();
    files(&dir);
    let prepare = |call: Call| call.current_dir(&dir).stdin(input);
    let script = format!("set -o pipefail\n{line}");
    let expected = prepare(sh("bash", &script)).stderr_any().ends();
    on_spark(line, prepare, &expected);
}

/// Pairs whose keys are few and whose values are many.
fn pairs(count: u64) -> String {
    (0..count).map(|n| format!("[\"k{}\",{}]\n", n * 7919 % 13, n * 31 % 1009)).collect()
}

/// Sales as objects.
fn sales(count: u64) -> String {
    let sale = |n: u64| {
        format!("{{\"r\":\"r{}\",\"n\":{n}, \"a\":\"{}.{}\"}}\n", n * 7919 % 7, n % 97, n % 10)
    };
    (0..count).map(sale).collect()
}

#[test]
fn the_command_line() {
    if pyspark().is_none() {
        return;
    }
    let dir = dir();
    copy(repository("tests/data/manual"), dir.path());
    write(&dir, "line", "# Totals.\nmc-cat sales.csv |\n    mc-shuffle -k region --reduce count\n");
    let local = |words: &[&str]| mc_spark().args(["--master", "local[2]"]).args(words);
    let local = |words: &[&str]| local(words).current_dir(&dir);
    let out = "{\"region\":\"north\",\"count\":2}\n{\"region\":\"south\",\"count\":1}\n";
    local(&["line"]).stdout(out).succeeds();
    local(&["--conf", "spark.speculation=true", "mc-cat - | mc-gather -o csv:out.csv"])
        .stdin(out)
        .stdout("")
        .succeeds();
    let made = std::fs::read_to_string(dir.path().join("out.csv")).unwrap();
    assert_eq!(made, "region,count\nnorth,2\nsouth,1\n");
    let line = "mc-cat range:0..9 | mc-map -c 'cat > /dev/null; exit 3' | mc-gather -o ndjson:no";
    local(&["-"]).stdin(line).stderr_has("exit status 3").stdout("").fails(1);
    assert!(!dir.path().join("no").exists());
    local(&["--conf", "spark.no", "mc-cat -"])
        .stderr_has("mc-spark: Spark does not start: ")
        .fails(2);
}

#[test]
fn the_page_and_help_have_the_same_options() {
    let help = mc_spark().arg("--help").succeeds().text();
    let page = std::fs::read_to_string(repository("man/mc-spark.1")).unwrap();
    for (option, item) in [
        ("--log FILE", ".It Fl -log Ar FILE"),
        ("-v, --verbose", ".It Fl v , Fl -verbose"),
        ("--help", ".It Fl -help"),
        ("--version", ".It Fl -version"),
    ] {
        assert!(help.contains(option) && page.lines().any(|line| line == item), "{option}");
    }
    assert_eq!(page.matches("\n.It Fl ").count(), 4);
    let version = mc_spark().arg("--version").succeeds().text();
    assert_eq!(version, format!("mc-spark {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_has_no_meaning_on_spark_is_refused_by_the_name_of_its_stage() {
    for (line, why) in [
        ("mc-cat range:0..3 | mc-map -h : cat", "mc-spark: mc-map: -h: "),
        ("mc-cat range:0..3 | mc-scatter -h :", "mc-spark: mc-scatter: -h: "),
        ("mc-split text:/etc/passwd", "mc-spark: mc-split: mc-cat in its place"),
        ("mc-cat range:0..3 | mc-map --memo x cat", "mc-spark: mc-map: --memo: "),
        ("mc-cat range:0..3 | mc-map --share /tmp cat", "mc-spark: mc-map: --share: "),
        (
            "mc-cat range:0..3 | mc-gather -o ndjson:x | mc-map cat",
            "mc-spark: mc-gather: it writes files",
        ),
        ("mc-cat range:0..3 | mc-map", "mc-map: "),
        ("mc-cat no-such-file.csv", "mc-cat: cannot read no-such-file.csv: "),
        ("a; b", "mc-explain: "),
    ] {
        mc_spark().arg(line).stderr_has(why).fails(2);
    }
    mc_spark().args(["-h", "a", "mc-cat"]).stderr_has("mc-spark: -h: ").fails(2);
    mc_spark().stderr_has("there is no pipeline").fails(2);
}

#[test]
fn orders_and_groups() {
    let (pairs, sales) = (pairs(4000), sales(3000));
    let none = |_: &tempfile::TempDir| ();
    for line in [
        "mc-shuffle",
        "mc-sort -k '.[1]' --reverse",
        "mc-sort -u -k '.[1]:r'",
        "mc-sort -k '.[1]:r,.[0]' | mc-gather",
        "mc-shuffle -k '.[0]' --order-by '.[1]:r' | mc-reduce first:.[1] -k '.[0]'",
        "mc-shuffle -k '.[0]' --order-by '.[1]:r' --reduce collect n=count",
        "mc-sort -k '.[0],.[1]' | mc-reduce -k '.[0]' -c 'jq -c [.[0],.[1]*2]'",
        "mc-shuffle | mc-reduce -c 'jq -sc \"group_by(.[0])[] | [.[0][0],length]\"'",
        "mc-shuffle --reduce count sum median | mc-sort -k '.[1].sum:r'",
        "mc-shuffle | mc-reduce first last count | mc-map jq -c '.[1]' | mc-reduce --all sum:count",
        "mc-reduce --all count sum:.[1] ndistinct:.[0]",
        "mc-map -c 'sed s/k1/k2/' | mc-shuffle | mc-reduce mean",
        "mc-map -j 2 -c 'grep -v k3' | mc-sort -k '.[1]' | head -n 50 | mc-shuffle --reduce count",
        "mc-sort --check -k '.[1]'",
        "sort | mc-sort --check",
    ] {
        same(line, &pairs, &none);
    }
    for line in [
        "mc-shuffle -k r --reduce count total=sum:a --missing skip | mc-gather -o csv:-",
        "mc-shuffle -k r,n:r | mc-reduce -k r last:n",
        "mc-shuffle -k no --missing null | mc-reduce count",
        "mc-shuffle -k no --missing skip",
        "mc-shuffle -k no",
        "mc-reduce -k r count",
    ] {
        same(line, &sales, &none);
    }
    same("mc-shuffle --reduce count", "", &none);
    same("mc-map cat | mc-reduce --all count", "", &none);
}

#[test]
fn joins() {
    let right: String = (0..20).map(|n| format!("{{\"r\":\"r{}\",\"x\":{n}}}\n", n % 9)).collect();
    let files = |dir: &tempfile::TempDir| drop(write(dir, "right.ndjson", &right));
    for kind in ["", "--left", "--outer", "--semi", "--anti"] {
        same(&format!("mc-join -k r {kind} right.ndjson"), &sales(900), &files);
    }
}

#[test]
fn formats_are_read_in_parts_or_whole() {
    let lines = random_lines(5, 4000, 40, b"ab \",\\\t$'");
    let files = |dir: &tempfile::TempDir| {
        write(dir, "a.txt", &lines);
        write(dir, "b.csv", "a,b\n".to_string() + &"1,\"x\ny\"\n\"\",\"\"\"\"\n".repeat(900));
        write(dir, "c.ndjson", pairs(3000));
        let pack = "gzip -k c.ndjson; zip -q d.zip a.txt b.csv; mkdir e; cp a.txt e/; cp b.csv e/";
        sh("bash", pack).current_dir(dir).succeeds();
    };
    for line in [
        "mc-cat text:a.txt | mc-gather -o text:-",
        "mc-cat b.csv b.csv c.ndjson | mc-map cat",
        "mc-cat c.ndjson.gz | mc-shuffle | mc-reduce sum",
        "mc-cat zip:d.zip | mc-gather -o ndjson:-",
        "mc-cat 'csv,members=*.csv:d.zip' | mc-shuffle -k b --reduce count",
        "mc-cat files:e | mc-map --each -c 'wc -c'",
        "mc-cat files:e | mc-map --each --raw --name '{stem}.gz' gzip -nc",
        "mc-sort -k a b.csv b.csv",
        "mc-cat range:0..100000 | mc-shuffle -k . --reduce count | tail -n 3",
        "mc-cat -f csv - < b.csv | mc-map cat",
    ] {
        same(line.split(" < ").next().unwrap(), "a,b\n1,2\n", &files);
    }
    let Some(spark) = spark() else { return };
    let dir = dir();
    spark.call("mc-cat range:0..100 | mc-split -n 3 -o o-%d.ndjson").current_dir(&dir).succeeds();
    assert_eq!(names(&dir), ["o-0.ndjson", "o-1.ndjson", "o-2.ndjson"]);
}

#[test]
fn what_fails_says_where_and_makes_nothing() {
    let Some(spark) = spark() else { return };
    let dir = dir();
    let input = pairs(2000);
    let call = |line: &str| {
        let line = format!("{line} | mc-gather -o ndjson:out");
        spark.call(&line).current_dir(&dir).stdin(&input)
    };
    let failed = call("mc-map -c 'grep -q 777 && exit 3; cat > /dev/null'");
    let output = failed.stderr_has("mc-map: partition ").stderr_has("exit status 3").fails(1);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("mc-map: partition ") && !said.contains("java"), "{said}");
    let bad = spark.call("mc-map cat | mc-gather -o ndjson:out").current_dir(&dir);
    bad.stdin(format!("{input}{{\n{input}")).stderr_has("mc-map: partition ").fails(3);
    call("mc-shuffle -k x").stderr_has("mc-shuffle: partition ").fails(3);
    call("grep nothing-of-the-kind").stderr_has(": exit status 1").fails(1);
    assert_eq!(names(&dir), [""; 0]);
    // What is dropped is said once, of all partitions.
    let bad = spark
        .call("mc-map --bad skip cat | mc-shuffle")
        .stderr_has("mc-map: 3 bad records dropped\n");
    let bad_rows = rows![["a", 1]].repeat(50);
    bad.stdin(format!("{{\n{bad_rows}{{\n{bad_rows}{{\n"))
        .stdout(rows![["a", 1]].repeat(100))
        .succeeds();
}

#[test]
fn file_systems_of_hadoop_are_read_and_written() {
    if pyspark().is_none() {
        return;
    }
    let dir = dir();
    let rows = pairs(5000);
    write(&dir, "in/a.ndjson", &rows);
    write(&dir, "in/b.ndjson", &rows);
    let lines = random_lines(3, 3000, 40, b"ab\r\\\"\t");
    write(&dir, "in/c.txt", &lines);
    write(&dir, "in/d.csv", "a,b\n1,\"x\ny\"\n2,z\n");
    sh("bash", "gzip -k in/a.ndjson").current_dir(&dir).succeeds();
    // One of them that lies on this machine.
    let mount =
        format!("spark.hadoop.fs.viewfs.mounttable.c.link./m=file://{}", dir.path().display());
    let options = ["--conf", &mount, "--conf", "spark.files.maxPartitionBytes=16k"];
    let spark = Spark::new("local[2]", &options);
    let on = |line: &str| spark.call(&line.replace("{}", "viewfs://c/m/in")).current_dir(&dir);
    let here = |line: &str| {
        let script = format!("set -o pipefail; {}", line.replace("{}", "in"));
        sh("bash", &script).current_dir(&dir).succeeds().stdout
    };
    for line in [
        "mc-cat {}/[ab].ndjson {}/a.ndjson.gz | mc-shuffle | mc-reduce sum",
        "mc-cat text:{}/c.txt | mc-map cat",
        "mc-cat {}/d.csv | mc-map cat",
    ] {
        on(line).stdout(here(line)).succeeds();
    }
    on("mc-cat {}/a.ndjson | mc-sort -k '.[1]' | mc-gather -o {}/out.ndjson").stdout("").succeeds();
    let made =
        sh("bash", "test -f in/out.ndjson/_SUCCESS; cat in/out.ndjson/part-*").current_dir(&dir);
    made.stdout(here("mc-sort -k '.[1]' in/a.ndjson")).succeeds();
    on("mc-cat {}/a.ndjson | mc-gather -o {}/out.ndjson").stderr_has("is there already").fails(2);
    on("mc-cat {}/none.ndjson").stderr_has("none.ndjson: no such file").fails(2);
    let hint = "mc-spark reads it by itself";
    sh("bash", "mc-cat hdfs://n/a.csv").stderr_has(hint).fails(2);
    sh("bash", "mc-cat range:0..3 | mc-gather -o s3a://n/a.csv").stderr_has(hint).fails(2);
}

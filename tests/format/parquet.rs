//! Parquet files, by the program `mc-format-parquet`, against pyarrow and DuckDB.

use std::path::Path;

use crate::support::*;

/// Writes a file of columns of all types in several ways.
const TYPES: &str = r#"
D, T = decimal.Decimal, datetime
utc = T.timezone.utc
columns = {
  'b': pa.array([True, None, False]),
  'i8': pa.array([-128, None, 127], pa.int8()),
  'u8': pa.array([0, None, 255], pa.uint8()),
  'u32': pa.array([0, None, 2**32 - 1], pa.uint32()),
  'i64': pa.array([-2**63, None, 2**63 - 1], pa.int64()),
  'u64': pa.array([0, None, 2**64 - 1], pa.uint64()),
  'f16': pa.array([1.5, None, -0.25], pa.float16()),
  'f32': pa.array([0.1, None, 1e30], pa.float32()),
  'f64': pa.array([0.1, None, -1e-300], pa.float64()),
  't': pa.array(['é"\n', None, ''], pa.string()),
  'large': pa.array(['x', None, 'y'], pa.large_string()),
  'word': pa.array(['a', None, 'a']).dictionary_encode(),
  'bin': pa.array([b'\xff\x00', None, b'text'], pa.binary()),
  'fixed': pa.array([b'\xff\xfe', None, b'ab'], pa.binary(2)),
  'dec': pa.array([D('-1.50'), None, D('12345.67')], pa.decimal128(9, 2)),
  'big': pa.array([D('-0.5'), None, D('1' * 50)], pa.decimal256(60, 1)),
  'day': pa.array([T.date(1969, 12, 31), None, T.date(2026, 11, 30)]),
  'ms': pa.array([T.time(1, 2, 3, 4000), None, T.time(0)], pa.time32('ms')),
  'us': pa.array([T.time(1, 2, 3, 4), None, T.time(23, 59, 59)], pa.time64('us')),
  'at_ms': pa.array([T.datetime(2026, 1, 2, 3, 4, 5, 6000), None, T.datetime(1970, 1, 1)], pa.timestamp('ms')),
  'at_us': pa.array([T.datetime(2026, 1, 2, 3, 4, 5, 6), None, T.datetime(1969, 12, 31)], pa.timestamp('us', 'UTC')),
  'at_ns': pa.array([1, None, -1], pa.timestamp('ns')),
  'list': pa.array([[1, None, 2], None, []], pa.list_(pa.int32())),
  'lists': pa.array([[['a'], [], None], None, [[None]]], pa.list_(pa.list_(pa.string()))),
  'struct': pa.array([{'x': 1, 'y': [1.5]}, None, {'x': None, 'y': None}]),
  'structs': pa.array([[{'p': 'q'}, None], [], None], pa.list_(pa.struct([('p', pa.string())]))),
  'map': pa.array([[('k', 1), ('l', None)], None, []], pa.map_(pa.string(), pa.int64())),
  'numbered': pa.array([[(1, 'x')], None, []], pa.map_(pa.int32(), pa.string())),
  'nothing': pa.array([None, None, None], pa.null()),
}
table = pa.table(columns)
for name, options in [('a', {}),
                      ('v2', {'data_page_version': '2.0', 'compression': 'zstd', 'use_dictionary': False}),
                      ('brotli', {'compression': 'brotli'}), ('lz4', {'compression': 'lz4'}), ('gzip', {'compression': 'gzip'}),
                      ('old', {'use_deprecated_int96_timestamps': True, 'version': '1.0'})]:
    if name == 'old':
        table = table.drop_columns(['u32'])
    pq.write_table(table, name + '.parquet', row_group_size=2, **options)
"#;

fn cat(dir: &tempfile::TempDir, resource: &str) -> Call {
    mc("cat").current_dir(dir.path()).arg(resource)
}

fn gather(dir: &tempfile::TempDir, resource: &str) -> Call {
    mc("gather").current_dir(dir.path()).args(["-o", resource])
}

/// What `code` prints, which has pyarrow as `pa` and `pq`, and DuckDB, in a directory.
fn peers(dir: &Path, code: &str) -> String {
    let head = "import json, os, sys, datetime, decimal, uuid\nimport pyarrow as pa, pyarrow.parquet as pq\n\
         import duckdb\nos.chdir(sys.argv[1])\n";
    let printed = python(&format!("{head}{code}"), &[dir.to_str().unwrap()], "");
    String::from_utf8(printed).unwrap()
}

/// What the program beside says, which makes files and judges what comes of them.
fn oracle(words: &[&str], stdin: impl AsRef<[u8]>) -> Vec<u8> {
    let call = Call::new(python_program()).arg(repository("tests/format/parquet_peers.py"));
    call.args(words).stdin(stdin).succeeds().stdout
}

fn path(dir: &tempfile::TempDir, name: &str) -> String {
    dir.path().join(name).to_str().unwrap().to_string()
}

#[test]
fn random_files_of_others_are_read_to_the_last_digit() {
    let dir = dir();
    let file = path(&dir, "a.parquet");
    for seed in 1..=12 {
        oracle(&["make", &seed.to_string(), &file], "");
        let printed = cat(&dir, "parquet,nan=null:a.parquet").succeeds().stdout;
        oracle(&["printed", &file], printed);
    }
    oracle(&["duckdb", &file], "");
    let printed = cat(&dir, "a.parquet").succeeds().stdout;
    oracle(&["printed", &file], printed);
}

#[test]
fn random_records_are_the_same_to_others_and_come_back() {
    let dir = dir();
    for seed in 1..=8 {
        let records = oracle(&["records", &seed.to_string()], "");
        gather(&dir, "b.parquet").stdin(&records).succeeds();
        oracle(&["held", &path(&dir, "b.parquet")], &records);
        let back = cat(&dir, "b.parquet").succeeds().stdout;
        assert_eq!(jq(&["-c", "."], &back), jq(&["-c", "."], &records), "seed {seed}");
    }
}

#[test]
fn groups_of_rows_are_parts_that_are_read_apart() {
    let dir = dir();
    let code = "pq.write_table(pa.table({'n': range(5000), 't': ['x'] * 5000}), 'a.parquet', row_group_size=1000)";
    peers(dir.path(), code);
    let all = cat(&dir, "a.parquet").succeeds().stdout;
    for (begin, map, counts) in [
        ("mc-split --block 1 a.parquet", "mc-map -h :,:", "1000\n".repeat(5)),
        ("mc-split -n 1 a.parquet", "mc-map -h :,:", "5000\n".into()),
        ("mc-split --block 1 parquet,groups=1..3:a.parquet", "mc-map -h :,:", "1000\n".repeat(2)),
        ("mc-cat -h :,: --shared --block 1 a.parquet", "mc-map", "1000\n".repeat(5)),
    ] {
        let here =
            |script: String| sh("bash", &script).current_dir(dir.path()).env("MC_WORKER", worker());
        here(format!("{begin} | {map} wc -l | mc-gather")).stdout(counts).succeeds();
        if !begin.contains("groups") {
            here(format!("{begin} | mc-gather")).stdout(&all).succeeds();
        }
    }
    // A part is of the file that it was told of.
    let program = |words: &[&str]| {
        Call::new("mc-format-parquet")
            .args(["read", "a.parquet"])
            .args(words)
            .current_dir(dir.path())
    };
    let told = program(&["col=n", "parts=1"]).succeeds().text();
    assert_eq!(told.lines().count(), 6);
    let last = told.lines().last().unwrap();
    assert!(last.starts_with("4..5-"), "{last}");
    let last = [&*format!("part={last}")];
    let want = all.split_inclusive(|b| *b == b'\n').skip(4000).collect::<Vec<_>>().concat();
    assert!(program(&last).succeeds().stdout == want);
    peers(dir.path(), &code.replace("5000", "5001"));
    program(&last).fails_with(4, "a.parquet was changed while it was read");
}

#[test]
fn what_pyarrow_writes_is_read_whatever_its_types() {
    let dir = dir();
    peers(dir.path(), TYPES);
    let all = cat(&dir, "parquet:a.parquet").succeeds().stdout;
    let row = |number: usize| all.split(|b| *b == b'\n').nth(number).unwrap();
    oracle(&["printed", &path(&dir, "a.parquet")], &all);
    let part = |names: &str| jq(&["-c", &format!("{{{names}}}")], row(0));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    assert_eq!(
        text(part("f16,f32,f64,bin,fixed,ms,us,at_ms,at_us,at_ns,map,numbered,nothing")),
        rows![{"f16": 1.5, "f32": 0.1, "f64": 0.1, "bin": {"$base64": "/wA="}, "fixed": {"$base64": "//4="},
               "ms": "01:02:03.004", "us": "01:02:03.000004", "at_ms": "2026-01-02T03:04:05.006",
               "at_us": "2026-01-02T03:04:05.000006Z", "at_ns": "1970-01-01T00:00:00.000000001",
               "map": {"k": 1, "l": null}, "numbered": [[1, "x"]], "nothing": null}]
    );
    // Numbers as they are, not as jq reads them.
    let line = String::from_utf8_lossy(row(2)).into_owned();
    for exact in [
        "\"u64\":18446744073709551615,",
        "\"dec\":12345.67,",
        &format!("\"big\":{}.0,", "1".repeat(50)),
    ] {
        assert!(line.contains(exact), "{exact} in {line}");
    }
    for name in ["v2", "brotli", "lz4", "gzip"] {
        cat(&dir, &format!("parquet:{name}.parquet")).stdout(&all).succeeds();
    }
    let old = cat(&dir, "parquet:old.parquet").succeeds().stdout;
    let moments = ".at_ns // empty";
    assert_eq!(text(jq(&["-c", moments], &old)), text(jq(&["-c", moments], &all)));
    cat(&dir, "parquet,col=day,col=i8,groups=1..2:a.parquet")
        .stdout(rows![{"i8": 127, "day": "2026-11-30"}])
        .succeeds();
    cat(&dir, "a.parquet").stdout(&all).succeeds();
}

#[test]
fn what_is_written_reads_back_here_and_by_others() {
    let dir = dir();
    let records = rows![
        {"n": 1, "x": 1.5, "t": "é\n", "bin": {"$base64": "/wA="}, "z": null, "l": [[1], [], null], "o": {"p": [{"q": true}], "r": null}},
        {"n": -9223372036854775808, "x": 1e+300, "t": "", "bin": {"$base64": "/w=="}, "z": null, "l": [], "o": null},
        {"n": null, "x": 0.1, "t": null, "bin": null, "z": null, "l": null, "o": {"p": [], "r": "s"}}
    ];
    for codec in ["none", "snappy", "gzip", "zstd", "lz4", "brotli"] {
        let name = format!("parquet,codec={codec}:{codec}.parquet");
        gather(&dir, &name).stdin(&records).succeeds();
        cat(&dir, &format!("{codec}.parquet")).stdout(&records).succeeds();
    }
    let code = r#"
for name in ['none', 'snappy', 'gzip', 'zstd', 'lz4', 'brotli']:
    rows = pq.read_table(name + '.parquet').to_pylist()
    print(rows == [
        {'n': 1, 'x': 1.5, 't': 'é\n', 'bin': b'\xff\x00', 'z': None, 'l': [[1], [], None], 'o': {'p': [{'q': True}], 'r': None}},
        {'n': -2**63, 'x': 1e300, 't': '', 'bin': b'\xff', 'z': None, 'l': [], 'o': None},
        {'n': None, 'x': 0.1, 't': None, 'bin': None, 'z': None, 'l': None, 'o': {'p': [], 'r': 's'}}])
print(duckdb.sql("select n, x, t, l, o from 'zstd.parquet' order by n nulls last").fetchall())
"#;
    let read = "True\n".repeat(6)
        + "[(-9223372036854775808, 1e+300, '', [], None), (1, 1.5, 'é\\n', [[1], [], None], {'p': [{'q': True}], 'r': None}), \
           (None, 0.1, None, None, {'p': [], 'r': 's'})]\n";
    assert_eq!(peers(dir.path(), code), read);
    gather(&dir, "parquet:empty.parquet").stdin("").succeeds();
    cat(&dir, "empty.parquet").stdout("").succeeds();
    assert_eq!(peers(dir.path(), "print(pq.read_table('empty.parquet').num_rows)"), "0\n");
}

#[test]
fn a_schema_says_what_texts_and_numbers_stand_for() {
    let dir = dir();
    let schema = "message sales {
        required binary who (STRING);
        optional int32 day (DATE);
        optional int64 at (TIMESTAMP(MICROS,true));
        optional int64 local (TIMESTAMP(NANOS,false));
        optional int32 time (TIME(MILLIS,true));
        optional int64 price (DECIMAL(12,2));
        optional fixed_len_byte_array(9) huge (DECIMAL(20,3));
        optional int32 small (INTEGER(8,true));
        optional int64 large (INTEGER(64,false));
        optional fixed_len_byte_array(16) id (UUID);
        optional float f;
        optional group tags (MAP) { repeated group key_value { required binary key (STRING); optional int32 value; } }
    }";
    write(&dir, "schema", schema);
    let records = rows![
        {"who": "a", "day": "2026-11-30", "at": "2026-11-30T01:02:03.000004Z", "local": "1969-12-31T23:59:59.999999999",
         "time": "23:59:58.500", "price": -1234567890.12, "huge": 12345678901234567.890, "small": -128,
         "large": 18446744073709551615, "id": "00112233-4455-6677-8899-aabbccddeeff", "f": 0.1, "tags": {"x": 1, "y": null}},
        {"who": "b", "day": null, "at": null, "local": null, "time": null, "price": null, "huge": null, "small": null,
         "large": null, "id": null, "f": null, "tags": {}}
    ];
    gather(&dir, "parquet,schema=schema:a.parquet").stdin(&records).succeeds();
    cat(&dir, "a.parquet").stdout(&records).succeeds();
    gather(&dir, "parquet,like=a.parquet:b.parquet").stdin(&records).succeeds();
    cat(&dir, "b.parquet").stdout(&records).succeeds();
    let code = r#"
names = ['day', 'at', 'time', 'price', 'huge', 'large', 'tags']
row = pq.read_table('b.parquet', columns=names).to_pylist()[0]
print(row['day'], row['at'], row['time'], row['price'], row['huge'], row['large'], row['tags'])
print(duckdb.sql("select day, price, huge, large, id from 'b.parquet' where who = 'a'").fetchall())
"#;
    let told = "2026-11-30 2026-11-30 01:02:03.000004+00:00 23:59:58.500000 -1234567890.12 12345678901234567.890 \
         18446744073709551615 [('x', 1), ('y', None)]\n\
         [(datetime.date(2026, 11, 30), Decimal('-1234567890.12'), Decimal('12345678901234567.890'), \
         18446744073709551615, UUID('00112233-4455-6677-8899-aabbccddeeff'))]\n";
    assert_eq!(peers(dir.path(), code), told);
    for (member, why) in [
        ("\"day\":\"2026-02-30\"", ".day: \"2026-02-30\" is not a day"),
        (
            "\"at\":\"2026-01-01T00:00:00\"",
            ".at: \"2026-01-01T00:00:00\" is not a moment (2026-11-30T23:59:58.5Z)",
        ),
        (
            "\"price\":0.001",
            ".price: 0.001 is not a number of 12 digits, 2 of them behind the point",
        ),
        ("\"small\":128", ".small: 128 is not a number that fits the column"),
        ("\"f\":0.123456789", ".f: 0.123456789 would come back as 0.12345679"),
        ("\"tags\":{\"x\":\"y\"}", ".tags: \"y\" is not an integer"),
        ("\"odd\":1", "it has a member 'odd', which is no column"),
    ] {
        let record = format!("{{\"who\":\"c\",{member}}}\n");
        let call = gather(&dir, "parquet,schema=schema:b.parquet").stdin(record);
        call.stderr_has(format!("record 1 does not fit in the columns: {why}")).fails(1);
    }
    let lacking = gather(&dir, "parquet,schema=schema:b.parquet").stdin("{}\n");
    lacking.stderr_has(".who: it has no value, and its column must have one").fails(1);
    // None of these has touched what was there.
    cat(&dir, "b.parquet").stdout(&records).succeeds();
    assert_eq!(names(&dir), ["a.parquet", "b.parquet", "schema"]);
}

#[test]
fn what_no_column_holds_is_refused_and_what_is_damaged_is_said() {
    let dir = dir();
    for (records, why) in [
        (
            "{\"a\":1}\n{\"a\":\"x\"}\n",
            "record 2 does not fit in the columns: .a: it is text, and was a number before",
        ),
        ("{\"a\":{}}\n", ".a: an object without members has no columns"),
        ("[1]\n", "record 1 does not fit in the columns: it is no object"),
        (
            "{\"a\":0.5}\n{\"a\":9007199254740993}\n",
            "9007199254740993 would come back as 9007199254740992.0",
        ),
    ] {
        gather(&dir, "parquet:a.parquet").stdin(records).stderr_has(why).fails(1);
    }
    gather(&dir, "parquet,codec=zip:a.parquet")
        .stdin("")
        .stderr_has("no option 'codec=zip' here")
        .fails(1);
    let text: String = (0..5000).map(|n| format!("{{\"n\":{n},\"t\":[\"text {n}\"]}}\n")).collect();
    gather(&dir, "parquet:a.parquet").stdin(&text).succeeds();
    cat(&dir, "a.parquet").stdout(&text).succeeds();
    cat(&dir, "parquet,col=x:a.parquet")
        .stderr_has("it has no column 'x'; there are n, t")
        .fails(1);
    cat(&dir, "parquet,groups=0..9:a.parquet").stderr_has("groups=0..9: it has 1").fails(1);
    let whole = std::fs::read(dir.path().join("a.parquet")).unwrap();
    let mut random = Random::seeded(11);
    let (mut sound, mut refused) = (0, 0);
    for round in 0..100 {
        let mut damaged = whole.clone();
        match random.below(2) {
            0 => damaged.truncate(random.below(whole.len() as u64) as usize),
            _ => {
                let at = random.below(whole.len() as u64) as usize;
                damaged[at] ^= 1 << random.below(8);
            }
        }
        write(&dir, "d.parquet", damaged);
        let read = Call::new("mc-format-parquet").args(["read", "d.parquet"]);
        let read = read.current_dir(dir.path()).stderr_any().ends();
        let said = String::from_utf8_lossy(&read.stderr).into_owned();
        // What is no longer the file may still be one; nothing else may come of it than a word.
        match read.code {
            0 => assert_eq!(said, ""),
            3 => assert!(said.contains("d.parquet: ") && said.lines().count() == 1, "{said}"),
            code => panic!("round {round}: exit status {code}: {said}"),
        }
        *(if read.code == 0 { &mut sound } else { &mut refused }) += 1;
    }
    assert!(sound > 0 && refused > 50, "{sound} {refused}");
    // Nothing is made of half a file.
    write(&dir, "d.parquet", &whole[..whole.len() / 2]);
    let line = "mc-cat d.parquet | mc-gather -o d.ndjson";
    sh("bash", line).current_dir(dir.path()).stderr_has("cannot read d.parquet: ").fails(4);
    assert!(!dir.path().join("d.ndjson").exists());
    let code = "pq.write_table(pa.table({'f': [1.0, float('nan')]}), 'nan.parquet')";
    peers(dir.path(), code);
    cat(&dir, "nan.parquet")
        .stderr_has("row 2: f: NaN or infinity, which JSON has no word for")
        .fails(1);
    cat(&dir, "parquet,nan=null:nan.parquet").stdout(rows![{"f": 1.0}, {"f": null}]).succeeds();
}

//! Parquet files. The crate panics at some that are damaged: what comes of it is an error in one line, as of any
//! other damage.

use std::path::Path;

use super::{Outcome, Target};
use crate::columnar;
use crate::error::{Error, ErrorKind};

/// Lengths, levels and kinds as Thrift writes them, and the ends of a file.
const WORDS: &[&[u8]] = &[
    b"PAR1",
    b"\x15\x00",
    b"\x15\x02",
    b"\x15\x04",
    b"\x16\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x19\x1c",
    b"\x19\xfc\xff\xff\xff\xff\x0f",
    b"\x2c\x15",
    b"\x00\x00\x00\x02PAR1",
];

/// The crate makes room for what the head of a page says that it holds: 31 bits say how much.
const MEMORY: (usize, usize) = (3 << 30, 1000);

/// So many bytes of records are enough: a few bytes of a file may stand for any number of rows.
const RECORDS_MAX: usize = 1 << 20;

/// What the records of a file are that is written with some options.
fn written(directory: &Path, records: &str, words: &[&str]) -> Vec<u8> {
    let path = directory.join("seed.parquet");
    let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
    columnar::write(&path, &words, &mut records.as_bytes(), directory).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    bytes
}

/// Does what the program does with a file; what it says is one line.
fn tried(path: &Path, input: &[u8]) -> Outcome {
    std::fs::write(path, input).unwrap();
    let mut seen = 0;
    let read = columnar::read_by(1, path, &["nan=null".into()], &mut |records| {
        seen += records.len();
        assert!(records.is_empty() || records.ends_with(b"\n"));
        match seen > RECORDS_MAX {
            true => Err(Error::new(ErrorKind::StdoutClosed, "")),
            false => Ok(()),
        }
    });
    match read {
        Ok(()) => Outcome::Taken,
        Err(error) if error.kind() == ErrorKind::StdoutClosed => Outcome::Taken,
        Err(error) => {
            let said = error.to_string();
            assert!(!said.trim_end().contains('\n') && said.len() < 1000, "{said}");
            assert_eq!(error.kind(), ErrorKind::BadInput, "{said}");
            Outcome::Refused
        }
    }
}

#[test]
fn parquet() {
    let directory = tempfile::tempdir().unwrap();
    let flat: String = (0..30)
        .map(|n| format!("{{\"n\":{n},\"x\":0.5,\"t\":\"t{}\",\"b\":true}}\n", n % 3))
        .collect();
    let nested =
        "{\"l\":[[1],[],null],\"o\":{\"p\":[{\"q\":\"x\"}]}}\n{\"l\":null,\"o\":null}\n".repeat(5);
    let schema = directory.path().join("schema");
    let columns = "message m { required int32 d (DATE); optional fixed_len_byte_array(9) f (DECIMAL(20,3)); \
                   optional group m (MAP) { repeated group key_value { required binary key (STRING); \
                   optional int64 value (TIMESTAMP(NANOS,true)); } } }";
    std::fs::write(&schema, columns).unwrap();
    let told = "{\"d\":\"2026-11-30\",\"f\":-1.250,\"m\":{\"k\":\"1969-12-31T23:59:59Z\"}}\n";
    let schema = format!("schema={}", schema.display());
    let seeds = vec![
        written(directory.path(), &flat, &["codec=none"]),
        written(directory.path(), &flat, &["codec=snappy"]),
        written(directory.path(), &nested, &["codec=none"]),
        written(directory.path(), &nested, &["codec=lz4"]),
        written(directory.path(), told, &["codec=zstd", &schema]),
        written(directory.path(), told, &["codec=none", &schema]),
    ];
    let path = directory.path().join("x.parquet");
    Target { name: "parquet", seeds, words: WORDS, mend: |_| (), memory: MEMORY }
        .run(|input| tried(&path, input));
}

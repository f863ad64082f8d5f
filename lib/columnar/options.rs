//! The options behind `parquet` in a resource, as the program gets them.

use std::path::PathBuf;

use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};

use super::leaf::NotNumbers;
use super::row_groups;
use crate::error::{Error, Result};

/// What is asked for when a file is read.
pub(super) struct ReadWishes {
    pub(super) not_numbers: NotNumbers,
    /// The names of the columns to read; none for all.
    pub(super) columns: Vec<String>,
    /// The row groups to read; none for all.
    pub(super) groups: Option<std::ops::Range<usize>>,
    /// What the footer must be told by.
    pub(super) footer: Option<u64>,
    /// About how large the parts are that are to be told instead of records being read.
    pub(super) parts: Option<u64>,
}

/// What is asked for when a file is written.
pub(super) struct WriteWishes {
    pub(super) compression: Compression,
    /// Where the columns are told, if not by the records.
    pub(super) schema: Option<SchemaFrom>,
}

/// Where the columns of a file to write are told.
pub(super) enum SchemaFrom {
    /// In a file of text.
    Text(PathBuf),
    /// In another Parquet file.
    Like(PathBuf),
}

/// The options that there are, each with its name and value.
fn each<'w>(words: &'w [String], known: &str) -> Result<Vec<(&'w str, &'w str)>> {
    let option = |word: &'w String| {
        word.split_once('=').ok_or_else(|| {
            Error::usage(format!("parquet: no option '{word}' here; there are {known}"))
        })
    };
    words.iter().map(option).collect()
}

impl ReadWishes {
    pub(super) fn parse(words: &[String]) -> Result<ReadWishes> {
        const KNOWN: &str = "nan=null, col=NAME, groups=FROM..TO";
        let mut wishes = ReadWishes {
            not_numbers: NotNumbers::Refused,
            columns: Vec::new(),
            groups: None,
            footer: None,
            parts: None,
        };
        for (name, value) in each(words, KNOWN)? {
            let refused = || {
                let why = format!("parquet: no option '{name}={value}' here; there are {KNOWN}");
                Error::usage(why)
            };
            match (name, value) {
                // These two are said by tools alone.
                ("part", word) => {
                    let (groups, footer) = row_groups::parse(word).ok_or_else(refused)?;
                    (wishes.groups, wishes.footer) = (Some(groups), Some(footer));
                }
                ("parts", bytes) => wishes.parts = Some(bytes.parse().map_err(|_| refused())?),
                ("nan", "null") => wishes.not_numbers = NotNumbers::Null,
                ("col", name) => wishes.columns.push(name.into()),
                ("groups", range) => {
                    let range = range.split_once("..").and_then(|(from, to)| {
                        let (from, to) = (from.parse().ok()?, to.parse().ok()?);
                        (from <= to).then_some(from..to)
                    });
                    let why =
                        "parquet: groups=FROM..TO: two numbers, the first not above the second";
                    wishes.groups = Some(range.ok_or_else(|| Error::usage(why))?);
                }
                _ => return Err(refused()),
            }
        }
        Ok(wishes)
    }
}

impl WriteWishes {
    pub(super) fn parse(words: &[String]) -> Result<WriteWishes> {
        const KNOWN: &str = "codec=none|snappy|gzip|zstd|lz4|brotli, schema=FILE, like=FILE";
        let mut wishes = WriteWishes { compression: Compression::SNAPPY, schema: None };
        for (name, value) in each(words, KNOWN)? {
            match (name, value) {
                ("codec", "none") => wishes.compression = Compression::UNCOMPRESSED,
                ("codec", "snappy") => wishes.compression = Compression::SNAPPY,
                ("codec", "gzip") => wishes.compression = Compression::GZIP(GzipLevel::default()),
                ("codec", "zstd") => wishes.compression = Compression::ZSTD(ZstdLevel::default()),
                ("codec", "lz4") => wishes.compression = Compression::LZ4_RAW,
                ("codec", "brotli") => {
                    wishes.compression = Compression::BROTLI(BrotliLevel::default());
                }
                ("schema", path) => wishes.schema = Some(SchemaFrom::Text(path.into())),
                ("like", path) => wishes.schema = Some(SchemaFrom::Like(path.into())),
                _ => {
                    let why =
                        format!("parquet: no option '{name}={value}' here; there are {KNOWN}");
                    return Err(Error::usage(why));
                }
            }
        }
        Ok(wishes)
    }
}

//! Formats as the tools read and write them.

mod compression; // .gz .zst .bz2 .xz, both ways, against the programs
mod csv; // against Python's csv, both ways
mod edges; // empty, cut, CRLF, BOM, no final line end: every format
mod encoding; // byte order marks, encoding=, invalid=, against Python's codecs
mod files; // trees of files
mod http; // against a server of Python's
mod json; // however it is laid out, against jq
mod output; // whole or not at all, whatever happens
mod pairs; // records that are no [key, value], and the line that makes them so
#[cfg(feature = "parquet")]
mod parquet; // by scripts/test-parquet: against pyarrow and DuckDB, both ways
mod plugin; // formats of others, and scripts/mc-format-sqlite
mod replaced; // what an output comes in the place of
mod resource; // names, options, patterns
mod round_trip; // read(write(x)) == x, as a property
mod split; // numbered outputs
mod table; // aligned columns, in a file and on a terminal
mod zip; // against Python's zipfile, zip and unzip
mod zip_members; // which of them are read, with passwords and beside damaged ones

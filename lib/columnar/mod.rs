//! Parquet files: their rows as records, and records as their rows. The only room that names the crate
//! `parquet`; the program `mc-format-parquet` is made of it, and no tool.
//!
//! - [`shape`]: the tree of a file's columns, as records see it; [`leaf`]: a column's values as JSON;
//!   [`taking`]: JSON as its values; [`calendar`], [`decimal`]: days, times and decimal numbers as text.
//! - [`cells`]: some rows of one column. [`reading`]: rows put together of them. [`shred`]: records taken
//!   apart to such; [`infer`]: which columns records need; [`writing`]: the file.
//! - [`row_groups`]: parts of a file that can be read apart. [`options`]: what may be asked for.

mod calendar;
mod cells;
mod decimal;
mod infer;
mod leaf;
mod options;
mod reading;
mod row_groups;
mod shape;
mod shred;
mod taking;
mod writing;

pub use reading::read;
#[cfg(test)]
pub(crate) use reading::read_by;
pub use writing::write;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::errors::ParquetError;

use crate::error::{Error, Result};

/// The error of the crate about a file: what a decoder says of its bytes is no error of the system's.
fn failed(doing: &str, path: &Path, error: &ParquetError) -> Error {
    if let ParquetError::External(inner) = error
        && let Some(inner) = inner.downcast_ref::<std::io::Error>()
        && inner.raw_os_error().is_some()
    {
        return Error::path(doing, path, inner);
    }
    let text = error.to_string();
    let text = ["Parquet error: ", "External: "].iter().fold(text.as_str(), |text, kind| {
        // What kinds the crate has is no matter to a person.
        text.strip_prefix(kind).unwrap_or(text)
    });
    Error::input(format!("cannot {doing} {}: {text}", path.display()))
}

/// Does `work` on a file. What is damaged in ways that the crate does not foresee makes it panic, which is said as
/// what it is; what was at work is not touched again.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let why = "the file is damaged, or of a kind that is not known";
    let damaged = |_| Error::input(format!("cannot read {}: {why}", path.display()));
    catch_unwind(AssertUnwindSafe(work)).map_err(damaged)?
}

//! The format `json`: a stream of JSON values however they are laid out: on lines, over several
//! lines, one behind the other, or with the record separators of RFC 7464. Each is a record;
//! with `items`, the elements of the arrays are.
//!
//! A value that stands on a line of its own passes byte for byte, as in NDJSON. Of one that spans
//! lines the white space between its tokens goes, and its tokens stay as they are.

mod reader;
mod skip;
mod writer;

pub use reader::JsonReader;
pub use writer::JsonWriter;

use super::encoding::Coding;
use super::spec::Spec;
use crate::error::Result;

/// The options of the format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonLayout {
    /// Whether records are the elements of arrays.
    pub items: bool,
    /// Whether NaN and Infinity are null.
    pub nan: bool,
    /// How text is written down.
    pub coding: Coding,
}

impl JsonLayout {
    /// Reads the options of the format.
    ///
    /// # Errors
    /// When one is unknown.
    pub fn parse(spec: &Spec) -> Result<JsonLayout> {
        let mut spec = spec.clone();
        let items = spec.flag("items")?;
        let nan = take_nan(&mut spec)?;
        let coding = Coding::take(&mut spec)?;
        spec.finish("items, nan=, encoding=, invalid=")?;
        Ok(JsonLayout { items, nan, coding })
    }
}

/// Takes the option `nan=` of a format: whether NaN and Infinity are null.
///
/// # Errors
/// When it is neither `null` nor `fail`.
pub(super) fn take_nan(spec: &mut Spec) -> Result<bool> {
    match spec.value("nan")?.as_deref() {
        None | Some("fail") => Ok(false),
        Some("null") => Ok(true),
        Some(_) => Err(spec.refuse("say nan=null or nan=fail")),
    }
}

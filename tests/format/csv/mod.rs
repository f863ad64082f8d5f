//! CSV and its dialects, against Python's csv and the `csv` crate.

mod dialects;
mod header;
mod hints;
mod names;
mod oracles;
mod reading;
mod writing;

use crate::support::{Call, mc};

/// Reads `text` by `csv` and these options, each with a comma before it.
fn cat(options: &str, text: impl AsRef<[u8]>) -> Call {
    mc("cat").arg(format!("csv{options}:-")).stdin(text)
}

/// Writes records by `csv` and these options.
fn gather(options: &str, records: impl AsRef<[u8]>) -> Call {
    mc("gather").args(["-o".to_string(), format!("csv{options}:-")]).stdin(records)
}

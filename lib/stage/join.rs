//! `mc-join`: the records of one stream, each with those of another that have its key.

pub mod on_hosts;

use std::sync::Arc;

use crate::error::Result;
use crate::format::Warn;
use crate::group::join::{self, Join, JoinVoice};
use crate::group::order::Limits;
use crate::record::bad::Bad;
use crate::record::stream::{Input, Output, Summary};

/// What `mc-join` is to do.
pub struct JoinOptions {
    /// By which key, and which records come out.
    pub join: Join,
    /// What it may use.
    pub limits: Limits,
    /// What happens to bad records.
    pub bad: Arc<Bad>,
    /// Takes warnings.
    pub warn: Warn,
    /// Takes what was chosen.
    pub note: Warn,
}

/// Joins the records of `left` with those of `right`, which is read first.
///
/// # Errors
/// `BadInput` for a bad record, and for two that both have a field beside the key; `Storage` when
/// there is no room to spill; what the streams say.
pub fn run(
    options: &JoinOptions,
    left: impl Input + 'static,
    right: impl Input + 'static,
    output: &mut impl Output,
) -> Result<Summary> {
    let JoinOptions { join, limits, bad, warn, note } = options;
    let voice = JoinVoice { warn: &**warn, note: &**note };
    join::join(join, limits, bad, (left, right), output, &voice)
}

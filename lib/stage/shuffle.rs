//! `mc-shuffle`: records grouped by key. Equal keys are adjacent and in key order, which makes a
//! shuffle on one machine a stable sort.

use std::sync::Arc;

use crate::engine::keyed::{self, Limits, Order};
use crate::error::Result;
use crate::record::bad::Bad;
use crate::record::stream::{Input, Output, Summary};

/// What `mc-shuffle` is to do.
pub struct Options {
    /// The key, and what orders the records inside a group.
    pub order: Order,
    /// What it may use.
    pub limits: Limits,
    /// What happens to bad records.
    pub bad: Arc<Bad>,
}

/// Groups the records of `input`.
///
/// # Errors
/// `BadInput` for a record that is bad or has no key; `Storage` when there is no room to spill;
/// what the streams say.
pub fn run(
    options: &Options,
    input: impl Input + 'static,
    output: &mut impl Output,
) -> Result<Summary> {
    keyed::sort(&options.order, &options.limits, &options.bad, input, output)
}

//! mc-worker: the far end of the tools that work on hosts, and, under their names, those tools that
//! are filters, for the commands that run there. They send it and speak to it; never typed by a
//! person. What it holds is sent to each host: the other tools would make it larger by a fifth.

use std::process::ExitCode;

use mycloud::cli::far_end::{self, Called};

#[path = "mc-cat.rs"]
mod cat;
#[path = "mc-gather.rs"]
mod gather;
#[path = "mc-join.rs"]
mod join;
#[path = "mc-map.rs"]
mod map;
#[path = "mc-reduce.rs"]
mod reduce;
#[path = "mc-shuffle.rs"]
mod shuffle;
#[path = "mc-sort.rs"]
mod sort;

/// What it is under other names.
const TOOLS: &[Called] = &[
    ("mc-cat", cat::main),
    ("mc-gather", gather::main),
    ("mc-join", join::main),
    ("mc-map", map::main),
    ("mc-reduce", reduce::main),
    ("mc-shuffle", shuffle::main),
    ("mc-sort", sort::main),
];

fn main() -> ExitCode {
    far_end::run(TOOLS)
}

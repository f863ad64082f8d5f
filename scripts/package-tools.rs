//! All tools in one program, for packages, where each tool is a link to it: it is the one that it is called.
//! Most of a tool is what all of them share, so that together they would be ten times as large.

use std::process::ExitCode;

use mycloud::cli::called::{self, Called};

#[path = "../bins/mc-cat.rs"]
mod cat;
#[path = "../bins/mc-explain.rs"]
mod explain;
#[cfg(feature = "parquet")]
#[path = "../bins/mc-format-parquet.rs"]
mod format_parquet;
#[path = "../bins/mc-gather.rs"]
mod gather;
#[path = "../bins/mc-hosts.rs"]
mod hosts;
#[path = "../bins/mc-join.rs"]
mod join;
#[path = "../bins/mc-map.rs"]
mod map;
#[path = "../bins/mc-reduce.rs"]
mod reduce;
#[path = "../bins/mc-report.rs"]
mod report;
#[path = "../bins/mc-scatter.rs"]
mod scatter;
#[path = "../bins/mc-shuffle.rs"]
mod shuffle;
#[path = "../bins/mc-sort.rs"]
mod sort;
#[path = "../bins/mc-split.rs"]
mod split;

const TOOLS: &[Called] = &[
    ("mc-cat", cat::main),
    ("mc-explain", explain::main),
    #[cfg(feature = "parquet")]
    ("mc-format-parquet", format_parquet::main),
    ("mc-gather", gather::main),
    ("mc-hosts", hosts::main),
    ("mc-join", join::main),
    ("mc-map", map::main),
    ("mc-reduce", reduce::main),
    ("mc-report", report::main),
    ("mc-scatter", scatter::main),
    ("mc-shuffle", shuffle::main),
    ("mc-sort", sort::main),
    ("mc-split", split::main),
];

fn main() -> ExitCode {
    called::run("mc-tools", TOOLS)
}

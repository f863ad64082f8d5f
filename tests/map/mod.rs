//! `mc-map`: commands of every temper, fed with blocks.

mod bad_output;
mod calls;
mod each;
mod environment;
mod failed;
mod failures;
mod forms;
mod hadoop_env;
mod halt;
mod memo;
mod order;
mod pipes;
mod reporter;
mod streams;

/// The numbers from 1 to `last`, a line each.
fn numbers(last: u32) -> String {
    (1..=last).map(|n| format!("{n}\n")).collect()
}

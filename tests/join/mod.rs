//! `mc-join` through the tool: its answers against SQLite's, its records, its calls, and that neither
//! its way of working nor its place makes a difference.

mod answers;
mod calls;
mod hosts;
mod large;
mod records;

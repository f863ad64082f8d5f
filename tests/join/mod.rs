//! `mc-join` through the tool: its answers against SQLite's, its records, its calls, and that its
//! way of working makes no difference.

mod answers;
mod calls;
mod large;
mod records;

//! Pipelines over hosts with real sshd.

mod at_work;
mod bed;
mod datasets;
mod hosts;
mod kills;
mod lost;
mod readers;
mod same_bytes;
mod ssh;
mod unwilling;

//! Pipelines over hosts with real sshd.

mod bed;
mod datasets;
mod hosts;
mod ssh;

//! Pipelines over hosts with real sshd.

mod bed;
mod ssh;

//! Pipelines over hosts with real sshd.

mod bed;
mod hosts;
mod ssh;

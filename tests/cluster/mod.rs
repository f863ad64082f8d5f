//! Pipelines over hosts with real sshd.

mod at_work;
mod attempts;
mod bed;
mod client_files;
mod copies;
mod damaged;
mod datasets;
mod enough;
mod exchange;
mod hosts;
mod kills;
mod lineage;
mod login;
mod lost;
mod machines;
mod modes;
mod one_name;
mod read_once;
mod readers;
mod replay;
mod same_bytes;
mod setup;
mod shipping;
mod ssh;
mod stats;
mod unwilling;

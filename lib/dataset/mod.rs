//! Datasets: shards that lie on hosts, and what is known of them here.
//!
//! A tool whose output lies on hosts writes a [`manifest`] of it, keeps a record of the run in a
//! [`run_dir`], and stays its [owner](ownership) until whoever reads the manifest has let go. Nothing
//! here reads the environment or prints.

pub(crate) mod claimed_name;
pub(crate) mod lineage;
pub(crate) mod manifest;
pub(crate) mod ownership;
pub(crate) mod run_dir;
pub(crate) mod run_id;

pub(crate) use run_id::RunId;

//! The far end: the worker that runs on a host for a tool elsewhere ([`serve`]), with the shards
//! that it makes ([`store`]) and its part in an exchange.
//!
//! This room knows nothing of order or of retries, and prints nothing.

mod base;
mod client;
mod deliveries;
pub(crate) mod desk;
mod exchange;
mod file_lock;
mod frame_writer;
mod greeting;
mod job;
pub(crate) mod requests;
mod resource;
pub(crate) mod serve;
pub(crate) mod setup;
mod shard_file;
mod shipped;
mod slots;
mod state;
mod store;

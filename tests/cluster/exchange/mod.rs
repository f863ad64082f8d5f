//! The exchange: shuffle, sort and reduce of shards, from host to host.

mod alike;
mod inputs;
mod order;
mod results;

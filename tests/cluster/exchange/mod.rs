//! The exchange: shuffle, sort and reduce of shards, from host to host.

mod alike;
mod bed;
mod facts;
mod failures;
mod hostile;
mod inputs;
mod limits;
mod options;
mod order;
mod results;
mod roads;
mod spread;
mod tls;
mod upstream;

//! The command line's half that is about hosts: their options, how they are reached, what is sent to
//! them, and what becomes of the shards that lie there.

pub mod access;
pub mod command_hosts;
pub mod exchange_options;
pub mod feed;
pub mod file_hosts;
pub mod host_options;
pub mod in_place_options;
pub mod name_list;
pub mod neighbours;
pub mod shards;
pub mod shipping;

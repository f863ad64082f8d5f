//! The protocol between a tool and the worker on a host: frames on one stream of bytes each way.
//!
//! # The protocol
//!
//! A frame is 9 bytes of head and a payload: the length of the payload (4 bytes, little endian, at
//! most [`frame::PAYLOAD_MAX`]), its kind (1 byte), and the number of the request that it belongs
//! to (4 bytes, little endian; 0 is the connection itself).
//!
//! | kind | payload | direction |
//! | --- | --- | --- |
//! | 0 control | a JSON object: an [`Ask`](message::Ask) to the worker, a [`Reply`](message::Reply) to the tool | both |
//! | 1 data | bytes of the request's stream | both |
//! | 2 end | nothing: the stream of data is whole | both |
//! | 3 credit | 4 bytes, little endian: so many more bytes of data may be sent (none: the request is being worked on) | both |
//! | 4 beat | nothing: the sender lives | both |
//! | 5 packed | bytes of the request's stream, [packed](pack) | both |
//!
//! The first frame each way is a `hello`, which names the protocol's version and the program's; who
//! hears another version than its own says so and ends. The tool opens requests, each with a number of
//! its own; a request ends with the worker's `done`, `failed` or `sent`. Data of a request
//! flows to the worker first, if at all, and then from it, and each way no more of it (unpacked) than
//! [`flow::WINDOW_BYTES`] and the credits that came allow: whoever receives gives credit for what it
//! has dealt with. Data is packed where the `hello` says so: where it goes over a network. Each side
//! sends something every [`BEAT_EVERY`], and takes a peer that was silent for [`SILENCE_MAX`] for
//! lost. What a worker asks of the tool, files of its machine ([`client`]), goes the same way round.
//!
//! Every length is bounded before anything is allocated. What does not follow these rules ends the
//! connection, with a reason. Nothing here opens or writes a stream.

pub(crate) mod client;
pub mod exchange;
pub(crate) mod flow;
pub(crate) mod frame;
mod frame_reader;
pub(crate) mod job;
mod json;
pub(crate) mod message;
pub(crate) mod pack;
pub(crate) mod shard;
pub(crate) mod shipped;

use std::time::Duration;

pub(crate) use frame::FrameKind;
pub(crate) use frame_reader::FrameReader;

/// The version of the protocol: another one is not spoken with.
pub(crate) const VERSION: u32 = 12;

/// The version of the program, and a hash of what it was built of: workers for several kinds of machine
/// are other programs, and of the same build all the same.
pub(crate) const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), " ", env!("MYCLOUD_BUILD"));

/// How often each side shows that it lives.
pub(crate) const BEAT_EVERY: Duration = Duration::from_secs(2);

/// How long a peer may be silent before it counts as lost.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(12);

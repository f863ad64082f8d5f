//! What a hostile worker, tool or peer may send: frames, packed data, messages.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::input::said;
use super::{Outcome, Target};
use crate::client::talk::{CommandAsk, WorkerAnswer, hear};
use crate::record::bytes::Bytes;
use crate::record::digest::Contents;
use crate::wire::client::{ClientAsk, ClientReply, FileIdentity};
use crate::wire::exchange::{MergeTask, RangeSource};
use crate::wire::frame::{DATA_BYTES, Frame, FrameDecoder, FrameKind, HEAD_BYTES};
use crate::wire::message::{
    Ask, Done, Failed, Hello, Part, Reply, Task, TaskSource, decode, encode,
};
use crate::wire::pack::Unpacker;
use crate::wire::shard::Fetch;

fn framed(frames: &[(FrameKind, u32, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, request, payload) in frames {
        Frame { kind: *kind, request: *request, payload }.encode(&mut bytes).unwrap();
    }
    bytes
}

/// The frames of a stream, which comes in such steps, written again; and whether all is well.
fn frames(input: &[u8], step: usize) -> (Vec<u8>, std::result::Result<bool, String>) {
    let (mut decoder, mut again) = (FrameDecoder::default(), Vec::new());
    for part in input.chunks(step) {
        decoder.push(part);
        loop {
            match decoder.frame() {
                Ok(Some(frame)) => frame.encode(&mut again).unwrap(),
                Ok(None) => break,
                Err(error) => return (again, Err(said(&error))),
            }
        }
    }
    (again, Ok(decoder.is_at_end()))
}

#[test]
fn frames_of_a_stream() {
    use FrameKind::{Beat, Control, Credit, Data, End, Packed};
    let seeds = vec![
        framed(&[
            (Control, 0, b"{\"hello\":1}"),
            (Beat, 0, b""),
            (Data, 3, b"abc\n"),
            (End, 3, b""),
        ]),
        framed(&[
            (Credit, 1 << 31, &[0, 0, 4, 0]),
            (Packed, 7, b"(\xb5/\xfd"),
            (Data, 1, &[9; 300]),
        ]),
    ];
    let words: &[&[u8]] =
        &[b"\0\0\x10\0\x01", b"\x01\0\x10\0\0", b"\0\0\0\0\x04\0\0\0\0", b"\xff\xff\xff\xff"];
    let target = Target { seeds, ..Target::new("frames", &[], words) };
    target.run(|input| {
        let whole = frames(input, input.len().max(1));
        assert_eq!(frames(input, 1), whole);
        assert_eq!(frames(input, 13), whole);
        let (again, end) = whole;
        assert!(input.starts_with(&again), "other frames than came");
        match end {
            Err(_) => Outcome::Refused,
            Ok(at_end) => {
                assert_eq!(at_end, again.len() == input.len());
                assert!(input.len() - again.len() < HEAD_BYTES || !at_end);
                Outcome::Taken
            }
        }
    });
}

/// Whether another reader would refuse a frame for the size of its window, or there is none.
fn is_wide(input: &[u8]) -> bool {
    let refused = zstd::stream::decode_all(input).map_err(|e| e.to_string());
    input.is_empty() || refused.is_err_and(|why| why.contains("too much memory"))
}

#[test]
fn packed_data() {
    let texts = ["{\"name\":\"a record\"}\n".repeat(20), "x".repeat(5000), String::new()];
    let seeds = texts.map(|text| zstd::bulk::compress(text.as_bytes(), 1).unwrap()).to_vec();
    let target = Target { seeds, ..Target::new("packed", &[], &[b"(\xb5/\xfd"]) };
    let target = Target { memory: (3 * DATA_BYTES, 100), ..target };
    target.run(|input| {
        let mut unpacker = Unpacker::new();
        let Ok(data) = unpacker.unpack(input) else { return Outcome::Refused };
        assert!(data.len() <= DATA_BYTES);
        // It refuses windows that need more memory than this data does.
        assert!(
            zstd::stream::decode_all(input).is_ok_and(|theirs| data == theirs) || is_wide(input)
        );
        Outcome::Taken
    });
}

/// Whether the bytes are a message; then it is written as one that reads the same.
fn read<M: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(input: &[u8]) -> usize {
    match decode::<M>(input) {
        Ok(message) => {
            assert_eq!(decode::<M>(&encode(&message)).unwrap(), message);
            1
        }
        Err(error) => {
            said(&error);
            0
        }
    }
}

fn sound() -> Vec<Vec<u8>> {
    let bytes = |text: &str| Bytes(text.as_bytes().to_vec());
    let hello = Hello {
        protocol: crate::wire::VERSION,
        version: "0.1.0".into(),
        run: Some("ab".into()),
        slots: None,
        memory: Some(1 << 30),
        pack: true,
        name: "n1".into(),
        client: false,
    };
    let fetch = Fetch { run: "0123456789abcdef0123456789abcdef".into(), shard: 3 };
    let input = TaskSource::Shard(fetch.clone(), Contents::default());
    let merge = MergeTask {
        exchange: 1,
        shard: 2,
        attempt: 3,
        from: None,
        to: Some(bytes("\u{1}k")),
        sources: vec![
            RangeSource::Here,
            RangeSource::Peer("n2".into(), "t".into()),
            RangeSource::Relay,
        ],
    };
    let part = Part { exchange: 1, from: Some(bytes("a")), to: None, token: Some("t".into()) };
    let failed = Failed {
        code: 3,
        text: "bad".into(),
        by_command: true,
        record: Some(bytes("r")),
        last_words: vec!["x".into()],
        passed: 1,
    };
    let identity = FileIdentity { device: 1, inode: 2, size: 3, modified: -4 };
    vec![
        encode(&Ask::Hello(hello)),
        encode(&Ask::Task(Task { job: 1, task: 7, attempt: 2, input, part: None, bisect: false })),
        encode(&Ask::Fetch(fetch, Contents::default(), true)),
        encode(&Ask::Merge(merge)),
        encode(&Ask::Part(part)),
        encode(&Ask::Cancel),
        encode(&Ask::Client(ClientReply::Opened(identity))),
        encode(&Reply::Failed(failed)),
        encode(&Reply::Done(Done::default())),
        encode(&Reply::Said("line\n".into())),
        encode(&Reply::Client(ClientAsk::Read {
            path: bytes("/etc/passwd"),
            known: Some(identity),
        })),
    ]
}

#[test]
fn messages() {
    let words: &[&[u8]] = &[
        b"{",
        b"}",
        b"[",
        b"]",
        b"null",
        b"\"task\":",
        b"\"attempt\":",
        b"\"cancel\"",
        b"{\"client\":",
        b"\"\\u0000\"",
        b"-1",
        b"1e300",
        b"\"$base64\"",
        b"{\"$base64\":\"AA==\"}",
        b"{\"kept\":[",
        b"{\"said\":\"",
        b"\"deadbeef\"",
        b"\x1b",
        b"\"xx\":1,",
    ];
    Target { seeds: sound(), ..Target::new("messages", &[], words) }.run(|input| {
        let taken = read::<Ask>(input)
            + read::<Reply>(input)
            + read::<ClientAsk>(input)
            + read::<ClientReply>(input)
            + read::<CommandAsk>(input)
            + read::<WorkerAnswer>(input);
        let mut lines = input;
        while let Ok(Some(_)) = hear::<CommandAsk>(&mut lines) {}
        if taken > 0 { Outcome::Taken } else { Outcome::Refused }
    });
}

//! Manifests: what is read is what would be written, however it comes.

use super::input::{Stepwise, kind, steps};
use super::{Outcome, Target};
use crate::dataset::manifest::{ManifestLine, ManifestReader, ManifestWriter};
use crate::record::digest::Contents;

const WORDS: &[&[u8]] = &[
    b"#mc1 ",
    b"{\"run\":\"",
    b"{\"shard\":",
    b"{\"end\":{",
    b"\"hosts\":[",
    b"\"n1\"",
    b",\"records\":",
    b"}\n",
    b"}}\n",
    b"\n",
    b"\"sum\":\"",
    b"\"hash\":\"",
    b"0000000000000000",
    b"\\u006e",
    b"\"shards\":",
    b"\\n",
    b" ",
    b"on hosts: | mc-gather brings them",
    b"\x1b[2J",
    b"\xff",
];

fn manifest(shards: &[(&[&str], u64)]) -> String {
    let run = "00112233445566778899aabbccddeeff".parse().unwrap();
    let (mut writer, mut text) = ManifestWriter::begin(run);
    for (hosts, records) in shards {
        let contents = Contents { records: *records, bytes: records * 3, sum: 5 << 100, hash: 7 };
        text += &writer.shard(hosts, contents).unwrap();
    }
    text + &writer.end()
}

#[test]
fn manifests() {
    let seeds = [
        manifest(&[(&["n1", ":"], 3), (&["bob@[::1]:22"], 4)]),
        manifest(&[]),
        manifest(&[(&["n1"], u64::MAX / 7), (&[":#2"], 9), (&[], 0)]),
    ];
    let seeds: Vec<&str> = seeds.iter().map(String::as_str).collect();
    let target = Target { memory: (512 << 10, 300), ..Target::new("manifest", &seeds, WORDS) };
    target.run(|input| {
        let read = |step| {
            let mut reader = ManifestReader::new(Stepwise::new(input, step));
            let mut shards = Vec::new();
            let run = reader.run().map_err(|error| kind(&error));
            loop {
                match reader.next_shard() {
                    Ok(Some(shard)) => shards.push(shard),
                    Ok(None) => break,
                    Err(error) => return (run, shards, Err(kind(&error))),
                }
            }
            let totals = reader.totals();
            let drained = reader.drain().map_err(|error| kind(&error));
            (run, shards, drained.map(|()| totals))
        };
        let [whole, stepwise @ ..] = steps(input).map(read);
        for stepwise in stepwise {
            // What is behind the end is seen at once, or when it comes; both are an error.
            assert_eq!((&stepwise.0, &stepwise.1), (&whole.0, &whole.1));
            assert_eq!(stepwise.2.is_ok(), whole.2.is_ok());
        }
        let (Ok(run), shards, Ok(totals)) = whole else { return Outcome::Refused };
        // Nothing was overlooked: it is written again as it was, or without the word for people.
        let (mut writer, mut again) = ManifestWriter::begin(run);
        for shard in &shards {
            let hosts: Vec<&str> = shard.hosts.iter().map(String::as_str).collect();
            again += &writer.shard(&hosts, shard.contents).unwrap();
            assert!(hosts.iter().all(|host| !host.contains(char::is_control)));
        }
        again += &writer.end();
        assert_eq!(totals.shards, shards.len() as u64);
        let bare = again.replacen(",\"records\":\"on hosts: | mc-gather brings them\"", "", 1);
        assert!(input == again.as_bytes() || input == bare.as_bytes(), "{again}");
        Outcome::Taken
    });
}

#[test]
fn lines() {
    let seed = manifest(&[(&["n1", ":"], 3)]);
    let seeds: Vec<&str> = seed.lines().collect();
    Target::new("manifest-line", &seeds, WORDS).run(|input| match ManifestLine::parse(input) {
        None => Outcome::Refused,
        Some(line) => {
            let again = line.encode();
            assert_eq!(ManifestLine::parse(again.trim_end_matches('\n').as_bytes()), Some(line));
            Outcome::Taken
        }
    });
}

//! Manifests: the lines that stand on a pipe for data that lies on hosts.
//!
//! ```text
//! #mc1 {"run":"<32 digits>","records":"on hosts: | mc-gather brings them"}
//! #mc1 {"shard":1,"hosts":["n3"],"records":5,"bytes":80,"sum":"<32 digits>","hash":"<32 digits>"}
//! #mc1 {"end":{"shards":1,"records":5,"bytes":80,"sum":"<32 digits>"}}
//! ```
//!
//! The first line names the run, the last holds the totals, and without it the manifest is not
//! whole. It ends with a word for whoever takes it for records, and shows it in an error; one
//! without that word is read, too. Shards are numbered from 1 and stand in order. Nothing in a manifest is run or opened:
//! what the run was, and how its hosts are reached, is in the client's [record](super::run_dir).

mod reader;

use serde::{Deserialize, Serialize};

use crate::dataset::RunId;
use crate::error::{Error, Result};
use crate::record::digest::{Contents, hex};

pub(crate) use reader::{ManifestReader, input, run_of};

/// What every line of a manifest begins with; no line of JSON does.
pub(crate) const PREFIX: &str = "#mc1 ";

/// What the first line says to whoever takes it for records.
const WORD: &str = "on hosts: | mc-gather brings them";

/// The longest line, with its end.
pub(crate) const LINE_MAX: usize = 64 * 1024;

/// The most hosts that a shard lies on.
pub(crate) const REPLICAS_MAX: usize = 64;

/// The longest name of a host, in bytes.
pub(crate) const HOST_MAX: usize = 512;

/// Whether a stream that begins with these bytes is a manifest.
pub(crate) fn is_manifest(first_bytes: &[u8]) -> bool {
    first_bytes.starts_with(PREFIX.as_bytes())
}

/// A line of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ManifestLine {
    /// The first: whose shards follow.
    Run(RunId),
    /// A shard.
    Shard(Shard),
    /// The last: what all shards hold.
    End(Totals),
}

/// A shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its number in the run, from 1.
    pub number: u64,
    /// The hosts that it lies on, as the run's record names them.
    pub hosts: Vec<String>,
    /// What it holds.
    pub contents: Contents,
}

/// What all shards of a run hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// How many shards.
    pub shards: u64,
    /// How many records.
    pub records: u64,
    /// How many bytes, with a line end for each record.
    pub bytes: u64,
    /// The sum of the shards' sums, modulo 2^128.
    #[serde(with = "hex")]
    pub sum: u128,
}

impl Totals {
    fn plus(self, contents: &Contents) -> Option<Totals> {
        Some(Totals {
            shards: self.shards.checked_add(1)?,
            records: self.records.checked_add(contents.records)?,
            bytes: self.bytes.checked_add(contents.bytes)?,
            sum: self.sum.wrapping_add(contents.sum),
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunLine {
    run: RunId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    records: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShardLine {
    shard: u64,
    hosts: Vec<String>,
    records: u64,
    bytes: u64,
    #[serde(with = "hex")]
    sum: u128,
    #[serde(with = "hex")]
    hash: u128,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine {
    end: Totals,
}

impl ManifestLine {
    /// The line with its end.
    pub(crate) fn encode(&self) -> String {
        let json = match self {
            ManifestLine::Run(run) => {
                serde_json::to_string(&RunLine { run: *run, records: Some(WORD.into()) })
            }
            ManifestLine::Shard(Shard { number, hosts, contents }) => {
                let Contents { records, bytes, sum, hash } = *contents;
                let hosts = hosts.clone();
                serde_json::to_string(&ShardLine {
                    shard: *number,
                    hosts,
                    records,
                    bytes,
                    sum,
                    hash,
                })
            }
            ManifestLine::End(totals) => serde_json::to_string(&EndLine { end: *totals }),
        };
        // Strings and numbers with names: nothing that could fail.
        format!("{PREFIX}{}\n", json.unwrap_or_default())
    }

    /// Reads a line without its end, in the one spelling that there is (of the first line, the one
    /// without its last word, too).
    pub(crate) fn parse(line: &[u8]) -> Option<ManifestLine> {
        let text = std::str::from_utf8(line).ok()?;
        let json = text.strip_prefix(PREFIX)?;
        let parsed = if json.starts_with("{\"run\"") {
            let RunLine { run, records } = serde_json::from_str(json).ok()?;
            if records.is_none() {
                return (json == format!("{{\"run\":\"{run}\"}}"))
                    .then_some(ManifestLine::Run(run));
            }
            ManifestLine::Run(run)
        } else if json.starts_with("{\"end\"") {
            ManifestLine::End(serde_json::from_str::<EndLine>(json).ok()?.end)
        } else {
            let line: ShardLine = serde_json::from_str(json).ok()?;
            let ShardLine { shard: number, hosts, records, bytes, sum, hash } = line;
            let is_name = |host: &String| {
                (1..=HOST_MAX).contains(&host.len()) && !host.chars().any(char::is_control)
            };
            // What holds nothing need not lie anywhere.
            let least = usize::from(bytes > 0);
            if !(least..=REPLICAS_MAX).contains(&hosts.len()) || !hosts.iter().all(is_name) {
                return None;
            }
            ManifestLine::Shard(Shard {
                number,
                hosts,
                contents: Contents { records, bytes, sum, hash },
            })
        };
        (parsed.encode().strip_suffix('\n') == Some(text)).then_some(parsed)
    }
}

/// Makes the lines of a manifest, in order.
#[derive(Debug)]
pub(crate) struct ManifestWriter {
    totals: Totals,
}

impl ManifestWriter {
    /// Begins the manifest of `run`, with its first line.
    pub(crate) fn begin(run: RunId) -> (ManifestWriter, String) {
        (ManifestWriter { totals: Totals::default() }, ManifestLine::Run(run).encode())
    }

    /// The line of the next shard, which lies on `hosts`: at least one, unless it holds nothing.
    ///
    /// # Errors
    /// When the totals overflow.
    pub(crate) fn shard(&mut self, hosts: &[&str], contents: Contents) -> Result<String> {
        let overflow = || Error::incomplete("the shards hold more than can be counted");
        self.totals = self.totals.plus(&contents).ok_or_else(overflow)?;
        let hosts = hosts.iter().map(ToString::to_string).collect();
        Ok(ManifestLine::Shard(Shard { number: self.totals.shards, hosts, contents }).encode())
    }

    /// How many shards there are so far.
    pub(crate) fn count(&self) -> u64 {
        self.totals.shards
    }

    /// The last line: the manifest is whole.
    pub(crate) fn end(self) -> String {
        ManifestLine::End(self.totals).encode()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorKind;
    use crate::record::stream::Input;

    /// Gives so many bytes at a time.
    struct Text(Vec<u8>, usize);

    impl Input for Text {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            let count = self.1.min(buffer.len()).min(self.0.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0.drain(..count);
            Ok(count)
        }

        fn name(&self) -> &str {
            "in"
        }
    }

    fn contents(records: u64) -> Contents {
        Contents {
            records,
            bytes: records * 7,
            sum: (u128::MAX / 3).wrapping_mul(records.into()),
            hash: 5,
        }
    }

    fn lines() -> Vec<String> {
        let (mut writer, begin) =
            ManifestWriter::begin("00112233445566778899aabbccddeeff".parse().unwrap());
        let one = writer.shard(&["n1", ":"], contents(3)).unwrap();
        let two = writer.shard(&["bob@[::1]:22"], contents(4)).unwrap();
        vec![begin, one, two, writer.end()]
    }

    fn read(text: &str, step: usize) -> Result<(Vec<Shard>, Totals)> {
        let mut reader = ManifestReader::new(Text(text.as_bytes().to_vec(), step));
        let mut shards = Vec::new();
        while let Some(shard) = reader.next_shard()? {
            shards.push(shard);
        }
        reader.drain()?;
        Ok((shards, reader.totals()))
    }

    fn wrong(lines: &[&str]) -> (ErrorKind, String) {
        let error = read(&lines.concat(), 4096).unwrap_err();
        (error.kind(), error.to_string())
    }

    #[test]
    fn what_is_written_is_read_however_it_is_cut() {
        let text = lines().concat();
        assert_eq!(
            text.lines().nth(1).unwrap(),
            "#mc1 {\"shard\":1,\"hosts\":[\"n1\",\":\"],\"records\":3,\"bytes\":21,\
             \"sum\":\"ffffffffffffffffffffffffffffffff\",\"hash\":\"00000000000000000000000000000005\"}"
        );
        for step in [1, 2, 7, 100_000] {
            let (shards, totals) = read(&text, step).unwrap();
            assert_eq!((shards.len(), totals.shards, totals.records), (2, 2, 7));
            assert_eq!((shards[1].number, shards[1].contents), (2, contents(4)));
            assert_eq!(shards[0].hosts, ["n1", ":"]);
        }
        let run = RunId::random().unwrap();
        let (writer, begin) = ManifestWriter::begin(run);
        let (end, bare) = (writer.end(), format!("#mc1 {{\"run\":\"{run}\"}}\n"));
        assert_eq!(begin, bare.replace("}", ",\"records\":\"on hosts: | mc-gather brings them\"}"));
        for begin in [begin, bare] {
            assert_eq!(read(&(begin + &end), 9).unwrap().0, []);
        }
    }

    #[test]
    fn a_manifest_that_is_not_whole_is_incomplete() {
        let lines = lines();
        let [begin, one, two, end] = [0, 1, 2, 3].map(|n| lines[n].as_str());
        for parts in [
            &[][..],
            &[begin],
            &[begin, one, two],
            &[begin, one, two, end.trim_end()],
            &[one, two, end],
            &[begin, two, end],
            &[begin, two, one, end],
            &[begin, one, end],
            &[begin, one, one, two, end],
        ] {
            assert_eq!(wrong(parts).0, ErrorKind::Incomplete, "{parts:?}");
        }
        assert!(wrong(&[begin, one, two]).1.starts_with("in: line 4: the manifest ends here"));
    }

    #[test]
    fn what_others_write_into_the_pipe_is_refused() {
        let lines = lines();
        let [begin, one, two, end] = [0, 1, 2, 3].map(|n| lines[n].as_str());
        let long = "x".repeat(LINE_MAX * 2);
        for parts in [
            &[begin, one, begin][..],
            &[begin, one, two, end, begin],
            &[begin, one, two, end, "\n"],
            &[begin, "{\"a\":1}\n", one],
            &[begin, "1\n", one],
            &[begin, "\n", one],
            &[begin, &long],
            &["{\"a\":1}\n"],
        ] {
            assert_eq!(wrong(parts).0, ErrorKind::Usage, "{parts:?}");
        }
        let (_, text) = wrong(&[begin, "{\"a\":1}\n"]);
        assert!(text.starts_with("in: line 2: \"{\\\"a\\\":1}\" is no line of"), "{text}");
    }

    #[test]
    fn lines_that_no_tool_writes_are_bad_input() {
        let lines = lines();
        let [begin, one] = [0, 1].map(|n| lines[n].as_str());
        let endless = format!("{PREFIX}{{\"shard\":1,\"hosts\":[\"{}\"", "n".repeat(LINE_MAX));
        let many = one.replace("\"n1\"", &vec!["\"n1\""; REPLICAS_MAX].join(","));
        for line in [
            "#mc1 {}\n",
            "#mc1 \n",
            "#mc1 {\"shard\":1}\n",
            &begin.replace("brings", "takes"),
            &begin.replace("\",\"", "\", \""),
            &one.replace("fff", "FFF"),
            &one.replace("3,", "3.0,"),
            &one.replace(":3,", ": 3,"),
            &one.replace("\"n1\"", "\"n\\n1\""),
            &one.replace("\"n1\",\":\"", ""),
            &one.replace("{", "{\"run\":1,"),
            &many,
            &endless,
        ] {
            assert_eq!(wrong(&[begin, line]).0, ErrorKind::BadInput, "{line}");
        }
    }

    #[test]
    fn the_last_line_is_the_end_before_the_stream_ends() {
        /// A stream whose end never comes.
        struct Open(Text);
        impl Input for Open {
            fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
                match self.0.read(buffer)? {
                    0 => panic!("it waits for the end"),
                    got => Ok(got),
                }
            }
            fn name(&self) -> &str {
                "open"
            }
        }
        let mut reader = ManifestReader::new(Open(Text(lines().concat().into_bytes(), 11)));
        while reader.next_shard().unwrap().is_some() {}
        assert_eq!(reader.next_shard().unwrap(), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut text = lines()[0].clone().into_bytes();
            text.extend_from_slice(PREFIX.as_bytes());
            text.extend_from_slice(&bytes);
            let mut reader = ManifestReader::new(Text(text, 64));
            while let Ok(Some(_)) = reader.next_shard() {}
            let _ = ManifestLine::parse(&bytes);
        }

        #[test]
        fn a_changed_byte_is_noticed_or_changes_only_what_shards_hold(at in 0..400usize, byte in any::<u8>()) {
            let mut text = lines().concat().into_bytes();
            let at = at % text.len();
            text[at] = byte;
            let mut reader = ManifestReader::new(Text(text, 64));
            while let Ok(Some(shard)) = reader.next_shard() {
                prop_assert!(shard.number <= 2);
            }
        }

        #[test]
        fn shards_come_back(
            number in 1..u64::MAX, records: u64, bytes: u64, sum: u128, hash: u128,
            hosts in proptest::collection::vec("\\PC{1,20}", 1..5),
        ) {
            let contents = Contents { records, bytes, sum, hash };
            let line = ManifestLine::Shard(Shard { number, hosts, contents });
            prop_assert_eq!(ManifestLine::parse(line.encode().trim_end_matches('\n').as_bytes()), Some(line));
        }
    }
}

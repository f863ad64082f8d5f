//! The reading of a shard that lies here: what comes of it counts only where the shard is what its
//! manifest says. Whoever is told that it is not may find another copy elsewhere.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::{Arc, Mutex};

use crate::error::{Error, ErrorKind, Result};
use crate::parallel::lock;
use crate::record::digest::{Check, Contents};
use crate::record::stream::Input;
use crate::wire::FrameKind;
use crate::wire::message::Reply;
use crate::wire::shard::Fetch;
use crate::worker::state::{JobError, WorkerState};
use crate::worker::store;

/// How much is read at once.
const READ_BYTES: usize = 256 * 1024;

/// How many bytes are checked between two signs of it.
const SIGN_BYTES: u64 = 64 << 20;

/// A shard as a stream, which is checked as it is read.
pub(crate) struct ShardFile {
    file: File,
    name: String,
    check: Arc<Mutex<Check>>,
}

impl Input for ShardFile {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let got = self.file.read(buffer).map_err(|e| unreadable(&self.name, &e))?;
        lock(&self.check).push(&buffer[..got]);
        Ok(got)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Does `read` with all of a shard, which must hold `contents`.
///
/// # Errors
/// `Incomplete` when it is not here, cannot be read or is damaged, even where `read` fails for what
/// it found there; what `read` says of a shard that is sound.
pub(crate) fn read<T>(
    state: &WorkerState,
    fetch: &Fetch,
    contents: &Contents,
    read: impl FnOnce(ShardFile) -> Result<T>,
) -> Result<T> {
    let file = open(state, fetch, contents, None)?;
    let check = Arc::new(Mutex::new(Check::default()));
    let outcome = read(ShardFile { file, name: name(fetch), check: Arc::clone(&check) });
    match outcome {
        Ok(outcome) => {
            let is_whole = lock(&check).is(contents);
            if is_whole { Ok(outcome) } else { Err(damaged(fetch)) }
        }
        // What is no record may be one that was damaged.
        Err(error) if error.kind() == ErrorKind::BadInput => {
            Err(open(state, fetch, contents, Some(&|| Ok(()))).err().unwrap_or(error))
        }
        Err(error) => Err(error),
    }
}

/// Sends a shard; with `checked`, the first byte of it goes out when it is known that it holds
/// `contents`.
pub(crate) fn send(
    state: &WorkerState,
    request: u32,
    fetch: &Fetch,
    (contents, checked): (&Contents, bool),
) -> std::result::Result<Reply, JobError> {
    let sign = || state.to_tool.at_work(request);
    let mut file = open(state, fetch, contents, checked.then_some(&sign))?;
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let count = file.read(&mut buffer).map_err(|e| unreadable(&name(fetch), &e))?;
        if count == 0 {
            state.to_tool.frame(FrameKind::End, request, &[])?;
            return Ok(Reply::Sent);
        }
        state.to_tool.data(request, &buffer[..count])?;
    }
}

/// Opens a shard: the first that is whole where several of it lie here, or with `sign`, which is
/// called now and then while it is checked.
fn open(
    state: &WorkerState,
    fetch: &Fetch,
    contents: &Contents,
    sign: Option<Sign<'_>>,
) -> Result<File> {
    let files = store::files(&state.base, &fetch.run, fetch.shard)?;
    let checked = files.len() > 1 || sign.is_some();
    let mut flaw: Option<Error> = None;
    for path in files {
        let opened = File::open(path).map_err(|e| unreadable(&name(fetch), &e));
        let sound = opened.and_then(|mut file| {
            if checked {
                verify(&mut file, fetch, contents, sign.unwrap_or(&|| Ok(())))?;
                file.rewind().map_err(|e| unreadable(&name(fetch), &e))?;
            }
            Ok(file)
        });
        match (sound, &flaw) {
            (Ok(file), None) => return Ok(file),
            (Ok(file), Some(flaw)) => {
                let host = &state.name;
                state.to_tool.said(&format!("{host}: {flaw}; another copy takes its place\n"));
                return Ok(file);
            }
            (Err(error), _) => flaw = Some(error),
        }
    }
    Err(flaw.unwrap_or_else(|| damaged(fetch)))
}

/// Shows that something is being worked on.
type Sign<'a> = &'a dyn Fn() -> Result<()>;

/// Reads all of a shard, and checks it.
fn verify(file: &mut impl Read, fetch: &Fetch, contents: &Contents, sign: Sign<'_>) -> Result<()> {
    let (mut check, mut buffer, mut unsigned) = (Check::default(), vec![0; READ_BYTES], 0);
    loop {
        let count = file.read(&mut buffer).map_err(|e| unreadable(&name(fetch), &e))?;
        if count == 0 {
            return if check.is(contents) { Ok(()) } else { Err(damaged(fetch)) };
        }
        check.push(&buffer[..count]);
        unsigned += count as u64;
        if unsigned >= SIGN_BYTES {
            unsigned = 0;
            sign()?;
        }
    }
}

/// What messages call it.
fn name(fetch: &Fetch) -> String {
    format!("shard {}", fetch.shard)
}

fn damaged(fetch: &Fetch) -> Error {
    let name = name(fetch);
    Error::incomplete(format!("{name} is damaged: it is not what its manifest says"))
}

fn unreadable(name: &str, error: &io::Error) -> Error {
    Error::incomplete(format!("{name} cannot be read: {}", crate::error::reason(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::digest::Digest;

    const SHARD_BYTES: usize = 64 << 10;

    /// A shard's bytes, what its manifest says of it, and the request for it.
    fn shard() -> (Vec<u8>, Contents, Fetch) {
        let records = (0..).map(|n| format!("{{\"number\":{n},\"text\":\"{}\"}}\n", n * 7919));
        let mut bytes: Vec<u8> =
            records.flat_map(String::into_bytes).take(SHARD_BYTES - 1).collect();
        bytes.push(b'\n');
        let mut digest = Digest::default();
        digest.push(&bytes);
        (bytes, digest.contents(), Fetch { run: "0".repeat(32), shard: 7 })
    }

    fn is_sound(mut bytes: &[u8], fetch: &Fetch, contents: &Contents) -> bool {
        let verified = verify(&mut bytes, fetch, contents, &|| Ok(()));
        verified.as_ref().map_err(|e| assert_eq!(e.kind(), ErrorKind::Incomplete)).is_ok()
    }

    #[test]
    fn every_bit_that_is_flipped_is_noticed_and_every_cut() {
        let (mut bytes, contents, fetch) = shard();
        assert!(is_sound(&bytes, &fetch, &contents));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                assert!(!is_sound(&bytes, &fetch, &contents), "bit {bit} of byte {at}");
                bytes[at] ^= 1 << bit;
            }
            assert!(!is_sound(&bytes[..at], &fetch, &contents), "cut at {at}");
        }
        bytes.push(b'\n');
        assert!(!is_sound(&bytes, &fetch, &contents));
    }
}

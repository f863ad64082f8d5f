//! The members of an archive, unpacked on a thread of their own.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use ::zip::ZipReadOptions;
use ::zip::read::{Config, ZipFileEntry};
use ::zip::result::ZipError;
// "Unstable" means that the crate may change it in any version, and ours is pinned. The stable
// ZipArchive drops all but one member of a name.
use ::zip::unstable::read::ZipIterable;

use super::Limits;
use crate::error::{Error, Result};
use crate::format::bytes::lower;

/// How many bytes of a member are handed over at once.
const CHUNK_BYTES: usize = 128 * 1024;

/// How many pieces wait for whoever takes them.
const QUEUE: usize = 4;

/// What a member unpacks to before its ratio is judged: small ones do no harm.
const JUDGED_BYTES: u64 = 1 << 20;

/// What comes out of an archive.
pub(super) enum Event {
    /// A member of this name begins.
    Member(String),
    /// The next bytes of its data.
    Data(Vec<u8>),
    /// Its data ends, and is what the archive says it is.
    End,
}

/// The members of an archive.
pub(super) struct Members {
    events: Receiver<Result<Option<Event>>>,
    ended: bool,
}

impl Members {
    /// Unpacks the archive in `file`, which is called `name`.
    pub(super) fn open(name: &str, file: File, limits: Limits) -> Result<Members> {
        let length = file.metadata().map_err(|e| Error::io("read", name, &e))?.len();
        let at = At { file: Arc::new(file), position: 0, length };
        let (give, events) = sync_channel(QUEUE);
        let mut walk = Walk { name: name.to_string(), limits, total: 0, taken: BTreeMap::new() };
        thread::Builder::new()
            .spawn(move || {
                let last = walk.walk(at, &give).map(|()| None);
                // Nobody listens any more: then nobody wants to know.
                let _ = give.send(last);
            })
            .map_err(|e| Error::io("start", "a thread", &e))?;
        Ok(Members { events, ended: false })
    }

    /// What comes next, `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Event>> {
        if self.ended {
            return Ok(None);
        }
        let lost = |_| Error::incomplete("internal error: a reader of a Zip ended before its end");
        let event = self.events.recv().map_err(lost)??;
        self.ended = event.is_none();
        Ok(event)
    }
}

/// A walk through the members.
struct Walk {
    name: String,
    limits: Limits,
    /// How many bytes were unpacked.
    total: u64,
    /// Which bytes of the archive belong to members: from, to.
    taken: BTreeMap<u64, u64>,
}

type Give = SyncSender<Result<Option<Event>>>;

impl Walk {
    fn walk(&mut self, at: At, give: &Give) -> Result<()> {
        let mut data = BufReader::with_capacity(CHUNK_BYTES, at.clone());
        let mut directory = ZipIterable::try_new(BufReader::new(at.clone()), Config::default())
            .map_err(|e| self.failed(e))?;
        let mut last = None;
        for entry in directory.files().map_err(|e| self.failed(e))? {
            let entry = entry.map_err(|e| self.failed(e))?;
            last = Some(entry.central_header_start());
            let name = member_name(&entry);
            let place = format!("{}: member {name}", self.name);
            if give.send(Ok(Some(Event::Member(name)))).is_err() {
                return Ok(());
            }
            if !self.unpack(entry, &place, &mut data, give)? {
                return Ok(());
            }
        }
        match last {
            Some(last)
                if at.has_entry_behind(last).map_err(|e| lower(&self.name, "read", e))? =>
            {
                Err(Error::input(format!("{} has more members than it says", self.name)))
            }
            _ => Ok(()),
        }
    }

    /// Unpacks one member; `false` when nobody listens any more.
    fn unpack(
        &mut self,
        entry: ZipFileEntry<'_>,
        place: &str,
        data: &mut BufReader<At>,
        give: &Give,
    ) -> Result<bool> {
        if entry.encrypted() {
            return Err(Error::input(format!("{place} is encrypted; unpack it with its password")));
        }
        let (packed, declared) = (entry.compressed_size(), entry.size());
        let start = entry.header_start();
        let mut member =
            entry.with_reader(data, ZipReadOptions::new()).map_err(|e| failed(place, e))?;
        let from = member.data_start().unwrap_or(start);
        self.take(start, from.saturating_add(packed), place)?;
        let mut size = 0;
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            let got = read_full(&mut member, &mut chunk).map_err(|e| lower(place, "unpack", e))?;
            chunk.truncate(got);
            size += got as u64;
            self.total += got as u64;
            self.judge(size, packed, place)?;
            if got == 0 {
                break;
            }
            if give.send(Ok(Some(Event::Data(chunk)))).is_err() {
                return Ok(false);
            }
        }
        if size != declared {
            return Err(Error::input(format!(
                "{place} unpacks to {size} bytes, and the archive says {declared}"
            )));
        }
        Ok(give.send(Ok(Some(Event::End))).is_ok())
    }

    /// Takes note of the bytes of a member, which no other may have.
    fn take(&mut self, from: u64, to: u64, place: &str) -> Result<()> {
        let before = self.taken.range(..to).next_back();
        if before.is_some_and(|(_, &end)| end > from) {
            return Err(Error::input(format!("{place} overlaps another, as in a Zip bomb")));
        }
        self.taken.insert(from, to);
        Ok(())
    }

    fn judge(&self, size: u64, packed: u64, place: &str) -> Result<()> {
        let Limits { ratio, size: most } = self.limits;
        if size > JUDGED_BYTES && size / ratio >= packed.max(1) {
            return Err(Error::input(format!(
                "{place} unpacks to more than {ratio} times its size, as a Zip bomb does \
                 (ratio=N allows more)"
            )));
        }
        if self.total > most {
            return Err(Error::input(format!(
                "{place}: the archive unpacks to more than {most} bytes (size=N allows more)"
            )));
        }
        Ok(())
    }

    fn failed(&self, error: ZipError) -> Error {
        failed(&self.name, error)
    }
}

fn failed(place: &str, error: ZipError) -> Error {
    match error {
        ZipError::Io(e) => lower(place, "unpack", e),
        error => Error::input(format!("cannot unpack {place}: {error}")),
    }
}

/// The name of a member: as UTF-8 if it is that, else as the archive says.
fn member_name(entry: &ZipFileEntry<'_>) -> String {
    match std::str::from_utf8(entry.name_raw()) {
        Ok(name) => name.to_string(),
        Err(_) => match entry.name() {
            Ok(name) => name.into_owned(),
            Err(_) => String::from_utf8_lossy(entry.name_raw()).into_owned(),
        },
    }
}

fn read_full(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => (),
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

/// A reader of a file with a position of its own.
#[derive(Clone)]
struct At {
    file: Arc<File>,
    position: u64,
    length: u64,
}

impl At {
    /// Whether another entry of the directory follows the one at `start`: the count at the end of
    /// an archive wraps round at 65536 when a writer knows no Zip64.
    fn has_entry_behind(mut self, start: u64) -> io::Result<bool> {
        const SIGNATURE: &[u8] = b"PK\x01\x02";
        let mut entry = [0; 46];
        self.position = start;
        self.read_exact(&mut entry)?;
        let length = |at: usize| i64::from(u16::from_le_bytes([entry[at], entry[at + 1]]));
        self.seek(SeekFrom::Current(length(28) + length(30) + length(32)))?;
        let mut signature = [0; 4];
        Ok(read_full(&mut self, &mut signature)? == 4 && signature == SIGNATURE)
    }
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read_at(buffer, self.position)?;
        self.position += got as u64;
        Ok(got)
    }
}

impl Seek for At {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

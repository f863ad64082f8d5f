//! The members of an archive, unpacked on a thread of their own.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use ::zip::ZipReadOptions;
use ::zip::read::{Config, OwnedZipFileEntry, ZipFileEntry};
use ::zip::result::ZipError;
// "Unstable" means that the crate may change it in any version, and ours is pinned. The stable
// ZipArchive drops all but one member of a name.
use ::zip::unstable::read::ZipIterable;

use super::at::{ArchiveFile, At, read_full};
use super::choice::{Choice, Chooser};
use super::{PASSWORD_VARIABLE, Password, ZipOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::format::bytes::lower;
use crate::format::{ReadOptions, Warn};

/// How many bytes of a member are handed over at once.
const CHUNK_BYTES: usize = 128 * 1024;

/// How many pieces wait for whoever takes them.
const QUEUE: usize = 4;

/// What a member unpacks to before its ratio is judged: smaller ones do no harm, and blanks are
/// packed well.
const JUDGED_BYTES: u64 = 100 << 20;

/// How many names of members that are passed over are said.
const SAID_NAMES: usize = 5;

/// What comes out of an archive.
pub(super) enum Event {
    /// A member of this name begins.
    Member(String),
    /// The next bytes of its data.
    Data(Vec<u8>),
    /// Its data ends, and is what the archive says it is.
    End,
    /// The member of this name, which may have begun, cannot be read.
    Damaged(String, Error),
}

/// The members of an archive.
pub(super) struct Members {
    events: Receiver<Result<Option<Event>>>,
    ended: bool,
}

impl Members {
    /// Unpacks the archive `from`, which is called `name`. With `sound_only`, a member begins
    /// only when all of it was found to be what the archive says.
    pub(super) fn open(
        name: &str,
        from: ArchiveFile,
        archive: Archive,
        read: &ReadOptions,
    ) -> Result<Members> {
        let length = from.file.metadata().map_err(|e| Error::io("read", name, &e))?.len();
        let at = At::new(from, length);
        let (give, events) = sync_channel(QUEUE);
        let mut walk = Walk {
            name: name.to_string(),
            archive,
            password: read.zip_password.clone(),
            note: Warn::clone(&read.note),
            total: 0,
            taken: BTreeMap::new(),
        };
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

/// What is read of an archive, and how.
pub(super) struct Archive {
    /// How much it may unpack to.
    pub(super) options: ZipOptions,
    /// Which members are read.
    pub(super) chooser: Chooser,
    /// Whether a member is to begin only when all of it was found to be sound.
    pub(super) sound_only: bool,
}

/// A walk through the members.
struct Walk {
    name: String,
    archive: Archive,
    password: Password,
    /// Hears what is passed over.
    note: Warn,
    /// How many bytes were unpacked.
    total: u64,
    /// Which bytes of the archive belong to members: from, to.
    taken: BTreeMap<u64, u64>,
}

type Give = SyncSender<Result<Option<Event>>>;

/// Why a member could not be given.
enum MemberError {
    /// It is damaged, or cannot be read for another reason that is its own.
    Member(Error),
    /// The archive should not be read on.
    Archive(Error),
    /// Nobody listens any more.
    Gone,
}

impl Walk {
    fn walk(&mut self, at: At, give: &Give) -> Result<()> {
        let mut data = BufReader::with_capacity(CHUNK_BYTES, at.clone());
        let mut directory = ZipIterable::try_new(BufReader::new(at.clone()), Config::default())
            .map_err(|e| self.failed(e))?;
        if !self.archive.chooser.takes_all() {
            self.choose(&mut directory)?;
        }
        let mut last = None;
        for entry in directory.files().map_err(|e| self.failed(e))? {
            let entry = entry.map_err(|e| self.failed(e))?;
            last = Some(entry.central_header_start());
            let name = member_name(&entry);
            if self.archive.chooser.choose(&name) != Choice::Read {
                continue;
            }
            match self.member(&OwnedZipFileEntry::from(entry), &name, &mut data, give) {
                Ok(()) => (),
                Err(MemberError::Gone) => return Ok(()),
                Err(MemberError::Archive(error)) => return Err(error),
                Err(MemberError::Member(error)) => {
                    if give.send(Ok(Some(Event::Damaged(name, error)))).is_err() {
                        return Ok(());
                    }
                }
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

    /// Looks at the names of all members: whether it is known of each if it is to be read.
    fn choose(&self, directory: &mut ZipIterable<BufReader<At>>) -> Result<()> {
        let (mut count, mut read, mut passed, mut said) = (0u64, None, 0u64, Vec::new());
        let mut refused = None;
        for entry in directory.files().map_err(|e| self.failed(e))? {
            let name = member_name(&entry.map_err(|e| self.failed(e))?);
            count += 1;
            match self.archive.chooser.choose(&name) {
                Choice::Read => drop(read.get_or_insert(name)),
                Choice::PassOver => {
                    passed += 1;
                    if said.len() < SAID_NAMES {
                        said.push(name);
                    }
                }
                Choice::Refuse => drop(refused.get_or_insert(name)),
            }
        }
        if let Some(name) = refused {
            let ending = read.as_ref().and_then(|name| name.rsplit_once('.'));
            let such =
                ending.map_or(String::new(), |(_, ending)| format!(", such as members=*.{ending}"));
            return Err(Error::input(format!(
                "{}: the name of member {name} does not tell the format: say which members to read, \
                 members=GLOB{such}",
                self.name
            )));
        }
        if passed > 0 {
            let more = if passed > SAID_NAMES as u64 { ", ..." } else { "" };
            let names = said.join(", ");
            (self.note)(&format!(
                "{}: passed over: {passed} of {count} members: {names}{more}",
                self.name
            ));
        }
        if read.is_none() && !self.archive.options.members.is_empty() {
            let names = if said.is_empty() {
                String::new()
            } else {
                format!(" (there are {})", said.join(", "))
            };
            return Err(Error::input(format!("{}: no member matches members={names}", self.name)));
        }
        Ok(())
    }

    /// Gives one member.
    fn member(
        &mut self,
        entry: &OwnedZipFileEntry,
        name: &str,
        data: &mut BufReader<At>,
        give: &Give,
    ) -> std::result::Result<(), MemberError> {
        if self.archive.sound_only {
            let total = self.total;
            self.unpack(entry.as_ref(), name, data, None)?;
            self.total = total;
        }
        send(give, Event::Member(name.to_string()))?;
        self.unpack(entry.as_ref(), name, data, Some(give))
    }

    /// Unpacks one member, for somebody or to see whether it is sound.
    fn unpack(
        &mut self,
        entry: ZipFileEntry<'_>,
        name: &str,
        data: &mut BufReader<At>,
        give: Option<&Give>,
    ) -> std::result::Result<(), MemberError> {
        let place = &format!("{}: member {name}", self.name);
        let (packed, declared) = (entry.compressed_size(), entry.size());
        let (start, secret) = (entry.header_start(), entry.encrypted());
        let password = if secret { Some(self.password(place)?) } else { None };
        let options = ZipReadOptions::new().password(password.as_deref());
        // Errors of the disk are not the member's.
        let trouble = |error: Error| match error.kind() {
            ErrorKind::BadInput if secret => MemberError::Member(doubted(&error)),
            ErrorKind::BadInput => MemberError::Member(error),
            _ => MemberError::Archive(error),
        };
        let mut member = entry.with_reader(data, options).map_err(|e| match e {
            ZipError::InvalidPassword => MemberError::Member(Error::input(format!(
                "{place} has another password than that in {PASSWORD_VARIABLE}"
            ))),
            e => trouble(failed(place, e)),
        })?;
        if give.is_some() {
            let from = member.data_start().unwrap_or(start);
            self.take(start, from.saturating_add(packed), place).map_err(MemberError::Archive)?;
        }
        let mut size = 0;
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            let got = read_full(&mut member, &mut chunk)
                .map_err(|e| trouble(lower(place, "unpack", e)))?;
            chunk.truncate(got);
            size += got as u64;
            self.total += got as u64;
            self.judge(size, packed, place).map_err(MemberError::Archive)?;
            if got == 0 {
                break;
            }
            give.map_or(Ok(()), |give| send(give, Event::Data(chunk)))?;
        }
        if size != declared {
            return Err(trouble(Error::input(format!(
                "{place} unpacks to {size} bytes, and the archive says {declared}"
            ))));
        }
        give.map_or(Ok(()), |give| send(give, Event::End))
    }

    /// The password of an encrypted member.
    fn password(&self, place: &str) -> std::result::Result<Arc<[u8]>, MemberError> {
        let why = match &self.password {
            Password::Given(password) => return Ok(Arc::clone(password)),
            Password::Missing => format!("give its password in {PASSWORD_VARIABLE}"),
            Password::Withheld => {
                "no password is sent to hosts or kept with shards: read it without -h".to_string()
            }
        };
        Err(MemberError::Member(Error::input(format!("{place} is encrypted: {why}"))))
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
        let ZipOptions { ratio, size: most, .. } = self.archive.options;
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

fn send(give: &Give, event: Event) -> std::result::Result<(), MemberError> {
    give.send(Ok(Some(event))).map_err(|_| MemberError::Gone)
}

/// What is wrong with an encrypted member: the check of a password lets some wrong ones through.
fn doubted(error: &Error) -> Error {
    Error::input(format!(
        "{error} (it is damaged, or has another password than that in {PASSWORD_VARIABLE})"
    ))
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

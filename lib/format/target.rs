//! Where the bytes of an output go: standard output, a special file as it is, or a file that
//! appears whole at the end; compressed on the way where its name says so.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::WriteOptions;
use super::bytes::lower;
use super::compression::{Codec, Compressor};
use super::encoding::{self, Charset};
use super::objects::{self, ObjectUpload};
use super::place::{self, ResourcePlace};
use super::replaced::{follow, may_replace};
use super::resource::Resource;
use super::whole::WholeFile;
use crate::client;
use crate::client::call::ClientUpload;
use crate::error::{Error, Result};
use crate::record::stream::{Facts, Output};

/// How many bytes are gathered before they are written on.
const BUFFER_BYTES: usize = 128 * 1024;

/// The most that is written to a file at once. For larger writes a file system of today gets larger pieces
/// of memory, which in a virtual machine its host often has yet to find: measured, 1 MiB at once took one
/// and a half to five times as long.
pub const WRITE_BYTES: usize = 128 * 1024;

/// The bytes of one output. Dropped before [`Target::finish`], it leaves nothing behind (but what
/// standard output or a special file took already).
pub struct Target {
    name: String,
    state: State,
    charset: Option<encoding::TextEncoder>,
    /// The first bytes, where they must not be taken for what they are not; `None` once that is
    /// sure, or where it is no matter.
    head: Option<Vec<u8>>,
    /// Set when the output is given up: encoders write their last words when they are dropped, and
    /// those would make half an output look whole.
    abandoned: Arc<AtomicBool>,
}

enum State {
    Open(Box<Compressor<Buffered>>),
    Prepared(Raw),
    Done,
}

impl Target {
    /// Begins the output that `resource` names.
    ///
    /// # Errors
    /// When it cannot be written there.
    pub fn create(resource: &Resource, options: &WriteOptions) -> Result<Target> {
        let raw = Raw::create(&resource.place, options)?;
        let name = match &resource.place {
            ResourcePlace::Standard => "standard output".to_string(),
            place => place.to_string(),
        };
        let abandoned = Arc::new(AtomicBool::new(false));
        let buffered = Buffered { raw, buffer: Vec::new(), abandoned: Arc::clone(&abandoned) };
        check_packing(resource)?;
        let packing = resource.packing();
        let member = resource.place.name();
        let member = if packing.zipped { &member[..member.len() - ".zip".len()] } else { &member };
        let encoder =
            Compressor::new(packing, member, buffered).map_err(|e| lower(&name, "write", e))?;
        Ok(Target {
            name,
            state: State::Open(Box::new(encoder)),
            charset: None,
            head: None,
            abandoned,
        })
    }

    /// Checks, where nothing is to be written, that the output that `resource` names could begin.
    ///
    /// # Errors
    /// As [`Target::create`].
    pub fn check(resource: &Resource, options: &WriteOptions) -> Result<()> {
        check_packing(resource)?;
        match &resource.place {
            ResourcePlace::Standard => Ok(()),
            ResourcePlace::Path(path) if is_special(path) => {
                let failed = |e: io::Error| Error::path("write", path, &e);
                may_replace(&follow(path).map_err(failed)?).map_err(failed)
            }
            ResourcePlace::Path(path) => WholeFile::check(path),
            // Spark writes there, and looks what is there.
            ResourcePlace::Url(url) if place::is_of_hadoop(url) => Ok(()),
            ResourcePlace::Url(_) => Raw::create(&resource.place, options).map(drop),
            // Only who runs the command can be asked.
            ResourcePlace::Client(_) => Ok(()),
            // A store is not asked where nothing is to be written.
            ResourcePlace::Object(address) => objects::check(address),
        }
    }

    /// The same, for text that is to be written in `charset`.
    pub fn in_charset(mut self, charset: Option<Charset>) -> Target {
        // UTF-16 and UTF-32 have their own mark.
        if charset.is_none_or(|charset| !charset.is_marked()) {
            self.head = Some(Vec::new());
        }
        self.charset = encoding::TextEncoder::new(charset);
        self
    }

    /// The name for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Says what is known of the records, which the bytes are.
    ///
    /// # Errors
    /// As [`Target::write`].
    pub fn declare(&mut self, facts: &Facts) -> Result<()> {
        match &mut self.state {
            // In another encoding it is no records.
            State::Open(_) if self.charset.is_some() => Ok(()),
            State::Open(encoder) => match encoder.as_mut() {
                Compressor::Plain(Buffered { raw: Raw::Standard(output), .. }) => {
                    output.declare(facts)
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Takes bytes.
    ///
    /// # Errors
    /// When they cannot be kept; `BadInput` with the line for what the encoding lacks.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let bytes = match &mut self.charset {
            None => bytes,
            Some(charset) => {
                let name = &self.name;
                charset.encode(bytes).map_err(|why| Error::input(format!("{name}: {why}")))?
            }
        };
        look_at_head(&mut self.head, bytes, &self.name)?;
        let result = match &mut self.state {
            State::Open(encoder) => encoder.write_all(bytes),
            _ => Err(io::Error::other("it was ended already")),
        };
        result.map_err(|e| lower(&self.name, "write", e))
    }

    /// Writes what is held back and syncs, so that [`Target::finish`] has but to publish.
    ///
    /// # Errors
    /// As [`Target::write`].
    pub fn prepare(&mut self) -> Result<()> {
        let encoder = match std::mem::replace(&mut self.state, State::Done) {
            State::Open(encoder) => encoder,
            other => {
                self.state = other;
                return Ok(());
            }
        };
        let finished = encoder.finish().and_then(Buffered::finish);
        let mut raw = finished.map_err(|e| lower(&self.name, "write", e))?;
        match &mut raw {
            Raw::Whole(file) => file.sync()?,
            Raw::Object(upload) => upload.prepare()?,
            _ => (),
        }
        self.state = State::Prepared(raw);
        Ok(())
    }

    /// Ends the output and publishes it.
    ///
    /// # Errors
    /// As [`Target::write`].
    pub fn finish(mut self) -> Result<()> {
        self.prepare()?;
        match std::mem::replace(&mut self.state, State::Done) {
            State::Prepared(Raw::Whole(file)) => file.publish(),
            State::Prepared(Raw::Client(upload)) => upload.finish(),
            State::Prepared(Raw::Object(upload)) => upload.publish(),
            State::Prepared(Raw::Standard(mut output)) => output.flush(),
            _ => Ok(()),
        }
    }
}

/// Refuses text whose first bytes are those of something else, as which it would be read: a byte
/// order mark, compressed data. `head` holds the first bytes that were written so far.
fn look_at_head(head: &mut Option<Vec<u8>>, bytes: &[u8], name: &str) -> Result<()> {
    let Some(first) = head else { return Ok(()) };
    let lacking = Codec::MAGIC_BYTES - first.len();
    first.extend_from_slice(&bytes[..lacking.min(bytes.len())]);
    let taken_for = match Charset::marked(first, None) {
        Some((charset, _)) => format!("a byte order mark of {}", charset.name()),
        None => match Codec::seen(first) {
            Some(codec) => format!("the first bytes of {}", codec.name()),
            None => {
                if first.len() == Codec::MAGIC_BYTES {
                    *head = None;
                }
                return Ok(());
            }
        },
    };
    Err(Error::input(format!(
        "{name}: the first record begins with {taken_for}, as which it would be read (ndjson holds it)"
    )))
}

/// Checks that what is to be written can be packed as its name says.
fn check_packing(resource: &Resource) -> Result<()> {
    let (packing, name) = (resource.packing(), resource.place.to_string());
    if packing.zipped && packing.codec.is_some() {
        return Err(Error::usage(format!("{name}: a Zip is not compressed once more")));
    }
    if resource.place.name().to_ascii_lowercase().ends_with(".bgz") {
        return Err(Error::usage(format!("{name}: .bgz is for reading only; say .gz")));
    }
    Ok(())
}

impl Drop for Target {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }
}

/// Where the bytes go in the end.
enum Raw {
    Standard(Box<dyn Output>),
    Special(File),
    Whole(Box<WholeFile>),
    Client(ClientUpload),
    Object(Box<dyn ObjectUpload>),
}

impl Raw {
    fn create(place: &ResourcePlace, options: &WriteOptions) -> Result<Raw> {
        match place {
            ResourcePlace::Standard => Ok(Raw::Standard(options.stdout.take("standard output")?)),
            ResourcePlace::Url(url) => {
                place::check_url(url)?;
                Err(Error::usage(format!("{url}: cannot write over http; write a file")))
            }
            ResourcePlace::Path(path) if is_special(path) => {
                let failed = |e: io::Error| Error::path("write", path, &e);
                may_replace(&follow(path).map_err(failed)?).map_err(failed)?;
                Ok(Raw::Special(File::options().write(true).open(path).map_err(failed)?))
            }
            ResourcePlace::Path(path) => {
                Ok(Raw::Whole(Box::new(WholeFile::create(path, &options.ledger)?)))
            }
            ResourcePlace::Object(address) => Ok(Raw::Object(objects::create(address, options)?)),
            ResourcePlace::Client(path) => match options.client.write(path, &options.directory)? {
                client::ClientTarget::Here(path) => {
                    Ok(Raw::Whole(Box::new(WholeFile::create(&path, &options.ledger)?)))
                }
                client::ClientTarget::Client(upload) => Ok(Raw::Client(upload)),
            },
        }
    }
}

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Raw::Standard(output) => {
                output.write(bytes).map_err(io::Error::other)?;
                Ok(bytes.len())
            }
            Raw::Special(file) => file.write(bytes),
            Raw::Whole(file) => file.file().write(&bytes[..bytes.len().min(WRITE_BYTES)]),
            Raw::Client(upload) => upload.write(bytes),
            Raw::Object(upload) => {
                upload.write(bytes).map_err(io::Error::other)?;
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gathers small writes; nothing is written when it is dropped, or was abandoned.
struct Buffered {
    raw: Raw,
    buffer: Vec<u8>,
    abandoned: Arc<AtomicBool>,
}

impl Buffered {
    fn finish(mut self) -> io::Result<Raw> {
        self.flush()?;
        Ok(self.raw)
    }
}

impl Write for Buffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.abandoned.load(Ordering::Relaxed) {
            return Ok(bytes.len());
        }
        // Standard output knows itself how long to hold bytes back.
        let direct = bytes.len() >= BUFFER_BYTES || matches!(self.raw, Raw::Standard(_));
        if direct || self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.flush()?;
        }
        if direct {
            self.raw.write_all(bytes)?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.raw.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// Whether `path` is something that is written to as it is: a device, a FIFO, a socket.
pub fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| {
        let kind = about.file_type();
        kind.is_char_device() || kind.is_block_device() || kind.is_fifo() || kind.is_socket()
    })
}

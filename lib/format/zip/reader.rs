//! Zip to records: a member each, or the records that another format finds in the members.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::ZipOptions;
use super::at::ArchiveFile;
use super::choice::{Chooser, Tells};
use super::members::{Archive, Event, Members};
use crate::blocks::BlockSums;
use crate::error::{Error, Result};
use crate::format::compression::Codec;
use crate::format::decompression::decode;
use crate::format::place::ResourcePlace;
use crate::format::{FILL_BYTES, ReadOptions, Source, bytes, resource::Resource};
use crate::parallel::lock;
use crate::record::stream::Input;
use crate::record::text::push_bytes;

/// How much of what cannot be searched is copied at once.
const COPY_BYTES: usize = 128 * 1024;

/// A record `[member name, data]` for each member.
pub struct ZipReader {
    members: Members,
    name: String,
    options: ReadOptions,
    member: String,
    data: Vec<u8>,
    /// Whether the data at hand is over the limit; it is then not kept.
    too_long: bool,
}

impl ZipReader {
    /// Opens the archive that `resource` names.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(
        resource: &Resource,
        archive: ZipOptions,
        options: &ReadOptions,
    ) -> Result<ZipReader> {
        let name = resource.to_string();
        let file = seekable(resource, options)?;
        // A record is made of a member when all of it has come.
        let chooser = Chooser::of_all(archive.clone());
        let archive = Archive { options: archive, chooser, sound_only: false };
        let members = Members::open(&name, file, archive, options)?;
        let (member, data) = (String::new(), Vec::new());
        Ok(ZipReader { members, name, options: options.clone(), member, data, too_long: false })
    }

    fn end_member(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        if !self.too_long {
            out.push(b'[');
            push_bytes(out, self.member.as_bytes());
            out.push(b',');
            push_bytes(out, &self.data);
            out.extend_from_slice(b"]\n");
        }
        if self.too_long || out.len() - start - 1 > self.options.max_record {
            out.truncate(start);
            let most = self.options.max_record;
            let place = format!("{}: member {}", self.name, self.member);
            let error = Error::input(format!("a record over {most} bytes (--max-record)"));
            self.options.bad.reject(error.at(place), &self.data)?;
        }
        self.data.clear();
        Ok(())
    }
}

impl Source for ZipReader {
    fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        let full = out.len() + FILL_BYTES;
        while out.len() < full {
            match self.members.next()? {
                None => return Ok(false),
                Some(Event::Member(name)) => {
                    self.member = name;
                    self.too_long = false;
                }
                Some(Event::Data(data)) => {
                    self.too_long |= self.data.len() + data.len() > self.options.max_record;
                    if !self.too_long {
                        self.data.extend_from_slice(&data);
                    }
                }
                Some(Event::End) => self.end_member(out)?,
                Some(Event::Damaged(name, error)) => {
                    self.data.clear();
                    pass_over(&name, error, &self.options)?;
                }
            }
        }
        Ok(true)
    }
}

/// Judges a member that cannot be read, and says so where it is passed over.
fn pass_over(member: &str, error: Error, options: &ReadOptions) -> Result<()> {
    let said = format!("{error}; passed over");
    let mut name = Vec::new();
    push_bytes(&mut name, member.as_bytes());
    options.bad.reject(error, &name)?;
    (options.warn)(&said);
    Ok(())
}

/// What makes a source of the bytes of a member.
type Open = Box<dyn Fn(Box<dyn Input>) -> Box<dyn Source> + Send>;

/// A format over an archive.
pub struct Inside {
    /// Whether the name of a member tells that it holds the format.
    pub tells: Tells,
    /// Makes a source of the bytes of a member.
    pub open: Open,
}

/// The records that another format finds in the members.
pub struct Over {
    members: Arc<Mutex<Members>>,
    name: String,
    options: ReadOptions,
    open: Open,
    current: Option<Box<dyn Source>>,
}

impl Over {
    /// Opens the archive that `resource` names, whose members hold the format `inside`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(
        resource: &Resource,
        archive: ZipOptions,
        options: &ReadOptions,
        inside: Inside,
    ) -> Result<Over> {
        let name = resource.to_string();
        let file = seekable(resource, options)?;
        let own = resource.place.name();
        let (own, _) = Codec::of(&own);
        let own = own.len().checked_sub(".zip".len()).map_or("", |end| &own[..end]);
        let chooser = Chooser::of_format(archive.clone(), inside.tells, own.to_string());
        // Records that were given cannot be taken back: where damaged members are passed over,
        // each is looked at before.
        let sound_only = !options.bad.is_strict();
        let archive = Archive { options: archive, chooser, sound_only };
        let members = Arc::new(Mutex::new(Members::open(&name, file, archive, options)?));
        let (options, open) = (options.clone(), inside.open);
        Ok(Over { members, name, options, open, current: None })
    }

    /// Begins the next member, `false` when there is none.
    fn next_member(&mut self) -> Result<bool> {
        // Not in the match: the lock would be held while the member is opened, which may read it.
        let event = lock(&self.members).next()?;
        match event {
            None => return Ok(false),
            Some(Event::Member(name)) => {
                let full = format!("{}: {name}", self.name);
                let input = MemberInput::new(Arc::clone(&self.members), full);
                let (_, codec) = Codec::of(&name);
                let input = match codec {
                    Some(codec) => decode(codec, Box::new(input))?,
                    None => Box::new(input),
                };
                self.current = Some((self.open)(input));
            }
            Some(Event::Damaged(name, error)) => pass_over(&name, error, &self.options)?,
            // What is left of a member that was not read to its end.
            Some(Event::Data(_) | Event::End) => (),
        }
        Ok(true)
    }
}

impl Source for Over {
    fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        let Some(source) = &mut self.current else { return self.next_member() };
        if !source.fill(out)? {
            self.current = None;
        }
        Ok(true)
    }
}

/// The data of the member at hand.
struct MemberInput {
    members: Arc<Mutex<Members>>,
    name: String,
    chunk: Vec<u8>,
    used: usize,
    ended: bool,
}

impl MemberInput {
    fn new(members: Arc<Mutex<Members>>, name: String) -> MemberInput {
        MemberInput { members, name, chunk: Vec::new(), used: 0, ended: false }
    }
}

impl Input for MemberInput {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.used == self.chunk.len() && !self.ended {
            match lock(&self.members).next()? {
                Some(Event::Data(chunk)) => (self.chunk, self.used) = (chunk, 0),
                Some(Event::Damaged(_, error)) => return Err(error),
                _ => self.ended = true,
            }
        }
        let got = buffer.len().min(self.chunk.len() - self.used);
        buffer[..got].copy_from_slice(&self.chunk[self.used..self.used + got]);
        self.used += got;
        Ok(got)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// The archive as a file that can be searched: itself, or a copy without a name.
fn seekable(resource: &Resource, options: &ReadOptions) -> Result<ArchiveFile> {
    let codec = resource.packing().codec;
    if let (ResourcePlace::Path(path), None) = (&resource.place, codec)
        && path.is_file()
    {
        let file = File::open(path).map_err(|e| Error::path("read", path, &e))?;
        return Ok(ArchiveFile { file, written: None });
    }
    let mut input = bytes::open(&resource.place, options)?;
    if let Some(codec) = codec {
        input = decode(codec, input)?;
    }
    copy(input, &options.directory)
}

fn copy(mut input: Box<dyn Input>, directory: &Path) -> Result<ArchiveFile> {
    let failed = |e| Error::path("keep a temporary file in", directory, &e);
    let mut file = tempfile::tempfile_in(directory).map_err(failed)?;
    let (mut buffer, mut written) = (vec![0; COPY_BYTES], BlockSums::default());
    loop {
        let got = input.read(&mut buffer)?;
        if got == 0 {
            return Ok(ArchiveFile { file, written: Some(written) });
        }
        written.push(&buffer[..got]);
        file.write_all(&buffer[..got]).map_err(failed)?;
    }
}

//! The writing of a Zip archive, front to back: members whole or streamed, of any name and as
//! often as one likes, with fixed times, so that the same members make the same bytes.
//!
//! Layout: APPNOTE 6.3.10, sections 4.3 and 4.5.3 (Zip64). (The `zip` crate refuses to write a name
//! twice, and ends an archive that is given up.)

use std::io::{self, Write};

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

/// From here on a number stands in a Zip64 field, and this in the plain one.
const MOST_32: u64 = 0xffff_ffff;
const MOST_16: u64 = 0xffff;

/// 1 January 1980, 0:00, the first that a Zip can say.
const DATE: u16 = 0x0021;

/// Versions needed: 2.0 for Deflate, 4.5 for Zip64; made by 4.5 on Unix.
const VERSION_DEFLATE: u16 = 20;
const VERSION_ZIP64: u16 = 45;
const MADE_BY: u16 = 3 << 8 | VERSION_ZIP64;

/// A plain file that all may read: the upper half of the external attributes.
const MODE: u32 = 0o100_644;

const FLAG_UTF8: u16 = 1 << 11;
const FLAG_DESCRIPTOR: u16 = 1 << 3;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// An archive that is being written to `W`.
pub struct ArchiveWriter<W> {
    out: W,
    /// How many bytes were written.
    at: u64,
    /// The entries of the directory that stands at the end.
    directory: Vec<u8>,
    count: u64,
    streamed: Option<Streamed>,
}

/// A member that is being streamed.
struct Streamed {
    entry: Entry,
    encoder: DeflateEncoder<Vec<u8>>,
    crc: Crc,
}

/// What the archive says of a member.
struct Entry {
    name: Vec<u8>,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    start: u64,
}

impl<W: Write> ArchiveWriter<W> {
    /// Writes an archive to `out`.
    pub fn new(out: W) -> ArchiveWriter<W> {
        ArchiveWriter { out, at: 0, directory: Vec::new(), count: 0, streamed: None }
    }

    /// What it is written to.
    pub fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Adds a member; `packed` by Deflate where that makes it smaller. Its name is at most 65535
    /// bytes of UTF-8.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, name: &str, data: &[u8], packed: bool) -> io::Result<()> {
        let mut crc = Crc::new();
        crc.update(data);
        let mut entry = Entry::new(name, self.at);
        (entry.crc, entry.size) = (crc.sum(), data.len() as u64);
        let deflated = if packed { deflate(data)? } else { Vec::new() };
        let smaller = packed && deflated.len() < data.len();
        let bytes = if smaller { &deflated } else { data };
        entry.method = if smaller { DEFLATED } else { STORED };
        entry.packed = bytes.len() as u64;
        self.put(&entry.local())?;
        self.put(bytes)?;
        self.list(&entry);
        Ok(())
    }

    /// Begins a member whose data comes by [`ArchiveWriter::stream`].
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(&mut self, name: &str) -> io::Result<()> {
        let mut entry = Entry::new(name, self.at);
        entry.flags |= FLAG_DESCRIPTOR;
        entry.method = DEFLATED;
        // How long it is nobody knows yet: the fields for long ones, with the numbers at the end.
        (entry.packed, entry.size) = (MOST_32, MOST_32);
        let mut local = entry.local();
        let numbers = local.len() - 16;
        local[numbers..].fill(0);
        self.put(&local)?;
        (entry.packed, entry.size) = (0, 0);
        let encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        self.streamed = Some(Streamed { entry, encoder, crc: Crc::new() });
        Ok(())
    }

    /// Takes data of the member that was begun.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn stream(&mut self, data: &[u8]) -> io::Result<()> {
        let Some(member) = &mut self.streamed else { return Err(no_member()) };
        member.crc.update(data);
        member.entry.size += data.len() as u64;
        member.encoder.write_all(data)?;
        let packed = std::mem::take(member.encoder.get_mut());
        member.entry.packed += packed.len() as u64;
        self.put(&packed)
    }

    /// Ends the member that was begun.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(&mut self) -> io::Result<()> {
        let Some(member) = self.streamed.take() else { return Err(no_member()) };
        let Streamed { mut entry, encoder, crc } = member;
        let packed = encoder.finish()?;
        entry.packed += packed.len() as u64;
        entry.crc = crc.sum();
        let mut descriptor = Vec::new();
        push32(&mut descriptor, 0x0807_4b50);
        push32(&mut descriptor, entry.crc);
        push64(&mut descriptor, entry.packed);
        push64(&mut descriptor, entry.size);
        self.put(&packed)?;
        self.put(&descriptor)?;
        self.list(&entry);
        Ok(())
    }

    /// Writes the directory; what was written to comes back.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        if self.streamed.is_some() {
            self.end()?;
        }
        let (start, directory) = (self.at, std::mem::take(&mut self.directory));
        self.put(&directory)?;
        let mut end = Vec::new();
        let length = directory.len() as u64;
        if self.count >= MOST_16 || start >= MOST_32 || length >= MOST_32 {
            push32(&mut end, 0x0606_4b50);
            push64(&mut end, 44);
            push16(&mut end, MADE_BY);
            push16(&mut end, VERSION_ZIP64);
            push64(&mut end, 0);
            for number in [self.count, self.count, length, start] {
                push64(&mut end, number);
            }
            push32(&mut end, 0x0706_4b50);
            push32(&mut end, 0);
            push64(&mut end, self.at);
            push32(&mut end, 1);
        }
        push32(&mut end, 0x0605_4b50);
        push32(&mut end, 0);
        for _ in 0..2 {
            push16(&mut end, self.count.min(MOST_16) as u16);
        }
        push32(&mut end, length.min(MOST_32) as u32);
        push32(&mut end, start.min(MOST_32) as u32);
        push16(&mut end, 0);
        self.put(&end)?;
        Ok(self.out)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn list(&mut self, entry: &Entry) {
        entry.push_central(&mut self.directory);
        self.count += 1;
    }
}

impl Entry {
    fn new(name: &str, start: u64) -> Entry {
        let flags = if name.is_ascii() { 0 } else { FLAG_UTF8 };
        let name = name.as_bytes().to_vec();
        Entry { name, flags, method: STORED, crc: 0, packed: 0, size: 0, start }
    }

    /// The fields that the local header and the directory share.
    fn push_shared(&self, out: &mut Vec<u8>, long: bool) {
        push16(out, if long { VERSION_ZIP64 } else { VERSION_DEFLATE });
        push16(out, self.flags);
        push16(out, self.method);
        push16(out, 0);
        push16(out, DATE);
        push32(out, self.crc);
    }

    /// The local header. Where sizes are long, the last 16 bytes hold them.
    fn local(&self) -> Vec<u8> {
        let long = self.packed >= MOST_32 || self.size >= MOST_32;
        let mut out = Vec::new();
        push32(&mut out, 0x0403_4b50);
        self.push_shared(&mut out, long);
        let plain = |number: u64| if long { MOST_32 as u32 } else { number as u32 };
        push32(&mut out, plain(self.packed));
        push32(&mut out, plain(self.size));
        push16(&mut out, self.name.len() as u16);
        push16(&mut out, if long { 20 } else { 0 });
        out.extend_from_slice(&self.name);
        if long {
            push16(&mut out, 1);
            push16(&mut out, 16);
            push64(&mut out, self.size);
            push64(&mut out, self.packed);
        }
        out
    }

    fn push_central(&self, out: &mut Vec<u8>) {
        let mut long = Vec::new();
        let mut plain = |number: u64| {
            if number >= MOST_32 {
                push64(&mut long, number);
            }
            number.min(MOST_32) as u32
        };
        let (size, packed, start) = (plain(self.size), plain(self.packed), plain(self.start));
        push32(out, 0x0201_4b50);
        push16(out, MADE_BY);
        self.push_shared(out, !long.is_empty() || self.flags & FLAG_DESCRIPTOR != 0);
        push32(out, packed);
        push32(out, size);
        push16(out, self.name.len() as u16);
        push16(out, if long.is_empty() { 0 } else { long.len() as u16 + 4 });
        for _ in 0..3 {
            push16(out, 0); // no comment, first disk, no internal attributes
        }
        push32(out, MODE << 16);
        push32(out, start);
        out.extend_from_slice(&self.name);
        if !long.is_empty() {
            push16(out, 1);
            push16(out, long.len() as u16);
            out.extend_from_slice(&long);
        }
    }
}

fn deflate(data: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data)?;
    encoder.finish()
}

fn no_member() -> io::Error {
    io::Error::other("no member was begun")
}

fn push16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn push32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn push64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

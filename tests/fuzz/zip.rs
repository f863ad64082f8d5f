//! Zips: what is read of an archive is what its directory says, by a reader that knows nothing but
//! that.

use std::fs::File;
use std::io::{Read, Write};

use super::input::read_all;
use super::{Outcome, Target};
use crate::format::resource::Resource;
use crate::format::spec::Spec;
use crate::format::zip::{ArchiveWriter, ZipOptions, ZipReader};
use crate::record::text::push_bytes;

const WORDS: &[&[u8]] = &[
    b"PK\x01\x02",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"PK\x06\x06",
    b"PK\x06\x07",
    b"PK\x07\x08",
    b"../x",
    b"/etc/passwd",
    b"\xff\xff",
    b"\xff\xff\xff\xff",
    b"\x01\0\x10\0",
    b"\x08\0",
    b"\0\0\0\0",
    b"a.csv",
    b"\x0c\0",
    b"\x5d\0",
    b"\x63\0",
];

/// A member, as the directory names it, and where its bytes lie.
struct Member {
    name: Vec<u8>,
    crc_at: usize,
    crc: u32,
    data: Vec<u8>,
}

fn number(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(width)?)?;
    Some(bytes.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
}

/// The members of an archive in the plainest of ways; none for any other archive.
fn members(archive: &[u8]) -> Option<Vec<Member>> {
    let end = archive.len().checked_sub(22)?;
    if !archive[end..].starts_with(b"PK\x05\x06") || number(archive, end + 20, 2)? != 0 {
        return None;
    }
    let (count, mut at) = (number(archive, end + 10, 2)?, number(archive, end + 16, 4)?);
    if number(archive, end + 8, 2)? != count || at + number(archive, end + 12, 4)? != end {
        return None;
    }
    let mut members = Vec::new();
    for _ in 0..count {
        let field = |offset, width| number(archive, at + offset, width);
        if !archive.get(at..)?.starts_with(b"PK\x01\x02") || field(8, 2)? & !0x808 != 0 {
            return None;
        }
        let (method, packed, size) = (field(10, 2)?, field(20, 4)?, field(24, 4)?);
        let (name, extra, comment) = (field(28, 2)?, field(30, 2)?, field(32, 2)?);
        let (start, crc) = (field(42, 4)?, field(16, 4)? as u32);
        let local = archive.get(start..)?;
        if extra > 0 || !local.starts_with(b"PK\x03\x04") {
            return None;
        }
        let from = 30 + number(local, 26, 2)? + number(local, 28, 2)?;
        let bytes = local.get(from..from.checked_add(packed)?)?;
        let data = match method {
            0 => bytes.to_vec(),
            8 => {
                let mut data = Vec::new();
                let decoder = flate2::read::DeflateDecoder::new(bytes).take(1 << 20);
                { decoder }.read_to_end(&mut data).ok()?;
                data
            }
            _ => return None,
        };
        if data.len() != size {
            return None;
        }
        let bytes = archive.get(at + 46..at + 46 + name)?.to_vec();
        members.push(Member { name: bytes, crc_at: at + 16, crc, data });
        at += 46 + name + extra + comment;
    }
    (at == end).then_some(members)
}

/// Makes the checksums those of the data, so that changes of it come through.
fn mend(archive: &mut [u8]) {
    for member in members(archive).unwrap_or_default() {
        let mut crc = flate2::Crc::new();
        crc.update(&member.data);
        archive[member.crc_at..member.crc_at + 4].copy_from_slice(&crc.sum().to_le_bytes());
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut plain = ArchiveWriter::new(Vec::new());
    plain.add("a.csv", b"k,v\n1,2\n", false).unwrap();
    plain.add("dir/b.txt", &b"repeat ".repeat(30), true).unwrap();
    plain.add("a.csv", b"\xff\xfe", false).unwrap();
    let mut streamed = ArchiveWriter::new(Vec::new());
    streamed.begin("s").unwrap();
    streamed.stream(&b"streamed ".repeat(9)).unwrap();
    streamed.end().unwrap();
    let mut others = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, method) in [
        ("zstd", ::zip::CompressionMethod::Zstd),
        ("bzip2", ::zip::CompressionMethod::Bzip2),
        ("stored", ::zip::CompressionMethod::Stored),
    ] {
        let options = ::zip::write::SimpleFileOptions::default().compression_method(method);
        others.start_file(name, options).unwrap();
        others.write_all(&b"some data, ".repeat(5)).unwrap();
    }
    let empty = ArchiveWriter::new(Vec::new()).finish().unwrap();
    let others = others.finish().unwrap().into_inner();
    vec![plain.finish().unwrap(), streamed.finish().unwrap(), others, empty]
}

#[test]
fn archives() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_path_buf();
    let resource = Resource::parse(format!("zip:{}", path.display()).as_ref(), None).unwrap();
    let options = ZipOptions::parse(&Spec::plain("zip")).unwrap();
    let target =
        Target { seeds: seeds(), mend, memory: (4 << 20, 1200), ..Target::new("zip", &[], WORDS) };
    target.run(|input| {
        File::create(&path).unwrap().write_all(input).unwrap();
        let open =
            |read: &_| Ok(Box::new(ZipReader::open(&resource, options.clone(), read)?) as Box<_>);
        let (out, end, _) = read_all(open, true);
        let plainly = members(input);
        if end.is_err() {
            return Outcome::Refused;
        }
        if let Some(members) = plainly {
            let mut due = Vec::new();
            for Member { name, crc, data, .. } in members {
                let mut sum = flate2::Crc::new();
                sum.update(&data);
                assert_eq!(sum.sum(), crc, "a wrong checksum is not noticed");
                if std::str::from_utf8(&name).is_err() {
                    return Outcome::Taken;
                }
                due.push(b'[');
                push_bytes(&mut due, &name);
                due.push(b',');
                push_bytes(&mut due, &data);
                due.extend_from_slice(b"]\n");
            }
            assert_eq!(out, String::from_utf8(due).unwrap());
        }
        Outcome::Taken
    });
}

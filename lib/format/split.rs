//! Splits: files whose parts can be read each by itself. Where such a file can be cut, and the
//! records of a part.
//!
//! Where a line end always ends a record (NDJSON, text), a cut is found by looking around its
//! place. In CSV a line end may stand inside quotes, and only who has read all that comes before
//! knows: so rows are read up to the cut. What is packed knows no parts.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use super::encoding::{Charset, HEAD_BYTES};
use super::place::ResourcePlace;
use super::read::{self, Cuts, PartOf};
use super::resource::Resource;
use super::{Position, ReadOptions, Source, bytes};
use crate::error::{Error, Result};
use crate::pipe::pipe_input::shrunk;
use crate::record::bad::{Bad, Policy};
use crate::record::stream::Input;

/// The most and the least that is read at once while a file is cut: the less, the closer to their
/// places the cuts are.
const STEP_MAX: u64 = 256 * 1024;
const STEP_MIN: u64 = 4096;

/// How many steps a part is read in at least.
const STEPS: u64 = 16;

/// How much is looked at in search of a line end.
const LOOK_BYTES: usize = 64 * 1024;

/// By what it is noticed that a file is another one by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitState {
    /// Its size in bytes.
    pub size: u64,
    /// When it was changed, in nanoseconds since 1970.
    pub modified: u64,
}

impl SplitState {
    /// That of a file.
    pub fn of(found: &Metadata) -> SplitState {
        let nanoseconds =
            found.mtime().wrapping_mul(1_000_000_000).wrapping_add(found.mtime_nsec());
        SplitState { size: found.len(), modified: nanoseconds as u64 }
    }
}

/// A part of a file: whole records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitPart {
    /// How many bytes at the beginning of the file belong to every part.
    pub head: u64,
    /// Where the part begins.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
}

/// The records of a file, read in steps so small that its parts of about `size` bytes can be told
/// by [`Source::position`]. None where it knows no parts.
///
/// # Errors
/// As [`read::open`].
pub fn open_in_steps(
    resource: &Resource,
    size: u64,
    options: &ReadOptions,
) -> Result<Option<Box<dyn Source>>> {
    let ResourcePlace::Path(path) = &resource.place else { return Ok(None) };
    if read::cuts(resource, b"")?.0 == Cuts::Nowhere {
        return Ok(None);
    }
    let failed = |e: io::Error| Error::path("read", path, &e);
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Ok(None);
    }
    let (cuts, charset) = cuts(resource, &File::open(path).map_err(failed)?)?;
    if cuts == Cuts::Nowhere {
        return Ok(None);
    }
    let input = bytes::open(&resource.place, options)?;
    let input = Box::new(Steps { input, step: step(size) });
    let whole = PartOf { input, in_the_middle: false, charset, end: u64::MAX };
    read::open_part(resource, whole, options).map(Some)
}

/// The records of a part of `file`, which `resource` names.
///
/// # Errors
/// As [`read::open`]; `Incomplete` where it knows no parts.
pub fn open_part(
    resource: &Resource,
    file: File,
    part: &SplitPart,
    options: &ReadOptions,
) -> Result<Box<dyn Source>> {
    let (cuts, charset) = cuts(resource, &file)?;
    let mut to = part.to;
    if cuts == Cuts::AtRecords {
        let about = file.metadata();
        to = about.map_err(|e| Error::io("read", resource.place.to_string(), &e))?.len();
    }
    let input = Bytes::new(file, &SplitPart { to, ..*part }, resource)?;
    let end = input.head + part.to.saturating_sub(part.from);
    let in_the_middle = part.from > 0;
    let part = PartOf { input: Box::new(input), in_the_middle, charset, end };
    read::open_part(resource, part, options)
}

/// The first part of about `size` bytes of `rest`, and what is left of it then, if anything. The
/// whole of it where the file knows no parts. Bad records are no matter here.
///
/// # Errors
/// What is wrong with the file.
pub fn first(
    resource: &Resource,
    file: File,
    rest: &SplitPart,
    size: u64,
    options: &ReadOptions,
) -> Result<(SplitPart, Option<SplitPart>)> {
    let size = size.max(1);
    let (cuts, charset) = cuts(resource, &file)?;
    if cuts == Cuts::Nowhere || rest.to.saturating_sub(rest.from) <= size {
        return Ok((*rest, None));
    }
    let found = match cuts {
        Cuts::AtLines => line_end(&file, rest.from + size - 1, resource)?.map(|end| (0, end)),
        _ => record_end(resource, file, charset, rest, size, options)?,
    };
    Ok(match found.filter(|(_, cut)| *cut < rest.to) {
        Some((head, cut)) => {
            (SplitPart { to: cut, ..*rest }, Some(SplitPart { head, from: cut, ..*rest }))
        }
        None => (*rest, None),
    })
}

/// Where a file can be cut, as its beginning tells too, and what it is encoded in.
fn cuts(resource: &Resource, file: &File) -> Result<(Cuts, Charset)> {
    let mut head = vec![0; HEAD_BYTES];
    let length = loop {
        match file.read_at(&mut head, 0) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => (),
            Err(e) => return Err(Error::io("read", resource.place.to_string(), &e)),
            Ok(length) => break length,
        }
    };
    read::cuts(resource, &head[..length])
}

/// The place behind the first line end from `at` on.
fn line_end(file: &File, mut at: u64, resource: &Resource) -> Result<Option<u64>> {
    let mut buffer = vec![0; LOOK_BYTES];
    loop {
        let count = match file.read_at(&mut buffer, at) {
            Ok(0) => return Ok(None),
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Error::io("read", resource.place.to_string(), &e)),
        };
        if let Some(end) = memchr::memchr(b'\n', &buffer[..count]) {
            return Ok(Some(at + end as u64 + 1));
        }
        at += count as u64;
    }
}

/// How long the head is, and the place behind the first record that ends `size` bytes behind the
/// beginning of `rest`, or further on.
fn record_end(
    resource: &Resource,
    file: File,
    charset: Charset,
    rest: &SplitPart,
    size: u64,
    options: &ReadOptions,
) -> Result<Option<(u64, u64)>> {
    let input = Bytes::new(file, rest, resource)?;
    // Where the part begins in what is read.
    let begin = input.head;
    let options = ReadOptions { bad: Arc::new(Bad::new(Policy::Skip)?), ..options.clone() };
    let input = Box::new(Steps { input, step: step(size) });
    let part = PartOf { input, in_the_middle: rest.from > 0, charset, end: u64::MAX };
    let mut source = read::open_part(resource, part, &options)?;
    let (mut records, mut more) = (Vec::new(), true);
    while more {
        records.clear();
        more = source.fill(&mut records)?;
        if let Some(Position { head, next }) = source.position()
            && next.saturating_sub(begin) >= size
        {
            return Ok(Some((head, rest.from + (next - begin))));
        }
    }
    Ok(None)
}

/// How much is read at once to tell parts of about `size` bytes.
fn step(size: u64) -> usize {
    (size / STEPS).clamp(STEP_MIN, STEP_MAX) as usize
}

/// Bytes that come in small steps.
struct Steps<I> {
    input: I,
    step: usize,
}

impl<I: Input> Input for Steps<I> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let length = buffer.len().min(self.step);
        self.input.read(&mut buffer[..length])
    }

    fn name(&self) -> &str {
        self.input.name()
    }

    /// So that what is there is passed on.
    fn is_ready(&self) -> bool {
        false
    }
}

/// The bytes of the head of a file, and of a part of it.
struct Bytes {
    file: File,
    name: String,
    /// How much of the head is left, and of the part.
    head: u64,
    from: u64,
    left: u64,
}

impl Bytes {
    fn new(file: File, part: &SplitPart, resource: &Resource) -> Result<Bytes> {
        let SplitPart { head, from, to } = *part;
        let name = match from {
            0 => resource.place.to_string(),
            _ => format!("{} (from byte {from})", resource.place),
        };
        // What begins the file begins with the head.
        let head = if from == 0 { 0 } else { head };
        let mut bytes = Bytes { file, name, head, from, left: to.saturating_sub(from) };
        bytes.seek(if head > 0 { 0 } else { from })?;
        Ok(bytes)
    }

    fn seek(&mut self, to: u64) -> Result<()> {
        let sought = self.file.seek(SeekFrom::Start(to));
        sought.map(drop).map_err(|e| Error::io("read", &self.name, &e))
    }
}

impl Input for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let left = if self.head > 0 { self.head } else { self.left };
        let length = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let got = self.file.read(&mut buffer[..length]);
        let got = got.map_err(|e| Error::io("read", &self.name, &e))?;
        if got == 0 && length > 0 {
            return Err(shrunk(&self.name));
        }
        if self.head > 0 {
            self.head -= got as u64;
            if self.head == 0 {
                self.seek(self.from)?;
            }
        } else {
            self.left -= got as u64;
        }
        Ok(got)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All records of a source.
    fn all(mut source: Box<dyn Source>) -> Vec<u8> {
        let mut records = Vec::new();
        while source.fill(&mut records).unwrap() {}
        records
    }

    /// Cuts `text`, a file whose format is `format`, into parts of about `size` bytes, one after
    /// the other: together they hold what the whole does. How many there are.
    #[track_caller]
    fn cut(format: &str, text: &[u8], size: u64) -> usize {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, text).unwrap();
        let name = format!("{format}:{}", path.display());
        let resource = Resource::parse(name.as_ref(), None).unwrap();
        let options = ReadOptions { max_record: 300, ..ReadOptions::new(Policy::Skip).unwrap() };
        let whole = all(read::open(std::slice::from_ref(&resource), &options).unwrap());
        let file = || File::open(&path).unwrap();
        let (mut records, mut count) = (Vec::new(), 0);
        let mut rest = Some(SplitPart { head: 0, from: 0, to: text.len() as u64 });
        while let Some(left) = rest {
            let (part, behind) = first(&resource, file(), &left, size, &options).unwrap();
            assert!(part.from == left.from && part.to > part.from, "{part:?} of {left:?}");
            records.extend(all(open_part(&resource, file(), &part, &options).unwrap()));
            (rest, count) = (behind, count + 1);
        }
        assert_eq!(
            String::from_utf8_lossy(&records),
            String::from_utf8_lossy(&whole),
            "{format}, parts of {size}"
        );
        count
    }

    #[test]
    fn the_parts_of_lines_together_are_the_file() {
        let marked = "\u{feff}\"a\"\n\u{feff}\"b\"\r\n\n\u{feff}1\n\"no end\"";
        let long = format!("1\n{}\n2\n\"{}\"\n3\n", "x".repeat(150_000), "y".repeat(200));
        for size in [1, 2, 5, 7, 100, 1_000_000] {
            for format in ["ndjson", "text", "text,kv", "text,words"] {
                let counts = [marked, &long].map(|text| cut(format, text.as_bytes(), size));
                assert_eq!(counts == [1, 1], size == 1_000_000, "{format} {size}");
            }
        }
        assert_eq!(cut("ndjson", b"1\n2\n3\n", 1), 3);
    }

    #[test]
    fn the_parts_of_csv_together_are_the_file() {
        let rows = "1,\"x\ny\"\r\n\"\",\"\"\"\"\n\n3,\"\u{e9},\r\n\"\n".repeat(9);
        // Too few fields, a stray quote, one that is not closed, and a row over --max-record.
        let bad = format!("only one\n\"a\"b,c\n4,\"{}\n5,6\n\"7,\n8,9\n", "z".repeat(400));
        let text = format!("\u{feff}\na,b\n{}", format!("{rows}{bad}").repeat(60));
        for size in [1, 5000, 20_000, 1_000_000] {
            for format in
                ["csv", "csv,header=no", "csv,lax,ragged=pad", "csv,header=no,col=x,col=y"]
            {
                let count = cut(format, text.as_bytes(), size);
                assert_eq!(count == 1, size == 1_000_000, "{format} {size}: {count}");
            }
        }
    }

    #[test]
    fn the_parts_of_json_together_are_the_file() {
        let values = "{\n  \"a\": [1,\n\"x\"]\n}\n{\"b\":2} [3] \n\x1e{\"c\" : 4}\n\n 5\r\n";
        // One that is bad within a line, one over lines, and one over --max-record.
        let bad = format!("{{\"d\":x}} 1\n{{\n \"e\":\n  oops\n}}\n[\"{}\"]\n", "y".repeat(400));
        let text = format!("\u{feff}{}6", format!("{}{bad}", values.repeat(9)).repeat(60));
        for size in [1, 5000, 20_000, 10_000_000] {
            for format in ["json", "json,nan=null"] {
                let count = cut(format, text.as_bytes(), size);
                assert_eq!(count == 1, size == 10_000_000, "{format} {size}: {count}");
            }
        }
        assert_eq!(cut("json,items", b"[1,\n2,\n3]\n", 1), 1);
    }

    #[test]
    fn the_parts_of_what_is_not_utf_8_together_are_the_file() {
        let rows = "na\u{ef}ve,\"x\n\u{e9}\"\r\n\u{df},\u{20ac}\n".repeat(2000);
        let latin: Vec<u8> = format!("a,\u{fc}\n{rows}")
            .chars()
            .map(|c| if c == '\u{20ac}' { 0x80 } else { c as u32 as u8 })
            .collect();
        for size in [1, 5000, 20_000] {
            for format in ["text", "csv", "csv,header=no", "text,kv"] {
                let format = format!("{format},encoding=windows-1252");
                assert!(cut(&format, &latin, size) > 1, "{format} {size}");
            }
            // A mark knows better, in the middle of the file too.
            let marked = format!("\u{feff}a,\u{fc}\n{rows}");
            for format in ["text,encoding=latin1", "csv,encoding=latin1"] {
                assert!(cut(format, marked.as_bytes(), size) > 1, "{format} {size}");
            }
            for format in ["text,invalid=replace", "csv,invalid=replace", "text,invalid=base64"] {
                assert!(cut(format, &latin, size) > 1, "{format} {size}");
            }
            let wide: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
            assert_eq!(["text", "csv"].map(|format| cut(format, &wide, size)), [1, 1]);
            assert_eq!(cut("text,encoding=gb18030", &latin, size), 1);
        }
        // What is compressed has no parts, whatever it is called.
        let mut packed = Vec::new();
        let mut encoder = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, rows.as_bytes()).unwrap();
        encoder.finish().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, packed).unwrap();
        let resource = Resource::parse(format!("text:{}", path.display()).as_ref(), None).unwrap();
        assert_eq!(cuts(&resource, &File::open(&path).unwrap()).unwrap().0, Cuts::Nowhere);
    }

    #[test]
    fn the_parts_of_csv_that_begins_otherwise_together_are_the_file() {
        let rows = "1;\"x\ny\"\r\n# no row\n2;3\n".repeat(2000);
        for (format, begin) in [
            ("csv,comment=#", "\u{feff}sep=;\r\na;b\n"),
            ("csv,comment=#,delim=;,skip=2", "\u{feff}x\n\"y\na;b\n"),
            ("csv,comment=#,header=no,delim=;,skip=1", "#\n"),
            ("csv,comment=# ,delim=;;,header=no", "# sep=,\n\n"),
            ("csv,quote=no,delim=;,rename,ragged=fit", "a;\n"),
        ] {
            for size in [1, 5000] {
                assert!(cut(format, format!("{begin}{rows}").as_bytes(), size) > 1, "{format}");
            }
        }
    }

    #[test]
    fn every_cut_of_random_csv_is_a_cut_between_rows() {
        let mut seed = 7u64;
        for _ in 0..20 {
            let random = (0..30_000).map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                b"\"\"\",,\n\n\rab"[(seed >> 33) as usize % 10]
            });
            let text: Vec<u8> = b"a,b\n".iter().copied().chain(random).collect();
            for format in [
                "csv",
                "csv,header=no",
                "csv,header=no,lax,ragged=pad",
                "csv,header=no,quote=no,ragged=fit",
                "csv,escape=a,trim,ragged=fit",
                "csv,delim=ab,comment=b,rename,ragged=fit",
                "csv,comment=ba,lax,ragged=fit",
                "csv,delim=tab,quote=\",lax,header=no",
            ] {
                assert!(cut(format, &text, 1) > 3, "{format}");
            }
        }
    }
}

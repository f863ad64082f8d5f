//! Files as parts that partitions read: cut as `mc-split` cuts them, for machines that see the same files.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::explain::schema::PlanWord;
use crate::format::place::ResourcePlace;
use crate::format::read::{self, Cuts};
use crate::format::resource::Resource;
use crate::format::spec::Spec;
use crate::format::split::{self, SplitPart, SplitState};
use crate::format::{ReadOptions, Source};
use crate::record::stream::{Facts, Output, Summary};
use crate::stage::partition::PartitionJob;

/// How much is read at once of what goes on as it is.
const RAW_BYTES: usize = 256 << 10;

/// A file that is to be cut, or another resource, which is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileToCut {
    /// The format with its options; none where lines are to go on as they are.
    pub spec: String,
    /// What kind of place it is, as a plan says it: path, url or range.
    pub place: String,
    /// The path, the URL, or the range.
    pub path: PlanWord,
}

/// A part of a file, or a resource as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartToRead {
    /// What it is a part of.
    pub file: FileToCut,
    /// How many bytes at the beginning of the file belong to the part, where it begins and where it ends; and
    /// the size of the file, and when it was changed, in nanoseconds since 1970. None is the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[u64; 5]>,
}

impl FileToCut {
    fn resource(&self) -> Result<Resource> {
        let spec = match self.spec.as_str() {
            "" => "ndjson",
            spec => spec,
        };
        let place = match (&self.path, self.place.as_str()) {
            (PlanWord::Text(url), "url") => ResourcePlace::Url(url.clone()),
            _ => ResourcePlace::Path(self.path()),
        };
        Ok(Resource { spec: Spec::parse(spec)?, place })
    }

    fn path(&self) -> PathBuf {
        match &self.path {
            PlanWord::Text(text) => text.into(),
            PlanWord::Bytes { base64 } => OsString::from(base64.clone()).into(),
        }
    }

    fn whole(&self) -> PartToRead {
        PartToRead { file: self.clone(), range: None }
    }
}

/// Cuts the files of a job, and writes their parts, a JSON object each.
///
/// # Errors
/// What is wrong with a file.
pub fn cut(job: &PartitionJob, options: &ReadOptions, output: &mut impl Output) -> Result<Summary> {
    output.declare(&Facts::default())?;
    let mut summary = Summary::default();
    for file in &job.files {
        let parts = match file.place.as_str() {
            "range" => parts_of_range(file, job.size),
            "path" => parts_of_file(file, job.size, options)?,
            _ => vec![file.whole()],
        };
        for part in parts {
            let line = serde_json::to_string(&part);
            let line = line.map_err(|e| Error::incomplete(format!("a part: {e}")))? + "\n";
            output.write(line.as_bytes())?;
            summary.records_out += 1;
        }
    }
    output.flush()?;
    Ok(summary)
}

/// The parts of a file of about `size` bytes each; the whole where it knows no parts.
fn parts_of_file(file: &FileToCut, size: u64, options: &ReadOptions) -> Result<Vec<PartToRead>> {
    let (resource, path) = (file.resource()?, file.path());
    let failed = |e: std::io::Error| Error::path("read", &path, &e);
    let about = fs::metadata(&path).map_err(failed)?;
    if let Some(parts) = read::foreign_parts(&resource, size)? {
        let of = |part: Resource| FileToCut { spec: part.spec.text(), ..file.clone() }.whole();
        return Ok(parts.into_iter().map(of).collect());
    }
    if !about.is_file() || read::cuts(&resource, b"")?.0 == Cuts::Nowhere {
        return Ok(vec![file.whole()]);
    }
    let SplitState { size: length, modified } = SplitState::of(&about);
    let mut rest = Some(SplitPart { head: 0, from: 0, to: length });
    let mut parts = Vec::new();
    while let Some(left) = rest {
        let opened = File::open(&path).map_err(failed)?;
        let (part, behind) = split::first(&resource, opened, &left, size, options)?;
        if behind.is_none() && parts.is_empty() {
            // Some files are longer than they say, such as those of the kernel.
            return Ok(vec![file.whole()]);
        }
        let range = Some([part.head, part.from, part.to, length, modified]);
        parts.push(PartToRead { file: file.clone(), range });
        rest = behind;
    }
    Ok(parts)
}

/// A number takes so many bytes, about.
const NUMBER_BYTES: u64 = 8;

/// The parts of a range of numbers; what is none is left to its reader.
fn parts_of_range(file: &FileToCut, size: u64) -> Vec<PartToRead> {
    let PlanWord::Text(text) = &file.path else { return vec![file.whole()] };
    let numbers = text.split_once("..").and_then(|(first, end)| {
        let (first, end) = (first.parse::<i64>().ok()?, end.parse::<i64>().ok()?);
        (first < end).then_some((first, end))
    });
    let Some((first, end)) = numbers else { return vec![file.whole()] };
    let step = i64::try_from((size / NUMBER_BYTES).max(1)).unwrap_or(i64::MAX);
    let (mut parts, mut from) = (Vec::new(), first);
    while from < end {
        let to = from.saturating_add(step).min(end);
        let path = PlanWord::Text(format!("{from}..{to}"));
        parts.push(FileToCut { path, ..file.clone() }.whole());
        from = to;
    }
    parts
}

/// Reads the parts of a job, one after the other; where the job has a size, only about so many bytes of
/// records, to see what they are like.
///
/// # Errors
/// What is wrong with one; `Incomplete` when its file was changed since it was cut.
pub fn read(
    job: &PartitionJob,
    options: &ReadOptions,
    output: &mut impl Output,
) -> Result<Summary> {
    output.declare(&Facts::default())?;
    let mut summary = Summary::default();
    let most = if job.size == 0 { u64::MAX } else { job.size };
    for part in &job.parts {
        if part.file.spec.is_empty() {
            summary.bytes_out += copy(part, most, output)?;
            continue;
        }
        let mut source = open(part, options)?;
        let (mut records, mut more) = (Vec::new(), true);
        while more && summary.bytes_out < most {
            records.clear();
            more = source.fill(&mut records)?;
            summary.records_out += memchr::memchr_iter(b'\n', &records).count() as u64;
            summary.bytes_out += records.len() as u64;
            output.write(&records)?;
        }
    }
    output.flush()?;
    summary.records_in = summary.records_out;
    summary.bad = options.bad.count();
    Ok(summary)
}

/// Opens the records of a part.
fn open(part: &PartToRead, options: &ReadOptions) -> Result<Box<dyn Source>> {
    let resource = part.file.resource()?;
    let Some(range) = part.range else {
        return read::open(std::slice::from_ref(&resource), options);
    };
    let file = open_same(&part.file.path(), range)?;
    let [head, from, to, ..] = range;
    split::open_part(&resource, file, &SplitPart { head, from, to }, options)
}

/// Opens a file, if it is still the one that was cut.
fn open_same(path: &Path, [.., size, modified]: [u64; 5]) -> Result<File> {
    let failed = |e: std::io::Error| Error::path("read", path, &e);
    let file = File::open(path).map_err(failed)?;
    match SplitState::of(&file.metadata().map_err(failed)?) == (SplitState { size, modified }) {
        true => Ok(file),
        false => {
            Err(Error::incomplete(format!("{} was changed while it was read", path.display())))
        }
    }
}

/// Writes the bytes of a part as they are, or of its first lines, of which there are about `most` bytes.
/// Returns how many there were.
fn copy(part: &PartToRead, most: u64, output: &mut impl Output) -> Result<u64> {
    let path = part.file.path();
    let failed = |e: std::io::Error| Error::path("read", &path, &e);
    let (mut file, from, to) = match part.range {
        Some(range) => (open_same(&path, range)?, range[1], range[2]),
        None => (File::open(&path).map_err(failed)?, 0, u64::MAX),
    };
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(from)).map_err(failed)?;
    let (mut left, mut buffer, mut copied) = (file.take(to - from), vec![0; RAW_BYTES], 0);
    loop {
        let count = left.read(&mut buffer).map_err(failed)?;
        copied += count as u64;
        if count == 0 && part.range.is_some() && copied < to - from {
            return Err(Error::incomplete(format!("{} became shorter", path.display())));
        }
        let end = memchr::memrchr(b'\n', &buffer[..count]).map(|at| at + 1);
        if let (true, Some(end)) = (copied >= most, end) {
            output.write(&buffer[..end])?;
            return Ok(copied);
        }
        output.write(&buffer[..count])?;
        if count == 0 {
            return Ok(copied);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::bad::Policy;
    use crate::record::stream::tests::OutputBuffer;

    fn cut_up(file: &FileToCut, size: u64) -> Vec<PartToRead> {
        let options = ReadOptions::new(Policy::Fail).unwrap();
        let job = PartitionJob { files: vec![file.clone()], size, ..PartitionJob::default() };
        let mut output = OutputBuffer::default();
        cut(&job, &options, &mut output).unwrap();
        let lines = String::from_utf8(output.0).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn reads(parts: &[PartToRead], size: u64) -> Result<String> {
        let options = ReadOptions::new(Policy::Fail).unwrap();
        let job = PartitionJob { parts: parts.to_vec(), size, ..PartitionJob::default() };
        let mut output = OutputBuffer::default();
        read(&job, &options, &mut output)?;
        Ok(String::from_utf8(output.0).unwrap())
    }

    fn of(spec: &str, place: &str, path: &str) -> FileToCut {
        FileToCut { spec: spec.into(), place: place.into(), path: PlanWord::Text(path.into()) }
    }

    #[test]
    fn parts_together_are_the_file_and_a_file_that_changed_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let text = (0..9000).map(|n| format!("{n}\n")).collect::<String>();
        fs::write(&path, &text).unwrap();
        let path = path.to_str().unwrap();
        for spec in ["", "ndjson"] {
            let parts = cut_up(&of(spec, "path", path), 1000);
            assert!(parts.len() > 30, "{}", parts.len());
            assert_eq!(reads(&parts, 0).unwrap(), text);
            let some = reads(&cut_up(&of(spec, "path", path), 1 << 20), 100).unwrap();
            assert!(some.ends_with('\n') && text.starts_with(&some));
        }
        let text_parts = cut_up(&of("text", "path", path), 1 << 20);
        assert_eq!(text_parts, [of("text", "path", path).whole()]);
        assert!(reads(&text_parts, 0).unwrap().starts_with("\"0\"\n\"1\"\n"));
        let parts = cut_up(&of("", "path", path), 1000);
        fs::write(path, "1\n").unwrap();
        assert_eq!(reads(&parts, 0).unwrap_err().exit_code(), 4);
        // As long as it was, and other bytes.
        fs::write(path, &text).unwrap();
        let parts = cut_up(&of("", "path", path), 1000);
        fs::write(path, text.replace('1', "2")).unwrap();
        let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
        File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
        let said = reads(&parts, 0).unwrap_err().to_string();
        assert_eq!(said, format!("{path} was changed while it was read"));
    }

    #[test]
    fn a_part_that_ends_early_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "1\n".repeat(9000)).unwrap();
        let mut part = cut_up(&of("", "path", path.to_str().unwrap()), 1000).pop().unwrap();
        part.range.as_mut().unwrap()[2] += 1;
        let said = reads(&[part], 0).unwrap_err().to_string();
        assert_eq!(said, format!("{} became shorter", path.display()));
    }

    #[test]
    fn a_range_is_cut_between_numbers() {
        let range = of("range", "range", "-3..10");
        let parts = cut_up(&range, 40);
        assert_eq!(parts.len(), 3);
        assert_eq!(reads(&parts, 0).unwrap(), reads(&[range.whole()], 0).unwrap());
        let none = of("range", "range", "5..5");
        assert_eq!(cut_up(&none, 40), [none.whole()]);
    }
}

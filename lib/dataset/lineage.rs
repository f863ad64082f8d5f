//! How data came to be, on record: the calls of tools that made it and the files that they read, so that
//! what is lost of it can be made again when those tools have long ended.
//!
//! A tool notes what it does in a [`LineageRecorder`], asks for what came before it where its input is a
//! pipe, and hands both on at its own end: to the reader of its pipe, or into the record of a run whose
//! data is kept. Where anything on the way is not known (another program's output, say), nothing is.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::parallel::lock;
use crate::pipe::pipe_id::PipeId;
use crate::pipe::registry;
use crate::record::bytes::Bytes;

/// The most files that are on record; of more nothing is.
const FILES_MAX: usize = 4096;

/// The variable that names the file of what a tool is told that makes something again: a [`StageAgain`].
pub(crate) const AGAIN_VARIABLE: &str = "MC_AGAIN";

/// The calls that made some data, and of what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedLineage {
    /// The calls, in the order of their pipe.
    pub stages: Vec<RecordedStage>,
    /// The file that the first of them has as its standard input, where it reads that.
    pub stdin: Option<Bytes>,
    /// The files that they read, as they were.
    pub files: Vec<RecordedFile>,
}

/// The call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedStage {
    /// The tool.
    pub tool: String,
    /// The words of its command line, the tool's name first.
    pub argv: Vec<Bytes>,
    /// The directory that it was started in.
    pub cwd: Bytes,
    /// The variables that it was told what its options did not say.
    pub environment: Vec<(Bytes, Bytes)>,
    /// How it cut what it read into shards.
    pub cuts: StageCuts,
}

/// How a stage cut what it read into the shards that it made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StageCuts {
    /// It made none, or it does so anew each time.
    #[default]
    Unknown,
    /// A stream into pieces of so many bytes, each of which became a shard.
    Pieces(Vec<u64>),
    /// Not at all: each shard became one.
    Shards,
    /// Not at all: each shard became one, where it lay.
    InPlace,
    /// By key: each range became a shard. The first key of each range but the first one.
    Ranges(Vec<Bytes>),
}

/// Which shards stages make that are to make some again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadeAgain {
    /// All, with the numbers that they had.
    All,
    /// Those that are wanted, and no others: they are numbered anew.
    WantedAlone,
    /// Those that are wanted, with the numbers that they had; the others hold nothing.
    WantedInPlace,
}

/// A file that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedFile {
    /// Its path.
    pub path: Bytes,
    /// Its size in bytes; of a directory none.
    pub size: Option<u64>,
    /// When it was changed, in nanoseconds since 1970.
    pub modified: i128,
}

/// What a tool is told that makes something again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageAgain {
    /// Whom it is for: commands of that tool may be such tools, too.
    pub argv: Vec<Bytes>,
    /// How it is to cut what it reads.
    pub cuts: StageCuts,
    /// The numbers of the shards that are to be made; none where it is all of them.
    pub wanted: Option<BTreeSet<u64>>,
}

impl RecordedFile {
    /// The file at `path` as it is now; `None` when it is not there.
    fn now(path: &Path) -> Option<RecordedFile> {
        let found = fs::metadata(path).ok()?;
        let modified = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
        let size = found.is_file().then_some(found.len());
        Some(RecordedFile { path: path.as_os_str().into(), size, modified })
    }
}

impl RecordedLineage {
    /// That what was read is as it was.
    ///
    /// # Errors
    /// `Hosts`, naming what is not: without it, what is lost stays so.
    pub fn check(&self) -> Result<()> {
        for file in &self.files {
            let path = std::ffi::OsString::from(file.path.clone());
            let path = Path::new(&path);
            let is = match RecordedFile::now(path) {
                Some(now) if now == *file => continue,
                Some(_) => "has changed since it was read",
                None => "is not there any more",
            };
            let text = format!("{}, which it was made of, {is}", path.display());
            return Err(Error::new(ErrorKind::Hosts, text));
        }
        Ok(())
    }

    /// What each of the stages is told that are to make the shards `wanted` again, and which they make: all are
    /// made where it is not known which shards of a stage become them.
    pub fn again(&self, wanted: &BTreeSet<u64>) -> (Vec<StageAgain>, MadeAgain) {
        // The earliest stage whose shards are, one by one, those that are wanted.
        let mut choosing = None;
        for (at, stage) in self.stages.iter().enumerate().rev() {
            match stage.cuts {
                StageCuts::Unknown => break,
                StageCuts::Shards | StageCuts::InPlace => choosing = Some(at),
                StageCuts::Pieces(_) | StageCuts::Ranges(_) => {
                    choosing = Some(at);
                    break;
                }
            }
        }
        let told = self.stages.iter().enumerate().map(|(at, stage)| StageAgain {
            argv: stage.argv.clone(),
            cuts: stage.cuts.clone(),
            wanted: (choosing == Some(at)).then(|| wanted.clone()),
        });
        let made = match choosing.map(|at| &self.stages[at].cuts) {
            Some(StageCuts::Pieces(_) | StageCuts::Shards) => MadeAgain::WantedAlone,
            Some(StageCuts::Ranges(_) | StageCuts::InPlace) => MadeAgain::WantedInPlace,
            Some(StageCuts::Unknown) | None => MadeAgain::All,
        };
        (told.collect(), made)
    }
}

/// What a tool notes of itself, for the record of what it makes.
#[derive(Debug)]
pub struct LineageRecorder {
    stage: RecordedStage,
    notes: Mutex<Notes>,
}

#[derive(Debug)]
struct Notes {
    stdin: StdinRead,
    /// The files that were read; none where not all of them are known.
    files: Option<Vec<RecordedFile>>,
    cuts: StageCuts,
}

/// What is read as standard input.
#[derive(Debug)]
enum StdinRead {
    Nothing,
    Pipe(PipeId),
    File(RecordedFile),
    Unknown,
}

impl LineageRecorder {
    /// Of the call of a tool, whose cuts are not known yet.
    pub fn new(stage: RecordedStage) -> LineageRecorder {
        let (stdin, files) = (StdinRead::Nothing, Some(Vec::new()));
        let notes = Notes { stdin, files, cuts: StageCuts::Unknown };
        LineageRecorder { stage, notes: Mutex::new(notes) }
    }

    /// The directory that it was made in.
    pub fn cwd(&self) -> &Bytes {
        &self.stage.cwd
    }

    /// The words of the call.
    pub fn argv(&self) -> &[Bytes] {
        &self.stage.argv
    }

    /// Standard input is read, which is `fd`.
    pub fn reads_stdin(&self, fd: impl AsFd) {
        let file = || {
            let number = std::os::fd::AsRawFd::as_raw_fd(&fd.as_fd());
            let path = fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
            RecordedFile::now(&path).filter(|file| file.size.is_some())
        };
        let stdin = match PipeId::of(&fd) {
            Some(pipe) => StdinRead::Pipe(pipe),
            None => file().map_or(StdinRead::Unknown, StdinRead::File),
        };
        lock(&self.notes).stdin = stdin;
    }

    /// A local file is read.
    pub fn reads(&self, path: &Path) {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
        let mut notes = lock(&self.notes);
        let Some(files) = notes.files.as_mut() else { return };
        match RecordedFile::now(&path) {
            Some(file) if files.len() < FILES_MAX => files.push(file),
            _ => notes.files = None,
        }
    }

    /// Something is read that cannot be read again, or not be known to be the same.
    pub fn reads_once(&self) {
        lock(&self.notes).files = None;
    }

    /// What is read is cut into shards like this.
    pub fn cut(&self, cuts: StageCuts) {
        lock(&self.notes).cuts = cuts;
    }

    /// All that is known of how the tool's output comes to be; to be asked at its end, when its input has
    /// ended. `None` where something is not known.
    pub fn recorded(&self) -> Option<RecordedLineage> {
        let notes = lock(&self.notes);
        let mut files = notes.files.clone()?;
        let mut lineage = match &notes.stdin {
            StdinRead::Nothing => RecordedLineage::default(),
            StdinRead::Unknown => return None,
            StdinRead::File(file) => {
                files.push(file.clone());
                RecordedLineage { stdin: Some(file.path.clone()), ..RecordedLineage::default() }
            }
            StdinRead::Pipe(pipe) => {
                let (pipe, registry) = (*pipe, registry::of_process());
                serde_json::from_slice(&registry.lineage_of(&pipe)?).ok()?
            }
        };
        lineage.files.append(&mut files);
        let cuts = notes.cuts.clone();
        lineage.stages.push(RecordedStage { cuts, ..self.stage.clone() });
        (lineage.files.len() <= FILES_MAX).then_some(lineage)
    }

    /// The same as bytes, for the reader of the tool's pipe; none where there is nothing to say.
    pub fn as_bytes(&self) -> Vec<u8> {
        let recorded = self.recorded();
        recorded.and_then(|lineage| serde_json::to_vec(&lineage).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(tool: &str, cuts: StageCuts) -> RecordedStage {
        RecordedStage { tool: tool.into(), cuts, ..RecordedStage::default() }
    }

    /// Which stage chooses the shards that are wanted.
    fn choosing(cuts: &[StageCuts]) -> Option<usize> {
        let stages = cuts.iter().map(|cuts| stage("mc-x", cuts.clone())).collect();
        let lineage = RecordedLineage { stages, ..RecordedLineage::default() };
        let wanted = BTreeSet::from([2, 5]);
        let (told, made) = lineage.again(&wanted);
        let at = told.iter().position(|told| told.wanted.as_ref() == Some(&wanted));
        assert_eq!(at.is_some(), made != MadeAgain::All);
        assert_eq!(
            told.iter().filter(|told| told.wanted.is_some()).count(),
            usize::from(at.is_some())
        );
        at
    }

    #[test]
    fn the_stage_that_cuts_makes_what_is_wanted_alone() {
        use StageCuts::{InPlace, Pieces, Ranges, Shards, Unknown};
        let (pieces, ranges) = (Pieces(vec![7, 9]), Ranges(vec![]));
        assert_eq!(choosing(&[Unknown, pieces.clone()]), Some(1));
        assert_eq!(choosing(&[Unknown, pieces.clone(), Shards, Shards]), Some(1));
        assert_eq!(choosing(&[Unknown, pieces.clone(), ranges.clone()]), Some(2));
        assert_eq!(choosing(&[pieces.clone(), ranges, Shards]), Some(1));
        assert_eq!(choosing(&[Unknown, Shards, InPlace, Shards]), Some(1));
        assert_eq!(choosing(&[pieces, Unknown]), None);
    }

    #[test]
    fn files_that_have_changed_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.csv");
        fs::write(&path, "a\n1\n").unwrap();
        let recorder = LineageRecorder::new(stage("mc-cat", StageCuts::Unknown));
        recorder.reads(&path);
        let lineage = recorder.recorded().unwrap();
        lineage.check().unwrap();
        let again: RecordedLineage = serde_json::from_slice(&recorder.as_bytes()).unwrap();
        assert_eq!((again.stages[0].tool.as_str(), &again), ("mc-cat", &lineage));
        fs::write(&path, "a\n1\n2\n").unwrap();
        let error = lineage.check().unwrap_err();
        assert_eq!(
            (error.exit_code(), error.to_string().ends_with("changed since it was read")),
            (5, true)
        );
        fs::remove_file(&path).unwrap();
        assert!(lineage.check().unwrap_err().to_string().ends_with("is not there any more"));
    }

    #[test]
    fn what_cannot_be_read_again_leaves_nothing_on_record() {
        let recorder = || LineageRecorder::new(stage("mc-map", StageCuts::Unknown));
        let (reader, _writer) = std::io::pipe().unwrap();
        let of_pipe = recorder();
        of_pipe.reads_stdin(&reader);
        let of_device = recorder();
        of_device.reads_stdin(fs::File::open("/dev/null").unwrap());
        let of_nothing = recorder();
        of_nothing.reads(Path::new("/no/such/file"));
        let of_url = recorder();
        of_url.reads_once();
        for recorder in [of_pipe, of_device, of_nothing, of_url] {
            assert_eq!((recorder.recorded(), recorder.as_bytes()), (None, Vec::new()));
        }
    }
}

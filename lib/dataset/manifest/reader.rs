//! Reading a manifest: that it is whole, in order, and adds up.

use std::fs::File;
use std::path::Path;

use super::{LINE_MAX, ManifestLine, PREFIX, Shard, Totals, is_manifest};
use crate::dataset::RunId;
use crate::error::{Error, Result};
use crate::pipe::pipe_input::PipeInput;
use crate::record::stream::Input;

/// How much of a line that is wrong a message shows, in characters.
const SHOWN: usize = 60;

const READ_BYTES: usize = 64 * 1024;

/// A manifest that comes from a file or pipe, which is called `name`.
pub(crate) fn input(file: File, name: &str) -> Box<dyn Input> {
    Box::new(PipeInput::new(file, name))
}

/// Reads a manifest and checks that it is whole and adds up.
#[derive(Debug)]
pub struct ManifestReader<I> {
    input: I,
    bytes: Vec<u8>,
    /// Where the next line begins.
    at: usize,
    /// The number of the line read last.
    line: u64,
    run: Option<RunId>,
    totals: Totals,
    ended: bool,
}

impl<I: Input> ManifestReader<I> {
    /// The manifest in `input`, of which nothing is read yet.
    pub fn new(input: I) -> ManifestReader<I> {
        let totals = Totals::default();
        ManifestReader { input, bytes: Vec::new(), at: 0, line: 0, run: None, totals, ended: false }
    }

    /// The run that the manifest is of: reads its first line. To be claimed before anything else
    /// is read.
    ///
    /// # Errors
    /// As [`ManifestReader::next_shard`].
    pub fn run(&mut self) -> Result<RunId> {
        if let Some(run) = self.run {
            return Ok(run);
        }
        match self.next_line()? {
            ManifestLine::Run(run) => {
                self.run = Some(run);
                Ok(run)
            }
            _ => Err(Error::incomplete(self.place("the manifest's beginning is missing"))),
        }
    }

    /// The next shard, in order; `None` once the last line has been read and agrees. It does not
    /// wait for anything behind that.
    ///
    /// # Errors
    /// `Incomplete` where the manifest ends too early or does not add up, `Usage` where something
    /// else is mixed into it, `BadInput` for a line that no tool has written.
    pub fn next_shard(&mut self) -> Result<Option<Shard>> {
        self.run()?;
        if self.ended {
            return Ok(None);
        }
        match self.next_line()? {
            ManifestLine::Run(_) => Err(Error::usage(self.place(
                "another manifest begins here: several tools write shards into one pipe; gather \
                 each of them by itself",
            ))),
            ManifestLine::Shard(shard) => {
                if shard.number != self.totals.shards + 1 {
                    let text =
                        format!("shard {} where {} is due", shard.number, self.totals.shards + 1);
                    return Err(Error::incomplete(self.place(text)));
                }
                let totals = self.totals.plus(&shard.contents);
                self.totals = totals.ok_or_else(|| {
                    Error::input(self.place("the shards hold more than can be counted"))
                })?;
                Ok(Some(shard))
            }
            ManifestLine::End(totals) => {
                if totals != self.totals {
                    let text = "the totals at the end do not agree with the shards before";
                    return Err(Error::incomplete(self.place(text)));
                }
                self.ended = true;
                self.nothing_follows(self.bytes.len() - self.at)?;
                Ok(None)
            }
        }
    }

    /// What the shards read so far hold.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Reads what follows the last line up to the end of the stream, where nothing may follow. Only
    /// to be called when no lock is held that the writer waits for.
    ///
    /// # Errors
    /// `Usage` when something follows; what the stream says at its end.
    pub fn drain(&mut self) -> Result<()> {
        while self.next_shard()?.is_some() {}
        let mut buffer = [0; 512];
        let got = self.input.read(&mut buffer)?;
        self.nothing_follows(got)
    }

    fn nothing_follows(&self, bytes: usize) -> Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        Err(Error::usage(format!(
            "{}: something follows the end of the manifest (line {}): does another tool write into \
             the same pipe?",
            self.input.name(),
            self.line
        )))
    }

    fn next_line(&mut self) -> Result<ManifestLine> {
        let mut looked = 0;
        let end = loop {
            match memchr::memchr(b'\n', &self.bytes[self.at + looked..]) {
                Some(end) => break self.at + looked + end,
                None => looked = self.bytes.len() - self.at,
            }
            // A record of any length is told apart by its first bytes.
            let rest = &self.bytes[self.at..];
            let is_ours = rest.len() < PREFIX.len() || is_manifest(rest);
            if rest.len() >= LINE_MAX || !is_ours {
                self.line += 1;
                return Err(self.not_ours(rest));
            }
            self.fill()?;
        };
        self.line += 1;
        let line = &self.bytes[self.at..end];
        let parsed = if line.len() < LINE_MAX { ManifestLine::parse(line) } else { None };
        let parsed = parsed.ok_or_else(|| self.not_ours(line))?;
        self.at = end + 1;
        Ok(parsed)
    }

    /// Reads more, at least a byte.
    fn fill(&mut self) -> Result<()> {
        self.bytes.drain(..self.at);
        self.at = 0;
        let old = self.bytes.len();
        self.bytes.resize(old + READ_BYTES, 0);
        let read = self.input.read(&mut self.bytes[old..]);
        self.bytes.truncate(old + read.as_ref().map_or(0, |got| *got));
        match read? {
            0 if self.line == 0 && old == 0 => {
                Err(Error::incomplete(format!("{}: no manifest: it is empty", self.input.name())))
            }
            0 => {
                self.line += 1;
                let text = "the manifest ends here without its last line: whoever wrote it did not \
                            come to its end";
                Err(Error::incomplete(self.place(text)))
            }
            _ => Ok(()),
        }
    }

    fn not_ours(&self, line: &[u8]) -> Error {
        let text = String::from_utf8_lossy(&line[..line.len().min(SHOWN * 4)]);
        let shown: String = text.chars().take(SHOWN).collect();
        if is_manifest(line) {
            Error::input(self.place(format!("no tool wrote this line of a manifest: {shown:?}")))
        } else {
            Error::usage(self.place(format!(
                "{shown:?} is no line of a manifest: records and shards cannot share a pipe (was a \
                 part of the pipeline left without -h?)"
            )))
        }
    }

    fn place(&self, text: impl std::fmt::Display) -> String {
        format!("{}: line {}: {text}", self.input.name(), self.line)
    }
}

/// The run whose manifest is in the file `path`.
///
/// # Errors
/// When it cannot be read, or is no manifest.
pub(crate) fn run_of(path: &Path) -> Result<RunId> {
    let file = File::open(path).map_err(|e| Error::path("read", path, &e))?;
    ManifestReader::new(PipeInput::new(file, path.display().to_string())).run()
}

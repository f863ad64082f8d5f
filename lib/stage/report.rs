//! `mc-report`: a page about what pipelines did, made of what `--stats` wrote.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::format::ledger::Ledger;
use crate::format::whole::WholeFile;
use crate::record::stream::{Input, Output, Summary};
use crate::report::Report;

/// The longest line that is taken.
const LINE_MAX: u64 = 64 << 20;

/// What `mc-report` is to do.
pub struct ReportOptions {
    /// The file for the page; none is standard output.
    pub output: Option<PathBuf>,
    /// Takes note of temporary names.
    pub ledger: Ledger,
}

/// What `--stats` wrote.
pub enum StatsSource<I> {
    /// A file.
    Path(PathBuf),
    /// A stream.
    Stream(I),
}

/// Makes the page of what is in `source`, and writes it where the options say: a file appears whole or not at all.
///
/// # Errors
/// `BadInput` for a line that is none of `--stats`; when a file cannot be read or written.
pub fn run(
    options: &ReportOptions,
    source: StatsSource<impl Input>,
    output: &mut dyn Output,
    warn: &dyn Fn(&str),
) -> Result<Summary> {
    let mut reading = Reading { report: Report::default(), warn, summary: Summary::default() };
    let name = match source {
        StatsSource::Path(path) => {
            let name = path.display().to_string();
            let file = File::open(&path).map_err(|e| Error::path("read", &path, &e))?;
            reading.read(&name, &mut BufReader::new(file))?;
            name
        }
        StatsSource::Stream(input) => {
            let name = input.name().to_string();
            reading.read(&name, &mut BufReader::new(Stream(input)))?;
            name
        }
    };
    let Reading { report, mut summary, .. } = reading;
    if summary.records_in == 0 {
        let why =
            "there is nothing in it: run a pipeline with MC_STATS or --stats naming this file";
        return Err(Error::input(why).at(name));
    }
    if report.unknown() > 0 {
        warn(&format!(
            "{name}: {} lines of kinds that are not known are left out",
            report.unknown()
        ));
    }
    let page = report.page(&name);
    (summary.records_out, summary.bytes_out) = (1, page.len() as u64);
    match &options.output {
        None => output.write(page.as_bytes())?,
        Some(path) => {
            let mut file = WholeFile::create(path, &options.ledger)?;
            file.file().write_all(page.as_bytes()).map_err(|e| Error::path("write", path, &e))?;
            file.sync()?;
            file.publish()?;
        }
    }
    Ok(summary)
}

struct Reading<'a> {
    report: Report,
    warn: &'a dyn Fn(&str),
    summary: Summary,
}

impl Reading<'_> {
    fn read(&mut self, name: &str, from: &mut dyn BufRead) -> Result<()> {
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let got = from.take(LINE_MAX + 1).read_until(b'\n', &mut line);
            let got = got.map_err(|e| Error::io("read", name, &e))? as u64;
            if got > LINE_MAX {
                return Err(Error::input(format!(
                    "{name}:{number}: longer than any line of --stats"
                )));
            }
            self.summary.bytes_in += got;
            match line.last() {
                None => break,
                Some(b'\n') if line.trim_ascii().is_empty() => continue,
                Some(b'\n') => self.report.line(name, number, &line)?,
                Some(_) => {
                    if let Some(warning) = self.report.last_line(name, number, &line) {
                        (self.warn)(&warning);
                    }
                }
            }
            self.summary.records_in += 1;
        }
        Ok(())
    }
}

/// A stream, as the standard library reads.
struct Stream<I>(I);

impl<I: Input> Read for Stream<I> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer).map_err(std::io::Error::other)
    }
}

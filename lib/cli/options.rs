//! Options that several tools have, as groups to flatten into a tool's own.
//!
//! The texts of the options are what `--help` says. Nothing here acts on an option.
// The texts of options are for a terminal: their brackets are no links.
#![expect(rustdoc::broken_intra_doc_links)]

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::cli::complete::Shell;
use crate::cli::explaining::{self, ExplainForm, GivenOptions};
use crate::cli::memory;
use crate::cli::progress::ShowProgress;
use crate::cli::size::{self, Size};
use crate::error::{Error, Result};
use crate::group::order::Limits;
use crate::pipe::registry;
use crate::record::DEFAULT_MAX_RECORD;
use crate::record::bad::{Bad, Policy};
use crate::record::key::{self, Missing};

/// What the default for `-S` divides the memory by.
const MEMORY_SHARE: u64 = 4;

/// The options of every tool; `cli::run` adds them, tools do not.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// Say on standard error what is chosen and, at the end, how much was read and written
    #[arg(short, long, display_order = 900)]
    pub verbose: bool,

    /// Append numbers about this run to FILE, a JSON object on a line [default: $MC_STATS]
    #[arg(long, value_name = "FILE", display_order = 901)]
    pub stats: Option<PathBuf>,

    /// Whether nothing is to be done but told, and how that is shown.
    #[arg(skip)]
    pub explain: Option<ExplainForm>,

    /// The options that were given.
    #[arg(skip)]
    pub given: GivenOptions,

    /// Show how far the tools of the pipe are: on a terminal (auto), never, or always, elsewhere by
    /// lines now and then
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        display_order = 901
    )]
    pub progress: ShowProgress,

    /// Print the completions for SHELL
    #[arg(long, value_name = "SHELL", hide = true, exclusive = true)]
    pub completions: Option<Shell>,

    /// Print what may stand where LINE ends, for the scripts of --completions
    #[arg(long, value_names = ["LINE", "BREAKS"], num_args = 1..=2, hide = true, exclusive = true)]
    #[arg(allow_hyphen_values = true)]
    pub complete: Vec<String>,
}

/// What is a record, and what happens to what is none.
#[derive(Args, Clone, Debug)]
pub struct Records {
    /// What to do with bad records: fail, skip, file=PATH (keep them there) or limit=N (skip so
    /// many)
    #[arg(long, value_name = "POLICY", default_value = "fail")]
    pub bad: Policy,

    /// The longest record
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = size::bytes)]
    pub max_record: u64,
}

impl Records {
    /// The policy for bad records, ready to judge.
    ///
    /// # Errors
    /// When the file to keep bad records in cannot be made.
    pub fn bad(&self) -> Result<Arc<Bad>> {
        if explaining::is_on() {
            self.bad.check()?;
            return Ok(Arc::new(Bad::unopened(self.bad.clone())));
        }
        Ok(Arc::new(Bad::new(self.bad.clone())?))
    }

    /// The longest record in bytes.
    pub fn max_record(&self) -> usize {
        usize::try_from(self.max_record).unwrap_or(DEFAULT_MAX_RECORD)
    }
}

/// What is relied on of the pipes that are read.
#[derive(Args, Clone, Debug)]
pub struct Pipes {
    /// Write -o even where it could not be known whether a pipe that is read is whole
    #[arg(long, requires = "output", display_order = 800)]
    unchecked: bool,
}

impl Pipes {
    /// From now on, pipes whose end would tell nothing are not read, unless that is allowed: to be
    /// called by whoever is to publish something, before it opens its input.
    pub fn insist(&self) {
        if !self.unchecked {
            registry::of_process().insist();
        }
    }
}

/// The most cores that `-j` may ask for.
const JOBS_MAX: usize = 1024;

fn jobs(word: &str) -> std::result::Result<NonZeroUsize, String> {
    let count = word.parse().ok().filter(|count: &NonZeroUsize| count.get() <= JOBS_MAX);
    count.ok_or_else(|| format!("say a number from 1 to {JOBS_MAX}"))
}

/// How much of the machine a tool may use.
#[derive(Args, Clone, Debug)]
pub struct MemoryOptions {
    /// Use at most SIZE of memory, and temporary files beyond it [default: 25%]
    #[arg(short = 'S', long = "memory", value_name = "SIZE")]
    size: Option<Size>,

    /// Keep temporary files in DIR [default: $TMPDIR or /tmp]
    #[arg(short = 'T', long, value_name = "DIR")]
    temporary_directory: Option<PathBuf>,

    /// Work on N cores [default: all that may be used]
    #[arg(short, long, value_name = "N", value_parser = jobs)]
    jobs: Option<NonZeroUsize>,
}

impl MemoryOptions {
    /// The memory to stay within, in bytes: by default a quarter of what there is.
    pub fn bytes(&self) -> usize {
        let bytes = match self.size {
            Some(Size::Bytes(bytes)) => bytes,
            Some(Size::Percent(percent)) => memory::allowed() / 100 * percent,
            None => memory::allowed() / MEMORY_SHARE,
        };
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// The memory that `-S` names for each host in bytes, if it does.
    ///
    /// # Errors
    /// `Usage` for a part of a memory: that of this machine says nothing of a host's.
    pub fn given_bytes(&self) -> Result<Option<u64>> {
        match &self.size {
            Some(Size::Bytes(bytes)) => Ok(Some(*bytes)),
            Some(_) => Err(Error::usage("-S: for hosts say how many bytes, such as 4G")),
            None => Ok(None),
        }
    }

    /// Refuses `-j`, which is about this machine.
    ///
    /// # Errors
    /// `Usage` when it was given.
    pub fn refuse_jobs(&self) -> Result<()> {
        match self.jobs {
            Some(jobs) => Err(Error::usage(format!(
                "-j is about this machine: say in -h how many slots a host has, {jobs}/HOST"
            ))),
            None => Ok(()),
        }
    }

    /// Refuses `-T`, which is about this machine.
    ///
    /// # Errors
    /// `Usage` when it was given.
    pub fn refuse_directory(&self) -> Result<()> {
        match &self.temporary_directory {
            Some(_) => {
                Err(Error::usage("-T is about this machine: hosts have places of their own"))
            }
            None => Ok(()),
        }
    }

    /// The directory for temporary files.
    ///
    /// # Errors
    /// `Usage` when it is none.
    pub fn temporary_directory(&self) -> Result<PathBuf> {
        temporary_directory(self.temporary_directory.clone())
    }

    /// What this machine gives, of records that `records` tells of.
    ///
    /// # Errors
    /// `Usage` when the directory for temporary files is none.
    pub fn limits(&self, records: &Records) -> Result<Limits> {
        Ok(Limits {
            memory: self.bytes(),
            jobs: self.jobs(),
            directory: self.temporary_directory()?,
            max_record: records.max_record(),
        })
    }

    /// The number of cores to work on: by default those that there are.
    pub fn jobs(&self) -> usize {
        self.jobs.map_or_else(cores, NonZeroUsize::get)
    }
}

/// How many cores affinity and control group leave.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// The directory for temporary files where nothing says another, whatever is there.
pub(super) fn default_directory() -> PathBuf {
    let variable = std::env::var_os("TMPDIR").filter(|v| !v.is_empty());
    variable.map_or_else(|| "/tmp".into(), PathBuf::from)
}

/// The directory for temporary files, where `-T` gives this one.
///
/// # Errors
/// `Usage` when it is none.
pub fn temporary_directory(given: Option<PathBuf>) -> Result<PathBuf> {
    let directory = given.unwrap_or_else(default_directory);
    match std::fs::metadata(&directory) {
        Ok(found) if found.is_dir() => Ok(directory),
        Ok(_) => Err(Error::usage(format!(
            "{}: not a directory for temporary files (-T)",
            directory.display()
        ))),
        Err(error) => Err(Error::path("keep temporary files in", &directory, &error)),
    }
}

/// The key of records.
#[derive(Args, Clone, Debug)]
pub struct KeyOptions {
    /// The key: KEY[,KEY...], each PATH[:MODS] with n (numbers in strings), i (case ignored), V
    /// (versions) and r (reverse), such as .user.id or ts:nr
    #[arg(short, long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    pub key: Option<String>,

    /// What to do with records without the key: fail, null (their key is null) or skip (drop and
    /// count them)
    #[arg(long, value_name = "WHAT", default_value = "fail")]
    pub missing: Missing,
}

impl KeyOptions {
    /// The key, where `-k` gives one.
    ///
    /// # Errors
    /// `Usage`, when it is none.
    pub fn given(&self) -> Result<Option<key::Keys>> {
        self.key.as_deref().map(key::Keys::parse).transpose()
    }

    /// The key; without `-k` the implied one.
    ///
    /// # Errors
    /// `Usage`, when `-k` is no key.
    pub fn keys(&self) -> Result<key::Keys> {
        key::Keys::parse(self.key.as_deref().unwrap_or_default())
    }
}

/// What stands for a value that is not there.
#[derive(Args, Clone, Debug)]
pub struct Nulls {
    /// Take TEXT for a missing value of an OP, as null is (--missing); may be said several times
    #[arg(long = "null", value_name = "TEXT", allow_hyphen_values = true)]
    pub texts: Vec<String>,
}

impl Nulls {
    /// Refuses `--null`, where there is no OP.
    ///
    /// # Errors
    /// `Usage` when it was given.
    pub fn refuse(&self) -> Result<()> {
        match self.texts.is_empty() {
            true => Ok(()),
            false => Err(Error::usage("--null is about the values of an OP, and there is none")),
        }
    }
}

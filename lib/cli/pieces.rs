//! The options of what one process of a command gets, and of the form in which it reads and prints
//! records.

use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::cli::options::MemoryOptions;
use crate::cli::size;
use crate::command::each::{self, Each, Words};
use crate::command::{Form, Given};
use crate::error::{Error, Result};
use crate::record::notation::Notation;

/// How this machine is called where it is a host.
pub(super) const HERE: &str = ":";

/// What one process of a command gets, and how it reads that.
#[derive(Args, Clone, Debug)]
pub struct Pieces {
    #[command(flatten)]
    forms: Forms,

    /// What one process of the command gets
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Per::Block)]
    per: Per,

    /// Run the command for each record by itself (--per record): in its arguments {} stands for the
    /// record's text, {.PATH} for that of the value there, and {client:.PATH} for the path of a copy
    /// of the file of this machine that it names (--share); no shell sees them
    #[arg(long, conflicts_with = "per")]
    each: bool,

    /// With --each --raw: the new name of the data, made of {name}, {stem} (without the ending),
    /// {ext} and {base} (without the folders)
    #[arg(long, value_name = "TEMPLATE")]
    name: Option<String>,

    /// With --each: print a record about each run, {"in", "out", "err", "exit", "signal", "host",
    /// "seconds"}; a failure is one of them
    #[arg(long)]
    pub(super) outcome: bool,

    /// Cut blocks of about SIZE [default: they grow from 256K to 4M or more]
    #[arg(long, value_name = "SIZE", value_parser = size::bytes)]
    block: Option<u64>,
}

/// What one process of a command gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Per {
    /// A block of records
    Block,
    /// All records
    Shard,
    /// A record
    Record,
}

/// How a command reads and prints records.
#[derive(Args, Clone, Debug)]
pub struct Forms {
    /// Feed and read plain lines (--in text --out text): a string stands for its text, any other
    /// value for its JSON; lines are strings
    #[arg(short, long, conflicts_with_all = ["kv", "raw"])]
    text: bool,

    /// Feed and read lines of a key, a tab and a value (--in kv --out kv): records are [key, value]
    #[arg(long, conflicts_with = "raw")]
    kv: bool,

    /// Feed and read bytes (--in raw --out raw): those of strings, or of the data of [name, data]
    #[arg(long)]
    raw: bool,

    /// How the command reads records [default: json]
    #[arg(long = "in", value_name = "FORM", value_enum)]
    form_in: Option<FormName>,

    /// How it prints them [default: json]
    #[arg(long = "out", value_name = "FORM", value_enum)]
    form_out: Option<FormName>,
}

/// A form of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormName {
    /// JSON, a value a line
    Json,
    /// Lines of text
    Text,
    /// Lines of a key, a tab and a value
    Kv,
    /// Bytes
    Raw,
}

impl Forms {
    pub(super) fn are_given(&self) -> bool {
        let named = self.form_in.is_some() || self.form_out.is_some();
        named || self.text || self.kv || self.raw
    }

    /// In which form the command reads and prints records.
    pub fn form(&self) -> Form {
        let both = match (self.text, self.kv, self.raw) {
            (true, ..) => Notation::Text,
            (_, true, _) => Notation::Kv,
            (.., true) => Notation::Raw,
            _ => Notation::Json,
        };
        let side = |name: Option<FormName>| match name {
            None => both,
            Some(FormName::Json) => Notation::Json,
            Some(FormName::Text) => Notation::Text,
            Some(FormName::Kv) => Notation::Kv,
            Some(FormName::Raw) => Notation::Raw,
        };
        let (input, output) = (side(self.form_in), side(self.form_out));
        Form { input, output, ..Form::default() }
    }
}

impl Pieces {
    /// Whether one process gets all records.
    pub fn are_one(&self) -> bool {
        self.per == Per::Shard
    }

    /// Whether each record is a run of its own.
    pub(super) fn are_records(&self) -> bool {
        self.each || self.per == Per::Record
    }

    /// In which form the command that was `given` reads and prints records; a record gets `retries`
    /// more attempts where each is a run of its own, and `late` is as in [`Form`].
    ///
    /// # Errors
    /// `Usage` for what does not go together, and for words that stand for nothing.
    pub(super) fn form(&self, given: &Given, retries: u32, late: bool) -> Result<Form> {
        let form = Form { late, ..self.forms.form() };
        let is_raw = form.input == Notation::Raw || form.output == Notation::Raw;
        if !self.are_records() {
            if self.name.is_some() || self.outcome {
                return Err(Error::usage("--name and --outcome are for --each"));
            }
            if is_raw && !self.are_one() {
                return Err(Error::usage(
                    "bytes have no ends to tell records by: --raw, --in raw and --out raw go with \
                     --each, or with --per shard",
                ));
            }
            return Ok(form);
        }
        if self.name.is_some() && form.output != Notation::Raw {
            return Err(Error::usage("--name is for data: say --raw, or --out raw"));
        }
        if self.outcome && (self.name.is_some() || form.output != Notation::Json) {
            return Err(Error::usage(
                "--outcome has the output in its own record: leave out --out",
            ));
        }
        let words = match given {
            Given::Words(words) => Some(Words::parse(words)?).filter(|words| !words.are_fixed()),
            Given::Line(line) if each::has_placeholder(line.as_bytes()) => {
                return Err(Error::usage(
                    "nothing is put into LINE, for a shell would read it as more than text: give \
                     it as an argument, as in: --each bash -c 'echo \"$1\"' bash {}",
                ));
            }
            Given::Line(_) => None,
        };
        let (rename, outcome) = (self.name.clone(), self.outcome);
        let each = Each { words, rename, outcome, retries, host: HERE.into() };
        each.check()?;
        Ok(Form { each: Some(Arc::new(each)), ..form })
    }

    /// Refuses what is about pieces of a stream of records, where shards are worked on.
    ///
    /// # Errors
    /// `Usage` when it was given.
    pub fn refuse(&self) -> Result<()> {
        match self.are_one() || self.block.is_some() {
            true => Err(Error::usage(
                "--per and --block are for records: of shards, each is one process's",
            )),
            false => Ok(()),
        }
    }

    /// The size of a block in bytes, where it is given.
    ///
    /// # Errors
    /// `Usage` when it is more than there is memory.
    pub fn block(&self, memory: &MemoryOptions) -> Result<Option<usize>> {
        let block = self.block.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if block.is_some_and(|bytes| bytes > memory.bytes()) {
            return Err(Error::usage("--block is more than the memory that may be used (-S)"));
        }
        Ok(block)
    }
}

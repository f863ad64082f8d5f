//! How a file of the format is written, as its options say.

use super::duplicate;
use crate::error::{Error, Result};
use crate::format::encoding::Coding;
use crate::format::spec::Spec;

/// What the options of the format are, for messages.
const KNOWN: &str = "header=, delim=, quote=, escape=, comment=, skip=, trim, ragged=, rename, col=, \
                     columns=, typed, null=, lax, encoding=, invalid=";

/// How a file of the format is written, as its options say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// What stands between two fields.
    pub(super) delimiter: Vec<u8>,
    /// Whether the options say so, rather than that nothing says otherwise.
    pub(super) delimiter_given: bool,
    /// What stands around a field that may hold anything, if fields can be quoted at all.
    pub(super) quote: Option<u8>,
    /// Whether the options say so.
    pub(super) quote_given: bool,
    /// What takes its meaning from the character behind it.
    pub(super) escape: Option<u8>,
    /// What a line that is no row begins with; empty where all are.
    pub(super) comment: Vec<u8>,
    /// How many lines stand before the first row.
    pub(super) skip: u64,
    /// Whether blanks around fields, and around their quotes, do not belong to them.
    pub(super) trim: bool,
    /// Whether the first row holds the columns' names.
    pub(super) header: bool,
    /// Whether columns without a name, or with that of another, get one.
    pub(super) rename: bool,
    /// Whether rows (records) that lack fields at the end (columns) are filled up.
    pub(super) pad: bool,
    /// Whether fields (members) that are beyond the columns are left out.
    pub(super) cut: bool,
    /// Whether fields that look like numbers of JSON are numbers.
    pub(super) typed: bool,
    /// The texts that stand for null; the first is written.
    pub(super) nulls: Vec<Vec<u8>>,
    /// The columns: to be taken, written, or (without header) to name the fields.
    pub(super) columns: Vec<String>,
    /// Whether the columns are those of all records, not of the first.
    pub(super) union: bool,
    /// Whether text may follow a closing quote (it then belongs to the field), as in Python's csv.
    pub(super) lax: bool,
    /// How text is written down.
    pub(in crate::format) coding: Coding,
}

impl Dialect {
    /// Reads the options of the format.
    ///
    /// # Errors
    /// When one is unknown or its value is, or two do not go together.
    pub fn parse(spec: &Spec) -> Result<Dialect> {
        let mut spec = spec.clone();
        let header = match spec.value("header")?.as_deref() {
            None | Some("yes") => true,
            Some("no") => false,
            Some(_) => return Err(spec.refuse("say header=yes or header=no")),
        };
        let (pad, cut) = match spec.value("ragged")?.as_deref() {
            None | Some("refuse") => (false, false),
            Some("pad") => (true, false),
            Some("cut") => (false, true),
            Some("fit") => (true, true),
            Some(_) => return Err(spec.refuse("say ragged=refuse, pad, cut or fit")),
        };
        let union = match spec.value("columns")?.as_deref() {
            None | Some("first") => false,
            Some("union") => true,
            Some(_) => return Err(spec.refuse("say columns=first or columns=union")),
        };
        let (delimiter_given, quote_given) = (spec.has("delim"), spec.has("quote"));
        let mut dialect = Dialect {
            delimiter: delimiter(&mut spec)?,
            delimiter_given,
            quote: quote(&mut spec)?,
            quote_given,
            escape: character(&mut spec, "escape")?,
            comment: spec.value("comment")?.unwrap_or_default().into_bytes(),
            skip: spec.number("skip")?.unwrap_or(0),
            trim: spec.flag("trim")?,
            header,
            rename: spec.flag("rename")?,
            pad: pad || union,
            cut,
            union,
            typed: spec.flag("typed")?,
            nulls: Vec::new(),
            columns: spec.values("col")?,
            lax: spec.flag("lax")?,
            coding: Coding::take(&mut spec)?,
        };
        dialect.nulls = spec.values("null")?.into_iter().map(String::into_bytes).collect();
        spec.finish(KNOWN)?;
        dialect.clash().map_or(Ok(dialect), |why| Err(spec.refuse(&why)))
    }

    /// What of the options does not go together.
    pub(super) fn clash(&self) -> Option<String> {
        let comment = self.comment.first();
        let delimited = |byte: Option<u8>| byte.is_some_and(|byte| self.delimiter.contains(&byte));
        if let Some(twice) = duplicate(&self.columns) {
            return Some(format!("col={twice} is given twice"));
        }
        let why = match () {
            () if delimited(self.quote) => "delim= holds the quote",
            () if delimited(self.escape) => "delim= holds the character of escape=",
            () if self.escape.is_some() && self.escape == self.quote => {
                "escape= is the quote, which is doubled anyway"
            }
            () if comment.is_some() && (comment == self.quote.as_ref() || self.begins_row()) => {
                "comment= begins as a row may"
            }
            () if self.union && !self.columns.is_empty() => {
                "col= and columns=union do not go together"
            }
            () if self.rename && !self.header => "rename is for a header, and header=no says none",
            () => return None,
        };
        Some(why.into())
    }

    /// Whether a row may begin with what a comment does, whatever its first field.
    fn begins_row(&self) -> bool {
        let first = self.comment.first().copied();
        self.delimiter.first().copied() == first
            || first.is_some_and(|byte| b"\r\n".contains(&byte))
            || first == self.escape
            || self.trim && first.is_some_and(|byte| b" \t".contains(&byte))
    }

    /// The same, to read by.
    ///
    /// # Errors
    /// When an option is for writing only.
    pub fn for_reading(self) -> Result<Dialect> {
        match self.union {
            true => Err(Error::usage("format csv: columns= is for writing only")),
            false => Ok(self),
        }
    }

    /// The same, to write by.
    ///
    /// # Errors
    /// When an option is for reading only.
    pub fn for_writing(self) -> Result<Dialect> {
        let only = match (self.rename, self.skip) {
            (true, _) => "rename",
            (false, 0) => return Ok(self),
            (false, _) => "skip=",
        };
        Err(Error::usage(format!("format csv: {only} is for reading only")))
    }

    /// The same for a file whose name tells that tabs part its columns.
    pub(in crate::format) fn tabbed(self) -> Dialect {
        match self.delimiter_given {
            true => self,
            false => Dialect { delimiter: b"\t".to_vec(), ..self },
        }
    }

    /// Whether a field's quotes must end in the line that they begin in: where columns are parted
    /// by tabs, quotes are mostly but text.
    pub(super) fn one_line(&self) -> bool {
        self.delimiter == b"\t" && !self.quote_given
    }
}

/// Takes what parts the columns.
fn delimiter(spec: &mut Spec) -> Result<Vec<u8>> {
    let given = spec.value("delim")?;
    let text = match given.as_deref() {
        None | Some("comma") => ",",
        Some("tab") => "\t",
        Some("semicolon") => ";",
        Some("colon") => ":",
        Some("pipe") => "|",
        Some("space") => " ",
        Some(other) if other.is_empty() || other.contains(['\r', '\n', '\0']) => {
            return Err(spec.refuse("delim= is one character or several, none of them a line end"));
        }
        Some(other) => other,
    };
    Ok(text.as_bytes().to_vec())
}

/// Takes what quotes fields, if anything does.
fn quote(spec: &mut Spec) -> Result<Option<u8>> {
    if !spec.has("quote") {
        return Ok(Some(b'"'));
    }
    let mut other = spec.clone();
    if other.value("quote")?.as_deref() == Some("no") {
        *spec = other;
        return Ok(None);
    }
    character(spec, "quote")
}

/// Takes the option `name`, a character.
fn character(spec: &mut Spec, name: &str) -> Result<Option<u8>> {
    let Some(text) = spec.value(name)? else { return Ok(None) };
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !b"\r\n\0".contains(byte) => Ok(Some(*byte)),
        _ => {
            let or = if name == "quote" { ", or no" } else { "" };
            Err(spec.refuse(&format!("{name}= is one ASCII character{or}")))
        }
    }
}

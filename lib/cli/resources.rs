//! The options that name resources: those to read, with `-f`, and the one to write, with `-o`.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap::builder::OsStringValueParser;

use crate::cli::explaining::Explaining;
use crate::cli::hosts::feed;
use crate::cli::options::{self, Pipes, Records};
use crate::cli::{Session, message, surroundings};
use crate::error::{Error, Result};
use crate::explain::schema::{StagePlan, StreamPlan};
use crate::format::parts::{self, is_numbered};
use crate::format::place::ResourcePlace;
use crate::format::resource::Resource;
use crate::format::spec::Spec;
use crate::format::zip::{PASSWORD_VARIABLE, Password};
use crate::format::{Once, ReadOptions, Warn, WriteOptions};
use crate::record::stream::Input;

/// What to read.
#[derive(Args, Clone, Debug)]
pub struct Resources {
    /// Read all resources as FORMAT[,OPTION...]; then they are plain paths
    #[arg(short, long, value_name = "FORMAT")]
    pub format: Option<String>,

    /// [FORMAT[,OPTION...]:]PATH, - for standard input [default: -]
    #[arg(value_name = "RESOURCE", value_parser = OsStringValueParser::new())]
    pub resources: Vec<OsString>,
}

impl Resources {
    /// The resources, and how to read them: shards on standard input are brought here.
    ///
    /// # Errors
    /// `Usage` for what is no resource.
    pub fn read(
        &self,
        records: &Records,
        session: &mut Session,
    ) -> Result<(Vec<Resource>, ReadOptions)> {
        let resources = self.named(session)?;
        let mut options = read_options(records, session)?;
        if resources.iter().any(|resource| resource.place == ResourcePlace::Standard) {
            options.stdin = Once::new(feed::records(session)?);
        }
        Ok((resources, options))
    }

    /// What would be read, where nothing is to run.
    ///
    /// # Errors
    /// As [`Resources::read`].
    pub fn explain(
        &self,
        records: &Records,
        explaining: &mut Explaining<'_>,
    ) -> Result<StreamPlan> {
        let resources = self.named(explaining.session())?;
        if self.is_stdin() {
            return explaining.input();
        }
        let options = read_options(records, explaining.session())?;
        explaining.resources(&resources, &options)
    }

    /// The resources, and how to read them, where standard input is another input.
    ///
    /// # Errors
    /// `Usage` for what is no resource, and for standard input.
    pub fn beside_stdin(
        &self,
        records: &Records,
        session: &mut Session,
    ) -> Result<(Vec<Resource>, ReadOptions)> {
        let resources = self.named(session)?;
        if let Some(resource) = resources.iter().find(|r| r.place == ResourcePlace::Standard) {
            return Err(Error::usage(format!(
                "{resource}: standard input has the left records: name a file for the right ones"
            )));
        }
        Ok((resources, read_options(records, session)?))
    }

    /// The places of the resources, without formats, and how to read their bytes.
    ///
    /// # Errors
    /// `Usage` for what is no place, and what is not there.
    pub fn places(
        &self,
        records: &Records,
        session: &mut Session,
    ) -> Result<(Vec<ResourcePlace>, ReadOptions)> {
        let mut options = read_options(records, session)?;
        let places = self.plain_places(&options)?;
        places.iter().for_each(|place| session.reads_place(place));
        if places.contains(&ResourcePlace::Standard) {
            options.stdin = Once::new(Box::new(session.stdin()?));
        }
        Ok((places, options))
    }

    /// The places that the words name.
    fn plain_places(&self, options: &ReadOptions) -> Result<Vec<ResourcePlace>> {
        let standard = [OsString::from("-")];
        let words = if self.resources.is_empty() { &standard[..] } else { &self.resources };
        let mut places = Vec::new();
        for word in words {
            places.extend(ResourcePlace::parse(word)?.expand(true, options.note.as_ref())?);
        }
        Ok(places)
    }

    /// What [`Resources::places`] would read, where nothing is to run.
    ///
    /// # Errors
    /// As there.
    pub fn explain_places(
        &self,
        records: &Records,
        explaining: &mut Explaining<'_>,
    ) -> Result<StreamPlan> {
        let options = read_options(records, explaining.session())?;
        let places = self.plain_places(&options)?;
        explaining.places(&places)
    }

    /// The files of these names, in which nothing is special, and how to read them.
    ///
    /// # Errors
    /// `Usage` for a file that is not there, and for a name that does not tell its format.
    pub fn files(
        &self,
        names: &[PathBuf],
        records: &Records,
        session: &mut Session,
    ) -> Result<(Vec<Resource>, ReadOptions)> {
        let format = self.format()?;
        let named = |path: &PathBuf| Resource::named(path, format.as_ref());
        let resources = names.iter().map(named).collect::<Result<Vec<_>>>()?;
        resources.iter().for_each(|resource| session.reads(resource));
        guard_plugins(&resources, session)?;
        Ok((resources, read_options(records, session)?))
    }

    /// What [`Resources::files`] would read, where nothing is to run.
    ///
    /// # Errors
    /// As there.
    pub fn explain_files(
        &self,
        names: &[PathBuf],
        records: &Records,
        explaining: &mut Explaining<'_>,
    ) -> Result<StreamPlan> {
        let (resources, options) = self.files(names, records, explaining.session())?;
        explaining.resources(&resources, &options)
    }

    /// The same, where that is standard input and was begun to be read: `input`.
    ///
    /// # Errors
    /// As [`Resources::read`].
    pub fn stdin(
        &self,
        input: Box<dyn Input>,
        records: &Records,
        session: &mut Session,
    ) -> Result<(Vec<Resource>, ReadOptions)> {
        let mut options = read_options(records, session)?;
        options.stdin = Once::new(input);
        Ok((self.named(session)?, options))
    }

    /// Whether standard input, in no format that is named, is all there is to be read.
    pub fn is_stdin(&self) -> bool {
        let words = self.resources.as_slice();
        self.format.is_none() && (words.is_empty() || matches!(words, [word] if word == "-"))
    }

    fn named(&self, session: &mut Session) -> Result<Vec<Resource>> {
        let format = self.format()?;
        let note = note(session);
        let mut resources = Vec::new();
        for resource in &self.resources {
            resources.extend(Resource::parse_all(resource, format.as_ref(), note.as_ref())?);
        }
        if resources.is_empty() {
            resources.push(Resource::parse("-".as_ref(), format.as_ref())?);
        }
        resources.iter().for_each(|resource| session.reads(resource));
        guard_plugins(&resources, session)?;
        Ok(resources)
    }

    fn format(&self) -> Result<Option<Spec>> {
        self.format.as_deref().map(Spec::parse).transpose()
    }
}

/// Programs of others are started for formats of others.
fn guard_plugins(resources: &[Resource], session: &mut Session) -> Result<()> {
    match resources.iter().all(|resource| resource.spec.is_built_in()) {
        true => Ok(()),
        false => session.guard(),
    }
}

/// What to write.
#[derive(Args, Clone, Debug)]
pub struct OutputOptions {
    /// Write to [FORMAT[,OPTION...]:]PATH, which appears whole or not at all; - is standard output
    #[arg(short, long, value_name = "RESOURCE", value_parser = OsStringValueParser::new())]
    pub output: Option<OsString>,

    /// Write N outputs, numbered from 0 in the place of %d (or %03d) in PATH
    #[arg(short = 'n', long, value_name = "N")]
    parts: Option<NonZeroUsize>,

    /// Replace an existing directory or database
    #[arg(long, requires = "output")]
    replace: bool,

    /// Keep temporary files in DIR [default: $TMPDIR or /tmp]
    #[arg(short = 'T', long, value_name = "DIR")]
    temporary_directory: Option<PathBuf>,

    #[command(flatten)]
    pipes: Pipes,
}

impl OutputOptions {
    /// The resource to write, and how to write it: to standard output without `-o`, else under a
    /// guard.
    ///
    /// # Errors
    /// `Usage` for what is no resource, and when it has a place for a number and there is none to
    /// put there, or the other way round.
    pub fn write(&self, session: &mut Session) -> Result<(Resource, WriteOptions)> {
        let resource = match &self.output {
            Some(text) => Resource::parse(text, None)?,
            None => Resource::standard(),
        };
        if self.parts.is_none() && is_numbered(&resource) {
            return Err(Error::usage(format!("{resource}: say with -n how many to write")));
        }
        if resource.place != ResourcePlace::Standard {
            session.guard()?;
            self.pipes.insist();
        }
        let options = WriteOptions {
            replace: self.replace,
            stdout: match resource.place {
                ResourcePlace::Standard => Once::new(Box::new(session.stdout())),
                _ => Once::none(),
            },
            ledger: session.ledger(),
            directory: self.temporary_directory.clone().unwrap_or_else(options::default_directory),
            warn: warn(session),
            terminal: match resource.place {
                ResourcePlace::Standard => session.terminal_width(),
                _ => None,
            },
            client: surroundings::client(),
            objects: session.objects(),
        };
        Ok((resource, options))
    }

    /// Says in `stage` what would be written where nothing is to run.
    ///
    /// # Errors
    /// As [`OutputOptions::write`], and as for the begin of the output.
    pub fn explain(&self, explaining: &mut Explaining<'_>, stage: &mut StagePlan) -> Result<()> {
        let (output, options) = self.write(explaining.session())?;
        parts::check(&output, self.parts(), &options)?;
        self.temporary_directory()?;
        explaining.written(stage, &output, (self.parts(), self.replace));
        Ok(())
    }

    /// How many outputs there are, if numbered ones were asked for.
    pub fn parts(&self) -> Option<usize> {
        self.parts.map(NonZeroUsize::get)
    }

    /// The directory for temporary files.
    ///
    /// # Errors
    /// `Usage` when it is none.
    pub fn temporary_directory(&self) -> Result<PathBuf> {
        options::temporary_directory(self.temporary_directory.clone())
    }
}

/// How records are read.
///
/// # Errors
/// When the file to keep bad records in cannot be made.
pub fn read_options(records: &Records, session: &Session) -> Result<ReadOptions> {
    Ok(ReadOptions {
        max_record: records.max_record(),
        bad: records.bad()?,
        stdin: Once::none(),
        warn: warn(session),
        note: note(session),
        directory: options::default_directory(),
        shards: Some(feed::opener(session)),
        zip_password: zip_password(),
        client: surroundings::client(),
        objects: session.objects(),
    })
}

/// The password of encrypted members of Zips: no argument, which others could read.
fn zip_password() -> Password {
    match std::env::var_os(PASSWORD_VARIABLE).filter(|password| !password.is_empty()) {
        Some(password) => Password::Given(password.as_bytes().into()),
        None => Password::Missing,
    }
}

fn warn(session: &Session) -> Warn {
    let tool = session.tool();
    Arc::new(move |text| message::say(tool, text))
}

/// Says what those want to know who say `-v`.
fn note(session: &Session) -> Warn {
    if session.is_verbose() { warn(session) } else { Arc::new(|_| ()) }
}

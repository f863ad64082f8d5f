//! `--share`: what of this machine the commands of a tool may read and write, by `client://`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use clap::builder::OsStringValueParser;

use crate::cli::{Session, surroundings};
use crate::client::ClientAccess;
use crate::client::share::{SharedPath, Shares};
use crate::command::Form;
use crate::engine::shared_files::{Shared, SharedFiles};
use crate::error::{Error, Result};

/// What is shared with commands.
#[derive(Args, Clone, Debug)]
pub struct Share {
    /// Let commands read files beneath PATH of this machine, as client:///PATH/FILE, on hosts too; with
    /// :rw behind it, write them as well; may be said several times
    #[arg(long, value_name = "PATH[:rw]", value_parser = OsStringValueParser::new())]
    share: Vec<OsString>,
}

impl Share {
    fn paths(&self) -> Result<Vec<SharedPath>> {
        if self.share.is_empty() {
            return Ok(Vec::new());
        }
        let directory =
            std::env::current_dir().map_err(|e| Error::io("find", "this directory", &e))?;
        // As the shell calls it, and so as the user writes it.
        let told = surroundings::variable("PWD").map(PathBuf::from);
        let told = told.filter(|told| told.canonicalize().is_ok_and(|found| found == directory));
        let others: Vec<PathBuf> = told.into_iter().collect();
        let parse = |word: &OsString| SharedPath::parse(Path::new(word), &directory, &others);
        Ok(self.share.iter().map(parse).collect())
    }

    /// What is shared, if anything is.
    ///
    /// # Errors
    /// `Usage` for what cannot be shared.
    pub fn shared(&self, session: &Session) -> Result<Option<Shared>> {
        let paths = self.paths()?;
        if paths.is_empty() {
            return Ok(None);
        }
        let files = Arc::new(SharedFiles::new(Shares::open(&paths)?, session.ledger()));
        Ok(Some(Shared { variable: ClientAccess::here(paths), files }))
    }

    /// Refuses words that stand for files of this machine (`{client:.PATH}`), where none is shared.
    ///
    /// # Errors
    /// `Usage`.
    pub fn serves(&self, form: &Form) -> Result<()> {
        match form.names_client_files() && !self.is_given() {
            true => Err(Error::usage(
                "{client:.PATH} stands for files of this machine, and none is shared: say --share DIR \
                 for a directory that they lie in",
            )),
            false => Ok(()),
        }
    }

    /// Whether anything is to be shared.
    pub fn is_given(&self) -> bool {
        !self.share.is_empty()
    }
}

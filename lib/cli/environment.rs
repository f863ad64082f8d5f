//! `--env`: variables of the environment of commands, the same here and on hosts.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::Args;
use clap::builder::OsStringValueParser;

use crate::command::Command;
use crate::error::{Error, Result};

/// How the names of our own variables begin.
const OURS: &[u8] = b"MC_";

/// What of its login a command on this machine gets, as it does on hosts.
const OF_LOGIN: &[&str] = &["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "SSH_CONNECTION", "USER"];

/// What commands get in their environment.
#[derive(Args, Clone, Debug)]
pub struct Environment {
    /// Set NAME to V in the environment of the command, on hosts too; without =V to the value that it
    /// has here; may be said several times
    #[arg(long = "env", value_name = "NAME[=V]", value_parser = OsStringValueParser::new())]
    variables: Vec<OsString>,
}

impl Environment {
    /// Whether any variable is named.
    pub fn is_given(&self) -> bool {
        !self.variables.is_empty()
    }

    /// `command` with the variables in its environment.
    ///
    /// # Errors
    /// `Usage` for a name that is none, or that is ours; for a variable that is not set here.
    pub fn of(&self, command: Command) -> Result<Command> {
        self.variables.iter().try_fold(command, |command, word| {
            let (name, value) = variable(word, |name| std::env::var_os(name))?;
            Ok(command.setting(name, value))
        })
    }
}

/// The name and the value that a word stands for; `here` knows what is set here.
fn variable(
    word: &OsStr,
    here: impl Fn(&OsStr) -> Option<OsString>,
) -> Result<(OsString, OsString)> {
    let bytes = word.as_bytes();
    let (name, value) = match memchr::memchr(b'=', bytes) {
        Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
        None => (bytes, None),
    };
    let (name, shown) = (OsStr::from_bytes(name), OsStr::from_bytes(name).display());
    if name.is_empty() {
        return Err(Error::usage("--env: a variable has a name: say --env NAME or --env NAME=V"));
    }
    if name.as_bytes().starts_with(OURS) {
        return Err(Error::usage(format!(
            "--env {shown}: names that begin with MC_ are mycloud's own: take another"
        )));
    }
    let value = match value {
        Some(value) => OsStr::from_bytes(value).to_os_string(),
        None => here(name).ok_or_else(|| {
            Error::usage(format!("--env {shown}: it is not set here: say --env {shown}=V"))
        })?,
    };
    Ok((name.to_os_string(), value))
}

/// What a worker on this machine has in its environment: what a login has.
pub(super) fn of_login() -> Vec<(OsString, OsString)> {
    let value = |name: &&str| Some((OsString::from(name), std::env::var_os(name)?));
    OF_LOGIN.iter().filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_names_a_variable_and_perhaps_its_value() {
        let here = |name: &OsStr| (name == "SET").then(|| "v=w".into());
        let read = |word: &str| variable(word.as_ref(), here);
        assert_eq!(read("SET").unwrap(), ("SET".into(), "v=w".into()));
        assert_eq!(read("SET=").unwrap(), ("SET".into(), "".into()));
        assert_eq!(read("A=b=c").unwrap(), ("A".into(), "b=c".into()));
        for (word, why) in [
            ("UNSET", "say --env UNSET=V"),
            ("=v", "has a name"),
            ("", "has a name"),
            ("MC_X=1", "own"),
        ] {
            let error = read(word).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(why), "{error}");
        }
    }
}

//! `-h` and how hosts are reached: the options, and what of it the environment says.
// The texts of options are for a terminal: their brackets are no links.
#![expect(rustdoc::broken_intra_doc_links)]

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::cli::Session;
use crate::cli::hosts::access;
use crate::cli::surroundings::variable;
use crate::cluster::{Host, allocation, host_list};
use crate::engine::host_access::HostAccess;
use crate::error::{Error, Result};

/// The largest file of hosts, in bytes.
const FILE_MAX: u64 = 4 << 20;

/// The file of `@`, in the user's directory for configuration.
const FILE: &str = "mycloud/hosts";

/// The variable that says what `@` is, where it is set.
const VARIABLE: &str = "MC_HOSTS";

/// The hosts to work on, and how they are reached.
#[derive(Args, Clone, Debug)]
pub struct HostOptions {
    /// Work on HOSTS: a list such as 8/bob@node1:22,node[02-16],: (: is this machine), a file of
    /// them, @ for $MC_HOSTS or ~/.config/mycloud/hosts, or @job for those of a Slurm or PBS job
    #[arg(short = 'h', long, value_name = "HOSTS", value_parser = NonEmptyStringValueParser::new())]
    hosts: Option<String>,

    /// Reach all hosts by the program CMD, such as ssh, instead of the way that suits each
    #[arg(long, value_name = "CMD", requires = "hosts")]
    ssh: Option<OsString>,

    /// Read the configuration of ssh from FILE [default: $MC_SSH_CONFIG or what ssh reads]
    #[arg(long, value_name = "FILE", requires = "hosts")]
    ssh_config: Option<PathBuf>,
}

impl HostOptions {
    /// The hosts, if the tool is to work on any.
    ///
    /// # Errors
    /// `Usage` for what names no hosts.
    pub fn hosts(&self) -> Result<Option<Vec<Host>>> {
        self.hosts.as_deref().map(resolve).transpose()
    }

    /// How hosts are reached.
    ///
    /// # Errors
    /// As [`reach::reach`].
    pub fn reach(&self, session: &Session) -> Result<HostAccess> {
        let ssh = self.ssh.as_deref().map(words).transpose()?;
        access::access(session, ssh, self.ssh_config.clone())
    }
}

/// The words of `--ssh`, which spaces part.
fn words(command: &OsStr) -> Result<Vec<OsString>> {
    let parts = command.as_bytes().split(u8::is_ascii_whitespace).filter(|part| !part.is_empty());
    let words: Vec<OsString> = parts.map(|part| OsStr::from_bytes(part).to_owned()).collect();
    if words.is_empty() { Err(Error::usage("--ssh: say a program")) } else { Ok(words) }
}

/// The hosts that `-h` names.
fn resolve(word: &str) -> Result<Vec<Host>> {
    match word {
        "@" => usual(),
        "@job" => job(),
        _ if word.starts_with('@') => Err(Error::usage(format!(
            "-h {word}: of the words that begin with @ there are only @ and @job"
        ))),
        _ => named(word).map_err(|error| error.at("-h")),
    }
}

/// The hosts of `@`.
fn usual() -> Result<Vec<Host>> {
    if let Some(value) = variable(VARIABLE) {
        let text = value.to_str().filter(|text| *text != "@");
        let found = text
            .ok_or_else(|| Error::usage("it names no hosts"))
            .and_then(|text| if text == "@job" { job() } else { named(text) });
        return found.map_err(|error| error.at(VARIABLE));
    }
    let config = variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let config = config.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".config")));
    let path = config.unwrap_or_default().join(FILE);
    if path.exists() {
        return from_file(&path);
    }
    Err(Error::usage(format!(
        "-h @: there is neither {VARIABLE} nor {}: write your hosts there, one on a line",
        path.display()
    )))
}

/// The hosts of a file or a list.
fn named(word: &str) -> Result<Vec<Host>> {
    let path = Path::new(word);
    // A directory of the same name says nothing about a host.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_dir()) {
        return from_file(path);
    }
    host_list::parse(word).map_err(|error| {
        let hint = if word.contains('/') { " (and there is no file of that name)" } else { "" };
        Error::usage(format!("{error}{hint}"))
    })
}

fn from_file(path: &Path) -> Result<Vec<Host>> {
    host_list::parse_file(&text(path)?, path.display())
}

fn text(path: &Path) -> Result<String> {
    let failed = |e: std::io::Error| Error::path("read the hosts in", path, &e);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    let wrong = |why| Error::usage(format!("{}: {why}", path.display()));
    if bytes.len() as u64 > FILE_MAX {
        return Err(wrong("larger than any file of hosts"));
    }
    String::from_utf8(bytes).map_err(|_| wrong("no file of hosts: it is not text"))
}

/// The hosts of the job that this is a part of.
fn job() -> Result<Vec<Host>> {
    let value = |name| variable(name).and_then(|value| value.into_string().ok());
    if let Some(nodes) = value("SLURM_JOB_NODELIST").or_else(|| value("SLURM_NODELIST")) {
        return allocation::slurm(&nodes, value("SLURM_JOB_CPUS_PER_NODE").as_deref());
    }
    if let Some(path) = variable("PBS_NODEFILE").map(PathBuf::from) {
        return allocation::pbs(&text(&path)?, &path.display().to_string());
    }
    Err(Error::usage(
        "-h @job: this is no job of Slurm or PBS: neither SLURM_JOB_NODELIST nor PBS_NODEFILE is set",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn words_of(hosts: &[Host]) -> Vec<String> {
        hosts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_existing_file_is_a_file_of_hosts_and_all_else_a_list() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hosts");
        std::fs::write(&path, "n1 # one\n:\n").unwrap();
        assert_eq!(words_of(&resolve(path.to_str().unwrap()).unwrap()), ["n1", ":"]);
        assert_eq!(words_of(&resolve("a,b").unwrap()), ["a", "b"]);
        std::fs::write(&path, [0xff]).unwrap();
        assert!(resolve(path.to_str().unwrap()).unwrap_err().to_string().ends_with("not text"));
    }

    #[test]
    fn what_is_neither_says_so() {
        for (word, said) in [
            ("./no/such", "(and there is no file of that name)"),
            ("@jobs", "only @ and @job"),
            ("-oX", "is no host"),
        ] {
            let error = resolve(word).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn the_words_of_a_program_are_parted_by_spaces() {
        assert_eq!(words(" ssh  -4 ".as_ref()).unwrap(), ["ssh", "-4"]);
        assert!(words(" ".as_ref()).is_err());
    }
}

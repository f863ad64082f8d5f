//! The options of what is kept of a command's output (`--memo`), and what a command depends on as far
//! as can be seen: its words, the files here that they name, and how it is fed.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::cli::running::Sent;
use crate::cli::{explaining, size, surroundings};
use crate::cluster::Shipped;
use crate::command::memo::{CommandHash, Memo, WrittenFiles};
use crate::command::{Form, Given, program};
use crate::engine::CommandPlan;
use crate::engine::shard_job::ShippedCommand;
use crate::error::{Error, Result};

/// What is kept of what a command prints.
#[derive(Args, Clone, Debug)]
pub struct MemoOptions {
    /// Keep what the command prints in DIR, by the content of what it read, and do not run it again on
    /// the same
    #[arg(long, value_name = "DIR")]
    memo: Option<PathBuf>,

    /// Keep no more than SIZE in the directory of --memo; what was of no use for the longest time goes
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size::bytes)]
    #[arg(requires = "memo")]
    memo_size: u64,
}

/// Where a word may end that names a file, in a line for the shell or behind an option's name.
const ENDS: &[u8] = b" \t\n|&;<()'\"`$=,:@{}";

impl MemoOptions {
    /// What is kept of the command that was `given` and is run as `plan` says, which knows no more of
    /// its environment than what was asked for; `sent` is what goes with it.
    ///
    /// # Errors
    /// `Usage` where the command is told more than its input; when the directory cannot be made or
    /// written, or a file that the command names cannot be read.
    pub fn open(
        &self,
        given: &Given,
        plan: &CommandPlan,
        sent: Sent<'_>,
    ) -> Result<Option<Arc<Memo>>> {
        let Some(directory) = &self.memo else { return Ok(None) };
        if plan.command.hadoop().is_some() {
            return Err(Error::usage(
                "--memo goes by content, and --hadoop-env tells a command of more than that, such as \
                 the name of its file: leave one of them out",
            ));
        }
        if plan.form.names_client_files() {
            return Err(Error::usage(
                "--memo goes by the content of records, and {client:.PATH} gives a command that of a \
                 file, too: leave one of them out",
            ));
        }
        if explaining::is_on() {
            return Ok(None);
        }
        let mut hash = CommandHash::default();
        hash.part("version", env!("CARGO_PKG_VERSION").as_bytes());
        let words: Vec<&OsStr> = match given {
            Given::Words(words) => words.iter().map(OsString::as_os_str).collect(),
            Given::Line(line) => vec![line],
        };
        hash.part("kind", if matches!(given, Given::Line(_)) { b"line" } else { b"words" });
        words.iter().for_each(|word| hash.part("word", word.as_bytes()));
        for (name, value) in plan.command.environment() {
            hash.part("name", name.as_bytes());
            hash.part("value", value.as_bytes());
        }
        form(&mut hash, &plan.form);
        plan.ok_exit.iter().for_each(|status| hash.part("ok", &status.to_le_bytes()));
        // Programs of the system are those of the hosts there.
        let told = plan.command.value_of(program::PATH);
        let path = match sent {
            Sent::Here(_) => surroundings::search_path(told),
            Sent::There(_) => None,
        };
        let files = WrittenFiles::of(directory, hash.clone());
        for path in files_of(&words, path.as_deref()) {
            if files.depends_on(&path) {
                hash.file(&path)?;
            }
        }
        match sent {
            Sent::Here(ship) => {
                if let Some((line, files)) = ship.for_setup()? {
                    add_sent(&mut hash, Some(&line), &files)?;
                }
            }
            Sent::There(ShippedCommand { files, setup, .. }) => {
                let line = setup.as_ref().map(|setup| setup.line.as_os_str());
                add_sent(&mut hash, line, files)?;
            }
        }
        Memo::open(directory, self.memo_size, hash, files).map(|memo| Some(Arc::new(memo)))
    }
}

/// Adds the line that makes things ready for the command, and the files that are sent.
fn add_sent(hash: &mut CommandHash, line: Option<&OsStr>, files: &[Shipped]) -> Result<()> {
    line.iter().for_each(|line| hash.part("setup", line.as_bytes()));
    for Shipped { from, to, link } in files {
        hash.part("sent", to.as_os_str().as_bytes());
        match link {
            Some(target) => hash.part("link", target.as_os_str().as_bytes()),
            None if from.is_dir() => hash.part("folder", b""),
            None => hash.file(from)?,
        }
    }
    Ok(())
}

/// Adds how the command is fed, and what is made of what it prints.
fn form(hash: &mut CommandHash, form: &Form) {
    hash.part("form", format!("{:?} {:?} {}", form.input, form.output, form.late).as_bytes());
    if let Some(each) = &form.each {
        let rename = each.rename.as_ref();
        hash.part("each", format!("{rename:?} {}", each.outcome).as_bytes());
    }
}

/// The most words that may name files which are not there.
const ABSENT_MAX: usize = 64;

/// The files that words name, by a path or, where `search_path` is given, as a program in it; and some
/// that they may name and that are not there.
fn files_of(words: &[&OsStr], search_path: Option<&OsStr>) -> BTreeSet<PathBuf> {
    let parts = words.iter().flat_map(|word| {
        let mut is_written = false;
        let parts = word.as_bytes().split(|byte| ENDS.contains(byte));
        // What a line writes to is nothing that it reads.
        let parts = parts.map(move |part| {
            let (read, written) = match memchr::memchr(b'>', part) {
                Some(at) => (&part[..at], Some(part[at..].iter().find(|&&byte| byte != b'>'))),
                None => (part, None),
            };
            let read = if is_written && !read.is_empty() { &[][..] } else { read };
            is_written = match written {
                Some(name) => name.is_none(),
                None => is_written && part.is_empty(),
            };
            read
        });
        std::iter::once(word.as_bytes()).chain(parts)
    });
    let (mut files, mut absent) = (BTreeSet::new(), BTreeSet::new());
    for part in parts.filter(|part| !part.is_empty() && !part.contains(&0)) {
        let path = Path::new(OsStr::from_bytes(part));
        let mut places = match search_path {
            Some(search_path) if !part.contains(&b'/') => {
                std::env::split_paths(search_path).map(|place| place.join(path)).collect::<Vec<_>>()
            }
            _ => Vec::new(),
        };
        places.insert(0, std::path::absolute(path).unwrap_or_else(|_| path.into()));
        match places.iter().find(|place| place.is_file()) {
            Some(place) => drop(files.insert(place.clone())),
            None if absent.len() < ABSENT_MAX => drop(absent.insert(places.swap_remove(0))),
            None => (),
        }
    }
    files.append(&mut absent);
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_are_found_in_words_and_lines() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = dir.path().join(name);
            fs::write(&path, name).unwrap();
            path
        };
        let (script, table, tool) = (file("clean.py"), file("t a.csv"), file("tool"));
        let named = |words: &[String]| -> Vec<PathBuf> {
            let words: Vec<&OsStr> = words.iter().map(|word| OsStr::new(word.as_str())).collect();
            let files = files_of(&words, Some(dir.path().as_os_str()));
            files.into_iter().filter(|path| path.is_file()).collect()
        };
        let (shown, spaced) = (script.display(), table.display().to_string());
        assert_eq!(named(&[format!("--with={shown}"), spaced]), [script.clone(), table]);
        let line = format!("cd x && (python3 {shown}|tool -@{shown})");
        assert_eq!(named(&[line]), [script.clone(), tool]);
        let log = format!("< {shown} tee x >{shown} 2>> {shown} >  {shown}");
        assert_eq!(named(&[log]), std::slice::from_ref(&script));
        assert!(named(&[format!("echo>{shown}; echo >> {shown}")]).is_empty());
        assert!(named(&["tools".into(), "nothing".into(), String::new()]).is_empty());
    }
}

//! The local files that a command on hosts needs: which they are, and what they are called there.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use clap::Args;
use clap::builder::OsStringValueParser;

use crate::cli::{Session, surroundings};
use crate::cluster::{Shipment, Shipped};
use crate::command::{Command, Given};
use crate::engine::shard_job::{SetUpLine, ShippedCommand};
use crate::error::{Error, Result};
use crate::worker::setup;

/// The most files of one command.
const FILES_MAX: usize = 10_000;

/// What is sent to hosts.
#[derive(Args, Clone, Debug)]
pub struct Ship {
    /// Send PATH, a file or a directory, to the hosts, where the command finds it under the same
    /// name; a command that is a file here is sent by itself
    #[arg(long, value_name = "PATH", value_parser = OsStringValueParser::new())]
    ship: Vec<OsString>,

    /// Run LINE with bash, once on each host for the same LINE and --ship, in a directory that stays for
    /// later runs and that the command finds as $MC_SETUP; here too
    #[arg(long, value_name = "LINE", allow_hyphen_values = true)]
    setup: Option<OsString>,
}

impl Ship {
    /// Which of the options were given, as they are written.
    pub fn given(&self) -> [(&'static str, bool); 2] {
        [("--ship", !self.ship.is_empty()), ("--setup", self.setup.is_some())]
    }

    /// Whether files are to be sent, and for nothing that can be done here too.
    pub fn is_for_hosts(&self) -> bool {
        self.setup.is_none() && !self.ship.is_empty()
    }

    /// The line of `--setup`, if it was given.
    pub fn setup_line(&self) -> Option<&OsStr> {
        self.setup.as_deref()
    }

    /// Has made ready here what `--setup` says, which `command` then knows of: it is what the user says
    /// of a command, and `find` makes of a line one that is run here. Its directory stays as long as
    /// `session`.
    ///
    /// # Errors
    /// `Command` when the line fails; `Usage` for a file that there is not; `Storage`.
    pub fn set_up_here(
        &self,
        told: &Command,
        find: impl FnOnce(Given) -> Result<Command>,
        session: &Session,
    ) -> Result<Option<OsString>> {
        let Some((line, files)) = self.for_setup()? else { return Ok(None) };
        let environment = told.environment().map(|(name, value)| (name.into(), value.into()));
        let environment: Vec<_> = environment.collect();
        let hash = Shipment::measure(&files)?.hash_of_setup((&line, files.len()), &environment);
        let fill = |to: &Path| {
            let put =
                |file: &Shipped| setup::put(&file.from, &to.join(&file.to), file.link.as_deref());
            files.iter().try_for_each(put)
        };
        let run = find(Given::Line(line))?;
        let home = surroundings::variable("HOME").map(PathBuf::from);
        let prefix = format!("{}: setup: ", session.tool());
        let say = |lines: &str| session.pass_on(lines);
        let made =
            setup::here(home.as_deref(), (&hash, run), &fill, &session.ledger(), (&prefix, &say))?;
        let directory = made.directory.clone().into();
        session.hold(made);
        Ok(Some(directory))
    }

    /// The line of `--setup`, if it was given, and what it needs.
    ///
    /// # Errors
    /// `Usage` for a file that there is not.
    pub fn for_setup(&self) -> Result<Option<(OsString, Vec<Shipped>)>> {
        let line = self.setup.clone();
        line.map(|line| Ok((line, without_twins(self.files()?)?))).transpose()
    }

    /// What `--ship` names, with all that lies in it.
    fn files(&self) -> Result<Vec<Shipped>> {
        let mut files = Vec::new();
        for path in self.ship.iter().map(Path::new) {
            add(path, &name_there(path)?, 0, &mut files)?;
        }
        Ok(files)
    }
}

/// What is to be sent for the command that was given, and what `--ship` names. A command that is a local
/// file outside of `$PATH` is one of the files. Warns of what the user may have overlooked.
///
/// # Errors
/// `Usage` for files that cannot be sent.
pub fn pack(given: Given, ship: &Ship, session: &Session) -> Result<ShippedCommand> {
    let (shipped, warnings) = packed(given, ship, surroundings::search_path(None).as_deref())?;
    warnings.iter().for_each(|warning| session.warn(warning));
    Ok(shipped)
}

fn packed(
    given: Given,
    ship: &Ship,
    search_path: Option<&OsStr>,
) -> Result<(ShippedCommand, Vec<String>)> {
    let mut files = without_twins(ship.files()?)?;
    let names = ship.ship.iter().map(|path| name_there(Path::new(path)));
    let (line, names) = (ship.setup.clone(), names.collect::<Result<Vec<_>>>()?);
    let setup = line.map(|line| SetUpLine { line, files: files.len(), names });
    let (mut words, line) = match given {
        Given::Words(words) => (words, None),
        Given::Line(line) => (Vec::new(), Some(line)),
    };
    if let Some(command) = words.first().filter(|word| is_own(Path::new(word), search_path)) {
        let from = PathBuf::from(command);
        let to = name_there(&from)?;
        let shown = from.display();
        let mode = fs::metadata(&from).map_err(|e| Error::path("send", &from, &e))?.mode();
        if mode & 0o111 == 0 {
            return Err(Error::usage(format!("{shown} is not executable: chmod +x {shown}")));
        }
        words[0] = Path::new(".").join(&to).into_os_string();
        if !files.iter().any(|file| file.to == to) {
            files.push(Shipped { from, to, link: None });
        }
    }
    let files = without_twins(files)?;
    let is_sent = |path: &Path| files.iter().any(|file| file.from == path);
    let left: Vec<&OsString> = words
        .iter()
        .skip(1)
        .filter(|word| {
            let path = Path::new(word);
            path.is_relative() && path.is_file() && !is_sent(path)
        })
        .collect();
    let warnings = left.iter().map(|word| {
        let word = word.display();
        format!("{word} is a file here, which the hosts do not see: say --ship {word} to send it")
    });
    let warnings = warnings.collect();
    let given = line.map_or(Given::Words(words), Given::Line);
    Ok((ShippedCommand { given, files, setup }, warnings))
}

/// The files, each once; two that would be one there are an error.
fn without_twins(files: Vec<Shipped>) -> Result<Vec<Shipped>> {
    let mut taken: HashMap<PathBuf, PathBuf> = HashMap::new();
    let mut single = Vec::new();
    for file in files {
        match taken.get(&file.to) {
            None => {
                taken.insert(file.to.clone(), file.from.clone());
                single.push(file);
            }
            Some(twin) if *twin == file.from || (twin.is_dir() && file.from.is_dir()) => (),
            Some(twin) => {
                let (one, other, name) = (twin.display(), file.from.display(), file.to.display());
                let text = format!("{one} and {other} would both be {name} on the hosts");
                return Err(Error::usage(text));
            }
        }
    }
    Ok(single)
}

/// Whether a command is a file of the user's own, and not a program of the system.
fn is_own(command: &Path, search_path: Option<&OsStr>) -> bool {
    if !command.as_os_str().as_bytes().contains(&b'/') || !command.is_file() {
        return false;
    }
    let folder = command.parent().and_then(|folder| folder.canonicalize().ok());
    let path = search_path.unwrap_or_default().as_bytes();
    let mut folders = path.split(|&b| b == b':').map(|f| Path::new(OsStr::from_bytes(f)));
    !folders.any(|f| f.is_absolute() && f.canonicalize().ok() == folder)
}

/// What a local path is called where commands start: the same, where it lies below this directory;
/// its last part otherwise.
fn name_there(path: &Path) -> Result<PathBuf> {
    let parts = || path.components().filter(|part| *part != Component::CurDir);
    let name: PathBuf = if parts().all(|part| matches!(part, Component::Normal(_))) {
        parts().collect()
    } else {
        path.file_name().map(PathBuf::from).unwrap_or_default()
    };
    if name.as_os_str().is_empty() {
        return Err(Error::usage(format!("{}: what has no name cannot be sent", path.display())));
    }
    Ok(name)
}

/// Adds a file, or a directory with all that lies in it; `depth` is how far it is below what was named.
fn add(from: &Path, to: &Path, depth: usize, files: &mut Vec<Shipped>) -> Result<()> {
    if files.len() >= FILES_MAX {
        return Err(Error::usage(format!("--ship: more than {FILES_MAX} files")));
    }
    let failed = |e: std::io::Error| Error::path("send", from, &e);
    if let Some(target) = inner_link(from, depth).map_err(failed)? {
        files.push(Shipped { from: from.into(), to: to.into(), link: Some(target) });
        return Ok(());
    }
    let found = fs::metadata(from).map_err(failed)?;
    if !found.is_dir() && !found.is_file() {
        let from = from.display();
        return Err(Error::usage(format!("{from} is neither a file nor a directory to send")));
    }
    files.push(Shipped { from: from.into(), to: to.into(), link: None });
    if found.is_file() {
        return Ok(());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(from).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name());
    }
    names.sort();
    names.iter().try_for_each(|name| add(&from.join(name), &to.join(name), depth + 1, files))
}

/// What a link says that leads to what is sent with it, `depth` below what was named: it is a link
/// there as well. Any other stands for what it leads to.
fn inner_link(from: &Path, depth: usize) -> std::io::Result<Option<PathBuf>> {
    if depth == 0 || !fs::symlink_metadata(from)?.is_symlink() {
        return Ok(None);
    }
    let target = fs::read_link(from)?;
    // Where it lies is below by one part less than it is itself.
    let mut below = Some(depth - 1);
    for part in target.components() {
        below = match part {
            Component::Normal(_) => below.map(|below| below + 1),
            Component::ParentDir => below.and_then(|below| below.checked_sub(1)),
            Component::CurDir => below,
            Component::RootDir | Component::Prefix(_) => None,
        };
    }
    Ok(below.map(|_| target))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn pack(words: &[&str], ship: &[&str]) -> Result<(ShippedCommand, Vec<String>)> {
        let words = words.iter().map(OsString::from).collect();
        let ship: Vec<OsString> = ship.iter().map(OsString::from).collect();
        let ship = Ship { ship, setup: None };
        super::packed(Given::Words(words), &ship, Some(OsStr::new("/usr/bin:/bin")))
    }

    #[test]
    fn a_file_of_the_users_own_is_sent_and_a_program_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clean");
        fs::write(&file, "x").unwrap();
        let name = file.to_str().unwrap();
        assert!(pack(&[name], &[]).err().unwrap().to_string().contains("chmod +x"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let (shipped, _) = pack(&[name, "a"], &[]).unwrap();
        assert_eq!(shipped.given, Given::Words(vec!["./clean".into(), "a".into()]));
        assert_eq!(shipped.files[0].to.to_str(), Some("clean"));
        for words in [["/bin/sh", "x"], ["jq", "."], ["./no/such", ""]] {
            let (shipped, _) = pack(&words, &[]).unwrap();
            assert_eq!(shipped.given, Given::Words(words.map(Into::into).to_vec()));
            assert!(shipped.files.is_empty());
        }
    }

    #[test]
    fn whole_directories_are_sent_and_forgotten_files_are_named() {
        let (shipped, warnings) = pack(&["python3", "Cargo.toml", "-v"], &["./lib/cli"]).unwrap();
        assert!(shipped.files.iter().any(|f| f.to == Path::new("lib/cli/hosts/shipping.rs")));
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("--ship Cargo.toml"));
        assert!(pack(&["x", "Cargo.toml"], &["Cargo.toml"]).unwrap().1.is_empty());
        assert!(pack(&["x"], &["no-such-file"]).is_err());
        assert!(pack(&["x"], &["/"]).is_err());
    }

    #[test]
    fn links_to_what_goes_with_them_are_links_and_others_what_they_lead_to() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("top");
        fs::create_dir_all(top.join("a/b")).unwrap();
        fs::write(folder.path().join("outside"), "x").unwrap();
        let links = [
            ("up", "a/b"),
            ("a/b/back", "../.."),
            ("a/b/gone", "./no-such"),
            ("a/out", "../../outside"),
            ("a/whole", folder.path().join("outside").to_str().unwrap()),
        ]
        .map(|(name, target)| {
            symlink(target, top.join(name)).unwrap();
            (name, target.to_string())
        });
        let name = top.to_str().unwrap();
        let (shipped, _) = pack(&["x"], &[name, name]).unwrap();
        for (at, (link, target)) in links.iter().enumerate() {
            let file = shipped.files.iter().find(|f| f.to == Path::new("top").join(link)).unwrap();
            let kept = file.link.as_ref().map(|link| link.to_str().unwrap());
            assert_eq!(kept, (at < 3).then_some(target.as_str()), "{link}");
        }
        assert_eq!(shipped.files.len(), 3 + links.len());
        symlink("/no/such", top.join("lost")).unwrap();
        assert!(pack(&["x"], &[name]).err().unwrap().to_string().contains("top/lost"));
        let pair = [folder.path().join("outside"), top.join("outside")];
        fs::write(&pair[1], "y").unwrap();
        fs::remove_file(top.join("lost")).unwrap();
        let words: Vec<&str> = pair.iter().map(|path| path.to_str().unwrap()).collect();
        let twins = pack(&["x"], &words).err().unwrap().to_string();
        assert!(twins.contains("would both be outside on the hosts"), "{twins}");
    }
}

//! The command that a user gave: a program with its arguments, or a line for the shell.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process;

use nix::unistd::{AccessFlags, access};

use crate::error::{Error, Result};
use crate::worker::quote;

/// Where programs are where nothing says where to look for them.
pub(crate) const SEARCH_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Where a shell line is run.
const SHELL: &str = "/bin/sh";

/// A command, found and ready to be started any number of times.
#[derive(Clone, Debug)]
pub struct Command {
    /// The file that is executed.
    program: PathBuf,
    /// The words as they were given, the program's name first.
    words: Vec<OsString>,
    /// Variables of its environment that are not ours.
    variables: Vec<(&'static str, OsString)>,
}

impl Command {
    /// The program `words[0]` with the arguments behind it, searched for in the directories of
    /// `path` (`$PATH`) where its name has no slash. No shell sees the words.
    ///
    /// # Errors
    /// `Usage` when there is no such program or it cannot be executed, with what to do.
    pub fn program(words: Vec<OsString>, path: Option<&OsStr>) -> Result<Command> {
        let Some(name) = words.first() else {
            return Err(Error::usage("no command given"));
        };
        let program = if name.as_bytes().contains(&b'/') {
            executable(Path::new(name))?;
            PathBuf::from(name)
        } else {
            search(name, path)?
        };
        Ok(Command { program, words, variables: with_path(path) })
    }

    /// A command that runs elsewhere: whether it is there is found out there.
    pub fn elsewhere(words: Vec<OsString>) -> Command {
        Command { program: PathBuf::new(), words, variables: Vec::new() }
    }

    /// The same with the variable `name` in its environment.
    pub(crate) fn setting(mut self, name: &'static str, value: OsString) -> Command {
        self.variables.push((name, value));
        self
    }

    /// Its words, for where it runs.
    pub fn words(&self) -> &[OsString] {
        &self.words
    }

    /// `line`, for `/bin/sh -c`, which looks for programs in the directories of `path`.
    pub fn shell(line: OsString, path: Option<&OsStr>) -> Command {
        let words = vec!["sh".into(), "-c".into(), line];
        Command { program: SHELL.into(), words, variables: with_path(path) }
    }

    /// The command as a shell would take it, on one line.
    pub fn shown(&self) -> String {
        quote::words(self.words.iter().map(OsString::as_os_str))
    }

    /// A fresh process builder.
    ///
    /// Nothing in it keeps the standard library from its fast way to start a process, which does
    /// not copy our page tables: so there is no code between fork and exec here.
    pub(crate) fn process(&self) -> process::Command {
        let mut process = process::Command::new(&self.program);
        process.arg0(&self.words[0]).args(&self.words[1..]);
        process.envs(self.variables.iter().map(|(name, value)| (name, value)));
        process
    }

    /// What it means that the program could not be started.
    pub(crate) fn not_started(&self, error: &std::io::Error) -> Error {
        let name = quote::word(self.program.as_os_str());
        match error.raw_os_error().map(nix::errno::Errno::from_raw) {
            Some(nix::errno::Errno::ENOEXEC) => Error::usage(format!(
                "cannot run {name}: neither a program of this machine nor a script with a #! line: \
                 give it one (such as #!/bin/sh)"
            )),
            Some(nix::errno::Errno::ENOENT) if self.program.exists() => Error::usage(format!(
                "cannot run {name}: what its first line (#!) names, or its loader, is not there"
            )),
            _ => Error::io("run", name, error),
        }
    }
}

fn with_path(path: Option<&OsStr>) -> Vec<(&'static str, OsString)> {
    path.map(|path| ("PATH", path.into())).into_iter().collect()
}

/// Looks for `name` as a shell does.
fn search(name: &OsStr, path: Option<&OsStr>) -> Result<PathBuf> {
    let path = path.unwrap_or(OsStr::new(SEARCH_PATH));
    let mut refused = None;
    for folder in path.as_bytes().split(|&b| b == b':') {
        let folder =
            if folder.is_empty() { Path::new(".") } else { Path::new(OsStr::from_bytes(folder)) };
        let candidate = folder.join(name);
        match executable(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(error) if candidate.is_file() => refused = refused.or(Some(error)),
            Err(_) => (),
        }
    }
    let shown = quote::word(name);
    if let Some(refused) = refused {
        return Err(refused);
    }
    if !name.is_empty() && Path::new(name).is_file() {
        return Err(Error::usage(format!(
            "command {shown} is in no directory of PATH: say ./{shown} for the one here"
        )));
    }
    let searched = quote::word(path);
    Err(Error::usage(format!("command {shown} is in no directory of PATH ({searched})")))
}

/// Whether `path` can be executed, or why not.
fn executable(path: &Path) -> Result<()> {
    let shown = quote::word(path.as_os_str());
    let metadata = std::fs::metadata(path).map_err(|e| Error::io("run", &shown, &e))?;
    if metadata.is_dir() {
        return Err(Error::usage(format!("cannot run {shown}: it is a directory")));
    }
    access(path, AccessFlags::X_OK).map_err(|_| {
        Error::usage(format!("cannot run {shown}: it is not executable: chmod +x {shown}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn refusal(words: &[&str], path: &str) -> String {
        let words = words.iter().map(OsString::from).collect();
        let error = Command::program(words, Some(OsStr::new(path))).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    }

    #[test]
    fn finds_programs_as_a_shell_does() {
        let words = vec!["sh".into(), "-c".into(), "exit 3".into()];
        let command = Command::program(words, Some(OsStr::new("/nowhere:/bin"))).unwrap();
        assert_eq!(command.program, Path::new("/bin/sh"));
        assert_eq!(command.shown(), "sh -c 'exit 3'");
        assert_eq!(command.process().status().unwrap().code(), Some(3));
    }

    #[test]
    fn says_why_a_command_cannot_be_run() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clean.py");
        std::fs::write(&file, "echo\n").unwrap();
        let name = file.to_str().unwrap();
        let place = folder.path().to_str().unwrap();
        assert!(refusal(&[name], "").contains("chmod +x"));
        assert!(refusal(&["clean.py"], place).contains("chmod +x"));
        assert!(refusal(&["/"], "").contains("directory"));
        assert!(refusal(&["no-such-command"], "/bin:/usr/bin").contains("/bin:/usr/bin"));
        assert!(refusal(&["/no/such/command"], "").contains("No such file"));
        assert!(refusal(&["Cargo.toml"], "/bin").contains("./Cargo.toml"));

        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        let command = Command::program(vec![name.into()], None).unwrap();
        let error = command.not_started(&command.process().spawn().unwrap_err());
        assert!(error.to_string().contains("#! line"), "{error}");
        std::fs::write(&file, "#!/no/such/interpreter\n").unwrap();
        let error = command.not_started(&command.process().spawn().unwrap_err());
        assert!(error.to_string().contains("(#!)"), "{error}");
    }
}

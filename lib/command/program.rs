//! The command that a user gave: a program with its arguments, or a line for the shell.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process;

use nix::unistd::{AccessFlags, access};

use crate::command::hadoop::HadoopJob;
use crate::command::{quote, shell_line};
use crate::error::{Error, Result};

/// Where programs are where nothing says where to look for them.
pub(crate) const SEARCH_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The variable of the environment that says where programs are.
pub(crate) const PATH: &str = "PATH";

/// Where a line is run that holds no pipe, where there is no bash.
const SHELL: &str = "/bin/sh";

/// The shell that knows how each member of a pipe ended.
const BASH: &str = "bash";

/// What a line names that looks at the members of its pipes itself.
const STATUSES: &[u8] = b"PIPESTATUS";

/// A command as the user gave it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Given {
    /// A program and its arguments; none is no command.
    Words(Vec<OsString>),
    /// A line for the shell.
    Line(OsString),
}

/// A command, found and ready to be started any number of times.
#[derive(Clone, Debug)]
pub struct Command {
    /// The file that is executed.
    program: PathBuf,
    /// The words that it gets, its name first.
    words: Vec<OsString>,
    /// What a person would type.
    shown: String,
    /// What is set in its environment, the last of a name counts, or taken out of it.
    variables: Vec<(OsString, Option<OsString>)>,
    /// What it is told of its task as by Hadoop, if it is.
    hadoop: Option<HadoopJob>,
    /// Where it starts, if not where this process is.
    directory: Option<PathBuf>,
}

impl Command {
    /// The command that was given, searched for in the directories of `path` (`$PATH`). Of a line
    /// each member of a pipe is judged by `ok_exit`, the exit statuses that mean success.
    ///
    /// # Errors
    /// As [`Command::program`] and [`Command::shell`].
    pub fn find(given: Given, ok_exit: &[i32], path: Option<&OsStr>) -> Result<Command> {
        match given {
            Given::Words(words) => Command::program(words, path),
            Given::Line(line) => Command::shell(line, ok_exit, path),
        }
    }

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
        let shown = quote::words(words.iter().map(OsString::as_os_str));
        Ok(Command::found(program, words, shown, path))
    }

    /// The command that runs `program`, with nothing but `path` set in its environment.
    fn found(
        program: PathBuf,
        words: Vec<OsString>,
        shown: String,
        path: Option<&OsStr>,
    ) -> Command {
        let variables = with_path(path);
        Command { program, words, shown, variables, hadoop: None, directory: None }
    }

    /// `line`, run by the bash in the directories of `path`, which looks for programs there. It fails
    /// when any member of a pipe fails: ends with a status that is not of `ok_exit`, or by a signal,
    /// but for SIGPIPE where it is not the last one. Without a bash `/bin/sh` runs it.
    ///
    /// # Errors
    /// `Usage` where there is no bash and the line holds a pipe, whose failure would be lost; or
    /// where it cannot be told what is a pipe in it.
    pub fn shell(line: OsString, ok_exit: &[i32], path: Option<&OsStr>) -> Result<Command> {
        let pipes = pipes(&line)?;
        let bash = search(OsStr::new(BASH), path).ok();
        if bash.is_none() && !pipes.is_empty() {
            return Err(Error::usage(
                "a pipe in -c needs bash, which is in no directory of PATH: any other shell loses \
                 the failure of all but the last command of a pipe (install bash, or give each \
                 command an mc-map of its own, or let -c run a script)",
            ));
        }
        let shown = shown(&line, bash.is_some(), &pipes);
        let run =
            match pipes.is_empty() || memchr::memmem::find(line.as_bytes(), STATUSES).is_some() {
                true => line,
                false => OsString::from_vec(shell_line::judged(line.as_bytes(), &pipes, ok_exit)),
            };
        let name = if bash.is_some() { BASH } else { "sh" };
        let words = vec![name.into(), "-c".into(), run];
        let program = bash.unwrap_or_else(|| SHELL.into());
        Ok(Command::found(program, words, shown, path))
    }

    /// A command that runs elsewhere: whether it is there is found out there.
    ///
    /// # Errors
    /// `Usage` for a line of which it cannot be told what is a pipe in it.
    pub fn elsewhere(given: Given) -> Result<Command> {
        let shown = match &given {
            Given::Words(words) => quote::words(words.iter().map(OsString::as_os_str)),
            Given::Line(line) => shown(line, true, &pipes(line)?),
        };
        let (program, words, variables) = (PathBuf::new(), Vec::new(), Vec::new());
        Ok(Command { program, words, shown, variables, hadoop: None, directory: None })
    }

    /// The same with other words; its name is the first of them.
    pub(crate) fn with_words(&self, words: Vec<OsString>) -> Command {
        let shown = quote::words(words.iter().map(OsString::as_os_str));
        Command { words, shown, ..self.clone() }
    }

    /// The same with the variable `name` in its environment.
    pub fn setting(mut self, name: impl Into<OsString>, value: OsString) -> Command {
        self.variables.push((name.into(), Some(value)));
        self
    }

    /// The same without the variable `name` in its environment.
    pub fn without(mut self, name: impl Into<OsString>) -> Command {
        self.variables.push((name.into(), None));
        self
    }

    /// The same, to start in `directory`.
    pub(crate) fn within(mut self, directory: &Path) -> Command {
        self.directory = Some(directory.into());
        self
    }

    /// What is set in its environment, in the order in which it was said.
    pub fn environment(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables
            .iter()
            .filter_map(|(name, value)| Some((name.as_os_str(), value.as_deref()?)))
    }

    /// The value that was said last of the variable `name`, if any was.
    pub fn value_of(&self, name: &str) -> Option<&OsStr> {
        self.environment().filter(|(known, _)| *known == name).map(|(_, value)| value).last()
    }

    /// The same, told of its task as Hadoop does, if `hadoop` is something.
    pub fn told_by_hadoop(self, hadoop: Option<HadoopJob>) -> Command {
        Command { hadoop, ..self }
    }

    /// What it is told of its task as by Hadoop, if it is.
    pub fn hadoop(&self) -> Option<&HadoopJob> {
        self.hadoop.as_ref()
    }

    /// The command as a shell would take it, on one line.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// A fresh process builder.
    ///
    /// Nothing in it keeps the standard library from its fast way to start a process, which does
    /// not copy our page tables: so there is no code between fork and exec here.
    pub(crate) fn process(&self) -> process::Command {
        let mut process = process::Command::new(&self.program);
        process.arg0(&self.words[0]).args(&self.words[1..]);
        if let Some(directory) = &self.directory {
            process.current_dir(directory);
        }
        for (name, value) in &self.variables {
            match value {
                Some(value) => process.env(name, value),
                None => process.env_remove(name),
            };
        }
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

/// Where the pipes of a line are.
fn pipes(line: &OsStr) -> Result<Vec<std::ops::Range<usize>>> {
    shell_line::pipes(line.as_bytes()).map_err(|why| {
        Error::usage(format!(
            "-c: cannot tell where the pipes in LINE begin and end: {why} (put it into a script \
             that begins with #!/bin/bash, and run that)"
        ))
    })
}

/// A line as a person would have it run.
fn shown(line: &OsStr, by_bash: bool, pipes: &[std::ops::Range<usize>]) -> String {
    let shell: &[&str] = match (by_bash, pipes.is_empty()) {
        (true, true) => &[BASH, "-c"],
        (true, false) => &[BASH, "-o", "pipefail", "-c"],
        (false, _) => &["sh", "-c"],
    };
    quote::words(shell.iter().map(OsStr::new).chain([line]))
}

fn with_path(path: Option<&OsStr>) -> Vec<(OsString, Option<OsString>)> {
    path.map(|path| (PATH.into(), Some(path.into()))).into_iter().collect()
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
    fn a_line_is_shown_as_it_was_given_and_run_so_that_its_pipes_are_judged() {
        let shell = |line: &str, path| Command::shell(line.into(), &[0, 1], path);
        let command = shell("false | cat", None).unwrap();
        assert_eq!(command.shown(), "bash -o pipefail -c 'false | cat'");
        assert_eq!(command.process().status().unwrap().code(), Some(0));
        let command = shell("exit 2 | cat", None).unwrap();
        assert_eq!(command.process().status().unwrap().code(), Some(2));
        let command = shell("exit 2 | cat; exit ${PIPESTATUS[1]}", None).unwrap();
        assert_eq!(command.process().status().unwrap().code(), Some(0));
        assert_eq!(shell("a || b", None).unwrap().shown(), "bash -c 'a || b'");
        assert!(shell("a | 'b", None).unwrap_err().to_string().contains("byte 5: this quote"));
        // Where there is no bash.
        let nowhere = Some(OsStr::new("/nowhere"));
        let command = shell("echo '|' || exit 3", nowhere).unwrap();
        assert_eq!(command.shown(), "sh -c 'echo '\\''|'\\'' || exit 3'");
        assert_eq!(command.process().output().unwrap().stdout, b"|\n");
        assert!(shell("a | b", nowhere).unwrap_err().to_string().starts_with("a pipe in -c needs"));
        let elsewhere = Command::elsewhere(Given::Line("a | b".into())).unwrap();
        assert_eq!(elsewhere.shown(), "bash -o pipefail -c 'a | b'");
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

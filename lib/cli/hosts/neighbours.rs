//! What a command misses on a host that lies beside it here: a module that it imports, a file that it
//! opens. What it says of that when it fails gets a line more, with what to do.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;

use crate::cli::Session;
use crate::command::Given;
use crate::engine::shard_job::ShippedCommand;
use crate::parallel::lock;

/// How Python says that there is no module.
const NO_MODULE: [&str; 2] =
    ["ModuleNotFoundError: No module named ", "ImportError: No module named "];

/// How programs say that there is no file, behind its name or before it.
const NO_FILE: [&str; 3] = ["No such file", "can't open", "cannot open"];

/// What may stand before the name of a file that is not in quotes.
const DOING: [&str; 3] = ["cannot open ", "cannot access ", "cannot stat "];

/// The part of a host's path below which commands start.
const START: &str = "work";

/// What passes on what commands on hosts say when they fail, the command that was `given` as `shipped`,
/// and says of each missing neighbour once how to send it.
pub fn watch<'a>(
    session: &'a Session,
    given: &'a Given,
    shipped: &'a ShippedCommand,
) -> impl Fn(&str) + Sync + 'a {
    let said = Mutex::new(HashSet::new());
    move |lines: &str| {
        session.pass_on(lines);
        for path in lines.lines().filter_map(|line| missing(line, given, shipped)) {
            let name = path.display();
            if lock(&said).insert(path.clone()) {
                session.warn(&format!(
                    "{name} is here and not on the hosts: --ship {name} has it there"
                ));
            }
        }
    }
}

/// What a line says is missing there, and lies here where it would be found once it is sent.
fn missing(line: &str, given: &Given, shipped: &ShippedCommand) -> Option<PathBuf> {
    let found = match NO_MODULE.iter().find_map(|words| Some(line.split_once(words)?.1)) {
        Some(name) => module(name, given)?,
        None if NO_FILE.iter().any(|words| line.contains(words)) => file(line)?,
        None => return None,
    };
    let is_sent = shipped.files.iter().any(|file| found.starts_with(&file.from));
    (!is_sent).then_some(found)
}

/// The file or folder of a module, beside the scripts of the command, or here where it names none.
fn module(name: &str, given: &Given) -> Option<PathBuf> {
    let name = name.trim().trim_matches(['\'', '"']).split('.').next().unwrap_or_default();
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let words: Vec<OsString> = match given {
        Given::Words(words) => words.clone(),
        Given::Line(line) => {
            let ends = |byte: &u8| byte.is_ascii_whitespace() || b";|&()<>'\"".contains(byte);
            line.as_bytes().split(ends).map(|word| OsStr::from_bytes(word).into()).collect()
        }
    };
    let scripts = words.iter().map(Path::new).filter(|word| word.is_file() && is_script(word));
    let mut folders: Vec<PathBuf> =
        scripts.filter_map(|script| Some(script.parent()?.to_path_buf())).collect();
    if folders.is_empty() {
        folders.push(PathBuf::new());
    }
    let places = folders.iter().flat_map(|folder| {
        let plain: PathBuf =
            folder.components().filter(|part| *part != Component::CurDir).collect();
        [plain.join(format!("{name}.py")), plain.join(name)]
    });
    { places }.find(|place| match place.extension() {
        Some(_) => place.is_file(),
        None => place.is_dir(),
    })
}

/// Whether a file is a script of Python, as far as its name or its first line tells.
fn is_script(path: &Path) -> bool {
    let mut first = [0; 128];
    let read =
        std::fs::File::open(path).and_then(|mut file| std::io::Read::read(&mut file, &mut first));
    let first = &first[..read.unwrap_or(0)];
    let line = first.split(|byte| *byte == b'\n').next().unwrap_or_default();
    path.extension().is_some_and(|ending| ending == "py")
        || line.starts_with(b"#!") && memchr::memmem::find(line, b"python").is_some()
}

/// The file or folder that a line names which is not there, if it is here.
fn file(line: &str) -> Option<PathBuf> {
    // An apostrophe is no quote.
    let line = line.replace("can't", "cannot");
    let quotes: Vec<&str> = line.split(['\'', '"', '`']).collect();
    let mut names: Vec<&str> = quotes.iter().skip(1).step_by(2).copied().collect();
    if quotes.len() < 3 {
        let before = line.split(": No such file").next().unwrap_or_default();
        let name = before.rsplit(": ").next().unwrap_or_default();
        names = vec![DOING.iter().find_map(|doing| name.strip_prefix(doing)).unwrap_or(name)];
    }
    let mut paths = names.into_iter().map(|name| {
        let mut parts = Path::new(name).components();
        let is_whole = !name.starts_with('/') || parts.any(|part| part.as_os_str() == START);
        let path = if is_whole { parts.as_path() } else { Path::new(name) };
        path.strip_prefix(".").unwrap_or(path)
    });
    let found = paths.find(|path| {
        let below = path.components().all(|part| matches!(part, Component::Normal(_)));
        below && !path.as_os_str().is_empty() && path.exists()
    });
    found.map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found of a line that a command of these words says. Tests run in the repository.
    fn found(line: &str, words: &[&str]) -> Option<String> {
        let given = Given::Words(words.iter().map(OsString::from).collect());
        let shipped = ShippedCommand { given: given.clone(), files: Vec::new(), setup: None };
        missing(line, &given, &shipped).map(|path| path.display().to_string())
    }

    #[test]
    fn files_that_are_here_are_found_however_it_is_said() {
        let names = |line: &str| found(line, &["x"]);
        for line in [
            "mc-map: n1: task 1: cat: lib/lib.rs: No such file or directory",
            "p: FileNotFoundError: [Errno 2] No such file or directory: 'lib/lib.rs'",
            &[
                "p: python3: can't open file '/var/tmp/mycloud-0/runs/f.1/",
                START,
                "/lib/lib.rs': no",
            ]
            .concat(),
            "p: awk: fatal: cannot open file `lib/lib.rs' for reading: No such file or directory",
            "p: sh: 1: cannot open lib/lib.rs: No such file",
            "p: bash: line 1: ./lib/lib.rs: No such file or directory",
        ] {
            assert_eq!(names(line).as_deref(), Some("lib/lib.rs"), "{line}");
        }
        assert_eq!(
            names("p: ls: cannot access 'lib': No such file or directory").as_deref(),
            Some("lib")
        );
        for line in [
            "p: cat: no/such: No such file or directory",
            "p: cat: /etc/passwd: No such file or directory",
            "p: cat: ../etc: No such file or directory",
            "p: lib/lib.rs is fine",
            "p: : No such file or directory",
        ] {
            assert_eq!(names(line), None, "{line}");
        }
    }

    #[test]
    fn modules_are_looked_for_where_python_would() {
        let line = "p: ModuleNotFoundError: No module named 'oracle.deep'";
        let script = "tests/aggregate/oracle.py";
        assert_eq!(found(line, &["python3", script]).as_deref(), Some(script));
        assert_eq!(found(line, &["python3", "-c", "import oracle"]), None);
        assert_eq!(found("ImportError: No module named lib", &["x"]).as_deref(), Some("lib"));
        assert_eq!(found("ModuleNotFoundError: No module named '../lib'", &["x"]), None);
        let given = Given::Line(format!("cat|python3 {script}").into());
        let files = Vec::new();
        let shipped = ShippedCommand { given: given.clone(), files, setup: None };
        assert_eq!(missing(line, &given, &shipped).unwrap(), Path::new(script));
        let from = PathBuf::from("tests/aggregate");
        let sent = crate::cluster::Shipped { to: from.clone(), from, link: None };
        let shipped = ShippedCommand { files: vec![sent], ..shipped };
        assert_eq!(missing(line, &given, &shipped), None);
    }
}

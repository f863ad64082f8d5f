//! What the tests share: calls of the built tools, oracles, and data to feed them.
//!
//! [`mc`] runs one tool, [`sh`] a shell line with the built tools first in PATH; both end in
//! `succeeds()` or `fails(code)`, which check everything that was said of the call and nothing
//! less: standard error is empty unless the test says otherwise, and a call that hangs is a failure.

mod call;
mod cluster;
mod everywhere;
mod oracle;
mod processes;
mod random;
mod running;
mod spark;
mod terminal;
mod waiting;

pub use call::Call;
pub use cluster::{CLEAN, Cluster, HOSTS, cluster, worker};
pub use everywhere::{everywhere, on_all_hosts};
pub use oracle::{jq, need, python, python_program};
pub use processes::marked;
pub use random::{Random, random_lines};
pub use running::{Output, Running};
pub use spark::{Spark, on_spark, pyspark, spark};
pub use terminal::Terminal;
pub use waiting::{not_tested, until, until_or};

use std::path::{Path, PathBuf};

/// The built tool `mc-NAME`.
#[track_caller]
pub fn mc(name: &str) -> Call {
    Call::new(tools().join(format!("mc-{name}")))
}

/// `script` in the shell `shell` (`dash`, `bash`), with the built tools and `scripts/` first in
/// PATH.
#[track_caller]
pub fn sh(shell: &str, script: &str) -> Call {
    need(shell, &format!("apt-get install {shell}"));
    Call::new(shell).arg("-c").arg(script)
}

/// The words in front of a command that run it as another user, who may read the built tools wherever
/// they lie. Only for the superuser.
#[track_caller]
pub fn other_user() -> &'static str {
    need("setpriv", "apt-get install util-linux");
    "setpriv --reuid 54321 --clear-groups --inh-caps=-all,+dac_read_search \
     --ambient-caps=-all,+dac_read_search"
}

/// The directory of the built tools.
pub fn tools() -> &'static Path {
    let cat = Path::new(env!("CARGO_BIN_EXE_mc-cat"));
    cat.parent().unwrap_or(cat)
}

/// A path of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A fresh directory, removed at the end of the test.
#[track_caller]
pub fn dir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Writes `bytes` to `name` in `dir` (and the directories on the way) and returns the path.
#[track_caller]
pub fn write(dir: &tempfile::TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Copies the directory `from` to `to`.
#[track_caller]
pub fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    Call::new("cp").arg("-R").arg(from.as_ref().join(".")).arg(to.as_ref()).succeeds();
}

/// The names in `dir`, sorted: to show that nothing was left behind.
#[track_caller]
pub fn names(dir: impl AsRef<Path>) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// NDJSON as it is written in the test: `rows![{"w": "b"}, [1, 2], "x"]`, a line a record, members
/// in the order written, numbers as typed, no spaces outside strings.
macro_rules! rows {
    ($($row:tt),* $(,)?) => {
        [$($crate::support::compact(stringify!($row))),*].concat()
    };
}
pub(crate) use rows;

/// A JSON text without the spaces outside its strings, as a line.
pub fn compact(json: &str) -> String {
    let mut line = String::with_capacity(json.len() + 1);
    let (mut inside, mut escaped) = (false, false);
    for c in json.chars() {
        if inside || !c.is_whitespace() {
            line.push(c);
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if inside => escaped = true,
            '"' => inside = !inside,
            _ => {}
        }
    }
    line.push('\n');
    line
}

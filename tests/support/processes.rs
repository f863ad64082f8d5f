//! The processes that a test has started, however far they are removed from it: they inherit a mark.

use std::path::Path;

use super::Call;

/// In the environment of every process that one test starts: the name of its directory.
const MARK: &str = "MYCLOUD_TEST_DIRECTORY";

impl Call {
    /// The processes of the call are found by [`marked`].
    pub fn marked(self, dir: &Path) -> Call {
        self.env(MARK, dir)
    }
}

/// The living processes that were started for the test in `dir`, and their parents.
pub fn marked(dir: &Path) -> Vec<(i32, i32)> {
    let mark = format!("{MARK}={}", dir.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let parent = after_name.split_whitespace().nth(1).and_then(|parent| parent.parse().ok());
        if let Some(parent) = parent
            && environment.split(|&byte| byte == 0).any(|value| value == mark.as_bytes())
        {
            found.push((pid, parent));
        }
    }
    found
}

//! What a tool may want to know of where it was started: where programs are looked for, and where
//! its user's files are.

use std::ffi::{OsStr, OsString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::client::{self, ClientAccess};
use crate::command::{Form, Given};
use crate::error::{Error, Result, reason};
use crate::pipe::runtime_dir;
use crate::record::notation::Notation;

/// How the names of variables begin that say how stores of objects are reached.
const OF_STORES: [&str; 4] = ["AWS_", "AZURE_", "GOOGLE_", "STORAGE_EMULATOR_HOST"];

/// Where the private directory of small files may be that the tools of this user share.
///
/// # Errors
/// `Usage` when the one that is named does not serve: the tool at the other end of a pipe could take
/// it for another, and neither would hear of the other's failure.
pub fn runtime_directories() -> Result<Vec<PathBuf>> {
    let Some(only) = variable(runtime_dir::VARIABLE).map(PathBuf::from) else {
        let told = variable("XDG_RUNTIME_DIR").map(PathBuf::from);
        return Ok(runtime_dir::candidates(told, state_directory()));
    };
    let refused = |why: &str| {
        let name = format!("{} ({})", only.display(), runtime_dir::VARIABLE);
        Err(Error::usage(format!(
            "{name}: cannot keep notes on pipes there: {why}; name a directory of your own that \
             others cannot enter, or unset it"
        )))
    };
    if !only.is_absolute() {
        return refused("the path is not absolute");
    }
    match runtime_dir::serve(&only) {
        Ok(()) => Ok(vec![only]),
        Err(e) => refused(&reason(&e)),
    }
}

/// The directory of this user for state, as far as the environment tells.
pub(super) fn state_directory() -> Option<PathBuf> {
    let told = variable("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    told.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".local/state")))
}

/// The value of a variable of the environment that is not empty.
pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Where files of the client are asked for, where this tool is a command of another.
pub(super) fn client() -> ClientAccess {
    ClientAccess::from_variable(variable(client::VARIABLE))
}

/// What the environment says of stores of objects.
pub(super) fn of_stores() -> Vec<(String, String)> {
    let is_of_stores =
        |name: &str| name == "HOME" || OF_STORES.iter().any(|begin| name.starts_with(begin));
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, value)| is_of_stores(name) && !value.is_empty())
        .collect()
}

/// `$PATH`, or `told` in its place, for commands: behind it the directory of the tools, so that
/// commands find them here as they do on hosts.
pub fn search_path(told: Option<&OsStr>) -> Option<OsString> {
    let mut path = told.map(OsStr::to_os_string).or_else(|| std::env::var_os("PATH"))?;
    let tool = std::env::current_exe().unwrap_or_default();
    let directory = tool.parent().unwrap_or(Path::new("/"));
    let has_tools = directory.join("mc-cat").is_file();
    if has_tools && !std::env::split_paths(&path).any(|place| place == directory) {
        path.push(":");
        path.push(directory);
    }
    Some(path)
}

/// The file for the input on which the command that `tool` runs fails: one for each call, by its
/// directory and its command.
pub fn kept_input(tool: &str, given: &Given, form: &Form) -> Option<PathBuf> {
    let mut hasher = DefaultHasher::new();
    (std::env::current_dir().unwrap_or_default(), given).hash(&mut hasher);
    let ending = match form.input {
        Notation::Json => "ndjson",
        Notation::Text => "txt",
        Notation::Kv => "tsv",
        Notation::Raw => "data",
    };
    let name = format!("{tool}-{:016x}.{ending}", hasher.finish());
    Some(state_directory()?.join("mycloud/failed").join(name))
}

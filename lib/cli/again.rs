//! The call of this tool, for the record of what it makes; and what it is told where it makes something again.

use std::env::{args_os, current_dir};
use std::fs;

use crate::cli::surroundings::variable;
use crate::dataset::lineage::{AGAIN_VARIABLE, RecordedStage, StageAgain, StageCuts};
use crate::record::bytes::Bytes;

/// The variables that stand in for options. (`MC_STATS` makes no difference to what is made, and a password is
/// kept nowhere.)
const VARIABLES: [&str; 2] = ["MC_HOSTS", "MC_SSH_CONFIG"];

/// The call of `tool`, which is this one.
pub(super) fn this_call(tool: &str) -> RecordedStage {
    let told =
        |name: &&str| Some((Bytes(name.as_bytes().to_vec()), variable(name)?.as_os_str().into()));
    RecordedStage {
        tool: tool.into(),
        argv: args_os().map(|word| word.as_os_str().into()).collect(),
        cwd: current_dir().unwrap_or_default().as_os_str().into(),
        environment: VARIABLES.iter().filter_map(told).collect(),
        cuts: StageCuts::Unknown,
    }
}

/// What this tool is told that makes something again, whose words are `argv`; `None` for all others. It is told
/// once: who told it may be gone before it clears up.
pub(super) fn told(argv: &[Bytes]) -> Option<StageAgain> {
    let path = variable(AGAIN_VARIABLE)?;
    let told: StageAgain = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
    if told.argv.get(1..) != argv.get(1..) {
        return None;
    }
    let _ = fs::remove_file(path);
    Some(told)
}

//! Programs that are several tools: which of them a call means, its name says.

use std::path::Path;
use std::process::ExitCode;

use crate::cli::message;
use crate::error::{Error, ErrorKind};

/// What a program does under a name.
pub type Called = (&'static str, fn() -> ExitCode);

/// The one of `tools` that this process is called by the name of.
pub(super) fn find<'a>(mut tools: impl Iterator<Item = &'a Called>) -> Option<fn() -> ExitCode> {
    let word = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&word).file_name().unwrap_or_default();
    tools.find(|(tool, _)| name == *tool).map(|(_, tool)| *tool)
}

/// Runs the one of `tools` that this process is called by the name of; `program` is the name of what is none.
pub fn run(program: &str, tools: &[Called]) -> ExitCode {
    if let Some(tool) = find(tools.iter()) {
        return tool();
    }
    let names: Vec<&str> = tools.iter().map(|(tool, _)| *tool).collect();
    let text = format!("this is called by the name of a tool: {}", names.join(", "));
    message::say(program, &Error::usage(text).to_string());
    ExitCode::from(ErrorKind::Usage.exit_code())
}

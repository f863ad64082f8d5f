//! A pipeline as text (`mc-explain`): its members are called one after the other, each with the plan of
//! those before it, and explain. Programs of others are not called: they are stages of which no more is
//! known than their call.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cli::explaining::{ExplainForm, VARIABLE, is_stage, shown};
use crate::cli::{Session, surroundings};
use crate::command::shell_line::members::{self, PipeMember};
use crate::error::{Error, ErrorKind, Result};
use crate::explain::schema::{PlanDocument, PlanWord, StagePlan, StreamKind, StreamPlan};
use crate::explain::text;
use crate::record::stream::{Input, Output, Summary};

/// The name of the tool.
pub(super) const TOOL: &str = "mc-explain";

/// The longest line in bytes.
const LINE_MAX: usize = 1 << 20;

/// The shell that expands the words of a member.
const SHELL: &str = "/bin/sh";

/// Explains the pipeline `line`; `-` is what standard input says.
///
/// # Errors
/// `Usage` for what is no pipe of simple commands; what a member says, by its exit status.
pub fn explain_line(line: &OsStr, form: ExplainForm, session: &mut Session) -> Result<Summary> {
    let is_read = line == "-";
    let line = if is_read { read(session)? } else { line.as_bytes().to_vec() };
    let members =
        members::members(&line).map_err(|why| Error::usage(format!("the line: {why}")))?;
    if members.is_empty() {
        return Err(Error::usage("there is no pipeline in the line"));
    }
    let mut plan = PlanDocument::default();
    let mut notes = Vec::new();
    for (number, member) in members.iter().enumerate() {
        let name =
            member.name.as_deref().map(|name| Path::new(name).file_name().unwrap_or_default());
        let name = name.and_then(OsStr::to_str).unwrap_or_default();
        notes.extend(written(member));
        if !is_stage(name) {
            plan.stages.push(foreign(member, name));
            continue;
        }
        // Who comes first reads what this tool would read.
        let before = (number > 0).then_some(&plan);
        plan = call(member, before, is_read)?;
        if let Some(last) = plan.stages.last_mut() {
            last.notes.append(&mut notes);
        }
    }
    if let Some(last) = plan.stages.last_mut() {
        last.notes.append(&mut notes);
    }
    let columns = session.terminal_width().unwrap_or(text::COLUMNS);
    let mut output = session.stdout();
    output.write(shown(&plan, form, columns)?.as_bytes())?;
    Ok(Summary::default())
}

/// The line on standard input.
fn read(session: &mut Session) -> Result<Vec<u8>> {
    let (mut input, mut line, mut step) = (session.stdin()?, Vec::new(), [0; 4096]);
    loop {
        match input.read(&mut step)? {
            0 => return Ok(line),
            got => line.extend_from_slice(&step[..got]),
        }
        if line.len() > LINE_MAX {
            return Err(Error::usage("standard input: longer than any line for a shell"));
        }
    }
}

/// What is to be said of a member that would write to files of its own.
fn written(member: &PipeMember) -> Option<String> {
    let files: Vec<_> = member.writes.iter().map(|file| String::from_utf8_lossy(file)).collect();
    (!files.is_empty()).then(|| format!("{} is left out: nothing is written", files.join(" ")))
}

/// A program that is none of ours.
fn foreign(member: &PipeMember, name: &str) -> StagePlan {
    let text = String::from_utf8_lossy(&member.text).into_owned();
    let first = text.split_whitespace().next().unwrap_or_default().to_string();
    StagePlan {
        tool: if name.is_empty() { first } else { name.into() },
        foreign: true,
        argv: vec![PlanWord::of(OsStr::from_bytes(&member.text))],
        cwd: PlanWord::of(super::directory().as_os_str()),
        writes: StreamPlan::of_kind(StreamKind::Unknown),
        ..StagePlan::default()
    }
}

/// Calls a tool of ours, which adds its stage to the plan `before` it.
fn call(member: &PipeMember, before: Option<&PlanDocument>, is_read: bool) -> Result<PlanDocument> {
    let failed = |e: std::io::Error| Error::io("run", SHELL, &e);
    let mut command = Command::new(SHELL);
    command.arg("-c").arg(OsStr::from_bytes(&member.quiet)).env(VARIABLE, "line");
    if let Some(path) = surroundings::search_path(None) {
        command.env("PATH", path);
    }
    command.stdout(Stdio::piped()).stdin(match before {
        Some(_) => Stdio::piped(),
        None if is_read => Stdio::null(),
        None => Stdio::inherit(),
    });
    let mut child = command.spawn().map_err(failed)?;
    let line = before.map(PlanDocument::encode).transpose()?;
    let feed = child.stdin.take();
    let feeder = std::thread::Builder::new().spawn(move || {
        if let (Some(mut feed), Some(line)) = (feed, line) {
            // A tool that fails may not have read it: it says why.
            let _ = feed.write_all(line.as_bytes());
        }
    });
    let feeder = feeder.map_err(|e| Error::io("start", "a thread", &e))?;
    let mut said = Vec::new();
    let read = child.stdout.take().map_or(Ok(0), |mut out| out.read_to_end(&mut said));
    let status = child.wait().map_err(failed)?;
    let _ = feeder.join();
    read.map_err(failed)?;
    if !status.success() {
        return Err(Error::new(kind(status.code()), failure(member, status.code())));
    }
    PlanDocument::decode(String::from_utf8_lossy(&said).trim_end_matches('\n'))
        .map_err(|error| error.at(String::from_utf8_lossy(&member.text)))
}

/// What became of a member that failed, which has said why.
fn failure(member: &PipeMember, status: Option<i32>) -> String {
    let text = String::from_utf8_lossy(&member.text);
    let how = status.map_or("was killed".into(), |status| format!("exit status {status}"));
    format!("'{text}' cannot be explained: {how}")
}

/// The kind of failure that an exit status stands for, so that this tool ends with the same.
fn kind(status: Option<i32>) -> ErrorKind {
    let kinds = [
        ErrorKind::Command,
        ErrorKind::Usage,
        ErrorKind::BadInput,
        ErrorKind::Incomplete,
        ErrorKind::Hosts,
        ErrorKind::Storage,
        ErrorKind::Timeout,
    ];
    let is = |kind: &ErrorKind| Some(i32::from(kind.exit_code())) == status;
    kinds.into_iter().find(is).unwrap_or(ErrorKind::Usage)
}

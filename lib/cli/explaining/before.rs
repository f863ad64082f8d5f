//! What comes on standard input, for a tool that explains: the plan of the tool before it, or what else
//! it is. No data is read: of what is no plan, no more than its first bytes.

use std::fs::{File, Metadata};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::cli::explaining::resources;
use crate::cli::{Session, process};
use crate::dataset::manifest;
use crate::error::{Error, Result};
use crate::explain::schema::{
    PlanDocument, PlanWord, ResourcePlan, StagePlan, StreamKind, StreamPlan,
};
use crate::explain::{PLAN_MAX, PREFIX};
use crate::format::compression::Codec;
use crate::pipe::peek::Peeked;
use crate::pipe::pipe_mark;
use crate::record::stream::Input;

/// How long a pipe may be silent that no tool of ours writes to: a program that takes longer for its
/// first byte is not waited for.
const SILENCE: Duration = Duration::from_millis(500);

/// How often it is looked whether there is something.
const LOOK_EVERY: u8 = 20;

/// How much is read at once.
const STEP_BYTES: usize = 64 * 1024;

/// How much of a file is looked at to see what it is.
const HEAD_BYTES: usize = 16;

/// What comes before a stage.
#[derive(Default)]
pub(super) struct Before {
    /// The stages before it, as far as they are known.
    pub(super) stages: Vec<StagePlan>,
    /// What comes from the last of them.
    pub(super) stream: StreamPlan,
    /// What is to be said of it.
    pub(super) notes: Vec<String>,
}

impl Before {
    fn of_stream(stream: StreamPlan) -> Before {
        Before { stream, ..Before::default() }
    }

    /// Of something on the pipe that is no plan, for this reason.
    fn unknown(why: &str) -> Before {
        let note = format!(
            "{why}: MC_EXPLAIN=1 before all of a pipe has each tool explain, and mc-explain 'PIPELINE' \
             knows of other programs, too"
        );
        Before { notes: vec![note], ..Before::default() }
    }
}

/// What standard input is.
///
/// # Errors
/// As for a run: when it is closed or cannot be read, or a tool that wrote to it failed.
pub(super) fn read(session: &mut Session) -> Result<Before> {
    let input = session.stdin()?;
    let stdin = std::io::stdin();
    let copy = stdin.as_fd().try_clone_to_owned();
    let file = File::from(copy.map_err(|e| Error::io("read", "standard input", &e))?);
    let about = file.metadata().map_err(|e| Error::io("read", "standard input", &e))?;
    if about.is_file() {
        return of_file(session, &file, &about);
    }
    if about.file_type().is_char_device() {
        return Ok(Before::default());
    }
    if !has_begun(file.as_fd()) {
        return Ok(Before::unknown("what comes on standard input is not known"));
    }
    let mut input = Peeked::new(input);
    if input.begins_with(PREFIX.as_bytes())? {
        return Ok(match plan(&mut input)? {
            Ok(plan) => Before {
                stream: plan.stages.last().map(|stage| stage.writes.clone()).unwrap_or_default(),
                stages: plan.stages,
                notes: Vec::new(),
            },
            Err(why) => Before::unknown(&why),
        });
    }
    if input.begins_with(manifest::PREFIX.as_bytes())? {
        let before = Before::unknown("shards come on standard input from a tool that runs");
        return Ok(Before { stream: StreamPlan::of_kind(StreamKind::Shards), ..before });
    }
    // Nothing at all may be what a tool left that failed: then that is an error.
    Ok(match input.read(&mut [0])? {
        0 => Before::unknown("nothing comes on standard input, where the plan of a tool could be"),
        _ => Before::unknown("data comes on standard input, and no plan"),
    })
}

/// What standard input is, if it is a file; nothing is known otherwise.
pub(super) fn of_stdin_file(session: &mut Session) -> Before {
    let copy = std::io::stdin().as_fd().try_clone_to_owned().map(File::from);
    let file = copy.ok().and_then(|file| Some((file.metadata().ok()?, file)));
    let Some((about, file)) = file.filter(|(about, _)| about.is_file()) else {
        return Before::default();
    };
    let mut head = [0; HEAD_BYTES];
    match file.read_at(&mut head, 0) {
        // A manifest is read once, by the run.
        Ok(got) if manifest::is_manifest(&head[..got]) => {
            Before::of_stream(StreamPlan::of_kind(StreamKind::Shards))
        }
        Ok(_) if !process::closed_at_start(0) => {
            of_file(session, &file, &about).unwrap_or_default()
        }
        _ => Before::default(),
    }
}

/// Waits until a pipe has something to say, or its end, as long as a tool of ours may write to it.
fn has_begun(stdin: BorrowedFd<'_>) -> bool {
    let begun = Instant::now();
    loop {
        let mut fds = [PollFd::new(stdin, PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::from(LOOK_EVERY)).is_ok_and(|ready| ready > 0) {
            return true;
        }
        if begun.elapsed() > SILENCE && pipe_mark::count(stdin) == 0 {
            return false;
        }
    }
}

/// Reads the plan, and no more: all that comes is to be one.
fn plan(input: &mut impl Input) -> Result<std::result::Result<PlanDocument, String>> {
    let (mut line, mut step) = (Vec::new(), vec![0; STEP_BYTES]);
    loop {
        match input.read(&mut step)? {
            0 => break,
            got => line.extend_from_slice(&step[..got]),
        }
        if line.len() > PLAN_MAX {
            return Ok(Err("the plan on standard input is longer than any".into()));
        }
    }
    let text = String::from_utf8_lossy(&line);
    let (line, rest) = text.split_once('\n').unwrap_or((&text, ""));
    if !rest.is_empty() {
        return Ok(Err("something comes on standard input behind a plan".into()));
    }
    Ok(PlanDocument::decode(line).map_err(|error| error.to_string()))
}

/// What a file on standard input is: the manifest of shards that are kept, or data.
fn of_file(session: &mut Session, file: &File, about: &Metadata) -> Result<Before> {
    let mut head = [0; HEAD_BYTES];
    let got = file.read_at(&mut head, 0).map_err(|e| Error::io("read", "standard input", &e))?;
    let path = std::fs::read_link("/proc/self/fd/0").ok();
    if manifest::is_manifest(&head[..got]) {
        let name = path.unwrap_or_default();
        return Ok(Before::of_stream(resources::dataset(
            session,
            file,
            &name.display().to_string(),
        )?));
    }
    let resource = ResourcePlan {
        place: "standard".into(),
        path: path.as_deref().map(|path| PlanWord::of(path.as_os_str())).unwrap_or_default(),
        bytes: Some(about.len()),
        ..ResourcePlan::default()
    };
    let is_packed = Codec::seen(&head[..got]).is_some();
    Ok(Before::of_stream(StreamPlan {
        bytes: Some(about.len()).filter(|_| !is_packed),
        based_on: Some("the file on standard input".into()),
        resources: vec![resource],
        ..StreamPlan::of_kind(StreamKind::Records)
    }))
}

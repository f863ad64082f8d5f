//! Which processes a pipe goes on to, or comes from, that are none of our tools: as far as the system
//! shows what their standard input and output are.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::pipe::pipe_id::PipeId;

/// What the standard input or output of a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Pipe(PipeId),
    Terminal,
    Other,
}

/// The processes of this user, as they were when it was looked.
#[derive(Debug, Default)]
pub struct Plumbing {
    /// The standard input and output of each.
    ends: Vec<[End; 2]>,
}

impl Plumbing {
    /// Looks.
    pub fn look() -> Plumbing {
        let mut ends = Vec::new();
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            if process.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
                let folder = process.path().join("fd");
                // Those of other users cannot be seen.
                if let [Some(stdin), Some(stdout)] = ["0", "1"].map(|fd| end(&folder.join(fd))) {
                    ends.push([stdin, stdout]);
                }
            }
        }
        Plumbing { ends }
    }

    /// The pipes that are read by those that write to `pipe`.
    pub fn before(&self, pipe: &PipeId) -> Vec<PipeId> {
        let writers = self.ends.iter().filter(|[_, stdout]| is(*stdout, pipe));
        writers.filter_map(|[stdin, _]| pipe_of(*stdin)).filter(|before| before != pipe).collect()
    }

    /// Whether those that read `pipe`, and all that read what these write, can be seen, and none of them
    /// writes to a terminal.
    pub fn ends_quietly(&self, pipe: &PipeId) -> bool {
        let (mut open, mut seen) = (vec![*pipe], Vec::new());
        while let Some(pipe) = open.pop() {
            let readers = self.ends.iter().filter(|[stdin, _]| is(*stdin, &pipe));
            let written: Vec<End> = readers.map(|[_, stdout]| *stdout).collect();
            if written.is_empty() || written.contains(&End::Terminal) {
                return false;
            }
            seen.push(pipe);
            let pipes = written.into_iter().filter_map(pipe_of);
            open.extend(pipes.filter(|pipe| !seen.contains(pipe)));
        }
        true
    }
}

fn is(end: End, pipe: &PipeId) -> bool {
    pipe_of(end).is_some_and(|other| (other.device, other.inode) == (pipe.device, pipe.inode))
}

fn pipe_of(end: End) -> Option<PipeId> {
    match end {
        End::Pipe(pipe) => Some(pipe),
        End::Terminal | End::Other => None,
    }
}

/// What a descriptor of a process is, by its place below `/proc`.
fn end(descriptor: &Path) -> Option<End> {
    let link = fs::read_link(descriptor).ok()?;
    let name = link.to_str()?;
    Some(if name.starts_with("pipe:[") {
        End::Pipe(PipeId::of_file(&fs::metadata(descriptor).ok()?))
    } else if ["/dev/pts/", "/dev/tty", "/dev/console"].iter().any(|at| name.starts_with(at)) {
        End::Terminal
    } else {
        End::Other
    })
}

impl PipeId {
    fn of_file(found: &fs::Metadata) -> PipeId {
        let changed =
            found.mtime().saturating_mul(1_000_000_000).saturating_add(found.mtime_nsec());
        PipeId { device: found.dev(), inode: found.ino(), changed }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_way_of_a_pipe_is_seen_through_processes() {
        let (reader, writer) = std::io::pipe().unwrap();
        let first = PipeId::of(&reader).unwrap();
        let (last_reader, last_writer) = std::io::pipe().unwrap();
        let last = PipeId::of(&last_reader).unwrap();
        let sleep = |stdin: Stdio, stdout: Stdio| {
            Command::new("sleep").arg("60").stdin(stdin).stdout(stdout).spawn().unwrap()
        };
        let mut children =
            [sleep(reader.into(), last_writer.into()), sleep(last_reader.into(), Stdio::null())];
        let seen = Plumbing::look();
        assert_eq!(seen.before(&last).len(), 1);
        assert!(seen.before(&last)[0].may_be(&first));
        assert_eq!(seen.before(&first), []);
        assert!(seen.ends_quietly(&first) && seen.ends_quietly(&last));
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        drop(writer);
        assert!(!Plumbing::look().ends_quietly(&first), "nobody is seen");
    }
}

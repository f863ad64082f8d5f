//! What fails, and how: the plan that `preload.c` reads, and what it says of it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{read_to_string, remove_file, write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use nix::errno::Errno;

/// The kinds of calls, each with the ways in which it may fail. In the gate, that is the first of them, and less
/// than was asked for.
pub const KINDS: [(&str, &[How]); 20] = [
    ("open", &[How::Fails(Errno::EMFILE), How::Fails(Errno::ENOSPC), How::Fails(Errno::EINTR)]),
    ("list", &[How::Fails(Errno::EMFILE)]),
    ("mkdir", &[How::Fails(Errno::ENOSPC)]),
    ("rename", &[How::Fails(Errno::ENOSPC)]),
    ("link", &[How::Fails(Errno::EIO)]),
    ("sync", &[How::Fails(Errno::EIO), How::Fails(Errno::EINTR)]),
    ("truncate", &[How::Fails(Errno::ENOSPC)]),
    ("lock", &[How::Fails(Errno::ENOLCK), How::Fails(Errno::EINTR)]),
    ("read", &[How::Fails(Errno::EIO), How::Fails(Errno::EINTR), How::Short]),
    (
        "write",
        &[
            How::Fails(Errno::ENOSPC),
            How::From(Errno::ENOSPC),
            How::Fails(Errno::EINTR),
            How::Short,
        ],
    ),
    ("take", &[How::Fails(Errno::EIO), How::Fails(Errno::EINTR), How::Short]),
    ("give", &[How::Fails(Errno::EIO), How::Fails(Errno::EINTR), How::Short]),
    ("hear", &[How::Fails(Errno::ECONNRESET), How::Fails(Errno::EINTR), How::Short]),
    ("say", &[How::Fails(Errno::ECONNRESET), How::Fails(Errno::EINTR), How::Short]),
    ("connect", &[How::Fails(Errno::ECONNREFUSED), How::Fails(Errno::ETIMEDOUT)]),
    ("accept", &[How::Fails(Errno::EMFILE), How::Fails(Errno::EINTR)]),
    ("socket", &[How::Fails(Errno::EMFILE)]),
    ("pipe", &[How::Fails(Errno::EMFILE)]),
    ("spawn", &[How::Fails(Errno::EAGAIN)]),
    ("thread", &[How::Fails(Errno::EAGAIN)]),
];

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// With this error, once.
    Fails(Errno),
    /// With this error, and all that follow too.
    From(Errno),
    /// It does less than was asked for.
    Short,
    /// One bit of what was read is another.
    Flip,
    /// The process is killed in place of it.
    Kill,
}

impl How {
    /// Whether nobody may notice.
    pub fn makes_no_difference(self) -> bool {
        matches!(self, How::Short | How::Fails(Errno::EINTR))
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            How::Fails(error) => write!(f, "{error:?}"),
            How::From(error) => write!(f, "{error:?} from then on"),
            How::Short => write!(f, "short"),
            How::Flip => write!(f, "a flipped bit"),
            How::Kill => write!(f, "killed"),
        }
    }
}

/// A call that was noted.
#[derive(Debug)]
pub struct NotedCall {
    pub kind: String,
    /// What it was for; of two names, the new one.
    pub path: PathBuf,
}

/// A directory with the plan: what is to fail in the processes that have it in their environment.
pub struct Plan {
    directory: PathBuf,
}

impl Plan {
    /// In a directory that is there.
    pub fn new(directory: &Path) -> Plan {
        Plan { directory: directory.into() }
    }

    /// The `k`-th call of this kind fails, in the process of `program` that comes to it first.
    pub fn set(&self, program: &str, kind: &str, k: usize, how: How) {
        let how = match how {
            How::Fails(error) => format!("{}", error as i32),
            How::From(error) => format!("{} from", error as i32),
            How::Short => "short".to_string(),
            How::Flip => "flip".to_string(),
            How::Kill => "kill".to_string(),
        };
        self.write(&format!("{program} {kind} {k} {how}\n"));
    }

    /// Nothing fails in `program`, but its calls are noted.
    pub fn note(&self, program: &str) {
        self.write(&format!("{program} any 0 0\n"));
    }

    /// Nothing fails, and nothing is noted.
    pub fn nothing(&self) {
        self.note("nobody");
    }

    fn write(&self, line: &str) {
        for name in ["fired", "calls"] {
            let _ = remove_file(self.directory.join(name));
        }
        write(self.directory.join("plan"), line).unwrap();
    }

    /// What has failed: the call, and of what. None if it never came to that.
    pub fn fired(&self) -> Option<String> {
        let line = read_to_string(self.directory.join("fired")).ok()?;
        Some(line.trim().split_once(' ').unwrap().1.to_string())
    }

    /// The calls of each process as they were noted, in order.
    pub fn in_order(&self) -> Vec<Vec<NotedCall>> {
        let mut of_each: BTreeMap<String, Vec<NotedCall>> = BTreeMap::new();
        for line in read_to_string(self.directory.join("calls")).unwrap_or_default().lines() {
            let mut words = line.splitn(3, ' ').map(str::to_string);
            let mut next = || words.next().unwrap();
            let (process, kind, path) = (next(), next(), PathBuf::from(next()));
            of_each.entry(process).or_default().push(NotedCall { kind, path });
        }
        of_each.into_values().collect()
    }

    /// How many calls of each kind a process made at most, as they were noted.
    pub fn noted(&self) -> BTreeMap<String, usize> {
        let mut of_each: BTreeMap<(String, String), usize> = BTreeMap::new();
        for line in read_to_string(self.directory.join("calls")).unwrap_or_default().lines() {
            let mut words = line.split(' ').map(str::to_string);
            *of_each.entry((words.next().unwrap(), words.next().unwrap())).or_default() += 1;
        }
        let mut most = BTreeMap::new();
        for ((_, kind), count) in of_each {
            let found: &mut usize = most.entry(kind).or_default();
            *found = count.max(*found);
        }
        most
    }
}

/// The library that makes calls fail, built when it is first asked for.
pub fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("failpoints.so");
        let mut command = Command::new("cc");
        command.args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"]);
        command.arg(&to).arg(crate::support::repository("tests/failpoints/preload.c")).arg("-ldl");
        assert!(command.status().unwrap().success(), "the library is not built");
        to
    })
}

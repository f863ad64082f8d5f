//! The one error type of the library: what went wrong by meaning, with its place, and the exit
//! code that follows from it. It prints nothing and ends nothing; that is `cli`'s.

use std::fmt;
use std::io;
use std::path::Path;

/// What went wrong, by meaning. Each kind has one exit code (`mycloud(7)`, EXIT STATUS).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A command that the user gave failed: it exited badly or was killed.
    Command,
    /// The call itself is wrong: options, names, configuration, something that cannot be opened.
    Usage,
    /// The input is not what it claims to be.
    BadInput,
    /// Something is missing, or does not add up: an upstream failed, a count differs.
    Incomplete,
    /// Hosts cannot be reached.
    Hosts,
    /// Out of disk or memory, or the storage failed.
    Storage,
    /// A command ran longer than it may.
    Timeout,
    /// Stopped by this signal.
    Signal(i32),
    /// Nobody reads our standard output any more.
    StdoutClosed,
}

impl ErrorKind {
    /// The exit status of a tool that ends with this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorKind::Command => 1,
            ErrorKind::Usage => 2,
            ErrorKind::BadInput => 3,
            ErrorKind::Incomplete => 4,
            ErrorKind::Hosts => 5,
            ErrorKind::Storage => 6,
            ErrorKind::Timeout => 124,
            ErrorKind::Signal(signal) => 128u8.saturating_add(signal as u8),
            ErrorKind::StdoutClosed => 141,
        }
    }
}

/// An error: its kind and one line for a person, which names the place (file, host, record), the
/// reason and, where there is one, what to do.
///
/// There is no conversion from [`io::Error`]: an error without its place helps nobody.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    text: String,
    is_refusal: bool,
}

/// Why no process or thread can be started, where the system says that it is unavailable.
pub const NO_PROCESS: &str = "no more processes and threads are allowed here (see ulimit -u, and the \
     limit of the control group)";

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `kind` that says `text`.
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Error {
        Error(Box::new(Inner { kind, text: text.into(), is_refusal: false }))
    }

    /// A host cannot be used for a reason that lasts and is its user's to judge: its name, its key,
    /// the login, its shell, no place for the worker (exit 5).
    pub fn refusal(text: impl Into<String>) -> Error {
        let kind = ErrorKind::Hosts;
        Error(Box::new(Inner { kind, text: text.into(), is_refusal: true }))
    }

    /// The call is wrong (exit 2).
    pub fn usage(text: impl Into<String>) -> Error {
        Error::new(ErrorKind::Usage, text)
    }

    /// The input is wrong (exit 3).
    pub fn input(text: impl Into<String>) -> Error {
        Error::new(ErrorKind::BadInput, text)
    }

    /// Something is missing or does not add up (exit 4).
    pub fn incomplete(text: impl Into<String>) -> Error {
        Error::new(ErrorKind::Incomplete, text)
    }

    /// An operation of the system failed on `what` (a path, or words for a stream).
    ///
    /// A path that is not there, may not be opened or is of the wrong sort is the call's fault
    /// (exit 2); anything else, a full disk before all, is the storage's (exit 6). An [`Error`] that
    /// travelled inside `error`, through a decoder say, stays what it is.
    pub fn io(doing: &str, what: impl fmt::Display, error: &io::Error) -> Error {
        if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            return Error::new(inner.kind(), inner.to_string());
        }
        use io::ErrorKind as E;
        let kind = match error.kind() {
            E::NotFound
            | E::PermissionDenied
            | E::AlreadyExists
            | E::IsADirectory
            | E::NotADirectory
            | E::InvalidInput
            | E::ReadOnlyFilesystem
            | E::InvalidFilename => ErrorKind::Usage,
            _ => ErrorKind::Storage,
        };
        let reason = match (doing, error.kind()) {
            ("start" | "run", E::WouldBlock) => NO_PROCESS.to_string(),
            _ => reason(error),
        };
        Error::new(kind, format!("cannot {doing} {what}: {reason}"))
    }

    /// [`Error::io`] for a path.
    pub fn path(doing: &str, path: &Path, error: &io::Error) -> Error {
        Error::io(doing, path.display(), error)
    }

    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether it is an [`Error::refusal`], and not a host that is out of reach.
    pub fn is_refusal(&self) -> bool {
        self.0.is_refusal
    }

    /// The exit status that it means.
    pub fn exit_code(&self) -> u8 {
        self.0.kind.exit_code()
    }

    /// The same error with what to do about it behind.
    pub fn hint(mut self, hint: impl fmt::Display) -> Error {
        self.0.text = format!("{} {hint}", self.0.text);
        self
    }

    /// The same error with its place put in front: `place: text`.
    pub fn at(mut self, place: impl fmt::Display) -> Error {
        self.0.text = format!("{place}: {}", self.0.text);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl std::error::Error for Error {}

/// The system's reason in words, without Rust's "(os error N)".
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text[..end].to_string(),
        None => text,
    }
}

/// The error for a stream of another process that breaks the protocol.
pub fn broken(what: impl std::fmt::Display) -> Error {
    Error::incomplete(format!("the other side does not speak the protocol of this tool: {what}"))
}

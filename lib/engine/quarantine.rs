//! What becomes of the records that a command fails on (`--failed`): the stage fails, or they are
//! left out, counted, and kept with how the command failed. Which they are is found elsewhere
//! ([`bisect`](crate::command::bisect)).

use std::fs::File;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::command::CommandFault;
use crate::error::broken;
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::lock;
use crate::record::bad::Policy;
use crate::record::scan;

/// The policy at work.
#[derive(Debug)]
pub struct Quarantine {
    policy: Policy,
    count: AtomicU64,
    kept: Option<Mutex<File>>,
}

/// What is kept behind a record, in one object with it, a line each: `jq -c .record` makes records
/// of these again.
#[derive(Serialize)]
struct Kept<'a> {
    host: &'a str,
    task: u64,
    #[serde(flatten)]
    fault: &'a CommandFault,
}

impl Quarantine {
    /// Ready to judge by `policy`.
    ///
    /// # Errors
    /// When the file to keep records in cannot be made.
    pub fn new(policy: Policy) -> Result<Quarantine> {
        let kept = match &policy {
            Policy::File(path) => {
                Some(Mutex::new(File::create(path).map_err(|e| Error::path("write", path, &e))?))
            }
            _ => None,
        };
        Ok(Quarantine { policy, count: AtomicU64::new(0), kept })
    }

    /// The first failure is the stage's.
    pub fn none() -> Quarantine {
        Quarantine { policy: Policy::Fail, count: AtomicU64::new(0), kept: None }
    }

    /// As by `policy`, where nothing runs and no file is made.
    pub fn unopened(policy: Policy) -> Quarantine {
        Quarantine { policy, count: AtomicU64::new(0), kept: None }
    }

    /// What is done.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether the records are to be looked for that a command fails on.
    pub fn is_on(&self) -> bool {
        self.policy != Policy::Fail
    }

    /// How many records were left out.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Takes a record that the command failed on, in task `task` on `host`.
    ///
    /// # Errors
    /// `Command` or `Timeout` when there are too many; when it cannot be kept; `Incomplete` when
    /// nobody looked for such records, or it is none.
    pub(crate) fn take(
        &self,
        host: &str,
        task: u64,
        fault: &CommandFault,
        record: &[u8],
    ) -> Result<()> {
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        match &self.policy {
            Policy::Fail => Err(broken("a record left out that was not to be")),
            Policy::Limit(most) if before >= *most => {
                let kind = if fault.timeout { ErrorKind::Timeout } else { ErrorKind::Command };
                let text = format!("the command fails on more than {most} records (--failed)");
                Err(Error::new(kind, text))
            }
            Policy::Skip | Policy::Limit(_) => Ok(()),
            Policy::File(path) => {
                scan::check(record).map_err(|_| broken("a record left out that is none"))?;
                let rest = serde_json::to_vec(&Kept { host, task, fault });
                let rest = rest.map_err(|e| Error::incomplete(e.to_string()))?;
                let begin = b"{\"record\":".as_slice();
                let line = [begin, record.trim_ascii(), b",", &rest[1..], b"\n"].concat();
                let Some(file) = &self.kept else { return Ok(()) };
                let mut file = lock(file);
                file.write_all(&line).map_err(|e| Error::path("write", path, &e))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_kept_with_their_faults() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("failed");
        let quarantine = Quarantine::new(Policy::File(path.clone())).unwrap();
        let fault =
            CommandFault { status: Some(3), stderr: vec!["why".into()], ..CommandFault::default() };
        quarantine.take("n1", 7, &fault, b"{\"a\": 1.0}").unwrap();
        let fault = CommandFault { signal: Some("SIGSEGV".into()), ..CommandFault::default() };
        quarantine.take(":", 8, &fault, b" \"x\"").unwrap();
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            "{\"record\":{\"a\": 1.0},\"host\":\"n1\",\"task\":7,\"status\":3,\"stderr\":[\"why\"]}\n\
             {\"record\":\"x\",\"host\":\":\",\"task\":8,\"signal\":\"SIGSEGV\",\"stderr\":[]}\n"
        );
        assert!(quarantine.is_on() && quarantine.count() == 2);
    }

    #[test]
    fn too_many_are_an_error_and_none_was_asked_for() {
        let limited = Quarantine::new(Policy::Limit(1)).unwrap();
        let slow = CommandFault { timeout: true, ..CommandFault::default() };
        limited.take(":", 1, &slow, b"1").unwrap();
        assert_eq!(limited.take(":", 1, &slow, b"1").unwrap_err().exit_code(), 124);
        let error = limited.take(":", 1, &CommandFault::default(), b"1").unwrap_err();
        assert_eq!(
            (error.exit_code(), error.to_string().contains("more than 1 record")),
            (1, true)
        );
        let none = Quarantine::none();
        assert!(!none.is_on());
        assert_eq!(none.take("n1", 1, &slow, b"1").unwrap_err().exit_code(), 4);
    }
}

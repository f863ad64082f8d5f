//! How many of its hosts a stage must have, and which may be missing.

use crate::error::{Error, ErrorKind, Result};

/// How many hosts a message names.
const NAMED_MAX: usize = 10;

/// How many of its hosts a stage must have.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// So many at least.
    pub least: usize,
    /// Which of the others may be missing.
    pub missing: MissingHosts,
}

/// Which hosts may be missing. One that has no room is always left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingHosts {
    /// None.
    None,
    /// Those that are out of reach, but none that is not to be used as it is: that is for its user to
    /// cure, and where nobody hears of it, it is never cured.
    OutOfReach,
    /// Any.
    Any,
}

impl Need {
    /// All of `hosts`: what each of them has is wanted.
    pub fn each(hosts: usize) -> Need {
        Need { least: hosts, missing: MissingHosts::None }
    }

    /// Of `hosts`, which are to work on what is given to them: `least` where the user says so, else
    /// half of them, or as many as hold the copies of a shard where it has `copies`.
    ///
    /// # Errors
    /// `Usage` when there are fewer.
    pub fn among(least: Option<usize>, copies: usize, hosts: usize) -> Result<Need> {
        if let Some(least) = least.filter(|least| *least > hosts) {
            return Err(Error::usage(format!(
                "--min-hosts {least} needs as many hosts, not {hosts}"
            )));
        }
        let (usual, missing) = match copies {
            0 | 1 => (hosts.div_ceil(2), MissingHosts::OutOfReach),
            _ => (copies, MissingHosts::Any),
        };
        Ok(match least {
            Some(least) => Need { least: least.max(copies), missing: MissingHosts::Any },
            None => Need { least: usual, missing },
        })
    }

    /// Those that are there, if any are.
    pub fn those_there() -> Need {
        Need { least: 1, missing: MissingHosts::Any }
    }

    /// Whether it is met by `there` hosts, beside `full` ones that have no room.
    pub(super) fn is_met(self, there: usize, full: usize) -> bool {
        match self.missing {
            MissingHosts::OutOfReach => there > 0 && there + full >= self.least,
            MissingHosts::None | MissingHosts::Any => there >= self.least,
        }
    }

    /// Whether the host that `error` is about may be missing.
    pub(super) fn allows(self, error: &Error) -> bool {
        match (error.kind(), self.missing) {
            (ErrorKind::Storage, _) | (_, MissingHosts::Any) => true,
            (ErrorKind::Hosts, MissingHosts::OutOfReach) => !error.is_refusal(),
            (_, MissingHosts::OutOfReach | MissingHosts::None) => false,
        }
    }

    /// That only `there` of `hosts` hosts are there, for the reasons in `missing`.
    pub(super) fn too_few(self, there: usize, hosts: usize, mut missing: Vec<Error>) -> Error {
        if hosts == 1 && missing.len() == 1 {
            return missing.swap_remove(0);
        }
        let full = missing.iter().all(|error| error.kind() == ErrorKind::Storage);
        let whys: Vec<String> = missing.iter().map(ToString::to_string).collect();
        let whys = some_of(&whys);
        let text = match there {
            0 => format!("of {hosts} hosts none can be worked on: {whys}"),
            _ => format!("of {hosts} hosts {there} can be worked on, not {}: {whys}", self.least),
        };
        let hint = match there > 0 && self.missing == MissingHosts::OutOfReach && !full {
            true => format!("; --min-hosts {there} goes on with what is there"),
            false => String::new(),
        };
        let text = text + &hint;
        Error::new(if full { ErrorKind::Storage } else { ErrorKind::Hosts }, text)
    }
}

/// The first of some reasons.
pub(super) fn some_of(whys: &[String]) -> String {
    let more = whys.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{more}", whys[..whys.len().min(NAMED_MAX)].join("; "))
}

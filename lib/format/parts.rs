//! Several outputs at once, numbered: `csv:out-%03d.csv`. They are published together at the end: all
//! of them, or none.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use nix::sys::resource::{Resource as Limited, getrlimit, setrlimit};

use super::ledger::Ledger;
use super::place::ResourcePlace;
use super::resource::Resource;
use super::{Sink, WriteOptions, write};
use crate::error::{Error, Result};
use crate::record::stream::Facts;

/// The most outputs at once.
pub const MOST_PARTS: usize = 1 << 16;

/// How many files are open beside the outputs, generously.
const OTHER_FILES: u64 = 64;

/// The widest number that a name may ask for.
const MOST_DIGITS: usize = 20;

/// Outputs numbered from 0.
pub struct Parts {
    sinks: Vec<Box<dyn Sink>>,
    ledger: Ledger,
}

impl Parts {
    /// Begins `count` outputs: the number of each takes the place of `%d` (`%03d` for three
    /// digits at least) in the path of `resource`; `%%` is a percent sign.
    ///
    /// # Errors
    /// When the path has no place for a number, or an output cannot begin.
    pub fn create(resource: &Resource, count: usize, options: &WriteOptions) -> Result<Parts> {
        if count > MOST_PARTS {
            return Err(too_many(count));
        }
        allow_files(count as u64 + OTHER_FILES)?;
        let ledger = options.ledger.together();
        let options = WriteOptions { ledger: ledger.clone(), ..options.clone() };
        let mut sinks = Vec::with_capacity(count);
        for number in 0..count {
            sinks.push(write::create(&numbered(resource, number)?, &options)?);
        }
        Ok(Parts { sinks, ledger })
    }

    /// How many outputs there are.
    pub fn count(&self) -> usize {
        self.sinks.len()
    }

    /// Hears what is known of the records.
    ///
    /// # Errors
    /// As [`Sink::declare`].
    pub fn declare(&mut self, facts: &Facts) -> Result<()> {
        self.sinks.iter_mut().try_for_each(|sink| sink.declare(facts))
    }

    /// Takes records for the output with this number.
    ///
    /// # Errors
    /// As [`Sink::write`].
    pub fn write(&mut self, part: usize, records: &[u8]) -> Result<()> {
        match self.sinks.get_mut(part) {
            Some(sink) if !records.is_empty() => sink.write(records),
            _ => Ok(()),
        }
    }

    /// Publishes all outputs.
    ///
    /// # Errors
    /// As [`Sink::finish`]; before the first is published, all have all that they need.
    pub fn finish(mut self) -> Result<()> {
        self.sinks.iter_mut().try_for_each(|sink| sink.prepare())?;
        self.sinks.into_iter().try_for_each(|sink| sink.finish())?;
        self.ledger.publish_all()
    }
}

/// Checks, where nothing is to be written, that `resource` can be written, or its first one where it is
/// `count` outputs.
///
/// # Errors
/// As [`Parts::create`] and [`write::create`].
pub fn check(resource: &Resource, count: Option<usize>, options: &WriteOptions) -> Result<()> {
    match count {
        None => write::check(resource, options),
        Some(count) if count > MOST_PARTS => Err(too_many(count)),
        Some(_) => write::check(&numbered(resource, 0)?, options),
    }
}

fn too_many(count: usize) -> Error {
    Error::usage(format!("-n {count}: no more than {MOST_PARTS} outputs"))
}

/// Whether the path of a resource has a place for a number.
pub fn is_numbered(resource: &Resource) -> bool {
    match &resource.place {
        ResourcePlace::Path(path) | ResourcePlace::Client(path) => {
            matches!(substitute(path.as_os_str().as_bytes(), 0), Ok((_, 1)))
        }
        ResourcePlace::Object(address) => {
            matches!(substitute(address.key.as_bytes(), 0), Ok((_, 1)))
        }
        _ => false,
    }
}

fn numbered(resource: &Resource, number: usize) -> Result<Resource> {
    let refused = |why: &str| Error::usage(format!("{resource}: {why}"));
    let name = match &resource.place {
        ResourcePlace::Path(path) | ResourcePlace::Client(path) => path.as_os_str().as_bytes(),
        ResourcePlace::Object(address) => address.key.as_bytes(),
        _ => return Err(refused("several outputs (-n) need a path with %d in it")),
    };
    match substitute(name, number) {
        Ok((name, 1)) => {
            let path = |name| PathBuf::from(OsString::from_vec(name));
            let place = match &resource.place {
                ResourcePlace::Client(_) => ResourcePlace::Client(path(name)),
                ResourcePlace::Object(address) => {
                    let key = String::from_utf8_lossy(&name).into_owned();
                    ResourcePlace::Object(address.with_key(key))
                }
                _ => ResourcePlace::Path(path(name)),
            };
            Ok(Resource::new(resource.spec.clone(), place))
        }
        Ok((_, 0)) => Err(refused("several outputs (-n) need %d in the name")),
        Ok(_) => Err(refused("there are two %d in the name")),
        Err(why) => Err(refused(why)),
    }
}

/// Puts `number` in place of each `%d` or `%0Nd`, and `%` in place of `%%`; counts the numbers.
fn substitute(name: &[u8], number: usize) -> std::result::Result<(Vec<u8>, usize), &'static str> {
    let (mut out, mut count) = (Vec::new(), 0);
    let mut rest = name;
    while let Some(at) = memchr::memchr(b'%', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let width = match std::str::from_utf8(&rest[..digits]) {
            Ok("") => 0,
            Ok(text) if text.starts_with('0') => text.parse().unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        match rest.get(digits) {
            Some(b'd') if width <= MOST_DIGITS => {
                out.extend_from_slice(format!("{number:0width$}").as_bytes());
                count += 1;
            }
            Some(b'%') if digits == 0 => out.push(b'%'),
            _ => return Err("after % in a numbered name comes d, 0Nd (as in %03d) or %"),
        }
        rest = &rest[digits + 1..];
    }
    out.extend_from_slice(rest);
    Ok((out, count))
}

/// Raises the number of files that may be open, where it is too low and that is allowed.
fn allow_files(wanted: u64) -> Result<()> {
    let failed = |e: nix::errno::Errno| Error::io("open", "so many files", &e.into());
    let (soft, hard) = getrlimit(Limited::RLIMIT_NOFILE).map_err(failed)?;
    if wanted <= soft {
        return Ok(());
    }
    if wanted > hard {
        return Err(Error::usage(format!(
            "so many outputs need {wanted} open files, and {hard} are allowed (ulimit -n)"
        )));
    }
    setrlimit(Limited::RLIMIT_NOFILE, wanted, hard).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_the_place_of_percent_d() {
        let name = |pattern: &str| {
            substitute(pattern.as_bytes(), 7).map(|(n, c)| (String::from_utf8(n).unwrap(), c))
        };
        assert_eq!(name("a-%d.csv"), Ok(("a-7.csv".into(), 1)));
        assert_eq!(name("%%-%03d"), Ok(("%-007".into(), 1)));
        assert_eq!(name("plain"), Ok(("plain".into(), 0)));
        assert_eq!(name("%d%d"), Ok(("77".into(), 2)));
        for bad in ["%", "%s", "%3d", "%0999d", "%-3d", "%03"] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}

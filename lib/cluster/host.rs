//! One host, as a user names it. What could be an option, or something for a shell, is none.

use std::fmt;
use std::net::Ipv6Addr;

use crate::error::{Error, Result};

/// The most slots that a host has.
pub const SLOTS_MAX: u32 = 1024;

/// The longest name of a host, and of a user, in bytes.
pub(super) const NAME_MAX: usize = 255;

/// The longest number, in digits.
const DIGITS_MAX: usize = 9;

/// A result, or why there is none, to be put behind the word.
pub(super) type OrReason<T> = std::result::Result<T, String>;

/// A host of a list of hosts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    /// How many slots it has, where the list says so.
    pub slots: Option<u32>,
    /// The user to log in as, where the list says so.
    pub user: Option<String>,
    /// The name, address or alias; empty for this machine without ssh (`:`).
    pub name: String,
    /// The port, where the list says so.
    pub port: Option<u16>,
}

impl Host {
    /// This machine, reached without ssh.
    pub fn local() -> Host {
        Host { slots: None, user: None, name: String::new(), port: None }
    }

    /// Whether it is this machine, reached without ssh.
    pub fn is_local(&self) -> bool {
        self.name.is_empty()
    }

    /// The host of a word of a list, without ranges: `[SLOTS/][USER@]NAME[:PORT]`.
    pub(super) fn of_word(word: &str) -> OrReason<Host> {
        let (slots, rest) = match word.split_once('/') {
            Some((digits, rest)) => (Some(slots(digits)?), rest),
            None => (None, word),
        };
        if rest == ":" {
            return Ok(Host { slots, ..Host::local() });
        }
        if rest.is_empty() {
            return Err("it has no name".into());
        }
        // A login name may hold an @ itself.
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        if let Some(user) = user {
            check(user, "user", "._@-")?;
        }
        let (name, port) = address(rest)?;
        Ok(Host {
            slots,
            user: user.map(Into::into),
            name,
            port: port.map(port_number).transpose()?,
        })
    }
}

/// The name of a host of a run, as messages have it: `:` says little to a reader.
pub fn shown(name: &str) -> String {
    match name.strip_prefix(':') {
        Some(rest) if rest.is_empty() || rest.starts_with('#') => format!("localhost{rest}"),
        _ => name.into(),
    }
}

/// The host as a list of hosts names it, without its slots.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_local() {
            return f.write_str(":");
        }
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.port {
            Some(port) if self.name.contains(':') => write!(f, "[{}]:{port}", self.name),
            Some(port) => write!(f, "{}:{port}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Reads a word of a list of hosts, one without ranges; so what [`Host`] displays.
impl std::str::FromStr for Host {
    type Err = Error;

    fn from_str(word: &str) -> Result<Host> {
        Host::of_word(word).map_err(|why| Error::usage(format!("{word:?} is no host: {why}")))
    }
}

/// The name or address, checked, and the text of the port behind it.
fn address(text: &str) -> OrReason<(String, Option<&str>)> {
    if let Some(inside) = text.strip_prefix('[') {
        let (name, behind) = inside.split_once(']').ok_or("a '[' without its ']'")?;
        check_ipv6(name)?;
        return match behind.strip_prefix(':') {
            Some(port) => Ok((name.into(), Some(port))),
            None if behind.is_empty() => Ok((name.into(), None)),
            None => Err("behind the ']' stands :PORT or nothing".into()),
        };
    }
    match text.split_once(':') {
        Some((_, behind)) if behind.contains(':') => {
            check_ipv6(text)?;
            Ok((text.into(), None))
        }
        Some((name, port)) => {
            check(name, "name", "._-")?;
            Ok((name.into(), Some(port)))
        }
        None => {
            check(text, "name", "._-")?;
            Ok((text.into(), None))
        }
    }
}

/// Refuses what is no word of letters, digits and `more`, or begins with anything but the first two
/// and `_`: ssh might take it for an option, or hand it to a shell.
fn check(word: &str, what: &str, more: &str) -> OrReason<()> {
    let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match word.chars().next() {
        None => return Err(format!("it has no {what}")),
        Some(c) if !first(c) => return Err(format!("its {what} begins with {c:?}")),
        _ if word.len() > NAME_MAX => {
            return Err(format!("its {what} is longer than {NAME_MAX} bytes"));
        }
        _ => (),
    }
    match word.chars().find(|c| !first(*c) && !more.contains(*c)) {
        Some(c) => Err(format!("its {what} holds {c:?}")),
        None => Ok(()),
    }
}

/// Refuses what is no address of IP version 6, with or without a zone.
fn check_ipv6(text: &str) -> OrReason<()> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    if address.parse::<Ipv6Addr>().is_err() {
        return Err("it has more than one ':' and is no IPv6 address".into());
    }
    zone.map_or(Ok(()), |zone| check(zone, "zone", "._-"))
}

fn slots(digits: &str) -> OrReason<u32> {
    let slots = number(digits).and_then(|number| u32::try_from(number).ok());
    slots
        .filter(|slots| (1..=SLOTS_MAX).contains(slots))
        .ok_or_else(|| format!("before the '/' stands its number of slots, from 1 to {SLOTS_MAX}"))
}

fn port_number(digits: &str) -> OrReason<u16> {
    let port = number(digits).and_then(|number| u16::try_from(number).ok());
    port.filter(|port| *port > 0)
        .ok_or_else(|| "behind the ':' stands its port, from 1 to 65535".into())
}

/// A number that is written with digits alone.
pub(super) fn number(digits: &str) -> Option<u64> {
    let plain = (1..=DIGITS_MAX).contains(&digits.len());
    let plain = plain && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_this_machine() {
        let names = [":", ":#2", "n1", "::1", "bob@n1:22#2"].map(shown);
        assert_eq!(names, ["localhost", "localhost#2", "n1", "::1", "bob@n1:22#2"]);
    }

    #[test]
    fn words_come_back() {
        for word in
            [":", "n1", "bob@n1:2222", "::1", "[::1]:22", "fe80::1%eth0", "a@[::1]:9", "_x.y-z"]
        {
            assert_eq!(word.parse::<Host>().unwrap().to_string(), word);
        }
        for word in [
            "", "-x", "a b", "a;b", "$(x)", "a@", "@a", "a:0", "a:99999", "[::1", "a:x", "-o@b",
            "a\n",
        ] {
            assert_eq!(word.parse::<Host>().unwrap_err().exit_code(), 2, "{word}");
        }
    }
}

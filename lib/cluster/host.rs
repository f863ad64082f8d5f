//! One host, as a user names it.

use std::fmt;

use crate::error::{Error, Result};

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

/// Reads what [`Host`] displays: one host, without slots.
impl std::str::FromStr for Host {
    type Err = Error;

    fn from_str(word: &str) -> Result<Host> {
        let refuse = |why: &str| Error::usage(format!("'{word}' is no host: {why}"));
        if word == ":" {
            return Ok(Host::local());
        }
        let (user, place) = match word.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, word),
        };
        let (name, port) = match place.strip_prefix('[') {
            Some(rest) => match rest.split_once(']') {
                Some((name, "")) => (name, None),
                Some((name, port)) => (name, Some(port.strip_prefix(':').unwrap_or("?"))),
                None => return Err(refuse("its [ has no ]")),
            },
            // More than one colon is an IPv6 address.
            None => match place.split_once(':') {
                Some((name, port)) if !port.contains(':') => (name, Some(port)),
                _ => (place, None),
            },
        };
        let is_sound = |text: &str, more: &str| {
            let first = text.bytes().next();
            first.is_some_and(|b| {
                b.is_ascii_alphanumeric() || b == b'_' || more.contains(char::from(b))
            }) && text.bytes().all(|b| {
                b.is_ascii_alphanumeric() || b"._-".contains(&b) || more.contains(char::from(b))
            })
        };
        // An IPv6 address begins with a colon, may be.
        if !is_sound(name, if name.contains(':') { ":%" } else { "" }) {
            return Err(refuse("names hold letters, digits, '.', '_' and '-'"));
        }
        if user.is_some_and(|user| !is_sound(user, "")) {
            return Err(refuse("users hold letters, digits, '.', '_' and '-'"));
        }
        let port = match port.map(str::parse) {
            None => None,
            Some(Ok(port)) if port > 0 => Some(port),
            Some(_) => return Err(refuse("ports are numbers from 1 to 65535")),
        };
        Ok(Host { slots: None, user: user.map(Into::into), name: name.into(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

//! One host, as a user names it.

use std::fmt;

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

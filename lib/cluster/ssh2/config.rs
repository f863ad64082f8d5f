//! What the user's ssh configuration means for one host: asked of `ssh -G`, which knows, never read
//! from the files.
//!
//! It also tells which hosts need the ssh program itself. It connects to nothing.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cluster::program::whereto;
use crate::cluster::ssh2::known_hosts;
use crate::cluster::{Host, Settings};
use crate::error::{Error, Result};
use crate::record::harmless::harmless;

/// The identities of a user without configuration, in ssh's order.
const IDENTITIES: [&str; 3] = ["~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519"];

/// The files of known hosts of a user without configuration.
const KNOWN_HOSTS: &str = "userknownhostsfile ~/.ssh/known_hosts ~/.ssh/known_hosts2\n\
     globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2\n";

/// Options that only the ssh program itself can serve, when they are set at all.
const PROGRAM_IF_SET: [(&str, &str); 9] = [
    ("proxycommand", "ProxyCommand"),
    ("proxyjump", "ProxyJump"),
    ("certificatefile", "CertificateFile"),
    ("pkcs11provider", "PKCS11Provider"),
    ("knownhostscommand", "KnownHostsCommand"),
    ("bindaddress", "BindAddress"),
    ("bindinterface", "BindInterface"),
    ("setenv", "SetEnv"),
    ("revokedhostkeys", "RevokedHostKeys"),
];

/// Options that only the ssh program itself can serve, when they have this value.
const PROGRAM_IF: [(&str, &str, &str); 4] = [
    ("compression", "yes", "Compression"),
    ("hostbasedauthentication", "yes", "HostbasedAuthentication"),
    ("pubkeyauthentication", "no", "PubkeyAuthentication"),
    ("verifyhostkeydns", "true", "VerifyHostKeyDNS"),
];

/// Options of newer programs that would keep a command from running, and the values that do not.
const TAMED: [(&str, &str); 3] = [
    ("forkafterauthentication", "ForkAfterAuthentication=no"),
    ("sessiontype", "SessionType=default"),
    ("stdinnull", "StdinNull=no"),
];

/// The configuration of one host.
#[derive(Debug)]
pub(crate) struct SshConfig {
    values: Vec<(String, String)>,
    home: Option<PathBuf>,
}

impl SshConfig {
    /// Asks `ssh -G` what the configuration means for `host`; none without an ssh program.
    ///
    /// # Errors
    /// `Usage` when ssh cannot make sense of it.
    pub(in crate::cluster) fn ask(host: &Host, settings: &Settings) -> Result<Option<SshConfig>> {
        let mut command = Command::new("ssh");
        command.args(["-T", "-G"]).args(whereto(host, settings)).stdin(Stdio::null());
        match command.output() {
            Ok(output) if output.status.success() => {
                let text = String::from_utf8_lossy(&output.stdout);
                Ok(Some(SshConfig::parse(&text, settings)))
            }
            Ok(output) => {
                let said = harmless(&output.stderr);
                Err(Error::usage(format!("{host}: ssh -G says: {said}")))
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("run", "ssh -G", &e).at(host)),
        }
    }

    /// What holds for `host` where there is no ssh program, and so no configuration.
    pub(in crate::cluster) fn usual(host: &Host, login: &str, settings: &Settings) -> SshConfig {
        let port = host.port.unwrap_or(known_hosts::PORT);
        let user = host.user.as_deref().unwrap_or(login);
        let mut text = format!("hostname {}\nport {port}\nuser {user}\n{KNOWN_HOSTS}", host.name);
        IDENTITIES.iter().for_each(|path| text.push_str(&format!("identityfile {path}\n")));
        SshConfig::parse(&text, settings)
    }

    pub(crate) fn parse(text: &str, settings: &Settings) -> SshConfig {
        let values = text.lines().filter_map(|line| {
            let (key, value) = line.trim().split_once(' ')?;
            Some((key.to_ascii_lowercase(), value.trim().to_string()))
        });
        SshConfig { values: values.collect(), home: settings.home.clone() }
    }

    /// The value of an option that is set.
    fn value(&self, key: &str) -> Option<&str> {
        let mut of_key = self.values.iter().filter(|(name, _)| name == key);
        of_key.next().map(|(_, value)| value.as_str()).filter(|value| *value != "none")
    }

    /// Why the host needs the ssh program itself, if it does.
    pub(crate) fn needs_program(&self) -> Option<&'static str> {
        let set = PROGRAM_IF_SET.iter().find(|(key, _)| self.value(key).is_some());
        let like = PROGRAM_IF.iter().find(|(key, value, _)| self.value(key) == Some(value));
        let certificate = || {
            let beside = |path: &PathBuf| {
                let mut name = path.clone().into_os_string();
                name.push("-cert.pub");
                Path::new(&name).exists()
            };
            self.identities().iter().any(beside).then_some("certificate")
        };
        let agent = || self.value("identityagent")?.starts_with('$').then_some("IdentityAgent");
        set.map(|(_, name)| *name)
            .or(like.map(|(_, _, name)| *name))
            .or_else(certificate)
            .or_else(agent)
    }

    /// What this program must be told beside what every ssh program is.
    pub(crate) fn tamed(&self) -> Vec<&'static str> {
        let known = |key: &str| self.values.iter().any(|(name, _)| name == key);
        TAMED.iter().filter(|(key, _)| known(key)).map(|(_, option)| *option).collect()
    }

    /// The name or address to connect to.
    pub(crate) fn host_name(&self) -> &str {
        self.value("hostname").unwrap_or_default()
    }

    /// The port to connect to.
    pub(crate) fn port(&self) -> u16 {
        self.value("port").and_then(|port| port.parse().ok()).unwrap_or(known_hosts::PORT)
    }

    /// The user to log in as.
    pub(crate) fn user(&self) -> &str {
        self.value("user").unwrap_or_default()
    }

    /// The names by which the host's key is known: its full name, and the one without a port.
    pub(crate) fn key_names(&self) -> (String, String) {
        match self.value("hostkeyalias") {
            Some(alias) => {
                let alias = known_hosts::file_name(alias, known_hosts::PORT);
                (alias.clone(), alias)
            }
            None => (
                known_hosts::file_name(self.host_name(), self.port()),
                known_hosts::file_name(self.host_name(), known_hosts::PORT),
            ),
        }
    }

    /// The files of known hosts.
    pub(crate) fn known_hosts_files(&self) -> Vec<PathBuf> {
        let files = ["userknownhostsfile", "globalknownhostsfile"];
        let files = files.iter().filter_map(|key| self.value(key));
        files.flat_map(|files| files.split(' ')).filter_map(|path| self.expand(path)).collect()
    }

    /// The files of the user's keys.
    pub(crate) fn identities(&self) -> Vec<PathBuf> {
        let of_key = self.values.iter().filter(|(name, _)| name == "identityfile");
        of_key.filter_map(|(_, path)| self.expand(path)).collect()
    }

    /// Whether the agent's keys count only where they are among [`SshConfig::identities`].
    pub(crate) fn identities_only(&self) -> bool {
        self.value("identitiesonly") == Some("yes")
    }

    /// The socket of the agent to ask, `usual` being the user's.
    pub(crate) fn agent(&self, usual: Option<&Path>) -> Option<PathBuf> {
        let named = self.values.iter().find(|(name, _)| name == "identityagent");
        match named.map(|(_, value)| value.as_str()) {
            None | Some("SSH_AUTH_SOCK") => usual.map(Path::to_path_buf),
            Some("none") => None,
            Some(path) => self.expand(path),
        }
    }

    /// Which addresses are wanted: any, or those of one family, `inet` or `inet6`.
    pub(crate) fn family(&self) -> &str {
        self.value("addressfamily").unwrap_or("any")
    }

    /// A list of algorithms, where the program knows one: `ciphers`, `macs`, `kexalgorithms`,
    /// `hostkeyalgorithms`.
    pub(crate) fn algorithms(&self, key: &str) -> Option<Vec<&str>> {
        self.value(key).map(|list| list.split(',').collect())
    }

    /// A path with `~` and the tokens that name the login filled in; none when it has others.
    fn expand(&self, path: &str) -> Option<PathBuf> {
        let home = || self.home.as_deref().and_then(Path::to_str);
        let path = match path.strip_prefix("~/") {
            Some(rest) => format!("{}/{rest}", home()?),
            None => path.to_string(),
        };
        let mut parts = path.split('%');
        let mut whole = parts.next().unwrap_or_default().to_string();
        while let Some(part) = parts.next() {
            let mut chars = part.chars();
            match chars.next() {
                Some('d') => whole.push_str(home()?),
                Some('h') => whole.push_str(self.host_name()),
                Some('p') => whole.push_str(&self.port().to_string()),
                Some('r') => whole.push_str(self.user()),
                None => {
                    whole.push('%');
                    whole.push_str(parts.next()?);
                }
                Some(_) => return None,
            }
            whole.push_str(chars.as_str());
        }
        Some(PathBuf::from(whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn config(text: &str) -> SshConfig {
        let settings = Settings {
            worker: Arc::new(crate::cluster::WorkerBinary::new("w".into())),
            library: None,
            ssh: None,
            ssh_config: None,
            environment: Vec::new(),
            home: Some("/h".into()),
            agent: None,
            say: Arc::new(|_| {}),
            explain: Arc::new(|_| {}),
        };
        SshConfig::parse(text, &settings)
    }

    #[test]
    fn what_ssh_says_is_understood() {
        let config = config(
            "host n1\nuser bob\nhostname 10.0.0.1\nport 2222\naddressfamily inet\n\
             identitiesonly yes\nhostkeyalias N1\nproxycommand none\n\
             identityfile ~/.ssh/a b\nidentityfile %d/%r@%h:%p%%\nidentityfile /%C\n\
             userknownhostsfile /k1 ~/k2\nglobalknownhostsfile none\n\
             ciphers a,b\nidentityagent none\nsessiontype none\n",
        );
        assert_eq!((config.user(), config.host_name(), config.port()), ("bob", "10.0.0.1", 2222));
        let identities = [PathBuf::from("/h/.ssh/a b"), "/h/bob@10.0.0.1:2222%".into()];
        assert_eq!(config.identities(), identities);
        assert_eq!(config.known_hosts_files(), [PathBuf::from("/k1"), "/h/k2".into()]);
        assert_eq!(config.key_names(), ("n1".into(), "n1".into()));
        assert_eq!(config.algorithms("ciphers"), Some(vec!["a", "b"]));
        assert_eq!((config.family(), config.identities_only()), ("inet", true));
        assert_eq!(config.agent(Some(Path::new("/agent"))), None);
        assert_eq!(config.needs_program(), None);
        assert_eq!(config.tamed(), ["SessionType=default"]);
    }

    #[test]
    fn what_is_not_said_is_usual() {
        let empty = config("hostname N1\n");
        assert_eq!(empty.agent(Some(Path::new("/agent"))), Some("/agent".into()));
        assert_eq!(empty.key_names(), ("n1".into(), "n1".into()));
        assert_eq!(config("hostname n1\nport 7\n").key_names(), ("[n1]:7".into(), "n1".into()));
        assert_eq!((empty.family(), empty.identities_only()), ("any", false));
        assert_eq!(empty.tamed(), Vec::<&str>::new());
        let agent = config("identityagent ~/a\n").agent(None);
        assert_eq!(agent, Some("/h/a".into()));
    }

    #[test]
    fn what_only_the_program_can_serve_is_named() {
        for (text, name) in [
            ("proxycommand nc %h %p", "ProxyCommand"),
            ("proxyjump j", "ProxyJump"),
            ("certificatefile /c", "CertificateFile"),
            ("hostbasedauthentication yes", "HostbasedAuthentication"),
            ("pubkeyauthentication no", "PubkeyAuthentication"),
            ("identityagent $OTHER", "IdentityAgent"),
        ] {
            assert_eq!(config(text).needs_program(), Some(name));
        }
        assert_eq!(config("compression no\ngssapiauthentication yes\n").needs_program(), None);
    }

    #[test]
    fn a_certificate_beside_a_key_needs_the_program() {
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("key");
        std::fs::write(directory.path().join("key-cert.pub"), "").unwrap();
        let config = config(&format!("identityfile {}\n", key.display()));
        assert_eq!(config.needs_program(), Some("certificate"));
    }
}

//! Hosts: those that the user's ssh knows by name, and files of them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::offer::Offer;
use super::resources;
use super::typed::TypedLine;
use crate::cli::surroundings::variable;

/// How much of a file is read, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// How many files of a configuration are read.
const FILES_MAX: usize = 32;

/// Hosts that the list `typed` may end with.
pub(super) fn hosts(typed: &str, line: &TypedLine) -> Vec<Offer> {
    let cut = typed.rfind([',', '/', '@']).map_or(0, |at| at + 1);
    let before = &typed[..cut];
    let mut offers: Vec<Offer> =
        names(line).into_iter().map(|name| Offer::open(name).behind(before)).collect();
    if before.is_empty() || before.ends_with([',', '/']) {
        offers.push(Offer::open(format!("{before}:")).about("this machine"));
    }
    if before.is_empty() || before == "@" {
        offers.push(Offer::whole("@".into()).about("$MC_HOSTS or ~/.config/mycloud/hosts"));
        offers.push(Offer::whole("@job".into()).about("the hosts of a job of Slurm or PBS"));
    }
    if !typed.contains(',') {
        offers.extend(resources::files(typed, |_| true));
    }
    offers
}

/// The names that ssh's configuration and its lists of known hosts, and the user's list of hosts, have.
fn names(line: &TypedLine) -> Vec<String> {
    let home = variable("HOME").map(PathBuf::from).unwrap_or_default();
    let ssh = home.join(".ssh");
    let mut found = Vec::new();
    let mut left = FILES_MAX;
    let told = option(line, "--ssh-config").map(PathBuf::from);
    match told.or_else(|| variable("MC_SSH_CONFIG").map(PathBuf::from)) {
        Some(config) => of_config(&config, &ssh, &mut left, &mut found),
        None => {
            of_config(&ssh.join("config"), &ssh, &mut left, &mut found);
            of_config("/etc/ssh/ssh_config".as_ref(), "/etc/ssh".as_ref(), &mut left, &mut found);
        }
    }
    for known in [ssh.join("known_hosts"), "/etc/ssh/ssh_known_hosts".into()] {
        of_known(&text(&known), &mut found);
    }
    let config = variable("XDG_CONFIG_HOME").map_or_else(|| home.join(".config"), PathBuf::from);
    for listed in text(&config.join("mycloud/hosts")).lines() {
        let listed = listed.split('#').next().unwrap_or_default();
        let words = listed.split([',', ' ', '\t']).map(|word| {
            let host = word.rsplit(['/', '@']).next().unwrap_or_default();
            host.to_string()
        });
        found.extend(words.filter(|word| !word.is_empty() && word != ":" && !word.contains('[')));
    }
    found
}

/// The value of an option of the command at the cursor.
fn option<'a>(line: &'a TypedLine, name: &str) -> Option<&'a str> {
    let words = line.pipeline.last()?;
    let at = words.iter().position(|word| word == name)?;
    words.get(at + 1).map(String::as_str)
}

/// Names that stand behind `Host`, without patterns.
fn of_config(path: &Path, directory: &Path, left: &mut usize, found: &mut Vec<String>) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    for line in text(path).lines() {
        let mut words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
        match words.next().map(str::to_ascii_lowercase).as_deref() {
            Some("host") => found.extend(
                words
                    .map(|word| word.trim_matches('"'))
                    .filter(|word| !word.contains(['*', '?', '!', '%']))
                    .map(String::from),
            ),
            Some("include") => {
                for word in words {
                    let home = directory.parent().unwrap_or(directory).display();
                    let word = word.trim_matches('"').replacen("~", &home.to_string(), 1);
                    let pattern = directory.join(word);
                    let included = glob::glob(&pattern.to_string_lossy()).into_iter().flatten();
                    for path in included.flatten().take(*left) {
                        of_config(&path, directory, left, found);
                    }
                }
            }
            _ => (),
        }
    }
}

/// Names of a list of known hosts that are not hashed.
fn of_known(text: &str, found: &mut Vec<String>) {
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let first = match words.next() {
            Some(marker) if marker.starts_with('@') => words.next(),
            first => first,
        };
        let names = first.filter(|names| !names.starts_with(['#', '|'])).unwrap_or_default();
        let names = names.split(',').filter(|name| !name.contains(['*', '?', '!']));
        found.extend(names.filter(|name| !name.is_empty()).map(|name| {
            match name.strip_prefix('[').and_then(|name| name.split_once("]:")) {
                Some((name, port)) if name.contains(':') => format!("[{name}]:{port}"),
                Some((name, port)) => format!("{name}:{port}"),
                None => name.to_string(),
            }
        }));
    }
}

/// What a file begins with; nothing for one that is none.
fn text(path: &Path) -> String {
    let is_file = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    let mut bytes = Vec::new();
    if is_file && let Ok(file) = File::open(path) {
        let _ = file.take(FILE_MAX).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_ssh_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let ssh = dir.path().join(".ssh");
        std::fs::create_dir_all(ssh.join("more")).unwrap();
        std::fs::write(ssh.join("more/a"), "host = n3\n").unwrap();
        // One that includes itself is read a few times, not for ever.
        let config = "Host n1 n2 *.lan !x\n  User bob\nInclude more/*\nInclude config\n";
        std::fs::write(ssh.join("config"), config).unwrap();
        let (mut found, mut left) = (Vec::new(), FILES_MAX);
        of_config(&ssh.join("config"), &ssh, &mut left, &mut found);
        found.sort();
        found.dedup();
        assert_eq!(found, ["n1", "n2", "n3"]);
    }

    #[test]
    fn known_hosts_that_are_not_hashed_are_found() {
        let mut found = Vec::new();
        let text = "n1,10.0.0.1 ssh-ed25519 A\n|1|x|y ssh-rsa B\n# n9 c\n[n2]:2222 k C\n\
                    @cert-authority *.lan k D\n@revoked n3 k E\n";
        of_known(text, &mut found);
        assert_eq!(found, ["n1", "10.0.0.1", "n2:2222", "n3"]);
    }
}

//! Hosts as users, batch systems and files of ssh name them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Outcome, Target};
use crate::cluster::allocation::{pbs, slurm};
use crate::cluster::host_list::{HOSTS_MAX, parse, parse_file};
use crate::cluster::ssh2::config::SshConfig;
use crate::cluster::ssh2::known_hosts::{KnownHosts, Verdict, file_name, kind_of};
use crate::cluster::{Host, Settings, WorkerBinary};

const WORDS: &[&[u8]] = &[
    b"[",
    b"]",
    b",",
    b":",
    b"@",
    b"/",
    b"-",
    b"[01-16]",
    b"[1-9999]",
    b"[::1]:22",
    b"fe80::1%eth0",
    b"-oProxyCommand=x",
    b"$(x)",
    b"`",
    b";",
    b"%h",
    b"#",
    b"\n",
    b" ",
    b"8/",
    b":",
    b"\xc3\xa9",
    b"(x3)",
    b"[1-64][1-64]",
    b"\t",
    b"\xff",
];

/// What a host's name may hold, so that no shell and no option parser makes anything of it.
fn is_safe(host: &Host) {
    let word = host.to_string();
    assert!(word.chars().all(|c| c.is_ascii_alphanumeric() || "._:%@[]-".contains(c)), "{word:?}");
    assert!(!word.starts_with('-') && !host.name.starts_with('-'), "{word:?}");
    if word != ":" {
        assert_eq!(word.parse::<Host>().unwrap(), Host { slots: None, ..host.clone() });
    }
}

#[test]
fn host_lists() {
    let seeds = [
        "8/bob@n1:2222,node[01-04,7],[::1]:2222,:",
        "r[1-2]n[1,3].lan,2/x,fe80::1%eth0",
        "# all\nn1 n2,n3\t# three\r\n  8/n[4-5]:22\n",
        "node[01-04,07],gpu1\n8(x5),4",
    ];
    Target { memory: (16 << 20, 200), ..Target::new("hosts", &seeds, WORDS) }.run(|input| {
        let Ok(text) = std::str::from_utf8(input) else { return Outcome::Refused };
        let listed = parse(text);
        let filed = parse_file(text, "hosts");
        if let (Some(first), Some(rest)) = (text.lines().next(), text.lines().nth(1)) {
            slurm(first, Some(rest)).into_iter().flatten().for_each(|host| is_safe(&host));
        }
        pbs(text, "hosts").into_iter().flatten().for_each(|host| is_safe(&host));
        for hosts in [&listed, &filed].into_iter().flatten() {
            assert!((1..=HOSTS_MAX).contains(&hosts.len()));
            hosts.iter().for_each(is_safe);
            let mut names: Vec<_> =
                hosts.iter().filter(|h| !h.is_local()).map(ToString::to_string).collect();
            let count = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), count, "a host stands twice");
        }
        for error in [listed.as_ref().err(), filed.as_ref().err()].into_iter().flatten() {
            super::input::said(error);
            assert!(error.to_string().len() < 2000);
        }
        // Where nothing but commas parts words, a list is a file of one line.
        if let Ok(hosts) = listed
            && !text.contains(|c: char| c.is_whitespace() || c == '#' || c == '\u{feff}')
        {
            assert_eq!(filed.unwrap(), hosts);
        }
        if parse_file(text, "").is_ok() { Outcome::Taken } else { Outcome::Refused }
    });
}

const ED: &str = "ssh-ed25519";
const RSA: &str = "ssh-rsa";

/// A key of a kind, told apart by one byte.
fn blob(kind: &str, byte: u8) -> Vec<u8> {
    [&(kind.len() as u32).to_be_bytes(), kind.as_bytes(), &[byte; 32]].concat()
}

/// Whether a pattern is that of a name: tried in all ways.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            fits(rest, name) || name.split_first().is_some_and(|(_, name)| fits(pattern, name))
        }
        (Some((first, rest)), Some((byte, name))) => {
            (*first == b'?' || first.eq_ignore_ascii_case(byte)) && fits(rest, name)
        }
        _ => false,
    }
}

fn names(hosts: &str, name: &str) -> bool {
    let (mut yes, mut no) = (false, false);
    for pattern in hosts.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) => no |= fits(pattern.as_bytes(), name.as_bytes()),
            None => yes |= fits(pattern.as_bytes(), name.as_bytes()),
        }
    }
    yes && !no
}

/// What to think of a key, by reading the lines for nothing but it. Hashed names are not known here.
fn judged(text: &str, (full, bare): (&str, &str), shown: &[u8]) -> Verdict {
    let (mut known, mut revoked, mut changed) = (false, false, false);
    for line in text.split('\n').map(str::trim).filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let (marker, words) = match words.as_slice() {
            [marker, rest @ ..] if marker.starts_with('@') => (*marker, rest),
            all => ("", all),
        };
        let [hosts, kind, key, ..] = words else { continue };
        let Ok(key) = STANDARD.decode(key) else { continue };
        if kind_of(&key) != Some(kind) {
            continue;
        }
        let (named, portless) = (names(hosts, full), names(hosts, bare));
        match marker {
            "@revoked" => revoked |= (named || portless) && key == shown,
            "" if (named || portless) && key == shown => known = true,
            "" if named => changed |= kind_of(shown) == Some(kind),
            _ => (),
        }
    }
    match (revoked, known, changed) {
        (true, ..) => Verdict::Revoked,
        (_, true, _) => Verdict::Known,
        (.., true) => Verdict::Changed("file".into()),
        _ => Verdict::Unknown,
    }
}

#[test]
fn known_hosts() {
    let line = |hosts: &str, kind: &str, byte| {
        format!("{hosts} {kind} {} comment\n", STANDARD.encode(blob(kind, byte)))
    };
    let hashed = "|1|K3uL9i5+AtTQQHnf9/lLkckfpJQ=|Kkxg5ups0ewFPVpUnfFLuUaMVbQ=";
    let seeds = [
        line("n1,10.0.0.1", ED, 1) + &line("[n1]:2222", RSA, 2) + "# comment\n",
        line("*,!n1", ED, 1) + &format!("@revoked {}", line("*", ED, 1)),
        format!("@cert-authority {}", line("n*", ED, 2)) + &line("N?", RSA, 1),
        line(hashed, ED, 1) + &line("n2", ED, 2),
    ];
    let seeds: Vec<&str> = seeds.iter().map(String::as_str).collect();
    let words: &[&[u8]] = &[
        b"n1",
        b"[n1]:2222",
        b"*",
        b"?",
        b"!",
        b",",
        b" ",
        b"\n",
        b"@revoked ",
        b"@cert-authority ",
        b"# ",
        b"\t",
        b"ssh-ed25519 ",
        b"ssh-rsa ",
        b"|1|",
        b"|",
        b"====",
        b"AAAA",
        b"\r",
        b"***********a",
        b"\xff",
    ];
    Target::new("known-hosts", &seeds, words).run(|input| {
        let mut outcome = Outcome::Refused;
        for port in [22, 2222] {
            let (full, bare) = (file_name("n1", port), file_name("n1", 22));
            let mut known = KnownHosts::default();
            known.read(input, Path::new("file"), &full, &bare);
            for shown in
                [blob(ED, 1), blob(ED, 2), blob(RSA, 1), blob(RSA, 2), b"\xff\xff".to_vec()]
            {
                let verdict = known.judge(&shown);
                if matches!(verdict, Verdict::Known) {
                    outcome = Outcome::Taken;
                    let kind = kind_of(&shown).unwrap();
                    assert!(known.kinds().contains(&kind));
                }
                if let Ok(text) = std::str::from_utf8(input)
                    && !text.contains("|1|")
                    && !text.contains("***********a")
                {
                    assert_eq!(verdict, judged(text, (&full, &bare), &shown), "{full}");
                }
            }
            let _ = known.has_authority();
        }
        outcome
    });
}

#[test]
fn ssh_config() {
    let seeds = [
        "host n1\nuser bob\nhostname 10.0.0.1\nport 2222\naddressfamily inet\nidentityfile ~/.ssh/a b\n\
         identityfile %d/%r@%h:%p%%\nuserknownhostsfile /k1 ~/k2\nciphers a,b\nidentityagent none\n",
        "hostname n1\nhostkeyalias N1\nproxyjump j\nsessiontype none\nidentityfile /%C\nidentitiesonly yes\n",
    ];
    let words: &[&[u8]] = &[
        b"%",
        b"%%",
        b"%h",
        b"%d",
        b"%p",
        b"%r",
        b"%C",
        b"~/",
        b"none",
        b"\n",
        b" ",
        b"hostname ",
        b"port ",
        b"user ",
        b"identityfile ",
        b"hostkeyalias ",
        b"userknownhostsfile ",
        b"$",
        b"identityagent ",
        b"\xff",
        b"proxycommand ",
    ];
    let settings = Settings {
        worker: Arc::new(WorkerBinary::new("w".into())),
        library: None,
        ssh: None,
        ssh_config: None,
        environment: Vec::new(),
        home: Some("/h".into()),
        agent: None,
        say: Arc::new(|_| {}),
        explain: Arc::new(|_| {}),
    };
    Target::new("ssh-config", &seeds, words).run(|input| {
        let text = String::from_utf8_lossy(input);
        let config = SshConfig::parse(&text, &settings);
        let first = |key: &str| {
            let lines = text.lines().filter_map(|line| line.trim().split_once(' '));
            let mut of_key = lines.filter(|(name, _)| name.eq_ignore_ascii_case(key));
            of_key.next().map(|(_, value)| value.trim()).filter(|value| *value != "none")
        };
        assert_eq!(config.host_name(), first("hostname").unwrap_or_default());
        assert_eq!(config.user(), first("user").unwrap_or_default());
        assert!(config.port() == 22 || first("port").is_some());
        let (full, bare) = config.key_names();
        assert!(full.to_ascii_lowercase() == full && bare.to_ascii_lowercase() == bare);
        let files = [config.identities(), config.known_hosts_files()].concat();
        // What is the user's own is found from the home directory; only a name may bring in more.
        let plain = |path: &PathBuf| !path.to_string_lossy().starts_with("~/");
        assert!(files.iter().all(plain) || text.contains('%'), "{files:?}");
        let _ = (config.tamed(), config.family(), config.algorithms("ciphers"));
        let _ = (config.agent(None), config.identities_only());
        let _ = config.needs_program();
        if files.is_empty() { Outcome::Refused } else { Outcome::Taken }
    });
}

//! The keys that are known for a host: OpenSSH's `known_hosts` files, read as OpenSSH reads them.
//!
//! It decides nothing about the network: a key that is not [`Verdict::Known`] is for the caller to
//! refuse.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The port that a host's name in these files means when it names none.
pub(crate) const PORT: u16 = 22;

/// What the files say of one host.
#[derive(Debug, Default)]
pub(crate) struct KnownHosts {
    keys: Vec<Key>,
    /// Keys that were found under the host's bare name, without its port: good for a match only.
    portless: Vec<Key>,
    /// Keys that must not be accepted from it.
    revoked: Vec<Vec<u8>>,
    /// Whether some authority signs keys for it.
    authority: bool,
}

#[derive(Debug)]
struct Key {
    kind: String,
    blob: Vec<u8>,
    file: PathBuf,
}

/// What to think of a key that a host shows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is one of its keys.
    Known,
    /// No key of its kind is known.
    Unknown,
    /// Another key of its kind is known, by this file.
    Changed(PathBuf),
    /// It is never to be accepted.
    Revoked,
}

/// A host's name as the files write it.
pub(crate) fn file_name(name: &str, port: u16) -> String {
    let name = name.to_ascii_lowercase();
    if port == PORT { name } else { format!("[{name}]:{port}") }
}

/// The fingerprint by which people compare a key, as OpenSSH prints it.
pub(crate) fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob)))
}

/// The kind of a key, as the key itself says.
pub(crate) fn kind_of(blob: &[u8]) -> Option<&str> {
    let (length, rest) = blob.split_at_checked(4)?;
    let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
    std::str::from_utf8(rest.get(..length)?).ok()
}

impl KnownHosts {
    /// Takes what `text`, the text of `file`, says of the host that [`file_name`] gave `name`, and
    /// that is called `bare` without its port. Lines that make no sense are skipped.
    pub(crate) fn read(&mut self, text: &[u8], file: &Path, name: &str, bare: &str) {
        for line in text.split(|byte| *byte == b'\n') {
            if let Ok(line) = std::str::from_utf8(line) {
                let _ = self.line(line.trim(), file, name, bare);
            }
        }
    }

    fn line(&mut self, line: &str, file: &Path, name: &str, bare: &str) -> Option<()> {
        let mut words = line.split_ascii_whitespace();
        let first = words.next().filter(|word| !word.starts_with('#'))?;
        let marker = first.starts_with('@').then_some(first);
        let hosts = if marker.is_some() { words.next()? } else { first };
        let (kind, key) = (words.next()?, words.next()?);
        let blob = STANDARD.decode(key).ok().filter(|blob| kind_of(blob) == Some(kind))?;
        let (named, portless) = (names(hosts, name), names(hosts, bare));
        let key = Key { kind: kind.to_string(), blob, file: file.to_path_buf() };
        match marker {
            Some("@revoked") if named || portless => self.revoked.push(key.blob),
            Some("@cert-authority") => self.authority |= named || portless,
            None if named => self.keys.push(key),
            None if portless => self.portless.push(key),
            _ => {}
        }
        Some(())
    }

    /// Whether an authority signs keys for it.
    pub(crate) fn has_authority(&self) -> bool {
        self.authority
    }

    /// The kinds of the keys that are known.
    pub(crate) fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<&str> = Vec::new();
        for key in self.keys.iter().chain(&self.portless) {
            if !kinds.contains(&key.kind.as_str()) {
                kinds.push(&key.kind);
            }
        }
        kinds
    }

    /// What to think of the key that the host shows.
    pub(crate) fn judge(&self, blob: &[u8]) -> Verdict {
        if self.revoked.iter().any(|revoked| revoked == blob) {
            return Verdict::Revoked;
        }
        if self.keys.iter().chain(&self.portless).any(|key| key.blob == blob) {
            return Verdict::Known;
        }
        let kind = kind_of(blob).unwrap_or_default();
        match self.keys.iter().find(|key| key.kind == kind) {
            Some(key) => Verdict::Changed(key.file.clone()),
            None => Verdict::Unknown,
        }
    }
}

/// Whether the first word of a line names the host.
fn names(hosts: &str, name: &str) -> bool {
    if let Some(hashed) = hosts.strip_prefix("|1|") {
        return hash_is(hashed, name) == Some(true);
    }
    let mut named = false;
    for pattern in hosts.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(pattern.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => named |= matches(pattern.as_bytes(), name.as_bytes()),
        }
    }
    named
}

/// Whether `SALT|HASH` is that of the name.
fn hash_is(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let (salt, hash) = (STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?);
    let mut mac = Hmac::<Sha1>::new_from_slice(&salt).ok()?;
    mac.update(name.as_bytes());
    Some(mac.verify_slice(&hash).is_ok())
}

/// Whether a pattern with `*` and `?` is that of a name in lower case.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // Where the last `*` stands, and how much of the name it has taken so far.
    let (mut star, mut p, mut n) = (None, 0, 0);
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(byte) if *byte == b'?' || byte.to_ascii_lowercase() == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key of a kind, told apart by one byte.
    fn blob(kind: &str, byte: u8) -> Vec<u8> {
        [&(kind.len() as u32).to_be_bytes(), kind.as_bytes(), &[byte; 32]].concat()
    }

    fn line(hosts: &str, kind: &str, byte: u8) -> String {
        format!("{hosts} {kind} {} comment", STANDARD.encode(blob(kind, byte)))
    }

    fn known(name: &str, port: u16, lines: &[String]) -> KnownHosts {
        let mut known = KnownHosts::default();
        let (full, bare) = (file_name(name, port), file_name(name, PORT));
        known.read(lines.join("\n").as_bytes(), Path::new("file"), &full, &bare);
        known
    }

    const ED: &str = "ssh-ed25519";
    const RSA: &str = "ssh-rsa";

    #[track_caller]
    fn judges(hosts: &str, name: &str, port: u16, expected: Verdict) {
        let verdict = known(name, port, &[line(hosts, ED, 1)]).judge(&blob(ED, 1));
        assert_eq!(verdict, expected, "{hosts} for {name} port {port}");
    }

    #[test]
    fn names_match_as_ssh_matches_them() {
        use Verdict::{Known, Unknown};
        for (hosts, name, port, expected) in [
            ("n1", "n1", 22, Known),
            ("n1", "N1", 22, Known),
            ("N1", "n1", 22, Known),
            ("n1", "n10", 22, Unknown),
            ("n2,n1", "n1", 22, Known),
            ("[n1]:2222", "n1", 2222, Known),
            ("[n1]:2222", "n1", 22, Unknown),
            ("[n1]:2222", "n1", 2223, Unknown),
            ("n1", "n1", 2222, Known),
            ("n*", "n1", 22, Known),
            ("n?", "n12", 22, Unknown),
            ("*.lab", "a.b.lab", 22, Known),
            ("*,!n1", "n1", 22, Unknown),
            ("!n1,*", "n2", 22, Known),
            ("!n1", "n2", 22, Unknown),
            ("[n*]:*", "n1", 2222, Known),
            ("::1", "::1", 22, Known),
            ("[fe80::1]:2222", "fe80::1", 2222, Known),
        ] {
            judges(hosts, name, port, expected);
        }
    }

    #[test]
    fn hashed_names_match() {
        // Made by `ssh-keygen -H` of OpenSSH 9.2.
        let n1 = "|1|K3uL9i5+AtTQQHnf9/lLkckfpJQ=|Kkxg5ups0ewFPVpUnfFLuUaMVbQ=";
        let n1_2222 = "|1|Wp1mFBOyRgFe/Gq7zJ4IJmUlys4=|CDl6Gb4HXVCG6Es/R53t/SDXHh8=";
        judges(n1, "n1", 22, Verdict::Known);
        judges(n1, "n2", 22, Verdict::Unknown);
        judges(n1_2222, "n1", 2222, Verdict::Known);
        judges(n1_2222, "n1", 22, Verdict::Unknown);
    }

    #[test]
    fn another_key_of_its_kind_is_a_change_and_of_another_kind_is_not() {
        let lines = [line("n1", ED, 1), line("n1", RSA, 2)];
        let known = known("n1", 22, &lines);
        assert_eq!(known.kinds(), [ED, RSA]);
        assert_eq!(known.judge(&blob(RSA, 2)), Verdict::Known);
        assert_eq!(known.judge(&blob(RSA, 3)), Verdict::Changed("file".into()));
        assert_eq!(known.judge(&blob("ecdsa-sha2-nistp256", 1)), Verdict::Unknown);
    }

    #[test]
    fn several_keys_of_a_kind_are_all_good() {
        let known = known("n1", 22, &[line("n1", ED, 1), line("n1", ED, 2)]);
        assert_eq!(known.judge(&blob(ED, 2)), Verdict::Known);
    }

    #[test]
    fn a_key_under_the_bare_name_is_no_evidence_of_a_change() {
        let known = known("n1", 2222, &[line("n1", ED, 1)]);
        assert_eq!(known.judge(&blob(ED, 2)), Verdict::Unknown);
    }

    #[test]
    fn markers_are_obeyed() {
        let key = line("n1", ED, 1);
        let revoked = known("n1", 22, &[key.clone(), format!("@revoked {}", line("*", ED, 1))]);
        assert_eq!(revoked.judge(&blob(ED, 1)), Verdict::Revoked);
        let authority = format!("@cert-authority {}", line("n*", ED, 9));
        let signed = known("n1", 22, std::slice::from_ref(&authority));
        assert!(signed.has_authority());
        assert_eq!(signed.judge(&blob(ED, 9)), Verdict::Unknown);
        assert!(!known("m1", 22, &[authority]).has_authority());
        let odd = known("n1", 22, &[format!("@odd {key}")]);
        assert_eq!(odd.judge(&blob(ED, 1)), Verdict::Unknown);
    }

    #[test]
    fn lines_that_make_no_sense_are_skipped() {
        let lines = [
            "# n1 ssh-ed25519 AAAA".to_string(),
            "n1".to_string(),
            "n1 ssh-ed25519 !!!".to_string(),
            "n1 ssh-ed25519 AAAA".to_string(),
            "|1|x n1".to_string(),
            String::new(),
            format!("  {}\r", line("n1", ED, 1)),
        ];
        assert_eq!(known("n1", 22, &lines).judge(&blob(ED, 1)), Verdict::Known);
        let lying = line("n1", ED, 1).replace(" ssh-ed25519 ", " ssh-rsa ");
        assert_eq!(known("n1", 22, &[lying]).kinds(), Vec::<&str>::new());
    }

    #[test]
    fn a_fingerprint_is_what_ssh_keygen_prints() {
        assert_eq!(fingerprint(b""), "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU");
    }
}

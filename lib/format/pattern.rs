//! Patterns of paths: which paths are there that match one.
//!
//! Between slashes `*` stands for any characters, `?` for one, `[a-z]` for one of these and
//! `[!a-z]` for one that is none of these; `**` alone stands for any number of directories, none
//! included. A name that begins with a dot is met only where the pattern says the dot, and `**`
//! goes neither into such directories nor through links. Names are bytes: those that are not UTF-8
//! match like all others, each byte that is no character being one for itself.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use crate::error::{Error, Result};

/// What bytes that are no characters become: `STRAY + byte`, in the area for private use.
const STRAY: u32 = 0xf700;

/// Names that begin with a dot are met where the pattern says the dot.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// What stands between two slashes of a pattern.
#[derive(Clone, Debug)]
enum Part {
    /// This name, or `.` or `..`.
    Name(OsString),
    /// All names that match.
    Names(Pattern),
    /// Any number of directories.
    Directories,
}

/// Whether a path holds what stands for something else in a pattern.
pub(super) fn is_pattern(path: &OsStr) -> bool {
    path.as_bytes().iter().any(|byte| b"*?[".contains(byte))
}

/// A pattern that matches `path` and nothing else.
pub(super) fn literal(path: &[u8]) -> Vec<u8> {
    let mut pattern = Vec::with_capacity(path.len());
    for &byte in path {
        match byte {
            b'*' | b'?' | b'[' => pattern.extend_from_slice(&[b'[', byte, b']']),
            _ => pattern.push(byte),
        }
    }
    pattern
}

/// The paths that match `pattern`, sorted by bytes.
///
/// # Errors
/// `Usage` for what is no pattern, and when a directory that it leads to cannot be listed.
pub(super) fn matches(pattern: &OsStr) -> Result<Vec<PathBuf>> {
    let bytes = pattern.as_bytes();
    let parts = parts(bytes)
        .map_err(|why| Error::usage(format!("{}: not a pattern: {why}", pattern.display())))?;
    let mut paths = vec![PathBuf::from(if bytes.starts_with(b"/") { "/" } else { "" })];
    for (number, part) in parts.iter().enumerate() {
        let leads_on = number + 1 < parts.len() || bytes.ends_with(b"/");
        let mut found = Vec::new();
        for path in paths {
            part.follow(path, leads_on, &mut found)?;
        }
        paths = found;
    }
    paths.sort_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
    paths.dedup();
    Ok(paths)
}

/// The parts of a pattern; behind a last `**` any name may stand.
fn parts(pattern: &[u8]) -> std::result::Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    for name in pattern.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
        let part = match name {
            b"**" if matches!(parts.last(), Some(Part::Directories)) => continue,
            b"**" => Part::Directories,
            _ if is_pattern(OsStr::from_bytes(name)) => Part::Names(compile(name)?),
            _ => Part::Name(OsStr::from_bytes(name).into()),
        };
        parts.push(part);
    }
    if matches!(parts.last(), Some(Part::Directories)) && !pattern.ends_with(b"/") {
        parts.push(Part::Names(compile(b"*")?));
    }
    Ok(parts)
}

/// One name as a pattern.
fn compile(name: &[u8]) -> std::result::Result<Pattern, String> {
    Pattern::new(&text(name)).map_err(|e| e.msg.to_string())
}

/// Whether a name, without slashes, matches.
fn fits(pattern: &Pattern, name: &[u8]) -> bool {
    pattern.matches_with(&text(name), OPTIONS)
}

/// A pattern of names in an archive, which are paths there. Without a slash it is about the last
/// part of a name, wherever that lies.
#[derive(Clone, Debug)]
pub(super) struct Inner(Vec<Part>);

impl Inner {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn parse(pattern: &str) -> std::result::Result<Inner, String> {
        let mut parts = parts(pattern.as_bytes())?;
        if parts.is_empty() {
            return Err("it is empty".into());
        }
        if !pattern.contains('/') {
            parts.insert(0, Part::Directories);
        }
        Ok(Inner(parts))
    }

    /// Reads a pattern that is always about all of a name.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn whole(pattern: &str) -> std::result::Result<Inner, String> {
        parts(pattern.as_bytes()).map(Inner)
    }

    /// Whether a name matches; slashes at its ends do not matter.
    pub(super) fn fits(&self, name: &str) -> bool {
        let names: Vec<&str> = name.split('/').filter(|name| !name.is_empty()).collect();
        let (mut part, mut at) = (0, 0);
        // The last `**`, and the name behind those that it stands for.
        let mut back = None;
        while at < names.len() {
            let here = match self.0.get(part) {
                Some(Part::Directories) => {
                    back = Some((part, at));
                    part += 1;
                    continue;
                }
                Some(Part::Name(name)) => name.as_bytes() == names[at].as_bytes(),
                Some(Part::Names(pattern)) => fits(pattern, names[at].as_bytes()),
                None => false,
            };
            if here {
                (part, at) = (part + 1, at + 1);
            } else if let Some((directories, from)) = &mut back {
                *from += 1;
                (part, at) = (*directories + 1, *from);
            } else {
                return false;
            }
        }
        self.0[part..].iter().all(|part| matches!(part, Part::Directories))
    }
}

impl Part {
    /// Appends what this part makes of `path`: only directories, where more of the pattern follows.
    fn follow(&self, path: PathBuf, leads_on: bool, found: &mut Vec<PathBuf>) -> Result<()> {
        match self {
            Part::Name(name) => {
                let path = path.join(name);
                match fs::symlink_metadata(&path) {
                    Ok(_) if !leads_on || path.is_dir() => found.push(path),
                    Err(e) if !is_absent(&e) => return Err(Error::path("read", &path, &e)),
                    _ => (),
                }
            }
            Part::Names(pattern) => {
                for entry in list(&path)? {
                    let Entry { name, kind } = entry;
                    let path = path.join(&name);
                    let fits = fits(pattern, name.as_bytes());
                    if fits && (!leads_on || kind.is_dir() || kind.is_symlink() && path.is_dir()) {
                        found.push(path);
                    }
                }
            }
            Part::Directories => {
                let mut left = vec![path];
                while let Some(path) = left.pop() {
                    for Entry { name, kind } in list(&path)? {
                        if kind.is_dir() && !name.as_bytes().starts_with(b".") {
                            left.push(path.join(name));
                        }
                    }
                    found.push(path);
                }
            }
        }
        Ok(())
    }
}

/// What a directory holds.
struct Entry {
    name: OsString,
    kind: fs::FileType,
}

/// What the directory `path` holds; nothing, where it is none.
fn list(path: &Path) -> Result<Vec<Entry>> {
    let directory = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let failed = |e: &io::Error| Error::path("list", directory, e);
    let entries = match fs::read_dir(directory) {
        Err(e) if is_absent(&e) => return Ok(Vec::new()),
        entries => entries.map_err(|e| failed(&e))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| failed(&e))?;
        let kind = entry.file_type().map_err(|e| failed(&e))?;
        found.push(Entry { name: entry.file_name(), kind });
    }
    Ok(found)
}

/// Whether an error says that there is no such path.
fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(error.kind(), E::NotFound | E::NotADirectory | E::InvalidFilename)
}

/// Bytes as text for the matcher, different ones as different texts.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    let is_stray = |c: char| (STRAY..STRAY + 0x100).contains(&u32::from(c));
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.contains(is_stray)
    {
        return Cow::Borrowed(text);
    }
    let stray = |byte: &u8| char::from_u32(STRAY + u32::from(*byte)).unwrap_or('\u{fffd}');
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            // What looks like a byte of ours is taken apart, so that it is none.
            match is_stray(c) {
                true => text.extend(c.encode_utf8(&mut [0; 4]).as_bytes().iter().map(stray)),
                false => text.push(c),
            }
        }
        text.extend(chunk.invalid().iter().map(stray));
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::ffi::OsStringExt;

    /// What matches in a directory of files and directories (which end in `/`), seen from it.
    fn found(names: &[&[u8]], pattern: &[u8]) -> Vec<Vec<u8>> {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            let path = dir.path().join(OsStr::from_bytes(name));
            if name.ends_with(b"/") {
                fs::create_dir_all(&path).unwrap();
            } else {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, "").unwrap();
            }
        }
        let root = dir.path().as_os_str().as_bytes().to_vec();
        let whole = [&literal(&root), b"/".as_slice(), pattern].concat();
        let paths = matches(OsStr::from_bytes(&whole)).unwrap();
        paths
            .into_iter()
            .map(|p| p.into_os_string().into_vec()[root.len() + 1..].to_vec())
            .collect()
    }

    #[test]
    fn names_match_whatever_their_bytes() {
        let names: [&[u8]; 4] = [b"a.csv", b"Caf\xe9.csv", "Café.csv".as_bytes(), b"b.txt"];
        let all: [&[u8]; 3] = [b"Caf\xc3\xa9.csv", b"Caf\xe9.csv", b"a.csv"];
        assert_eq!(found(&names, b"*.csv"), all);
        assert_eq!(found(&names, b"Caf?.csv"), all[..2]);
        assert_eq!(found(&names, b"*\xe9*"), all[1..2]);
        assert_eq!(found(&names, b"Caf[!\xe9].csv"), all[..1]);
        // A character for private use is not the byte that stands for it.
        let private = "\u{f7e9}".as_bytes();
        assert_eq!(found(&[private, b"\xe9"], b"[\xe9]"), [b"\xe9"]);
        assert_eq!(found(&[private, b"\xe9"], "*\u{f7e9}".as_bytes()), [private]);
    }

    #[test]
    fn two_stars_are_any_number_of_directories() {
        let names: [&[u8]; 5] = [b"a", b"d/a", b"d/e/a", b"d/.f/a", b"d/e/b"];
        let all: [&[u8]; 3] = [b"a", b"d/a", b"d/e/a"];
        assert_eq!(found(&names, b"**/a"), all);
        assert_eq!(found(&names, b"**/**/a"), all);
        assert_eq!(found(&names, b"d/**/a"), all[1..]);
        assert_eq!(found(&names, b"d/**"), [b"d/a".as_slice(), b"d/e", b"d/e/a", b"d/e/b"]);
        assert_eq!(found(&names, b"**/e/**/a"), all[2..]);
        assert_eq!(found(&names, b"d/.*/a"), [b"d/.f/a"]);
        assert_eq!(found(&names, b"*/"), [b"d"]);
        assert_eq!(found(&names, b"none/*"), Vec::<Vec<u8>>::new());
        assert_eq!(found(&names, b"a/*"), Vec::<Vec<u8>>::new());
        assert_eq!(found(&names, b"d/../?"), [b"d/../a".as_slice(), b"d/../d"]);
        assert!(matches(OsStr::new("a**b")).unwrap_err().to_string().contains("not a pattern"));
        assert!(matches(OsStr::new("[a")).is_err());
    }

    #[test]
    fn names_in_archives_match_by_their_last_part_or_by_all() {
        let fits = |pattern: &str, name: &str| Inner::parse(pattern).unwrap().fits(name);
        for name in ["a.csv", "d/a.csv", "/d/e/a.csv", "a.csv/"] {
            assert!(fits("*.csv", name) && fits("a.*", name) && fits("**/a.csv", name), "{name}");
        }
        for name in ["a.csv.gz", "d/.a.csv", "d/a.csv/b"] {
            assert!(!fits("*.csv", name), "{name}");
        }
        assert!(fits("d/*.csv", "d/a.csv") && !fits("d/*.csv", "d/e/a.csv"));
        assert!(!fits("d/*.csv", "e/d/a.csv") && fits("**/d/*.csv", "e/d/a.csv"));
        assert!(fits("d/**", "d/a/b") && !fits("d/**", "e/a"));
        assert!(fits("**/a/**/b", "a/x/a/y/b") && !fits("**/a/**/b", "a/x/y"));
        assert!(fits("*", "x") && Inner::parse("").is_err());
        // However deep and however many stars: no recursion, no explosion.
        let deep = "a/".repeat(30_000);
        assert!(!fits(&"**/a/".repeat(50).replace("//", "/"), &format!("{deep}b")));
    }

    #[test]
    fn links_are_met_but_two_stars_do_not_go_round() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(".", dir.path().join("loop")).unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("x")).unwrap();
        fs::write(dir.path().join("a"), "").unwrap();
        let found = |pattern: &str| matches(dir.path().join(pattern).as_os_str()).unwrap().len();
        assert_eq!((found("**/a"), found("l*/a"), found("*")), (1, 1, 3));
    }

    proptest! {
        #[test]
        fn a_literal_matches_its_name_and_no_other(
            name in proptest::collection::vec(any::<u8>(), 1..8),
            other in proptest::collection::vec(any::<u8>(), 1..8),
        ) {
            let pattern = compile(&literal(&name)).unwrap();
            let exact = MatchOptions { require_literal_leading_dot: false, ..OPTIONS };
            prop_assert!(pattern.matches_with(&text(&name), exact));
            prop_assert_eq!(pattern.matches_with(&text(&other), exact), name == other);
        }

        #[test]
        fn no_bytes_make_a_pattern_panic(
            pattern in proptest::collection::vec(any::<u8>(), 0..12),
            name in proptest::collection::vec(any::<u8>(), 0..12),
        ) {
            if let Ok(pattern) = compile(&pattern) {
                fits(&pattern, &name);
            }
        }
    }
}

//! Where the bytes of a resource are: a path, a pattern of paths, standard input or output, or a
//! URL; and the name that decides how they are packed.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Where the bytes of a resource are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Standard input or output: `-`.
    Standard,
    /// A path (for reading, perhaps a pattern).
    Path(PathBuf),
    /// An `http://` or `https://` URL, for reading.
    Url(String),
}

impl Place {
    /// Reads the part behind the format's colon.
    ///
    /// # Errors
    /// When it is empty, or a `client://` path.
    pub fn parse(text: &OsStr) -> Result<Place> {
        let bytes = text.as_bytes();
        let scheme = scheme(bytes);
        if bytes == b"-" {
            Ok(Place::Standard)
        } else if bytes.is_empty() {
            Err(Error::usage("a resource without a path (standard input is '-')"))
        } else if let Some(scheme) = scheme {
            Place::of_url(scheme, text)
        } else {
            Ok(Place::Path(PathBuf::from(text)))
        }
    }

    /// The place that a URL with this scheme names.
    fn of_url(scheme: &str, text: &OsStr) -> Result<Place> {
        let shown = text.display();
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => {
                let url = text.to_str().ok_or_else(|| Error::usage("a URL that is not UTF-8"))?;
                let rest = &url[scheme.len()..];
                Ok(Place::Url(format!("{}{rest}", scheme.to_ascii_lowercase())))
            }
            "file" => match file_path(&text.as_bytes()["file://".len()..]) {
                Some(path) => Ok(Place::Path(path)),
                None => Err(Error::usage(format!(
                    "{shown}: a file of this machine is file:///PATH, or PATH itself"
                ))),
            },
            "client" => Err(Error::usage(format!(
                "{shown}: client:// is for commands on other hosts; here, name the path itself"
            ))),
            _ => Err(Error::usage(format!(
                "{shown}: {scheme}:// cannot be read or written here: http://, https:// (reading) \
                 and file:// can; pipe it through a program that can ({}), as in \
                 'PROGRAM | mc-cat FORMAT:-'",
                program(scheme)
            ))),
        }
    }

    /// The name whose ending says how the bytes are packed; none for standard input and output.
    pub fn name(&self) -> &str {
        match self {
            Place::Standard => "",
            Place::Path(path) => path.file_name().and_then(OsStr::to_str).unwrap_or_default(),
            Place::Url(url) => {
                let path = url.split(['?', '#']).next().unwrap_or_default();
                let path = path.split_once("://").map_or(path, |(_, rest)| rest);
                path.rsplit_once('/').map_or("", |(_, name)| name)
            }
        }
    }

    /// The same place, where a path is relative to `directory`.
    pub(crate) fn seen_from(self, directory: &Path) -> Place {
        match self {
            Place::Path(path) => Place::Path(directory.join(path)),
            other => other,
        }
    }

    /// The places that a place for reading stands for: a pattern's matches in order, else itself.
    ///
    /// # Errors
    /// When a path is not there, a pattern matches nothing, or a directory cannot be listed.
    pub fn expand(self) -> Result<Vec<Place>> {
        let Place::Path(path) = self else { return Ok(vec![self]) };
        match fs::metadata(&path) {
            Ok(_) => Ok(vec![Place::Path(path)]),
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::path("read", &path, &e)),
            Err(e) => match path.to_str() {
                Some(pattern) if pattern.contains(['*', '?', '[']) => matches(pattern),
                _ => Err(Error::path("read", &path, &e)),
            },
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Standard => f.write_str("-"),
            Place::Path(path) => path.display().fmt(f),
            Place::Url(url) => f.write_str(url),
        }
    }
}

/// The scheme of what is a URL: letters (and digits, `+`, `.`, `-`) before `://`.
pub(super) fn scheme(text: &[u8]) -> Option<&str> {
    let end = memchr::memmem::find(text, b"://")?;
    let scheme = std::str::from_utf8(&text[..end]).ok()?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-');
    let begins = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    (begins && scheme.chars().all(fits)).then_some(scheme)
}

/// A program that reads what has this scheme.
fn program(scheme: &str) -> &'static str {
    match scheme.to_ascii_lowercase().as_str() {
        "s3" | "s3a" | "s3n" => "aws s3 cp URL -",
        "gs" | "gcs" => "gcloud storage cat URL",
        "hdfs" | "viewfs" | "webhdfs" => "hdfs dfs -cat URL",
        "sftp" | "scp" | "ssh" => "ssh HOST cat PATH",
        "ftp" | "ftps" => "curl URL",
        _ => "rclone cat, curl",
    }
}

/// The path of a URL behind its `file://`: that of another machine is none.
fn file_path(rest: &[u8]) -> Option<PathBuf> {
    let rest = rest.strip_prefix(b"localhost").unwrap_or(rest);
    if rest.first() != Some(&b'/') {
        return None;
    }
    let (mut path, mut at) = (Vec::with_capacity(rest.len()), 0);
    while let Some(&byte) = rest.get(at) {
        let digits = rest.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) if byte == b'%' => {
                path.push(decoded);
                at += 3;
            }
            _ => {
                path.push(byte);
                at += 1;
            }
        }
    }
    (!path.contains(&0)).then(|| PathBuf::from(OsString::from_vec(path)))
}

/// The paths that match `pattern`, sorted by bytes; names that begin with a dot only where the
/// pattern says the dot.
fn matches(pattern: &str) -> Result<Vec<Place>> {
    let options = glob::MatchOptions {
        require_literal_separator: true,
        require_literal_leading_dot: true,
        ..glob::MatchOptions::new()
    };
    let found = glob::glob_with(pattern, options)
        .map_err(|e| Error::usage(format!("{pattern}: not a pattern: {e}")))?;
    let mut paths = Vec::new();
    for path in found {
        paths.push(path.map_err(|e| Error::path("list", e.path(), e.error()))?);
    }
    if paths.is_empty() {
        return Err(Error::usage(format!("{pattern}: no file matches")));
    }
    paths.sort_by(|a, b| bytes(a).cmp(bytes(b)));
    Ok(paths.into_iter().map(Place::Path).collect())
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_named_by_its_path() {
        let name = |url: &str| Place::Url(url.into()).name().to_string();
        assert_eq!(name("http://host/dir/a.csv.gz?x=/b.zip#c"), "a.csv.gz");
        assert_eq!(name("http://host.csv"), "");
        assert_eq!(name("http://host/"), "");
    }

    #[test]
    fn a_scheme_is_known_or_refused_with_a_program_that_knows_it() {
        let parse = |text: &str| Place::parse(OsStr::new(text));
        assert_eq!(parse("file:///a%20b/%e9%zz").unwrap(), {
            Place::Path(OsStr::from_bytes(b"/a b/\xe9%zz").into())
        });
        assert_eq!(parse("FILE://localhost/a").unwrap(), Place::Path("/a".into()));
        assert_eq!(parse("HTTPS://h/A").unwrap(), Place::Url("https://h/A".into()));
        assert_eq!(parse("a b://c").unwrap(), Place::Path("a b://c".into()));
        for (url, why) in [
            ("s3://bucket/a.csv", "s3:// cannot be read or written here"),
            ("s3://bucket/a.csv", "aws s3 cp"),
            ("FTP://h/a", "curl"),
            ("hdfs://n/a", "hdfs dfs -cat"),
            ("x-y+z.1://a", "x-y+z.1://"),
            ("file://host/a", "file:///PATH"),
            ("file://", "file:///PATH"),
            ("file:///a%00b", "file:///PATH"),
            ("client:///a", "client:// is for commands"),
        ] {
            let error = parse(url).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn patterns_match_in_order_and_a_literal_name_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.txt", "a.txt", ".c.txt", "x[1].txt"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let expand = |name: &str| Place::Path(dir.path().join(name)).expand();
        let names = |name: &str| -> Vec<String> {
            expand(name).unwrap().iter().map(|p| p.name().to_string()).collect()
        };
        assert_eq!(names("*.txt"), ["a.txt", "b.txt", "x[1].txt"]);
        assert_eq!(names("x[1].txt"), ["x[1].txt"]);
        assert!(expand("*.csv").is_err());
        assert!(expand("none").is_err());
    }
}

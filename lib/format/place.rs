//! Where the bytes of a resource are: a path, a pattern of paths, standard input or output, a URL, or
//! an object in a store; and the name that decides how they are packed.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::objects::{ObjectAddress, ObjectService};
use super::pattern;
use crate::client::Shown;
use crate::error::{Error, Result};

/// Where the bytes of a resource are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourcePlace {
    /// Standard input or output: `-`.
    Standard,
    /// A path (for reading, perhaps a pattern).
    Path(PathBuf),
    /// An `http://` or `https://` URL, for reading; or an address in a file system of Hadoop's, which only
    /// `mc-spark` reads and writes.
    Url(String),
    /// A path of the client, which a command of its asks for (`client://`).
    Client(PathBuf),
    /// An object in a store (`s3://`, `gs://`, `az://`); for reading, perhaps a pattern of keys.
    Object(ObjectAddress),
}

impl ResourcePlace {
    /// Reads the part behind the format's colon.
    ///
    /// # Errors
    /// When it is empty, or a URL of what cannot be read or written here.
    pub fn parse(text: &OsStr) -> Result<ResourcePlace> {
        let bytes = text.as_bytes();
        let scheme = scheme(bytes);
        if bytes == b"-" {
            Ok(ResourcePlace::Standard)
        } else if bytes.is_empty() {
            Err(Error::usage("a resource without a path (standard input is '-')"))
        } else if let Some(scheme) = scheme {
            ResourcePlace::of_url(scheme, text)
        } else {
            Ok(ResourcePlace::Path(PathBuf::from(text)))
        }
    }

    /// The place that a URL with this scheme names.
    fn of_url(scheme: &str, text: &OsStr) -> Result<ResourcePlace> {
        let shown = text.display();
        if let Some(service) = ObjectService::of_scheme(&scheme.to_ascii_lowercase()) {
            let url = text.to_str().ok_or_else(|| Error::usage(format!("{shown}: not UTF-8")))?;
            let rest = &url[scheme.len() + "://".len()..];
            return ObjectAddress::parse(service, rest).map(ResourcePlace::Object);
        }
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => {
                let url = text.to_str().ok_or_else(|| Error::usage("a URL that is not UTF-8"))?;
                let rest = &url[scheme.len()..];
                Ok(ResourcePlace::Url(format!("{}{rest}", scheme.to_ascii_lowercase())))
            }
            "file" => match file_path(&text.as_bytes()["file://".len()..]) {
                Some(path) => Ok(ResourcePlace::Path(path)),
                None => Err(Error::usage(format!(
                    "{shown}: a file of this machine is file:///PATH, or PATH itself"
                ))),
            },
            "client" => {
                let path = Path::new(OsStr::from_bytes(&text.as_bytes()["client://".len()..]));
                match path.is_absolute() {
                    true => Ok(ResourcePlace::Client(path.into())),
                    false => Err(Error::usage(format!(
                        "{shown}: a file of the client is client:///PATH, a path from the root"
                    ))),
                }
            }
            of_hadoop if OF_HADOOP.contains(&of_hadoop) && text.to_str().is_some() => {
                Ok(ResourcePlace::Url(shown.to_string()))
            }
            _ => Err(unreadable(scheme, &shown.to_string())),
        }
    }

    /// The name whose ending says how the bytes are packed; none for standard input and output. In
    /// one that is not UTF-8 some bytes are not as they are.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            ResourcePlace::Standard => Cow::Borrowed(""),
            ResourcePlace::Path(path) | ResourcePlace::Client(path) => {
                path.file_name().unwrap_or_default().to_string_lossy()
            }
            ResourcePlace::Object(address) => Cow::Borrowed(address.name()),
            ResourcePlace::Url(url) => {
                let path = url.split(['?', '#']).next().unwrap_or_default();
                let path = path.split_once("://").map_or(path, |(_, rest)| rest);
                Cow::Borrowed(path.rsplit_once('/').map_or("", |(_, name)| name))
            }
        }
    }

    /// The same place, where a path is relative to `directory`.
    pub(crate) fn seen_from(self, directory: &Path) -> ResourcePlace {
        match self {
            ResourcePlace::Path(path) => ResourcePlace::Path(directory.join(path)),
            other => other,
        }
    }

    /// The places that a place for reading stands for: a pattern's matches in order, else itself.
    /// Stores are not asked here what a pattern of keys matches ([`objects::each`](super::objects::each)
    /// does).
    /// With `only_files` directories among the matches are passed over, and `note` hears of it.
    ///
    /// # Errors
    /// When a path is not there, a pattern matches nothing, or a directory cannot be listed.
    pub fn expand(self, only_files: bool, note: &dyn Fn(&str)) -> Result<Vec<ResourcePlace>> {
        let ResourcePlace::Path(path) = self else { return Ok(vec![self]) };
        match fs::metadata(&path) {
            Ok(_) => return Ok(vec![ResourcePlace::Path(path)]),
            // A pattern may be longer than a name.
            Err(e)
                if pattern::is_pattern(path.as_os_str())
                    && matches!(e.kind(), ErrorKind::NotFound | ErrorKind::InvalidFilename) => {}
            Err(e) => return Err(Error::path("read", &path, &e)),
        }
        let shown = path.display();
        let mut found = pattern::matches(path.as_os_str())?;
        let all = found.len();
        if only_files {
            found.retain(|path| !path.is_dir());
        }
        let directories = match all - found.len() {
            0 => String::new(),
            1 => "a directory is passed over".to_string(),
            many => format!("{many} directories are passed over"),
        };
        match (found.is_empty(), directories.is_empty()) {
            (true, true) => return Err(Error::usage(format!("{shown}: no file matches"))),
            (true, false) => {
                return Err(Error::usage(format!("{shown}: no file matches; {directories}")));
            }
            (false, true) => (),
            (false, false) => note(&format!("{shown}: {directories}")),
        }
        Ok(found.into_iter().map(ResourcePlace::Path).collect())
    }
}

impl fmt::Display for ResourcePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResourcePlace::Standard => f.write_str("-"),
            ResourcePlace::Path(path) => path.display().fmt(f),
            ResourcePlace::Url(url) => f.write_str(without_signature(url)),
            ResourcePlace::Client(path) => Shown(path).fmt(f),
            ResourcePlace::Object(address) => address.fmt(f),
        }
    }
}

/// What a signed address has in it, and nobody is to see: who has it can read what it names.
const SIGNATURES: [&str; 3] = ["X-Amz-Signature=", "X-Goog-Signature=", "sig="];

/// An address without what it is signed with.
pub fn without_signature(url: &str) -> &str {
    match url.split_once('?') {
        Some((address, query)) if SIGNATURES.iter().any(|part| query.contains(part)) => address,
        _ => url,
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

/// The schemes of Hadoop's file systems.
const OF_HADOOP: [&str; 10] =
    ["hdfs", "webhdfs", "viewfs", "s3a", "abfs", "abfss", "wasb", "wasbs", "ofs", "o3fs"];

/// Checks that a URL is one that the tools themselves can read.
///
/// # Errors
/// `Usage` for one of Hadoop's file systems.
pub(super) fn check_url(url: &str) -> Result<()> {
    match scheme(url.as_bytes()) {
        Some("http" | "https") | None => Ok(()),
        Some(scheme) => Err(unreadable(scheme, url)),
    }
}

/// Whether a URL is of one of Hadoop's file systems.
pub(super) fn is_of_hadoop(url: &str) -> bool {
    check_url(url).is_err()
}

/// The error for an address that no tool can reach.
fn unreadable(scheme: &str, shown: &str) -> Error {
    let lower = scheme.to_ascii_lowercase();
    let or = if OF_HADOOP.contains(&lower.as_str()) { "; mc-spark reads it by itself" } else { "" };
    Error::usage(format!(
        "{shown}: {scheme}:// cannot be read or written here: s3://, gs://, az://, http://, https:// \
         (reading) and file:// can; pipe it through a program that can ({}), as in 'PROGRAM | mc-cat FORMAT:-'{or}",
        program(scheme)
    ))
}

/// A program that reads what has this scheme.
fn program(scheme: &str) -> &'static str {
    match scheme.to_ascii_lowercase().as_str() {
        "s3a" | "s3n" => "aws s3 cp URL -; or say s3://",
        "gcs" => "gcloud storage cat URL; or say gs://",
        "abfs" | "abfss" | "wasb" | "wasbs" | "adl" => "azcopy; or say az://CONTAINER/KEY",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_named_by_its_path() {
        let name = |url: &str| ResourcePlace::Url(url.into()).name().to_string();
        assert_eq!(name("http://host/dir/a.csv.gz?x=/b.zip#c"), "a.csv.gz");
        assert_eq!(name("http://host.csv"), "");
        assert_eq!(name("http://host/"), "");
    }

    #[test]
    fn a_scheme_is_known_or_refused_with_a_program_that_knows_it() {
        let parse = |text: &str| ResourcePlace::parse(OsStr::new(text));
        assert_eq!(parse("file:///a%20b/%e9%zz").unwrap(), {
            ResourcePlace::Path(OsStr::from_bytes(b"/a b/\xe9%zz").into())
        });
        assert_eq!(parse("FILE://localhost/a").unwrap(), ResourcePlace::Path("/a".into()));
        assert_eq!(parse("HTTPS://h/A").unwrap(), ResourcePlace::Url("https://h/A".into()));
        assert_eq!(parse("a b://c").unwrap(), ResourcePlace::Path("a b://c".into()));
        for (url, why) in [
            ("s3n://bucket/a.csv", "s3n:// cannot be read or written here"),
            ("s3n://bucket/a.csv", "aws s3 cp URL -; or say s3://"),
            ("s3://bucket", "an object is s3://BUCKET/KEY"),
            ("AZ://c/", "an object is az://CONTAINER/KEY"),
            ("FTP://h/a", "curl"),
            ("x-y+z.1://a", "x-y+z.1://"),
            ("file://host/a", "file:///PATH"),
            ("file://", "file:///PATH"),
            ("file:///a%00b", "file:///PATH"),
            ("client://a/b", "client:///PATH"),
        ] {
            let error = parse(url).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn addresses_of_hadoop_are_for_spark_and_nobody_opens_them() {
        for url in ["hdfs://n/a", "s3a://b/c.csv", "HDFS:///x"] {
            assert_eq!(ResourcePlace::parse(OsStr::new(url)).unwrap().to_string(), url);
            let error = check_url(url).unwrap_err();
            let said = error.to_string();
            assert!(error.exit_code() == 2 && said.contains("mc-spark reads it"), "{said}");
            assert!(is_of_hadoop(url));
        }
        assert!(check_url("https://h/a").is_ok() && !is_of_hadoop("http://h/a"));
    }

    #[test]
    fn patterns_match_in_order_and_a_literal_name_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.txt", "a.txt", ".c.txt", "x[1].txt"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let expand = |name: &str| ResourcePlace::Path(dir.path().join(name)).expand(true, &|_| ());
        let names = |name: &str| -> Vec<String> {
            expand(name).unwrap().iter().map(|p| p.name().to_string()).collect()
        };
        assert_eq!(names("*.txt"), ["a.txt", "b.txt", "x[1].txt"]);
        assert_eq!(names("x[1].txt"), ["x[1].txt"]);
        fs::create_dir(dir.path().join("d.txt")).unwrap();
        assert_eq!(names("*.txt"), ["a.txt", "b.txt", "x[1].txt"]);
        assert!(expand("*.csv").is_err());
        let error = expand("d*").unwrap_err().to_string();
        assert!(error.ends_with("d*: no file matches; a directory is passed over"), "{error}");
        assert!(expand("none").is_err());
    }
}

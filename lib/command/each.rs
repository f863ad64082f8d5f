//! A command that is run once per record: the words that stand for parts of the record, and what
//! is made of what it printed.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::command::attempt::{self, CommandEnd};
use crate::error::{Error, Result};
use crate::record::fields::Fields;
use crate::record::notation::{named, plain};
use crate::record::path::parse_path;
use crate::record::text;

/// The longest argument that the system takes, in bytes.
const WORD_MAX: usize = 128 * 1024 - 1;

/// What stands before the path of a file of the client.
const SCHEME: &[u8] = b"client://";

/// A file of the client as a command finds it where it runs; it stays there as long as this does.
pub(crate) trait LocalFile {
    /// Where it lies.
    fn path(&self) -> &Path;
}

impl LocalFile for PathBuf {
    fn path(&self) -> &Path {
        self
    }
}

/// Has a file of the client where the command runs, by its path on the client.
pub(crate) type OpenClient<'a> = &'a dyn Fn(&Path) -> Result<Box<dyn LocalFile>>;

/// What is done with each record by itself.
#[derive(Clone, Debug, Default)]
pub struct Each {
    /// The words of the command, where they are not the same for each record.
    pub words: Option<Words>,
    /// The name of a pair's data behind the command, as it is made of the one before: `{stem}.png`.
    pub rename: Option<String>,
    /// Whether each run is a record, and failures are data.
    pub outcome: bool,
    /// How many more attempts a record gets.
    pub retries: u32,
    /// The name of the host that it is done on.
    pub host: String,
}

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// Itself.
    Literal(Vec<u8>),
    /// The record's text.
    Record,
    /// The text of the value at one of the paths.
    Field(usize),
    /// Where the file of the client lies that this text names.
    Client(usize),
}

/// The words of a command, some of which stand for parts of a record.
#[derive(Clone, Debug)]
pub struct Words {
    words: Vec<Vec<Piece>>,
    fields: Fields,
    /// How the paths are written.
    paths: Vec<String>,
}

impl Words {
    /// Reads the words: `{}` is the record's text, `{.path}` that of the value there, `{client:.path}`
    /// the path of the client's file that it names.
    ///
    /// # Errors
    /// `Usage` for a path that is none, and for one in the name of the program.
    pub fn parse(words: &[OsString]) -> Result<Words> {
        let (mut paths, mut parsed) = (Vec::new(), Vec::new());
        for word in words {
            parsed.push(pieces(word.as_bytes(), &mut paths)?);
        }
        if parsed.first().is_some_and(|name| name.iter().any(|p| !matches!(p, Piece::Literal(_)))) {
            return Err(Error::usage(
                "the program that is run cannot be told by the record: say it, and put {} behind it",
            ));
        }
        let steps = paths.iter().map(|path| parse_path(path)).collect::<Result<_>>()?;
        Ok(Words { words: parsed, fields: Fields::new(steps), paths })
    }

    /// Whether the words are the same for each record.
    pub fn are_fixed(&self) -> bool {
        self.words.iter().flatten().all(|piece| matches!(piece, Piece::Literal(_)))
    }

    /// Whether any of them stands for a file of the client.
    pub fn name_client_files(&self) -> bool {
        self.words.iter().flatten().any(|piece| matches!(piece, Piece::Client(_)))
    }

    /// The words for a sound record, as they are on the client.
    ///
    /// # Errors
    /// Why there are none; a fragment.
    pub fn of(&self, record: &[u8]) -> std::result::Result<Vec<OsString>, String> {
        let same = &mut |path: &Path| Ok(path.to_path_buf());
        self.filled(record, same).map_err(|error| error.to_string())
    }

    /// The words for a sound record, as they are where the command runs. The files of the client that
    /// they name, which `open` has there, are added to `files`.
    ///
    /// # Errors
    /// `BadInput` why there are none, and what `open` says.
    pub(crate) fn with_files(
        &self,
        record: &[u8],
        open: OpenClient<'_>,
        files: &mut Vec<Box<dyn LocalFile>>,
    ) -> Result<Vec<OsString>> {
        self.filled(record, &mut |path| {
            let file = open(path)?;
            let path = file.path().to_path_buf();
            files.push(file);
            Ok(path)
        })
    }

    fn filled(
        &self,
        record: &[u8],
        place: &mut dyn FnMut(&Path) -> Result<PathBuf>,
    ) -> Result<Vec<OsString>> {
        let mut fields = self.fields.clone();
        let found = fields.locate(record).map_err(|flaw| Error::input(flaw.what.to_string()))?;
        let value_at = |number: usize| match found.get(number).cloned().flatten() {
            Some(place) => plain(&record[place]).map_err(Error::input),
            None => Err(Error::input(format!("it has no {}", self.paths[number]))),
        };
        let mut words = Vec::with_capacity(self.words.len());
        for pieces in &self.words {
            let mut word = Vec::new();
            for piece in pieces {
                match piece {
                    Piece::Literal(bytes) => word.extend_from_slice(bytes),
                    Piece::Record => word.extend_from_slice(&plain(record).map_err(Error::input)?),
                    Piece::Field(number) => word.extend_from_slice(&value_at(*number)?),
                    Piece::Client(number) => {
                        let path = client_path(&value_at(*number)?, &self.paths[*number])?;
                        word.extend_from_slice(place(&path)?.as_os_str().as_bytes());
                    }
                }
            }
            words.push(argument(word)?);
        }
        Ok(words)
    }
}

/// A word that can be an argument.
fn argument(word: Vec<u8>) -> Result<OsString> {
    if word.contains(&0) {
        return Err(Error::input("a text with a NUL in it can be no argument"));
    }
    if word.len() > WORD_MAX {
        return Err(Error::input(format!(
            "a text of {} bytes is too long for an argument, which has {WORD_MAX} at most: \
             the command finds the record on its standard input, too",
            word.len()
        )));
    }
    Ok(OsString::from_vec(word))
}

/// The path of a file of the client, as the text at `field` names it.
fn client_path(text: &[u8], field: &str) -> Result<PathBuf> {
    let path = Path::new(OsStr::from_bytes(text.strip_prefix(SCHEME).unwrap_or(text)));
    match path.is_absolute() && !text.contains(&0) {
        true => Ok(path.to_path_buf()),
        false => Err(Error::input(format!(
            "its {field} names no file of the client: say client:///PATH or /PATH, from the root"
        ))),
    }
}

/// The pieces of a word; paths that are new are added to `paths`.
fn pieces(word: &[u8], paths: &mut Vec<String>) -> Result<Vec<Piece>> {
    let (mut pieces, mut literal, mut at) = (Vec::new(), Vec::new(), 0);
    while at < word.len() {
        let Some((inside, is_client)) = braced(&word[at..]) else {
            literal.push(word[at]);
            at += 1;
            continue;
        };
        at += inside.len() + 2 + if is_client { CLIENT.len() } else { 0 };
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        if inside.is_empty() {
            pieces.push(Piece::Record);
            continue;
        }
        let path = String::from_utf8_lossy(inside).into_owned();
        let number = paths.iter().position(|known| *known == path).unwrap_or(paths.len());
        if number == paths.len() {
            paths.push(path);
        }
        pieces.push(if is_client { Piece::Client(number) } else { Piece::Field(number) });
    }
    if !literal.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

/// What stands before the path in braces where the file is meant.
const CLIENT: &[u8] = b"client:";

/// The path in the braces that `word` begins with, and whether the file is meant that is named there:
/// an empty one is that of the record's text.
fn braced(word: &[u8]) -> Option<(&[u8], bool)> {
    let inside = word.strip_prefix(b"{")?;
    if inside.first() == Some(&b'}') {
        return Some((b"", false));
    }
    let (path, is_client) = match inside.strip_prefix(CLIENT) {
        Some(path) => (path, true),
        None => (inside, false),
    };
    if path.first() != Some(&b'.') || path.get(1) == Some(&b' ') {
        return None;
    }
    memchr::memchr(b'}', path).map(|length| (&path[..length], is_client))
}

/// Whether a line for the shell holds what would be replaced in words.
pub fn has_placeholder(line: &[u8]) -> bool {
    let mut paths = Vec::new();
    let found = pieces(line, &mut paths).unwrap_or_default();
    let is_path = |path: &String| parse_path(path).is_ok();
    found.contains(&Piece::Record) || paths.iter().any(is_path)
}

/// One run of a command on a record, as it ended.
pub(crate) struct RunOfRecord<'a> {
    /// The record.
    pub(crate) record: &'a [u8],
    /// What it printed.
    pub(crate) printed: &'a [u8],
    /// The last lines of its standard error.
    pub(crate) errors: &'a [String],
    /// How it ended.
    pub(crate) how: CommandEnd,
    /// The host that it ran on.
    pub(crate) host: &'a str,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Each {
    /// Checks `rename`.
    ///
    /// # Errors
    /// `Usage` where it holds a word in braces that is none.
    pub fn check(&self) -> Result<()> {
        self.rename.as_deref().map_or(Ok(()), |template| renamed(template, "a").map(|_| ()))
    }

    /// Appends the record that is made of `record` and the data that the command printed for it.
    ///
    /// # Errors
    /// `Usage` as [`Each::check`].
    pub(crate) fn push_data(&self, out: &mut Vec<u8>, record: &[u8], data: &[u8]) -> Result<()> {
        let Some((name, _)) = named(record) else {
            text::push_bytes(out, data);
            out.push(b'\n');
            return Ok(());
        };
        out.push(b'[');
        match &self.rename {
            None => out.extend_from_slice(name),
            Some(template) => {
                let name = plain(name).unwrap_or_default();
                text::push_string(out, &renamed(template, &String::from_utf8_lossy(&name))?);
            }
        }
        out.push(b',');
        text::push_bytes(out, data);
        out.extend_from_slice(b"]\n");
        Ok(())
    }
}

impl RunOfRecord<'_> {
    /// Appends the run as a record.
    pub(crate) fn push(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"in\":");
        out.extend_from_slice(self.record.trim_ascii());
        out.extend_from_slice(b",\"out\":");
        text::push_bytes(out, self.printed);
        out.extend_from_slice(b",\"err\":");
        text::push_string(out, &self.errors.join("\n"));
        let (exit, signal) = match self.how {
            CommandEnd::Status(status) => (Some(status), None),
            CommandEnd::Signal(number) => (None, Some(attempt::signal(number))),
            CommandEnd::Timeout | CommandEnd::Stopped => (None, Some("timeout".to_string())),
        };
        let exit = exit.map_or("null".to_string(), |status| status.to_string());
        out.extend_from_slice(format!(",\"exit\":{exit},\"signal\":").as_bytes());
        match signal {
            Some(signal) => text::push_string(out, &signal),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"host\":");
        text::push_string(out, self.host);
        out.extend_from_slice(
            format!(",\"seconds\":{:.3}}}\n", self.took.as_secs_f64()).as_bytes(),
        );
    }
}

/// The name that `template` makes of `name`: `{name}` is all of it, `{stem}` without the ending of
/// its last part, `{ext}` that ending without the point, `{base}` its last part.
///
/// # Errors
/// `Usage` for another word in braces.
fn renamed(template: &str, name: &str) -> Result<String> {
    let base = name.rsplit('/').next().unwrap_or(name);
    // A file such as `.profile` is all stem.
    let point = base.rfind('.').filter(|at| *at > 0);
    let ending = point.map_or("", |at| &base[at..]);
    let stem = &name[..name.len() - ending.len()];
    let (mut new, mut rest) = (String::new(), template);
    while let Some((before, behind)) = rest.split_once('{') {
        let Some((word, behind)) = behind.split_once('}') else { break };
        new.push_str(before);
        new.push_str(match word {
            "name" => name,
            "stem" => stem,
            "base" => base,
            "ext" => ending.strip_prefix('.').unwrap_or(ending),
            _ => {
                return Err(Error::usage(format!(
                    "--name: {{{word}}} is none of {{name}}, {{stem}}, {{base}} and {{ext}}"
                )));
            }
        });
        rest = behind;
    }
    new.push_str(rest);
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str], record: &str) -> std::result::Result<Vec<String>, String> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let words =
            Words::parse(&words).map_err(|error| error.to_string())?.of(record.as_bytes())?;
        Ok(words.into_iter().map(|word| word.into_string().unwrap()).collect())
    }

    #[test]
    fn words_stand_for_parts_of_the_record() {
        let given = ["f", "{}", "a{.x.y}b{.x.y}", "{", "{x}", "{.z}", ""];
        let record = "{\"x\":{\"y\":\"v w\"},\"z\":[1, 2]}";
        let want = ["f", record, "av wbv w", "{", "{x}", "[1, 2]", ""];
        assert_eq!(words(&given, record).unwrap(), want);
        assert_eq!(words(&["f", "{.[0]}{}"], "[\"a\",7]").unwrap(), ["f", "a[\"a\",7]"]);
        assert_eq!(words(&["f", "{}"], "\"a'b\\\"c\"").unwrap(), ["f", "a'b\"c"]);
        assert_eq!(words(&["f", "{.q}"], record).unwrap_err(), "it has no .q");
        assert!(words(&["f", "{}"], "\"a\\u0000\"").unwrap_err().contains("NUL"));
        let long = format!("\"{}\"", "x".repeat(WORD_MAX + 1));
        assert!(words(&["f", "{}"], &long).unwrap_err().contains("131072 bytes is too long"));
        assert_eq!(words(&["f", "{}"], &long.replacen('x', "", 1)).unwrap()[1].len(), WORD_MAX);
        let files = ["f", "-i={client:.x}", "{client:.y[0]}{.x}", "{client:}", "{client:x}"];
        let record = "{\"x\":\"/a b\",\"y\":[\"client:///c\",\"d\",7]}";
        let want = ["f", "-i=/a b", "/c/a b", "{client:}", "{client:x}"];
        assert_eq!(words(&files, record).unwrap(), want);
        assert_eq!(words(&["f", "{client:.}"], "\"/a\"").unwrap(), ["f", "/a"]);
        for path in ["{client:.y[1]}", "{client:.y[2]}", "{client:.y}"] {
            let refused = words(&["f", path], record).unwrap_err();
            assert!(
                refused.contains("names no file of the client: say client:///PATH"),
                "{refused}"
            );
        }
        assert_eq!(words(&["f", "{client:.q}"], record).unwrap_err(), "it has no .q");
        assert!(words(&["f", "{client:.}"], "\"/a\\u0000\"").is_err());
        assert!(words(&["{client:.}"], "1").unwrap_err().contains("cannot be told"));
        assert!(has_placeholder(b"cat {client:.a}") && !has_placeholder(b"a {client:}"));
        assert!(words(&["{}"], "1").unwrap_err().contains("cannot be told by the record"));
        assert!(words(&["f", "{.[x]}"], "1").is_err());
        assert!(has_placeholder(b"echo {}") && has_placeholder(b"echo {.a}"));
        assert!(!has_placeholder(b"awk '{print}'") && !has_placeholder(b"a {. b}"));
    }

    #[test]
    fn data_gets_a_name_and_runs_are_records() {
        let pushed = |rename: Option<&str>, record: &str| {
            let each = Each { rename: rename.map(String::from), ..Each::default() };
            let mut out = Vec::new();
            each.push_data(&mut out, record.as_bytes(), b"\xff").unwrap();
            String::from_utf8(out).unwrap()
        };
        let data = "{\"$base64\":\"/w==\"}";
        assert_eq!(pushed(None, "[\"a/b.c.png\",\"x\"]"), format!("[\"a/b.c.png\",{data}]\n"));
        let stem = Some("{stem}.{ext}.jpg");
        assert_eq!(pushed(stem, "[\"a/b.c.png\",\"\"]"), format!("[\"a/b.c.png.jpg\",{data}]\n"));
        assert_eq!(
            pushed(Some("{base}-{name}"), "[\"a/.b\",\"\"]"),
            format!("[\".b-a/.b\",{data}]\n")
        );
        assert_eq!(pushed(None, "\"x\""), format!("{data}\n"));
        let odd = Each { rename: Some("{size}".into()), ..Each::default() };
        assert!(odd.check().unwrap_err().to_string().contains("{size} is none of"));
        let mut out = Vec::new();
        let took = Duration::from_millis(1234);
        let how = CommandEnd::Status(3);
        let errors = ["why".to_string(), "not".into()];
        RunOfRecord { record: b"7", printed: b"a\n", errors: &errors, how, host: ":", took }
            .push(&mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"in\":7,\"out\":\"a\\n\",\"err\":\"why\\nnot\",\"exit\":3,\"signal\":null,\
             \"host\":\":\",\"seconds\":1.234}\n"
        );
    }
}

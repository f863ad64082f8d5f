//! `FORMAT[,OPTION...]:PATH`: what a resource is called on the command line, and what its name
//! decides: the format, the compression, and whether the format lies in the members of a Zip.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::compression::Codec;
use super::pattern;
use super::place::{ResourcePlace, scheme};
use super::spec::{BUILT_IN, Spec};
use crate::error::{Error, Result};

/// A resource as named: a format with its options, and a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The format as written, or as the name decides.
    pub spec: Spec,
    /// Where the bytes are.
    pub place: ResourcePlace,
}

/// How the bytes at a place are packed, as its name decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packing {
    /// The compression around the whole.
    pub codec: Option<Codec>,
    /// Whether it is a Zip whose members hold the format.
    pub zipped: bool,
}

impl Resource {
    /// A format at a place: what the place's name tells of the format holds unless an option says
    /// otherwise.
    pub fn new(spec: Spec, place: ResourcePlace) -> Resource {
        let tabs = spec.name() == "csv" && !spec.has("delim") && is_tabbed(&place.name());
        let spec = if tabs { spec.with("delim", "tab") } else { spec };
        Resource { spec, place }
    }

    /// Reads a resource from an argument. With `format` (`-f`) the argument is a plain path;
    /// otherwise what stands before the first colon is a format, unless it holds a `/` that is not
    /// in the value of an option, or is no format of ours and there is a file of that whole name.
    ///
    /// # Errors
    /// When the format cannot be told or does not exist.
    pub fn parse(argument: &OsStr, format: Option<&Spec>) -> Result<Resource> {
        Resource::parse_in(Path::new(""), argument, format)
    }

    fn parse_in(directory: &Path, argument: &OsStr, format: Option<&Spec>) -> Result<Resource> {
        let bytes = argument.as_bytes();
        if let Some(spec) = format {
            return Resource::of(spec.clone(), argument, directory);
        }
        if scheme(bytes).is_some_and(|scheme| !Spec::plain(scheme).is_built_in()) {
            return Resource::by_name(ResourcePlace::parse(argument)?);
        }
        let Some(at) = format_end(directory, argument) else {
            return Resource::by_name(ResourcePlace::parse(argument)?.seen_from(directory));
        };
        let format = std::str::from_utf8(&bytes[..at]).map_err(|_| {
            Error::usage(format!("{}: a format that is not UTF-8", argument.display()))
        })?;
        Resource::of(Spec::parse(format)?, OsStr::from_bytes(&bytes[at + 1..]), directory)
    }

    fn of(spec: Spec, path: &OsStr, directory: &Path) -> Result<Resource> {
        if let Some((path, table)) = table_of(&spec, path, directory) {
            let place = ResourcePlace::parse(path)?.seen_from(directory);
            return Ok(Resource::new(spec.with("table", table), place));
        }
        let place = match spec.name() {
            // What a range spans is no path: nothing in it is special.
            "range" => ResourcePlace::Path(path.into()),
            _ => ResourcePlace::parse(path)?.seen_from(directory),
        };
        Ok(Resource::new(spec, place))
    }

    /// Reads the resources for reading that an argument stands for, as [`Resource::parse`]; of
    /// what a pattern without a format matches, each name decides for itself. `note` hears what is
    /// worth a word to those who want to know.
    ///
    /// # Errors
    /// As [`Resource::parse`], and when there is no such path.
    pub fn parse_all(
        argument: &OsStr,
        format: Option<&Spec>,
        note: &dyn Fn(&str),
    ) -> Result<Vec<Resource>> {
        Resource::parse_all_in(Path::new(""), argument, format, note)
    }

    /// The same, with paths seen from `directory`.
    ///
    /// # Errors
    /// As [`Resource::parse_all`].
    pub fn parse_all_in(
        directory: &Path,
        argument: &OsStr,
        format: Option<&Spec>,
        note: &dyn Fn(&str),
    ) -> Result<Vec<Resource>> {
        if format.is_some() || format_end(directory, argument).is_some() {
            return Ok(vec![Resource::parse_in(directory, argument, format)?]);
        }
        let place = ResourcePlace::parse(argument)?.seen_from(directory);
        place.expand(true, note)?.into_iter().map(Resource::by_name).collect()
    }

    /// Reads the name of a file, in which nothing is special, without a format but what `format`
    /// or the name itself tells.
    ///
    /// # Errors
    /// When the format cannot be told, and when there is no such path.
    pub fn named(path: &Path, format: Option<&Spec>) -> Result<Resource> {
        std::fs::metadata(path).map_err(|e| Error::path("read", path, &e))?;
        let place = ResourcePlace::Path(path.into());
        match format {
            Some(spec) => Ok(Resource::new(spec.clone(), place)),
            None => Resource::by_name(place),
        }
    }

    /// The argument, for elsewhere, that names the file `path` and in which nothing is special.
    pub fn plain_argument(path: &Path) -> OsString {
        let mut argument = pattern::literal(path.as_os_str().as_bytes());
        if path.is_relative() {
            argument.splice(..0, *b"./");
        }
        OsString::from_vec(argument)
    }

    /// The resources, of one place each, that this one stands for, in order: those that its pattern
    /// matches, or itself. `note` hears of what was passed over.
    ///
    /// # Errors
    /// As [`ResourcePlace::expand`].
    pub fn expand(&self, note: &dyn Fn(&str)) -> Result<Vec<Resource>> {
        if self.spec.name() == "range" {
            return Ok(vec![self.clone()]);
        }
        let only_files = self.is_bytes() || self.spec.name() == "shards";
        let places = self.place.clone().expand(only_files, note)?;
        Ok(places.into_iter().map(|place| Resource::new(self.spec.clone(), place)).collect())
    }

    /// Standard input or output as NDJSON.
    pub fn standard() -> Resource {
        Resource { spec: Spec::plain("ndjson"), place: ResourcePlace::Standard }
    }

    /// Whether the format is one of ours that is made of bytes, wherever they come from.
    fn is_bytes(&self) -> bool {
        matches!(self.spec.name(), "ndjson" | "json" | "text" | "csv" | "zip" | "table")
    }

    /// How the bytes are packed: by the name, where the format is made of bytes at all.
    pub fn packing(&self) -> Packing {
        if !self.is_bytes() {
            return Packing::default();
        }
        let name = self.place.name();
        let (name, codec) = Codec::of(&name);
        let zipped = self.spec.name() != "zip" && extension(name) == "zip";
        Packing { codec, zipped }
    }

    fn by_name(place: ResourcePlace) -> Result<Resource> {
        if place == ResourcePlace::Standard {
            return Ok(Resource::standard());
        }
        let name = place.name();
        let (name, _) = Codec::of(&name);
        let spec = match (format_of(name), extension(name).as_str()) {
            (Some(spec), _) => spec,
            (None, "zip") => {
                let (inner, _) = Codec::of(&name[..name.len() - ".zip".len()]);
                format_of(inner).unwrap_or_else(|| Spec::plain("zip"))
            }
            (None, "mc") => Spec::plain("shards"),
            (None, _) if is_stream(&place) => Spec::plain("ndjson"),
            (None, _) => {
                return Err(Error::usage(format!(
                    "{place}: its name does not tell its format: say FORMAT:{place} (formats: {BUILT_IN})"
                )));
            }
        };
        Ok(Resource::new(spec, place))
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            ResourcePlace::Standard => f.write_str("standard input"),
            place => place.fmt(f),
        }
    }
}

/// The path and the table that a path for a format of others names: `a.db?sales`. None where the whole is
/// a file's name or a pattern that matches one, and where a table is named already.
fn table_of<'a>(spec: &Spec, path: &'a OsStr, directory: &Path) -> Option<(&'a OsStr, &'a str)> {
    if spec.is_built_in() || spec.has("table") {
        return None;
    }
    let bytes = path.as_bytes();
    let at = memchr::memrchr(b'?', bytes).filter(|&at| at > 0)?;
    let table = std::str::from_utf8(&bytes[at + 1..]).ok()?;
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    if table.is_empty() || !table.chars().all(is_name) {
        return None;
    }
    let whole = directory.join(path);
    let is_there = std::fs::symlink_metadata(&whole).is_ok()
        || pattern::matches(whole.as_os_str()).is_ok_and(|found| !found.is_empty());
    (!is_there).then(|| (OsStr::from_bytes(&bytes[..at]), table))
}

/// Whether a name tells that columns are parted by tabs.
pub(super) fn is_tabbed(name: &str) -> bool {
    let (name, _) = Codec::of(name);
    let name = if extension(name) == "zip" { &name[..name.len() - ".zip".len()] } else { name };
    let (inner, _) = Codec::of(name);
    matches!(extension(inner).as_str(), "tsv" | "tab")
}

/// Where the colon stands behind the format that an argument names, seen from `directory`; none
/// where it is a plain path. A `/` before it means a path, but for one in the value of an option of
/// a format of ours. A time in a file's name has colons too: before one stands a format of ours, or
/// else there is no file of that whole name.
fn format_end(directory: &Path, argument: &OsStr) -> Option<usize> {
    let bytes = argument.as_bytes();
    let at = memchr::memchr(b':', bytes)?;
    let word = &bytes[..at];
    let format = std::str::from_utf8(word).ok().and_then(|text| Spec::parse(text).ok());
    let is_ours = format.is_some_and(|format| format.is_built_in());
    if let Some(slash) = memchr::memchr(b'/', word) {
        let option = memchr::memchr(b',', &word[..slash]);
        let in_value = option.is_some_and(|comma| word[comma..slash].contains(&b'='));
        return Some(at).filter(|_| is_ours && in_value);
    }
    if is_ours {
        return Some(at);
    }
    let path = directory.join(argument);
    let is_there = std::fs::symlink_metadata(&path).is_ok()
        || pattern::is_pattern(argument)
            && pattern::matches(path.as_os_str()).is_ok_and(|found| !found.is_empty());
    if is_there { None } else { Some(at) }
}

/// The format that the name of a file or of a member of a Zip tells, packed or not.
pub(super) fn told(name: &str) -> Option<Spec> {
    let (name, _) = Codec::of(name);
    match extension(name).as_str() {
        "zip" => Some(Spec::plain("zip")),
        _ => format_of(name),
    }
}

/// The format that a name without compression ending tells.
fn format_of(name: &str) -> Option<Spec> {
    match extension(name).as_str() {
        "ndjson" | "jsonl" => Some(Spec::plain("ndjson")),
        "json" => Some(Spec::plain("json")),
        "csv" | "tsv" | "tab" => Some(Spec::plain("csv")),
        "txt" | "text" | "log" => Some(Spec::plain("text")),
        // Of a program, which is one of ours.
        "parquet" => Some(Spec::plain("parquet")),
        _ => None,
    }
}

/// Whether a place is a stream, such as a shell's `<( )` gives: as much as `-`, it holds records.
fn is_stream(place: &ResourcePlace) -> bool {
    let streams = ["/dev", "/proc/self/fd"];
    matches!(place, ResourcePlace::Path(path) if streams.iter().any(|stream| path.starts_with(stream)))
}

/// What follows the last dot of a name, in small letters.
fn extension(name: &str) -> String {
    name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Resource> {
        Resource::parse(OsStr::new(text), None)
    }

    fn told(text: &str) -> (String, Packing) {
        let resource = parse(text).unwrap();
        (resource.spec.name().to_string(), resource.packing())
    }

    #[test]
    fn a_format_stands_before_the_colon_and_a_slash_before_it_means_a_path() {
        assert_eq!(parse("csv,typed:a.txt").unwrap().spec, Spec::parse("csv,typed").unwrap());
        assert_eq!(parse("./csv:a.txt").unwrap().spec.name(), "text");
        assert_eq!(parse("ndjson:-").unwrap().place, ResourcePlace::Standard);
        assert_eq!(parse("-").unwrap(), Resource::standard());
        assert_eq!(parse("a.mc").unwrap().spec.name(), "shards");
        assert_eq!(parse("https://h/a.csv").unwrap().spec.name(), "csv");
        assert_eq!(
            parse("text:http://h/a").unwrap().place,
            ResourcePlace::Url("http://h/a".into())
        );
        let of_client = ResourcePlace::Client("/a/%d.csv".into());
        assert_eq!(parse("csv:client:///a/%d.csv").unwrap().place, of_client);
        assert_eq!(parse("client:///a/%d.csv").unwrap().spec.name(), "csv");
        for refused in ["client:///a", "csv:client://a", "a", ":a", "csv:", "a b:c"] {
            assert!(parse(refused).is_err(), "{refused}");
        }
        let spec = Spec::plain("text");
        let plain = Resource::parse(OsStr::new("csv:a.csv"), Some(&spec)).unwrap();
        assert_eq!(plain.place, ResourcePlace::Path("csv:a.csv".into()));
    }

    #[test]
    fn a_slash_in_the_value_of_an_option_is_no_path() {
        let null = Spec::parse("csv,null=N/A").unwrap();
        assert_eq!(parse("csv,null=N/A:na.csv").unwrap().spec, null);
        assert_eq!(
            parse("csv,null=N/A:d/na.csv").unwrap().place,
            ResourcePlace::Path("d/na.csv".into())
        );
        for path in ["./csv,null=N/A:x.txt", "dir/a:b.txt", "a,b/c=d:e.txt"] {
            assert_eq!(parse(path).unwrap().place, ResourcePlace::Path(path.into()), "{path}");
        }
    }

    #[test]
    fn naming_a_format_keeps_what_the_name_tells() {
        let spec = |text: &str| parse(text).unwrap().spec.text();
        for name in
            ["a.tsv", "d/a.tab", "a.tsv.gz", "a.tsv.zip", "a.tsv.gz.zip", "http://h/a.tsv?x"]
        {
            assert_eq!(spec(&format!("csv,typed:{name}")), "csv,typed,delim=tab", "{name}");
            assert_eq!(spec(&format!("csv,delim=;:{name}")), "csv,delim=;", "{name}");
        }
        assert_eq!(spec("tsv:a.txt"), "csv,delim=tab");
        assert_eq!(spec("text:a.tsv"), "text");
        assert_eq!(spec("csv:a.csv"), "csv");
    }

    #[test]
    fn the_name_decides_format_and_packing() {
        let gz = Some(Codec::Gzip);
        let word = |w: &str| w.to_string();
        assert_eq!(told("a.jsonl"), (word("ndjson"), Packing::default()));
        assert_eq!(told("/dev/fd/63"), (word("ndjson"), Packing::default()));
        assert_eq!(told("a.tsv.gz"), (word("csv"), Packing { codec: gz, zipped: false }));
        assert_eq!(told("A.CSV.GZ"), (word("csv"), Packing { codec: gz, zipped: false }));
        assert_eq!(told("a.Json.bgz"), (word("json"), Packing { codec: gz, zipped: false }));
        assert_eq!(told("a.CSV.ZIP"), (word("csv"), Packing { codec: None, zipped: true }));
        let stray = OsStr::from_bytes(b"Caf\xe9.csv.gz");
        let stray = Resource::parse(stray, None).unwrap();
        assert_eq!((stray.spec.name(), stray.packing().codec), ("csv", gz));
        assert_eq!(told("a.csv.zip"), (word("csv"), Packing { codec: None, zipped: true }));
        assert_eq!(told("a.zip"), (word("zip"), Packing::default()));
        assert_eq!(told("zip:a.csv.zip"), (word("zip"), Packing::default()));
        assert_eq!(told("text:a.zip"), (word("text"), Packing { codec: None, zipped: true }));
        assert_eq!(told("files:a.zip"), (word("files"), Packing::default()));
    }
}

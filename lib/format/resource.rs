//! `FORMAT[,OPTION...]:PATH`: what a resource is called on the command line, and what its name
//! decides: the format, the compression, and whether the format lies in the members of a Zip.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::compression::Codec;
use super::place::{Place, scheme};
use super::spec::{BUILT_IN, Spec};
use crate::error::{Error, Result};

/// A resource as named: a format with its options, and a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The format as written, or as the name decides.
    pub spec: Spec,
    /// Where the bytes are.
    pub place: Place,
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
    pub fn new(spec: Spec, place: Place) -> Resource {
        let tabs = spec.name() == "csv" && !spec.has("delim") && is_tabbed(place.name());
        let spec = if tabs { spec.with("delim", "tab") } else { spec };
        Resource { spec, place }
    }

    /// Reads a resource from an argument. With `format` (`-f`) the argument is a plain path;
    /// otherwise what stands before the first colon is a format, unless it holds a `/` that is not
    /// in the value of an option.
    ///
    /// # Errors
    /// When the format cannot be told or does not exist.
    pub fn parse(argument: &OsStr, format: Option<&Spec>) -> Result<Resource> {
        let bytes = argument.as_bytes();
        if let Some(spec) = format {
            return Ok(Resource::new(spec.clone(), Place::parse(argument)?));
        }
        if scheme(bytes).is_some_and(|scheme| !Spec::plain(scheme).is_built_in()) {
            return Resource::by_name(Place::parse(argument)?);
        }
        match memchr::memchr(b':', bytes) {
            Some(at) if !is_plain_path(bytes) => {
                let format = std::str::from_utf8(&bytes[..at]).map_err(|_| {
                    Error::usage(format!("{}: a format that is not UTF-8", argument.display()))
                })?;
                let spec = Spec::parse(format)?;
                let place = match spec.name() {
                    // What a range spans is no path: nothing in it is special.
                    "range" => Place::Path(OsStr::from_bytes(&bytes[at + 1..]).into()),
                    _ => Place::parse(OsStr::from_bytes(&bytes[at + 1..]))?,
                };
                Ok(Resource::new(spec, place))
            }
            _ => Resource::by_name(Place::parse(argument)?),
        }
    }

    /// Reads the resources for reading that an argument stands for, as [`Resource::parse`]; of
    /// what a pattern without a format matches, each name decides for itself.
    ///
    /// # Errors
    /// As [`Resource::parse`], and when there is no such path.
    pub fn parse_all(argument: &OsStr, format: Option<&Spec>) -> Result<Vec<Resource>> {
        Resource::parse_all_in(Path::new(""), argument, format)
    }

    /// The same, with paths seen from `directory`.
    ///
    /// # Errors
    /// As [`Resource::parse_all`].
    pub fn parse_all_in(
        directory: &Path,
        argument: &OsStr,
        format: Option<&Spec>,
    ) -> Result<Vec<Resource>> {
        if format.is_some() || !is_plain_path(argument.as_bytes()) {
            let mut resource = Resource::parse(argument, format)?;
            if resource.spec.name() != "range" {
                resource.place = resource.place.seen_from(directory);
            }
            return Ok(vec![resource]);
        }
        let place = Place::parse(argument)?.seen_from(directory);
        place.expand()?.into_iter().map(Resource::by_name).collect()
    }

    /// Standard input or output as NDJSON.
    pub fn standard() -> Resource {
        Resource { spec: Spec::plain("ndjson"), place: Place::Standard }
    }

    /// How the bytes are packed: by the name, where the format is made of bytes at all.
    pub fn packing(&self) -> Packing {
        if !matches!(self.spec.name(), "ndjson" | "text" | "csv" | "zip") {
            return Packing::default();
        }
        let (name, codec) = Codec::of(self.place.name());
        let zipped = self.spec.name() != "zip" && extension(name) == "zip";
        Packing { codec, zipped }
    }

    fn by_name(place: Place) -> Result<Resource> {
        if place == Place::Standard {
            return Ok(Resource::standard());
        }
        let (name, _) = Codec::of(place.name());
        let spec = match format_of(name) {
            Some(spec) => spec,
            None if extension(name) == "zip" => {
                let (inner, _) = Codec::of(&name[..name.len() - ".zip".len()]);
                format_of(inner).unwrap_or_else(|| Spec::plain("zip"))
            }
            None if extension(name) == "mc" => Spec::plain("shards"),
            None if is_stream(&place) => Spec::plain("ndjson"),
            None => {
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
            Place::Standard => f.write_str("standard input"),
            place => place.fmt(f),
        }
    }
}

/// Whether an argument names no format: a `/` comes before the first colon, but for one in the
/// value of an option (`csv,null=N/A:a.csv`).
fn is_plain_path(argument: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', argument) else { return true };
    let word = &argument[..colon];
    let Some(slash) = memchr::memchr(b'/', word) else { return false };
    let option = memchr::memchr(b',', &word[..slash]);
    option.is_none_or(|comma| !word[comma..slash].contains(&b'='))
}

/// Whether a name tells that columns are parted by tabs.
pub(super) fn is_tabbed(name: &str) -> bool {
    let (name, _) = Codec::of(name);
    let (inner, _) = Codec::of(name.strip_suffix(".zip").unwrap_or(name));
    matches!(extension(inner), "tsv" | "tab")
}

/// The format that a name without compression ending tells.
fn format_of(name: &str) -> Option<Spec> {
    match extension(name) {
        "ndjson" | "jsonl" | "json" => Some(Spec::plain("ndjson")),
        "csv" | "tsv" | "tab" => Some(Spec::plain("csv")),
        "txt" | "text" | "log" => Some(Spec::plain("text")),
        _ => None,
    }
}

/// Whether a place is a stream, such as a shell's `<( )` gives: as much as `-`, it holds records.
fn is_stream(place: &Place) -> bool {
    let streams = ["/dev", "/proc/self/fd"];
    matches!(place, Place::Path(path) if streams.iter().any(|stream| path.starts_with(stream)))
}

/// What follows the last dot of a name.
fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
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
        assert_eq!(parse("ndjson:-").unwrap().place, Place::Standard);
        assert_eq!(parse("-").unwrap(), Resource::standard());
        assert_eq!(parse("a.mc").unwrap().spec.name(), "shards");
        assert_eq!(parse("https://h/a.csv").unwrap().spec.name(), "csv");
        assert_eq!(parse("text:http://h/a").unwrap().place, Place::Url("http://h/a".into()));
        for refused in ["client:///a", "csv:client:///a", "a", ":a", "csv:", "a b:c"] {
            assert!(parse(refused).is_err(), "{refused}");
        }
        let spec = Spec::plain("text");
        let plain = Resource::parse(OsStr::new("csv:a.csv"), Some(&spec)).unwrap();
        assert_eq!(plain.place, Place::Path("csv:a.csv".into()));
    }

    #[test]
    fn a_slash_in_the_value_of_an_option_is_no_path() {
        let null = Spec::parse("csv,null=N/A").unwrap();
        assert_eq!(parse("csv,null=N/A:na.csv").unwrap().spec, null);
        assert_eq!(parse("csv,null=N/A:d/na.csv").unwrap().place, Place::Path("d/na.csv".into()));
        for path in ["./csv,null=N/A:x.txt", "dir/a:b.txt", "a,b/c=d:e.txt"] {
            assert_eq!(parse(path).unwrap().place, Place::Path(path.into()), "{path}");
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
        assert_eq!(told("a.csv.zip"), (word("csv"), Packing { codec: None, zipped: true }));
        assert_eq!(told("a.zip"), (word("zip"), Packing::default()));
        assert_eq!(told("zip:a.csv.zip"), (word("zip"), Packing::default()));
        assert_eq!(told("text:a.zip"), (word("text"), Packing { codec: None, zipped: true }));
        assert_eq!(told("files:a.zip"), (word("files"), Packing::default()));
    }
}

//! `FORMAT[,OPTION...]`: a format's name and the options given with it, as written.
//!
//! Which options a format has is the format's own business: it takes what it knows, and
//! [`Spec::finish`] refuses the rest. What parts options and ends a format, `,` and `:`, is written
//! `%2C` and `%3A` in a value; `%` and two hexadecimal digits is that byte, any other `%` itself.

use crate::error::{Error, Result};
use crate::record::nearest::did_you_mean;

/// The formats that are built in, for messages.
pub const BUILT_IN: &str = "ndjson, json, text, csv, tsv, zip, leveldb, files, range, table";

/// A format as written: its name and its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    name: String,
    options: Vec<(String, Option<String>)>,
}

impl Spec {
    /// Reads `FORMAT[,OPTION[=VALUE]...]`.
    ///
    /// # Errors
    /// When the name is not letters, digits, `-` and `_`, or an option has no name.
    pub fn parse(text: &str) -> Result<Spec> {
        let mut words = text.split(',');
        let name = words.next().unwrap_or_default();
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(fits) || name.starts_with('-') {
            return Err(Error::usage(format!(
                "'{name}' is not a format (they are {BUILT_IN}); a path with ':' is written ./{text}:..."
            )));
        }
        let mut options = Vec::new();
        for word in words {
            let (option, value) = match word.split_once('=') {
                Some((option, value)) => (option, Some(decode(value)?)),
                None => (word, None),
            };
            if option.is_empty() {
                return Err(Error::usage(format!("format '{text}': an option has no name")));
            }
            options.push((option.to_string(), value));
        }
        let spec = Spec { name: name.to_string(), options };
        if name != "tsv" {
            return Ok(spec);
        }
        if spec.has("delim") {
            return Err(spec.refuse("its columns are parted by tabs; csv takes delim="));
        }
        Ok(Spec { name: "csv".into(), ..spec }.with("delim", "tab"))
    }

    /// A format without options.
    pub fn plain(name: &str) -> Spec {
        Spec { name: name.to_string(), options: Vec::new() }
    }

    /// The same format with one more option.
    pub fn with(mut self, option: &str, value: &str) -> Spec {
        self.options.push((option.to_string(), Some(value.to_string())));
        self
    }

    /// Whether the option `name` is given.
    pub fn has(&self, name: &str) -> bool {
        self.options.iter().any(|option| option.0 == name)
    }

    /// The format as [`Spec::parse`] reads it.
    pub fn text(&self) -> String {
        let mut text = self.name.clone();
        for (option, value) in &self.options {
            text.push(',');
            text.push_str(option);
            if let Some(value) = value {
                text.push('=');
                encode(value, &mut text);
            }
        }
        text
    }

    /// The format's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the format is one of ours, not that of another program.
    pub fn is_built_in(&self) -> bool {
        self.name == "shards" || BUILT_IN.split(", ").any(|name| name == self.name)
    }

    /// Takes the option `name` that stands alone; whether it was there.
    ///
    /// # Errors
    /// When it was given a value, or twice.
    pub fn flag(&mut self, name: &str) -> Result<bool> {
        match self.take(name)?.as_slice() {
            [] => Ok(false),
            [None] => Ok(true),
            [_] => Err(self.refuse(&format!("'{name}' takes no value"))),
            _ => Err(self.refuse(&format!("'{name}' is given twice"))),
        }
    }

    /// Takes the value of the option `name`.
    ///
    /// # Errors
    /// When it was given without a value, or twice.
    pub fn value(&mut self, name: &str) -> Result<Option<String>> {
        let mut values = self.values(name)?;
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(self.refuse(&format!("'{name}=' is given twice"))),
        }
    }

    /// Takes the values of the option `name`, in order.
    ///
    /// # Errors
    /// When it was given without a value.
    pub fn values(&mut self, name: &str) -> Result<Vec<String>> {
        let mut values = Vec::new();
        for value in self.take(name)? {
            match value {
                Some(value) => values.push(value),
                None => return Err(self.refuse(&format!("'{name}' needs a value: {name}=..."))),
            }
        }
        Ok(values)
    }

    /// Takes the value of the option `name` as a number.
    ///
    /// # Errors
    /// As [`Spec::value`], and when the value is not a positive whole number.
    pub fn number(&mut self, name: &str) -> Result<Option<u64>> {
        let Some(value) = self.value(name)? else { return Ok(None) };
        match value.parse() {
            Ok(number) if number > 0 => Ok(Some(number)),
            _ => Err(self.refuse(&format!("'{name}={value}' is not a positive whole number"))),
        }
    }

    /// Takes all options that are left, each `NAME` or `NAME=VALUE`.
    pub fn rest(&mut self) -> Vec<String> {
        let write = |(name, value): (String, Option<String>)| match value {
            Some(value) => format!("{name}={value}"),
            None => name,
        };
        self.options.drain(..).map(write).collect()
    }

    /// Ends the taking: what is left is no option of the format. `known` lists those that are.
    ///
    /// # Errors
    /// When an option is left.
    pub fn finish(&self, known: &str) -> Result<()> {
        match self.options.first() {
            None => Ok(()),
            Some((name, _)) if known.is_empty() => {
                Err(self.refuse(&format!("no option '{name}' here; there are none")))
            }
            Some((name, _)) => {
                let meant = did_you_mean(name, words(known));
                Err(self.refuse(&format!("no option '{name}' here; there are {known}{meant}")))
            }
        }
    }

    /// The error that refuses this format as written.
    pub fn refuse(&self, why: &str) -> Error {
        Error::usage(format!("format {}: {why}", self.name))
    }

    fn take(&mut self, name: &str) -> Result<Vec<Option<String>>> {
        let (taken, rest) =
            std::mem::take(&mut self.options).into_iter().partition(|o| o.0 == name);
        self.options = rest;
        let taken: Vec<(String, Option<String>)> = taken;
        Ok(taken.into_iter().map(|(_, value)| value).collect())
    }
}

/// The names of the options in a list for messages, such as `ratio=, size= (when reading)`.
fn words(known: &str) -> impl Iterator<Item = &str> {
    let firsts = known.split(',').filter_map(|piece| piece.split_whitespace().next());
    firsts.filter(|word| *word != "when").map(|word| word.trim_end_matches('='))
}

/// The byte that `%` and two hexadecimal digits at the start of `text` stand for.
fn coded(text: &[u8]) -> Option<u8> {
    match text {
        [b'%', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
            let digits = std::str::from_utf8(&text[1..3]).ok()?;
            u8::from_str_radix(digits, 16).ok()
        }
        _ => None,
    }
}

/// The value that `text` stands for.
fn decode(text: &str) -> Result<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some(&byte) = rest.first() {
        let coded = coded(rest);
        bytes.push(coded.unwrap_or(byte));
        rest = &rest[if coded.is_some() { 3 } else { 1 }..];
    }
    String::from_utf8(bytes).map_err(|_| Error::usage(format!("'{text}' stands for no UTF-8")))
}

/// Appends what [`decode`] reads as `value`.
fn encode(value: &str, text: &mut String) {
    for (at, c) in value.char_indices() {
        match c {
            ',' => text.push_str("%2C"),
            ':' => text.push_str("%3A"),
            '%' if coded(&value.as_bytes()[at..]).is_some() => text.push_str("%25"),
            _ => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_by_those_who_know_them() {
        let mut spec = Spec::parse("csv,header=no,col=a,col=b,typed").unwrap();
        assert_eq!(spec.name(), "csv");
        assert_eq!(spec.value("header").unwrap().as_deref(), Some("no"));
        assert_eq!(spec.values("col").unwrap(), ["a", "b"]);
        assert!(spec.finish("x").is_err());
        assert!(spec.flag("typed").unwrap());
        assert!(spec.finish("x").is_ok());
    }

    #[test]
    fn a_mistyped_option_is_told_which_was_meant() {
        let said = |text: &str, known| Spec::parse(text).unwrap().finish(known).unwrap_err();
        let error = said("zip,rato=3", "ratio=, size= (when reading)").to_string();
        assert!(error.ends_with("(when reading) (did you mean ratio?)"), "{error}");
        let error = said("files,skp", "skip, when reading").to_string();
        assert!(error.ends_with("(did you mean skip?)"), "{error}");
        let error = said("files,wen", "skip, when reading").to_string();
        assert!(error.ends_with("when reading"), "{error}");
    }

    #[test]
    fn any_value_can_be_written() {
        let mut spec = Spec::parse("csv,null=a%2Cb%3a,null=50%,null=%2541,null=%e2%82%ac").unwrap();
        let again = Spec::parse(&spec.text()).unwrap();
        assert_eq!(again, spec);
        assert_eq!(spec.values("null").unwrap(), ["a,b:", "50%", "%41", "\u{20ac}"]);
        assert!(Spec::parse("csv,null=%ff").is_err());
        for value in ["%", "%2", "%%2C", "%,4", "\u{e9}%25", ":,=/"] {
            let spec = Spec::plain("csv").with("null", value);
            assert_eq!(Spec::parse(&spec.text()).unwrap(), spec, "{value}");
        }
    }

    #[test]
    fn tsv_is_csv_by_tabs() {
        let told = Spec::parse("csv,typed,delim=tab").unwrap();
        assert_eq!(Spec::parse("tsv,typed").unwrap(), told);
        assert!(Spec::parse("tsv,delim=tab").is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(Spec::parse("").is_err());
        assert!(Spec::parse("a b").is_err());
        assert!(Spec::parse("csv,").is_err());
        assert!(Spec::parse("csv,typed=1").unwrap().flag("typed").is_err());
        assert!(Spec::parse("csv,delim").unwrap().value("delim").is_err());
        assert!(Spec::parse("csv,delim=a,delim=b").unwrap().value("delim").is_err());
        assert!(Spec::parse("zip,ratio=0").unwrap().number("ratio").is_err());
    }
}

//! How text is written down in bytes: `encoding=NAME`, byte order marks, and what becomes of bytes
//! that are no text (`invalid=`).
//!
//! Readers see UTF-8 only: a [`Decoded`] stands in front of each. UTF-8 passes it as it is. Of any
//! other encoding it makes UTF-8, and the byte 0xff, which no UTF-8 holds, of what is malformed; so
//! bad text is found where it always is, by its reader, who knows which record it is in.

mod decoded;
mod encoded;
mod guess;

pub use decoded::Decoded;
pub use encoded::TextEncoder;

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};

use super::spec::Spec;
use crate::error::Result;

/// How many bytes tell how a file is written down, if its beginning tells.
pub const HEAD_BYTES: usize = 1024;

/// What to do about text that is not in its encoding, for messages.
pub const HINT: &str = "(encoding=NAME reads another encoding, invalid=replace marks what is \
                        wrong; --bad skip drops the record)";

/// How characters are written down in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8, which passes as it is.
    Utf8,
    /// One of the Encoding Standard's, not UTF-8.
    Standard(&'static Encoding),
    /// UTF-32, which that standard does not know.
    Utf32 {
        /// Whether the most significant byte comes first.
        big_endian: bool,
    },
}

impl Charset {
    /// The encoding of a name: a label of the Encoding Standard, or one of UTF-32.
    fn named(name: &str) -> Option<Charset> {
        let name = name.to_ascii_lowercase().replace('_', "-");
        match name.as_str() {
            "utf-32" | "utf-32le" | "utf-32-le" | "utf32" => {
                Some(Charset::Utf32 { big_endian: false })
            }
            "utf-32be" | "utf-32-be" => Some(Charset::Utf32 { big_endian: true }),
            "utf16" | "utf-16-le" => Some(Charset::Standard(UTF_16LE)),
            "utf-16-be" => Some(Charset::Standard(UTF_16BE)),
            "utf-8-sig" => Some(Charset::Utf8),
            "latin-1" => Charset::named("latin1"),
            _ => {
                let label = [name.as_str(), &name.replace('-', "_")];
                let found =
                    label.iter().find_map(|l| Encoding::for_label_no_replacement(l.as_bytes()));
                found.map(|found| match found.name() {
                    "UTF-8" => Charset::Utf8,
                    _ => Charset::Standard(found),
                })
            }
        }
    }

    /// The encoding that the beginning of a file names by a byte order mark, and the mark's length.
    /// `given` is what else is known: UTF-16 may begin with a NUL, and then has UTF-32's mark.
    pub(in crate::format) fn marked(
        head: &[u8],
        given: Option<Charset>,
    ) -> Option<(Charset, usize)> {
        let utf_16 = given == Some(Charset::Standard(UTF_16LE));
        // UTF-32 first: its mark begins with that of UTF-16.
        match head {
            [0xff, 0xfe, 0, 0, ..] if !utf_16 => Some((Charset::Utf32 { big_endian: false }, 4)),
            [0, 0, 0xfe, 0xff, ..] => Some((Charset::Utf32 { big_endian: true }, 4)),
            [0xff, 0xfe, ..] => Some((Charset::Standard(UTF_16LE), 2)),
            [0xfe, 0xff, ..] => Some((Charset::Standard(UTF_16BE), 2)),
            // This one is left to the readers, who drop it.
            [0xef, 0xbb, 0xbf, ..] => Some((Charset::Utf8, 0)),
            _ => None,
        }
    }

    /// Whether text in it is written behind a byte order mark.
    pub(in crate::format) fn is_marked(self) -> bool {
        match self {
            Charset::Utf8 => false,
            Charset::Standard(encoding) => encoding == UTF_16LE || encoding == UTF_16BE,
            Charset::Utf32 { .. } => true,
        }
    }

    /// Whether a line feed is always the byte 0x0a, and what comes behind one can be read without
    /// what comes before it, so that files can be cut there; and whether each character is as many
    /// bytes as are needed to tell where in the file it stands.
    pub fn can_be_cut(self) -> bool {
        match self {
            Charset::Utf8 => true,
            Charset::Standard(encoding) => encoding.is_single_byte(),
            Charset::Utf32 { .. } => false,
        }
    }

    /// What is said of text that is not in it.
    pub fn flaw(self) -> &'static str {
        match self {
            Charset::Utf8 => "not UTF-8",
            Charset::Standard(encoding) if encoding == UTF_16LE => "not UTF-16LE",
            Charset::Standard(encoding) if encoding == UTF_16BE => "not UTF-16BE",
            Charset::Standard(_) => "not in its encoding",
            Charset::Utf32 { .. } => "not UTF-32",
        }
    }

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Charset::Utf8 => "UTF-8",
            Charset::Standard(encoding) => encoding.name(),
            Charset::Utf32 { big_endian: false } => "UTF-32LE",
            Charset::Utf32 { big_endian: true } => "UTF-32BE",
        }
    }
}

/// What becomes of a record whose bytes are not text in its encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Invalid {
    /// It is a bad record.
    #[default]
    Fail,
    /// U+FFFD takes the place of what is wrong.
    Replace,
    /// Its bytes travel as `{"$base64":"..."}`.
    Base64,
}

/// The options of a format that are about its encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coding {
    /// The encoding, where it is named. A byte order mark knows better.
    pub charset: Option<Charset>,
    /// What becomes of bytes that are not in it.
    pub invalid: Invalid,
}

impl Coding {
    /// Takes `encoding=` and `invalid=` from the options of a format.
    ///
    /// # Errors
    /// When the encoding is unknown, or `invalid=` is not one of what the format has.
    pub fn take(spec: &mut Spec) -> Result<Coding> {
        let charset = match spec.value("encoding")? {
            None => None,
            Some(name) => Some(Charset::named(&name).ok_or_else(|| {
                spec.refuse(&format!(
                    "encoding={name} is unknown; there are utf-8, utf-16le, utf-16be, utf-32le, \
                     latin1, windows-1252, shift_jis, gb18030 and all others of the Encoding \
                     Standard"
                ))
            })?),
        };
        let bytes = spec.name() == "text";
        let invalid = match spec.value("invalid")?.as_deref() {
            None | Some("fail") => Invalid::Fail,
            Some("replace") => Invalid::Replace,
            Some("base64") if bytes => Invalid::Base64,
            Some(_) if bytes => {
                return Err(spec.refuse("say invalid=fail, invalid=replace or invalid=base64"));
            }
            Some(_) => return Err(spec.refuse("say invalid=fail or invalid=replace")),
        };
        if invalid == Invalid::Base64 && charset.is_some_and(|charset| charset != Charset::Utf8) {
            return Err(spec.refuse("invalid=base64 is for UTF-8, not for another encoding="));
        }
        Ok(Coding { charset, invalid })
    }

    /// The encoding of a file with this beginning.
    pub fn of(&self, head: &[u8]) -> Charset {
        let marked = Charset::marked(head, self.charset).map(|(charset, _)| charset);
        marked.or(self.charset).unwrap_or(Charset::Utf8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_encoding_standard_and_what_people_write() {
        let name = |name: &str| Charset::named(name).map(Charset::name);
        for latin in ["latin1", "Latin-1", "iso-8859-1", "ISO_8859-1", "cp1252", "windows-1252"] {
            assert_eq!(name(latin), Some("windows-1252"), "{latin}");
        }
        for (label, known) in [
            ("utf-16", "UTF-16LE"),
            ("UTF_16_LE", "UTF-16LE"),
            ("utf-16be", "UTF-16BE"),
            ("utf32", "UTF-32LE"),
            ("utf-32be", "UTF-32BE"),
            ("utf8", "UTF-8"),
            ("utf-8-sig", "UTF-8"),
            ("shift_jis", "Shift_JIS"),
            ("gb18030", "gb18030"),
            ("koi8-r", "KOI8-R"),
        ] {
            assert_eq!(name(label), Some(known), "{label}");
        }
        for unknown in ["", "replacement", "ebcdic", "utf-7", "iso-2022-kr"] {
            assert_eq!(name(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_mark_knows_better_than_the_option() {
        let of = |charset, head: &[u8]| Coding { charset, ..Coding::default() }.of(head).name();
        let latin = Charset::named("latin1");
        assert_eq!(of(latin, b"a"), "windows-1252");
        assert_eq!(of(latin, b"\xef\xbb\xbfa"), "UTF-8");
        assert_eq!(of(latin, b"\xff\xfea\0"), "UTF-16LE");
        assert_eq!(of(None, b"\xfe\xff\0a"), "UTF-16BE");
        assert_eq!(of(None, b"\xff\xfe\0\0"), "UTF-32LE");
        assert_eq!(of(Charset::named("utf-16"), b"\xff\xfe\0\0"), "UTF-16LE");
        assert_eq!(of(None, b"\0\0\xfe\xff"), "UTF-32BE");
        assert_eq!(of(None, b""), "UTF-8");
    }

    #[test]
    fn options_that_do_not_go_together_are_refused() {
        for (spec, why) in [
            ("csv,encoding=klingon", "encoding=klingon is unknown"),
            ("csv,invalid=base64", "invalid=fail or invalid=replace"),
            ("text,invalid=no", "invalid=base64"),
            ("text,invalid=base64,encoding=latin1", "is for UTF-8"),
        ] {
            let error = Coding::take(&mut Spec::parse(spec).unwrap()).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
        let mut spec = Spec::parse("text,invalid=base64,encoding=utf-8").unwrap();
        assert_eq!(Coding::take(&mut spec).unwrap().invalid, Invalid::Base64);
    }
}

//! UTF-8 to bytes of another encoding, on the way from a writer to its target.

use encoding_rs::{EncoderResult, UTF_16BE, UTF_16LE};

use super::Charset;

/// How much of a line is shown beside what cannot be written.
const SHOWN_CHARACTERS: usize = 20;

/// Encodes text, piece by piece; a piece ends where a character does.
pub struct TextEncoder {
    charset: Charset,
    /// What is to stand before the first byte.
    mark: &'static [u8],
    lines: u64,
    bytes: Vec<u8>,
}

impl TextEncoder {
    /// To write in `charset`: none for UTF-8 without a mark, which passes as it is. In UTF-16 and
    /// UTF-32 a byte order mark comes first.
    pub fn new(charset: Option<Charset>) -> Option<TextEncoder> {
        let charset = charset.filter(|&charset| charset != Charset::Utf8)?;
        let mark: &[u8] = match charset {
            Charset::Standard(encoding) if encoding == UTF_16LE => b"\xff\xfe",
            Charset::Standard(encoding) if encoding == UTF_16BE => b"\xfe\xff",
            Charset::Utf32 { big_endian: false } => b"\xff\xfe\0\0",
            Charset::Utf32 { big_endian: true } => b"\0\0\xfe\xff",
            _ => b"",
        };
        Some(TextEncoder { charset, mark, lines: 0, bytes: Vec::new() })
    }

    /// The bytes of `text`.
    ///
    /// # Errors
    /// A line, and why it cannot be written: it is not UTF-8, or the encoding lacks a character.
    pub fn encode(&mut self, text: &[u8]) -> Result<&[u8], String> {
        self.bytes.clear();
        let text = match std::str::from_utf8(text) {
            Ok(text) => text,
            Err(e) => {
                let line = self.line(text, e.valid_up_to());
                let name = self.charset.name();
                return Err(format!(
                    "line {line}: bytes that are not UTF-8 are no text for {name}"
                ));
            }
        };
        if !text.is_empty() {
            self.bytes.extend_from_slice(std::mem::take(&mut self.mark));
        }
        match self.charset {
            Charset::Utf8 => self.bytes.extend_from_slice(text.as_bytes()),
            Charset::Utf32 { big_endian } => self.bytes.extend(text.chars().flat_map(|c| {
                let code = c as u32;
                if big_endian { code.to_be_bytes() } else { code.to_le_bytes() }
            })),
            Charset::Standard(encoding) if encoding == UTF_16LE => {
                self.bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
            }
            Charset::Standard(encoding) if encoding == UTF_16BE => {
                self.bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
            }
            Charset::Standard(_) => self.push_standard(text)?,
        }
        self.lines += memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64;
        Ok(&self.bytes)
    }

    fn push_standard(&mut self, text: &str) -> Result<(), String> {
        let Charset::Standard(encoding) = self.charset else { return Ok(()) };
        // Each piece begins and ends in the encoding's first state, so that pieces can follow one
        // another whatever is in them.
        let mut encoder = encoding.new_encoder();
        let mut rest = text;
        loop {
            let most = encoder.max_buffer_length_from_utf8_without_replacement(rest.len());
            let old = self.bytes.len();
            self.bytes.resize(old + most.unwrap_or(rest.len() * 4 + 16), 0);
            let (result, read, written) =
                encoder.encode_from_utf8_without_replacement(rest, &mut self.bytes[old..], true);
            self.bytes.truncate(old + written);
            rest = &rest[read..];
            match result {
                EncoderResult::InputEmpty => return Ok(()),
                EncoderResult::OutputFull => (),
                EncoderResult::Unmappable(c) => {
                    let at = text.len() - rest.len();
                    let line = self.line(text.as_bytes(), at);
                    let name = encoding.name();
                    return Err(format!(
                        "line {line}: {name} has no '{}' (at: {}); encoding=utf-8 has all",
                        c.escape_debug(),
                        excerpt(&text[..at])
                    ));
                }
            }
        }
    }

    /// The number of the line in which byte `at` of `text` is.
    fn line(&self, text: &[u8], at: usize) -> u64 {
        self.lines + memchr::memchr_iter(b'\n', &text[..at]).count() as u64 + 1
    }
}

/// The end of `text`, no more than its last line, fit to be shown.
fn excerpt(text: &str) -> String {
    let line = text.rsplit('\n').next().unwrap_or_default();
    let from = line.char_indices().rev().nth(SHOWN_CHARACTERS).map_or(0, |(at, _)| at);
    line[from..].escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::super::{Coding, Decoded};
    use super::*;
    use crate::format::bytes::Memory;
    use crate::format::spec::Spec;
    use crate::record::stream::Input;
    use proptest::prelude::*;

    fn coding(name: &str) -> Coding {
        Coding::take(&mut Spec::plain("csv").with("encoding", name)).unwrap()
    }

    /// Gives at most so many bytes at a time, in turn.
    struct Chunks(Memory, Vec<usize>, usize);

    impl Input for Chunks {
        fn read(&mut self, buffer: &mut [u8]) -> crate::error::Result<usize> {
            self.2 += 1;
            let most = self.1[self.2 % self.1.len()].min(buffer.len());
            self.0.read(&mut buffer[..most])
        }

        fn name(&self) -> &str {
            "chunks"
        }
    }

    fn decode(bytes: &[u8], coding: Coding, chunks: &[usize]) -> Vec<u8> {
        let input = Chunks(Memory::new("memory", bytes), chunks.to_vec(), 0);
        let mut input = Decoded::new(input, coding);
        let (mut all, mut buffer, mut turn) = (Vec::new(), vec![0; 40], 0);
        loop {
            turn += 1;
            let most = chunks[turn % chunks.len()].min(buffer.len());
            match input.read(&mut buffer[..most]).unwrap() {
                0 => return all,
                got => all.extend_from_slice(&buffer[..got]),
            }
            assert!(all.len() < 100_000);
        }
    }

    const NAMES: [&str; 9] = [
        "utf-8",
        "utf-16le",
        "utf-16be",
        "utf-32le",
        "utf-32be",
        "latin1",
        "shift_jis",
        "gb18030",
        "iso-2022-jp",
    ];

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            text in "([a-z\u{e9}\u{3042}\u{1f600}\n]{0,30})",
            which in 0..NAMES.len(),
            cut in 0..30usize,
            chunks in prop::collection::vec(1..20usize, 1..4),
        ) {
            let coding = coding(NAMES[which]);
            let Some(mut encoder) = TextEncoder::new(coding.charset) else { return Ok(()) };
            let cut = text.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(text.len());
            let (mut bytes, mut refused) = (Vec::new(), false);
            for piece in [&text[..cut], &text[cut..]] {
                match encoder.encode(piece.as_bytes()) {
                    Ok(piece) => bytes.extend_from_slice(piece),
                    Err(why) => {
                        prop_assert!(why.contains("has no '"), "{}", why);
                        refused = true;
                    }
                }
            }
            if !refused {
                prop_assert_eq!(decode(&bytes, coding, &chunks), text.into_bytes());
            }
        }

        #[test]
        fn pieces_decode_as_the_whole_does(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0), Just(0xd8), Just(b'a')], 0..60),
            which in 1..NAMES.len(),
            chunks in prop::collection::vec(1..9usize, 1..4),
        ) {
            let coding = coding(NAMES[which]);
            let found = decode(&bytes, coding, &chunks);
            // What each stands for that is malformed, as encoding_rs itself would put it.
            let found = String::from_utf8_lossy(&found).into_owned();
            if let Some(Charset::Standard(encoding)) = coding.charset {
                let want = match Charset::marked(&bytes, coding.charset) {
                    Some((Charset::Standard(marked), mark)) => {
                        marked.decode_without_bom_handling(&bytes[mark..]).0
                    }
                    Some(_) => return Ok(()),
                    None => encoding.decode_without_bom_handling(&bytes).0,
                };
                prop_assert_eq!(found, want);
            }
        }
    }

    #[test]
    fn what_it_lacks_is_named_with_its_line() {
        let mut encoder = TextEncoder::new(coding("latin1").charset).unwrap();
        assert_eq!(encoder.encode("\u{e9}\n\u{20ac}\n".as_bytes()), Ok(b"\xe9\n\x80\n".as_slice()));
        let why = encoder.encode("a\n\"b,\u{141}\"\n".as_bytes()).unwrap_err();
        assert_eq!(
            why,
            "line 4: windows-1252 has no '\u{141}' (at: \\\"b,\u{141}); encoding=utf-8 has all"
        );
        let why = encoder.encode(b"\xff").unwrap_err();
        assert!(why.contains("not UTF-8"), "{why}");
    }

    #[test]
    fn a_single_byte_encoding_knows_where_its_characters_stand() {
        let bytes: Vec<u8> = (b'a'..=b'z').chain(0xe0..=0xff).cycle().take(500).collect();
        for end in [1, 63, 64, 300, 499] {
            let input = Chunks(Memory::new("memory", &bytes), vec![7, 100], 0);
            let mut input = Decoded::new(input, coding("latin1")).ending(end);
            let (mut text, mut buffer) = (Vec::new(), [0; 50]);
            loop {
                let got = input.read(&mut buffer).unwrap();
                text.extend_from_slice(&buffer[..got]);
                for rest in 0..text.len() {
                    let from = text.len() - rest;
                    if text.get(from).is_some_and(|byte| byte & 0xc0 != 0x80) {
                        let raw =
                            std::str::from_utf8(&text[..from]).unwrap().chars().count() as u64;
                        assert_eq!(input.position(&text[from..]), raw);
                        assert_eq!(input.before_end(rest) == 0, raw >= end, "{raw} {end}");
                    }
                }
                if got == 0 {
                    break;
                }
            }
            assert_eq!(text.iter().filter(|&&b| b & 0xc0 != 0x80).count(), 500);
        }
    }
}

//! Bytes to UTF-8, on the way from an input to its reader.

use encoding_rs::{Decoder, DecoderResult, UTF_16BE, UTF_16LE};

use super::guess::looks_like;
use super::{Charset, Coding, HEAD_BYTES};
use crate::error::{Error, Result};
use crate::record::stream::{Facts, Input};

/// How many bytes are read at once to be decoded.
const READ_BYTES: usize = 64 * 1024;

/// What stands in UTF-8 for what is malformed: a byte that no UTF-8 holds.
const MALFORMED: u8 = 0xff;

/// An input as UTF-8: what is UTF-8 already (or says nothing) passes as it is, its byte order mark
/// too.
pub struct Decoded<I> {
    input: I,
    coding: Coding,
    way: Way,
    /// Text that nobody took yet, from `at` on.
    text: Vec<u8>,
    at: usize,
    /// How many bytes of the input are in the text, taken or not, and how many bytes that made.
    read: u64,
    made: u64,
    /// Where in the input a part ends, and where that is in the text, once it is known.
    raw_end: u64,
    end: u64,
}

/// What happens to the bytes.
enum Way {
    /// None was seen yet.
    Unseen,
    /// They pass.
    Plain,
    Decode(Box<Step>),
}

/// A decoder at work.
struct Step {
    decoder: Decode,
    charset: Charset,
    bytes: Vec<u8>,
    ended: bool,
}

enum Decode {
    Standard(Decoder),
    /// What is left of a character that was cut.
    Utf32 {
        big_endian: bool,
        cut: Vec<u8>,
    },
}

impl<I: Input> Decoded<I> {
    /// Decodes `input`, the whole of a file, by `coding`.
    pub fn new(input: I, coding: Coding) -> Decoded<I> {
        let (text, way) = (Vec::new(), Way::Unseen);
        Decoded {
            input,
            coding,
            way,
            text,
            at: 0,
            read: 0,
            made: 0,
            raw_end: u64::MAX,
            end: u64::MAX,
        }
    }

    /// The same for bytes from the middle of a file, which is in `charset`.
    pub fn in_the_middle(mut self, charset: Charset) -> Decoded<I> {
        self.way = Way::of(charset, Vec::new());
        self
    }

    /// The same, where a part ends at `end` of the input.
    pub fn ending(mut self, end: u64) -> Decoded<I> {
        self.raw_end = end;
        self
    }

    /// The same behind so many bytes, which somebody else has read of it.
    pub(in crate::format) fn behind(mut self, bytes: u64) -> Decoded<I> {
        (self.read, self.made) = (bytes, bytes);
        self
    }

    /// The encoding, as far as it is known: all of it once anything was read.
    pub fn charset(&self) -> Charset {
        match &self.way {
            Way::Unseen => self.coding.of(b""),
            Way::Plain => Charset::Utf8,
            Way::Decode(step) => step.charset,
        }
    }

    /// Where in the input's bytes it begins what was taken last and makes `rest`. Only where the
    /// encoding [can be cut](Charset::can_be_cut).
    pub fn position(&self, rest: &[u8]) -> u64 {
        let length = match self.way {
            Way::Decode(_) => characters(rest) + characters(&self.text[self.at..]),
            _ => rest.len() + self.text.len() - self.at,
        };
        self.read - length as u64
    }

    /// How much of the `rest` bytes that were taken last, and of what comes behind them, is before
    /// the end of the part: enough, as long as the end was not come to.
    pub fn before_end(&self, rest: usize) -> u64 {
        let end = if matches!(self.way, Way::Decode(_)) { self.end } else { self.raw_end };
        end.saturating_sub(self.made - (rest + self.text.len() - self.at) as u64)
    }

    /// Whether it is a whole file, which passes as it is.
    pub fn is_whole_as_it_is(&self) -> bool {
        matches!(self.way, Way::Plain) && self.raw_end == u64::MAX
    }

    /// The input itself, for what it knows beside its bytes.
    pub fn input(&mut self) -> &mut I {
        &mut self.input
    }

    /// Reads the beginning, and finds by it what is to be done.
    fn begin(&mut self) -> Result<()> {
        let mut head = vec![0; READ_BYTES];
        let mut length = 0;
        while length == 0 || is_open(&head[..length]) {
            match self.input.read(&mut head[length..])? {
                0 => break,
                got => length += got,
            }
        }
        head.truncate(length);
        let seen = &head[..length.min(HEAD_BYTES)];
        if let Some(given @ Charset::Standard(encoding)) = self.coding.charset
            && (encoding == UTF_16LE || encoding == UTF_16BE)
            && Charset::marked(seen, Some(given)).is_none()
            && let Some(name) = looks_like(seen)
            && !name.eq_ignore_ascii_case(given.name())
        {
            let (is, not, file) = (name.to_uppercase(), given.name(), self.input.name());
            let why = format!("{file}: it is {is}, not {not}: say encoding={name}");
            return Err(Error::input(why));
        }
        if self.coding.charset.is_none()
            && Charset::marked(seen, self.coding.charset).is_none()
            && let Some(name) = looks_like(seen)
        {
            return Err(Error::input(format!(
                "{}: it looks like {} without a byte order mark: say encoding={name} \
                 (encoding=utf-8 if it is not)",
                self.input.name(),
                name.to_uppercase(),
            )));
        }
        let mark = Charset::marked(seen, self.coding.charset).map_or(0, |(_, mark)| mark);
        self.way = Way::of(self.coding.of(seen), Vec::new());
        self.read = mark as u64;
        head.drain(..mark);
        match &mut self.way {
            Way::Decode(step) => step.bytes = head,
            _ => self.give(head),
        }
        Ok(())
    }

    /// Hands on bytes that pass.
    fn give(&mut self, bytes: Vec<u8>) {
        self.read += bytes.len() as u64;
        self.made += bytes.len() as u64;
        (self.text, self.at) = (bytes, 0);
    }

    /// Decodes what was read, or more of the input. `false` at its end.
    fn decode(&mut self) -> Result<bool> {
        let Way::Decode(step) = &mut self.way else { return Ok(false) };
        if step.ended {
            return Ok(false);
        }
        if step.bytes.is_empty() {
            step.bytes.resize(READ_BYTES, 0);
            let got = self.input.read(&mut step.bytes)?;
            step.bytes.truncate(got);
            step.ended = got == 0;
        }
        // The end of a part is a place between two pieces.
        let left = self.raw_end.saturating_sub(self.read);
        let here = match usize::try_from(left) {
            Ok(left) if left > 0 => left.min(step.bytes.len()),
            _ => step.bytes.len(),
        };
        self.text.clear();
        self.at = 0;
        step.decoder.push(&step.bytes[..here], step.ended, &mut self.text);
        step.bytes.drain(..here);
        self.read += here as u64;
        self.made += self.text.len() as u64;
        if self.read == self.raw_end {
            self.end = self.made;
        }
        Ok(!step.ended || !self.text.is_empty())
    }
}

/// Whether more is to be seen before it is known what a file is: a mark may be cut, and what begins
/// with a zero is looked at twice.
fn is_open(head: &[u8]) -> bool {
    const MARKS: [&[u8]; 4] = [b"\xff\xfe\0\0", b"\0\0\xfe\xff", b"\xfe\xff", b"\xef\xbb\xbf"];
    let cut = |mark: &&[u8]| head.len() < mark.len() && mark.starts_with(head);
    MARKS.iter().any(cut) || head.len() < 32 && head.iter().take(4).any(|&byte| byte == 0)
}

/// How many characters a text holds, where what is malformed counts as one.
fn characters(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}

impl Way {
    fn of(charset: Charset, bytes: Vec<u8>) -> Way {
        let decoder = match charset {
            Charset::Utf8 => return Way::Plain,
            Charset::Standard(encoding) => {
                Decode::Standard(encoding.new_decoder_without_bom_handling())
            }
            Charset::Utf32 { big_endian } => Decode::Utf32 { big_endian, cut: Vec::new() },
        };
        Way::Decode(Box::new(Step { decoder, charset, bytes, ended: false }))
    }
}

impl Decode {
    /// Appends the text of `bytes` to `out`; `last` when nothing comes behind them.
    fn push(&mut self, mut bytes: &[u8], last: bool, out: &mut Vec<u8>) {
        match self {
            Decode::Standard(decoder) => loop {
                let most = decoder.max_utf8_buffer_length_without_replacement(bytes.len());
                let old = out.len();
                out.resize(old + most.unwrap_or(bytes.len() * 3 + 16), 0);
                let (result, read, written) =
                    decoder.decode_to_utf8_without_replacement(bytes, &mut out[old..], last);
                out.truncate(old + written);
                bytes = &bytes[read..];
                match result {
                    DecoderResult::InputEmpty => return,
                    DecoderResult::OutputFull => (),
                    DecoderResult::Malformed(..) => out.push(MALFORMED),
                }
            },
            Decode::Utf32 { big_endian, cut } => {
                cut.extend_from_slice(bytes);
                let mut quads = cut.chunks_exact(4);
                for quad in &mut quads {
                    let quad = [quad[0], quad[1], quad[2], quad[3]];
                    let code = match big_endian {
                        true => u32::from_be_bytes(quad),
                        false => u32::from_le_bytes(quad),
                    };
                    match char::from_u32(code) {
                        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                        None => out.push(MALFORMED),
                    }
                }
                *cut = quads.remainder().to_vec();
                if last && !cut.is_empty() {
                    cut.clear();
                    out.push(MALFORMED);
                }
            }
        }
    }
}

impl<I: Input> Input for Decoded<I> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            let text = &self.text[self.at..];
            if !text.is_empty() {
                let length = text.len().min(buffer.len());
                buffer[..length].copy_from_slice(&text[..length]);
                self.at += length;
                return Ok(length);
            }
            match &self.way {
                Way::Plain => {
                    let got = self.input.read(buffer)?;
                    self.read += got as u64;
                    self.made += got as u64;
                    return Ok(got);
                }
                Way::Unseen => self.begin()?,
                Way::Decode(_) => {
                    if !self.decode()? {
                        return Ok(0);
                    }
                }
            }
        }
    }

    fn name(&self) -> &str {
        self.input.name()
    }

    fn is_ready(&self) -> bool {
        self.at < self.text.len() || self.input.is_ready()
    }

    fn facts(&mut self) -> Option<Facts> {
        self.input.facts()
    }

    fn promised(&mut self) -> Option<Facts> {
        self.input.promised()
    }
}

//! Compressed bytes to what was compressed: streams in a row, and zeros behind them. What is cut,
//! what is damaged, what is something else and what something else stands behind are four errors.

use std::io::{self, BufRead, Read};

use super::bytes::{AsRead, lower};
use super::compression::Codec;
use crate::error::{Error, Result};
use crate::pipe::peek::Peeked;
use crate::record::stream::Input;

/// The most memory that a decoder of xz may take: what its level 9 needs, and room.
const XZ_MEMORY: u64 = 256 << 20;

/// How many bytes are read at once.
const READ_BYTES: usize = 64 * 1024;

/// The bytes of `input`, unpacked where they begin as compressed ones do.
///
/// # Errors
/// When the input cannot be read.
pub fn unpack(input: Box<dyn Input>) -> Result<Box<dyn Input>> {
    Ok(unpacked(input)?.0)
}

/// The same, and what they were packed with.
///
/// # Errors
/// As [`unpack`].
pub fn unpacked(input: Box<dyn Input>) -> Result<(Box<dyn Input>, Option<Codec>)> {
    let mut input = Peeked::new(input);
    for (magic, codec) in Codec::MAGICS {
        if input.begins_with(magic)? {
            return Ok((decode(*codec, Box::new(input))?, Some(*codec)));
        }
    }
    Ok((Box::new(input), None))
}

/// Decodes `input`, which is to be packed with `codec`, as its name says.
///
/// # Errors
/// When the input cannot be read or the decoder cannot be set up. That it is something else is
/// said once it is read.
pub fn decode(codec: Codec, input: Box<dyn Input>) -> Result<Box<dyn Input>> {
    let name = input.name().to_string();
    let raw = Raw { input: AsRead(input), buffer: Vec::new(), at: 0, passed: 0, ended: false };
    Ok(Box::new(Decoded { name, codec, state: State::Between(raw), begun: false }))
}

/// An input that decodes another.
struct Decoded {
    name: String,
    codec: Codec,
    state: State,
    /// Whether a stream was read to its end.
    begun: bool,
}

enum State {
    /// Where a stream may begin.
    Between(Raw),
    Within(Box<Stream>),
    /// At the end, or behind an error.
    Ended,
}

/// One compressed stream.
enum Stream {
    Gzip(flate2::bufread::GzDecoder<Raw>),
    Zstd(zstd::Decoder<'static, Raw>),
    Bzip2(bzip2::bufread::BzDecoder<Raw>),
    Xz(liblzma::bufread::XzDecoder<Raw>),
}

impl Stream {
    fn new(codec: Codec, raw: Raw) -> io::Result<Stream> {
        Ok(match codec {
            Codec::Gzip => Stream::Gzip(flate2::bufread::GzDecoder::new(raw)),
            Codec::Zstd => Stream::Zstd(zstd::Decoder::with_buffer(raw)?.single_frame()),
            Codec::Bzip2 => Stream::Bzip2(bzip2::bufread::BzDecoder::new(raw)),
            Codec::Xz => {
                let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, 0)?;
                Stream::Xz(liblzma::bufread::XzDecoder::new_stream(raw, stream))
            }
        })
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Gzip(decoder) => decoder.read(buffer),
            Stream::Zstd(decoder) => decoder.read(buffer),
            Stream::Bzip2(decoder) => decoder.read(buffer),
            Stream::Xz(decoder) => decoder.read(buffer),
        }
    }

    /// What comes behind it, at its end.
    fn into_raw(self) -> Raw {
        match self {
            Stream::Gzip(decoder) => decoder.into_inner(),
            Stream::Zstd(decoder) => decoder.finish(),
            Stream::Bzip2(decoder) => decoder.into_inner(),
            Stream::Xz(decoder) => decoder.into_inner(),
        }
    }
}

impl Decoded {
    /// Begins the stream that begins here. None at the end.
    fn next(&self, mut raw: Raw) -> Result<Option<Stream>> {
        let doing = self.doing();
        let failed = |e| lower(&self.name, &doing, e);
        let end = raw.passed;
        if self.begun {
            raw.pass_zeros().map_err(failed)?;
        }
        let head = raw.peek(Codec::MAGIC_BYTES).map_err(failed)?;
        if Codec::seen(head) == Some(self.codec) {
            return Stream::new(self.codec, raw).map(Some).map_err(failed);
        }
        let (name, what) = (&self.name, self.codec.name());
        match (self.begun, head.is_empty()) {
            (true, true) => Ok(None),
            (true, false) => Err(Error::input(format!(
                "{name}: behind the {what} data, at byte {end}, comes something else (head -c {end} \
                 leaves it away)"
            ))),
            (false, true) => Err(Error::input(format!("{name}: it is empty, not {what}"))),
            (false, false) => {
                let is = match Codec::seen(head) {
                    Some(other) => format!(" but {}", other.name()),
                    None => String::new(),
                };
                let way_out = match name.contains("://") {
                    true => "curl URL | mc-cat FORMAT:-",
                    false => "mc-cat FORMAT:- < FILE",
                };
                Err(Error::input(format!(
                    "{name}: it is not {what}{is}, whatever its name (or its server) says; standard \
                     input is taken for what it is: {way_out}"
                )))
            }
        }
    }

    fn doing(&self) -> String {
        format!("decode {} of", self.codec.name())
    }

    /// The error for a stream that cannot be decoded any further.
    fn broken(&self, stream: Stream, error: io::Error) -> Error {
        let theirs = error.get_ref().is_some_and(|inner| inner.is::<Error>());
        if theirs || error.raw_os_error().is_some() {
            return lower(&self.name, &self.doing(), error);
        }
        let (name, what) = (&self.name, self.codec.name());
        if stream.into_raw().ended {
            return Error::input(format!("{name}: it is cut short: its {what} data has no end"));
        }
        Error::input(format!(
            "{name}: its {what} data is damaged ({})",
            crate::error::reason(&error)
        ))
    }
}

impl Input for Decoded {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            self.state = match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Ok(0),
                State::Between(raw) => match self.next(raw)? {
                    Some(stream) => State::Within(Box::new(stream)),
                    None => return Ok(0),
                },
                State::Within(mut stream) => match stream.read(buffer) {
                    Ok(0) if !buffer.is_empty() => {
                        self.begun = true;
                        State::Between(stream.into_raw())
                    }
                    Ok(got) => {
                        self.state = State::Within(stream);
                        return Ok(got);
                    }
                    Err(error) => return Err(self.broken(*stream, error)),
                },
            }
        }
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// The compressed bytes.
struct Raw {
    input: AsRead,
    buffer: Vec<u8>,
    at: usize,
    /// How many bytes were taken.
    passed: u64,
    /// Whether there are no more than those in the buffer.
    ended: bool,
}

impl Raw {
    /// The next bytes: `count` of them, unless the end comes before.
    fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.buffer.len() - self.at < count && !self.ended {
            self.read()?;
        }
        let rest = &self.buffer[self.at..];
        Ok(&rest[..rest.len().min(count)])
    }

    /// Reads more behind what is there.
    fn read(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let old = self.buffer.len();
        self.buffer.resize(old + READ_BYTES, 0);
        let got = self.input.read(&mut self.buffer[old..]);
        self.buffer.truncate(old + got.as_ref().map_or(0, |got| *got));
        self.ended = got? == 0;
        Ok(())
    }

    fn pass_zeros(&mut self) -> io::Result<()> {
        loop {
            let here = self.fill_buf()?;
            let zeros = here.iter().take_while(|&&byte| byte == 0).count();
            let more = zeros == here.len() && zeros > 0;
            self.consume(zeros);
            if !more {
                return Ok(());
            }
        }
    }
}

impl BufRead for Raw {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.buffer.len() && !self.ended {
            self.read()?;
        }
        Ok(&self.buffer[self.at..])
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
        self.passed += count as u64;
    }
}

impl Read for Raw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let here = self.fill_buf()?;
        let length = here.len().min(buffer.len());
        buffer[..length].copy_from_slice(&here[..length]);
        self.consume(length);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::bytes::Memory;
    use crate::format::compression::Compressor;
    use crate::format::resource::Packing;
    use proptest::prelude::*;
    use std::io::Write;

    const CODECS: [Codec; 4] = [Codec::Gzip, Codec::Zstd, Codec::Bzip2, Codec::Xz];

    fn encode(codec: Codec, bytes: &[u8]) -> Vec<u8> {
        let packing = Packing { codec: Some(codec), zipped: false };
        let mut encoder = Compressor::new(packing, "", Vec::new()).unwrap();
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Gives at most so many bytes at a time.
    struct Chunks(Memory, usize);

    impl Input for Chunks {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            let most = self.1.min(buffer.len());
            self.0.read(&mut buffer[..most])
        }

        fn name(&self) -> &str {
            "memory"
        }
    }

    fn decoded_in(codec: Codec, bytes: &[u8], chunk: usize) -> Result<Vec<u8>> {
        let mut input = decode(codec, Box::new(Chunks(Memory::new("memory", bytes), chunk)))?;
        let (mut all, mut buffer) = (Vec::new(), [0; 1000]);
        loop {
            match input.read(&mut buffer)? {
                0 => return Ok(all),
                got => all.extend_from_slice(&buffer[..got]),
            }
        }
    }

    fn decoded(codec: Codec, bytes: &[u8]) -> Result<Vec<u8>> {
        decoded_in(codec, bytes, 1 << 20)
    }

    fn noise(length: usize) -> Vec<u8> {
        (0..length as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    #[test]
    fn streams_come_back_whole_and_in_a_row() {
        for codec in CODECS {
            let (one, two) = (noise(100_000), b"two".to_vec());
            assert_eq!(decoded(codec, &encode(codec, &one)).unwrap(), one);
            assert_eq!(decoded(codec, &encode(codec, b"")).unwrap(), b"");
            let row = [encode(codec, &one), encode(codec, b""), encode(codec, &two)].concat();
            assert_eq!(decoded(codec, &row).unwrap(), [one, two].concat(), "{codec:?}");
        }
    }

    #[test]
    fn every_cut_and_anything_behind_the_end_is_bad_input() {
        let says = |codec, bytes: &[u8], why: &str| {
            let error = decoded(codec, bytes).expect_err(&format!("{codec:?} {why}"));
            assert_eq!(error.exit_code(), 3, "{error}");
            assert!(error.to_string().contains(why), "{codec:?}: {error}");
        };
        for codec in CODECS {
            let whole = encode(codec, &noise(300));
            says(codec, b"", "it is empty");
            for cut in 11..whole.len() {
                says(codec, &whole[..cut], "it is cut short");
            }
            for cut in 1..11 {
                assert!(decoded(codec, &whole[..cut]).is_err());
            }
            for garbage in [b"garbage".as_slice(), b"\0\0x", b"x"] {
                let at = format!("at byte {}, comes something else", whole.len());
                says(codec, &[&whole, garbage].concat(), &at);
            }
            says(codec, b"{\"a\":1}\n", "it is not");
            let (other, name) = match codec {
                Codec::Gzip => (Codec::Xz, "it is not gzip but xz"),
                _ => (Codec::Gzip, "but gzip"),
            };
            says(codec, &encode(other, b"x"), name);
            let mut damaged = encode(codec, &noise(3000));
            let middle = damaged.len() / 2;
            damaged[middle] ^= 1;
            assert_eq!(decoded(codec, &damaged).unwrap_err().exit_code(), 3);
            for zeros in [1, 512, 200_000] {
                let padded = [whole.clone(), vec![0; zeros]].concat();
                assert_eq!(decoded(codec, &padded).unwrap(), noise(300));
            }
        }
    }

    proptest! {
        #[test]
        fn padding_and_chunks_change_nothing_and_a_cut_is_never_silent(
            which in 0..4usize,
            pieces in prop::collection::vec(0..3000usize, 1..4),
            zeros in 0..700usize,
            chunk in 1..300usize,
            cut in any::<prop::sample::Index>(),
        ) {
            let codec = CODECS[which];
            let want: Vec<u8> = pieces.iter().flat_map(|&length| noise(length)).collect();
            let packed: Vec<Vec<u8>> = pieces.iter().map(|&n| encode(codec, &noise(n))).collect();
            let ends: Vec<usize> = packed.iter().scan(0, |sum, p| { *sum += p.len(); Some(*sum) }).collect();
            let packed = packed.concat();
            let padded = [packed.clone(), vec![0; zeros]].concat();
            prop_assert_eq!(decoded_in(codec, &padded, chunk).unwrap(), want);
            let cut = cut.index(packed.len());
            let whole = ends.contains(&cut);
            prop_assert_eq!(decoded_in(codec, &packed[..cut], chunk).is_ok(), whole, "{}", cut);
        }
    }
}

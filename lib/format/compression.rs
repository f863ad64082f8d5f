//! Compression around a whole resource, by the ending of its name: `.gz`, `.zst`, `.bz2`, `.xz`.
//!
//! A stream may be several compressed ones in a row. One that is cut short, and anything behind
//! its end that is not another, is an error.

use std::io::{self, BufReader, Read, Write};

use super::bytes::{AsRead, lower};
use super::resource::Packing;
use super::zip::ArchiveWriter;
use crate::error::Result;
use crate::record::stream::Input;

/// A compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// gzip, RFC 1952.
    Gzip,
    /// Zstandard, RFC 8878.
    Zstd,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
}

/// The level of each writer: its program's default.
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;
const BZIP2_LEVEL: u32 = 9;
const XZ_LEVEL: u32 = 6;

/// The most memory that a decoder of xz may take: what its level 9 needs, and room.
const XZ_MEMORY: u64 = 256 << 20;

impl Codec {
    /// Splits a name into what it names uncompressed, and its compression.
    pub fn of(name: &str) -> (&str, Option<Codec>) {
        let codec = match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
            "gz" => Codec::Gzip,
            "zst" => Codec::Zstd,
            "bz2" => Codec::Bzip2,
            "xz" => Codec::Xz,
            _ => return (name, None),
        };
        let end = name.len() - codec.ending().len();
        (&name[..end], Some(codec))
    }

    fn ending(self) -> &'static str {
        match self {
            Codec::Gzip => ".gz",
            Codec::Zstd => ".zst",
            Codec::Bzip2 => ".bz2",
            Codec::Xz => ".xz",
        }
    }
}

/// An input that decodes another.
struct Decoded {
    name: String,
    codec: Codec,
    decoder: Box<dyn Read + Send>,
    /// Whether anything was decoded, or the end was reached well.
    begun: bool,
}

/// Decodes `input`.
///
/// # Errors
/// When the decoder cannot be set up.
pub fn decode(codec: Codec, input: Box<dyn Input>) -> Result<Box<dyn Input>> {
    let name = input.name().to_string();
    let bytes = NotEmpty { inner: AsRead(input), begun: false };
    let decoder: Box<dyn Read + Send> = match codec {
        Codec::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::new(bytes))),
        Codec::Zstd => Box::new(zstd::Decoder::new(bytes).map_err(|e| lower(&name, "decode", e))?),
        Codec::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(bytes)),
        Codec::Xz => {
            let flags = liblzma::stream::CONCATENATED;
            let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, flags)
                .map_err(|e| lower(&name, "decode", e.into()))?;
            Box::new(liblzma::read::XzDecoder::new_stream(bytes, stream))
        }
    };
    Ok(Box::new(Decoded { name, codec, decoder, begun: false }))
}

impl Input for Decoded {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let what = match self.codec {
            Codec::Gzip => "decode gzip of",
            Codec::Zstd => "decode Zstandard of",
            Codec::Bzip2 => "decode bzip2 of",
            Codec::Xz => "decode xz of",
        };
        let got = self.decoder.read(buffer).map_err(|e| lower(&self.name, what, e))?;
        self.begun |= got > 0;
        Ok(got)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Bytes that may not be none at all: no compressed stream is empty.
struct NotEmpty<R> {
    inner: R,
    begun: bool,
}

impl<R: Read> Read for NotEmpty<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buffer)?;
        if got == 0 && !buffer.is_empty() && !self.begun {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is empty"));
        }
        self.begun |= got > 0;
        Ok(got)
    }
}

/// A writer that may compress on the way.
pub enum Encoder<W: Write> {
    /// As it comes.
    Plain(W),
    /// To gzip.
    Gzip(flate2::write::GzEncoder<W>),
    /// To Zstandard.
    Zstd(zstd::Encoder<'static, W>),
    /// To bzip2.
    Bzip2(bzip2::write::BzEncoder<W>),
    /// To xz.
    Xz(liblzma::write::XzEncoder<W>),
    /// To the only member of a Zip.
    Zip(Box<ArchiveWriter<W>>),
}

impl<W: Write> Encoder<W> {
    /// Packs as `packing` says into `inner`; the member of a Zip is called `member`.
    ///
    /// # Errors
    /// When the encoder cannot be set up.
    pub fn new(packing: Packing, member: &str, inner: W) -> io::Result<Encoder<W>> {
        if packing.zipped {
            let mut archive = ArchiveWriter::new(inner);
            archive.begin(member)?;
            return Ok(Encoder::Zip(Box::new(archive)));
        }
        Ok(match packing.codec {
            None => Encoder::Plain(inner),
            Some(Codec::Gzip) => {
                let level = flate2::Compression::new(GZIP_LEVEL);
                Encoder::Gzip(flate2::write::GzEncoder::new(inner, level))
            }
            Some(Codec::Zstd) => {
                let mut encoder = zstd::Encoder::new(inner, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                Encoder::Zstd(encoder)
            }
            Some(Codec::Bzip2) => {
                let level = bzip2::Compression::new(BZIP2_LEVEL);
                Encoder::Bzip2(bzip2::write::BzEncoder::new(inner, level))
            }
            Some(Codec::Xz) => Encoder::Xz(liblzma::write::XzEncoder::new(inner, XZ_LEVEL)),
        })
    }

    /// Ends the compressed stream; what it was written to comes back.
    ///
    /// # Errors
    /// When the rest cannot be written.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Encoder::Plain(inner) => Ok(inner),
            Encoder::Gzip(encoder) => encoder.finish(),
            Encoder::Zstd(encoder) => encoder.finish(),
            Encoder::Bzip2(encoder) => encoder.finish(),
            Encoder::Xz(encoder) => encoder.finish(),
            Encoder::Zip(archive) => archive.finish(),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Encoder::Plain(inner) => inner.write(bytes),
            Encoder::Gzip(encoder) => encoder.write(bytes),
            Encoder::Zstd(encoder) => encoder.write(bytes),
            Encoder::Bzip2(encoder) => encoder.write(bytes),
            Encoder::Xz(encoder) => encoder.write(bytes),
            Encoder::Zip(archive) => archive.stream(bytes).map(|()| bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Encoder::Plain(inner) => inner.flush(),
            Encoder::Gzip(encoder) => encoder.flush(),
            Encoder::Zstd(encoder) => encoder.flush(),
            Encoder::Bzip2(encoder) => encoder.flush(),
            Encoder::Xz(encoder) => encoder.flush(),
            Encoder::Zip(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::bytes::Memory;

    const CODECS: [Codec; 4] = [Codec::Gzip, Codec::Zstd, Codec::Bzip2, Codec::Xz];

    fn encode(codec: Codec, bytes: &[u8]) -> Vec<u8> {
        let packing = Packing { codec: Some(codec), zipped: false };
        let mut encoder = Encoder::new(packing, "", Vec::new()).unwrap();
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decoded(codec: Codec, bytes: &[u8]) -> Result<Vec<u8>> {
        let mut input = decode(codec, Box::new(Memory::new("memory", bytes)))?;
        let (mut all, mut buffer) = (Vec::new(), [0; 1000]);
        loop {
            match input.read(&mut buffer)? {
                0 => return Ok(all),
                got => all.extend_from_slice(&buffer[..got]),
            }
        }
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
        for codec in CODECS {
            let whole = encode(codec, &noise(300));
            for cut in 0..whole.len() {
                let error = decoded(codec, &whole[..cut]).expect_err(&format!("{codec:?} {cut}"));
                assert_eq!(error.exit_code(), 3, "{codec:?} {cut} {error}");
            }
            for garbage in [b"garbage".as_slice(), b"\0", b"x"] {
                let error = decoded(codec, &[&whole, garbage].concat());
                assert!(error.is_err(), "{codec:?} {garbage:?}");
            }
        }
    }
}

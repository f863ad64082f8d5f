//! Compression around a whole resource, by the ending of its name (`.gz`, `.bgz`, `.zst`, `.bz2`,
//! `.xz`) or by what it begins with; and how it is made.

use std::io::{self, Write};

use super::resource::Packing;
use super::zip::ArchiveWriter;

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

impl Codec {
    /// What compressed data begins with: no text does.
    pub const MAGICS: &[(&[u8], Codec)] = &[
        (b"\x1f\x8b", Codec::Gzip),
        (b"\x28\xb5\x2f\xfd", Codec::Zstd),
        (b"\xfd7zXZ\0", Codec::Xz),
        (b"BZh11AY&SY", Codec::Bzip2),
        (b"BZh21AY&SY", Codec::Bzip2),
        (b"BZh31AY&SY", Codec::Bzip2),
        (b"BZh41AY&SY", Codec::Bzip2),
        (b"BZh51AY&SY", Codec::Bzip2),
        (b"BZh61AY&SY", Codec::Bzip2),
        (b"BZh71AY&SY", Codec::Bzip2),
        (b"BZh81AY&SY", Codec::Bzip2),
        (b"BZh91AY&SY", Codec::Bzip2),
    ];

    /// How many bytes tell a compression.
    pub const MAGIC_BYTES: usize = 10;

    /// Splits a name into what it names uncompressed, and its compression.
    pub fn of(name: &str) -> (&str, Option<Codec>) {
        let Some((stem, ending)) = name.rsplit_once('.') else { return (name, None) };
        let codec = match ending.to_ascii_lowercase().as_str() {
            // Blocks of gzip in a row, with an index of their own.
            "gz" | "bgz" => Codec::Gzip,
            "zst" => Codec::Zstd,
            "bz2" => Codec::Bzip2,
            "xz" => Codec::Xz,
            _ => return (name, None),
        };
        (stem, Some(codec))
    }

    /// The compression that bytes begin with the magic of.
    pub fn seen(head: &[u8]) -> Option<Codec> {
        // Without data, bzip2 has another second word; a frame of Zstandard may be one to skip.
        match head {
            [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90] => {
                Some(Codec::Bzip2)
            }
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Codec::Zstd),
            _ => {
                let mut magics = Codec::MAGICS.iter();
                magics.find(|(magic, _)| head.starts_with(magic)).map(|(_, codec)| *codec)
            }
        }
    }

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Gzip => "gzip",
            Codec::Zstd => "Zstandard",
            Codec::Bzip2 => "bzip2",
            Codec::Xz => "xz",
        }
    }
}

/// A writer that may compress on the way.
pub enum Compressor<W: Write> {
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

impl<W: Write> Compressor<W> {
    /// Packs as `packing` says into `inner`; the member of a Zip is called `member`.
    ///
    /// # Errors
    /// When the encoder cannot be set up.
    pub fn new(packing: Packing, member: &str, inner: W) -> io::Result<Compressor<W>> {
        if packing.zipped {
            let mut archive = ArchiveWriter::new(inner);
            archive.begin(member)?;
            return Ok(Compressor::Zip(Box::new(archive)));
        }
        Ok(match packing.codec {
            None => Compressor::Plain(inner),
            Some(Codec::Gzip) => {
                let level = flate2::Compression::new(GZIP_LEVEL);
                Compressor::Gzip(flate2::write::GzEncoder::new(inner, level))
            }
            Some(Codec::Zstd) => {
                let mut encoder = zstd::Encoder::new(inner, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                Compressor::Zstd(encoder)
            }
            Some(Codec::Bzip2) => {
                let level = bzip2::Compression::new(BZIP2_LEVEL);
                Compressor::Bzip2(bzip2::write::BzEncoder::new(inner, level))
            }
            Some(Codec::Xz) => Compressor::Xz(liblzma::write::XzEncoder::new(inner, XZ_LEVEL)),
        })
    }

    /// Ends the compressed stream; what it was written to comes back.
    ///
    /// # Errors
    /// When the rest cannot be written.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Compressor::Plain(inner) => Ok(inner),
            Compressor::Gzip(encoder) => encoder.finish(),
            Compressor::Zstd(encoder) => encoder.finish(),
            Compressor::Bzip2(encoder) => encoder.finish(),
            Compressor::Xz(encoder) => encoder.finish(),
            Compressor::Zip(archive) => archive.finish(),
        }
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Compressor::Plain(inner) => inner.write(bytes),
            Compressor::Gzip(encoder) => encoder.write(bytes),
            Compressor::Zstd(encoder) => encoder.write(bytes),
            Compressor::Bzip2(encoder) => encoder.write(bytes),
            Compressor::Xz(encoder) => encoder.write(bytes),
            Compressor::Zip(archive) => archive.stream(bytes).map(|()| bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Compressor::Plain(inner) => inner.flush(),
            Compressor::Gzip(encoder) => encoder.flush(),
            Compressor::Zstd(encoder) => encoder.flush(),
            Compressor::Bzip2(encoder) => encoder.flush(),
            Compressor::Xz(encoder) => encoder.flush(),
            Compressor::Zip(_) => Ok(()),
        }
    }
}

//! What a table's blocks may be compressed with, told by the byte behind each.
//!
//! The C++ library writes 0 (nothing), 1 (Snappy) and, of late, 2 (Zstandard); Minecraft's fork
//! writes 2 (zlib) and 4 (deflate without zlib's frame). A zlib stream and a Zstandard frame never
//! begin alike.

use std::io::Read;

/// The first bytes of a Zstandard frame.
const ZSTANDARD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Snappy turns no 3 bytes into more than 64: what claims more than this is damaged.
const SNAPPY_RATIO: usize = 22;

/// Puts into `out` what `data` was before it was compressed as `kind` says: at most `limit` bytes.
///
/// # Errors
/// What is wrong with the block.
pub(super) fn decompress(
    kind: u8,
    data: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), &'static str> {
    out.clear();
    match kind {
        0 => {
            out.extend_from_slice(data);
            Ok(())
        }
        1 => snappy(data, limit, out),
        2 if data.starts_with(ZSTANDARD) => {
            let decoder = zstd::stream::read::Decoder::with_buffer(data);
            stream(decoder.map_err(|_| WRONG)?, limit, out)
        }
        2 => stream(flate2::bufread::ZlibDecoder::new(data), limit, out),
        4 => stream(flate2::bufread::DeflateDecoder::new(data), limit, out),
        _ => Err("a block is compressed in an unknown way"),
    }
}

const WRONG: &str = "a block does not decompress";
const LONG: &str = "a block is longer, decompressed, than the longest record allows (--max-record)";

fn snappy(data: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let length = snap::raw::decompress_len(data).map_err(|_| WRONG)?;
    if length > data.len().saturating_mul(SNAPPY_RATIO) {
        return Err(WRONG);
    }
    if length > limit {
        return Err(LONG);
    }
    out.resize(length, 0);
    match snap::raw::Decoder::new().decompress(data, out) {
        Ok(got) if got == length => Ok(()),
        _ => Err(WRONG),
    }
}

fn stream(decoder: impl Read, limit: usize, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(most).read_to_end(out).map_err(|_| WRONG)?;
    if out.len() > limit { Err(LONG) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inflated(kind: u8, data: &[u8], limit: usize) -> Result<Vec<u8>, &'static str> {
        let mut out = b"old".to_vec();
        decompress(kind, data, limit, &mut out).map(|()| out)
    }

    fn every_kind(plain: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let level = flate2::Compression::default();
        let (mut zlib, mut deflate) = (Vec::new(), Vec::new());
        flate2::bufread::ZlibEncoder::new(plain, level).read_to_end(&mut zlib).unwrap();
        flate2::bufread::DeflateEncoder::new(plain, level).read_to_end(&mut deflate).unwrap();
        let snappy = snap::raw::Encoder::new().compress_vec(plain).unwrap();
        let zstandard = zstd::stream::encode_all(plain, 3).unwrap();
        vec![(0, plain.to_vec()), (1, snappy), (2, zlib), (2, zstandard), (4, deflate)]
    }

    #[test]
    fn every_kind_comes_back_within_the_limit() {
        let plain = b"abcabcabcabc".repeat(1000);
        for (kind, data) in every_kind(&plain) {
            assert_eq!(inflated(kind, &data, plain.len()), Ok(plain.clone()), "{kind}");
            if kind != 0 {
                assert_eq!(inflated(kind, &data, plain.len() - 1), Err(LONG), "{kind}");
                assert!(inflated(kind, &data[..data.len() / 2], plain.len()).is_err(), "{kind}");
            }
        }
        assert!(inflated(3, b"", 10).is_err());
    }

    #[test]
    fn a_claim_alone_takes_no_memory() {
        // Snappy's header says 4 GiB - 1; nothing follows.
        assert_eq!(inflated(1, b"\xff\xff\xff\xff\x0f", usize::MAX), Err(WRONG));
    }
}

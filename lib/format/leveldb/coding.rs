//! The integers and strings that LevelDB's files are made of: little-endian fixed ones, varints of
//! seven bits a byte, and strings behind their length. And the checksum of blocks and records.

/// Takes values from the front of bytes. `None` means that the bytes hold no such value.
#[derive(Clone, Copy)]
pub(super) struct FieldDecoder<'a>(pub(super) &'a [u8]);

impl<'a> FieldDecoder<'a> {
    /// Whether everything was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next `length` bytes.
    pub(super) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    /// One byte.
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    /// Four bytes, least significant first.
    pub(super) fn fixed32(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*bytes))
    }

    /// Eight bytes, least significant first.
    pub(super) fn fixed64(&mut self) -> Option<u64> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*bytes))
    }

    /// A varint of up to 64 bits.
    #[inline]
    pub(super) fn varint64(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for (index, &byte) in self.0.iter().take(10).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if index == 9 && bits > 1 {
                return None;
            }
            value |= bits << (7 * index);
            if byte < 0x80 {
                self.0 = &self.0[index + 1..];
                return Some(value);
            }
        }
        None
    }

    /// A varint of up to 32 bits.
    #[inline]
    pub(super) fn varint32(&mut self) -> Option<u32> {
        self.varint64().and_then(|value| u32::try_from(value).ok())
    }

    /// A string behind its length.
    pub(super) fn prefixed(&mut self) -> Option<&'a [u8]> {
        let length = self.varint32()?;
        self.bytes(usize::try_from(length).ok()?)
    }
}

/// The form in which a CRC-32C is stored: turned and shifted, so that the checksum of bytes that
/// hold checksums is none of them.
pub(super) fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_end_and_fit() {
        let take = |bytes: &[u8]| {
            let mut decoder = FieldDecoder(bytes);
            (decoder.varint64(), decoder.0.len())
        };
        assert_eq!(take(&[0x7f, 9]), (Some(127), 1));
        assert_eq!(take(&[0x80, 0x01]), (Some(128), 0));
        let mut most = [0xff; 10];
        most[9] = 1;
        assert_eq!(take(&most), (Some(u64::MAX), 0));
        most[9] = 2;
        assert_eq!(take(&most).0, None);
        assert_eq!(take(&[0x80; 11]).0, None);
        assert_eq!(take(&[0x80]).0, None);
        assert_eq!(FieldDecoder(&[0xff, 0xff, 0xff, 0xff, 0x1f]).varint32(), None);
        assert_eq!(FieldDecoder(&[3, 1, 2]).prefixed(), None);
        assert_eq!(FieldDecoder(&[2, 1, 2, 3]).prefixed(), Some([1, 2].as_slice()));
    }

    #[test]
    fn checksums_are_those_of_the_format() {
        // The CRC-32C of 32 zero bytes, from RFC 3720; turned by 15 it is 6d551522.
        let crc = crc32c::crc32c(&[0; 32]);
        assert_eq!(crc, 0x8a91_36aa);
        assert_eq!(masked(crc), 0x6d55_1522u32.wrapping_add(0xa282_ead8));
    }
}

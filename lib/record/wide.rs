//! Looking at many bytes at once: the ends of texts and of digits, and whether a text stands at a
//! place.
//!
//! Words of eight bytes, and what the compiler makes of sixteen: there is nothing in it of a
//! particular processor.

/// A text that is looked for at a place: the first bytes as words, compared at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    /// The first 16 bytes, and which bits of them count.
    head: u128,
    mask: u128,
    bytes: Vec<u8>,
}

/// Bytes of a text that are compared at once.
const HEAD: usize = 16;

impl Literal {
    /// The text `bytes`.
    pub(super) fn new(bytes: &[u8]) -> Literal {
        let (mut head, mut mask) = ([0; HEAD], [0; HEAD]);
        let length = bytes.len().min(HEAD);
        head[..length].copy_from_slice(&bytes[..length]);
        mask[..length].fill(0xff);
        Literal {
            head: u128::from_le_bytes(head),
            mask: u128::from_le_bytes(mask),
            bytes: bytes.to_vec(),
        }
    }

    /// How many bytes it is.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it stands at byte `at` of `text`.
    #[inline]
    pub(super) fn is_at(&self, text: &[u8], at: usize) -> bool {
        let Some(rest) = text.get(at..) else { return false };
        // To compare nothing at all is left to nobody: a library that loads what it masks out takes
        // long to find that there is none.
        if self.bytes.is_empty() {
            return true;
        }
        match rest.first_chunk::<HEAD>() {
            Some(first) if (u128::from_le_bytes(*first) ^ self.head) & self.mask == 0 => {
                self.bytes.len() <= HEAD || rest.starts_with(&self.bytes)
            }
            Some(_) => false,
            None => rest.starts_with(&self.bytes),
        }
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Every byte of a word: the bytes below 0x20, and those equal to `"` or `\`, have their high bit
/// set in the result. A borrow may mark bytes above the lowest marked one, never below it.
#[inline]
pub(super) fn stops(word: u64) -> u64 {
    let zero = |w: u64| w.wrapping_sub(ONES) & !w;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (control | zero(word ^ (ONES * b'"' as u64)) | zero(word ^ (ONES * b'\\' as u64))) & HIGH
}

/// Where the text ends that begins at `at`: before the first byte that cannot stand in a string
/// literal as it is. `None` if it is no UTF-8.
#[inline]
pub(super) fn text_end(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let (mut end, mut above) = (0, 0);
    loop {
        let Some(eight) = rest[end..].first_chunk() else {
            return short_text_end(rest, end, above).map(|end| at + end);
        };
        let word = u64::from_le_bytes(*eight);
        let marks = stops(word);
        if marks != 0 {
            let count = marks.trailing_zeros() / 8;
            // The bytes before the stop.
            above |= word & HIGH & !(!0 << (count * 8));
            end += count as usize;
            break;
        }
        above |= word & HIGH;
        end += 8;
    }
    (above == 0 || std::str::from_utf8(&rest[..end]).is_ok()).then_some(at + end)
}

/// The same for the last bytes of `rest`, from `end` on.
#[inline]
fn short_text_end(rest: &[u8], mut end: usize, above: u64) -> Option<usize> {
    let mut plain = above == 0;
    while let Some(byte) = rest.get(end) {
        if matches!(byte, 0..=0x1f | b'"' | b'\\') {
            break;
        }
        plain &= byte.is_ascii();
        end += 1;
    }
    (plain || std::str::from_utf8(&rest[..end]).is_ok()).then_some(end)
}

/// Where the decimal digits end that begin at `at`.
#[inline]
pub(super) fn digits_end(text: &[u8], mut at: usize) -> usize {
    while let Some(eight) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        let count = digits_in(u64::from_le_bytes(*eight));
        at += count;
        if count < 8 {
            return at;
        }
    }
    while let Some(b'0'..=b'9') = text.get(at) {
        at += 1;
    }
    at
}

/// How many of the eight bytes of a text, the first in the lowest byte, are decimal digits up to the first that
/// is none.
#[inline]
pub(super) fn digits_in(text: u64) -> usize {
    // A digit's high half is 3, and stays 3 when 6 is added to it.
    let other = (text ^ (ONES * 0x30)) | (text.wrapping_add(ONES * 6) ^ (ONES * 0x30));
    (other & (ONES * 0xf0)).trailing_zeros() as usize / 8
}

/// The value of the first `count` of the eight bytes of a text, up to 8, which are decimal digits.
#[inline]
pub(super) fn first_digits(text: u64, count: usize) -> u64 {
    // As if zeros stood before them.
    let digits = text.checked_shl(64 - 8 * count as u32).unwrap_or(0) & (ONES * 0x0f);
    // Neighbours are joined: digits to pairs, pairs to fours, fours to eight.
    let pairs = digits.wrapping_mul((10 << 8) + 1) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul((100 << 16) + 1) >> 16;
    (fours & 0x0000_ffff_0000_ffff).wrapping_mul((10_000 << 32) + 1) >> 32
}

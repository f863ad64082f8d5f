//! Looking at many bytes at once: the ends of texts and of digits, and whether a text stands at a
//! place.
//!
//! Where a text ends is as good as random, so nothing branches on it that can be computed: a wrong guess costs more
//! than a word.

use super::sixteen::{Sixteen, before_first, bits_before_first};

/// The next eight bytes of `text` from `at` on, which lies in it or at its end, the first in the lowest byte;
/// zeros where there are less.
#[inline]
pub(super) fn word_at(text: &[u8], at: usize) -> u64 {
    match text[at..].first_chunk() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => last_word(text, text.len() - at),
    }
}

/// The same of the last `count` bytes, less than eight.
#[inline]
fn last_word(text: &[u8], count: usize) -> u64 {
    match text.last_chunk() {
        Some(eight) => u64::from_le_bytes(*eight).checked_shr(64 - 8 * count as u32).unwrap_or(0),
        None => {
            let bytes = text[text.len() - count..].iter().rev();
            bytes.fold(0, |word, byte| word << 8 | u64::from(*byte))
        }
    }
}

/// A text without zeros that is looked for at a place: the first bytes as words, compared at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    /// The first 16 bytes, and which bits of them count.
    head: [u64; 2],
    mask: [u64; 2],
    bytes: Vec<u8>,
}

impl Literal {
    /// The text `bytes`.
    pub(super) fn new(bytes: &[u8]) -> Literal {
        let word = |at: usize| word_at(bytes, at.min(bytes.len()));
        let mask = |at: usize| low_bytes(bytes.len().saturating_sub(at));
        Literal { head: [word(0), word(8)], mask: [mask(0), mask(8)], bytes: bytes.to_vec() }
    }

    /// How many bytes it is.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it stands at byte `at` of `text`, which lies in it or at its end.
    #[inline]
    pub(super) fn is_at(&self, text: &[u8], at: usize) -> bool {
        if (word_at(text, at) ^ self.head[0]) & self.mask[0] != 0 {
            return false;
        }
        self.mask[1] == 0 || self.rest_is_at(text, at)
    }

    /// The same of what follows its first eight bytes, which do.
    #[inline]
    fn rest_is_at(&self, text: &[u8], at: usize) -> bool {
        (word_at(text, at + 8) ^ self.head[1]) & self.mask[1] == 0
            && (self.bytes.len() <= 16 || text[at..].starts_with(&self.bytes))
    }
}

/// A text that is copied to many places, eight bytes at a time.
#[derive(Clone, Debug)]
pub(crate) struct CopiedText {
    words: Vec<[u8; 8]>,
    length: usize,
}

impl CopiedText {
    /// The text `bytes`.
    pub(crate) fn new(bytes: &[u8]) -> CopiedText {
        let padded = |chunk: &[u8]| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            word
        };
        CopiedText { words: bytes.chunks(8).map(padded).collect(), length: bytes.len() }
    }

    /// Writes it to byte `at` of `out`, and anything behind it. Where it ends there; `None` if there may be no
    /// room for it.
    #[inline]
    pub(crate) fn copy(&self, out: &mut [u8], at: usize) -> Option<usize> {
        for (word, eight) in self.words.iter().zip(out.get_mut(at..)?.as_chunks_mut().0) {
            *eight = *word;
        }
        (at + 8 * self.words.len() <= out.len()).then_some(at + self.length)
    }
}

/// Writes the text that begins at byte `from` of `text` to byte `to` of `out`, and anything behind it. It ends
/// before the first byte that cannot stand in a string literal as it is, or is `mark`, or at the end of all.
/// Returns how long it is; `None` if there may be no room for it.
#[inline(always)]
pub(crate) fn copy_text(
    text: &[u8],
    from: usize,
    mark: u8,
    out: &mut [u8],
    to: usize,
) -> Option<usize> {
    let (text, out) = (text.get(from..)?, out.get_mut(to..)?);
    let mut length = 0;
    loop {
        let sixteen = sixteen_at(text, length);
        *out.get_mut(length..)?.first_chunk_mut()? = sixteen;
        let bytes = Sixteen::of(&sixteen);
        let ends = bytes.stops() | bytes.equal(mark);
        length += before_first(ends);
        if ends != 0 {
            return Some(length);
        }
    }
}

/// Which of the next 64 bytes of `text` from `at` on, which lies in it or at its end, cannot stand in a string literal as
/// they are, or are `mark`: the first byte's bit is the lowest.
#[inline(always)]
pub(super) fn ends_in(text: &[u8], at: usize, mark: u8) -> u64 {
    const BYTES: usize = u64::BITS as usize;
    let rest = &text[at..];
    let mut padded = [b' '; BYTES];
    let bytes = rest.first_chunk::<BYTES>().unwrap_or_else(|| {
        padded[..rest.len()].copy_from_slice(rest);
        &padded
    });
    let ends = |sixteen: &[u8; Sixteen::BYTES]| {
        let bytes = Sixteen::of(sixteen);
        u64::from(bytes.stops() | bytes.equal(mark))
    };
    let (sixteens, _) = bytes.as_chunks();
    let all = sixteens.iter().rev().fold(0, |all, sixteen| all << Sixteen::BYTES | ends(sixteen));
    let behind = BYTES.saturating_sub(rest.len()) as u32;
    all & u64::MAX.checked_shr(behind).unwrap_or(0)
}

/// The next 16 bytes of `text` from `at` on, which lies in it or at its end; zeros where there are less.
#[inline(always)]
fn sixteen_at(text: &[u8], at: usize) -> [u8; Sixteen::BYTES] {
    let rest = &text[at..];
    rest.first_chunk().copied().unwrap_or_else(|| last_bytes(rest))
}

/// Fewer bytes, and zeros behind them.
#[cold]
fn last_bytes(bytes: &[u8]) -> [u8; Sixteen::BYTES] {
    let mut padded = [0; Sixteen::BYTES];
    padded[..bytes.len()].copy_from_slice(bytes);
    padded
}

/// The bits of the lowest `count` bytes of a word.
#[inline(always)]
pub(super) fn low_bytes(count: usize) -> u64 {
    u64::MAX.checked_shr(64 - 8 * count.min(8) as u32).unwrap_or(0)
}

/// The first 16 bytes of a text of `text` that lies at `from` and is `length` bytes long; zeros where it is shorter.
#[inline(always)]
pub(crate) fn head_of(text: &[u8], from: usize, length: usize) -> [u64; 2] {
    let sixteen = sixteen_at(text, from);
    let (words, _) = sixteen.as_chunks();
    let [first, second] = [words[0], words[1]].map(u64::from_le_bytes);
    [first & low_bytes(length), second & low_bytes(length.saturating_sub(8))]
}

const ONES: u64 = 0x0101_0101_0101_0101;
/// The high bit of each byte.
pub(super) const HIGH: u64 = 0x8080_8080_8080_8080;

/// Every byte of a word: the bytes below 0x20, and those equal to `"` or `\`, have their high bit
/// set in the result. A borrow may mark bytes above the lowest marked one, never below it.
#[inline]
pub(super) fn stops(word: u64) -> u64 {
    let zero = |w: u64| w.wrapping_sub(ONES) & !w;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (control | zero(word ^ (ONES * b'"' as u64)) | zero(word ^ (ONES * b'\\' as u64))) & HIGH
}

/// Whether one of `marks` is in a text.
#[inline]
pub(crate) fn holds_any(text: &[u8], marks: [u8; 4]) -> bool {
    let has = |eight: &[u8; 8]| {
        marks.iter().fold(0, |found, mark| {
            // A byte is zero where the mark is: only then, or above such a one, does its high bit show.
            let word = u64::from_le_bytes(*eight) ^ (ONES * u64::from(*mark));
            found | (word.wrapping_sub(ONES) & !word & HIGH)
        }) != 0
    };
    match text.last_chunk() {
        Some(last) => has(last) || text.as_chunks().0.iter().any(has),
        None => text.iter().any(|byte| marks.contains(byte)),
    }
}

/// Where the text ends that begins at `at`: before the first byte that cannot stand in a string
/// literal as it is, or at the end of all. `None` if it is no UTF-8.
#[inline]
pub(super) fn text_end(text: &[u8], at: usize) -> Option<usize> {
    let (mut end, mut above) = (at, 0);
    loop {
        let bytes = Sixteen::of(&sixteen_at(text, end));
        let stops = bytes.stops();
        above |= bytes.above() & bits_before_first(stops);
        end += before_first(stops);
        if stops != 0 {
            break;
        }
    }
    (above == 0 || std::str::from_utf8(&text[at..end]).is_ok()).then_some(end)
}

/// Where the decimal digits end that begin at `at`, which lies in `text` or at its end.
#[inline]
pub(super) fn digits_end(text: &[u8], mut at: usize) -> usize {
    loop {
        let count = digits_in(word_at(text, at));
        at += count;
        if count < 8 {
            return at;
        }
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_copied_ends_where_it_must() {
        let text = "eine Zeile, \u{e4}hnlich lang\"und mehr\\".as_bytes();
        let mut out = [0; 64];
        for (from, mark, due) in
            [(0, b',', 10), (0, b'"', 25), (26, b'"', 8), (35, b'x', 0), (11, b'x', 14)]
        {
            assert_eq!(copy_text(text, from, mark, &mut out, 3), Some(due), "{from} {mark}");
            assert_eq!(out[3..][..due], text[from..][..due]);
        }
        assert_eq!(copy_text(b"abc", 0, b',', &mut out, 0), Some(3));
        assert_eq!(copy_text(b"abc", 0, b',', &mut out, 57), None);
        assert_eq!(copy_text(b"abc", 4, b',', &mut out, 0), None);
        for length in 0..20 {
            let words = CopiedText::new(&text[..length]);
            assert_eq!(words.copy(&mut out, 7), Some(7 + length));
            assert_eq!(out[7..][..length], text[..length]);
            assert_eq!(words.copy(&mut out, 64 - length / 2), (length == 0).then_some(64));
        }
    }

    proptest! {
        #[test]
        fn all_ends_in_64_bytes_are_found(
            text in prop::collection::vec(prop_oneof![0x1eu8..0x24, Just(b';'), any::<u8>()], 0..150),
            at in 0usize..150,
            mark in prop_oneof![Just(b';'), Just(b' '), Just(0u8)],
        ) {
            let at = at.min(text.len());
            let is_end = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\' || byte == mark;
            let due = text[at..].iter().take(64).enumerate();
            let due = due.fold(0, |all, (n, byte)| all | u64::from(is_end(*byte)) << n);
            prop_assert_eq!(ends_in(&text, at, mark), due);
        }

        #[test]
        fn any_of_four_bytes_is_found(
            text in prop::collection::vec(prop_oneof![0u8..4, 0x7eu8..0x83, any::<u8>()], 0..40),
            marks in any::<[u8; 4]>(),
            few in prop::sample::select(vec![0u8, 1, 0x80]),
        ) {
            for marks in [marks, [few, few + 1, marks[0], few]] {
                let due = text.iter().any(|byte| marks.contains(byte));
                prop_assert_eq!(holds_any(&text, marks), due);
            }
        }
    }
}

//! Sixteen bytes of a text that are looked at together: what is asked of each of them is answered by a
//! bit of a mask, the first byte's in the lowest.

use ::wide::u8x16;

/// Sixteen bytes.
#[derive(Clone, Copy)]
pub(super) struct Sixteen(u8x16);

impl Sixteen {
    /// How many they are.
    pub(super) const BYTES: usize = 16;

    /// These bytes.
    #[inline(always)]
    pub(super) fn of(bytes: &[u8; Self::BYTES]) -> Sixteen {
        Sixteen(u8x16::new(*bytes))
    }

    /// Which are `byte`.
    #[inline(always)]
    pub(super) fn equal(self, byte: u8) -> u32 {
        self.0.simd_eq(u8x16::splat(byte)).to_bitmask()
    }

    /// Which cannot stand in a string literal as they are: those below 0x20, `"` and `\`.
    #[inline(always)]
    pub(super) fn stops(self) -> u32 {
        let is = |byte| self.0.simd_eq(u8x16::splat(byte));
        let control = self.0.simd_le(u8x16::splat(0x1f));
        (control | is(b'"') | is(b'\\')).to_bitmask()
    }

    /// Which are no ASCII.
    #[inline(always)]
    pub(super) fn above(self) -> u32 {
        self.0.to_bitmask()
    }
}

/// How many bytes come before the first whose bit is set; all of them if none is.
#[inline(always)]
pub(super) fn before_first(mask: u32) -> usize {
    (mask | 1 << Sixteen::BYTES).trailing_zeros() as usize
}

/// The bits of those bytes.
#[inline(always)]
pub(super) fn bits_before_first(mask: u32) -> u32 {
    !mask & mask.wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Sixteen, before_first, bits_before_first};

    proptest! {
        #[test]
        fn each_byte_has_its_bit(
            bytes in prop::collection::vec(
                prop_oneof![0x1eu8..0x24, 0x5bu8..0x5e, 0x7fu8..0x82, any::<u8>()], 16),
            mark in prop_oneof![Just(0u8), Just(b'"'), any::<u8>()],
        ) {
            let way = Sixteen::of(bytes.first_chunk().unwrap());
            let due = |is: &dyn Fn(u8) -> bool| {
                bytes.iter().enumerate().fold(0, |mask, (at, byte)| mask | u32::from(is(*byte)) << at)
            };
            let stop = |byte| byte < 0x20 || byte == b'"' || byte == b'\\';
            let stops = due(&stop);
            prop_assert_eq!(way.stops(), stops);
            prop_assert_eq!(way.equal(mark), due(&|byte| byte == mark));
            prop_assert_eq!(way.above(), due(&|byte| byte > 0x7f));
            let count = bytes.iter().position(|byte| stop(*byte)).unwrap_or(Sixteen::BYTES);
            prop_assert_eq!(before_first(stops), count);
            prop_assert_eq!(bits_before_first(stops) & 0xffff, (1u32 << count) - 1);
        }
    }
}

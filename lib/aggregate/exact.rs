//! The superaccumulator: a sum of any doubles and integers without any rounding.
//!
//! A fixed-point number in two's complement whose window of limbs grows to where its operands lie:
//! three or four limbs for ordinary data, 36 for all doubles, twice that for their squares.

use num_bigint::{BigInt, BigUint, Sign};

use super::encoding::{StateDecoder, damaged, push_count};
use super::round::Dyadic;
use crate::error::Result;

const LIMB_BITS: i64 = 64;

/// Past this, the top limb gets another one above it.
const TOP_LIMIT: u64 = 1 << 62;

/// No operand begins so far (in limbs) from 1, squares of doubles neither; only damaged bytes say so,
/// and would have all limbs between made.
const FARTHEST_LIMB: u64 = 64;

/// An exact sum: of all limbs times `2^(64 * (low + index))`, the top limb being signed.
///
/// The top limb holds only carries, so that it cannot overflow unseen.
#[derive(Clone, Debug, Default)]
pub(super) struct Exact {
    limbs: Vec<u64>,
    low: i64,
}

impl Exact {
    /// Adds `bits * 2^exponent`, or subtracts it.
    #[inline]
    pub(super) fn add_bits(&mut self, negative: bool, bits: u128, exponent: i64) {
        let shift = exponent.rem_euclid(LIMB_BITS) as u32;
        let (low, high) = (bits as u64, (bits >> 64) as u64);
        let limbs = match shift {
            0 => [low, high, 0],
            _ => [
                low << shift,
                high << shift | low >> (u64::BITS - shift),
                high >> (u64::BITS - shift),
            ],
        };
        self.add_limbs(negative, &limbs, exponent.div_euclid(LIMB_BITS));
    }

    /// Adds an integer.
    pub(super) fn add_integer(&mut self, integer: &BigInt) {
        let limbs: Vec<u64> = integer.iter_u64_digits().collect();
        self.add_limbs(integer.sign() == Sign::Minus, &limbs, 0);
    }

    /// Adds another sum.
    pub(super) fn add(&mut self, other: &Exact) {
        let mut limbs = other.limbs.clone();
        let negative = other.is_negative();
        if negative {
            negate(&mut limbs);
        }
        self.add_limbs(negative, &limbs, other.low);
    }

    /// Adds limbs without sign, the lowest of which counts `2^(64 * low)`, or subtracts them.
    fn add_limbs(&mut self, negative: bool, limbs: &[u64], low: i64) {
        self.reserve(low, limbs.len());
        let (own, above) = self.limbs[(low - self.low) as usize..].split_at_mut(limbs.len());
        let mut carry = false;
        for (own, limb) in own.iter_mut().zip(limbs) {
            let (part, first) = match negative {
                false => own.overflowing_add(*limb),
                true => own.overflowing_sub(*limb),
            };
            let (all, second) = match negative {
                false => part.overflowing_add(u64::from(carry)),
                true => part.overflowing_sub(u64::from(carry)),
            };
            *own = all;
            carry = first | second;
        }
        for own in above {
            if !carry {
                break;
            }
            (*own, carry) = match negative {
                false => own.overflowing_add(1),
                true => own.overflowing_sub(1),
            };
        }
        if let Some(&top) = self.limbs.last()
            && top.wrapping_add(TOP_LIMIT) > 2 * TOP_LIMIT
        {
            self.limbs.push(if top >> 63 == 1 { u64::MAX } else { 0 });
        }
    }

    /// Makes the window span `count` limbs from `low` on, and one more for their carries.
    #[inline]
    fn reserve(&mut self, low: i64, count: usize) {
        if self.limbs.is_empty() {
            self.low = low;
        }
        if low < self.low {
            let missing = (self.low - low) as usize;
            self.limbs.splice(0..0, std::iter::repeat_n(0, missing));
            self.low = low;
        }
        let end = (low - self.low) as usize + count + 1;
        if end > self.limbs.len() {
            let sign = if self.is_negative() { u64::MAX } else { 0 };
            self.limbs.resize(end, sign);
        }
    }

    fn is_negative(&self) -> bool {
        self.limbs.last().is_some_and(|top| top >> 63 == 1)
    }

    /// The exact value.
    pub(super) fn total(&self) -> Dyadic {
        let negative = self.is_negative();
        let mut limbs = self.limbs.clone();
        if negative {
            negate(&mut limbs);
        }
        let words = limbs.iter().flat_map(|limb| [*limb as u32, (limb >> 32) as u32]).collect();
        let sign = if negative { Sign::Minus } else { Sign::Plus };
        let digits = BigInt::from_biguint(sign, BigUint::new(words));
        Dyadic { digits, exponent: self.low * LIMB_BITS }
    }

    /// The memory that it holds beside itself.
    pub(super) fn heap_bytes(&self) -> usize {
        self.limbs.capacity() * size_of::<u64>()
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        push_count(out, self.limbs.len() as u64);
        push_count(out, (self.low + FARTHEST_LIMB as i64) as u64);
        for limb in &self.limbs {
            out.extend_from_slice(&limb.to_le_bytes());
        }
    }

    pub(super) fn decode(decoder: &mut StateDecoder) -> Result<Exact> {
        let count = decoder.count()?;
        let low = decoder.count()?;
        if count > (decoder.left() / size_of::<u64>()) as u64 || low > 2 * FARTHEST_LIMB {
            return Err(damaged());
        }
        let limbs: Result<_> =
            (0..count).map(|_| Ok(u64::from_le_bytes(decoder.array()?))).collect();
        Ok(Exact { limbs: limbs?, low: low as i64 - FARTHEST_LIMB as i64 })
    }
}

/// Turns the sign of a number in two's complement round.
fn negate(limbs: &mut [u64]) {
    let mut carry = true;
    for limb in limbs {
        (*limb, carry) = (!*limb).overflowing_add(u64::from(carry));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The sum times 2^512.
    fn scaled(sum: &Exact) -> BigInt {
        sum.total().plus(&Dyadic { digits: 0.into(), exponent: -512 }).digits_at(-512)
    }

    proptest! {
        #[test]
        fn sums_are_those_of_big_integers(
            terms in prop::collection::vec((any::<bool>(), any::<u128>(), -400i64..400), 0..40),
            cut in 0usize..40,
        ) {
            let (mut left, mut right, mut model) = (Exact::default(), Exact::default(), BigInt::ZERO);
            for (index, (negative, bits, exponent)) in terms.into_iter().enumerate() {
                let half = if index < cut { &mut left } else { &mut right };
                half.add_bits(negative, bits, exponent);
                let term = BigInt::from(bits) << (exponent + 512);
                model += if negative { -term } else { term };
            }
            let mut bytes = Vec::new();
            right.encode(&mut bytes);
            left.add(&Exact::decode(&mut StateDecoder::new(&bytes)).unwrap());
            prop_assert_eq!(scaled(&left), model);
        }

        #[test]
        fn carries_run_through_all_limbs(count in 1usize..50, exponent in -400i64..400) {
            let mut sum = Exact::default();
            for _ in 0..count {
                sum.add_bits(true, 1, -512);
                sum.add_bits(false, u128::MAX, exponent);
                sum.add_bits(true, u128::MAX, exponent);
            }
            prop_assert_eq!(scaled(&sum), BigInt::from(-(count as i64)));
        }
    }

    #[test]
    fn the_top_limb_grows_before_it_overflows() {
        let mut sum = Exact::default();
        sum.add_integer(&BigInt::from(1));
        let mut expected = BigInt::from(1);
        for _ in 0..200 {
            let twice = sum.clone();
            sum.add(&twice);
            expected *= 2;
        }
        assert_eq!(sum.total().digits, expected);
    }
}

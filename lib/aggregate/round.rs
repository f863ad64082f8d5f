//! The one rounding at the end: exact values to the nearest double, ties to even.

use num_bigint::{BigInt, BigUint};
use num_integer::Integer;
use num_traits::Zero;

/// An exact value: `digits * 2^exponent`.
#[derive(Clone, Debug, Default)]
pub struct Dyadic {
    /// The signed digits.
    pub digits: BigInt,
    /// The power of two that they are multiplied with.
    pub exponent: i64,
}

impl Dyadic {
    /// The exact value of a finite double.
    pub fn of_double(double: f64) -> Dyadic {
        let (mantissa, exponent) = decompose(double);
        let digits = BigInt::from(mantissa);
        Dyadic { digits: if double < 0.0 { -digits } else { digits }, exponent }
    }

    /// The digits over `2^exponent`, which must not be larger than the own exponent.
    pub fn digits_at(&self, exponent: i64) -> BigInt {
        &self.digits << (self.exponent - exponent).max(0)
    }

    /// The sum of both, exactly.
    pub fn plus(&self, other: &Dyadic) -> Dyadic {
        let exponent = self.exponent.min(other.exponent);
        Dyadic { digits: self.digits_at(exponent) + other.digits_at(exponent), exponent }
    }

    /// The nearest double, or `None` beyond their range.
    pub fn round(&self) -> Option<f64> {
        self.round_over(&BigUint::from(1u8))
    }

    /// The double nearest to this over `denominator`, or `None` beyond their range.
    pub fn round_over(&self, denominator: &BigUint) -> Option<f64> {
        let (sign, digits) = (self.digits.sign(), self.digits.magnitude());
        if digits.is_zero() {
            return Some(0.0);
        }
        let shift = (QUOTIENT_BITS + denominator.bits()).saturating_sub(digits.bits());
        let (quotient, rest) = (digits << shift).div_rem(denominator);
        let double = nearest(&quotient, !rest.is_zero(), self.exponent - shift as i64)?;
        Some(if sign == num_bigint::Sign::Minus { -double } else { double })
    }

    /// The double nearest to the square root of this over `denominator`; 0 for what is below 0.
    pub fn root_over(&self, denominator: &BigUint) -> Option<f64> {
        let Some(digits) = self.digits.to_biguint().filter(|digits| !digits.is_zero()) else {
            return Some(0.0);
        };
        let mut shift = (2 * QUOTIENT_BITS + denominator.bits()).saturating_sub(digits.bits());
        shift += u64::from((self.exponent - shift as i64).rem_euclid(2) == 1);
        let (quotient, rest) = (digits << shift).div_rem(denominator);
        let root = quotient.sqrt();
        let inexact = !rest.is_zero() || &root * &root != quotient;
        nearest(&root, inexact, (self.exponent - shift as i64) / 2)
    }
}

/// Quotients have at least so many bits before they are rounded, so that all that was cut off them
/// can count as one sticky bit.
const QUOTIENT_BITS: u64 = 66;

const MANTISSA_BITS: i64 = 53;
const LEAST_EXPONENT: i64 = -1074;

/// A finite double's size as `(mantissa, exponent)`: `mantissa * 2^exponent`.
#[inline]
pub(super) fn decompose(double: f64) -> (u64, i64) {
    let bits = double.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    match (bits >> 52 & 0x7ff) as i64 {
        0 => (fraction, LEAST_EXPONENT),
        biased => (fraction | 1 << 52, biased - 1 + LEAST_EXPONENT),
    }
}

/// The double nearest to `digits * 2^exponent`, where `more` says that the value is a little larger
/// than that (`digits` then have more than 54 bits). `None` beyond the range of doubles.
fn nearest(digits: &BigUint, more: bool, exponent: i64) -> Option<f64> {
    let cut = digits.bits().saturating_sub(u128::BITS.into());
    let more = more || digits.trailing_zeros().is_some_and(|zeros| zeros < cut);
    let mut words = digits.iter_u64_digits().skip((cut / 64) as usize);
    let mut word = || u128::from(words.next().unwrap_or(0));
    let (low, middle, high) = (word(), word(), word());
    let top = match cut % 64 {
        0 => middle << 64 | low,
        shift => high << (128 - shift) | middle << (64 - shift) | low >> shift,
    };
    nearest_small(top, more, exponent + cut as i64)
}

/// [`nearest`] for digits of up to 128 bits.
fn nearest_small(digits: u128, more: bool, exponent: i64) -> Option<f64> {
    let bits = i64::from(u128::BITS - digits.leading_zeros());
    let lowest = (bits + exponent - MANTISSA_BITS).max(LEAST_EXPONENT);
    let mantissa = match lowest - exponent {
        shift @ ..=0 => (digits << -shift) as u64,
        shift @ 1..=128 => {
            let half = 1 << (shift - 1);
            let kept = digits.checked_shr(shift as u32).unwrap_or(0) as u64;
            let cut = digits & (half | (half - 1));
            let up = cut > half || cut == half && (more || kept & 1 == 1);
            kept + u64::from(up)
        }
        _ => 0,
    };
    // A mantissa without its top bit is a subnormal; one that was rounded up to 2^53 carries over.
    let biased = lowest - LEAST_EXPONENT;
    let bits = (u64::try_from(biased).ok()?.checked_mul(1 << 52)?).checked_add(mantissa)?;
    let double = f64::from_bits(bits);
    (bits >> 63 == 0 && double.is_finite()).then_some(double)
}

/// The double nearest to `digits * 2^exponent / divisor`, for a divisor that is not 0.
pub(super) fn quotient(digits: i128, exponent: i64, divisor: u64) -> Option<f64> {
    let size = digits.unsigned_abs();
    if size == 0 {
        return Some(0.0);
    }
    // The quotient has at least 64 bits, so that its rest can count as "a little more".
    let shift = size.leading_zeros();
    let (dividend, divisor) = (size << shift, u128::from(divisor));
    let rest = dividend % divisor != 0;
    let double = nearest_small(dividend / divisor, rest, exponent - i64::from(shift))?;
    Some(if digits < 0 { -double } else { double })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(digits: i128, exponent: i64) -> Dyadic {
        Dyadic { digits: digits.into(), exponent }
    }

    #[test]
    fn the_edges_of_doubles() {
        assert_eq!(exact(1, -1074).round(), Some(5e-324));
        assert_eq!(exact(1, -1075).round(), Some(0.0));
        assert_eq!(exact(3, -1076).round(), Some(5e-324));
        assert_eq!(exact((1 << 53) - 1, 971).round(), Some(f64::MAX));
        assert_eq!(exact((1 << 54) - 1, 970).round(), None);
        assert_eq!(exact((1 << 55) - 3, 969).round(), Some(f64::MAX));
        assert_eq!(exact(1, 1024).round(), None);
        assert_eq!(exact(1, 100_000).round(), None);
        assert_eq!(exact(1, -100_000).round(), Some(0.0));
        assert_eq!(exact((1 << 53) - 1, -1075).round(), Some(f64::MIN_POSITIVE));
    }

    #[test]
    fn roots_are_exact_where_they_can_be() {
        assert_eq!(exact(9, 0).root_over(&4u8.into()), Some(1.5));
        assert_eq!(exact(9, 3).root_over(&2u8.into()), Some(6.0));
        assert_eq!(exact(2, 0).root_over(&1u8.into()), Some(2f64.sqrt()));
        assert_eq!(exact(0, 0).root_over(&1u8.into()), Some(0.0));
    }

    proptest! {
        #[test]
        fn doubles_round_to_themselves(bits in any::<u64>()) {
            let double = f64::from_bits(bits);
            prop_assume!(double.is_finite());
            prop_assert_eq!(Dyadic::of_double(double).round(), Some(double));
        }

        #[test]
        fn integers_round_as_the_language_rounds_them(digits in any::<i128>()) {
            prop_assert_eq!(exact(digits, 0).round(), Some(digits as f64));
        }

        #[test]
        fn quotients_round_as_the_processor_rounds_them(a in any::<i64>(), b in 1u64..) {
            let (a, b) = (a >> 11, b >> 11 | 1);
            let quotient = exact(a.into(), 0).round_over(&b.into());
            prop_assert_eq!(quotient, Some(a as f64 / b as f64));
        }

        #[test]
        fn small_quotients_are_large_ones(
            digits in any::<i128>(), cut in 0u32..127, exponent in -1200i64..1000, divisor in 1u64..,
            few in 0u32..63,
        ) {
            let (digits, divisor) = (digits >> cut, divisor >> few | 1);
            let large = exact(digits, exponent).round_over(&divisor.into());
            prop_assert_eq!(quotient(digits, exponent, divisor), large);
        }

        #[test]
        fn roots_round_as_the_processor_rounds_them(bits in 0u64..0x7ff0_0000_0000_0000) {
            let double = f64::from_bits(bits);
            let root = Dyadic::of_double(double).root_over(&1u8.into());
            prop_assert_eq!(root, Some(double.sqrt()));
        }
    }
}

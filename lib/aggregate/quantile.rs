//! Quantiles, exactly: of type 7 (as R and NumPy have it), at an exact decimal Q.
//!
//! With n numbers in order, h = (n - 1) * Q falls on one of them or between two, and is exact; the
//! interpolation is exact too and rounded once. A quantile that falls on a number is that number.

use num_bigint::{BigInt, BigUint};

use super::number::Number;
use super::print::{push_double, push_integer};
use super::sample::Sample;
use super::sum::exactly;
use crate::record::number::{POWERS_OF_TEN, Short, lenient};

/// Which quantile: `digits / scale`, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantile {
    digits: u64,
    scale: u64,
}

impl Quantile {
    /// Reads an exact decimal, of up to 18 digits in all, from 0 to `whole` (a power of ten, which
    /// stands for all): `0.95` of 1, `95` of 100.
    pub fn parse(text: &str, whole: u64) -> Option<Quantile> {
        let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let short = Short::of(lenient(text.as_bytes()).filter(|_| plain)?)?;
        let places = usize::try_from(-short.exponent).ok()?;
        let scale = POWERS_OF_TEN.get(places)?.checked_mul(whole)?;
        (short.digits <= scale).then_some(Quantile { digits: short.digits, scale })
    }

    /// Where it falls among `count` numbers, at least one: on the number with this index, or
    /// that many parts of `scale` behind it.
    fn place(&self, count: u64) -> (u64, u64) {
        let h = u128::from(count - 1) * u128::from(self.digits);
        let scale = u128::from(self.scale);
        ((h / scale) as u64, (h % scale) as u64)
    }

    /// The indices of the numbers that it needs of `count` numbers, at least one.
    pub(super) fn wanted(&self, count: u64) -> impl Iterator<Item = u64> {
        let (index, part) = self.place(count);
        (index..=index).chain((part > 0).then_some(index + 1))
    }

    /// Appends the quantile of a sample, if it can be said; `null` of an empty one.
    pub fn push(&self, sample: &mut Sample, out: &mut Vec<u8>) -> Option<()> {
        if sample.count() == 0 {
            out.extend_from_slice(b"null");
            return Some(());
        }
        let (index, part) = self.place(sample.count());
        let below = sample.number(index)?;
        let above = if part == 0 { None } else { Some(sample.number(index + 1)?) };
        match above.filter(|above| *above != below) {
            None => push_number(out, &below),
            Some(above) => push_double(out, self.between(&below, &above, part)?),
        }
        Some(())
    }

    /// The number `part` of `scale` of the way from `below` to `above`.
    fn between(&self, below: &Number, above: &Number, part: u64) -> Option<f64> {
        let (mut low, mut high) = (exactly(below), exactly(above));
        low.digits *= BigInt::from(self.scale - part);
        high.digits *= BigInt::from(part);
        low.plus(&high).round_over(&BigUint::from(self.scale))
    }
}

fn push_number(out: &mut Vec<u8>, number: &Number) {
    match number {
        Number::Integer(integer) => push_integer(out, integer),
        Number::Big(integer) => push_integer(out, integer),
        Number::Double(double) => push_double(out, *double),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantile(q: &str, numbers: &[&str]) -> String {
        let mut sample = Sample::default();
        numbers.iter().for_each(|n| _ = sample.add(&Number::parse(n.as_bytes()).unwrap()));
        let mut out = Vec::new();
        Quantile::parse(q, 1).unwrap().push(&mut sample, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn falls_on_numbers_and_between_them() {
        assert_eq!(quantile("0.5", &["3", "1", "2"]), "2");
        assert_eq!(quantile("0.5", &["4", "1", "2", "3"]), "2.5");
        assert_eq!(quantile("0.95", &["10", "20"]), "19.5");
        assert_eq!(quantile("1", &["1", "5"]), "5");
        assert_eq!(quantile("0", &[]), "null");
        assert_eq!(quantile("0.1", &["0.1"; 5]), "0.1");
        assert_eq!(quantile("0.5", &["1e308", "1.2e308"]), "1.1e+308");
    }

    #[test]
    fn large_integers_keep_their_digits_and_their_order() {
        let far = "123456789012345678901234567890";
        assert_eq!(quantile("0.5", &["1", far, "1e300"]), far);
        assert_eq!(
            quantile("0.5", &["9007199254740993", "9007199254740992", "9007199254740994"]),
            "9007199254740993"
        );
        assert_eq!(
            quantile("0.5", &["-9007199254740993", "-9007199254740992.0"]),
            "-9007199254740992"
        );
        assert_eq!(quantile("0.5", &["0.5", far, far]), far);
    }

    #[test]
    fn only_plain_decimals_from_nothing_to_all() {
        for (text, whole) in [("0", 1), ("1.000", 1), ("0.99999999999999999", 1), ("99.9", 100)] {
            assert!(Quantile::parse(text, whole).is_some(), "{text}");
        }
        for text in ["", ".", "1.1", "-0", "+1", "1e-1", "x", "0.999999999999999999", "1..0"] {
            assert_eq!(Quantile::parse(text, 1), None, "{text}");
        }
        assert_eq!(Quantile::parse("100.01", 100), None);
    }
}

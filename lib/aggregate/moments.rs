//! `var` and `stddev`: those of a sample, from exact sums of the numbers and of their squares.

use num_bigint::{BigInt, BigUint};

use super::encoding::StateDecoder;
use super::exact::Exact;
use super::number::Number;
use super::round::{Dyadic, decompose};
use super::sum::Sum;
use crate::error::Result;

/// The exact sums of some numbers and of their squares.
#[derive(Clone, Debug, Default)]
pub struct Moments {
    sum: Sum,
    /// Of the squares of integers of 64 bits, as far as they fit.
    integer_squares: u128,
    /// Of all other squares.
    squares: Exact,
}

impl Moments {
    /// Adds a number.
    #[inline]
    pub fn add(&mut self, number: &Number) {
        self.sum.add(number);
        match number {
            Number::Integer(integer) => {
                let size = u128::from(integer.unsigned_abs());
                self.add_integer_squares(size * size);
            }
            Number::Double(double) => {
                let (mantissa, exponent) = decompose(*double);
                if mantissa != 0 {
                    let square = u128::from(mantissa) * u128::from(mantissa);
                    self.squares.add_bits(false, square, 2 * exponent);
                }
            }
            Number::Big(integer) => {
                self.squares.add_integer(&BigInt::from(integer.magnitude().pow(2)));
            }
        }
    }

    #[inline]
    fn add_integer_squares(&mut self, squares: u128) {
        match self.integer_squares.checked_add(squares) {
            Some(sum) => self.integer_squares = sum,
            None => {
                self.squares.add_bits(false, self.integer_squares, 0);
                self.integer_squares = squares;
            }
        }
    }

    /// Adds the moments of other numbers.
    pub fn merge(&mut self, other: &Moments) {
        self.sum.merge(&other.sum);
        self.add_integer_squares(other.integer_squares);
        self.squares.add(&other.squares);
    }

    /// The sum and the count.
    pub fn sum(&self) -> &Sum {
        &self.sum
    }

    /// `n * sum of squares - square of sum`, and `n * (n - 1)`: their quotient is the variance.
    fn fraction(&self) -> (Dyadic, BigUint) {
        let count = BigInt::from(self.sum.count());
        let integers = Dyadic { digits: self.integer_squares.into(), exponent: 0 };
        let squares = integers.plus(&self.squares.total());
        let total = self.sum.total();
        let less =
            Dyadic { digits: -(&total.digits * &total.digits), exponent: 2 * total.exponent };
        let times = Dyadic { digits: squares.digits * &count, exponent: squares.exponent };
        let pairs = count.magnitude() * (count.magnitude() - 1u8);
        (times.plus(&less), pairs)
    }

    /// The variance of at least two numbers, or `None` beyond the range of doubles.
    pub fn variance(&self) -> Option<f64> {
        let (dividend, divisor) = self.fraction();
        dividend.round_over(&divisor)
    }

    /// The standard deviation of at least two numbers.
    pub fn deviation(&self) -> Option<f64> {
        let (dividend, divisor) = self.fraction();
        dividend.root_over(&divisor)
    }

    /// The memory that it holds beside itself.
    pub fn heap_bytes(&self) -> usize {
        self.sum.heap_bytes() + self.squares.heap_bytes()
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        self.sum.encode(out);
        out.extend_from_slice(&self.integer_squares.to_le_bytes());
        self.squares.encode(out);
    }

    pub(super) fn decode(decoder: &mut StateDecoder) -> Result<Moments> {
        Ok(Moments {
            sum: Sum::decode(decoder)?,
            integer_squares: u128::from_le_bytes(decoder.array()?),
            squares: Exact::decode(decoder)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(numbers: &[&str]) -> Moments {
        let mut moments = Moments::default();
        numbers.iter().for_each(|n| moments.add(&Number::parse(n.as_bytes()).unwrap()));
        moments
    }

    #[test]
    fn nothing_cancels() {
        let far = moments(&["1000000000000000001", "1000000000000000002", "1000000000000000003"]);
        assert_eq!((far.variance(), far.deviation()), (Some(1.0), Some(1.0)));
        let close = moments(&["1e16", "1.0000000000000002e16"]);
        assert_eq!(close.variance(), Some(2.0));
        assert_eq!(moments(&["0.1", "0.1", "0.1"]).variance(), Some(0.0));
    }

    #[test]
    fn overflow_is_judged_on_the_result() {
        let huge = moments(&["1e308", "-1e308"]);
        assert_eq!(huge.variance(), None);
        assert_eq!(huge.deviation(), Some(1.4142135623730951e308));
    }
}

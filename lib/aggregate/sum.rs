//! `sum` and `mean`: integers add up exactly, doubles too, and are rounded once at the end.

use num_bigint::{BigInt, BigUint};

use super::encoding::{StateDecoder, push_count};
use super::exact::Exact;
use super::number::Number;
use super::print::{push_double, push_integer};
use super::round::{Dyadic, decompose, quotient};
use crate::error::Result;

/// Doubles of ordinary size add up in one fixed-point number of this unit's power of two.
const WINDOW_EXPONENT: i64 = -80;
/// A mantissa of 53 bits may be shifted so far up in it that 2 doubles can always be added.
const WINDOW_SHIFTS: i64 = 73;

/// The exact sum and the count of some numbers.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    count: u64,
    /// Whether any of them was no integer, so that the result is a double.
    fractional: bool,
    /// Of integers of 64 bits: as many as a count of 64 bits can say do not overflow it.
    integers: i128,
    /// Of doubles, in units of `2^WINDOW_EXPONENT`.
    window: i128,
    /// Of all that did not fit in those.
    wide: Option<Box<Exact>>,
}

impl Sum {
    /// Adds a number.
    #[inline]
    pub fn add(&mut self, number: &Number) {
        self.count += 1;
        match number {
            Number::Integer(integer) => {
                self.integers = self.integers.wrapping_add(i128::from(*integer));
            }
            Number::Double(double) => {
                self.fractional = true;
                self.add_double(*double);
            }
            Number::Big(integer) => self.wide.get_or_insert_default().add_integer(integer),
        }
    }

    #[inline]
    fn add_double(&mut self, double: f64) {
        let (mantissa, exponent) = decompose(double);
        let shift = exponent - WINDOW_EXPONENT;
        if (0..=WINDOW_SHIFTS).contains(&shift) {
            let units = i128::from(mantissa) << shift;
            self.add_units(if double < 0.0 { -units } else { units });
        } else if mantissa != 0 {
            self.wide.get_or_insert_default().add_bits(double < 0.0, mantissa.into(), exponent);
        }
    }

    #[inline]
    fn add_units(&mut self, units: i128) {
        match self.window.checked_add(units) {
            Some(sum) => self.window = sum,
            None => {
                let (negative, size) = (self.window < 0, self.window.unsigned_abs());
                self.wide.get_or_insert_default().add_bits(negative, size, WINDOW_EXPONENT);
                self.window = units;
            }
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Sum) {
        self.count = self.count.saturating_add(other.count);
        self.fractional |= other.fractional;
        self.integers = self.integers.wrapping_add(other.integers);
        self.add_units(other.window);
        if let Some(wide) = &other.wide {
            self.wide.get_or_insert_default().add(wide);
        }
    }

    /// How many numbers there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The exact sum.
    pub fn total(&self) -> Dyadic {
        let integers = Dyadic { digits: self.integers.into(), exponent: 0 };
        let window = Dyadic { digits: self.window.into(), exponent: WINDOW_EXPONENT };
        let mut total = if self.window == 0 { integers } else { integers.plus(&window) };
        if let Some(wide) = &self.wide {
            total = total.plus(&wide.total());
        }
        total
    }

    /// Appends the sum, if there is any number; whether it can be said.
    pub fn push_sum(&self, out: &mut Vec<u8>) -> Option<()> {
        if !self.fractional {
            match &self.wide {
                None => push_integer(out, self.integers),
                Some(_) => push_integer(out, self.total().digits_at(0)),
            }
            return Some(());
        }
        push_double(out, self.over(1)?);
        Some(())
    }

    /// The mean, of at least one number.
    pub fn mean(&self) -> Option<f64> {
        self.over(self.count.max(1))
    }

    /// The double nearest to the sum over `divisor`.
    fn over(&self, divisor: u64) -> Option<f64> {
        match (&self.wide, self.integers, self.window) {
            (None, 0, units) => quotient(units, WINDOW_EXPONENT, divisor),
            (None, integers, 0) => quotient(integers, 0, divisor),
            _ => self.total().round_over(&BigUint::from(divisor)),
        }
    }

    /// The memory that it holds beside itself.
    pub fn heap_bytes(&self) -> usize {
        self.wide.as_ref().map_or(0, |wide| size_of::<Exact>() + wide.heap_bytes())
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        push_count(out, self.count);
        out.push(u8::from(self.fractional) | u8::from(self.wide.is_some()) << 1);
        push_folded(out, self.integers);
        push_folded(out, self.window);
        if let Some(wide) = &self.wide {
            wide.encode(out);
        }
    }

    pub(super) fn decode(decoder: &mut StateDecoder) -> Result<Sum> {
        let count = decoder.count()?;
        let flags = decoder.byte()?;
        Ok(Sum {
            count,
            fractional: flags & 1 != 0,
            integers: folded(decoder)?,
            window: folded(decoder)?,
            wide: match flags & 2 {
                0 => None,
                _ => Some(Box::new(Exact::decode(decoder)?)),
            },
        })
    }
}

/// Appends an integer, most of which are small: the halves of its zigzag form.
fn push_folded(out: &mut Vec<u8>, integer: i128) {
    let folded = (integer << 1 ^ integer >> 127) as u128;
    push_count(out, folded as u64);
    push_count(out, (folded >> 64) as u64);
}

fn folded(decoder: &mut StateDecoder) -> Result<i128> {
    let folded = u128::from(decoder.count()?) | u128::from(decoder.count()?) << 64;
    Ok((folded >> 1) as i128 ^ -((folded & 1) as i128))
}

/// A number as an exact value.
pub(super) fn exactly(number: &Number) -> Dyadic {
    match number {
        Number::Integer(integer) => Dyadic { digits: BigInt::from(*integer), exponent: 0 },
        Number::Big(integer) => Dyadic { digits: (**integer).clone(), exponent: 0 },
        Number::Double(double) => Dyadic::of_double(*double),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(numbers: &[&str]) -> Option<String> {
        let mut sum = Sum::default();
        numbers.iter().for_each(|n| sum.add(&Number::parse(n.as_bytes()).unwrap()));
        let mut out = Vec::new();
        sum.push_sum(&mut out)?;
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn integers_stay_exact_and_doubles_round_once() {
        assert_eq!(sum(&["9223372036854775807", "1"]).unwrap(), "9223372036854775808");
        assert_eq!(
            sum(&["1", "99999999999999999999999", "-3"]).unwrap(),
            "99999999999999999999997"
        );
        assert_eq!(sum(&["0.1"; 10]).unwrap(), "1");
        assert_eq!(sum(&["1e308", "1", "1e308", "-1e308", "-1e308"]).unwrap(), "1");
        assert_eq!(sum(&["1e308", "1e308"]), None);
        assert_eq!(sum(&["9007199254740993", "0.0"]).unwrap(), "9007199254740992");
        assert_eq!(sum(&["5e-324", "5e-324"]).unwrap(), "1e-323");
        assert_eq!(sum(&["-0.5", "0.5"]).unwrap(), "0");
        assert_eq!(sum(&["1e30", "1.5", "-1e30"]).unwrap(), "1.5");
    }

    #[test]
    fn the_window_overflows_into_the_wide_sum() {
        let big = "70368744177663.5";
        let mut numbers = vec![big; 9];
        assert_eq!(sum(&numbers).unwrap(), "633318697598971.5");
        numbers.extend(["-70368744177663.5"; 9]);
        assert_eq!(sum(&numbers).unwrap(), "0");
    }
}

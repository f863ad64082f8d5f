//! `sum` and `mean`: integers add up exactly, doubles too, and are rounded once at the end.

use num_bigint::{BigInt, BigUint};

use super::encoding::{StateDecoder, push_count};
use super::exact::Exact;
use super::number::{Number, Plain};
use super::print::{push_double, push_integer};
use super::round::{Dyadic, decompose, quotient};
use crate::error::Result;

/// Doubles of ordinary size add up in one fixed-point number of this unit's power of two.
const WINDOW_EXPONENT: i64 = -80;
/// A mantissa of 53 bits may be shifted so far up in it that 2 doubles can always be added.
const WINDOW_SHIFTS: i64 = 73;

/// The exact sum and the count of some numbers. Of ordinary integers it is three words, for there may be
/// one in each of many groups.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    count: u64,
    /// Of integers, as far as they fit.
    integers: i64,
    more: Option<Box<More>>,
}

/// What did not fit into the integers of a sum.
#[derive(Clone, Debug, Default)]
struct More {
    /// Whether any number was no integer, so that the result is a double.
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
        match number {
            Number::Integer(integer) => self.add_plain(Plain::Integer(*integer)),
            Number::Double(double) => self.add_plain(Plain::Double(*double)),
            Number::Big(integer) => {
                self.count += 1;
                self.more().wide().add_integer(integer);
            }
        }
    }

    /// The same of an ordinary one.
    #[inline(always)]
    pub fn add_plain(&mut self, number: Plain) {
        self.count += 1;
        match number {
            Plain::Integer(integer) => self.add_integer(integer),
            Plain::Double(double) => {
                let more = match &mut self.more {
                    Some(more) => more,
                    None => self.more(),
                };
                more.fractional = true;
                more.add_double(double);
            }
        }
    }

    #[inline]
    fn add_integer(&mut self, integer: i64) {
        match self.integers.checked_add(integer) {
            Some(sum) => self.integers = sum,
            None => {
                let sum = std::mem::replace(&mut self.integers, integer);
                let more = self.more();
                more.integers = more.integers.wrapping_add(i128::from(sum));
            }
        }
    }

    #[cold]
    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Sum) {
        self.count = self.count.saturating_add(other.count);
        self.add_integer(other.integers);
        if let Some(theirs) = &other.more {
            let more = self.more();
            more.fractional |= theirs.fractional;
            more.integers = more.integers.wrapping_add(theirs.integers);
            more.add_units(theirs.window);
            if let Some(wide) = &theirs.wide {
                more.wide().add(wide);
            }
        }
    }

    /// How many numbers there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Of all integers of 64 bits.
    fn integers(&self) -> i128 {
        let more = self.more.as_ref().map_or(0, |more| more.integers);
        more.wrapping_add(i128::from(self.integers))
    }

    /// The exact sum.
    pub fn total(&self) -> Dyadic {
        let integers = Dyadic { digits: self.integers().into(), exponent: 0 };
        let Some(more) = &self.more else { return integers };
        let window = Dyadic { digits: more.window.into(), exponent: WINDOW_EXPONENT };
        let mut total = if more.window == 0 { integers } else { integers.plus(&window) };
        if let Some(wide) = &more.wide {
            total = total.plus(&wide.total());
        }
        total
    }

    /// Appends the sum, if there is any number; whether it can be said.
    pub fn push_sum(&self, out: &mut Vec<u8>) -> Option<()> {
        match &self.more {
            Some(more) if more.fractional => push_double(out, self.over(1)?),
            Some(more) if more.wide.is_some() => push_integer(out, self.total().digits_at(0)),
            _ => push_integer(out, self.integers()),
        }
        Some(())
    }

    /// The mean, of at least one number.
    pub fn mean(&self) -> Option<f64> {
        self.over(self.count.max(1))
    }

    /// The double nearest to the sum over `divisor`.
    fn over(&self, divisor: u64) -> Option<f64> {
        let (window, is_wide) =
            self.more.as_ref().map_or((0, false), |more| (more.window, more.wide.is_some()));
        match (is_wide, self.integers(), window) {
            (false, 0, units) => quotient(units, WINDOW_EXPONENT, divisor),
            (false, integers, 0) => quotient(integers, 0, divisor),
            _ => self.total().round_over(&BigUint::from(divisor)),
        }
    }

    /// The memory that it holds beside itself.
    pub fn heap_bytes(&self) -> usize {
        self.more.as_ref().map_or(0, |more| {
            let wide = more.wide.as_ref();
            size_of::<More>() + wide.map_or(0, |wide| size_of::<Exact>() + wide.heap_bytes())
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        push_count(out, self.count);
        let (fractional, window, wide) = self
            .more
            .as_ref()
            .map_or((false, 0, &None), |more| (more.fractional, more.window, &more.wide));
        out.push(u8::from(fractional) | u8::from(wide.is_some()) << 1);
        push_folded(out, self.integers());
        push_folded(out, window);
        if let Some(wide) = wide {
            wide.encode(out);
        }
    }

    pub(super) fn decode(decoder: &mut StateDecoder) -> Result<Sum> {
        let count = decoder.count()?;
        let flags = decoder.byte()?;
        let (integers, window) = (folded(decoder)?, folded(decoder)?);
        if let (0, 0, Ok(integers)) = (flags, window, i64::try_from(integers)) {
            return Ok(Sum { count, integers, more: None });
        }
        let wide = match flags & 2 {
            0 => None,
            _ => Some(Box::new(Exact::decode(decoder)?)),
        };
        let more = More { fractional: flags & 1 != 0, integers, window, wide };
        Ok(Sum { count, integers: 0, more: Some(Box::new(more)) })
    }
}

impl More {
    fn wide(&mut self) -> &mut Exact {
        self.wide.get_or_insert_default()
    }

    #[inline]
    fn add_double(&mut self, double: f64) {
        let (mantissa, exponent) = decompose(double);
        let shift = exponent - WINDOW_EXPONENT;
        if (0..=WINDOW_SHIFTS).contains(&shift) {
            let units = i128::from(mantissa) << shift;
            self.add_units(if double < 0.0 { -units } else { units });
        } else if mantissa != 0 {
            self.wide().add_bits(double < 0.0, mantissa.into(), exponent);
        }
    }

    #[inline]
    fn add_units(&mut self, units: i128) {
        match self.window.checked_add(units) {
            Some(sum) => self.window = sum,
            None => {
                let (negative, size) = (self.window < 0, self.window.unsigned_abs());
                self.wide().add_bits(negative, size, WINDOW_EXPONENT);
                self.window = units;
            }
        }
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
    fn integers_overflow_into_more() {
        let (max, min) = (i64::MAX.to_string(), i64::MIN.to_string());
        assert_eq!(sum(&[&max, &max, &max]).unwrap(), "27670116110564327421");
        assert_eq!(sum(&[&min, "-1", "1", &min]).unwrap(), "-18446744073709551616");
        assert_eq!(sum(&[&max, &max, "0.0"]).unwrap(), "18446744073709552000");
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

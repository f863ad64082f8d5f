//! The numbers of a group, kept for its quantiles: 8 bytes each.
//!
//! A group that outgrows memory gives its numbers to an external sort and picks those that its
//! quantiles need as they come back in order ([`Sample::drain`], [`Sample::sorted`]).

use num_bigint::{BigInt, BigUint, Sign};
use num_traits::ToPrimitive;

use super::encoding::{StateDecoder, damaged, push_bytes, push_count};
use super::number::Number;
use super::quantile::Quantile;
use crate::error::Result;

/// Up to here, integers are kept as doubles, which print the same.
const EXACT_INTEGER: u64 = 1 << 53;

/// Numbers in any order.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Doubles, and integers up to 2^53, as bits in numeric order.
    plain: Vec<u64>,
    /// Larger integers, each behind the bits of the greatest double that is not above it.
    large: Vec<(u64, BigInt)>,
    /// Whether both are in order.
    in_order: bool,
    external: Option<Box<External>>,
}

/// What is known of numbers that were drained into a sort.
#[derive(Clone, Debug, Default)]
struct External {
    drained: u64,
    /// How many came back.
    seen: u64,
    /// The indices of those to pick, in order and without repetition, and those picked so far.
    wanted: Vec<u64>,
    picked: Vec<Number>,
}

impl Sample {
    /// Adds a number. Returns the memory that it took.
    #[inline]
    pub fn add(&mut self, number: &Number) -> usize {
        self.in_order = false;
        let double = match number {
            Number::Double(double) => *double,
            Number::Integer(integer) if integer.unsigned_abs() <= EXACT_INTEGER => *integer as f64,
            Number::Integer(integer) => return self.add_large(BigInt::from(*integer)),
            Number::Big(integer) => return self.add_large((**integer).clone()),
        };
        let before = self.plain.capacity();
        self.plain.push(ordered(double));
        (self.plain.capacity() - before) * size_of::<u64>()
    }

    fn add_large(&mut self, integer: BigInt) -> usize {
        let before = self.large.capacity();
        let heap = integer.bits() as usize / 8;
        self.large.push((ordered(floor(&integer)), integer));
        (self.large.capacity() - before) * size_of::<(u64, BigInt)>() + heap
    }

    /// Takes in another part of the group.
    pub fn merge(&mut self, other: Sample) {
        self.in_order = false;
        self.plain.extend_from_slice(&other.plain);
        self.large.extend(other.large);
        if let Some(theirs) = other.external {
            let external = self.external.get_or_insert_default();
            external.drained = external.drained.saturating_add(theirs.drained);
        }
    }

    /// How many numbers there are.
    pub fn count(&self) -> u64 {
        let drained = self.external.as_ref().map_or(0, |external| external.drained);
        drained.saturating_add((self.plain.len() + self.large.len()) as u64)
    }

    /// The number with this index in numeric order, if there is one (of drained numbers: if it was
    /// wanted and has come back).
    pub(super) fn number(&mut self, index: u64) -> Option<Number> {
        if let Some(external) = &self.external {
            let place = external.wanted.binary_search(&index).ok()?;
            return external.picked.get(place).cloned();
        }
        if !self.in_order {
            self.plain.sort_unstable();
            self.large.sort_unstable();
            self.in_order = true;
        }
        let index = usize::try_from(index).ok()?;
        for (before, (floor, integer)) in self.large.iter().enumerate() {
            let place = before + self.plain.partition_point(|plain| plain <= floor);
            if place == index {
                return Some(Number::Big(Box::new(integer.clone())));
            }
            if place > index {
                return self.plain.get(index - before).map(|bits| plain(*bits));
            }
        }
        self.plain.get(index - self.large.len()).map(|bits| plain(*bits))
    }

    /// Takes all numbers out, each as bytes whose memcmp order is numeric order.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn drain(&mut self, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let count = (self.plain.len() + self.large.len()) as u64;
        let external = self.external.get_or_insert_default();
        external.drained = external.drained.saturating_add(count);
        for bits in std::mem::take(&mut self.plain) {
            take(&bits.to_be_bytes())?;
        }
        let mut bytes = Vec::new();
        for (floor, integer) in std::mem::take(&mut self.large) {
            bytes.clear();
            bytes.extend_from_slice(&floor.to_be_bytes());
            push_ordered(&mut bytes, &integer);
            take(&bytes)?;
        }
        Ok(())
    }

    /// Takes back, in order, the next of the numbers that [`Sample::drain`] took out, and keeps it
    /// if one of `quantiles` needs it.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub fn sorted(&mut self, quantiles: &[Quantile], bytes: &[u8]) -> Result<()> {
        let external = self.external.get_or_insert_default();
        if external.seen == 0 {
            let count = external.drained.max(1);
            external.wanted = quantiles.iter().flat_map(|q| q.wanted(count)).collect();
            external.wanted.sort_unstable();
            external.wanted.dedup();
        }
        if external.wanted.get(external.picked.len()) == Some(&external.seen) {
            let (bits, large) = bytes.split_first_chunk().ok_or_else(damaged)?;
            external.picked.push(match large {
                [] => plain(u64::from_be_bytes(*bits)),
                _ => Number::Big(Box::new(ordered_integer(large).ok_or_else(damaged)?)),
            });
        }
        external.seen += 1;
        Ok(())
    }

    /// The memory that it holds beside itself.
    pub fn heap_bytes(&self) -> usize {
        let large: u64 = self.large.iter().map(|(_, integer)| integer.bits() / 8).sum();
        self.plain.capacity() * size_of::<u64>()
            + self.large.capacity() * size_of::<(u64, BigInt)>()
            + large as usize
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        push_count(out, self.external.as_ref().map_or(0, |external| external.drained));
        push_count(out, self.plain.len() as u64);
        self.plain.iter().for_each(|bits| out.extend_from_slice(&bits.to_le_bytes()));
        push_count(out, self.large.len() as u64);
        self.large.iter().for_each(|(_, integer)| push_bytes(out, &integer.to_signed_bytes_le()));
    }

    pub(super) fn decode(decoder: &mut StateDecoder) -> Result<Sample> {
        let mut sample = Sample::default();
        match decoder.count()? {
            0 => {}
            drained => sample.external.get_or_insert_default().drained = drained,
        }
        let count = decoder.count()?;
        if count > (decoder.left() / size_of::<u64>()) as u64 {
            return Err(damaged());
        }
        sample.plain.reserve_exact(count as usize);
        for _ in 0..count {
            sample.plain.push(u64::from_le_bytes(decoder.array()?));
        }
        for _ in 0..decoder.count()? {
            sample.add_large(BigInt::from_signed_bytes_le(decoder.bytes()?));
        }
        Ok(sample)
    }
}

/// The bits of a double turned so that they are in numeric order; both zeros are one.
#[inline]
fn ordered(double: f64) -> u64 {
    let bits = (double + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// What [`ordered`] bits stand for.
fn plain(bits: u64) -> Number {
    Number::Double(f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits }))
}

/// The greatest double (or infinity) that is not above the integer.
fn floor(integer: &BigInt) -> f64 {
    let double = integer.to_f64().unwrap_or(f64::INFINITY);
    if double.is_infinite() {
        return if double > 0.0 { f64::MAX } else { double };
    }
    match super::round::Dyadic::of_double(double).digits_at(0) > *integer {
        true => double.next_down(),
        false => double,
    }
}

/// Appends an integer in bytes whose memcmp order is numeric order: sign, length, digits.
fn push_ordered(out: &mut Vec<u8>, integer: &BigInt) {
    let start = out.len();
    let size = integer.magnitude().to_bytes_be();
    out.push(1);
    out.extend_from_slice(&(size.len() as u64).to_be_bytes());
    out.extend_from_slice(&size);
    if integer.sign() == Sign::Minus {
        out[start] = 0;
        out[start + 1..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}

/// Reads what [`push_ordered`] appended.
fn ordered_integer(bytes: &[u8]) -> Option<BigInt> {
    let (sign, size) = (bytes.first()?, bytes.get(9..)?);
    Some(match sign {
        1 => BigUint::from_bytes_be(size).into(),
        _ => {
            let size: Vec<u8> = size.iter().map(|byte| !byte).collect();
            BigInt::from_biguint(Sign::Minus, BigUint::from_bytes_be(&size))
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(number: &Number) -> num_bigint::BigInt {
        let value = super::super::sum::exactly(number);
        value
            .plus(&super::super::round::Dyadic { digits: 0.into(), exponent: -1100 })
            .digits_at(-1100)
    }

    fn number() -> impl Strategy<Value = Number> {
        prop_oneof![
            any::<i64>().prop_map(Number::Integer),
            (-100i64..100).prop_map(Number::Integer),
            (-50i64..50).prop_map(|n| Number::Integer((1 << 53) + n)),
            (-50i64..50).prop_map(|n| Number::Double(((1i64 << 53) + n) as f64)),
            any::<f64>().prop_filter("finite", |d| d.is_finite()).prop_map(Number::Double),
            (any::<i128>(), 0u32..2000).prop_map(|(n, shift)| Number::Big(Box::new(
                (BigInt::from(n) << shift) + (BigInt::from(1) << 70)
            ))),
        ]
    }

    proptest! {
        #[test]
        fn numbers_are_found_in_order_here_and_after_a_sort(
            numbers in prop::collection::vec(number(), 1..30)
        ) {
            let mut sample = Sample::default();
            numbers.iter().for_each(|number| _ = sample.add(number));
            let mut model: Vec<_> = numbers.iter().map(exact).collect();
            model.sort();
            let mut drained = sample.clone();
            let mut keys = Vec::new();
            drained.drain(&mut |key| { keys.push(key.to_vec()); Ok(()) }).unwrap();
            keys.sort();
            let count = numbers.len() as u64;
            let each = |index: u64| match index + 1 == count {
                true => Quantile::parse("1", 1),
                false => Quantile::parse(&format!("{:.9}", (index as f64 + 0.5) / count as f64), 1),
            };
            let quantiles: Vec<_> = (0..count).filter_map(each).collect();
            for key in &keys {
                drained.sorted(&quantiles, key).unwrap();
            }
            for (index, expected) in model.iter().enumerate() {
                let found = sample.number(index as u64).unwrap();
                prop_assert_eq!(&exact(&found), expected);
                prop_assert_eq!(drained.number(index as u64), Some(found));
            }
        }
    }
}

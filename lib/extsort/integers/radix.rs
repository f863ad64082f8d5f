//! Sorting numbers that fit into a core's cache by their digits, the least significant first.

/// Bits of a digit.
const DIGIT_BITS: u32 = 8;
const DIGITS: usize = 1 << DIGIT_BITS;

/// A pass over all costs about as much as so many levels of a sort by comparing.
const LEVELS_OF_A_PASS: u32 = 2;

/// Sorts `numbers`; `scratch` gives the memory.
pub(super) fn sort(numbers: &mut Vec<u64>, scratch: &mut Vec<u64>) {
    let (Some(&least), Some(&greatest)) = (numbers.iter().min(), numbers.iter().max()) else {
        return;
    };
    // The digits above these are the same in all.
    let passes = (u64::BITS - (least ^ greatest).leading_zeros()).div_ceil(DIGIT_BITS);
    if passes * LEVELS_OF_A_PASS > numbers.len().ilog2() {
        numbers.sort_unstable();
        return;
    }
    scratch.resize(numbers.len(), 0);
    for pass in 0..passes {
        by_digit(numbers, scratch, pass * DIGIT_BITS);
        std::mem::swap(numbers, scratch);
    }
}

/// Puts the numbers of `from` into `to`, in the order of the digit that begins at bit `shift`.
fn by_digit(from: &[u64], to: &mut [u64], shift: u32) {
    let digit = |number: u64| (number >> shift) as u8 as usize;
    let mut places = [0usize; DIGITS];
    for number in from {
        places[digit(*number)] += 1;
    }
    let mut start = 0;
    for place in &mut places {
        start += std::mem::replace(place, start);
    }
    for number in from {
        let place = &mut places[digit(*number)];
        to[*place] = *number;
        *place += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_numbers_are_sorted(
            seed in prop::collection::vec(any::<u64>(), 1..50),
            bits in 0u32..64,
            count in 0usize..5000,
        ) {
            let mut numbers: Vec<u64> = (0..count as u64)
                .map(|n| seed[n as usize % seed.len()].wrapping_mul(n | 1) >> bits)
                .collect();
            let mut due = numbers.clone();
            due.sort();
            sort(&mut numbers, &mut vec![1; 3]);
            prop_assert_eq!(numbers, due);
        }
    }
}

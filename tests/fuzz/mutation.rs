//! Inputs made of others: changed in a few places, as damage, a hostile host or a clumsy hand would.

use super::random::Random;

/// No input is made longer than this, in bytes.
const LENGTH_MAX: usize = 4096;

/// The most places that are changed.
const CHANGES: u64 = 4;

/// Bytes that mean something to somebody.
const BYTES: &[u8] = b"\0\x01\x7f\x80\xff\xc3\xed\xef\"\\'\n\r\t ,:;{}[]()-+.0123456789eE#@%*?!/=|";

/// Numbers that are read from digits, and do not fit or do not mean what one thinks.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "00",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "1e999999999",
    "340282366920938463463374607431768211456",
];

/// Numbers that are read from bytes.
const WORDS: &[u64] = &[0, 1, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 63, u64::MAX];

/// Some bytes of `input`, at most `most`.
fn range(random: &mut Random, input: &[u8], most: usize) -> std::ops::Range<usize> {
    let start = random.below(input.len() as u64 + 1) as usize;
    let room = (input.len() - start).min(most);
    // Short ones are the likelier.
    let room = if random.below(2) == 0 { room.min(4) } else { room };
    start..start + random.below(room as u64 + 1) as usize
}

/// One of some things.
fn one<'a, T>(random: &mut Random, of: &'a [T]) -> &'a T {
    &of[random.below(of.len() as u64) as usize]
}

/// An input made of those in `pool`, and of `words`.
pub(super) fn mutant(random: &mut Random, pool: &[Vec<u8>], words: &[&[u8]]) -> Vec<u8> {
    let mut input = one(random, pool).clone();
    for _ in 0..=random.below(CHANGES) {
        change(random, &mut input, pool, words);
        input.truncate(LENGTH_MAX);
    }
    input
}

fn change(random: &mut Random, input: &mut Vec<u8>, pool: &[Vec<u8>], words: &[&[u8]]) {
    let place = random.below(input.len() as u64) as usize;
    match random.below(12) {
        0 if !input.is_empty() => input[place] ^= 1 << random.below(8),
        1 if !input.is_empty() => input[place] = *one(random, BYTES),
        2 => input.insert(place, *one(random, BYTES)),
        3 => drop(input.drain(range(random, input, usize::MAX))),
        4 => input.truncate(place),
        5 | 6 if !words.is_empty() => {
            let over = if random.below(2) == 0 { place..place } else { range(random, input, 16) };
            input.splice(over, one(random, words).iter().copied());
        }
        7 => {
            let other = one(random, pool);
            let part = other[range(random, other, usize::MAX)].to_vec();
            input.splice(place..place, part);
        }
        8 => {
            let part = input[range(random, input, usize::MAX)].to_vec();
            let times = 1 + random.below(if part.len() < 8 { 300 } else { 3 });
            input.splice(place..place, part.repeat(times as usize));
        }
        9 => number(random, input),
        10 => {
            let word = one(random, WORDS).wrapping_sub(random.below(2)).to_le_bytes();
            let width = (1 << random.below(4)).min(input.len() - place.min(input.len()));
            let mut word = word[..width].to_vec();
            if random.below(2) == 0 {
                word.reverse();
            }
            input[place..place + width].copy_from_slice(&word);
        }
        _ => {
            let other = one(random, pool);
            let behind = random.below(other.len() as u64 + 1) as usize;
            input.truncate(place);
            input.extend_from_slice(&other[behind..]);
        }
    }
}

/// Puts another number in the place of one.
fn number(random: &mut Random, input: &mut Vec<u8>) {
    let from = random.below(input.len() as u64) as usize;
    let Some(start) = input[from..].iter().position(u8::is_ascii_digit) else { return };
    let start = from + start;
    let length = input[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    input.splice(start..start + length, one(random, NUMBERS).bytes());
}

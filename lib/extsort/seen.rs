//! Texts that were seen before: where only the first item of each key counts, those behind it that have the
//! very same text need not be looked at, kept or sorted.
//!
//! It need not know all that came: a text that it does not know is only not dropped yet. So it takes no more
//! than the memory that it gets, and is given up where it is full and finds little.

use xxhash_rust::xxh3::xxh3_64;

/// Texts in as much memory as was said.
#[derive(Debug)]
pub struct SeenTexts {
    /// For each, the upper half of its hash, and below it where it lies in `texts`, one more than that; 0 for
    /// none. A power of two of them, at most half in use.
    slots: Vec<u64>,
    count: usize,
    /// The texts, each behind its length.
    texts: Vec<u8>,
    /// The most bytes that it may take.
    memory_max: usize,
    is_full: bool,
    /// How many texts were looked for since it was last seen whether that pays, and how many of them were found.
    sought: u32,
    found: u32,
}

/// How many texts should be looked for at once: the memory is then waited for once for all of them.
pub const AT_ONCE: usize = 32;

/// Slots of an empty one.
const SLOTS_MIN: usize = 1 << 10;

/// The most bytes of texts: what slots can say.
const TEXTS_MAX: usize = u32::MAX as usize - 1;

/// The bytes of a length.
const LENGTH: usize = size_of::<u32>();

/// After so many texts it is seen whether that pays: whether one of so many was found.
const WINDOW: u32 = 1 << 14;
const PAYS: u32 = 8;

impl SeenTexts {
    /// With nothing in it, and never of more than `memory_max` bytes, about.
    pub fn new(memory_max: usize) -> SeenTexts {
        SeenTexts {
            slots: vec![0; SLOTS_MIN],
            count: 0,
            texts: Vec::new(),
            memory_max,
            is_full: false,
            sought: 0,
            found: 0,
        }
    }

    /// Whether it is of no use any more; then its memory was given back.
    pub fn is_given_up(&self) -> bool {
        self.slots.is_empty()
    }

    /// The hashes of texts. Where these may be is looked at, so that it comes into the cache.
    pub fn hashes<'t>(&self, texts: impl Iterator<Item = &'t [u8]>) -> [u64; AT_ONCE] {
        let (mut hashes, mut slots) = ([0; AT_ONCE], [0; AT_ONCE]);
        for (hash, text) in hashes.iter_mut().zip(texts) {
            *hash = xxh3_64(text);
        }
        for (slot, hash) in slots.iter_mut().zip(hashes) {
            *slot = self.slots.get(self.first_slot(hash)).copied().unwrap_or(0);
        }
        let touch = |slot: u64| self.texts.get(slot as u32 as usize).copied().unwrap_or(0);
        std::hint::black_box(slots.into_iter().fold(0, |sum, slot| sum ^ touch(slot)));
        hashes
    }

    /// Whether a text with this hash was [added](SeenTexts::add).
    #[inline]
    pub fn has(&mut self, hash: u64, text: &[u8]) -> bool {
        if self.is_given_up() {
            return false;
        }
        let is_there = self.slots[self.slot(hash, text)] != 0;
        self.sought += 1;
        self.found += u32::from(is_there);
        if self.sought == WINDOW {
            let pays = self.found >= WINDOW / PAYS;
            (self.sought, self.found) = (0, 0);
            if self.is_full && !pays {
                (self.slots, self.texts) = (Vec::new(), Vec::new());
            }
        }
        is_there
    }

    /// Adds a text with this hash that is not there, if there is room.
    pub fn add(&mut self, hash: u64, text: &[u8]) {
        if self.is_full {
            return;
        }
        if self.count * 2 >= self.slots.len() {
            self.grow();
        }
        // Vectors grow to twice of what they need.
        let bytes = 2 * (self.texts.len() + LENGTH + text.len());
        if self.is_full
            || bytes + self.slots.len() * size_of::<u64>() > self.memory_max.min(TEXTS_MAX)
        {
            self.is_full = true;
            return;
        }
        let slot = self.slot(hash, text);
        self.slots[slot] = hash >> u32::BITS << u32::BITS | (self.texts.len() as u64 + 1);
        self.texts.extend_from_slice(&(text.len() as u32).to_le_bytes());
        self.texts.extend_from_slice(text);
        self.count += 1;
    }

    /// Twice as many slots.
    #[cold]
    fn grow(&mut self) {
        let slots = self.slots.len() * 2;
        if self.texts.len() + slots * size_of::<u64>() > self.memory_max {
            self.is_full = true;
            return;
        }
        self.slots = vec![0; slots];
        let mut at = 0;
        while at < self.texts.len() {
            let text = text_at(&self.texts, at);
            let hash = xxh3_64(text);
            let mut slot = self.first_slot(hash);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (slots - 1);
            }
            self.slots[slot] = hash >> u32::BITS << u32::BITS | (at as u64 + 1);
            at += LENGTH + text.len();
        }
    }

    #[inline]
    fn first_slot(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len().wrapping_sub(1))
    }

    /// The slot of a text, or the free one where it would be.
    #[inline]
    fn slot(&self, hash: u64, text: &[u8]) -> usize {
        let mut slot = self.first_slot(hash);
        loop {
            let held = self.slots[slot];
            let is_it = |held: u64| {
                (held ^ hash) >> u32::BITS == 0
                    && text_at(&self.texts, held as u32 as usize - 1) == text
            };
            if held == 0 || is_it(held) {
                return slot;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }
}

/// The text whose length lies at `at`.
#[inline]
fn text_at(texts: &[u8], at: usize) -> &[u8] {
    let length = texts[at..].first_chunk().map_or(0, |length| u32::from_le_bytes(*length));
    &texts[at + LENGTH..][..length as usize]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    /// Which of `texts` it has not seen, `some` at a time.
    fn new_ones(seen: &mut SeenTexts, texts: &[Vec<u8>], some: usize) -> Vec<Vec<u8>> {
        let mut new = Vec::new();
        for some in texts.chunks(some) {
            let hashes = seen.hashes(some.iter().map(Vec::as_slice));
            for (text, hash) in some.iter().zip(hashes) {
                if !seen.has(hash, text) {
                    new.push(text.clone());
                    seen.add(hash, text);
                }
            }
        }
        new
    }

    proptest! {
        #[test]
        fn with_memory_enough_it_knows_all(
            texts in prop::collection::vec("[ab]{0,8}".prop_map(String::into_bytes), 0..3000),
            some in 1..=AT_ONCE,
        ) {
            let mut known = HashSet::new();
            let due: Vec<_> = texts.iter().filter(|text| known.insert(*text)).cloned().collect();
            prop_assert_eq!(new_ones(&mut SeenTexts::new(1 << 20), &texts, some), due);
        }
    }

    fn numbered(numbers: impl Iterator<Item = u64>) -> Vec<Vec<u8>> {
        numbers.map(|number| format!("text {number}").into_bytes()).collect()
    }

    #[test]
    fn it_takes_no_more_memory_than_it_may_and_drops_nothing_that_is_new() {
        for memory_max in [0, 1000, 20_000, 100_000] {
            let mut seen = SeenTexts::new(memory_max);
            let texts = numbered((0..40_000).map(|n| n % 20_000));
            let new = new_ones(&mut seen, &texts, AT_ONCE);
            let memory = seen.slots.capacity() * size_of::<u64>() + seen.texts.capacity();
            assert!(memory <= memory_max.max(SLOTS_MIN * size_of::<u64>()), "{memory}");
            let all: HashSet<_> = new.iter().collect();
            assert!(all.len() == 20_000 && new.len() > 20_000);
        }
    }

    #[test]
    fn it_is_given_up_only_where_it_is_full_and_finds_little() {
        let few = || numbered((0..u64::from(WINDOW) * 3).map(|n| n % 100));
        let many = || numbered(0..u64::from(WINDOW) * 3);
        let mut seen = SeenTexts::new(1 << 16);
        assert_eq!(new_ones(&mut seen, &few(), AT_ONCE).len(), 100);
        // It is full soon, and then what it knows comes again.
        let mixed: Vec<_> = many().into_iter().zip(few()).flat_map(<[_; 2]>::from).collect();
        assert_eq!(new_ones(&mut seen, &mixed, AT_ONCE).len() + 100, many().len());
        assert!(seen.is_full && !seen.is_given_up());
        new_ones(&mut seen, &many(), AT_ONCE);
        assert!(seen.is_given_up() && seen.texts.capacity() == 0);
        assert_eq!(new_ones(&mut seen, &few(), AT_ONCE).len(), few().len());
        // With room it is kept however little it finds.
        let mut seen = SeenTexts::new(1 << 26);
        new_ones(&mut seen, &many(), AT_ONCE);
        assert!(new_ones(&mut seen, &many(), AT_ONCE).is_empty());
    }
}

//! A run in memory: a block's items, sorted.
//!
//! An item is 24 bytes beside its text: the first eight bytes of its key as a number, which decide
//! most comparisons without another memory access, and the places of the rest.

use std::cell::Cell;
use std::cmp::Ordering;

use super::places::{self, place};
use crate::error::Error;

/// Where an item's key and text lie in its run.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    prefix: u64,
    key: u32,
    key_len: u32,
    text: u32,
    text_len: u32,
}

/// Bytes of a key that an item itself holds.
const PREFIX: usize = 8;

/// The most bytes of text, or of keys, in one run: what the items' places can say.
pub const RUN_BYTES_MAX: usize = u32::MAX as usize;

/// The first bytes of a key as a number that compares as they do.
pub fn prefix(key: &[u8]) -> u64 {
    if let Some(first) = key.first_chunk::<PREFIX>() {
        return u64::from_be_bytes(*first);
    }
    let mut bytes = [0; PREFIX];
    let length = key.len().min(PREFIX);
    bytes[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(bytes)
}

/// A run in the making: items are added, and sorted at the end.
#[derive(Debug, Default)]
pub struct RunBuilder {
    /// The keys of more than [`PREFIX`] bytes, whole.
    keys: Vec<u8>,
    items: Vec<Item>,
    /// How many bytes of text are to come, and how many items at most: where that was said.
    text_bytes: usize,
    items_max: usize,
}

thread_local! {
    /// Memory for items: that of one run serves the next one of the thread.
    static SPARE_ITEMS: Cell<Vec<Item>> = Cell::default();
}

/// The memory for more items is not kept.
const SPARE_MAX: usize = 1 << 18;

/// After so many items it is guessed how many there will be.
const GUESSED_AFTER: usize = 256;

impl RunBuilder {
    /// For at most `items_max` items in `text_bytes` bytes of text: memory for all of them is then
    /// asked for once, when the first ones have shown how large they are.
    pub fn expecting(text_bytes: usize, items_max: usize) -> RunBuilder {
        let items = SPARE_ITEMS.take();
        RunBuilder { items, text_bytes, items_max, ..RunBuilder::default() }
    }

    /// Asks for the memory of all, by what the first ones took, which end at `at`.
    fn guess(&mut self, at: usize) {
        // An eighth more, for some are longer.
        let times = self.text_bytes as f64 / at.max(1) as f64 * 1.125;
        let more =
            |held: usize, most: usize| most.min((held as f64 * times) as usize) - held.min(most);
        self.items.reserve_exact(more(self.items.len(), self.items_max));
        self.keys.reserve_exact(more(self.keys.len(), self.text_bytes));
    }

    /// Adds the item whose text will be the `length` bytes at `at`; `key` appends its key. When
    /// `key` fails, nothing is added.
    ///
    /// # Errors
    /// What `key` says.
    pub fn push<E>(
        &mut self,
        at: usize,
        length: usize,
        key: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.items.len() == GUESSED_AFTER && self.text_bytes > at {
            self.guess(at);
        }
        let start = self.keys.len();
        if let Err(error) = key(&mut self.keys) {
            self.keys.truncate(start);
            return Err(error);
        }
        let bytes = &self.keys[start..];
        self.items.push(Item {
            prefix: prefix(bytes),
            key: start as u32,
            key_len: bytes.len() as u32,
            text: at as u32,
            text_len: length as u32,
        });
        if bytes.len() <= PREFIX {
            self.keys.truncate(start);
        }
        Ok(())
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The run of these items, in order, as parts of `text`.
    ///
    /// # Errors
    /// When the text or the keys are over [`RUN_BYTES_MAX`].
    pub fn finish(self, text: Vec<u8>) -> crate::Result<Run> {
        self.finish_to(text, drop)
    }

    /// The same; `free` gets the memory of `text` if the run does not need it.
    ///
    /// # Errors
    /// As [`RunBuilder::finish`].
    pub fn finish_to(self, text: Vec<u8>, free: impl FnOnce(Vec<u8>)) -> crate::Result<Run> {
        if text.len().max(self.keys.len()) > RUN_BYTES_MAX {
            return Err(Error::input("a record or its key is over 4 GiB"));
        }
        let (keys, mut items) = (self.keys, self.items);
        let numbered = items.iter().enumerate().map(|(at, item)| place(item.prefix, at));
        let in_order = |sorted: &mut Vec<u128>| -> Vec<Item> {
            sorted.iter().map(|place| items[places::at(*place)]).collect()
        };
        let sorted =
            places::sorted(numbered, items.len(), &|at| long_key(&keys, &items[at]), in_order);
        if items.capacity() <= SPARE_MAX {
            items.clear();
            SPARE_ITEMS.set(items);
        }
        let mut run = Run { text, keys, items: sorted, tie: Vec::new() };
        if run.text.len() <= run.items.len() * SHORT_TEXT {
            free(run.arrange());
        }
        Ok(run)
    }
}

/// Texts of as many bytes, on average, are put in order while they are all in the cache: later they would be waited
/// for one by one.
const SHORT_TEXT: usize = 256;

/// Items under their keys, in order.
#[derive(Debug)]
pub struct Run {
    text: Vec<u8>,
    keys: Vec<u8>,
    items: Vec<Item>,
    /// What follows every key when it leaves the memory: it decides between equal keys of runs that
    /// meet elsewhere, where their order cannot be told from their places.
    tie: Vec<u8>,
}

impl Run {
    /// The same with the first item of each key alone, and, where that is few of them, in as little memory.
    pub fn unique(mut self) -> Run {
        let (keys, all) = (&self.keys, self.items.len());
        self.items.dedup_by(|b, a| {
            let alike = a.prefix == b.prefix && a.key_len == b.key_len;
            alike && long_key(keys, a) == long_key(keys, b)
        });
        if self.items.len() < all / 2 { self.compact() } else { self }
    }

    /// The same, with no text or key but those of the items.
    fn compact(self) -> Run {
        let (mut text, mut keys) = (Vec::new(), Vec::new());
        let mut items = Vec::with_capacity(self.items.len());
        for item in &self.items {
            let (key_at, text_at) = (keys.len() as u32, text.len() as u32);
            text.extend_from_slice(self.text(item));
            keys.extend_from_slice(long_key(&self.keys, item));
            items.push(Item { key: key_at, text: text_at, ..*item });
        }
        text.shrink_to_fit();
        keys.shrink_to_fit();
        Run { text, keys, items, tie: self.tie }
    }

    /// Puts the texts in the order of the items. Returns the memory that they lay in.
    fn arrange(&mut self) -> Vec<u8> {
        let bytes = self.items.iter().map(|item| item.text_len as usize).sum();
        let mut arranged = Vec::with_capacity(bytes);
        for item in &mut self.items {
            let text = &self.text[item.text as usize..][..item.text_len as usize];
            item.text = arranged.len() as u32;
            arranged.extend_from_slice(text);
        }
        std::mem::replace(&mut self.text, arranged)
    }

    /// The same with `tie` behind every key.
    pub fn tied(self, tie: Vec<u8>) -> Run {
        Run { tie, ..self }
    }

    /// The items, in the run's order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// An item's text.
    pub fn text(&self, item: &Item) -> &[u8] {
        &self.text[item.text as usize..][..item.text_len as usize]
    }

    /// Looks at an item's text, and at its key if `with_key`, so that they come into the cache.
    /// What it gives means nothing.
    pub fn touch(&self, item: &Item, with_key: bool) -> u8 {
        let text = self.text(item);
        let ends = text.first().zip(text.last()).map_or(0, |(first, last)| first ^ last);
        match with_key && item.key_len as usize > PREFIX {
            true => ends ^ self.keys[item.key as usize],
            false => ends,
        }
    }

    /// The place of an item under its key's first bytes, if it is one of `at`.
    #[inline]
    pub(super) fn place(&self, item: usize, at: usize) -> u128 {
        place(self.items[item].prefix, at)
    }

    /// The key of an item, without its tie, if that is more than its place holds of it; else nothing.
    #[inline]
    pub(super) fn long_key(&self, item: usize) -> &[u8] {
        long_key(&self.keys, &self.items[item])
    }

    /// Appends an item's key to `out`, and its tie if it has one.
    pub fn push_key(&self, item: &Item, out: &mut Vec<u8>) {
        match item.key_len as usize {
            short if short <= PREFIX => {
                out.extend_from_slice(&item.prefix.to_be_bytes()[..short]);
            }
            length => out.extend_from_slice(&self.keys[item.key as usize..][..length]),
        }
        out.extend_from_slice(&self.tie);
    }

    /// Whether an item has this key.
    pub fn has_key(&self, item: &Item, key: &[u8]) -> bool {
        item.key_len as usize == key.len()
            && item.prefix == prefix(key)
            && rest(&self.keys, item) == &key[PREFIX.min(key.len())..]
    }

    /// How many bytes [`Run::push_key`] appends.
    pub fn key_len(&self, item: &Item) -> usize {
        item.key_len as usize + self.tie.len()
    }

    /// The memory that it holds, in bytes.
    pub fn memory(&self) -> usize {
        self.text.capacity() + self.keys.capacity() + self.items.capacity() * size_of::<Item>()
    }

    /// The memory of its text, to be used again.
    pub fn into_memory(self) -> Vec<u8> {
        self.text
    }

    /// The bytes of all texts.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }
}

/// An item's key, if its prefix does not hold all of it.
#[inline]
fn long_key<'a>(keys: &'a [u8], item: &Item) -> &'a [u8] {
    match item.key_len as usize {
        length if length > PREFIX => &keys[item.key as usize..][..length],
        _ => &[],
    }
}

/// What of an item's key its prefix does not hold.
fn rest<'a>(keys: &'a [u8], item: &Item) -> &'a [u8] {
    match item.key_len as usize {
        length if length > PREFIX => &keys[item.key as usize + PREFIX..][..length - PREFIX],
        _ => &[],
    }
}

/// Compares the keys of two items, each of its own run.
pub fn compare(a: (&Run, &Item), b: (&Run, &Item)) -> Ordering {
    let by_prefix = a.1.prefix.cmp(&b.1.prefix);
    by_prefix.then_with(|| match (rest(&a.0.keys, a.1), rest(&b.0.keys, b.1)) {
        // A library may take long to find that there is nothing to compare.
        ([], []) => Ordering::Equal,
        (a, b) => a.cmp(b),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_key_stays_in_as_little_memory() {
        for distinct in [1, 3, 50, 99, 100] {
            let mut run = RunBuilder::default();
            let mut text = Vec::new();
            for n in 0..100 {
                let key = n % distinct;
                // Of short keys and long ones, some alike but for their ends.
                let key =
                    format!("{}{key}\0", if key % 2 == 0 { "" } else { "of the same beginning " });
                let line = format!("item {n}");
                run.push::<()>(text.len(), line.len(), |out| {
                    out.extend_from_slice(key.as_bytes());
                    Ok(())
                })
                .unwrap();
                text.extend_from_slice(line.as_bytes());
            }
            let all = run.finish(text).unwrap();
            let memory = all.memory();
            let run = all.unique();
            let mut texts: Vec<_> =
                run.items().iter().map(|item| run.text(item).to_vec()).collect();
            texts.sort();
            let mut due: Vec<_> = (0..distinct).map(|n| format!("item {n}").into_bytes()).collect();
            due.sort();
            assert_eq!(texts, due);
            assert!(run.items().is_sorted_by(|a, b| compare((&run, a), (&run, b)).is_lt()));
            assert!(distinct > 3 || run.memory() < memory / 4);
        }
    }
}

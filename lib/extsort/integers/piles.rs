//! Numbers dealt to piles: each is a range of numbers, and the piles are in order.

use std::ops::RangeInclusive;
use std::sync::Mutex;

use super::packed::Packed;
use crate::parallel::{each, lock};

/// How many numbers a pile is to have, about: so many fit into a core's cache, beside as many.
const PILE_NUMBERS: usize = 32 << 10;

/// More piles than this would not fit into the cache themselves while they are dealt to.
const PILES_MAX: usize = 4096;

/// How many cells there are to a pile: the piles are as equal as their cells are small.
const CELLS: usize = 16;

/// How many numbers of the sample lie below the first cell, and above the last one, of as many.
const OUTSIDE: usize = 512;

/// How many numbers are looked at before they are dealt.
const SAMPLE: usize = 64 << 10;

/// Where the piles are cut: cells of equal width, which are dealt out so that the piles are about equal.
#[derive(Clone, Debug)]
pub(super) struct PileCuts {
    /// Where the first cell begins, and the width of a cell in bits.
    first: u64,
    shift: u32,
    /// Which pile each cell is of; ascending.
    piles: Vec<u16>,
    /// How many numbers a pile is to have.
    due: usize,
}

impl PileCuts {
    /// For the numbers of some chunks, and those of some files that lie in `range`.
    fn new(range: &RangeInclusive<u64>, chunks: &[Vec<u64>], files: &[Packed]) -> PileCuts {
        let in_chunks: usize = chunks.iter().map(Vec::len).sum();
        let in_files: usize = files.iter().map(|file| file.count_in(range)).sum();
        let step = ((in_chunks + in_files) / SAMPLE).max(1);
        let mut sample = Vec::new();
        let mut left = step / 2;
        for chunk in chunks {
            sample.extend(chunk.iter().skip(left).step_by(step));
            left = match left.checked_sub(chunk.len()) {
                Some(left) => left,
                None => step - 1 - (chunk.len() - 1 - left) % step,
            };
        }
        files.iter().for_each(|file| sample.extend(file.sample(range, step)));
        PileCuts::of_sample(sample, in_chunks + in_files)
    }

    fn of_sample(mut sample: Vec<u64>, total: usize) -> PileCuts {
        sample.sort_unstable();
        let wanted = (total / PILE_NUMBERS).clamp(1, PILES_MAX);
        let outside = sample.len() / OUTSIDE;
        let (Some(&first), Some(&last)) =
            (sample.get(outside), sample.get(sample.len().saturating_sub(1 + outside)))
        else {
            return PileCuts { first: 0, shift: 0, piles: vec![0], due: total };
        };
        if wanted == 1 {
            return PileCuts { first, shift: 0, piles: vec![0], due: total };
        }
        if first == last {
            // Most of them are one number: it is a pile of its own, between those below and above.
            let piles = if first == 0 || first == u64::MAX { vec![0, 1] } else { vec![0, 1, 2] };
            let first = first.saturating_sub(1);
            return PileCuts { first, shift: 0, piles, due: total / wanted };
        }
        let bits = u64::BITS - ((last - first) / (wanted * CELLS) as u64).leading_zeros();
        let cells = ((last - first) >> bits) as usize + 1;
        let mut counts = vec![0usize; cells];
        let mut cuts = PileCuts { first, shift: bits, piles: vec![0; cells], due: total / wanted };
        for number in &sample {
            counts[cuts.cell(*number)] += 1;
        }
        let (mut pile, mut held) = (0, 0);
        let due = sample.len().div_ceil(wanted);
        for (cell, count) in counts.iter().enumerate() {
            if held > 0 && held + count > due && pile + 1 < wanted {
                (pile, held) = (pile + 1, 0);
            }
            held += count;
            cuts.piles[cell] = pile as u16;
        }
        cuts
    }

    #[inline]
    fn cell(&self, number: u64) -> usize {
        let cell = number.saturating_sub(self.first) >> self.shift;
        (cell as usize).min(self.piles.len() - 1)
    }

    /// How many piles there are.
    pub(super) fn piles(&self) -> usize {
        self.piles.last().map_or(1, |last| usize::from(*last) + 1)
    }

    /// The numbers of a pile.
    pub(super) fn range(&self, pile: usize) -> RangeInclusive<u64> {
        let begins = |pile: usize| {
            let cell = self.piles.partition_point(|other| usize::from(*other) < pile);
            self.first + ((cell as u64) << self.shift)
        };
        let from = if pile == 0 { 0 } else { begins(pile) };
        let to = if pile + 1 >= self.piles() { u64::MAX } else { begins(pile + 1) - 1 };
        from..=to
    }
}

/// How many numbers wait to be put on their pile together: as many as fill two lines of a cache.
const STAGED: usize = 16;

/// How many numbers a piece has room for.
const PIECE: usize = 512;

/// How many pieces are taken or given at once, about.
const PIECES: usize = 64;

/// Pieces of memory, all of one size: what was emptied takes what comes next, and whatever is dealt, and
/// however often, as much memory is held as there are numbers.
#[derive(Debug, Default)]
pub(super) struct PiecePool {
    idle: Mutex<Vec<Vec<u64>>>,
}

impl PiecePool {
    /// Some empty pieces, at least one.
    fn take(&self) -> Vec<Vec<u64>> {
        let mut idle = lock(&self.idle);
        let from = idle.len().saturating_sub(PIECES);
        let some = idle.split_off(from);
        if some.is_empty() { vec![Vec::with_capacity(PIECE)] } else { some }
    }

    fn give(&self, pieces: impl Iterator<Item = Vec<u64>>) {
        let mut idle = lock(&self.idle);
        for mut piece in pieces {
            piece.clear();
            idle.push(piece);
        }
    }

    /// Appends `numbers` to `chunks`, in pieces. Returns how many bytes of memory those take.
    pub(super) fn keep(&self, numbers: &[u64], chunks: &mut Vec<Vec<u64>>) -> usize {
        let (mut free, before) = (Vec::new(), chunks.len());
        for some in numbers.chunks(PIECE) {
            if free.is_empty() {
                free = self.take();
            }
            let mut piece = free.pop().unwrap_or_default();
            piece.extend_from_slice(some);
            chunks.push(piece);
        }
        self.give(free.into_iter());
        (chunks.len() - before) * PIECE * size_of::<u64>()
    }
}

/// The numbers of one range, in any order.
#[derive(Debug, Default)]
pub(super) struct Pile {
    pieces: Vec<Vec<u64>>,
}

impl Pile {
    /// Puts numbers on it; `piece` gives a new piece.
    fn put(&mut self, numbers: &[u64], piece: impl FnOnce() -> Vec<u64>) {
        match self.pieces.last_mut() {
            Some(last) if last.len() + numbers.len() <= PIECE => last.extend_from_slice(numbers),
            _ => {
                let mut piece = piece();
                piece.extend_from_slice(numbers);
                self.pieces.push(piece);
            }
        }
    }

    /// How many numbers there are.
    pub(super) fn len(&self) -> usize {
        self.pieces.iter().map(Vec::len).sum()
    }

    /// The numbers together; its pieces go to `pieces`.
    pub(super) fn gather(self, pieces: &PiecePool) -> Vec<u64> {
        let all = self.pieces.concat();
        self.give_back(pieces);
        all
    }

    /// Gives its pieces to `pieces`, for others.
    pub(super) fn give_back(self, pieces: &PiecePool) {
        pieces.give(self.pieces.into_iter());
    }
}

/// A pile that has so many times as many numbers as it was to have is dealt again.
const TOO_MANY: usize = 4;

/// Deals the numbers of `chunks`, which lie in `range`, with so many threads: to piles that are about equal
/// with what `files` have of their ranges, but for those of one number.
pub(super) fn deal(
    range: RangeInclusive<u64>,
    chunks: Vec<Vec<u64>>,
    files: &[Packed],
    jobs: usize,
    pieces: &PiecePool,
) -> Vec<(RangeInclusive<u64>, Pile)> {
    let cuts = PileCuts::new(&range, &chunks, files);
    if cuts.piles() == 1 {
        return vec![(range, Pile { pieces: chunks })];
    }
    let mut all = Vec::with_capacity(cuts.piles());
    for (number, pile) in dealt(&cuts, chunks, jobs, pieces).into_iter().enumerate() {
        let own = cuts.range(number);
        let own = *own.start().max(range.start())..=*own.end().min(range.end());
        let in_files: usize = files.iter().map(|file| file.count_in(&own)).sum();
        if own != range && own.start() < own.end() && pile.len() + in_files > cuts.due * TOO_MANY {
            all.extend(deal(own, pile.pieces, files, jobs, pieces));
        } else {
            all.push((own, pile));
        }
    }
    all
}

fn dealt(cuts: &PileCuts, chunks: Vec<Vec<u64>>, jobs: usize, pieces: &PiecePool) -> Vec<Pile> {
    // From the end: what was written last may still be in the cache.
    let chunks = Mutex::new(chunks);
    let dealers = each(&vec![(); jobs.max(1)], jobs, |()| {
        let mut dealer = Dealer::new(cuts.piles(), pieces);
        loop {
            let mut all = lock(&chunks);
            let from = all.len().saturating_sub(PIECES);
            let some = all.split_off(from);
            drop(all);
            if some.is_empty() {
                break;
            }
            some.into_iter().for_each(|chunk| dealer.deal(cuts, chunk));
        }
        dealer.finish()
    });
    let mut piles: Vec<Pile> = (0..cuts.piles()).map(|_| Pile::default()).collect();
    for part in dealers {
        for (pile, part) in piles.iter_mut().zip(part) {
            pile.pieces.extend(part.pieces);
        }
    }
    piles
}

/// Deals numbers to piles of its own.
struct Dealer<'a> {
    /// What waits to be put on each pile, and how many numbers that are.
    staged: Vec<[u64; STAGED]>,
    counts: Vec<u8>,
    piles: Vec<Pile>,
    /// Empty pieces, and where there are others.
    free: Vec<Vec<u64>>,
    pieces: &'a PiecePool,
}

impl Dealer<'_> {
    fn new(piles: usize, pieces: &PiecePool) -> Dealer<'_> {
        Dealer {
            staged: vec![[0; STAGED]; piles],
            counts: vec![0; piles],
            piles: (0..piles).map(|_| Pile::default()).collect(),
            free: Vec::new(),
            pieces,
        }
    }

    fn deal(&mut self, cuts: &PileCuts, mut chunk: Vec<u64>) {
        for number in &chunk {
            let pile = usize::from(cuts.piles[cuts.cell(*number)]);
            let count = usize::from(self.counts[pile]) % STAGED;
            self.staged[pile][count] = *number;
            self.counts[pile] = count as u8 + 1;
            if count + 1 == STAGED {
                self.put(pile, STAGED);
            }
        }
        chunk.clear();
        self.free.push(chunk);
    }

    /// Puts what is staged, so many numbers, on its pile.
    fn put(&mut self, pile: usize, count: usize) {
        let (free, pieces) = (&mut self.free, self.pieces);
        let piece = || {
            if free.is_empty() {
                *free = pieces.take();
            }
            free.pop().unwrap_or_default()
        };
        self.piles[pile].put(&self.staged[pile][..count], piece);
        self.counts[pile] = 0;
    }

    fn finish(mut self) -> Vec<Pile> {
        for pile in 0..self.piles.len() {
            let count = usize::from(self.counts[pile]);
            if count > 0 {
                self.put(pile, count);
            }
        }
        self.pieces.give(self.free.into_iter());
        self.piles
    }
}

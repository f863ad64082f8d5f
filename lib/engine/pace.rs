//! How large the next block is to be: by the time that blocks take, and at the end of the input so
//! that no slot is idle while another has more than it needs.

use std::time::Duration;

/// How long a block is to take: so long that the start of a process hardly counts, and so short that
/// slots end together, and little is lost when one fails.
const BLOCK_TIME: f64 = 1.0;

/// At the end blocks become smaller, down to what takes this long.
const LAST_TIME: f64 = 0.2;

/// How many times as long as the start of a process its block is to take, at the least.
const STARTS: f64 = 2.0;

/// The first blocks, in bytes, when nothing is known of the time: of two sizes in turn, so that it is
/// seen what of their time goes with the size, and what is the start of the process.
const PROBES: [usize; 2] = [1024, 4096];

/// How many times as large as any before a block may be, and how much quicker it may be than it seems:
/// what a small block took may have been the start of the process alone.
const GROWTH: usize = 16;

/// The sizes of the blocks of one stage, in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    slots: usize,
    first: usize,
    largest: usize,
    sizes: Sizes,
    /// How many blocks there were.
    blocks: u64,
    /// The largest of them.
    before: usize,
    /// Bytes that a slot does in a second once a process has started, by the last blocks.
    rate: Option<f64>,
    /// The smallest block of which the time is known, in bytes; the least time of any, in seconds.
    least: Option<(f64, f64)>,
}

/// What tells the sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sizes {
    /// All are the first one's.
    Fixed,
    /// They double, for each round of the slots.
    Doubling,
    /// The time.
    Timed,
}

impl Pace {
    /// Sizes from `first` to `largest`, for so many slots.
    pub(crate) fn new(slots: usize, first: usize, largest: usize, sizes: Sizes) -> Pace {
        Pace { slots, first, largest, sizes, blocks: 0, before: 0, rate: None, least: None }
    }

    /// The size of the next block. `rest` is how many bytes are left, where that is known.
    pub(crate) fn size(&self, rest: Option<usize>) -> usize {
        let round = self.blocks / self.slots.max(1) as u64;
        let size = match (self.sizes, self.rate) {
            (Sizes::Fixed, _) => self.first,
            (Sizes::Doubling, _) => self.first.saturating_mul(1 << round.min(30)).min(self.largest),
            (Sizes::Timed, None) => PROBES[(self.blocks % 2) as usize].min(self.largest),
            (Sizes::Timed, Some(rate)) => {
                let probe = PROBES[1].min(self.largest);
                let most = self.before.saturating_mul(GROWTH).clamp(probe, self.largest);
                // Twice the smallest one, for anything to be seen of the start; that may have been but
                // what was left of an input.
                let least = self.least.map_or(1, |(bytes, _)| 2 * bytes as usize);
                let least = if least < PROBES[0] { 1 } else { least };
                at_rate(rate, BLOCK_TIME.max(STARTS * self.start())).max(least).min(most)
            }
        };
        match rest.filter(|_| self.sizes == Sizes::Timed && self.slots > 1) {
            Some(rest) => {
                let time = LAST_TIME.max(self.start());
                let least = self.rate.map_or(1, |rate| at_rate(rate, time));
                size.min((rest / (2 * self.slots)).max(least)).max(1)
            }
            None => size,
        }
    }

    /// A block of `bytes` is there.
    pub(crate) fn begun(&mut self, bytes: usize) {
        self.blocks += 1;
        self.before = self.before.max(bytes);
    }

    /// A block of `bytes` took so long.
    pub(crate) fn took(&mut self, bytes: u64, time: Duration) {
        let (bytes, time) = (bytes as f64, time.as_secs_f64().max(1e-6));
        let work = match self.least {
            None => time,
            Some((least, shortest)) if bytes >= 2.0 * least => {
                (time - shortest) * bytes / (bytes - least)
            }
            Some(_) => time - self.start(),
        };
        let rate = bytes / work.clamp(time / GROWTH as f64, time);
        self.rate = Some(self.rate.map_or(rate, |before| (before + rate) / 2.0));
        let (least, shortest) = self.least.unwrap_or((bytes, time));
        self.least = Some((least.min(bytes), shortest.min(time)));
    }

    /// How long a process takes before it works, in seconds, as far as it can be told.
    fn start(&self) -> f64 {
        let Some(((least, shortest), rate)) = self.least.zip(self.rate) else { return 0.0 };
        (shortest - least / rate).max(0.0)
    }
}

fn at_rate(rate: f64, seconds: f64) -> usize {
    // As large as it may be where it is more than a number can say.
    ((rate * seconds) as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long the slots work, when each record of `bytes` takes `cost` seconds, and each process
    /// `start`: the time to the end, and how many processes there were.
    fn played(slots: usize, records: usize, bytes: usize, cost: f64, start: f64) -> (f64, usize) {
        let mut pace = Pace::new(slots, 1 << 18, 1 << 22, Sizes::Timed);
        let (mut free, mut left, mut processes) = (vec![0.0_f64; slots], records, 0);
        let mut running: Vec<(f64, u64, f64)> = Vec::new();
        while left > 0 {
            let slot = (0..slots).min_by(|a, b| free[*a].total_cmp(&free[*b])).unwrap();
            let now = free[slot];
            running.sort_by(|a, b| a.0.total_cmp(&b.0));
            while running.first().is_some_and(|(end, ..)| *end <= now) {
                let (_, bytes, time) = running.remove(0);
                pace.took(bytes, Duration::from_secs_f64(time));
            }
            let rest = left * bytes;
            let last = (rest <= pace.size(None)).then_some(rest);
            let count = (pace.size(last) / bytes).clamp(1, left);
            pace.begun(count * bytes);
            let time = start + count as f64 * cost;
            (left, processes) = (left - count, processes + 1);
            free[slot] = now + time;
            running.push((free[slot], (count * bytes) as u64, time));
        }
        (free.into_iter().fold(0.0, f64::max), processes)
    }

    #[test]
    fn slots_end_together_whatever_records_cost() {
        for (slots, records, bytes, cost) in [
            (6, 100, 3, 0.1),
            (2, 100, 3, 0.1),
            (4, 7, 10, 1.0),
            (8, 2000, 100, 0.01),
            (2, 100_000, 100, 0.001),
            (16, 30_000, 200, 0.05),
        ] {
            let (took, _) = played(slots, records, bytes, cost, 0.003);
            let ideal = (records as f64 / slots as f64).ceil() * cost;
            assert!(took <= 1.15 * ideal + 0.3, "{slots} {records} {cost}: {took} for {ideal}");
        }
    }

    #[test]
    fn quick_work_gets_few_processes() {
        // 500 MB at 200 MB/s: blocks are as large as they may be.
        let (_, processes) = played(2, 5_000_000, 100, 100.0 / 200e6, 0.002);
        assert!(processes < 160, "{processes}");
        // A few records whose process takes long to start.
        assert!(played(2, 10, 20, 1e-5, 0.03).1 <= 6);
        for start in [0.1, 0.5, 3.0] {
            let (took, processes) = played(2, 3000, 25, 2e-5, start);
            assert!(processes <= 12 && took < 7.0 * start + 0.5, "{start}: {took}, {processes}");
            // The start is a part of the time, and not most of it.
            let (took, _) = played(4, 200_000, 100, 1e-3, start);
            assert!(took < 50.0 * 1.6 + 6.0 * start, "{start}: {took}");
        }
    }

    #[test]
    fn sizes_that_were_given_stay_and_others_double() {
        let mut fixed = Pace::new(2, 5, 100, Sizes::Fixed);
        fixed.took(1, Duration::from_secs(1));
        assert_eq!([None, Some(3), None].map(|rest| fixed.size(rest)), [5; 3]);
        let mut doubling = Pace::new(3, 256, 4096, Sizes::Doubling);
        let next = |pace: &mut Pace| {
            pace.begun(1);
            pace.size(Some(1))
        };
        let first = doubling.size(None);
        let sizes: Vec<usize> =
            std::iter::once(first).chain((1..18).map(|_| next(&mut doubling))).step_by(3).collect();
        assert_eq!(sizes, [256, 512, 1024, 2048, 4096, 4096]);
        let mut one = Pace::new(1, 256, 1 << 20, Sizes::Timed);
        assert_eq!(one.size(Some(10)), PROBES[0]);
        one.begun(10);
        assert_eq!(one.size(Some(10)), PROBES[1]);
        one.took(1 << 14, Duration::from_micros(1));
        assert_eq!(one.size(None), PROBES[1]);
        one.begun(PROBES[1]);
        assert_eq!(one.size(None), PROBES[1] * GROWTH);
        one.begun(PROBES[1] * GROWTH);
        assert_eq!(one.size(None), 1 << 20);
        one.took(1, Duration::from_secs(1000));
        one.took(1, Duration::from_secs(1000));
        assert!(one.size(None) > 1);
    }
}

//! Random data that comes again: every generator has a seed, which is printed and can be said.

/// Says the seed of all random tests, to try other data, or that of a failure once more.
const SEED: &str = "MYCLOUD_TEST_SEED";

/// A seeded generator (splitmix64): the same numbers on every machine.
pub struct Random(u64);

impl Random {
    /// The same numbers in every run, others for another `seed`; others too, where the variable
    /// `MYCLOUD_TEST_SEED` says so.
    pub fn seeded(seed: u64) -> Random {
        match said() {
            Some(said) => Random(shown(said) ^ seed),
            None => Random(seed),
        }
    }

    /// The numbers of this seed, whatever the variable says.
    pub fn of(seed: u64) -> Random {
        Random(seed)
    }

    /// Other numbers in every run, but where the variable `MYCLOUD_TEST_SEED` says which.
    pub fn fresh() -> Random {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        Random(shown(said().unwrap_or(now)))
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `end`, which is excluded.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

fn said() -> Option<u64> {
    let said = std::env::var(SEED).ok()?;
    Some(said.parse().unwrap_or_else(|_| panic!("{SEED}={said} is no whole number")))
}

/// The seed, which the harness prints when the test fails.
fn shown(seed: u64) -> u64 {
    println!("once more with {SEED}={seed}");
    seed
}

/// `count` lines of at most `length` bytes of the given characters, the same for the same seed.
pub fn random_lines(seed: u64, count: usize, length: u64, letters: &[u8]) -> Vec<u8> {
    let mut random = Random::seeded(seed);
    let mut lines = Vec::new();
    for _ in 0..count {
        for _ in 0..random.below(length + 1) {
            lines.push(letters[random.below(letters.len() as u64) as usize]);
        }
        lines.push(b'\n');
    }
    lines
}

//! Runs targets: the known inputs, then as many new ones as are asked for.

use std::cell::Cell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};

use super::allocation::measured;
use super::mutation::mutant;
use super::random::Random;
use super::shrink;

/// Inputs that failed once, a line each: the target and the input, as [`shrink::written`] writes it.
const KNOWN: &str = include_str!("known.txt");

/// How many inputs a target gets, unless this variable says otherwise.
const INPUTS: usize = 100_000;
const INPUTS_VARIABLE: &str = "MYCLOUD_FUZZ_INPUTS";

/// The tests feed the same inputs in every run, `scripts/fuzz` others.
const SEED: u64 = 1;

/// For how many minutes it gets inputs, if this variable says so.
const MINUTES_VARIABLE: &str = "MYCLOUD_FUZZ_MINUTES";

/// An input that takes so long never ends: all take some microseconds.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// How many inputs are kept as beginnings of others.
const POOL_MAX: usize = 256;

/// One in so many inputs must be taken, and one refused: else a target tries little but its door.
const FEW: usize = 200;

thread_local! {
    /// Whether panics of this thread are not said: of the many inputs that an input is made short by.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// What a decoder made of an input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Outcome {
    Taken,
    Refused,
}

/// What is tried of a decoder.
pub(super) struct Target {
    /// Its name, in `known.txt` too.
    pub(super) name: &'static str,
    /// Sound inputs.
    pub(super) seeds: Vec<Vec<u8>>,
    /// What inputs are made of beside their own bytes.
    pub(super) words: &'static [&'static [u8]],
    /// Puts right what would hide all that lies behind it: checksums.
    pub(super) mend: fn(&mut [u8]),
    /// How many bytes of memory an input may take: so many, and so many for each byte.
    pub(super) memory: (usize, usize),
}

impl Target {
    /// A target of text, which takes little memory.
    pub(super) fn new(
        name: &'static str,
        seeds: &[&str],
        words: &'static [&'static [u8]],
    ) -> Target {
        let seeds = seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect();
        Target { name, seeds, words, mend: |_| (), memory: (64 * 1024, 100) }
    }

    /// The same for a decoder with several ways, of which the first byte of an input [chooses](chosen)
    /// one.
    pub(super) fn choosing<T>(self, ways: &[T]) -> Target {
        let numbers = 0..ways.len() as u8;
        let each =
            |number: u8| self.seeds.iter().map(move |seed| [&[b'0' + number], &seed[..]].concat());
        Target { seeds: numbers.flat_map(each).collect(), ..self }
    }

    /// Feeds `check`, which says what was made of an input, and panics where something does not
    /// hold.
    ///
    /// # Panics
    /// With the input, where `check` does, or takes more memory than it may.
    #[track_caller]
    pub(super) fn run(self, mut check: impl FnMut(&[u8]) -> Outcome) {
        hush();
        for input in known(self.name).chain(self.seeds.iter().cloned()) {
            if let Err(why) = self.tried(&mut check, &input) {
                self.fail(&mut check, &why, &input);
            }
        }
        let (mut random, mut pool) = (Random::seeded(SEED), self.seeds.clone());
        let (mut taken, mut inputs, wanted) = (0, 0, Wanted::said());
        let (watch, begun) = (Watch::begin(self.name), Instant::now());
        while wanted.more_than(inputs) {
            let mut input = mutant(&mut random, &pool, self.words);
            if random.below(8) > 0 {
                (self.mend)(&mut input);
            }
            watch.next(&input);
            inputs += 1;
            match self.tried(&mut check, &input) {
                Ok(Outcome::Refused) => {}
                Ok(Outcome::Taken) => {
                    taken += 1;
                    if pool.len() < POOL_MAX {
                        pool.push(input);
                    } else {
                        let first = self.seeds.len();
                        pool[first + random.below((POOL_MAX - first) as u64) as usize] = input;
                    }
                }
                Err(why) => {
                    drop(watch);
                    self.fail(&mut check, &why, &input)
                }
            }
        }
        let seconds = begun.elapsed().as_secs_f32();
        println!("{}: {inputs} inputs, {taken} taken, {seconds:.1} s", self.name);
        let few = inputs / FEW;
        assert!(taken > few && inputs - taken > few, "{taken} of {inputs} inputs are taken");
    }

    /// What is made of an input; or what does not hold.
    fn tried(
        &self,
        check: &mut impl FnMut(&[u8]) -> Outcome,
        input: &[u8],
    ) -> Result<Outcome, String> {
        let (most, each) = self.memory;
        let (outcome, held) = measured(|| catch_unwind(AssertUnwindSafe(|| check(input))));
        match outcome {
            Err(_) => Err("it panics, as is said above".to_string()),
            Ok(_) if held > most + each * input.len() => {
                Err(format!("it holds {held} bytes for {} of input", input.len()))
            }
            Ok(outcome) => Ok(outcome),
        }
    }

    /// Ends the test with an input that fails, as short as it goes.
    #[track_caller]
    fn fail(&self, check: &mut impl FnMut(&[u8]) -> Outcome, why: &str, input: &[u8]) -> ! {
        println!("{}: {why}: {}", self.name, shrink::written(input));
        QUIET.set(true);
        let short = shrink::shrunk(input, |input| self.tried(check, input).is_err());
        QUIET.set(false);
        let why = self.tried(check, &short).err().unwrap_or_default();
        panic!("{why}; a line for known.txt:\n{} {}", self.name, shrink::written(&short));
    }
}

/// The way that the first byte of an input chooses, and the rest of it.
pub(super) fn chosen<'a, T>(input: &'a [u8], ways: &'a [T]) -> Option<(&'a T, &'a [u8])> {
    let (first, rest) = input.split_first()?;
    Some((&ways[usize::from(first.wrapping_sub(b'0')) % ways.len()], rest))
}

/// Has panics not said where they are [quiet](QUIET).
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let say = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                say(panic)
            }
        }));
    });
}

/// The known inputs of a target.
fn known(name: &str) -> impl Iterator<Item = Vec<u8>> {
    let words = KNOWN.lines().filter_map(|line| line.split_once(' '));
    words.filter(move |(target, _)| *target == name).map(|(_, input)| shrink::read(input).unwrap())
}

/// What a variable says.
fn said(variable: &str) -> Option<u64> {
    let said = std::env::var(variable).ok()?;
    Some(said.parse().unwrap_or_else(|_| panic!("{variable}={said} is no whole number")))
}

/// How many inputs there are to be.
enum Wanted {
    Inputs(usize),
    Until(Instant),
}

impl Wanted {
    fn said() -> Wanted {
        match said(MINUTES_VARIABLE) {
            Some(minutes) => Wanted::Until(Instant::now() + Duration::from_secs(minutes * 60)),
            None => Wanted::Inputs(said(INPUTS_VARIABLE).map_or(INPUTS, |inputs| inputs as usize)),
        }
    }

    /// Whether there are to be more than so many.
    fn more_than(&self, inputs: usize) -> bool {
        match self {
            Wanted::Inputs(wanted) => inputs < *wanted,
            Wanted::Until(end) => !inputs.is_multiple_of(256) || Instant::now() < *end,
        }
    }
}

/// A thread that says which input never ends, and ends the tests.
struct Watch {
    input: Arc<Mutex<Vec<u8>>>,
    over: Arc<AtomicBool>,
}

impl Watch {
    fn begin(name: &'static str) -> Watch {
        let (input, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let watch = Watch { input: Arc::clone(&input), over: Arc::clone(&over) };
        std::thread::spawn(move || {
            let (mut seen, mut since) = (Vec::new(), Instant::now());
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(500));
                let now = input.lock().unwrap().clone();
                if now != seen {
                    (seen, since) = (now, Instant::now());
                } else if since.elapsed() > HANGS_AFTER {
                    // What is printed by the usual way is kept until the test is over.
                    let text = format!("{name} never ends with {}\n", shrink::written(&seen));
                    let _ = std::io::stderr().write_all(text.as_bytes());
                    std::process::abort();
                }
            }
        });
        watch
    }

    /// This input is tried now.
    fn next(&self, input: &[u8]) {
        let mut now = self.input.lock().unwrap();
        now.clear();
        now.extend_from_slice(input);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Inputs that fail are found, made short, and said so that they can be kept.
#[test]
fn what_fails_is_said() {
    let target = |name| Target::new(name, &["a {b} c"], &[b"{", b"}"]);
    let fails = |name, check: fn(&[u8]) -> Outcome| {
        let failed = catch_unwind(|| target(name).run(check)).unwrap_err();
        failed.downcast_ref::<String>().unwrap().clone()
    };
    let panics = fails("test-panics", |input| {
        assert!(!input.windows(2).any(|two| two == b"{{"));
        Outcome::Taken
    });
    assert!(panics.ends_with("known.txt:\ntest-panics {{"), "{panics}");
    let hoards = fails("test-hoards", |input| {
        let wanted = if input.contains(&b'}') { 1 << 30 } else { 1 };
        drop(Vec::<u8>::with_capacity(wanted));
        Outcome::Refused
    });
    assert!(hoards.starts_with("it holds 1073741824 bytes for 1 of input"), "{hoards}");
    let idle = fails("test-idle", |_| Outcome::Refused);
    assert!(idle.starts_with("0 of "), "{idle}");
}

//! Plays schedules: those of the known seeds, then as many as are asked for.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// Seeds that failed once, a line each: what is played, and the seed.
const KNOWN: &str = include_str!("known.txt");

/// How many schedules are played, and from which seed on, where these variables say so.
const SEEDS_VARIABLE: &str = "MYCLOUD_SIMULATE_SEEDS";
const SEED_VARIABLE: &str = "MYCLOUD_SIMULATE_SEED";

/// The seed that the tests begin with.
const FIRST_SEED: u64 = 1;

/// How many of the last lines of a schedule are shown.
const SHOWN_MAX: usize = 200;

/// What happened in a schedule, where somebody wants to know.
#[derive(Default)]
pub(crate) struct Log(Option<Vec<String>>);

impl Log {
    pub(crate) fn say(&mut self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.0 {
            lines.push(line());
        }
    }
}

thread_local! {
    /// Whether panics of this thread are not said: they are said of the schedule when it is played again.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Plays the known seeds of `name`, and `seeds` more, unless another number is asked for; `play` panics where
/// something does not hold.
#[track_caller]
pub(crate) fn run(name: &str, seeds: u64, play: impl Fn(u64, &mut Log)) {
    hush();
    let known = KNOWN.lines().filter_map(|line| line.split_once(' '));
    let known = known.filter(|(played, _)| *played == name).map(|(_, seed)| seed.parse().unwrap());
    let known: Vec<u64> = known.collect();
    let first = said(SEED_VARIABLE).unwrap_or(FIRST_SEED);
    let seeds = said(SEEDS_VARIABLE).unwrap_or(seeds);
    let begun = Instant::now();
    for seed in known.into_iter().chain((0..seeds).map(|more| first.wrapping_add(more))) {
        QUIET.set(true);
        let played = catch_unwind(AssertUnwindSafe(|| play(seed, &mut Log::default())));
        QUIET.set(false);
        if played.is_err() {
            fail(name, seed, &play);
        }
    }
    println!("{name}: {seeds} schedules from seed {first}, {:.1} s", begun.elapsed().as_secs_f32());
}

/// Ends the test with the seed that fails, played once more for its panic to be said.
#[track_caller]
fn fail(name: &str, seed: u64, play: &impl Fn(u64, &mut Log)) -> ! {
    let mut log = Log(Some(Vec::new()));
    let _ = catch_unwind(AssertUnwindSafe(|| play(seed, &mut log)));
    let lines = log.0.unwrap_or_default();
    for line in &lines[lines.len().saturating_sub(SHOWN_MAX)..] {
        println!("{line}");
    }
    panic!(
        "as is said above; to play it: scripts/simulate {name} --seed {seed} --seeds 1; a line for \
         known.txt:\n{name} {seed}"
    );
}

/// Has panics not said where they are [quiet](QUIET).
fn hush() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let say = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                say(panic)
            }
        }));
    });
}

/// What a variable says.
fn said(variable: &str) -> Option<u64> {
    let said = std::env::var(variable).ok()?;
    Some(said.parse().unwrap_or_else(|_| panic!("{variable}={said} is no whole number")))
}

/// A seed that fails is said, and how it is played again.
#[test]
fn what_fails_is_said() {
    let failed = catch_unwind(|| {
        run("test", 9, |seed, log| {
            log.say(|| "something happens".into());
            assert!(seed != 5);
        });
    });
    let text = failed.unwrap_err().downcast_ref::<String>().unwrap().clone();
    assert!(text.ends_with("a line for known.txt:\ntest 5"), "{text}");
}

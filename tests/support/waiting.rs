//! Waiting for what is to happen, and saying what could not be tried.

use std::io::Write;
use std::time::{Duration, Instant};

use super::CLEAN;

/// How long a test waits for what it waits for: when that comes, however busy the machine is, it goes
/// on at once.
const NEVER: Duration = Duration::from_secs(4 * CLEAN.as_secs());

/// Waits until `is_so`.
#[track_caller]
pub fn until(what: &str, is_so: impl FnMut() -> bool) {
    until_or(is_so, || what.to_string());
}

/// Waits until `is_so`; `why` says what is lacking.
#[track_caller]
pub fn until_or(mut is_so: impl FnMut() -> bool, why: impl Fn() -> String) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < NEVER, "never: {}", why());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Says past the test harness, which shows nothing of a test that does well, that it could not be
/// tried.
pub fn not_tested(why: &str) {
    let _ = writeln!(std::io::stderr(), "NOT TESTED: {why}");
}

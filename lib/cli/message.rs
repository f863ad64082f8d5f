//! Lines for people on standard error: one line each, in one write, nothing in it but text.

use std::io::Write;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::progress;
use crate::error::NO_PROCESS;
use crate::record::harmless::is_harmless;

/// Whether any thread of the process has panicked.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Whether that was because no thread could be started.
static NO_THREAD: AtomicBool = AtomicBool::new(false);

/// How a panic begins that is the one way in which the runtime says that a thread of a scope could not
/// be started, and what it says of the threads around it.
const UNSTARTED: &str = "failed to spawn thread";
const AROUND: &str = "a scoped thread panicked";

/// Says `tool: text` on standard error. Nobody can be told when that fails.
pub fn say(tool: &str, text: &str) {
    pass_on(&format!("{tool}: {}\n", printable(text)));
}

/// Says whole lines that are printable and have their tool in front already.
pub fn pass_on(lines: &str) {
    progress::aside(|| {
        let _ = std::io::stderr().write_all(lines.as_bytes());
    });
}

/// `text` with its control characters escaped, so that a name or a message from elsewhere can
/// neither break the line nor speak to the terminal.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => shown.push(' '),
            c if !is_harmless(c) => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// Makes a panic of any thread one line, and remembers it.
pub fn hook_panics(tool: &'static str) {
    std::panic::set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
        PANICKED.store(true, Ordering::SeqCst);
        let payload = panic.payload();
        let words = payload.downcast_ref::<&str>().copied();
        let words = words.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let what = words.unwrap_or("panic");
        if what.starts_with(UNSTARTED) {
            if !NO_THREAD.swap(true, Ordering::SeqCst) {
                say(tool, &format!("cannot start a thread: {NO_PROCESS}"));
            }
            return;
        }
        if what == AROUND && NO_THREAD.load(Ordering::SeqCst) {
            return;
        }
        let place = panic.location().map(|l| format!(" ({}:{})", l.file(), l.line()));
        say(tool, &format!("internal error: {what}{}", place.unwrap_or_default()));
    }));
}

/// Whether any thread has panicked since [`hook_panics`].
pub fn panicked() -> bool {
    PANICKED.load(Ordering::SeqCst)
}

/// Whether a thread could not be started, which was said.
pub fn lacked_threads() -> bool {
    NO_THREAD.load(Ordering::SeqCst)
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(printable("a\nb\x1b[2J\tc\u{9b}é"), "a\\nb\\u{1b}[2J c\\u{9b}é");
    }
}

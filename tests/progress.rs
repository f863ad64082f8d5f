//! Progress on a terminal: what is drawn there, and by whom.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use nix::pty::openpty;

use crate::support::{dir, tools};

/// What `line` writes to a terminal that is its standard error.
#[track_caller]
fn on_terminal(line: &str) -> String {
    let dir = dir();
    let terminal = openpty(None, None).unwrap();
    let mut command = Command::new("bash");
    command.arg("-c").arg(line).current_dir(dir.path()).stderr(terminal.slave);
    let path = format!("{}:{}", tools().display(), std::env::var("PATH").unwrap());
    let command = command.env("PATH", path).env("TERM", "xterm").stdin(Stdio::null());
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    // Ours of the terminal's other side is in the command.
    command.stderr(Stdio::null());
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // It ends with an error when nobody has the terminal any more.
        let _ = File::from(terminal.master).read_to_end(&mut bytes);
        String::from_utf8(bytes).unwrap()
    });
    assert!(child.wait().unwrap().success(), "{line}");
    reader.join().unwrap()
}

const SLOW: &str = "(seq 3; sleep 1.2; seq 3; sleep 0.3; seq 3)";

#[test]
fn the_last_tool_draws_after_a_second_and_takes_it_away() {
    let seen = on_terminal(&format!("{SLOW} | mc-cat | mc-gather -o ndjson:out"));
    assert!(seen.contains("mc-gather: 9 records, 18 B read"), "{seen:?}");
    assert!(!seen.contains("mc-cat"), "{seen:?}");
    assert!(seen.ends_with("\u{1b}[2K") || seen.ends_with('\r'), "{seen:?}");
}

#[test]
fn quick_work_and_other_readers_see_nothing() {
    for line in ["mc-cat | mc-gather -o ndjson:out", "mc-cat | cat >out", "mc-cat 2>out"] {
        let slow = if line.contains("gather") { "seq 3" } else { SLOW };
        assert_eq!(on_terminal(&format!("{slow} | {line}")), "");
    }
}

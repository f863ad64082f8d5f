//! A host whose worker breaks the rules of the protocol: it is lost, and the others give the answer, or there is
//! none; it gets no file that is not shared, and no say on the terminal.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::{Call, Output, dir, mc, names, sh, worker, write};

/// A worker that passes on all that it is told, and does one thing of its own.
const HOSTILE: &str = include_str!("hostile.py");

/// The hostile worker in `dir`, which does this harm, or asks for these paths.
fn hostile(dir: &Path, harm: &str, paths: &[PathBuf]) -> PathBuf {
    let script = HOSTILE
        .replace("@REAL@", &worker().display().to_string())
        .replace("@HARM@", harm)
        .replace("@MARK@", &dir.join("mark").display().to_string())
        .replace("@PATHS@", &format!("{paths:?}"));
    let path = dir.join("hostile");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A map over two hosts, the worker of one of which does this harm; nothing is published unless all is well.
fn map(dir: &tempfile::TempDir, harm: &str, paths: &[PathBuf], options: &str) -> Call {
    write(dir, "in", (0..2000).map(|n| format!("{{\"n\":{n}}}\n")).collect::<String>());
    let script = format!(
        "set -o pipefail; mc-map -h 2/:,2/: --block 1K {options} cat < in | mc-gather -o ndjson:out"
    );
    let call = sh("bash", &script).current_dir(dir.path());
    call.env("MC_WORKER", hostile(dir.path(), harm, paths)).stderr_any()
}

fn said(dir: &tempfile::TempDir, output: &Output, harm: &str) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(dir.path().join("mark").exists(), "nothing was harmed: {harm}: {said}");
    assert!(!said.contains("panicked") && !said.contains("internal error"), "{harm}: {said}");
    said
}

/// After this harm the answer is right all the same, for the reason `text`.
#[track_caller]
fn is_made_up_for(harm: &str, text: &str) -> String {
    let dir = dir();
    let output = map(&dir, harm, &[], "--ship in").succeeds();
    let said = said(&dir, &output, harm);
    assert!(said.contains(text), "{harm}: {said}");
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    assert!(read("in") == read("out"), "{harm}: {said}");
    said
}

/// After this harm there is no answer, for the reason `text`.
#[track_caller]
fn is_noticed(harm: &str, text: &str) {
    let dir = dir();
    let output = map(&dir, harm, &[], "").fails(4);
    let said = said(&dir, &output, harm);
    assert!(said.contains(text) && !dir.path().join("out").exists(), "{harm}: {said}");
}

#[test]
fn nothing_is_harmed_by_a_worker_that_passes_all_on() {
    is_made_up_for("", "");
}

#[test]
fn what_is_no_frame_and_no_message_ends_the_connection() {
    for (harm, text) in [
        ("length", "a frame of kind 1 with 2147483648 bytes"),
        ("kind", "a frame of kind 9"),
        ("packed", "packed data that cannot be unpacked"),
        ("garbage", "does not speak the protocol"),
    ] {
        is_made_up_for(harm, text);
    }
}

#[test]
fn data_that_nobody_asked_for_and_data_without_end() {
    is_made_up_for("flood", "more data than it was allowed to send");
    is_made_up_for("empty", "data without a byte");
}

#[test]
fn an_answer_to_what_was_not_asked_and_a_second_one_count_for_nothing() {
    is_made_up_for("unknown", "");
    is_made_up_for("twice", "");
}

#[test]
fn another_answer_than_was_asked_for_and_one_of_another_task() {
    is_noticed("reply", "another reply than a task's");
    is_noticed("swap", " is damaged");
}

#[test]
fn slots_that_no_host_has() {
    for (harm, text) in [("slots", "a host with 2147483648 slots"), ("no slots", "with 0 slots")] {
        let dir = dir();
        let path = hostile(dir.path(), harm, &[]);
        mc("hosts").args(["-h", ":"]).env("MC_WORKER", &path).stderr_has(text).fails(5);
    }
}

#[test]
fn questions_under_numbers_of_ours_and_more_than_one_may_ask() {
    is_made_up_for("number", "a request of the worker under a number of ours");
    let dir = dir();
    let large = write(&dir, "shared/large", vec![b'x'; 2 << 20]);
    let output = map(&dir, "crowd", &[large], "--share shared").succeeds();
    let said = said(&dir, &output, "crowd");
    assert!(said.contains("too many requests of the worker, or one twice"), "{said}");
}

#[test]
fn files_that_are_not_shared_are_not_read_and_not_written() {
    let dir = dir();
    let at = |name: &str| dir.path().join(name);
    write(&dir, "shared/a", "what is shared\n");
    write(&dir, "secret", "secret\n");
    std::os::unix::fs::symlink(at("secret"), at("shared/leaves")).unwrap();
    std::os::unix::fs::symlink("../secret", at("shared/climbs")).unwrap();
    nix::unistd::mkfifo(&at("shared/fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let paths = [
        at("secret"),
        at("shared/../secret"),
        at("shared/leaves"),
        at("shared/climbs"),
        at("shared/fifo"),
        at("shared"),
        "/proc/self/environ".into(),
        "/etc/passwd".into(),
        "secret".into(),
        "".into(),
    ];
    for options in ["--share shared", "", "--share shared:rw", "-v --share shared"] {
        let output = map(&dir, "reads", &paths, options).succeeds();
        let said = said(&dir, &output, "reads");
        let heard = std::fs::read_to_string(at("mark.heard")).unwrap();
        assert_eq!(heard.lines().count(), 3 * paths.len(), "{options}: {heard}");
        for answer in heard.lines() {
            assert!(
                answer.starts_with("{\"client\":{\"failed\":{\"code\":2"),
                "{options}: {answer}"
            );
        }
        let told = format!(": client://{}: not shared: say --share", at("secret").display());
        assert_eq!(said.contains(&told), options.starts_with("-v"), "{options}: {said}");
        assert_eq!(std::fs::read_to_string(at("secret")).unwrap(), "secret\n");
        for name in ["mark", "mark.heard", "out"] {
            std::fs::remove_file(at(name)).unwrap();
        }
    }
}

#[test]
fn a_file_that_is_longer_or_shorter_than_was_said_is_none() {
    for (harm, text) in
        [("more", "more of a file than there is"), ("less", "not all of a file has come")]
    {
        let dir = dir();
        std::fs::create_dir(dir.path().join("shared")).unwrap();
        let path = dir.path().join("shared/new");
        map(&dir, harm, std::slice::from_ref(&path), "--share shared:rw").succeeds();
        let heard = std::fs::read_to_string(dir.path().join("mark.heard")).unwrap();
        assert!(heard.contains("\"failed\"") && heard.contains(text), "{heard}");
        assert_eq!(names(dir.path().join("shared")), [""; 0], "{harm}");
    }
}

#[test]
fn what_it_says_cannot_speak_to_the_terminal() {
    for harm in ["said", "failed"] {
        let said = is_made_up_for(harm, "red");
        let speaks = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!said.chars().any(speaks), "{harm}: {said:?}");
    }
    let dir = dir();
    let path = hostile(dir.path(), "table", &[]);
    let table = mc("hosts").args(["-h", ":"]).env("MC_WORKER", &path).succeeds().text();
    assert!(table.contains("red") && !table.contains('\x1b'), "{table:?}");
    std::fs::remove_file(dir.path().join("mark")).unwrap();
    let path = hostile(dir.path(), "version", &[]);
    let output = mc("hosts").args(["-h", ":"]).env("MC_WORKER", &path).stderr_any().fails(5);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("it has version 1 of it (of ") && !said.contains('\x1b'), "{said:?}");
}

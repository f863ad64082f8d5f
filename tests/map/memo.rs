//! What a command printed is kept by content (`--memo`): what is read again is not run again, and
//! nothing else is ever printed than without it.

use std::path::Path;

use nix::sys::signal::Signal;

use crate::support::{Call, cluster, dir, mc, names, sh, until, write};

use super::numbers;

/// `mc-map --memo memo` with `options`, in `dir`, of a command that notes in `ran` each number that it
/// gets, and prints its double.
fn doubling(dir: &Path, options: &[&str], input: &str) -> Call {
    let line = "tee -a ran | jq -c '. * 2'";
    let call = mc("map").args(["--memo", "memo"]).args(options).args(["-c", line]);
    call.current_dir(dir).stdin(input)
}

fn doubled(input: &str) -> String {
    input.lines().map(|n| format!("{}\n", n.parse::<u64>().unwrap() * 2)).collect()
}

/// The numbers that the command got since it was asked last.
fn ran(dir: &Path) -> Vec<u32> {
    let ran = dir.join("ran");
    let text = std::fs::read_to_string(&ran).unwrap_or_default();
    let _ = std::fs::remove_file(&ran);
    let mut numbers: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn what_was_run_is_not_run_again() {
    for options in [&[][..], &["--each"], &["--per", "shard"], &["--block", "100"]] {
        let dir = dir();
        let input = if options == ["--each"] { numbers(40) } else { numbers(2000) };
        let run = || doubling(dir.path(), options, &input).stdout(doubled(&input)).succeeds();
        run();
        assert_eq!(ran(dir.path()).len(), input.lines().count());
        run();
        assert_eq!(ran(dir.path()), [0; 0], "{options:?}");
    }
    let dir = dir();
    let call = || doubling(dir.path(), &["--each", "-v"], "1\n2\n").stdout("2\n4\n");
    // That `ran` is there now, which the command names, is its own doing.
    call().stderr_any().succeeds();
    call().stderr_has("written, 2 runs spared by --memo, ").succeeds();
}

#[test]
fn only_what_is_new_runs_wherever_it_stands() {
    let (dir, old) = (dir(), numbers(3000));
    let run = |options: &[&str], input: &str| {
        doubling(dir.path(), options, input).stdout(doubled(input)).succeeds();
        ran(dir.path())
    };
    run(&["-j", "1", "--block", "3K"], &old);
    // Another number of slots, and something new in front, behind and in between.
    let middle = old.find("\n1500\n").unwrap() + 1;
    let input = format!("7000001\n{}7000002\n{}7000003\n", &old[..middle], &old[middle..]);
    let again = run(&["-j", "2"], &input);
    assert!((7_000_001..=7_000_003).all(|new| again.contains(&new)), "{again:?}");
    // A block that something stands in the middle of now is another one.
    assert!(again.len() < 1500, "{}", again.len());
    assert_eq!(run(&["-j", "2"], &input), [0; 0]);
    let each = |input: &str| run(&["--each"], input);
    assert_eq!(each("1\n2\n3\n"), [1, 2, 3]);
    assert_eq!(each("4\n3\n2\n5\n1\n"), [4, 5]);
}

#[test]
fn another_command_or_file_or_form_is_another_matter() {
    let dir = dir();
    write(&dir, "table", "1\n");
    let run = |args: &[&str], printed: &str| {
        let call = mc("map").args(["--memo", "memo"]).args(args).current_dir(dir.path());
        call.stdin("5\n").stdout(printed).succeeds();
    };
    for _ in 0..2 {
        run(&["-c", "cat table"], "1\n");
        run(&["-c", "cat table; cat"], "1\n5\n");
        run(&["cat", "table"], "1\n");
        run(&["-t", "cat", "table"], "\"1\"\n");
        run(&["--env", "N=3", "-c", "echo $N"], "3\n");
        run(&["--env", "N=4", "-c", "echo $N"], "4\n");
    }
    write(&dir, "table", "2\n");
    run(&["-c", "cat table"], "2\n");
    run(&["cat", "table"], "2\n");
    let script = |text: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path = write(&dir, "script", format!("#!/bin/sh\n{text}\n"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    script("echo 1");
    run(&["./script"], "1\n");
    script("echo 2");
    run(&["./script"], "2\n");
}

#[test]
fn what_fails_is_not_kept_and_what_went_well_before_it_is() {
    let dir = dir();
    let line = "read -r n; echo $n >> ran; test $n != 3 -o -e w[e]ll && echo $n";
    let call = |options: &[&str]| {
        let args = ["-j", "1", "--retries", "0", "--memo", "memo"];
        let call = mc("map").args(args).args(options).args(["-c", line]);
        call.current_dir(dir.path()).stdin("1\n2\n3\n4\n")
    };
    for options in [&["--block", "2"][..], &["--each"], &["--each", "--outcome"]] {
        let outcome = options.len() == 2 && options[1] == "--outcome";
        match outcome {
            false => drop(call(options).stderr_any().fails(1)),
            true => drop(call(options).succeeds()),
        }
        ran(dir.path());
        write(&dir, "well", "");
        let printed = call(options).succeeds().stdout;
        let expected = if outcome { vec![3] } else { vec![3, 4] };
        assert_eq!(ran(dir.path()), expected, "{options:?}");
        if !outcome {
            assert_eq!(printed, b"1\n2\n3\n4\n");
        }
        std::fs::remove_file(dir.path().join("well")).unwrap();
        std::fs::remove_dir_all(dir.path().join("memo")).unwrap();
    }
    // Records that were left out are left out again, and said.
    for _ in 0..2 {
        let call = call(&["--each", "--failed", "skip"]).stdout("1\n2\n4\n");
        call.stderr_has("1 record dropped, on which the command failed").succeeds();
    }
    for (line, options) in [("echo no json", &[][..]), ("echo no json", &["--each"])] {
        for _ in 0..2 {
            let call = mc("map").args(["--memo", "memo"]).args(options).args(["-c", line]);
            call.current_dir(dir.path()).stdin("1\n").stderr_has("no json").stderr_any().fails(3);
        }
    }
}

#[test]
fn a_run_that_was_killed_is_gone_on_with() {
    let dir = dir();
    let line = "read -r n; echo $n >> ran; test $n -lt 6 || test -e g[o] || sleep 600; echo $n";
    let call = || {
        let call = mc("map").args(["--memo", "memo", "-j", "1", "--each", "-c", line]);
        call.current_dir(dir.path()).stdin(numbers(8))
    };
    let running = call().stderr_any().spawn();
    let log = dir.path().join("ran");
    until("six records", || std::fs::read_to_string(&log).unwrap_or_default().contains('6'));
    running.signal(Signal::SIGKILL);
    running.ends();
    ran(dir.path());
    write(&dir, "go", "");
    call().stdout(numbers(8)).succeeds();
    assert_eq!(ran(dir.path()), [6, 7, 8]);
}

#[test]
fn a_damaged_entry_is_run_again() {
    let dir = dir();
    let input = numbers(50);
    let run =
        || doubling(dir.path(), &["--block", "20"], &input).stdout(doubled(&input)).succeeds();
    run();
    ran(dir.path());
    let memo = dir.path().join("memo");
    let command = memo.join(&names(&memo)[0]);
    let entries = names(&command);
    for (at, name) in entries.iter().enumerate() {
        let path = command.join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        match at % 3 {
            0 => bytes.truncate(bytes.len() / 2),
            1 => *bytes.last_mut().unwrap() ^= 1,
            _ => (),
        }
        std::fs::write(path, bytes).unwrap();
    }
    run();
    let again = ran(dir.path());
    assert!(!again.is_empty() && again.len() < 50, "{again:?}");
    run();
    assert_eq!(ran(dir.path()), [0; 0]);
}

#[test]
fn two_runs_at_once_and_a_small_directory_do_no_harm() {
    let (dir, input) = (dir(), numbers(3000));
    let options = ["--block", "50", "--memo-size", "4K"];
    let call = || doubling(dir.path(), &options, &input).stdout(doubled(&input));
    let other = call().spawn();
    call().succeeds();
    other.exits(0);
    call().succeeds();
    let memo = dir.path().join("memo");
    let bytes: u64 = names(&memo)
        .iter()
        .map(|command| memo.join(command))
        .filter(|command| command.is_dir())
        .flat_map(|command| names(&command).into_iter().map(move |name| command.join(name)))
        .map(|path| path.metadata().unwrap().len())
        .sum();
    assert!(bytes < 6 << 10, "{bytes}");
}

#[test]
fn on_hosts_it_is_the_same() {
    let (cluster, dir, input) = (cluster(), dir(), numbers(2000));
    let log = cluster.srv().join(format!("memo{}", std::process::id()));
    let line = format!(
        "tee -a {} | jq -c '. * 2'",
        Path::new("/srv").join(log.file_name().unwrap()).display()
    );
    let run = |options: &str, input: &str| {
        let script = format!(
            "set -o pipefail; mc-map -h n1,n2 --memo memo {options} -c \"{line}\" | mc-gather"
        );
        let call = sh("bash", &script).on(cluster).current_dir(dir.path());
        let _ = call.stdin(input).stdout(doubled(input)).succeeds();
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let _ = std::fs::remove_file(&log);
        text.lines().count()
    };
    for options in ["", "--each"] {
        let input = if options.is_empty() { input.clone() } else { numbers(60) };
        assert_eq!(run(options, &input), input.lines().count());
        assert_eq!(run(options, &input), 0);
        let more = run(options, &format!("{input}70000\n"));
        assert!((1..1200).contains(&more), "{more}");
    }
    // Of shards that lie there, what they hold counts.
    let run = |memo: &str| {
        let script = format!(
            "set -o pipefail; mc-scatter -h n1,n2 --block 2K | mc-map {memo} -c \"{line}\" | mc-gather"
        );
        let call = sh("bash", &script).on(cluster).current_dir(dir.path());
        call.stdin(&input).stdout(doubled(&input)).succeeds();
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let _ = std::fs::remove_file(&log);
        text.lines().count()
    };
    assert_eq!((run("--memo shards"), run("--memo shards"), run("")), (2000, 0, 2000));
}

#[test]
fn calls_that_make_no_sense_are_refused() {
    mc("map").args(["--memo-size", "1G", "cat"]).fails_with(2, "--memo <DIR>");
    mc("map").args(["--memo", "/proc/memo", "cat"]).stdin("1\n").fails_with(2, "/proc/memo");
}

#[test]
fn what_goes_with_a_command_is_part_of_what_it_is() {
    let dir = dir();
    for (hosts, gather) in [("", ""), ("-h n1", "| mc-gather")] {
        let run = |word: &str, letter: &str| {
            write(&dir, "tree/a", format!("\"{word}\"\n"));
            let line = format!(
                "echo 1 | mc-map {hosts} --memo memo --ship tree --setup 'echo {letter} > b' \
                 -c 'cat > /dev/null; cat tree/a; jq -R . < $MC_SETUP/b' {gather}"
            );
            let want = format!("\"{word}\"\n\"{letter}\"\n");
            let call = sh("bash", &line).current_dir(dir.path()).on(cluster());
            call.stdout(want).succeeds();
        };
        for (word, letter) in [("one", "x"), ("two", "x"), ("two", "y"), ("one", "x")] {
            run(word, letter);
        }
    }
}

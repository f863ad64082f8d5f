//! How a command is named, and what is refused.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Call, dir, mc, names, write};

use super::numbers;

#[test]
fn a_program_gets_its_words_as_they_are() {
    let words = ["printf", "\"%s\"\\n", "$HOME", "*", "a  b", "-j"];
    mc("map").args(words).stdin("1\n").stdout("\"$HOME\"\n\"*\"\n\"a  b\"\n\"-j\"\n").succeeds();
}

#[test]
fn options_end_at_the_command() {
    mc("map")
        .args(["-j", "1", "grep", "-c", "--", "1"])
        .stdin(numbers(10))
        .stdout("2\n")
        .succeeds();
    mc("map")
        .args(["--per", "shard", "head", "-n", "2"])
        .stdin(numbers(10))
        .stdout("1\n2\n")
        .succeeds();
    mc("map")
        .args(["--per", "shard", "--", "head", "-n2"])
        .stdin(numbers(10))
        .stdout("1\n2\n")
        .succeeds();
}

#[test]
fn a_line_goes_to_the_shell() {
    let line = "grep 1 | tail -n \"$((1 + 0))\"";
    mc("map").args(["--per=shard", "-c", line]).stdin(numbers(12)).stdout("12\n").succeeds();
    mc("map").args(["-c", "cat", "more"]).fails_with(2, "-c takes one LINE");
}

#[test]
fn what_is_not_there_is_refused() {
    let call = mc("map").args(["--ship=x", "cat"]).stdin("1\n");
    call.fails_with(2, "-o and --ship are for hosts");
    mc("map").args(["-h", "a;b", "cat"]).fails_with(2, "is no host");
    mc("map").fails_with(2, "no command");
    mc("map")
        .args(["--no-such-option", "cat"])
        .fails_with(2, "unexpected argument '--no-such-option'");
    mc("map").args(["--block", "0", "cat"]).fails_with(2, "--block");
    mc("map").args(["--block", "2M", "-S", "1M", "cat"]).fails_with(2, "-S");
    mc("map").args(["--timeout", "soon", "cat"]).fails_with(2, "unit of time");
    mc("map").args(["--ok-exit", "0,300", "cat"]).fails_with(2, "300");
}

#[test]
fn a_command_that_cannot_be_run_is_named_before_any_data_moves() {
    let dir = dir();
    let script = write(&dir, "clean.py", "cat\n");
    mc("map").arg(&script).fails_with(2, "chmod +x");
    mc("map").arg("./clean.py").current_dir(&dir).fails_with(2, "chmod +x ./clean.py");
    mc("map").arg("clean.py").current_dir(&dir).fails_with(2, "./clean.py");
    mc("map").arg("no-such-command").fails_with(2, "PATH");
    mc("map").arg("/no/such/command").fails_with(2, "No such file");
    mc("map").arg("/").fails_with(2, "directory");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    mc("map").arg(&script).stdin("1\n").fails_with(2, "#! line");
    write(&dir, "clean.py", "#!/no/such/python\n");
    mc("map").arg(&script).stdin("1\n").fails_with(2, "first line (#!)");
}

#[test]
fn a_command_knows_its_task() {
    let line = "echo $MC_TASK; echo $MC_ATTEMPT";
    mc("map").args(["--block", "2", "-c", line]).stdin("1\n2\n").stdout("1\n1\n2\n1\n").succeeds();
}

#[test]
fn a_command_has_its_three_streams_and_nothing_else_of_ours() {
    // What the tests were started with goes through, as everywhere.
    let inherited = Call::new("ls").arg("/proc/self/fd").succeeds().text();
    mc("map").args(["ls", "/proc/self/fd"]).stdin("1\n").stdout(inherited).succeeds();
    let line =
        "stat -Lc %i /proc/self/fd/[012]; stat -Lc %F /proc/self/fd/[012] | sed 's/.*/\"&\"/'";
    let said = mc("map").args(["-c", line]).stdin("1\n").succeeds().lines();
    let inodes: std::collections::HashSet<_> = said[..3].iter().collect();
    assert_eq!(inodes.len(), 3, "{said:?}");
    assert_eq!(said[3..], ["\"fifo\"", "\"fifo\"", "\"fifo\""]);
}

#[test]
fn without_records_there_is_no_task_but_a_shard() {
    let dir = dir();
    let touch = format!("touch {}/started; echo 1", dir.path().display());
    for nothing in ["", "\n\n  \n"] {
        mc("map").args(["-c", &touch]).stdin(nothing).stdout("").succeeds();
        assert_eq!(names(&dir), [""; 0]);
    }
    mc("map").args(["--per", "shard", "wc", "-l"]).stdin("").stdout("0\n").succeeds();
}

#[test]
fn numbers_about_the_run_are_kept() {
    let dir = dir();
    let stats = dir.path().join("stats");
    let marker = dir.path().join("tried");
    let line = format!("test -e {0} && cat || {{ touch {0}; exit 1; }}", marker.display());
    mc("map")
        .args(["--stats"])
        .arg(&stats)
        .args(["--block=1K", "-c", &line])
        .stdin("1\n\n2\n")
        .stderr_any()
        .succeeds();
    let text = std::fs::read_to_string(&stats).unwrap();
    for number in ["\"records_in\":2", "\"records_out\":2", "\"bytes_out\":4", "\"retries\":1"] {
        assert!(text.contains(number), "{number}: {text}");
    }
}

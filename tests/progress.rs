//! Progress on a terminal: what stands on its screen, and who draws it.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Terminal, dir, names, sh};

const WIDE: (u16, u16) = (80, 24);
const NARROW: (u16, u16) = (40, 24);

/// Waits for a file that the test makes.
const UNTIL: &str = "until_file() { while [ ! -e $1 ]; do sleep 0.02; done; }; ";

/// Three records, and no end before the file `go`.
const SLOW: &str = "(seq 3; until_file go)";

/// The lines that speak of tools, word by word.
fn stages(text: &[String]) -> Vec<Vec<&str>> {
    let lines = text.iter().filter(|line| line.starts_with("mc-"));
    lines.map(|line| line.split_whitespace().collect()).collect()
}

/// Whether these tools have lines, and no others.
fn tells_of(text: &[String], tools: &[&str]) -> bool {
    stages(text).iter().map(|words| words[0]).eq(tools.iter().copied())
}

/// Runs `line` on a terminal of this size until it shows a line for each of `tools`.
#[track_caller]
fn shown(size: (u16, u16), line: &str, tools: &[&str]) -> (Terminal, Vec<String>) {
    let terminal = Terminal::run(size, &format!("{UNTIL}{line}"));
    let text = terminal.shows(|text| tells_of(text, tools));
    (terminal, text)
}

/// Lets it end well; then nothing is left on the screen.
#[track_caller]
fn goes(terminal: Terminal) {
    terminal.file("go");
    assert_eq!(terminal.ends(), (Vec::new(), Some(0)));
}

/// Runs `line` for as long as it takes until a tool of its age would be shown, and is one that shows
/// nothing.
#[track_caller]
fn shows_nothing(line: &str) -> (Vec<String>, Option<i32>) {
    let line = format!("{UNTIL}({line}) & sleep 2; touch go; wait $!");
    Terminal::run(WIDE, &line).ends()
}

const FOUR: [&str; 4] = ["mc-cat", "mc-map", "mc-shuffle", "mc-gather"];
const LINE_OF_FOUR: &str =
    "(seq 3; until_file go) | mc-cat | mc-map cat | mc-shuffle | mc-gather -o ndjson:out";

#[test]
fn the_last_tool_draws_for_all_of_the_pipe_and_takes_it_away() {
    let (terminal, text) = shown(WIDE, LINE_OF_FOUR, &FOUR);
    assert_eq!(text.len(), 5, "a line a stage, below the cursor: {text:#?}");
    let counted = |text: &[String]| stages(text).get(1).is_some_and(|words| words[1] == "3");
    let text = terminal.shows(counted);
    assert!(text[1].starts_with("mc-cat      3 records  6 B  "), "{text:#?}");
    assert!(text[2].starts_with("mc-map      3 records  6 B  "), "{text:#?}");
    assert_eq!(stages(&text)[3], ["mc-gather", "waiting"]);
    goes(terminal);
}

#[test]
fn forty_columns_are_enough_and_nothing_wraps() {
    let (terminal, text) = shown(NARROW, LINE_OF_FOUR, &FOUR);
    assert!(text.len() == 5 && text.iter().all(|line| line.len() < 40), "{text:#?}");
    terminal.resize(20, 24);
    terminal.shows(|text| text.len() == 5 && text.iter().all(|line| line.len() < 20));
    terminal.resize(80, 24);
    terminal.shows(|text| text.len() == 5 && text[1].contains(" records "));
    goes(terminal);
}

#[test]
fn what_is_read_of_a_file_is_a_bar() {
    let line =
        "seq 1000000 > in.ndjson; mc-cat in.ndjson | (head -c 1000; until_file go; cat) >out";
    let (terminal, text) = shown(WIDE, line, &["mc-cat"]);
    let words = &stages(&text)[0];
    assert!(words[7].starts_with("[##") && words.contains(&"%"), "{text:#?}");
    assert_eq!(words.last(), Some(&"left"));
    goes(terminal);
}

#[test]
fn quick_work_is_not_shown() {
    let line = "seq 3 | mc-cat | mc-gather -o ndjson:out";
    assert_eq!(Terminal::run(WIDE, line).ends(), (Vec::new(), Some(0)));
}

#[test]
fn who_is_asked_to_shows_nothing_and_nobody_else_does_for_him() {
    for line in [
        "mc-cat | TERM=dumb mc-map cat | TERM=dumb mc-gather -o ndjson:out 2>err",
        "TERM= mc-cat >out",
        "mc-cat | mc-gather --progress never -o ndjson:out",
        "mc-cat --progress never >out",
        "mc-cat 2>err | mc-gather -o ndjson:out 2>err",
        "mc-cat | cat",
    ] {
        let line =
            format!("{SLOW} | {line}").replace("| mc-cat | TERM", "| TERM=dumb mc-cat | TERM");
        assert_eq!(shows_nothing(&line), (Vec::new(), Some(0)), "{line}");
    }
}

#[test]
fn it_goes_through_filters_of_others_and_to_them() {
    let line = format!("{SLOW} | mc-cat | (cat; echo 4) | grep . | mc-gather -o ndjson:out");
    let (terminal, _) = shown(WIDE, &line, &["mc-cat", "mc-gather"]);
    goes(terminal);
    let line = format!("{SLOW} | mc-cat | mc-map cat | (cat; until_file go) | gzip > out");
    let (terminal, _) = shown(WIDE, &line, &["mc-cat", "mc-map"]);
    goes(terminal);
}

#[test]
fn records_on_the_terminal_are_what_is_to_be_seen_there() {
    let line = "(seq 3; until_file go) | mc-cat | (head -n 3; sleep 2; touch go) >/dev/tty";
    assert_eq!(Terminal::run(WIDE, &format!("{UNTIL}{line}")).ends().0, ["1", "2", "3"]);
    let line = "(seq 3; sleep 2) | mc-cat | mc-map cat >/dev/tty";
    let (terminal, _) = shown(WIDE, line, &["mc-cat", "mc-map"]);
    assert_eq!(terminal.ends(), (vec!["1".into(), "2".into(), "3".into()], Some(0)));
}

#[test]
fn what_others_say_meanwhile_stays_whole() {
    let says = "until_file a; echo foreign line >&2; until_file b; printf 'no end' >&2; until_file c; \
                printf ' yet\\n1\\n2\\n' >&2; until_file go";
    let line = format!(
        "(seq 3; {says}) | mc-cat | mc-map -c 'cat; echo of a command >&2; sleep 2' | mc-gather -v -o ndjson:out"
    );
    let three = ["mc-cat", "mc-map", "mc-gather"];
    let (terminal, _) = shown(WIDE, &line, &three);
    let then = |file: &str, lines: &[&str]| {
        terminal.file(file);
        // The last of it, where the cursor is, and below it the lines of the tools.
        terminal.shows(|text| {
            text.len() == lines.len() + 3
                && text.iter().zip(lines).all(|(is, want)| is == want)
                && tells_of(text, &three)
        });
    };
    then("a", &["foreign line", ""]);
    then("b", &["foreign line", "no end"]);
    terminal.file("c");
    terminal.shows(|text| text.iter().any(|line| line.starts_with("no end yet")));
    terminal.file("go");
    let (text, status) = terminal.ends();
    assert_eq!((status, &text[0][..], &text[1][..]), (Some(0), "foreign line", "no end yet"));
    // What came at once with a line before it stands over what was drawn.
    assert!(text[2].starts_with('1') && text[3].starts_with('2'), "{text:#?}");
    let (last, commands) = text[4..].split_last().unwrap();
    assert!(
        !commands.is_empty() && last.starts_with("mc-gather: 3 records (6 B) read"),
        "{text:#?}"
    );
    assert!(commands.iter().all(|line| line.ends_with(": of a command")), "{text:#?}");
}

#[test]
fn one_in_the_background_waits_until_it_is_in_the_foreground() {
    let line = format!("set -m; {SLOW} | mc-cat >out & until_file fg; fg >/dev/null");
    let terminal = Terminal::run(WIDE, &format!("{UNTIL}{line}"));
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(terminal.text(), [""; 0]);
    terminal.file("fg");
    terminal.shows(|text| tells_of(text, &["mc-cat"]));
    goes(terminal);
}

#[test]
fn pipes_side_by_side_have_their_blocks_and_never_write_over_each_other() {
    let one = |name: &str| {
        format!("(seq 3; until_file {name}) | mc-cat | mc-{name} -o ndjson:{name}.out")
    };
    let line =
        format!("{} & sleep 0.2; (seq 3; until_file map) | mc-map cat >out & wait", one("gather"));
    let (terminal, text) = shown(WIDE, &line, &["mc-cat", "mc-gather", "mc-map"]);
    assert_eq!(text.len(), 5, "{text:#?}");
    assert_eq!(text[3], "", "{text:#?}");
    terminal.file("gather");
    let text = terminal.shows(|text| tells_of(text, &["mc-map"]));
    assert_eq!(text.len(), 2, "{text:#?}");
    terminal.file("map");
    assert_eq!(terminal.ends(), (Vec::new(), Some(0)));
}

#[test]
fn tasks_are_told_and_with_v_how_busy_hosts_are() {
    let line = "seq 3 | mc-map -v -h 2/: --block 2 -c 'cat; while [ ! -e '$PWD/go' ]; do sleep 0.02; done' |
                mc-gather -o ndjson:out";
    let terminal = Terminal::run(WIDE, &format!("{UNTIL}{line}"));
    let text =
        terminal.shows(|text| text.iter().any(|line| line.contains(" running, 0 of 3 done")));
    assert!(text.iter().any(|line| line.trim() == "localhost 2/2"), "{text:#?}");
    terminal.file("go");
    let (text, status) = terminal.ends();
    let last = text.iter().find(|line| line.starts_with("mc-map: 3 records (6 B) read, 3 records"));
    assert!(status == Some(0) && last.is_some(), "{text:#?}");
}

#[test]
fn a_tool_that_is_killed_is_told_of() {
    let line = format!(
        "{SLOW} | (sh -c 'echo $$ > pid; exec mc-cat') | (cat; until_file go) | mc-gather -o ndjson:out"
    );
    let (terminal, _) = shown(WIDE, &line, &["mc-cat", "mc-gather"]);
    let pid = std::fs::read_to_string(terminal.dir().join("pid")).unwrap();
    kill(Pid::from_raw(pid.trim().parse().unwrap()), Signal::SIGKILL).unwrap();
    let text = terminal.shows(|text| text.len() == 3 && text[1].ends_with("killed"));
    assert!(tells_of(&text, &["mc-cat", "mc-gather"]), "{text:#?}");
    goes(terminal);
}

#[test]
fn a_signal_leaves_nothing_of_it_on_the_screen() {
    let line = "trap 'echo ended >&2' INT; (seq 3; exec sleep 1000) | mc-cat | mc-map cat >out";
    let (terminal, _) = shown(WIDE, line, &["mc-cat", "mc-map"]);
    terminal.types("\x03");
    let (text, _) = terminal.ends();
    assert_eq!(text, ["^Cended"]);
    let (terminal, _) =
        shown(WIDE, "(seq 3; exec sleep 1000) | mc-cat >out; until_file never", &["mc-cat"]);
    terminal.types("\x1a");
    terminal.shows(|text| text == ["^Z"]);
}

#[test]
fn asked_to_always_it_says_lines_elsewhere() {
    let dir = dir();
    let line = "set -o pipefail; (seq 3; sleep 2.5) | mc-cat | mc-gather --progress always -o ndjson:out 2>err";
    sh("bash", line).current_dir(dir.path()).succeeds();
    let said = std::fs::read_to_string(dir.path().join("err")).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.len() >= 4, "{said}");
    for pair in lines.chunks(2) {
        let begins = |at: usize, tool: &str| {
            pair[at].starts_with(tool) && pair[at].contains("3 records  6 B")
        };
        assert!(begins(0, "mc-cat     ") && begins(1, "mc-gather  "), "{said}");
    }
    assert_eq!(names(dir.path()), ["err", "out"]);
}

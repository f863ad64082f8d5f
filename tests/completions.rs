//! Completions: what the tools offer at the cursor, and that each shell takes it.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::{Call, dir, mc, names, need, repository, sh, write};

/// Types a line into the shell of the arguments, presses tab, and prints what the line then is: the
/// first of its lines makes the shell ready, which binds Ctrl-X to write the line into the file `line`.
const TYPE: &str = r#"
import os, pty, select, sys, time
ready, typed, shell = sys.argv[1], sys.argv[2], sys.argv[3:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(shell[0], shell)
heard = b''
def hear(until):
    global heard
    end = time.time() + 60
    while not until():
        if time.time() > end:
            sys.exit('nothing came: ' + repr(heard))
        if select.select([fd], [], [], 0.05)[0]:
            heard += os.read(fd, 65536)
os.write(fd, (ready + "; echo RE''ADY\n").encode())
hear(lambda: b'READY' in heard)
os.write(fd, (typed + '\t\x18').encode())
hear(lambda: os.path.exists('line'))
os.rename('line', 'read')
print(open('read').read(), end='')
os.close(fd)
os.waitpid(pid, 0)
"#;

/// Lines, and what they are once tab was pressed: the same in all shells.
const LINES: [(&str, &str); 16] = [
    ("mc-cat nd", "mc-cat ndjson"),
    ("mc-cat csv,hea", "mc-cat csv,header="),
    ("mc-cat csv,header=n", "mc-cat csv,header=no"),
    ("mc-cat csv,typed:sal", "mc-cat csv,typed:sales.csv "),
    ("mc-cat sa", "mc-cat sales.csv "),
    ("mc-cat --ver", "mc-cat --ver"),
    ("mc-sort --reve", "mc-sort --reverse "),
    ("mc-split --by roun", "mc-split --by round-robin "),
    ("mc-reduce coun", "mc-reduce count "),
    ("mc-reduce n=coun", "mc-reduce n=count "),
    ("mc-cat sales.csv | mc-reduce sum:am", "mc-cat sales.csv | mc-reduce sum:amount "),
    ("mc-map -h nodea", "mc-map -h nodealpha"),
    ("mc-map -h 2/bob@nodea", "mc-map -h 2/bob@nodealpha"),
    ("mc-cat sales.csv | mc-shuffle -k reg", "mc-cat sales.csv | mc-shuffle -k region"),
    (
        "mc-cat sales.csv | mc-sort --key=region,am",
        "mc-cat sales.csv | mc-sort --key=region,amount",
    ),
    ("mc-gather -o csv:de", "mc-gather -o csv:deep/"),
];

/// A directory with files to complete, and a home.
fn place() -> tempfile::TempDir {
    let dir = dir();
    write(&dir, "sales.csv", "region,amount,unit price\nnorth,10,2\n");
    write(&dir, "nested.ndjson", "{\"user\":{\"id\":7,\"name\":\"x\"},\"a.b\":1}\n");
    write(&dir, "deep/in.csv", "x\n1\n");
    write(&dir, "odd name.csv", "x\n1\n");
    write(&dir, "hosts.txt", "nodealpha\n");
    write(&dir, ".ssh/config", "Host nodealpha *.lan\n  User bob\n");
    write(&dir, ".ssh/known_hosts", "nodebeta ssh-ed25519 AAAA\n|1|aa|bb ssh-ed25519 AAAA\n");
    dir
}

/// What a tool offers at the end of `line`, in `dir`.
fn offered(dir: &Path, line: &str) -> BTreeSet<String> {
    let tool = line.rsplit("mc-").next().unwrap().split(' ').next().unwrap().to_string();
    let call = mc(&tool).args(["--complete", line]).current_dir(dir).env("HOME", dir);
    let text = call.env("MC_SSH_CONFIG", "").succeeds().text();
    text.lines().map(|line| line.split('\t').next().unwrap().to_string()).collect()
}

#[track_caller]
fn offers(dir: &Path, line: &str, expected: &[&str]) {
    let offered = offered(dir, line);
    assert_eq!(offered, expected.iter().map(|word| (*word).to_string()).collect(), "{line}");
}

#[test]
fn fields_are_those_of_the_file_that_the_line_reads() {
    let dir = place();
    let dir = dir.path();
    let of_sales = [".amount", ".region", ".unit price"];
    for before in [
        "mc-cat sales.csv | ",
        "mc-cat csv,typed:sales.csv | mc-map ./f | ",
        "cd x && mc-cat -v -f csv sales.csv 2> err | mc-map -c 'jq .' | ",
    ] {
        offers(dir, &format!("{before}mc-shuffle -k "), &of_sales);
    }
    offers(dir, "mc-sort sales.csv -k ", &of_sales);
    offers(dir, "mc-sort -k r < sales.csv | mc-sort -k re", &[".region"]);
    offers(
        dir,
        "mc-cat nested.ndjson | mc-sort -k ",
        &[".a.b", ".user", "..user.id", "..user.name"],
    );
    offers(
        dir,
        "mc-cat sales.csv | mc-sort -k region:",
        &[".region:V", ".region:i", ".region:n", ".region:r"],
    );
    offers(
        dir,
        "mc-cat sales.csv | mc-shuffle --reduce sum:",
        &[" sum:amount", " sum:region", " sum:unit price"],
    );
    offers(dir, "cat x | mc-join -k i=re sales.csv; mc-join -k user=", &[]);
    offers(
        dir,
        "mc-cat nested.ndjson | mc-join sales.csv -k user=",
        &[".user=amount", ".user=region", ".user=unit price"],
    );
    let reduced =
        "mc-cat sales.csv | mc-shuffle -k region | mc-reduce n=count sum:amount | mc-sort -k ";
    offers(dir, reduced, &[".amount_sum", ".n", ".region"]);
    let reduced = "mc-cat sales.csv | mc-shuffle -k region --reduce mean:amount | mc-sort -k ";
    offers(dir, reduced, &[".amount_mean", ".region"]);
}

#[test]
fn what_cannot_be_read_at_once_is_not_read() {
    let dir = place();
    sh("bash", "mkfifo pipe.csv; head -c 3000000 /dev/zero > zeros.csv")
        .current_dir(&dir)
        .succeeds();
    write(&dir, "mc-format-own", "#!/bin/sh\ntouch ran\n");
    sh("bash", "chmod +x mc-format-own").current_dir(&dir).succeeds();
    for resource in [
        "pipe.csv",
        "http://127.0.0.1:9/a.csv",
        "-",
        "no-such.csv",
        "zeros.csv",
        "own:sales.csv",
        "csv,bogus:sales.csv",
        "deep",
        "/dev/zero",
        "client:///etc/passwd",
        "\\",
    ] {
        offers(dir.path(), &format!("mc-cat {resource} | mc-sort -k "), &[]);
    }
    assert!(!dir.path().join("ran").exists(), "a program was run");
}

#[test]
fn hosts_are_those_that_ssh_knows_by_name() {
    let dir = place();
    let dir = dir.path();
    let names = offered(dir, "mc-map -h ");
    for name in [".nodealpha", ".nodebeta", ".:", " @", " @job", " hosts.txt", ".deep/"] {
        assert!(names.contains(name), "{name} {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains(['|', '*'])), "{names:?}");
    offers(dir, "mc-cat -h a,8/nodeb", &[".a,8/nodebeta"]);
}

#[test]
fn commands_are_left_to_the_shell_and_files_are_files() {
    let dir = place();
    let dir = dir.path();
    offers(dir, "mc-map -h a ", &["!3"]);
    offers(dir, "LC_ALL=C mc-map --each gre", &["!2"]);
    offers(dir, "mc-map sort -", &["!1"]);
    offers(dir, "mc-reduce -- so", &["!2"]);
    offers(
        dir,
        "mc-map -c 'jq .a' -",
        &offered(dir, "mc-map -").iter().map(String::as_str).collect::<Vec<_>>(),
    );
    offers(dir, "mc-map -c jq", &["?"]);
    offers(dir, "mc-cat x > ", &["?"]);
    offers(dir, "mc-sort -T ", &[".deep/"]);
    offers(dir, "mc-cat --bad ", &[" fail", " skip", ".file=", ".limit="]);
    offers(dir, "mc-cat deep/", &[" deep/in.csv"]);
    offers(dir, "mc-split --by ", &[" contiguous", " key", " round-robin"]);
    offers(dir, "mc-split --explain --by ", &[" contiguous", " key", " round-robin"]);
    offers(dir, "mc-cat --explain=", &[" --explain=json", " --explain=text"]);
}

/// What a tool says there is, in the message about an option that is none.
fn options_of_format(format: &str) -> BTreeSet<String> {
    let resource = format!("{format},no-such-option:x");
    let mut options = BTreeSet::new();
    for (tool, args) in [("cat", vec![&*resource]), ("gather", vec!["-o", &resource])] {
        let said = mc(tool).args(args).stdin("").stderr_any().spawn().wait();
        let said = String::from_utf8(said.stderr).unwrap();
        let list = said.split_once("there are ").map_or("", |(_, list)| list.trim_end());
        let words = list.split(", ").filter_map(|option| option.split(' ').next());
        let words = words.map(|word| word.split('=').next().unwrap());
        options.extend(words.filter(|w| !["", "none", "when"].contains(w)).map(String::from));
    }
    options
}

#[test]
fn formats_and_ops_are_all_that_there_are() {
    let dir = dir();
    let said = mc("cat").arg(":x").stderr_any().fails(2).stderr;
    let said = String::from_utf8(said).unwrap();
    let formats = said.split_once("they are ").unwrap().1.split_once(')').unwrap().0.to_string();
    let expected: BTreeSet<String> = formats.split(", ").map(|name| format!(".{name}")).collect();
    assert_eq!(offered(dir.path(), "mc-cat "), expected);
    for format in formats.split(", ") {
        let offered = offered(dir.path(), &format!("mc-cat {format},"));
        let names = offered
            .iter()
            .map(|offer| offer.rsplit(',').next().unwrap().trim_end_matches('=').to_string());
        let of_format: BTreeSet<String> = match format {
            "tsv" => options_of_format("csv"),
            _ => options_of_format(format),
        };
        assert_eq!(names.collect::<BTreeSet<_>>(), of_format, "{format}");
    }
    let help = mc("reduce").arg("--help").succeeds().text();
    for op in offered(dir.path(), "mc-reduce ") {
        let name = op.trim_matches([' ', '.', ':', '=']);
        assert!(help.contains(name), "{name} is no op");
    }
}

/// The programs that a person types.
fn typed() -> Vec<String> {
    let all = names(repository("bins")).into_iter();
    all.filter(|name| *name != "mc-worker.rs" && !name.starts_with("mc-format-")).collect()
}

#[test]
fn every_option_of_every_tool_is_offered() {
    let dir = dir();
    for name in typed().iter() {
        let tool = name.trim_end_matches(".rs").trim_start_matches("mc-");
        let offered = offered(dir.path(), &format!("mc-{tool} -"));
        let help = mc(tool).arg("--help").succeeds().text();
        let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
        for line in lines {
            // What stands in brackets is a value that need not be said.
            let spelling = line.split("  ").next().unwrap().replace([',', '['], " ");
            for word in spelling.split(' ').filter(|word| word.starts_with('-') && word.len() > 1) {
                assert!(offered.contains(&format!(" {word}")), "mc-{tool}: {word} {offered:?}");
            }
        }
    }
}

/// Types each line into a shell, which is made ready by `ready` where the scripts lie in `scripts`.
fn types(shell: &[&str], ready: &str, more: &[(&str, &str)]) {
    for program in ["python3", shell[0]] {
        need(program, &format!("apt-get install {program}"));
    }
    let (dir, scripts) = (place(), dir());
    for tool in typed().iter() {
        let tool = tool.trim_end_matches(".rs");
        let script = mc(&tool[3..]).args(["--completions", shell[0]]).succeeds().text();
        write(&scripts, &format!("_{tool}"), script);
    }
    let ready = ready.replace("SCRIPTS", scripts.path().to_str().unwrap());
    for (typed, expected) in LINES.iter().chain(more) {
        let call = Call::new("python3").args(["-c", TYPE, &ready, typed]).args(shell);
        let call = call.current_dir(&dir).env("HOME", dir.path()).env("TERM", "dumb");
        // An option that begins two others stays as it is.
        let expected = if typed.ends_with("--ver") { "mc-cat --ver" } else { expected };
        call.stdout(format!("{expected}\n")).succeeds();
    }
}

#[test]
fn bash_completes() {
    let ready = "for s in SCRIPTS/_*; do . $s; done; bind -x '\"\\C-x\": printf \"%s\\n\" \"$READLINE_LINE\" > line.new; mv line.new line'";
    // What the tools before it read is known where it was completed on the same line.
    let more = [
        ("mc-cat deep/i\t| mc-sort -k ", "mc-cat deep/in.csv | mc-sort -k x"),
        ("mc-cat odd\\ n", "mc-cat odd\\ name.csv "),
        ("mc-cat 'odd n", "mc-cat 'odd name.csv'"),
    ];
    types(&["bash", "--norc", "--noprofile", "-i"], ready, &more);
}

#[test]
fn zsh_completes() {
    let ready = "fpath=(SCRIPTS $fpath); autoload -Uz compinit; compinit -u -D; \
                 dump() { print -r -- $BUFFER > line.new; mv line.new line; }; zle -N dump; bindkey '^X' dump";
    types(&["zsh", "-f", "-i"], ready, &[("mc-cat odd\\ n", "mc-cat odd\\ name.csv ")]);
}

#[test]
fn fish_completes() {
    need("fish", "apt-get install fish");
    let dir = place();
    for (typed, expected) in LINES {
        let tool = typed.rsplit("mc-").next().unwrap().split(' ').next().unwrap();
        let script = "eval (mc-$argv[1] --completions fish | string collect); complete -C $argv[2]";
        let call = sh("fish", script).args([tool, typed]).current_dir(&dir).env("HOME", dir.path());
        let found = call.succeeds().text();
        let word = expected.trim_end().rsplit(' ').next().unwrap();
        let found: Vec<&str> = found.lines().map(|line| line.split('\t').next().unwrap()).collect();
        if typed.ends_with("--ver") {
            assert_eq!(found, ["--verbose", "--version"]);
        } else {
            assert_eq!(found, [word], "{typed}");
        }
    }
}

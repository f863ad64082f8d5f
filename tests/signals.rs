//! Signals: the exit status says which, and no process and no file is left, whoever is killed.

use std::fs::{File, OpenOptions};
use std::io::Write;

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};

use crate::support::{Call, Running, dir, marked, mc, names, need, sh, until, until_or};

/// A tool at work: it reads a fifo that has no end.
struct AtWork {
    dir: tempfile::TempDir,
    running: Option<Running>,
    /// How many commands it runs.
    commands: usize,
    fifo: File,
}

impl AtWork {
    /// Starts `line` in its own directory, with `temporary` for temporary files there, on the
    /// numbers to 20,000 and no end.
    fn new(line: &str) -> AtWork {
        let dir = dir();
        let fifo = dir.path().join("fifo");
        mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        std::fs::create_dir(dir.path().join("temporary")).unwrap();
        let mut held = OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
        let call: Call = sh("bash", &format!("exec {line} <fifo"))
            .current_dir(dir.path())
            .marked(dir.path())
            .env("TMPDIR", dir.path().join("temporary"))
            .stderr_any();
        let running = call.spawn();
        let numbers: String = (0..20_000).map(|n| format!("{n}\n")).collect();
        held.write_all(numbers.as_bytes()).unwrap();
        let commands = if line.contains("begun.") { 2 } else { 0 };
        AtWork { dir, running: Some(running), commands, fifo: held }
    }

    fn id(&self) -> i32 {
        self.running.as_ref().unwrap().id()
    }

    /// Waits until `count` processes are there, and the commands have begun or all of the input is
    /// read.
    #[track_caller]
    fn begun(&self, count: usize) {
        let at_work = || match self.commands {
            0 => self.has_read_all(),
            commands => self.count("begun.") == commands,
        };
        until_or(
            || marked(self.dir.path()).len() >= count && at_work(),
            || format!("{count} processes at work, only {:?}", marked(self.dir.path())),
        );
    }

    /// Whether there is nothing in the fifo.
    fn has_read_all(&self) -> bool {
        rustix::io::ioctl_fionread(&self.fifo).unwrap() == 0
    }

    /// How many files of its directory have names that begin so: those that commands make.
    fn count(&self, prefix: &str) -> usize {
        names(self.dir.path()).iter().filter(|name| name.starts_with(prefix)).count()
    }

    /// Sends the tool alone a signal.
    #[track_caller]
    fn signal(&self, signal: Signal) {
        self.running.as_ref().unwrap().signal(signal);
    }

    /// The tool exits with `code`, and nothing is left.
    #[track_caller]
    fn ends(mut self, code: i32) {
        self.running.take().unwrap().exits(code);
        let left = || (marked(self.dir.path()), self.names());
        until_or(|| self.is_clean(), || format!("nothing is left behind, but {:?}", left()));
    }

    fn is_clean(&self) -> bool {
        marked(self.dir.path()).is_empty()
            && self.names() == ["fifo", "temporary"]
            && names(self.dir.path().join("temporary")).is_empty()
    }

    /// What is in its directory but what commands say of themselves.
    fn names(&self) -> Vec<String> {
        let said = |name: &String| name.starts_with("begun.") || name.starts_with("asked.");
        names(self.dir.path()).into_iter().filter(|name| !said(name)).collect()
    }
}

/// Two commands that keep running, do not listen to TERM, and have a daemon; they say that they have
/// begun.
const SLEEPERS: &str = "mc-map --block 1K -j 2 -c 'setsid sleep 1000 & trap \"\" TERM; \
    touch begun.$$; while :; do sleep 0.1; done'";

/// Commands that say that they are asked to end, and do not. What bash says of the sleep that was asked
/// too has no reader, which would end it.
const STUBBORN: &str = "mc-map --block 1K -j 2 -c 'exec 2>/dev/null; trap \": >asked.$$\" TERM; \
    touch begun.$$; while :; do sleep 0.1; done'";

/// How often two tools are compared: the machine may be busy with the one that is to be first.
const TRIES: usize = 5;

/// Each tool as it works on something without end, and how many processes that are at least.
const AT_WORK: [(&str, usize); 9] = [
    ("mc-cat ndjson:-", 1),
    ("mc-sort -S 64K", 1),
    ("mc-shuffle -S 64K", 1),
    ("mc-reduce -k . count", 1),
    ("mc-join -k . -S 64K range:0..9000", 1),
    ("mc-gather -o ndjson:out", 2),
    ("mc-gather -o out.ndjson.gz", 2),
    ("mc-split -n 3 -o ndjson:part-%d", 2),
    (SLEEPERS, 4),
];

#[test]
fn int_term_and_hup_end_every_tool_and_leave_nothing() {
    let signals = [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)];
    for (line, count) in AT_WORK {
        std::thread::scope(|scope| {
            for (signal, code) in signals {
                scope.spawn(move || {
                    let work = AtWork::new(line);
                    work.begun(count);
                    work.signal(signal);
                    work.ends(code);
                });
            }
        });
    }
}

#[test]
fn a_terminal_sends_signals_to_the_whole_group() {
    for (line, count) in [AT_WORK[4], AT_WORK[7]] {
        let work = AtWork::new(line);
        work.begun(count);
        work.running.as_ref().unwrap().signal_all(Signal::SIGINT);
        work.ends(130);
    }
}

#[test]
fn a_kill_of_any_one_process_leaves_nothing() {
    for (line, count) in [AT_WORK[1], AT_WORK[4], AT_WORK[7]] {
        let parent = AtWork::new(line);
        parent.begun(count);
        parent.signal(Signal::SIGKILL);
        parent.ends(137);
        if count == 1 {
            continue;
        }
        let child = AtWork::new(line);
        child.begun(count);
        let own = child.id();
        let (pid, _) = marked(child.dir.path()).into_iter().find(|(_, p)| *p == own).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        child.ends(137);
    }
}

#[test]
fn a_second_int_does_not_wait() {
    // Of two tools that are interrupted one after the other, the later one is again, and ends first:
    // the commands of the other have time to end by themselves.
    let is_first = |_| {
        let (other, work) = (AtWork::new(STUBBORN), AtWork::new(STUBBORN));
        for work in [&other, &work] {
            work.begun(4);
        }
        for work in [&other, &work] {
            work.signal(Signal::SIGINT);
            until("the commands are asked to end", || work.count("asked.") == 2);
        }
        work.signal(Signal::SIGINT);
        work.ends(130);
        let is_first = !marked(other.dir.path()).is_empty();
        other.ends(130);
        is_first
    };
    assert!((0..TRIES).any(is_first));
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let work = AtWork::new("env --ignore-signal=HUP mc-gather -o ndjson:out");
    work.begun(2);
    work.signal(Signal::SIGHUP);
    (&work.fifo).write_all(b"1\n").unwrap();
    until("it goes on", || work.has_read_all());
    assert_eq!(marked(work.dir.path()).len(), 2);
    // Had it heard the first, it would end by that: a process is told of HUP before TERM.
    work.signal(Signal::SIGTERM);
    work.ends(143);
}

#[test]
fn stopping_and_continuing_loses_nothing() {
    let dir = dir();
    let script = "set -m
        wait_for() { while ! eval \"$1\"; do sleep 0.01; done; }
        (seq 5; wait_for '[ -e go ]'; seq 6 10) | mc-map --block 1 -c 'tee -a seen' |
            mc-gather -o ndjson:out &
        wait_for '[ $(wc -l <seen) = 5 ]' 2>/dev/null; kill -TSTP %1
        wait_for 'jobs >jobs; grep -q Stopped jobs'; touch go; kill -CONT %1; wait %1";
    sh("bash", script).current_dir(dir.path()).stderr_any().succeeds();
    let numbers: String = (1..=10).map(|n| format!("{n}\n")).collect();
    assert_eq!(std::fs::read_to_string(dir.path().join("out")).unwrap(), numbers);
}

#[test]
fn a_stopped_tool_can_be_ended() {
    let work = AtWork::new(SLEEPERS);
    work.begun(4);
    let running = work.running.as_ref().unwrap();
    running.signal_all(Signal::SIGSTOP);
    running.signal(Signal::SIGTERM);
    running.signal(Signal::SIGCONT);
    work.ends(143);
}

#[test]
fn what_a_command_leaves_behind_ends_with_the_tool() {
    let work = dir();
    let call = mc("map").args(["-c", "setsid sleep 1000 >/dev/null 2>&1 & cat"]).stdin("1\n");
    call.marked(work.path()).stdout("1\n").stderr_any().succeeds();
    assert_eq!(marked(work.path()), []);
}

/// A program that starts another with signals set as they should not be.
const ODD_PARENTS: [(&str, &str); 3] = [
    ("perl", "perl -e '$SIG{CHLD} = \"IGNORE\"; exec @ARGV'"),
    (
        "perl",
        "perl -MPOSIX -e 'POSIX::sigprocmask(SIG_BLOCK, POSIX::SigSet->new(1 .. 31)); exec @ARGV'",
    ),
    (
        "python3",
        "python3 -c 'import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
os.execvp(sys.argv[1], sys.argv[1:])'",
    ),
];

#[test]
fn what_a_parent_did_to_signals_does_not_matter() {
    for (program, odd) in ODD_PARENTS {
        need(program, &format!("apt-get install {program}"));
        let dir = dir();
        let line = format!("seq 3 | {odd} mc-map cat | {odd} mc-gather -o ndjson:out");
        sh("bash", &line).current_dir(dir.path()).succeeds();
        assert_eq!(std::fs::read_to_string(dir.path().join("out")).unwrap(), "1\n2\n3\n");
        sh("bash", &format!("seq 3 | {odd} mc-map false")).stderr_any().fails(1);
        for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
            let work = AtWork::new(&format!("{odd} {SLEEPERS}"));
            work.begun(4);
            work.signal(signal);
            work.ends(code);
        }
    }
}

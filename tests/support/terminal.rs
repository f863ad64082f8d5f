//! A terminal that a line of shell runs on, by what stands on its screen.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::{dir, tools, until_or, worker};

/// What stands on a screen: as much of a terminal as the tools need, and no more; what else is sent to it is
/// an error.
pub struct Screen {
    columns: usize,
    /// What has left it at the top, and the lines that stand on it.
    gone: Vec<String>,
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
    saved: (usize, usize),
    /// What has come of a sequence.
    sequence: String,
    wrong: Vec<String>,
}

impl Screen {
    /// An empty one.
    pub fn new(columns: usize, lines: usize) -> Screen {
        let lines = vec![Vec::new(); lines];
        let (gone, sequence, wrong) = (Vec::new(), String::new(), Vec::new());
        Screen { columns, gone, lines, row: 0, column: 0, saved: (0, 0), sequence, wrong }
    }

    /// Takes text.
    pub fn take(&mut self, text: &str) {
        for c in text.chars() {
            match (self.sequence.is_empty(), c) {
                (true, '\x1b') => self.sequence.push(c),
                (true, '\r') => self.column = 0,
                (true, '\n') => self.down(),
                (true, c) => self.put(c),
                (false, c) => {
                    self.sequence.push(c);
                    if c != '[' && (!c.is_ascii_digit() || self.sequence.len() == 2) {
                        let sequence = std::mem::take(&mut self.sequence);
                        self.obey(&sequence[1..]);
                    }
                }
            }
        }
    }

    fn put(&mut self, c: char) {
        if c.is_control() {
            self.wrong.push(format!("{c:?}"));
        }
        if self.column == self.columns {
            self.column = 0;
            self.down();
        }
        let line = &mut self.lines[self.row];
        if line.len() <= self.column {
            line.resize(self.column + 1, ' ');
        }
        line[self.column] = c;
        self.column += 1;
    }

    fn down(&mut self) {
        if self.row + 1 < self.lines.len() {
            self.row += 1;
        } else {
            let line = self.lines.remove(0);
            self.gone.push(line.into_iter().collect());
            self.lines.push(Vec::new());
        }
    }

    fn obey(&mut self, sequence: &str) {
        let number = sequence.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(1);
        match (sequence, sequence.chars().last()) {
            ("D", _) => self.down(),
            ("7", _) => self.saved = (self.row, self.column),
            ("8", _) => (self.row, self.column) = self.saved,
            ("[K", _) => self.lines[self.row].truncate(self.column),
            ("[J", _) => {
                self.lines[self.row].truncate(self.column);
                self.lines[self.row + 1..].iter_mut().for_each(Vec::clear);
            }
            (_, Some('A')) => self.row = self.row.saturating_sub(number),
            _ => self.wrong.push(format!("ESC {sequence}")),
        }
    }

    /// The lines of it, and those that left it, up to the last one with anything in it.
    fn text(&self) -> Vec<String> {
        assert!(self.wrong.is_empty(), "unknown to this terminal: {:?}", self.wrong);
        let lines = self.lines.iter().map(|line| line.iter().collect::<String>());
        let all = self.gone.iter().cloned().chain(lines);
        let mut text: Vec<String> = all.map(|line| line.trim_end().to_string()).collect();
        while text.last().is_some_and(String::is_empty) {
            text.pop();
        }
        text
    }
}

/// A line of bash that runs with a terminal for its standard error, in a directory of its own.
pub struct Terminal {
    child: Child,
    screen: Arc<Mutex<Screen>>,
    reader: Option<JoinHandle<()>>,
    other_side: File,
    dir: tempfile::TempDir,
    line: String,
}

impl Terminal {
    /// Runs `line` on a terminal of this size.
    #[track_caller]
    pub fn run((columns, lines): (u16, u16), line: &str) -> Terminal {
        let dir = dir();
        let size = Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let terminal = openpty(&size, None).unwrap();
        // It is the terminal of a session of its own, in which there can be jobs in the background.
        let mut command = Command::new("setsid");
        // Keys mean there what they mean to a user, though a test may run where they mean nothing.
        command.args(["--ctty", "--wait", "env", "--default-signal=INT,QUIT,TSTP"]);
        command.args(["bash", "-c", line]).current_dir(dir.path());
        let path = format!("{}:{}", tools().display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).env("TERM", "xterm").env_remove("NO_COLOR");
        command.env("XDG_STATE_HOME", dir.path()).env("MC_WORKER", worker());
        command.stdin(terminal.slave.try_clone().unwrap()).stdout(Stdio::null());
        let child = command.stderr(terminal.slave).spawn().unwrap();
        // Ours of the terminal's other side is in the command.
        drop(command);
        let screen = Arc::new(Mutex::new(Screen::new(columns.into(), lines.into())));
        let (mut from, to) = (File::from(terminal.master), Arc::clone(&screen));
        let other_side = from.try_clone().unwrap();
        let reader = std::thread::spawn(move || {
            let (mut buffer, mut begun) = ([0; 4096], Vec::new());
            // It ends with an error when nobody has the terminal any more.
            while let Ok(got @ 1..) = from.read(&mut buffer) {
                begun.extend_from_slice(&buffer[..got]);
                let whole = begun.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
                let text = String::from_utf8(begun.drain(..whole).collect()).unwrap();
                to.lock().unwrap().take(&text);
            }
        });
        Terminal { child, screen, reader: Some(reader), other_side, dir, line: line.to_string() }
    }

    /// What stands there.
    #[track_caller]
    pub fn text(&self) -> Vec<String> {
        self.screen.lock().unwrap().text()
    }

    /// Waits until what stands there is as `is` wants it, and returns it.
    #[track_caller]
    pub fn shows(&self, is: impl Fn(&[String]) -> bool) -> Vec<String> {
        let mut seen = Vec::new();
        until_or(
            || {
                let text = self.text();
                let found = is(&text);
                seen = text;
                found
            },
            || format!("{}: what is to be seen never is: {:#?}", self.line, self.text()),
        );
        seen
    }

    /// Makes a file that the line waits for.
    #[track_caller]
    pub fn file(&self, name: &str) {
        std::fs::write(self.dir.path().join(name), "").unwrap();
    }

    /// The directory that the line runs in.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Another size from now on.
    #[track_caller]
    pub fn resize(&self, columns: u16, lines: u16) {
        let rows = std::process::Command::new("stty")
            .args(["cols", &columns.to_string(), "rows", &lines.to_string()])
            .stdin(self.other_side.as_fd().try_clone_to_owned().unwrap())
            .status();
        assert!(rows.unwrap().success());
        self.screen.lock().unwrap().columns = columns.into();
    }

    /// Types text.
    #[track_caller]
    pub fn types(&self, text: &str) {
        std::io::Write::write_all(&mut &self.other_side, text.as_bytes()).unwrap();
    }

    /// Waits for the end; what stands there then, and the exit status.
    #[track_caller]
    pub fn ends(mut self) -> (Vec<String>, Option<i32>) {
        let (mut status, child, screen) = (None, &mut self.child, &self.screen);
        until_or(
            || {
                status = child.try_wait().unwrap();
                status.is_some()
            },
            || format!("{}: hangs: {:#?}", self.line, screen.lock().unwrap().text()),
        );
        self.reader.take().unwrap().join().unwrap();
        (self.text(), status.unwrap().code())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = killpg(Pid::from_raw(self.child.id() as i32), Signal::SIGKILL);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[test]
fn a_screen_does_what_terminals_do() {
    let after = |text: &str| {
        let mut screen = Screen::new(5, 3);
        screen.take(text);
        screen.text()
    };
    assert_eq!(after("ab\r\ncd\rx"), ["ab", "xd"]);
    assert_eq!(after("abcdefg"), ["abcde", "fg"]);
    assert_eq!(after("1\r\n2\r\n3\r\n4"), ["1", "2", "3", "4"]);
    assert_eq!(after("ab\r\ncd\x1b[1Ax\r\x1b[K"), ["", "cd"]);
    assert_eq!(after("ab\r\ncd\x1b[A\x1b[J"), ["ab"]);
    assert_eq!(after("ab\x1bDc\x1b7\r\nd\x1b8e"), ["ab", "  ce", "d"]);
    let mut screen = Screen::new(5, 3);
    screen.take("\x1b[31m");
    assert_eq!(screen.wrong, ["ESC [31m"]);
}

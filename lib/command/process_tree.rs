//! Processes as `/proc` shows them: who descends from whom, and how a tree of them is ended.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long processes have to end by themselves after they were asked to.
const TERM_GRACE: Duration = Duration::from_secs(2);

/// How long killed processes are waited for: one that hangs in the kernel would hold us up.
const KILL_WAIT: Duration = Duration::from_secs(3);

/// How often processes are looked at while they end.
pub const LOOK_EVERY_MS: u16 = 5;

/// One process.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its parent's number.
    pub parent: i32,
    /// When it started, in ticks since boot: with its number, its identity.
    pub started: u64,
    /// Its name.
    pub name: String,
    /// Whether it has ended and is only waiting for its parent to hear of it.
    pub dead: bool,
    /// Whether it is just ending: its files may be closed, and it is there still.
    pub exiting: bool,
}

/// The flag of a process that is ending, as the kernel shows it (`PF_EXITING`).
const EXITING: u64 = 4;

/// All processes at one moment.
#[derive(Debug, Default)]
pub struct Processes(HashMap<i32, Process>);

impl Processes {
    /// What `/proc` shows now; nothing where there is no `/proc`.
    pub fn now() -> Processes {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        Processes(pids.filter_map(|pid| Some((pid, stat(pid)?))).collect())
    }

    /// The living processes that descend from one of `roots`, these included.
    pub fn tree(&self, roots: &HashSet<i32>) -> Vec<&Process> {
        self.0.values().filter(|p| !p.dead && self.descends(p, roots)).collect()
    }

    /// The children of process `pid`, dead or alive.
    pub fn children(&self, pid: i32) -> impl Iterator<Item = &Process> {
        self.0.values().filter(move |p| p.parent == pid)
    }

    fn descends(&self, process: &Process, roots: &HashSet<i32>) -> bool {
        let mut at = process;
        // No line of ancestors is longer than there are processes, whatever was read.
        for _ in 0..=self.0.len() {
            if roots.contains(&at.pid) {
                return true;
            }
            match self.0.get(&at.parent) {
                Some(parent) => at = parent,
                None => return false,
            }
        }
        false
    }
}

fn stat(pid: i32) -> Option<Process> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // The name stands in parentheses and may hold anything, parentheses included.
    let (head, fields) = text.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_string();
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    Some(Process {
        pid,
        name,
        dead: matches!(*fields.first()?, "Z" | "X"),
        exiting: fields.get(6)?.parse::<u64>().ok()? & EXITING != 0,
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

/// Ends all processes that `roots` finds and all that descend from them, as [`TreeEnding`] does.
/// Gives the names of those that it ended.
///
/// `roots` is asked again at each look, for a process whose parent ends gets another one.
pub fn end(mut roots: impl FnMut(&Processes) -> HashSet<i32>) -> Vec<String> {
    let mut ending = TreeEnding::start();
    while ending.look(&mut roots) && !ending.is_given_up() {
        std::thread::sleep(Duration::from_millis(LOOK_EVERY_MS.into()));
    }
    ending.names
}

/// The ending of trees of processes, look by look: all are asked to end (TERM), and those that are
/// still there after a grace, or when it hurries, are killed.
pub struct TreeEnding {
    start: Instant,
    hurry: bool,
    /// Whom we have met: one whose parent has ended is not found from the roots any more.
    met: HashMap<i32, u64>,
    names: Vec<String>,
}

impl TreeEnding {
    /// One that begins now.
    pub fn start() -> TreeEnding {
        TreeEnding { start: Instant::now(), hurry: false, met: HashMap::new(), names: Vec::new() }
    }

    /// From the next look on, kills.
    pub fn hurry(&mut self) {
        self.hurry = true;
    }

    /// Whether what is still there will not go away: it hangs in the kernel.
    pub fn is_given_up(&self) -> bool {
        self.start.elapsed() > TERM_GRACE + KILL_WAIT
    }

    /// Tells all living processes that `roots` finds, those that descend from them, and those met
    /// before, what it is time for. Whether there were any.
    pub fn look(&mut self, roots: impl FnOnce(&Processes) -> HashSet<i32>) -> bool {
        let now = Processes::now();
        let mut from = roots(&now);
        from.extend(self.met.iter().filter_map(|(pid, started)| {
            now.0.get(pid).filter(|p| p.started == *started).map(|p| p.pid)
        }));
        let mut living = now.tree(&from);
        // Parents first: a shell that sees its child end would go on to its next command.
        living.sort_by_key(|process| (process.started, process.pid));
        self.hurry |= self.start.elapsed() >= TERM_GRACE;
        for process in &living {
            let pid = Pid::from_raw(process.pid);
            let fresh = self.met.insert(process.pid, process.started) != Some(process.started);
            // A process that has just ended cannot be told anything: nothing is lost.
            if self.hurry {
                let _ = kill(pid, Signal::SIGKILL);
            } else if fresh {
                let _ = kill(pid, Signal::SIGTERM);
                // A stopped one would not hear it.
                let _ = kill(pid, Signal::SIGCONT);
            }
            // One that is ending by itself is waited for, and was not ended.
            if fresh && !process.exiting {
                self.names.push(format!("{} ({})", process.name, process.pid));
            }
        }
        !living.is_empty()
    }
}

/// The value of `name` in the environment that process `pid` was started with.
pub fn environment(pid: i32, name: &str) -> Option<Vec<u8>> {
    let bytes = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let found = bytes.split(|&b| b == 0).find_map(|entry| {
        entry.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
    });
    found.map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    /// The signal that has ended the shell of `line`, and the names of all that were ended.
    fn tree_of(line: &str) -> (Option<i32>, Vec<String>) {
        let mut shell =
            Command::new("sh").args(["-c", line]).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(shell.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        let root = HashSet::from([shell.id() as i32]);
        let ended = end(|_| root.clone());
        (shell.wait().unwrap().signal(), ended)
    }

    #[test]
    fn a_whole_tree_ends_when_asked() {
        // A shell that sees its children end before it is asked itself would end by itself.
        let (signal, ended) =
            tree_of("(sleep 1000 & sleep 1000 & echo ready; wait); while :; do sleep 0.1; done");
        assert_eq!(signal, Some(Signal::SIGTERM as i32));
        assert!(ended.len() >= 3, "{ended:?}");
    }

    #[test]
    fn who_does_not_listen_is_killed() {
        let (signal, ended) = tree_of("trap '' TERM; echo ready; while :; do sleep 0.1; done");
        assert_eq!(signal, Some(Signal::SIGKILL as i32));
        assert!(ended.iter().any(|name| name.starts_with("sh ")), "{ended:?}");
    }

    #[test]
    fn who_is_to_hurry_is_not_waited_for() {
        let line = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.1; done";
        let mut shell =
            Command::new("sh").args(["-c", line]).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(shell.stdout.take().unwrap()).lines();
        assert_eq!(out.next().unwrap().unwrap(), "ready");
        let roots = |_: &Processes| HashSet::from([shell.id() as i32]);
        let mut ending = TreeEnding::start();
        assert!(ending.look(roots));
        assert_eq!(out.next().unwrap().unwrap(), "asked");
        ending.hurry();
        assert!(ending.look(roots));
        assert_eq!(shell.wait().unwrap().signal(), Some(Signal::SIGKILL as i32));
        assert!(out.next().is_none());
    }

    #[test]
    fn finds_children_and_their_environment() {
        // A process shows no environment while it is being executed: one that has said a word is
        // past that.
        let mut child = Command::new("sh")
            .args(["-c", "echo ready; read -r word"])
            .env("MC_TEST", "a=b")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        let now = Processes::now();
        let own = std::process::id() as i32;
        assert!(now.children(own).any(|p| p.pid == child.id() as i32 && p.name == "sh"));
        assert_eq!(environment(child.id() as i32, "MC_TEST").as_deref(), Some(b"a=b".as_slice()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

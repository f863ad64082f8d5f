//! One attempt: start the command, feed it, collect what it prints, hear what it says, see it end.
//!
//! One thread serves the three pipes, none of which blocks, so that no order in which a command
//! reads and writes can hold it up. How it went is judged when the command itself ends. What keeps
//! its output open then (a daemon that it left behind) has a short grace, and is killed.

use std::io::PipeReader;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::Signal;
use nix::sys::time::TimeSpec;

use crate::command::children::{ATTEMPT_VARIABLE, Children, Started, TASK_VARIABLE};
use crate::command::feed::{self, Feed, Flow, Gathering};
use crate::command::program::Command;
use crate::command::relay::{LastWords, Relay};
use crate::command::reporter::Counted;
use crate::error::{Error, Result};
use crate::spool::{READ_BYTES, Spool};

/// How often it is asked whether to stop, and whether the command has ended, at the least.
const TICK: Duration = Duration::from_millis(100);

/// The first wait for a command that has closed its output: mostly it ends at once.
const SOON: Duration = Duration::from_micros(50);

/// How long a process that a command left behind may keep the command's output open.
pub const OUTPUT_GRACE: Duration = Duration::from_secs(2);

/// How long we wait to hear of a signal that has just ended a command: what ends the whole
/// pipeline often reaches the command first.
const SIGNAL_WAIT: Duration = Duration::from_millis(50);

/// What is needed for an attempt.
pub struct Attempt<'a> {
    /// The command.
    pub command: &'a Command,
    /// What it gets on its standard input.
    pub input: &'a Spool,
    /// The number of its task, from 1.
    pub task: u64,
    /// The number of the attempt at this task, from 1.
    pub number: u32,
    /// How long it may run.
    pub timeout: Option<Duration>,
    /// Whether to give up.
    pub stop: &'a dyn Fn() -> bool,
    /// The commands that run now.
    pub children: &'a Children,
    /// Whether lines of its standard error may report something.
    pub may_report: bool,
    /// What is put before each line of its standard error.
    pub prefix: String,
    /// Takes those lines, whole ones, several at once.
    pub pass_on: &'a (dyn Fn(&str) + Sync),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandEnd {
    /// By itself, with this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
    /// It was ended, for it ran too long.
    Timeout,
    /// It was ended, for it is not needed any more.
    Stopped,
}

impl std::fmt::Display for CommandEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CommandEnd::Status(status) => write!(f, "exit status {status}"),
            CommandEnd::Signal(number) => write!(f, "killed by {}", signal(*number)),
            CommandEnd::Timeout => f.write_str("killed: it ran longer than --timeout allows"),
            CommandEnd::Stopped => f.write_str("stopped"),
        }
    }
}

/// The name of a signal.
pub(crate) fn signal(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_string(),
        Err(_) => format!("signal {number}"),
    }
}

impl CommandEnd {
    /// The exit status, if it ended by itself.
    pub(crate) fn status(self) -> Option<i32> {
        if let CommandEnd::Status(status) = self { Some(status) } else { None }
    }

    /// The exit status that a message tells of, which ends as one is shown.
    pub(crate) fn status_in(text: &str) -> Option<i32> {
        text.rsplit_once("exit status ")?.1.parse().ok()
    }

    fn of(status: ExitStatus) -> CommandEnd {
        // The signal first: a process that was killed has no status.
        match (status.signal(), status.code()) {
            (Some(signal), _) => CommandEnd::Signal(signal),
            (None, Some(code)) => CommandEnd::Status(code),
            (None, None) => CommandEnd::Status(-1),
        }
    }
}

/// A finished attempt.
#[derive(Debug)]
pub struct Ended {
    /// How the command ended.
    pub how: CommandEnd,
    /// What it printed.
    pub output: Spool,
    /// The last lines of its standard error.
    pub last_words: LastWords,
    /// What it has counted.
    pub counted: Counted,
    /// The processes that kept its output open after its end, and were killed.
    pub killed: Vec<String>,
}

impl Attempt<'_> {
    /// Runs the command to its end, its output into `output`.
    ///
    /// # Errors
    /// `Usage` when it cannot be started, `Storage` when its output cannot be kept. How badly the
    /// command ended is no error here.
    pub fn run(self, mut output: Spool) -> Result<Ended> {
        let mut running = self.start()?;
        let mut relay = Relay::new(self.prefix.clone(), self.may_report, self.pass_on);
        let mut how = running.serve(&mut output, &mut relay)?;
        if matches!(how, CommandEnd::Signal(_)) && self.stops_soon() {
            how = CommandEnd::Stopped;
        }
        let mut killed = Vec::new();
        if running.pipes.output.is_some()
            && matches!(how, CommandEnd::Status(_) | CommandEnd::Signal(_))
        {
            killed = running.end();
        }
        // What was written before its end may lie in the pipes still; one turn takes as much as a
        // pipe can hold.
        running.pipes.collect(&mut output)?;
        running.pipes.listen(&mut relay)?;
        drop(running);
        let (last_words, counted) = relay.finish();
        Ok(Ended { how, output, last_words, counted, killed })
    }

    fn start(&self) -> Result<Running<'_>> {
        let piped = |e| Error::io("make", "a pipe", &e);
        let (their_input, input) = feed::to_command().map_err(piped)?;
        let (output, their_output) = feed::from_command(true).map_err(piped)?;
        let (errors, their_errors) = feed::from_command(false).map_err(piped)?;
        let mut process = self.command.process();
        process
            .env(TASK_VARIABLE, self.task.to_string())
            .env(ATTEMPT_VARIABLE, self.number.to_string())
            .stdin(Stdio::from(their_input))
            .stdout(Stdio::from(their_output))
            .stderr(Stdio::from(their_errors));
        if let Some(hadoop) = self.command.hadoop() {
            // What the user sets counts.
            let is_free = |name: &str| self.command.value_of(name).is_none();
            let variables = hadoop.variables(self.task, self.number);
            process.envs(variables.into_iter().filter(|(name, _)| is_free(name)));
        }
        let Started { child, mark } =
            self.children.start(&mut process).map_err(|e| self.command.not_started(&e))?;
        let pipes = Pipes {
            input: Some(Feed { pipe: input, rest: self.input.read(), fed: 0 }),
            output: Some(output),
            errors: Some(errors),
            gathering: Gathering::default(),
        };
        let deadline = self.timeout.map(|timeout| Instant::now() + timeout);
        Ok(Running { attempt: self, child: Some(child), mark, pipes, deadline })
    }

    /// Whether the signal that has ended the command was meant for all of us.
    fn stops_soon(&self) -> bool {
        let begin = Instant::now();
        while !(self.stop)() {
            if begin.elapsed() > SIGNAL_WAIT {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }
}

/// Our ends of the pipes; one that is done is closed.
struct Pipes<'a> {
    input: Option<Feed<'a>>,
    output: Option<PipeReader>,
    errors: Option<PipeReader>,
    gathering: Gathering,
}

impl Pipes<'_> {
    /// Waits until one of them can be served, `wait` at the most, and serves those that can.
    fn serve(&mut self, wait: Duration, output: &mut Spool, relay: &mut Relay<'_>) -> Result<()> {
        self.gathering.wait();
        let mut polled = Vec::with_capacity(3);
        let watch = |fd: Option<_>, flags| fd.map(|fd| PollFd::new(fd, flags));
        polled.extend(watch(self.input.as_ref().map(|f| f.pipe.as_fd()), PollFlags::POLLOUT));
        polled.extend(watch(self.output.as_ref().map(AsFd::as_fd), PollFlags::POLLIN));
        polled.extend(watch(self.errors.as_ref().map(AsFd::as_fd), PollFlags::POLLIN));
        match ppoll(&mut polled, Some(TimeSpec::from_duration(wait)), None) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => (),
            Err(e) => return Err(Error::io("wait for", "a command", &e.into())),
        }
        let mut ready = polled.iter().map(|fd| fd.any().unwrap_or(false)).collect::<Vec<_>>();
        ready.reverse();
        drop(polled);
        let mut is_ready = |open: bool| open && ready.pop().unwrap_or(false);
        let (feed, collect, listen) = (
            is_ready(self.input.is_some()),
            is_ready(self.output.is_some()),
            is_ready(self.errors.is_some()),
        );
        let mut moved = 0;
        if feed && let Some(input) = &mut self.input {
            let (before, flow) = (input.fed, input.push()?);
            moved += input.fed - before;
            if flow == Flow::Ended {
                self.input = None;
            }
        }
        if collect {
            let before = output.len();
            self.collect(output)?;
            moved += output.len() - before;
        }
        self.gathering.moved(moved);
        if listen {
            self.listen(relay)?;
        }
        Ok(())
    }

    fn collect(&mut self, output: &mut Spool) -> Result<()> {
        if let Some(pipe) = &mut self.output
            && feed::collect(pipe, output)? == Flow::Ended
        {
            self.output = None;
        }
        Ok(())
    }

    fn listen(&mut self, relay: &mut Relay<'_>) -> Result<()> {
        let mut buffer = [0; READ_BYTES];
        if let Some(pipe) = &mut self.errors
            && feed::listen(pipe, &mut buffer, |said| relay.push(said))? == Flow::Ended
        {
            self.errors = None;
        }
        Ok(())
    }
}

/// A command that runs. Dropped, it is ended with all that it started.
struct Running<'a> {
    attempt: &'a Attempt<'a>,
    /// The command, until it was waited for.
    child: Option<Child>,
    /// What it is marked with.
    mark: String,
    pipes: Pipes<'a>,
    deadline: Option<Instant>,
}

impl Running<'_> {
    /// Serves the pipes until the command has ended and its output too, or the grace is over.
    fn serve(&mut self, output: &mut Spool, relay: &mut Relay<'_>) -> Result<CommandEnd> {
        let mut next_look = Instant::now() + TICK;
        let mut how = None;
        let mut give_up = None;
        let mut soon = SOON;
        loop {
            let ended = self.pipes.output.is_none();
            if ended && let Some(how) = how {
                return Ok(how);
            }
            let wait = if ended { soon } else { TICK };
            self.pipes.serve(wait, output, relay)?;
            if self.pipes.output.is_none() {
                soon = if ended { (soon * 2).min(TICK) } else { SOON };
            } else if Instant::now() < next_look {
                continue;
            }
            next_look = Instant::now() + TICK;
            // What a later attempt says was mostly said before.
            if self.attempt.number == 1 {
                relay.pass_on_old();
            }
            if how.is_none() {
                how = self.look()?;
                give_up = how.map(|_| Instant::now() + OUTPUT_GRACE);
            }
            match how {
                Some(how @ (CommandEnd::Timeout | CommandEnd::Stopped)) => return Ok(how),
                Some(how) if give_up.is_some_and(|at| Instant::now() >= at) => return Ok(how),
                _ if (self.attempt.stop)() => return self.give_up(CommandEnd::Stopped),
                _ => (),
            }
        }
    }

    /// Whether the command has ended, ending it where it runs too long.
    fn look(&mut self) -> Result<Option<CommandEnd>> {
        let Some(child) = &mut self.child else { return Ok(None) };
        let pid = child.id() as i32;
        match child.try_wait().map_err(|e| Error::io("wait for", "a command", &e))? {
            Some(status) => {
                self.child = None;
                self.attempt.children.ended(pid);
                Ok(Some(CommandEnd::of(status)))
            }
            None if self.deadline.is_some_and(|at| Instant::now() >= at) => {
                self.give_up(CommandEnd::Timeout).map(Some)
            }
            None => Ok(None),
        }
    }

    fn give_up(&mut self, how: CommandEnd) -> Result<CommandEnd> {
        self.end();
        Ok(how)
    }

    /// Ends the command and whatever this attempt has started; gives the names.
    fn end(&mut self) -> Vec<String> {
        let pid = self.child.as_ref().map(|child| child.id() as i32);
        let names = self.attempt.children.end_command(pid, &self.mark);
        if let Some(mut child) = self.child.take() {
            // The tree is dead, but where there is no /proc the command may not be.
            let _ = child.kill();
            let _ = child.wait();
            self.attempt.children.ended(child.id() as i32);
        }
        names
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::sync::Mutex;

    fn spool(bytes: &[u8]) -> Spool {
        Spool::holding(bytes.to_vec(), usize::MAX, Path::new("/tmp"))
    }

    fn attempt(line: &str, input: &[u8], timeout: Option<Duration>) -> (Ended, String) {
        let heard = Mutex::new(String::new());
        let pass_on = |lines: &str| heard.lock().unwrap().push_str(lines);
        let ended = attempt_heard(line, input, timeout, &pass_on);
        (ended, heard.into_inner().unwrap())
    }

    fn attempt_heard(
        line: &str,
        input: &[u8],
        timeout: Option<Duration>,
        pass_on: &(dyn Fn(&str) + Sync),
    ) -> Ended {
        Attempt {
            command: &Command::shell(line.into(), &[0], None).unwrap(),
            input: &spool(input),
            task: 1,
            number: 1,
            timeout,
            stop: &|| false,
            children: &Children::default(),
            may_report: true,
            prefix: "p: ".into(),
            pass_on,
        }
        .run(spool(b""))
        .unwrap()
    }

    fn output(line: &str, input: &[u8]) -> Vec<u8> {
        let (ended, _) = attempt(line, input, None);
        assert_eq!(ended.how, CommandEnd::Status(0), "{line}");
        ended.output.into_bytes().unwrap()
    }

    #[test]
    fn no_order_of_reading_and_writing_holds_it_up() {
        let much = vec![b'x'; 5_000_000];
        assert_eq!(output("cat", &much), much);
        assert_eq!(output("true", &much), b"");
        assert_eq!(output("head -c 3", &much), b"xxx");
        assert_eq!(output("yes | head -c 7000000; wc -c", &much).len(), 7_000_008);
        assert_eq!(output("x=$(wc -c); yes | head -c 3000000", &much).len(), 3_000_000);
        assert_eq!(output("yes | head -c 3000000 >&2; wc -c", &much), b"5000000\n");
        assert_eq!(output("exec >&-; cat >/dev/null; sleep 0.2", &much), b"");
        assert_eq!(output("exec <&-; sleep 0.2; echo done", &much), b"done\n");
    }

    #[test]
    fn tells_how_a_command_ended() {
        let how = |line| attempt(line, b"", None).0.how;
        assert_eq!(how("exit 3"), CommandEnd::Status(3));
        assert_eq!(how("kill -SEGV $$"), CommandEnd::Signal(11));
        assert_eq!(how("kill -KILL $$").to_string(), "killed by SIGKILL");
        assert_eq!(how("no-such-command-at-all"), CommandEnd::Status(127));
        assert_eq!(how("echo $MC_TASK.$MC_ATTEMPT | grep -qx 1.1"), CommandEnd::Status(0));
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended() {
        let timeout = Some(Duration::from_millis(300));
        for line in ["sleep 1000; echo end", "trap '' TERM; sleep 1000; sleep 1000; echo end"] {
            let (ended, _) = attempt(line, b"", timeout);
            assert_eq!(
                (ended.how, ended.output.into_bytes().unwrap()),
                (CommandEnd::Timeout, vec![])
            );
        }
    }

    #[test]
    fn hears_what_a_command_says() {
        let (ended, heard) = attempt("echo one >&2; printf two >&2; exit 1", b"", None);
        assert_eq!(heard, "");
        assert_eq!(ended.last_words.lines, ["one", "two"]);
        // It waits until what it said was heard.
        let folder = tempfile::tempdir().unwrap();
        let heard = folder.path().join("heard");
        let line = "echo one >&2; until [ -s $HEARD ]; do sleep 0.01; done; echo two >&2";
        let line = format!("HEARD={}; {line}", heard.display());
        let pass_on = |lines: &str| std::fs::write(&heard, lines).unwrap();
        let ended = attempt_heard(&line, b"", None, &pass_on);
        assert_eq!(std::fs::read_to_string(&heard).unwrap(), "p: one\n");
        assert_eq!(ended.last_words.lines, ["one", "two"]);
    }

    #[test]
    fn a_background_process_may_finish_its_output_but_not_for_ever() {
        // It prints once the command has ended.
        let late = "(while kill -0 $$; do sleep 0.01; done 2>/dev/null; echo late) & echo early";
        assert_eq!(output(late, b""), b"early\nlate\n");
        // It would print once the test is over.
        let folder = tempfile::tempdir().unwrap();
        let wait = format!("while [ -d {} ]; do sleep 0.01; done", folder.path().display());
        assert_eq!(output(&format!("({wait}; echo late) & echo early"), b""), b"early\n");
    }
}

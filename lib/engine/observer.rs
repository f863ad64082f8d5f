//! What is told of tasks and shards while they are made, for `--stats` and for progress: by those parts of the engine that have
//! clocks. What decides knows nothing of it, and where nobody listens it costs next to nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cluster::host::shown;
use crate::parallel::lock;
use crate::record::digest::Contents;
use crate::record::notation::Notation;

/// Takes what is told.
pub trait EventSink: Send + Sync {
    /// Takes note of an event.
    fn take(&self, event: &RunEvent<'_>);

    /// Whether it wants to know which lines of the stream a task works on.
    fn wants_lines(&self) -> bool {
        true
    }
}

/// How far the tasks of a stage are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskState {
    /// How many attempts are under way.
    pub running: usize,
    /// How many tasks there are, where all are known.
    pub all: Option<u64>,
    /// The hosts, each with how many attempts are under way there and how many can be.
    pub hosts: Vec<(String, usize, usize)>,
}

/// What happened.
pub enum RunEvent<'a> {
    /// The stage runs a command.
    Command {
        /// As a shell would take it.
        line: &'a str,
        /// What it reads.
        input: Notation,
        /// Whether each record is a run of its own.
        each: bool,
    },
    /// An attempt at a task is over.
    Attempt(&'a AttemptNote),
    /// A shard is made, and its manifest may say so.
    Shard {
        /// Its number.
        number: u64,
        /// The hosts that it lies on.
        hosts: &'a [String],
        /// What it holds.
        contents: &'a Contents,
    },
    /// A task has failed for good.
    Failure {
        /// Its number.
        task: u64,
        /// Why.
        error: &'a str,
        /// The line that does the same by hand, where what it was run on is kept.
        by_hand: Option<&'a str>,
    },
    /// The stage reads the shards of this run.
    ReadsRun(&'a str),
    /// The shards of this run are what it makes.
    MakesRun(&'a str),
}

/// What an attempt does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskWork {
    /// It runs a command.
    Command,
    /// It makes a shard of records as they are.
    Store,
    /// It sorts shards where they lie.
    Sort,
    /// It merges a range of keys to a shard.
    Merge,
    /// It reduces a shard where it lies.
    Reduce,
    /// It makes a shard again that was lost.
    Rebuild,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AttemptOutcome {
    /// Well, and what it made counts.
    Done,
    /// Badly, and the task is tried again.
    Again,
    /// Badly, and that was the last attempt.
    Failed,
    /// Its host was lost.
    Lost,
    /// Another attempt at the task was done before it.
    Superseded,
    /// Nothing of the task was wanted any more.
    Stopped,
}

/// What is known of an attempt.
#[derive(Clone, Debug)]
pub struct AttemptNote {
    /// What it did.
    pub work: TaskWork,
    /// The number of the task, from 1.
    pub task: u64,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// Whether it is a second one, of a task that lags behind.
    pub speculated: bool,
    /// The host, as messages name it.
    pub host: String,
    /// The first place there that was free, from 1.
    pub slot: usize,
    /// When it began.
    pub begin: Instant,
    /// When it was over.
    pub end: Instant,
    /// How long the command itself ran, where the host says so.
    pub ran: Option<Duration>,
    /// What went in.
    pub fed: TaskFed,
    /// Records and bytes that came out.
    pub made: (Option<u64>, Option<u64>),
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// The exit status of its command, where it is known.
    pub exit: Option<i32>,
    /// Why it did not end well.
    pub why: Option<String>,
}

/// What goes into a task.
#[derive(Clone, Copy, Debug, Default)]
pub struct TaskFed {
    /// How many records.
    pub records: Option<u64>,
    /// How many bytes.
    pub bytes: Option<u64>,
    /// The first and the last of the lines of the stream.
    pub lines: Option<(u64, u64)>,
    /// The number of the shard, or of the first.
    pub shard: Option<u64>,
}

impl TaskFed {
    /// What `contents` says.
    pub(crate) fn of(contents: &Contents) -> TaskFed {
        TaskFed {
            records: Some(contents.records),
            bytes: Some(contents.bytes),
            ..TaskFed::default()
        }
    }
}

/// Tells of what happens, if anybody listens.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<Observing>>);

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Observer").field(&self.0.is_some()).finish()
    }
}

struct Observing {
    sinks: Vec<Arc<dyn EventSink>>,
    /// How many attempts each host can have at once.
    slots: Mutex<Vec<(String, usize)>>,
    /// How many pieces were read, and whether these are all.
    pieces: AtomicU64,
    is_all_read: AtomicBool,
    /// Which places of each host have an attempt.
    places: Mutex<HashMap<String, Vec<bool>>>,
    /// The line of the stream behind the last piece, and the lines of each piece.
    lines: Mutex<(u64, Vec<(u64, u64)>)>,
    /// How many attempts there were, where nobody else counts them.
    attempts: Mutex<HashMap<(TaskWork, u64), u32>>,
}

impl Observer {
    /// One that tells `sinks`.
    pub fn new(sinks: Vec<Arc<dyn EventSink>>) -> Observer {
        Observer(Some(Arc::new(Observing {
            sinks,
            slots: Mutex::default(),
            pieces: AtomicU64::new(0),
            is_all_read: AtomicBool::new(false),
            places: Mutex::default(),
            lines: Mutex::default(),
            attempts: Mutex::default(),
        })))
    }

    /// How far the tasks are, if anybody listens.
    pub fn state(&self) -> Option<TaskState> {
        let observing = self.0.as_ref()?;
        let all = observing.is_all_read.load(Ordering::Relaxed);
        let (places, slots) = (lock(&observing.places), lock(&observing.slots));
        // A host is given a little more than it works on.
        let busy = |host: &str, most: usize| {
            let taken = |places: &Vec<bool>| places.iter().filter(|taken| **taken).count();
            places.get(host).map_or(0, taken).min(most)
        };
        let most = |host: &str| {
            let mut told = slots.iter().filter(|(name, _)| name == host);
            told.next().map_or(usize::MAX, |(_, slots)| *slots)
        };
        let host = |(host, slots): &(String, usize)| (shown(host), busy(host, *slots), *slots);
        Some(TaskState {
            running: places.keys().map(|host| busy(host, most(host))).sum(),
            all: all.then(|| observing.pieces.load(Ordering::Relaxed)),
            hosts: slots.iter().map(host).collect(),
        })
    }

    /// These hosts can have so many attempts at once.
    pub(crate) fn has_hosts(&self, hosts: impl Iterator<Item = (String, usize)>) {
        if let Some(observing) = &self.0 {
            *lock(&observing.slots) = hosts.collect();
        }
    }

    /// All pieces were read.
    pub(crate) fn has_read_all(&self) {
        if let Some(observing) = &self.0 {
            observing.is_all_read.store(true, Ordering::Relaxed);
        }
    }

    /// Tells of an event.
    pub(crate) fn tell(&self, event: &RunEvent<'_>) {
        if let Some(observing) = &self.0 {
            observing.tell(event);
        }
    }

    /// The piece of another task was read, of whole lines if it is of such.
    pub(crate) fn has_read(&self, piece: Option<&[u8]>) {
        let Some(observing) = &self.0 else { return };
        observing.pieces.fetch_add(1, Ordering::Relaxed);
        if !observing.sinks.iter().any(|sink| sink.wants_lines()) {
            return;
        }
        let count = piece.map_or(0, |bytes| {
            let ends = memchr::memchr_iter(b'\n', bytes).count() as u64;
            ends + u64::from(bytes.last().is_some_and(|last| *last != b'\n'))
        });
        let (last, lines) = &mut *lock(&observing.lines);
        lines.push((*last + 1, *last + count));
        *last += count;
    }

    /// The lines of the stream that a task works on, if it is of such.
    pub(crate) fn lines(&self, task: u64) -> Option<(u64, u64)> {
        let lines = lock(&self.0.as_ref()?.lines);
        let found = lines.1.get(usize::try_from(task.checked_sub(1)?).ok()?).copied();
        found.filter(|(first, last)| first <= last)
    }

    /// An attempt begins on `host`, as manifests name it. Without a number it is the next one at its task.
    pub(crate) fn begin(
        &self,
        (work, task, number): (TaskWork, u64, Option<u32>),
        host: &str,
        fed: TaskFed,
    ) -> UnderWay {
        let Some(observing) = &self.0 else { return UnderWay(None) };
        let attempt = number.unwrap_or_else(|| {
            let mut attempts = lock(&observing.attempts);
            let last = attempts.entry((work, task)).or_default();
            *last = last.saturating_add(1);
            *last
        });
        let now = Instant::now();
        let note = AttemptNote {
            work,
            task,
            attempt,
            speculated: false,
            slot: observing.enter(host),
            host: shown(host),
            begin: now,
            end: now,
            ran: None,
            fed,
            made: (None, None),
            outcome: AttemptOutcome::Done,
            exit: None,
            why: None,
        };
        UnderWay(Some(Box::new((note, host.to_string(), Arc::clone(observing)))))
    }
}

impl Observing {
    fn tell(&self, event: &RunEvent<'_>) {
        self.sinks.iter().for_each(|sink| sink.take(event));
    }

    /// The first place on a host that is free, which is taken.
    fn enter(&self, host: &str) -> usize {
        let mut places = lock(&self.places);
        let places = places.entry(host.to_string()).or_default();
        let free = places.iter().position(|taken| !taken).unwrap_or(places.len());
        if free == places.len() {
            places.push(true);
        } else {
            places[free] = true;
        }
        free + 1
    }

    fn leave(&self, host: &str, slot: usize) {
        let mut places = lock(&self.places);
        if let Some(taken) = places.get_mut(host).and_then(|places| places.get_mut(slot - 1)) {
            *taken = false;
        }
    }
}

/// An attempt that is under way, if anybody wants to know.
pub(crate) struct UnderWay(Option<Box<(AttemptNote, String, Arc<Observing>)>>);

/// An attempt that is over, and is still to be told of.
pub(crate) struct AttemptOver(Option<Box<(AttemptNote, Arc<Observing>)>>);

impl UnderWay {
    /// It is over: what it came to, and `more` that is known of it.
    pub(crate) fn end(
        mut self,
        outcome: AttemptOutcome,
        more: impl FnOnce(&mut AttemptNote),
    ) -> AttemptOver {
        AttemptOver(self.0.take().map(|under_way| {
            let (mut note, host, observing) = *under_way;
            observing.leave(&host, note.slot);
            (note.end, note.outcome) = (Instant::now(), outcome);
            more(&mut note);
            Box::new((note, observing))
        }))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(under_way) = self.0.take() {
            let (note, host, observing) = *under_way;
            observing.leave(&host, note.slot);
        }
    }
}

impl AttemptOver {
    /// Tells of it.
    pub(crate) fn tell(self) {
        if let Some(ended) = self.0 {
            let (note, observing) = *ended;
            observing.tell(&RunEvent::Attempt(&note));
        }
    }

    /// What is known of it, if anybody wants to know.
    pub(crate) fn note(&mut self) -> Option<&mut AttemptNote> {
        self.0.as_mut().map(|ended| &mut ended.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<AttemptNote>>);

    impl EventSink for Kept {
        fn take(&self, event: &RunEvent<'_>) {
            if let RunEvent::Attempt(note) = event {
                lock(&self.0).push((*note).clone());
            }
        }
    }

    #[test]
    fn attempts_get_places_and_numbers_and_pieces_lines() {
        let kept = Arc::new(Kept::default());
        let observer = Observer::new(vec![kept.clone()]);
        let begin = |task, number, host| {
            observer.begin((TaskWork::Sort, task, number), host, TaskFed::default())
        };
        let (one, two, other) = (begin(1, None, ":"), begin(2, Some(7), ":"), begin(1, None, "n"));
        one.end(AttemptOutcome::Again, |note| note.exit = Some(3)).tell();
        begin(1, None, ":").end(AttemptOutcome::Done, |_| ()).tell();
        drop(two);
        begin(3, None, ":").end(AttemptOutcome::Done, |_| ()).tell();
        begin(3, None, ":").end(AttemptOutcome::Done, |_| ()).tell();
        other.end(AttemptOutcome::Lost, |_| ()).tell();
        let told = lock(&kept.0);
        let told = told.iter().map(|n| (n.host.as_str(), n.slot, n.task, n.attempt, n.exit));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                ("localhost", 1, 1, 1, Some(3)),
                ("localhost", 1, 1, 3, None),
                ("localhost", 1, 3, 1, None),
                ("localhost", 1, 3, 2, None),
                ("n", 1, 1, 2, None),
            ]
        );
        [Some(&b"1\n2\n"[..]), None, Some(b"3")].iter().for_each(|piece| observer.has_read(*piece));
        let lines = [1, 2, 3, 4].map(|task| observer.lines(task));
        assert_eq!(lines, [Some((1, 2)), None, Some((3, 3)), None]);
        observer.has_hosts([("n".to_string(), 4), ("m".to_string(), 2)].into_iter());
        let under_way = [4, 5, 6].map(|task| begin(task, None, if task == 6 { ":" } else { "n" }));
        let hosts = vec![("n".to_string(), 2, 4), ("m".to_string(), 0, 2)];
        let state = TaskState { running: 3, all: None, hosts };
        assert_eq!(observer.state(), Some(state));
        let more = [7, 8, 9].map(|task| begin(task, None, "n"));
        assert_eq!(observer.state().unwrap().hosts[0], ("n".to_string(), 4, 4));
        drop((under_way, more));
        observer.has_read_all();
        let state = observer.state().unwrap();
        assert_eq!((state.running, state.all), (0, Some(3)));
    }

    #[test]
    fn where_nobody_listens_nothing_is_kept() {
        let observer = Observer::default();
        let under_way = observer.begin((TaskWork::Store, 1, None), ":", TaskFed::default());
        let mut ended = under_way.end(AttemptOutcome::Done, |_| panic!("nobody wants to know"));
        assert!(ended.note().is_none());
        observer.has_read(Some(b"1\n"));
        assert_eq!(observer.lines(1), None);
        assert_eq!(observer.state(), None);
    }
}

//! Progress: lines on the terminal that say how far the tools of a pipe are which have worked for a
//! while.
//!
//! Each tool says how far it is beside its entry in the pipe registry; the last one of a pipe that has
//! the terminal draws for all, and tells those before it so. What it draws stands below the
//! place where anything else is written.
//!
//! A thread does both, ten times a second: a stage that waits for the one before it, or works on what
//! it has, is to be seen as well. Those who move data only count.

mod below;
mod chain;
mod drawer;
mod rest;
mod tasks;
mod words;

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::progress::below::Below;
use crate::cli::progress::drawer::Drawer;
use crate::cli::progress::tasks::TaskTally;
use crate::cli::{explaining, process};
use crate::engine::observer::{EventSink, Observer};
use crate::parallel::lock;
use crate::pipe::gauge::{Gauge, now_ms};
use crate::pipe::meter;
use crate::pipe::pipe_id::PipeId;
use crate::pipe::registry::Publisher;

/// Work that takes less is not worth a line; before that the tools of a pipe find one another.
const FIRST: Duration = Duration::from_millis(500);

/// How often the lines change.
const EVERY: Duration = Duration::from_millis(100);

/// When progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ShowProgress {
    /// Not at all, and that of the tools before this one neither.
    Never,
    /// On a terminal, in the foreground.
    #[default]
    Auto,
    /// Elsewhere too, by a line a stage every now and then.
    Always,
}

/// How far a tool is, and who shows that.
#[derive(Debug)]
pub(super) struct Progress {
    tool: &'static str,
    began: Instant,
    /// Whether no pipe is written to, so that there is nobody behind it; and the pipe.
    output: (bool, Option<PipeId>),
    publisher: Option<Publisher>,
    settings: OnceLock<ProgressSettings>,
    tasks: Arc<TaskTally>,
    observer: OnceLock<Observer>,
    shared: Mutex<Shared>,
    over: Condvar,
}

/// What was said in the call.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProgressSettings {
    pub(super) when: ShowProgress,
    pub(super) verbose: bool,
}

#[derive(Debug, Default)]
struct Shared {
    /// What the thread may do.
    leave: Leave,
    /// The thread, where there is one.
    thread: Option<thread::JoinHandle<()>>,
    /// What is drawn, where anything is.
    bar: Option<ProgressBar>,
    /// Whether something is drawn on this terminal by others.
    others_draw: bool,
}

/// What the thread may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Leave {
    #[default]
    All,
    /// To draw nothing: there is something else to be seen.
    Silent,
    /// Nothing for a moment: this process is about to fork.
    Paused,
    /// Nothing any more.
    Over,
}

/// That of this process.
static OF_PROCESS: OnceLock<Arc<Progress>> = OnceLock::new();

impl Progress {
    /// The progress of `tool`, which begins now; `publisher` says to others how far it is.
    pub(super) fn new(
        tool: &'static str,
        output: (bool, Option<PipeId>),
        publisher: Option<Publisher>,
    ) -> Arc<Progress> {
        let (shared, over) = (Mutex::default(), Condvar::new());
        let (settings, tasks, observer) = Default::default();
        let began = Instant::now();
        let progress =
            Progress { tool, began, output, publisher, settings, tasks, observer, shared, over };
        Arc::clone(OF_PROCESS.get_or_init(|| Arc::new(progress)))
    }

    /// This was said of it in the call.
    pub(super) fn set(&self, settings: ProgressSettings) {
        let _ = self.settings.set(settings);
    }

    /// Whether anybody may look: here, or behind the pipe that is written to.
    fn may_be_shown(&self) -> bool {
        let always = self.settings.get().is_some_and(|said| said.when == ShowProgress::Always);
        !explaining::is_on() && (self.publisher.is_some() || always || has_terminal())
    }

    /// What is to be told of tasks, if anybody may look.
    pub(super) fn sink(&self) -> Option<Arc<dyn EventSink>> {
        self.may_be_shown().then(|| Arc::clone(&self.tasks) as Arc<dyn EventSink>)
    }

    /// What tells of tasks knows more of them.
    pub(super) fn observe(&self, observer: Observer) {
        let _ = self.observer.set(observer);
    }

    /// Shows it from now on, if anybody looks. To be called when nothing forks any more, or to be
    /// [paused](Progress::pause).
    pub(super) fn begin(self: &Arc<Progress>) {
        let Some(settings) = self.settings.get().filter(|_| self.may_be_shown()) else { return };
        let mut shared = self.shared();
        if shared.leave == Leave::Paused {
            shared.leave = Leave::All;
        }
        if shared.thread.is_some() || shared.leave == Leave::Over {
            return;
        }
        let progress = Arc::clone(self);
        let drawer = Drawer::new(*settings, self.publisher.clone(), self.output);
        // Without the thread nothing is shown, and that is all.
        let thread = thread::Builder::new().name("progress".into());
        shared.thread = thread.spawn(move || progress.show(drawer)).ok();
    }

    /// Ends the thread until the next [`Progress::begin`].
    pub(super) fn pause(&self) {
        let mut shared = self.shared();
        if shared.leave == Leave::All {
            shared.leave = Leave::Paused;
        }
        let thread = shared.thread.take();
        drop(shared);
        self.over.notify_all();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    /// Shows nothing from now on, for something else is to be seen on the terminal.
    pub(super) fn silence(&self) {
        let mut shared = self.shared();
        if shared.leave != Leave::Over {
            shared.leave = Leave::Silent;
        }
        shared.clear();
    }

    /// Takes the lines away, for good.
    pub(super) fn end(&self) {
        let mut shared = self.shared();
        if shared.leave != Leave::Over {
            shared.leave = Leave::Over;
            shared.clear();
            if let Some(publisher) = &self.publisher {
                publisher.publish(Gauge { ended: Some(now_ms()), ..self.gauge() });
            }
        }
        drop(shared);
        self.over.notify_all();
    }

    /// How far this tool is.
    fn gauge(&self) -> Gauge {
        let verbose = self.settings.get().is_some_and(|settings| settings.verbose);
        let state = self.observer.get().and_then(Observer::state).unwrap_or_default();
        Gauge {
            verbose,
            tasks: self.tasks.counts(state.running, state.all),
            hosts: state.hosts,
            ..meter::of_process().gauge(self.tool)
        }
    }

    /// The life of the thread.
    fn show(&self, mut drawer: Drawer) {
        let mut shared = self.shared();
        let mut wait = FIRST.saturating_sub(self.began.elapsed());
        loop {
            let waited = self.over.wait_timeout(shared, wait);
            shared = waited.unwrap_or_else(PoisonError::into_inner).0;
            if matches!(shared.leave, Leave::Over | Leave::Paused) {
                return;
            }
            let may_draw = shared.leave == Leave::All;
            drop(shared);
            let drawn = drawer.tick(self.gauge(), self.began.elapsed(), may_draw);
            shared = self.shared();
            shared.others_draw = drawer.others_draw();
            if shared.leave == Leave::All {
                shared.draw(drawn);
            }
            wait = EVERY;
        }
    }

    fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}

/// What is to be seen now.
#[derive(Debug, PartialEq, Eq)]
enum Drawn {
    Nothing,
    /// These lines, redrawn in place.
    Block(Vec<String>),
    /// These lines more.
    Lines(Vec<String>),
}

impl Shared {
    fn draw(&mut self, drawn: Drawn) {
        match drawn {
            Drawn::Nothing => self.clear(),
            Drawn::Lines(lines) => {
                self.clear();
                let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
                let _ = std::io::stderr().write_all(text.as_bytes());
            }
            Drawn::Block(lines) => {
                let bar = self.bar.get_or_insert_with(|| {
                    let target = ProgressDrawTarget::term_like(Box::new(Below::default()));
                    let bar = ProgressBar::with_draw_target(None, target);
                    let style = ProgressStyle::with_template("{msg}");
                    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
                });
                bar.set_message(lines.join("\n"));
            }
        }
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Whether standard error is a terminal on which something can be drawn.
fn has_terminal() -> bool {
    let term = std::env::var_os("TERM").unwrap_or_default();
    !term.is_empty() && term != "dumb" && std::io::stderr().is_terminal()
}

/// Does something on the terminal while the lines are not there.
pub(super) fn aside(say: impl FnOnce()) {
    let Some(progress) = OF_PROCESS.get() else { return say() };
    let shared = progress.shared();
    match &shared.bar {
        Some(bar) => bar.suspend(say),
        None => {
            if shared.others_draw {
                let _ = std::io::stderr().write_all(process::WIPE);
            }
            say();
        }
    }
}

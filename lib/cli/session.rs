//! One run of a tool: its standard streams, its messages, and what it was told about both.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::cli::explaining;
use crate::cli::ledger::{Names, Stores};
use crate::cli::options::Common;
use crate::cli::progress::{Progress, ProgressSettings};
use crate::cli::stdout::{Mark, StdoutKind};
use crate::cli::{Stdin, Stdout, Tool, again, guard, message, surroundings};
use crate::cluster::StartWorker;
use crate::dataset::lineage::{LineageRecorder, StageAgain};
use crate::engine::Voice;
use crate::engine::observer::{EventSink, Observer};
use crate::error::{Error, Result};
use crate::format::ledger::Ledger;
use crate::format::objects::ObjectStores;
use crate::format::place::ResourcePlace;
use crate::format::resource::Resource;
use crate::pipe::registry::{self, Registry};
use crate::worker::setup::MadeReady;

/// One run of a tool.
#[derive(Debug)]
pub struct Session {
    tool: &'static str,
    library: Option<StartWorker>,
    stdout: Stdout,
    progress: Arc<Progress>,
    stdin_taken: bool,
    names: Option<Arc<Names>>,
    stores: Stores,
    verbose: bool,
    /// What is known of how the output comes to be.
    lineage: Arc<LineageRecorder>,
    /// What it is told where it makes something again.
    again: Option<Arc<StageAgain>>,
    observer: Observer,
    /// What stays until the end.
    held: OnceLock<MadeReady>,
}

impl Session {
    /// Begins: from here on the reader of standard output knows that `tool` writes it. `directories`
    /// is where notes on pipes may lie.
    pub(super) fn new(tool: Tool, mark: Mark, directories: Vec<PathBuf>) -> Session {
        registry::install(Registry::new(directories));
        let Tool { name: tool, library, stores } = tool;
        let stores = Stores(stores.map(|open| open(surroundings::of_stores())));
        let stdout = Stdout::new(tool, mark);
        let progress = stdout.progress();
        let lineage = LineageRecorder::new(again::this_call(tool));
        Session {
            tool,
            library,
            stdout,
            progress,
            stdin_taken: false,
            names: None,
            stores,
            verbose: false,
            again: again::told(lineage.argv()).map(Arc::new),
            lineage: Arc::new(lineage),
            observer: Observer::default(),
            held: OnceLock::new(),
        }
    }

    /// This was said in the call.
    pub(super) fn set(&mut self, common: &Common) {
        self.verbose = common.verbose;
        self.progress.set(ProgressSettings { when: common.progress, verbose: common.verbose });
    }

    /// What is to be told of tasks to show how far they are, if anybody may look.
    pub(super) fn progress_sink(&self) -> Option<Arc<dyn EventSink>> {
        self.progress.sink()
    }

    /// Tells `observer` of tasks from now on.
    pub(super) fn set_observer(&mut self, observer: Observer) {
        self.progress.observe(observer.clone());
        self.observer = observer;
    }

    /// Who is told of tasks.
    pub(super) fn observer(&self) -> &Observer {
        &self.observer
    }

    /// Whether more is to be said (`-v`).
    pub fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Whether standard output is a terminal, or a regular file.
    pub fn stdout_sort(&self) -> StdoutKind {
        self.stdout.sort()
    }

    /// How many columns the terminal has that standard output is, if it is one and says so.
    pub fn terminal_width(&self) -> Option<usize> {
        if self.stdout_sort() != StdoutKind::Terminal {
            return None;
        }
        let (width, _) = terminal_size::terminal_size_of(std::io::stdout())?;
        Some(usize::from(width.0)).filter(|&width| width > 0)
    }

    /// Ends standard output well, before the tool has ended: its reader need not wait for what is
    /// left to do.
    ///
    /// # Errors
    /// What is held back cannot be written.
    pub fn close_stdout(&self) -> Result<()> {
        self.stdout.finish()?;
        self.progress.end();
        self.stdout.close(|| self.lineage.as_bytes());
        Ok(())
    }

    /// The name of the tool.
    pub fn tool(&self) -> &'static str {
        self.tool
    }

    /// The road to hosts that this program has beside the ssh program.
    pub(super) fn library(&self) -> Option<StartWorker> {
        self.library
    }

    /// Says `tool: text` on standard error.
    pub fn warn(&self, text: &str) {
        message::say(self.tool, text);
    }

    /// Says whole lines that are printable and have the tool's name in front already.
    pub fn pass_on(&self, lines: &str) {
        message::pass_on(lines);
    }

    /// Calls `work` with what speaks for this tool, and with standard output.
    ///
    /// # Errors
    /// What `work` says.
    pub fn speak<T>(&self, work: impl FnOnce(Voice<'_>, &mut Stdout) -> Result<T>) -> Result<T> {
        let pass_on = |lines: &str| self.pass_on(lines);
        let voice = Voice { tool: self.tool, pass_on: &pass_on, observer: &self.observer };
        work(voice, &mut self.stdout_handle())
    }

    /// Standard input, once.
    ///
    /// # Errors
    /// `Usage` when it is closed, cannot be read, or was taken before.
    pub fn stdin(&mut self) -> Result<Stdin> {
        if std::mem::replace(&mut self.stdin_taken, true) {
            return Err(Error::usage("standard input can be read only once"));
        }
        self.lineage.reads_stdin(std::io::stdin());
        self.progress.begin();
        Stdin::open(&self.progress)
    }

    /// Standard output. It is flushed at the end, and what fails then fails the tool.
    pub fn stdout(&mut self) -> Stdout {
        self.stdout_handle()
    }

    /// As [`Session::stdout`].
    pub(super) fn stdout_handle(&self) -> Stdout {
        self.progress.begin();
        self.stdout.clone()
    }

    /// Puts this process under a guard, which ends the processes and removes the temporary names
    /// that the tool leaves behind, even when it is killed. To be called right after the options
    /// are read, before anything else is begun: the work goes on in a child process.
    ///
    /// # Errors
    /// When there is no process left for it, or when it is too late.
    pub fn guard(&mut self) -> Result<()> {
        if self.names.is_none() && !explaining::is_on() {
            self.progress.pause();
            self.names = Some(guard::guard(self.stores.clone())?);
            self.progress.begin();
        }
        Ok(())
    }

    /// Where objects are kept, if this program can reach such stores; none are while nothing runs.
    pub(super) fn objects(&self) -> Option<Arc<dyn ObjectStores>> {
        self.stores.0.clone().filter(|_| !explaining::is_on())
    }

    /// Takes note of temporary names, for the guard to remove; of nothing, where there is none.
    pub fn ledger(&self) -> Ledger {
        match &self.names {
            Some(names) => Ledger::new(names.clone()),
            None => Ledger::none(),
        }
    }

    /// What is known of how the output comes to be.
    pub(super) fn lineage(&self) -> &Arc<LineageRecorder> {
        &self.lineage
    }

    /// What this tool is told, where it makes something again.
    pub(super) fn again(&self) -> Option<&Arc<StageAgain>> {
        self.again.as_ref()
    }

    /// Takes note of what is read besides standard input.
    pub(super) fn reads(&self, resource: &Resource) {
        // A range is no file.
        if resource.spec.name() != "range" {
            self.reads_place(&resource.place);
        }
    }

    /// The same of what has no format.
    pub(super) fn reads_place(&self, place: &ResourcePlace) {
        match place {
            ResourcePlace::Path(path) => self.lineage.reads(path),
            // Counted by itself.
            ResourcePlace::Standard => (),
            ResourcePlace::Url(_) | ResourcePlace::Client(_) | ResourcePlace::Object(_) => {
                self.lineage.reads_once()
            }
        }
    }

    /// Holds what was made ready for a command until the tool ends.
    pub(super) fn hold(&self, ready: MadeReady) {
        let _ = self.held.set(ready);
    }

    /// Takes the lines away that show progress, for good.
    pub(super) fn end_progress(&self) {
        self.progress.end();
    }

    /// Writes what standard output holds back.
    pub(super) fn finish_stdout(&self) -> Result<()> {
        self.stdout.finish()
    }

    /// Ends: the reader of standard output learns how.
    pub(super) fn end_stdout(&self, status: u8) {
        self.stdout.end(status, || self.lineage.as_bytes());
    }
}

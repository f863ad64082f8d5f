//! A worker's life: it hears what a tool asks, and answers, until the tool has gone.
//!
//! One thread reads and never waits for anything but the stream and the disk; each task and each
//! shard that is sent has a thread of its own. Everything ends when the stream does, or when the
//! tool was silent for too long.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Instant;

use crate::command::children::Children;
use crate::command::rejects::Rejects;
use crate::error::broken;
use crate::error::{Error, Result};
use crate::format::ledger::Ledger;
use crate::parallel::lock;
use crate::spool::Spool;
use crate::wire::message::{Ask, Done, Reply, Task};
use crate::wire::{BEAT_EVERY, FrameKind, FrameReader, SILENCE_MAX};
use crate::worker::base::Base;
use crate::worker::client::ClientCopies;
use crate::worker::deliveries::Deliveries;
use crate::worker::desk::{Desk, FrameDuty};
use crate::worker::exchange::Exchanges;
use crate::worker::frame_writer::FrameWriter;
use crate::worker::greeting;
use crate::worker::job::Jobs;
use crate::worker::requests::Requests;
use crate::worker::resource;
use crate::worker::setup;
use crate::worker::shard_file;
use crate::worker::shipped;
use crate::worker::slots::Slots;
use crate::worker::state::{JobError, WorkerState};
use crate::worker::store::{self, Store};

/// How much is read at once.
const READ_BYTES: usize = 256 * 1024;

/// The share of the memory that the inputs and outputs of tasks may take, each of them.
const MEMORY_PARTS: u64 = 4;

/// Where a worker finds itself.
pub(crate) struct Surroundings {
    /// What the tool says.
    pub input: File,
    /// What is said to the tool.
    pub output: File,
    /// Where its files are to lie, if that was said.
    pub base: Option<PathBuf>,
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// The user's directory for what lives as long as the login.
    pub runtime: Option<PathBuf>,
    /// `$PATH`, for commands.
    pub search_path: Option<std::ffi::OsString>,
    /// `$SSH_CONNECTION`: by which address the tool reached this host.
    pub ssh_connection: Option<String>,
    /// The file of this program.
    pub program: PathBuf,
    /// The names under which it is another program: commands find it by them before all others.
    pub tools: Vec<&'static str>,
    /// How many bytes of memory may be used.
    pub memory: u64,
    /// Takes note of what a guard is to remove.
    pub ledger: Ledger,
}

/// Serves one tool until it has gone.
///
/// # Errors
/// `Incomplete` when what came broke the protocol or the tool fell silent; `Hosts` when there is no
/// place to work in.
pub(crate) fn serve(surroundings: Surroundings) -> Result<()> {
    let Surroundings { input, output, mut search_path, ssh_connection, .. } = surroundings;
    let base = Base::open(surroundings.base, surroundings.home.as_deref())?;
    let base = base.among_others(surroundings.home.as_deref(), surroundings.runtime.as_deref());
    store::sweep(&base);
    let login = std::env::current_dir().unwrap_or_else(|_| "/".into());
    let mut frames = FrameReader::new(input);
    let hello = greeting::hello(&mut frames)?;
    let to_tool = FrameWriter::new(output, hello.pack);
    let cores = thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let slots = Slots::new(base.slots(), hello.slots.unwrap_or(cores));
    let memory = hello.memory.unwrap_or(surroundings.memory);
    let welcome = greeting::welcome(&base, slots.count(), cores, memory);
    let store = greeting::begin(&hello, &base, &to_tool, surroundings.ledger)?;
    if let Some(store) = &store {
        search_path = Some(store.link(&surroundings.program, &surroundings.tools, search_path)?);
    }
    to_tool.message(0, &Reply::Hello(welcome))?;
    let client = store.as_ref().map(Store::client);
    let share = memory / MEMORY_PARTS / u64::from(slots.count()) / 2;
    let state = Arc::new(WorkerState {
        to_tool,
        base,
        slots,
        client: client.map(|place| ClientCopies::create(place, hello.client)).transpose()?,
        store,
        memory,
        spool_memory: usize::try_from(share).unwrap_or(usize::MAX),
        deliveries: Deliveries::default(),
        name: hello.name,
        children: Children::default(),
        search_path,
        setup: OnceLock::new(),
        ssh_connection,
        login,
        ending: AtomicBool::new(false),
        reading: Mutex::default(),
    });
    if let Some(client) = state.client.as_ref().filter(|client| client.are_shared()) {
        client.listen(&state)?;
    }
    let (beating, sweeping) = (Arc::clone(&state), Arc::clone(&state));
    spawn(move || beat(&beating))?;
    spawn(move || sweep(&sweeping.base))?;
    let mut session = Session {
        state: Arc::clone(&state),
        jobs: Jobs::default(),
        desk: Desk::default(),
        exchanges: Exchanges::default(),
        open: Requests::default(),
    };
    let result = session.listen(&mut frames);
    state.to_tool.close();
    state.ending.store(true, Ordering::SeqCst);
    session.open.stop_all();
    if let Some(client) = &state.client {
        client.end_all();
    }
    session.exchanges.end_all();
    state.children.end_all();
    result
}

fn spawn(work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = thread::Builder::new().spawn(work);
    thread.map(drop).map_err(|e| Error::io("start", "a thread", &e))
}

/// Removes what is kept for later runs, and was not used for long.
fn sweep(base: &Base) {
    shipped::sweep(base);
    setup::sweep(base);
}

/// Shows that this side lives, which it does not when the thread that reads is stuck.
fn beat(state: &WorkerState) {
    while !state.ending.load(Ordering::SeqCst) {
        let since = *lock(&state.reading);
        let stuck = since.is_some_and(|since| since.elapsed() > SILENCE_MAX);
        if !stuck && state.to_tool.frame(FrameKind::Beat, 0, &[]).is_err() {
            return;
        }
        thread::sleep(BEAT_EVERY);
    }
}

/// What the reading thread knows.
struct Session {
    state: Arc<WorkerState>,
    jobs: Jobs,
    desk: Desk<Spool>,
    exchanges: Exchanges,
    open: Requests,
}

impl Session {
    fn listen(&mut self, frames: &mut FrameReader) -> Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            while let Some(frame) = frames.frame()? {
                let (request, state) = (frame.request, Arc::clone(&self.state));
                match self.desk.hear(frame, || state.spool())? {
                    FrameDuty::Nothing => (),
                    FrameDuty::Begin(ask, input) => self.begin(request, ask, input)?,
                    FrameDuty::Heed(ask) => self.heed(request, ask)?,
                    FrameDuty::Stop => {
                        self.open.stop(request);
                        state.to_tool.end(request);
                    }
                    FrameDuty::Allow(bytes) => self.allow(request, bytes)?,
                    FrameDuty::Allowed(bytes) => state.to_tool.credit(request, bytes),
                    FrameDuty::OfClient(bytes) => self.of_client(request, bytes)?,
                }
            }
            self.is_reading(None);
            if !frames.fill(&mut buffer)? {
                return Ok(());
            }
            self.is_reading(Some(Instant::now()));
        }
    }

    fn is_reading(&self, since: Option<Instant>) {
        *lock(&self.state.reading) = since;
    }

    /// Takes note of what needs no answer.
    fn heed(&mut self, request: u32, ask: Ask) -> Result<()> {
        match ask {
            Ask::Job(job) => self.jobs.add(job),
            Ask::Exchange(exchange) => self.exchanges.begin(exchange, self.state.task_memory()),
            Ask::Over(number) => {
                self.exchanges.end(number);
                Ok(())
            }
            Ask::Client(reply) => match &self.state.client {
                Some(client) => {
                    client.answered(&self.state, request, reply);
                    Ok(())
                }
                None => Err(broken("an answer that nobody has asked for")),
            },
            _ => Err(broken("nothing that can be told")),
        }
    }

    /// Begins what is asked, whose input is here if it has one.
    fn begin(&mut self, request: u32, ask: Ask, input: Option<Result<Spool>>) -> Result<()> {
        match (ask, input) {
            (Ask::Task(task), input) => self.start_task(request, task, input),
            (Ask::Deliver(deliver), Some(part)) => self.start_work(request, move |state| {
                state.deliveries.hand_over(&deliver, part);
                Ok(())
            }),
            (Ask::Ship(entries), _) => {
                self.start_work(request, move |state| shipped::place(state, &entries))
            }
            (Ask::SetUp(setup), _) => {
                self.start_work(request, move |state| setup::on_host(state, &setup))
            }
            (Ask::Expand(resource), _) => self.start(request, move |_, state, _| {
                Ok(Reply::Expanded(resource::expand(&state.login, &resource)?))
            }),
            (Ask::Fetch(fetch, contents, checked), _) => {
                self.state.to_tool.open(request);
                self.start(request, move |_, state, _| {
                    shard_file::send(state, request, &fetch, (&contents, checked))
                })
            }
            (Ask::Keep, _) => self.start_work(request, |state| match &state.store {
                Some(store) => store.keep(),
                None => Err(broken("nothing to keep")),
            }),
            (Ask::Remove(run), _) => self.start(request, move |_, state, _| {
                Ok(Reply::Removed(store::remove(&state.base, &run)?))
            }),
            (Ask::List, _) => {
                self.start(request, |_, state, _| Ok(Reply::Kept(store::list(&state.base))))
            }
            (ask, _) => self.begin_in_exchange(request, ask),
        }
    }

    fn begin_in_exchange(&mut self, request: u32, ask: Ask) -> Result<()> {
        match ask {
            Ask::Sort(sort) => {
                let exchange = self.exchanges.get(sort.exchange)?;
                self.start(request, move |_, state, stop| {
                    Ok(Reply::Sorted(exchange.sort(state, &sort, stop)?))
                })
            }
            Ask::Weigh(number) => {
                let exchange = self.exchanges.get(number)?;
                self.start(request, move |_, state, stop| {
                    Ok(Reply::Weighed(exchange.weigh(state, stop)?))
                })
            }
            Ask::Part(part) => {
                let exchange = self.exchanges.get(part.exchange)?;
                self.state.to_tool.open(request);
                self.start(request, move |_, state, _| {
                    exchange.part(&part, &mut |data| state.to_tool.data(request, data))?;
                    state.to_tool.frame(FrameKind::End, request, &[])?;
                    Ok(Reply::Sent)
                })
            }
            Ask::Merge(merge) => {
                let exchange = self.exchanges.get(merge.exchange)?;
                self.start(request, move |_, state, stop| {
                    Ok(Reply::Merged(exchange.merge(state, request, &merge, stop)?))
                })
            }
            Ask::Listen(number) => {
                let exchange = self.exchanges.get(number)?;
                self.start(request, move |_, state, _| {
                    Ok(Reply::Listening(exchange.listen(state.ssh_connection.as_deref())?))
                })
            }
            Ask::Peers(peers) => {
                let exchange = self.exchanges.get(peers.exchange)?;
                self.start_work(request, move |_| exchange.meet(peers.peers, peers.secret))
            }
            Ask::Reduce(reduce) => {
                let exchange = self.exchanges.get(reduce.exchange)?;
                self.start(request, move |_, state, stop| {
                    Ok(Reply::Merged(exchange.reduce(state, &reduce, stop)?))
                })
            }
            _ => Err(broken("nothing that can be asked")),
        }
    }

    /// Takes data of a file of the client.
    fn of_client(&mut self, request: u32, bytes: &[u8]) -> Result<()> {
        let Some(client) = &self.state.client else { return Ok(()) };
        match client.arrived(&self.state, request, bytes)? {
            Some(credit) => self.allow(request, credit),
            None => Ok(()),
        }
    }

    fn allow(&self, request: u32, bytes: u32) -> Result<()> {
        self.state.to_tool.frame(FrameKind::Credit, request, &bytes.to_le_bytes())
    }

    /// Runs a task; the records left out that are for the tool to judge go before the reply.
    fn start_task(&self, request: u32, task: Task, input: Option<Result<Spool>>) -> Result<()> {
        self.state.to_tool.open(request);
        let rejects = Arc::new(Mutex::new(Rejects::new(self.state.spool())));
        self.start(request, move |jobs, state, stop| {
            let done = jobs.run(state, &task, input.transpose()?, &rejects, stop)?;
            let rejects = lock(&rejects);
            rejects.bytes().pour(|bytes| state.to_tool.data(request, bytes))?;
            state.to_tool.frame(FrameKind::End, request, &[])?;
            Ok(Reply::Done(done))
        })
    }

    /// Does `work` on a thread of its own, and replies when it is done.
    fn start_work<W>(&self, request: u32, work: W) -> Result<()>
    where
        W: FnOnce(&Arc<WorkerState>) -> Result<()> + Send + 'static,
    {
        self.start(request, |_, state, _| Ok(work(state).map(|()| Reply::Done(Done::default()))?))
    }

    /// Does `work` on a thread of its own, and replies with what comes of it.
    fn start<W>(&self, request: u32, work: W) -> Result<()>
    where
        W: FnOnce(&Jobs, &Arc<WorkerState>, &AtomicBool) -> std::result::Result<Reply, JobError>,
        W: Send + 'static,
    {
        let stop = self.open.begin(request)?;
        let (state, jobs, open) = (Arc::clone(&self.state), self.jobs.clone(), self.open.clone());
        spawn(move || {
            let reply = work(&jobs, &state, &stop);
            open.end(request);
            state.to_tool.end(request);
            let reply = reply.unwrap_or_else(|refusal| Reply::Failed(refusal.0));
            state.to_tool.reply(request, &reply);
        })
    }
}

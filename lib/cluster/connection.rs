//! A connection: the protocol spoken with the worker on one host, by many threads at once.
//!
//! One thread reads, and never waits for anybody else; one shows the worker that we live. Once the
//! worker is lost, everything that waits for it gets the reason.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::cluster::client_files::ClientFiles;
use crate::cluster::hearing::{ConnectionState, WorkerNews};
use crate::cluster::host::shown;
use crate::cluster::link::{self, Carrier, Settings};
use crate::cluster::{Host, Shipment};
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::lock;
use crate::record::harmless::harmless;
use crate::wire::frame::{Frame, HEAD_BYTES, broken};
use crate::wire::message::{self, Ask, Hello, Reply, Welcome};
use crate::wire::pack::Packer;
use crate::wire::{BEAT_EVERY, BUILD, FrameKind, FrameReader, VERSION};

/// How much is read at once.
const READ_BYTES: usize = 256 * 1024;

/// How long a worker has to end by itself: it ends the commands that it runs, which takes some.
const END_WAIT: Duration = Duration::from_secs(6);

/// The most slots that a host has.
const SLOTS_MAX: u32 = 65_536;

/// How a tool begins a connection.
#[derive(Clone, Default)]
pub struct Greeting {
    /// The run that shards are made for, if they are.
    pub run: Option<String>,
    /// Memory to stay within on the host, in bytes, where the user says so.
    pub memory: Option<u64>,
    /// Serves files of this machine to the commands there, if any are shared.
    pub client: Option<Arc<dyn ClientFiles>>,
}

/// The worker on a host.
pub struct Connection {
    host: Host,
    name: String,
    welcome: Welcome,
    /// How long the greeting took to come back, once the worker ran.
    pub round_trip: Duration,
    /// None once we have hung up.
    to: Mutex<Option<(File, Vec<u8>)>>,
    state: Mutex<ConnectionState>,
    pub(super) changed: Condvar,
    pub(super) packer: Packer,
    end: Arc<dyn Carrier>,
    say: Arc<dyn Fn(&str) + Send + Sync>,
    pub(super) explain: Arc<dyn Fn(&str) + Send + Sync>,
    pub(super) client: Option<Arc<dyn ClientFiles>>,
    /// The files that the worker may ask for, for its commands.
    pub(super) shipment: Mutex<Arc<Shipment>>,
    /// How many bytes were sent, and how many came.
    sent: AtomicU64,
    came: AtomicU64,
}

impl Connection {
    /// Starts a worker on `host`, which is called `name` in messages and manifests.
    ///
    /// # Errors
    /// `Hosts` when it cannot be reached, or is another version; `Storage` when it has no room; what
    /// [`link::connect`] says.
    pub fn open(
        host: &Host,
        name: &str,
        settings: &Settings,
        greeting: &Greeting,
    ) -> Result<Arc<Connection>> {
        let link = link::connect(host, settings)?;
        let (to, from) = (File::from(link.to), File::from(link.from));
        let mut frames = FrameReader::new(from);
        let begin = Instant::now();
        let mut to = (to, Vec::new());
        let hello = Hello {
            protocol: VERSION,
            version: BUILD.into(),
            run: greeting.run.clone(),
            slots: host.slots,
            memory: greeting.memory,
            pack: link.end.is_far(),
            name: shown(name),
            client: greeting.client.is_some(),
        };
        let frame = |kind, to: &mut (File, Vec<u8>), payload: &[u8]| write(to, kind, 0, payload);
        let lost = |error: Error| {
            link.end.cut();
            let mut why = link.end.why().map(|why| format!(" ({why})")).unwrap_or_default();
            if link.end.is_far() {
                why.push_str(settings.worker.what_it_lacks(&why));
            }
            let full = error.kind() == ErrorKind::Storage;
            let kind = if full { ErrorKind::Storage } else { ErrorKind::Hosts };
            Error::new(kind, format!("{}: {error}{why}", shown(name)))
        };
        let welcome = frame(FrameKind::Control, &mut to, &message::encode(&Ask::Hello(hello)))
            .and_then(|()| welcome(&mut frames))
            .map_err(lost)?;
        if !settings.worker.is_told() && welcome.version != BUILD {
            link.end.cut();
            return Err(Error::usage(format!(
                "{}: its worker is of another build ({}) than this tool ({BUILD}): install the \
                 workers and the tools together",
                shown(name),
                harmless(welcome.version.as_bytes())
            )));
        }
        let connection = Arc::new(Connection {
            host: host.clone(),
            name: name.into(),
            welcome,
            round_trip: begin.elapsed(),
            to: Mutex::new(Some(to)),
            state: Mutex::default(),
            changed: Condvar::new(),
            packer: Packer::new(link.end.is_far()),
            end: link.end,
            say: Arc::clone(&settings.say),
            explain: Arc::clone(&settings.explain),
            client: greeting.client.clone(),
            shipment: Mutex::default(),
            sent: AtomicU64::new(0),
            came: AtomicU64::new(0),
        });
        let (listening, beating) = (Arc::clone(&connection), Arc::clone(&connection));
        spawn(move || listening.hear(frames))?;
        spawn(move || beating.beat())?;
        Ok(connection)
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Its name in messages.
    pub fn shown(&self) -> String {
        shown(&self.name)
    }

    /// Its name in manifests.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the worker says of its host.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// What carries the connection, in a word.
    pub fn road(&self) -> &'static str {
        self.end.road()
    }

    /// How many bytes went through it, both ways.
    pub fn crossed(&self) -> u64 {
        self.sent.load(Ordering::Relaxed) + self.came.load(Ordering::Relaxed)
    }

    /// Why the worker is lost, if it is.
    pub fn lost(&self) -> Option<String> {
        self.state().lost.clone()
    }

    /// Whether the worker is lost because nothing came of what it owed, though it lived: it would do so
    /// again.
    pub fn is_in_debt(&self) -> bool {
        self.state().in_debt
    }

    /// Hangs up: the worker ends, and removes what is not kept.
    pub fn hang_up(&self) {
        *lock(&self.to) = None;
    }

    /// Waits for the worker to end after [`Connection::hang_up`], for a while.
    pub fn wait_for_end(&self) {
        let ended = self.changed.wait_timeout_while(self.state(), END_WAIT, |s| s.lost.is_none());
        drop(ended);
        self.lose("closed".into());
    }

    pub(super) fn state(&self) -> MutexGuard<'_, ConnectionState> {
        lock(&self.state)
    }

    pub(super) fn lose(&self, why: String) {
        self.state().lost.get_or_insert(why);
        self.changed.notify_all();
        self.end.cut();
    }

    pub(super) fn lost_error(&self, why: &str) -> Error {
        Error::new(ErrorKind::Hosts, format!("{} is lost: {why}", self.shown()))
    }

    /// Waits until `done` gives something, or the worker is lost.
    pub(super) fn wait<T>(
        &self,
        mut done: impl FnMut(&mut ConnectionState) -> Option<T>,
    ) -> Result<T> {
        let mut state = self.state();
        loop {
            if let Some(found) = done(&mut state) {
                return Ok(found);
            }
            if let Some(why) = &state.lost {
                return Err(self.lost_error(why));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn frame(&self, kind: FrameKind, request: u32, payload: &[u8]) -> Result<()> {
        let mut to = lock(&self.to);
        let sent = match to.as_mut() {
            Some(to) => write(to, kind, request, payload),
            None => Err(Error::incomplete("closed")),
        };
        drop(to);
        self.sent.fetch_add((HEAD_BYTES + payload.len()) as u64, Ordering::Relaxed);
        sent.map_err(|error| match error.kind() {
            // Too long for a frame: nothing was sent.
            ErrorKind::Usage => error,
            _ => {
                let why = self.state().lost.clone().unwrap_or_else(|| error.to_string());
                self.lost_error(&why)
            }
        })
    }

    /// The life of the thread that shows that we live.
    fn beat(&self) {
        while self.lost().is_none() && self.frame(FrameKind::Beat, 0, &[]).is_ok() {
            thread::sleep(BEAT_EVERY);
        }
    }

    /// The life of the thread that reads.
    fn hear(self: &Arc<Connection>, mut frames: FrameReader) {
        let mut buffer = vec![0; READ_BYTES];
        let error = loop {
            match self.heard(&mut frames).and_then(|()| frames.fill(&mut buffer)) {
                Ok(true) => self.came.store(frames.came(), Ordering::Relaxed),
                Ok(false) => break "its connection ended".to_string(),
                Err(error) => break error.to_string(),
            }
        };
        let why = self.end.why().map(|why| format!("{error} ({why})"));
        self.lose(why.unwrap_or(error));
    }

    /// Deals with the frames that are there.
    fn heard(self: &Arc<Connection>, frames: &mut FrameReader) -> Result<()> {
        while let Some(frame) = frames.frame()? {
            let request = frame.request;
            let heard = self.state().hear(frame)?;
            self.changed.notify_all();
            match heard {
                WorkerNews::Nothing => (),
                WorkerNews::Said(lines) => lines.lines().for_each(|line| (self.say)(line)),
                WorkerNews::Asked(ask) => self.asked(request, ask)?,
            }
        }
        if frames.is_amid() {
            // A frame that takes its time.
            self.state().heard += 1;
        }
        Ok(())
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = thread::Builder::new().spawn(work);
    thread.map(drop).map_err(|e| Error::io("start", "a thread", &e))
}

fn write(to: &mut (File, Vec<u8>), kind: FrameKind, request: u32, payload: &[u8]) -> Result<()> {
    let (file, buffer) = to;
    buffer.clear();
    Frame { kind, request, payload }.encode(buffer)?;
    let written = file.write_all(buffer);
    written.map_err(|e| Error::incomplete(format!("cannot send: {}", crate::error::reason(&e))))
}

/// Waits for the greeting.
fn welcome(frames: &mut FrameReader) -> Result<Welcome> {
    let Some((kind, payload)) = frames.first()? else {
        return Err(Error::incomplete("the worker ended at once"));
    };
    match (kind, message::decode(&payload)?) {
        (FrameKind::Control, Reply::Hello(welcome)) if welcome.protocol == VERSION => {
            match (1..=SLOTS_MAX).contains(&welcome.slots) {
                true => Ok(welcome),
                false => Err(broken(format!("a host with {} slots", welcome.slots))),
            }
        }
        (FrameKind::Control, Reply::Hello(welcome)) => Err(broken(format!(
            "it has version {} of it (of {}), not {VERSION}",
            welcome.protocol, welcome.version
        ))),
        (FrameKind::Control, Reply::Failed(failed)) => Err(failed.error()),
        _ => Err(broken("no greeting")),
    }
}

//! The hosts that the shards of a run lie on: connected to when a shard of theirs is wanted, several
//! at once, and again when the link to one breaks.
//!
//! A host is waited for only as long as no other one has the shard: so they are not connected to as
//! those of a [`Fleet`](crate::engine::fleet::Fleet), which waits for all of its hosts. What shards
//! hold is not its business.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::cluster::Fetch;
use crate::cluster::{Connection, Greeting, Host, Patience, Settings};
use crate::engine::HostedShard;
use crate::engine::copies::Copies;
use crate::engine::fleet::CONNECT_AT_ONCE;
use crate::engine::lineage::{self, LostShard};
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::lock;

/// How often a shard may turn out to be no good, and be made again.
const REMADE_MAX: usize = 16;

/// How often in a row a link to a host may break before a shard has come over it whole.
const BREAKS_MAX: u32 = 3;

/// The hosts that a run's shards lie on.
pub struct ShardHosts {
    /// The hosts, with their names in the manifest.
    pub hosts: Vec<(Host, String)>,
    links: Arc<Links>,
    copies: Mutex<Copies>,
    /// Where whoever made the shards listens, and makes one again that is lost.
    owner: Option<PathBuf>,
}

/// The links to them.
struct Links {
    settings: Settings,
    state: Mutex<HostsState>,
    changed: Condvar,
}

struct HostsState {
    /// One for each host.
    places: Vec<HostPlace>,
    /// The hosts that are to be connected to, by their numbers in `places`.
    next: VecDeque<usize>,
    /// How many threads connect to hosts.
    threads: usize,
    /// Nothing more is wanted.
    closed: bool,
}

struct HostPlace {
    host: Host,
    name: String,
    link: Link,
    /// How often the link broke since a shard came over it whole.
    breaks: u32,
}

enum Link {
    /// Nobody has asked for a shard of the host.
    Unwanted,
    /// It is being connected to, or soon will be.
    Coming,
    There(Arc<Connection>),
    /// It cannot be reached.
    Away(Error),
}

impl ShardHosts {
    /// The hosts with their names in the manifest; none is connected to yet. `owner` is where whoever made the
    /// shards may listen.
    pub(crate) fn new(
        hosts: Vec<(Host, String)>,
        settings: Settings,
        owner: Option<PathBuf>,
    ) -> ShardHosts {
        let place = |(host, name): &(Host, String)| HostPlace {
            host: host.clone(),
            name: name.clone(),
            link: Link::Unwanted,
            breaks: 0,
        };
        let places = hosts.iter().map(place).collect();
        let state = HostsState { places, next: VecDeque::new(), threads: 0, closed: false };
        let links = Links { settings, state: Mutex::new(state), changed: Condvar::new() };
        ShardHosts { hosts, links: Arc::new(links), copies: Mutex::default(), owner }
    }

    /// Begins to connect to those of the hosts `names` that nothing was wanted of before. Does not
    /// wait.
    pub(crate) fn want(&self, names: &[String]) {
        let mut state = self.links.state();
        for at in 0..state.places.len() {
            let place = &state.places[at];
            if matches!(place.link, Link::Unwanted) && names.contains(&place.name) {
                self.links.connect(&mut state, at);
            }
        }
    }

    /// Asks for `shard` on the first host that has it and can be reached: the data comes on the
    /// connection, for the request that is given. It is made again where none can.
    ///
    /// # Errors
    /// `Hosts` when none of its hosts can be reached; why it cannot be made again.
    pub(crate) fn ask(&self, shard: &mut HostedShard) -> Result<(Arc<Connection>, u32)> {
        let fetch = Fetch { run: shard.run.clone(), shard: shard.number };
        loop {
            let connection = match self.reach(&shard.hosts) {
                Ok(connection) => connection,
                Err(error) => {
                    let (error, lost) = (out_of_reach(error, shard), shard.hosts.clone());
                    self.remade(shard, lost, error)?;
                    continue;
                }
            };
            // Of a shard that has copies nothing is to come that is to be taken back.
            let has_copies = shard.hosts.len() + shard.flaws.len() > 1;
            match connection.fetch(fetch.clone(), shard.contents, has_copies) {
                Ok(request) => return Ok((connection, request)),
                Err(error) => {
                    self.broke(&connection, error);
                }
            }
        }
    }

    /// The first of the hosts `names` that is there; waits for those that are being connected to
    /// when none is.
    fn reach(&self, names: &[String]) -> Result<Arc<Connection>> {
        self.want(names);
        let mut state = self.links.state();
        while !state.closed {
            let (mut why, mut coming) = (None, false);
            for name in names {
                let place = state.places.iter().find(|place| place.name == *name);
                match place.map(|place| &place.link) {
                    Some(Link::There(connection)) => return Ok(Arc::clone(connection)),
                    Some(Link::Unwanted | Link::Coming) => coming = true,
                    Some(Link::Away(e)) => why = why.or(Some((e.kind(), e.to_string()))),
                    None => (),
                }
            }
            if !coming {
                let unknown =
                    || (ErrorKind::Hosts, "it lies on a host that its run does not name".into());
                let (kind, text) = why.unwrap_or_else(unknown);
                return Err(Error::new(kind, text));
            }
            state = self.links.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Err(Error::incomplete("nothing more is wanted of it"))
    }

    /// Takes note that `shard` could not be had over `connection`: it is to be asked for again,
    /// there once more when but the link broke, else elsewhere.
    ///
    /// # Errors
    /// As [`Copies::pass_over`], when there is no elsewhere.
    pub(crate) fn failed(
        &self,
        shard: &mut HostedShard,
        connection: &Arc<Connection>,
        error: Error,
    ) -> Result<()> {
        if error.kind() == ErrorKind::Hosts {
            let text = error.to_string();
            if self.broke(connection, error) && shard.hosts.len() > 1 {
                self.say(&format!("{text}; other copies of its shards take their place"));
            }
            return Ok(());
        }
        self.pass_over(shard, connection.name(), &error)
    }

    /// Says something to the user.
    pub(crate) fn say(&self, text: &str) {
        (self.links.settings.say)(text);
    }

    /// As [`Copies::pass_over`].
    ///
    /// # Errors
    /// As that.
    pub(crate) fn pass_over(&self, shard: &mut HostedShard, host: &str, why: &Error) -> Result<()> {
        let before = shard.hosts.clone();
        let passed = lock(&self.copies).pass_over(shard, host, why);
        match passed {
            Ok(said) => said.iter().for_each(|text| self.say(text)),
            Err(error) => {
                let text = error.to_string();
                self.remade(shard, before, error)?;
                self.say(&format!("{text}; it is made again"));
            }
        }
        Ok(())
    }

    /// Whether there is who can make shards again.
    pub(crate) fn can_remake(&self) -> bool {
        self.owner.as_ref().is_some_and(|path| path.exists())
    }

    /// Has a shard made again that lies on no host that is there.
    ///
    /// # Errors
    /// `Hosts`, and why it cannot be made.
    pub(crate) fn move_elsewhere(&self, shard: &mut HostedShard) -> Result<()> {
        let (number, hosts) = (shard.number, shard.hosts.clone());
        let flaws: String = shard.flaws.iter().map(|flaw| format!("{flaw}; ")).collect();
        let named = hosts.join(", ");
        let text = format!("{flaws}shard {number} is out of reach, with {named}");
        self.remade(shard, hosts, Error::new(ErrorKind::Hosts, text))
    }

    /// Has a shard made again that could not be had on the hosts `lost`, for the reason `why`.
    ///
    /// # Errors
    /// That reason, and why it cannot be made.
    fn remade(&self, shard: &mut HostedShard, lost: Vec<String>, why: Error) -> Result<()> {
        let Some(owner) = self.owner.as_ref().filter(|_| self.can_remake()) else {
            return Err(why);
        };
        if shard.flaws.len() >= REMADE_MAX {
            return Err(why);
        }
        let asked = LostShard { shard: shard.number, hosts: lost, contents: shard.contents };
        match lineage::ask(owner, &asked) {
            Ok(hosts) => {
                shard.flaws.push(why.to_string());
                shard.hosts = hosts;
                Ok(())
            }
            Err(error) => {
                Err(Error::new(error.kind(), format!("{why}; it cannot be made again: {error}")))
            }
        }
    }

    /// Takes note that a shard came whole over `connection`.
    pub(crate) fn served(&self, connection: &Arc<Connection>) {
        let mut state = self.links.state();
        if let Some(at) = state.position(connection) {
            state.places[at].breaks = 0;
        }
    }

    /// Takes note that the link of `connection` broke: the host is connected to again, or is given up,
    /// and whether it is that.
    fn broke(&self, connection: &Arc<Connection>, error: Error) -> bool {
        connection.hang_up();
        let mut state = self.links.state();
        // Whoever waited for something else on it may have said so already.
        let known = state.position(connection).filter(|_| !state.closed);
        let Some(at) = known else { return false };
        let place = &mut state.places[at];
        place.breaks = if connection.is_in_debt() { BREAKS_MAX } else { place.breaks + 1 };
        let given_up = place.breaks >= BREAKS_MAX;
        if given_up {
            place.link = Link::Away(error);
            self.links.changed.notify_all();
        } else {
            (self.links.settings.explain)(&format!("{error}; connecting again"));
            self.links.connect(&mut state, at);
        }
        given_up
    }

    /// Nothing more is wanted: whoever waits for a host gets an error, and the workers end.
    pub(crate) fn close(&self) {
        let mut state = self.links.state();
        state.closed = true;
        state.next.clear();
        let links = state.places.iter().filter_map(|place| match &place.link {
            Link::There(connection) => Some(Arc::clone(connection)),
            _ => None,
        });
        let links: Vec<_> = links.collect();
        drop(state);
        self.links.changed.notify_all();
        links.iter().for_each(|connection| connection.hang_up());
    }
}

/// That no host of a shard can be reached, by the reason for one; and what is wrong with its copies
/// on others.
fn out_of_reach(error: Error, shard: &HostedShard) -> Error {
    let flaws: String = shard.flaws.iter().map(|flaw| format!("; {flaw}")).collect();
    Error::new(error.kind(), format!("shard {}: {error}{flaws}", shard.number))
}

impl Drop for ShardHosts {
    fn drop(&mut self) {
        self.close();
        for place in &self.links.state().places {
            if let Link::There(connection) = &place.link {
                connection.wait_for_end();
            }
        }
    }
}

impl HostsState {
    /// The host that `connection` is the link to, unless it has another one by now.
    fn position(&self, connection: &Arc<Connection>) -> Option<usize> {
        let is_link =
            |place: &HostPlace| matches!(&place.link, Link::There(c) if Arc::ptr_eq(c, connection));
        self.places.iter().position(is_link)
    }
}

impl Links {
    fn state(&self) -> MutexGuard<'_, HostsState> {
        lock(&self.state)
    }

    /// Has the host with the number `at` connected to.
    fn connect(self: &Arc<Links>, state: &mut HostsState, at: usize) {
        state.places[at].link = Link::Coming;
        state.next.push_back(at);
        if state.threads == CONNECT_AT_ONCE {
            return;
        }
        let links = Arc::clone(self);
        match thread::Builder::new().spawn(move || links.work()) {
            Ok(_) => state.threads += 1,
            // One of the others will do it.
            Err(_) if state.threads > 0 => (),
            Err(e) => state.places[at].link = Link::Away(Error::io("start", "a thread", &e)),
        }
    }

    /// The life of a thread that connects to hosts, as long as any are to be connected to.
    fn work(&self) {
        let mut state = self.state();
        while let Some(at) = state.next.pop_front() {
            let place = &state.places[at];
            let (host, name, again) = (place.host.clone(), place.name.clone(), place.breaks > 0);
            drop(state);
            let opened = self.open(&host, &name, again);
            state = self.state();
            state.places[at].link = match opened {
                Ok(connection) => {
                    if state.closed {
                        connection.hang_up();
                    }
                    Link::There(connection)
                }
                Err(error) => Link::Away(error),
            };
            self.changed.notify_all();
        }
        state.threads -= 1;
    }

    /// Connects to a host: more than once where it was there before.
    fn open(&self, host: &Host, name: &str, again: bool) -> Result<Arc<Connection>> {
        let greeting = Greeting::default();
        let mut patience = Patience::new();
        let mut last = Error::new(ErrorKind::Hosts, format!("{name} is lost"));
        while !again || patience.wait() {
            match Connection::open(host, name, &self.settings, &greeting) {
                Err(error) if again && error.kind() == ErrorKind::Hosts => last = error,
                result => return result,
            }
            if self.state().closed {
                break;
            }
        }
        Err(last)
    }
}

//! The links to the hosts that shards lie on, each made when it is first wanted, several at once, and again when
//! it breaks.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use crate::cluster::{Connection, Greeting, Host, Patience, Settings};
use crate::engine::fleet::CONNECT_AT_ONCE;
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::lock;

/// The links to them.
pub(super) struct Links {
    pub(super) settings: Settings,
    pub(super) state: Mutex<HostsState>,
    pub(super) changed: Condvar,
}

pub(super) struct HostsState {
    /// One for each host.
    pub(super) places: Vec<HostPlace>,
    /// The hosts that are to be connected to, by their numbers in `places`.
    pub(super) next: VecDeque<usize>,
    /// How many threads connect to hosts.
    pub(super) threads: usize,
    /// Nothing more is wanted.
    pub(super) closed: bool,
}

pub(super) struct HostPlace {
    pub(super) host: Host,
    pub(super) name: String,
    pub(super) link: HostLink,
    /// How often the link broke since a shard came over it whole.
    pub(super) breaks: u32,
}

pub(super) enum HostLink {
    /// Nobody has asked for a shard of the host.
    Unwanted,
    /// It is being connected to, or soon will be.
    Coming,
    There(Arc<Connection>),
    /// It cannot be reached.
    Away(Error),
}

impl HostsState {
    /// The host that `connection` is the link to, unless it has another one by now.
    pub(super) fn position(&self, connection: &Arc<Connection>) -> Option<usize> {
        let is_link = |place: &HostPlace| matches!(&place.link, HostLink::There(c) if Arc::ptr_eq(c, connection));
        self.places.iter().position(is_link)
    }
}

impl Links {
    /// Whether none of the hosts `names` is to be reached.
    pub(super) fn are_away(&self, names: &[String]) -> bool {
        let state = self.state();
        let is_away = |place: &HostPlace| matches!(place.link, HostLink::Away(_));
        names.iter().all(|name| state.places.iter().any(|p| p.name == *name && is_away(p)))
    }

    /// There may be shards on these hosts, too.
    pub(super) fn add(&self, hosts: &[(Host, String)]) {
        let mut state = self.state();
        for (host, name) in hosts {
            if state.places.iter().all(|place| place.name != *name) {
                let (host, name, link) = (host.clone(), name.clone(), HostLink::Unwanted);
                state.places.push(HostPlace { host, name, link, breaks: 0 });
            }
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, HostsState> {
        lock(&self.state)
    }

    /// Has the host with the number `at` connected to.
    pub(super) fn connect(self: &Arc<Links>, state: &mut HostsState, at: usize) {
        state.places[at].link = HostLink::Coming;
        state.next.push_back(at);
        if state.threads == CONNECT_AT_ONCE {
            return;
        }
        let links = Arc::clone(self);
        match thread::Builder::new().spawn(move || links.work()) {
            Ok(_) => state.threads += 1,
            // One of the others will do it.
            Err(_) if state.threads > 0 => (),
            Err(e) => state.places[at].link = HostLink::Away(Error::io("start", "a thread", &e)),
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
                    HostLink::There(connection)
                }
                Err(error) => HostLink::Away(error),
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

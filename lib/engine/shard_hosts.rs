//! The hosts that the shards of a run lie on: connected to when a shard of theirs is wanted, several
//! at once, and again when the link to one breaks.
//!
//! A host is waited for only as long as no other one has the shard: so they are not connected to as
//! those of a [`Fleet`](crate::engine::fleet::Fleet), which waits for all of its hosts. What shards
//! hold is not its business.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::cluster::{Connection, Host, Settings};
use crate::engine::HostedShard;
use crate::engine::copies::Copies;
use crate::engine::host_links::{HostLink, HostPlace, HostsState, Links};
use crate::engine::lineage::{self, LostShard};
use crate::engine::replay::{Replay, Replayed};
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
    remaker: Option<Remaker>,
}

/// Who makes a shard again that is lost.
pub(crate) enum Remaker {
    /// Whoever made the shards, and listens there.
    Owner(PathBuf),
    /// Nobody of those who made them is there any more.
    Replay(Box<Replay>),
}

impl ShardHosts {
    /// The hosts with their names in the manifest; none is connected to yet.
    pub(crate) fn new(
        hosts: Vec<(Host, String)>,
        settings: Settings,
        remaker: Option<Remaker>,
    ) -> ShardHosts {
        let place = |(host, name): &(Host, String)| HostPlace {
            host: host.clone(),
            name: name.clone(),
            link: HostLink::Unwanted,
            breaks: 0,
        };
        let places = hosts.iter().map(place).collect();
        let state = HostsState { places, next: VecDeque::new(), threads: 0, closed: false };
        let links = Links { settings, state: Mutex::new(state), changed: Condvar::new() };
        ShardHosts { hosts, links: Arc::new(links), copies: Mutex::default(), remaker }
    }

    /// Begins to connect to those of the hosts `names` that nothing was wanted of before. Does not
    /// wait.
    pub(crate) fn want(&self, names: &[String]) {
        let mut state = self.links.state();
        for at in 0..state.places.len() {
            let place = &state.places[at];
            if matches!(place.link, HostLink::Unwanted) && names.contains(&place.name) {
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
        loop {
            let fetch = shard.fetch();
            let connection = match self.reach(&shard.hosts) {
                Ok(connection) => connection,
                Err(error) => {
                    let (error, lost) = (out_of_reach(error, shard), shard.hosts.clone());
                    self.remade(shard, lost, error)?;
                    continue;
                }
            };
            // Of a shard that has copies, or can be made again long after it was made, nothing is to come that
            // is to be taken back.
            let has_copies = shard.hosts.len() + shard.flaws.len() > 1
                || matches!(self.remaker, Some(Remaker::Replay(_)));
            match connection.fetch(fetch, shard.contents, has_copies) {
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
                    Some(HostLink::There(connection)) => return Ok(Arc::clone(connection)),
                    Some(HostLink::Unwanted | HostLink::Coming) => coming = true,
                    Some(HostLink::Away(e)) => why = why.or(Some((e.kind(), e.to_string()))),
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
        match &self.remaker {
            Some(Remaker::Owner(path)) => path.exists(),
            Some(Remaker::Replay(_)) => true,
            None => false,
        }
    }

    /// Where whoever made the shards may listen.
    pub(crate) fn owner(&self) -> Option<PathBuf> {
        match &self.remaker {
            Some(Remaker::Owner(path)) => Some(path.clone()),
            _ => None,
        }
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
        let remaker = self.remaker.as_ref().filter(|_| self.can_remake());
        let Some(remaker) = remaker.filter(|_| shard.flaws.len() < REMADE_MAX) else {
            return Err(why);
        };
        let made = match remaker {
            Remaker::Owner(owner) => {
                let asked =
                    LostShard { shard: shard.number, hosts: lost, contents: shard.contents };
                lineage::ask(owner, &asked).map(|hosts| shard.hosts = hosts)
            }
            Remaker::Replay(replay) => self.replayed(replay, shard, lost),
        };
        if let Err(error) = made {
            let kind = match (error.kind(), remaker) {
                // That it cannot be made tells less than why it is to be.
                (ErrorKind::Hosts, Remaker::Replay(_)) => why.kind(),
                (kind, _) => kind,
            };
            return Err(Error::new(kind, format!("{why}; it cannot be made again: {error}")));
        }
        shard.flaws.push(why.to_string());
        Ok(())
    }

    /// Has a shard made again by those who are called again for that; one that they have made, by the last of
    /// them, which is there as long as what it made is read.
    fn replayed(&self, replay: &Replay, shard: &mut HostedShard, lost: Vec<String>) -> Result<()> {
        let is_away = |names: &[String]| self.links.are_away(names);
        let Replayed { shard: made, hosts, owner } = replay.remake(shard, &lost, &is_away)?;
        self.links.add(&hosts);
        let again = shard.made_again.is_some();
        shard.made_again = Some((made.run, made.number));
        shard.hosts = match owner.filter(|_| again) {
            Some(owner) => {
                let (number, contents) = (made.number, shard.contents);
                lineage::ask(&owner, &LostShard { shard: number, hosts: lost, contents })?
            }
            None => made.hosts,
        };
        Ok(())
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
            place.link = HostLink::Away(error);
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
            HostLink::There(connection) => Some(Arc::clone(connection)),
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
            if let HostLink::There(connection) = &place.link {
                connection.wait_for_end();
            }
        }
    }
}

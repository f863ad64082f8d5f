//! The workers that a stage has on its hosts: which of them takes the next task, which are lost,
//! and which shards lie where.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cluster::{Connection, Greeting, Host, Settings};
use crate::error::{Error, Kind, Result};

/// How many hosts are connected to at once: more would only queue up at a jump host.
pub(crate) const CONNECT_AT_ONCE: usize = 16;

/// How many lost shards a message names.
const NAMED_MAX: usize = 10;

/// The tasks that a host has beyond those that run: their inputs are there when a slot is free.
const AHEAD: usize = 1;

/// The workers of a stage.
pub struct Fleet {
    members: Vec<Member>,
    /// The hosts that could not be reached, and why.
    missing: Vec<(String, Error)>,
}

/// One of them.
pub(crate) struct Member {
    pub(crate) connection: Arc<Connection>,
    /// Tasks that were sent there and have not come back.
    load: AtomicUsize,
    /// The shards that it has made.
    made: Mutex<BTreeSet<u64>>,
    /// Whether it was said that it is lost.
    mourned: Mutex<bool>,
}

impl Member {
    fn made(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a shard that lies there.
    pub(crate) fn has_made(&self, shard: u64) {
        self.made().insert(shard);
    }

    /// Says once that it is lost.
    pub(crate) fn mourn(&self, say: impl FnOnce()) {
        let mut mourned = self.mourned.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut *mourned, true) {
            say();
        }
    }
}

/// A task's place at a member; dropped, it is free for another.
pub(crate) struct Seat<'a>(pub(crate) &'a Member);

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.load.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The names of `hosts` in messages and manifests: as the user gave them, numbered where one is
/// there twice.
pub fn names(hosts: &[Host]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for host in hosts {
        let word = host.to_string();
        let before = hosts[..names.len()].iter().filter(|other| other.to_string() == word).count();
        names.push(if before == 0 { word } else { format!("{word}#{}", before + 1) });
    }
    names
}

impl Fleet {
    /// Starts a worker on each of `hosts`.
    ///
    /// # Errors
    /// The first of what [`Connection::open`] says, in the order of the hosts.
    pub fn open(
        hosts: &[(Host, String)],
        settings: &Settings,
        greeting: &Greeting,
    ) -> Result<Fleet> {
        let mut fleet = Fleet::open_some(hosts, settings, greeting);
        if fleet.missing.is_empty() { Ok(fleet) } else { Err(fleet.missing.swap_remove(0).1) }
    }

    /// The same, but without those that cannot be reached, which is said, as long as there are
    /// others.
    ///
    /// # Errors
    /// As [`Fleet::open`], when none can be reached.
    pub fn open_those_there(
        hosts: &[(Host, String)],
        settings: &Settings,
        greeting: &Greeting,
    ) -> Result<Fleet> {
        let mut fleet = Fleet::open_some(hosts, settings, greeting);
        if fleet.members.is_empty() && !fleet.missing.is_empty() {
            return Err(fleet.missing.swap_remove(0).1);
        }
        fleet
            .missing
            .iter()
            .for_each(|(_, error)| (settings.say)(&format!("{error}; going on without it")));
        Ok(fleet)
    }

    fn open_some(hosts: &[(Host, String)], settings: &Settings, greeting: &Greeting) -> Fleet {
        let mut connections: Vec<Option<Result<Arc<Connection>>>> = Vec::new();
        connections.resize_with(hosts.len(), || None);
        let next = AtomicUsize::new(0);
        let found = Mutex::new(&mut connections);
        std::thread::scope(|scope| {
            for _ in 0..hosts.len().min(CONNECT_AT_ONCE) {
                scope.spawn(|| {
                    while let Some(at) = Some(next.fetch_add(1, Ordering::SeqCst))
                        && let Some((host, name)) = hosts.get(at)
                    {
                        let opened = Connection::open(host, name, settings, greeting);
                        found.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some(opened);
                    }
                });
            }
        });
        let (mut members, mut missing) = (Vec::new(), Vec::new());
        for (connection, (_, name)) in connections.into_iter().flatten().zip(hosts) {
            match connection {
                Ok(connection) => members.push(Member {
                    connection,
                    load: AtomicUsize::new(0),
                    made: Mutex::default(),
                    mourned: Mutex::default(),
                }),
                Err(error) => missing.push((name.clone(), error)),
            }
        }
        Fleet { members, missing }
    }

    /// The connections, in the order of the hosts.
    pub fn connections(&self) -> impl Iterator<Item = &Arc<Connection>> {
        self.members.iter().map(|member| &member.connection)
    }

    /// How many bytes went through the connections, both ways.
    pub fn crossed(&self) -> u64 {
        self.connections().map(|connection| connection.crossed()).sum()
    }

    /// How many tasks may be under way at once.
    pub fn width(&self) -> usize {
        self.members.iter().map(|m| m.connection.welcome().slots as usize + AHEAD).sum()
    }

    /// A seat at the member with the most room, of those at `near` if any of them is there, but at
    /// none of `avoid` if that can be helped. None when all are lost.
    pub(crate) fn seat(&self, near: &[String], avoid: &[String]) -> Option<Seat<'_>> {
        let alive = || self.members.iter().filter(|m| m.connection.lost().is_none());
        let name = |m: &Member| m.connection.name().to_string();
        let wanted = alive().filter(|m| near.contains(&name(m)) && !avoid.contains(&name(m)));
        let fresh = alive().filter(|m| !avoid.contains(&name(m)));
        let room = |m: &&Member| {
            let slots = m.connection.welcome().slots.max(1) as usize;
            (m.load.load(Ordering::SeqCst) + 1) * 1000 / slots
        };
        let found = wanted.min_by_key(room).or_else(|| fresh.min_by_key(room));
        let member = found.or_else(|| alive().min_by_key(room))?;
        member.load.fetch_add(1, Ordering::SeqCst);
        Some(Seat(member))
    }

    /// The member that is called `name`, if it is there.
    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|m| m.connection.name() == name)
    }

    /// Whether other members than those of `avoid` are there.
    pub(crate) fn has_others(&self, avoid: &[String]) -> bool {
        let mut alive = self.members.iter().filter(|m| m.connection.lost().is_none());
        alive.any(|m| !avoid.iter().any(|name| name == m.connection.name()))
    }

    /// That no shard is lost with its host.
    ///
    /// # Errors
    /// `Hosts`, naming the shards.
    pub fn check(&self) -> Result<()> {
        for member in &self.members {
            let Some(why) = member.connection.lost() else { continue };
            let made: BTreeSet<u64> =
                member.made().iter().copied().filter(|shard| !self.has_copy(*shard)).collect();
            if !made.is_empty() {
                let named: Vec<String> = made.iter().take(NAMED_MAX).map(u64::to_string).collect();
                let more = made.len().saturating_sub(NAMED_MAX);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                return Err(Error::new(
                    Kind::Hosts,
                    format!(
                        "{} is lost ({why}), and with it shard {}{more}; run it again",
                        member.connection.shown(),
                        named.join(", ")
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Whether a shard lies with a member that is there.
    fn has_copy(&self, shard: u64) -> bool {
        let mut alive = self.members.iter().filter(|m| m.connection.lost().is_none());
        alive.any(|member| member.made().contains(&shard))
    }

    /// Hangs up everywhere, and waits for the workers to end.
    pub fn close(&self) {
        self.members.iter().for_each(|member| member.connection.hang_up());
        self.members.iter().for_each(|member| member.connection.wait_for_end());
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.close();
    }
}

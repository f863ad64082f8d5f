//! The workers that a stage has on its hosts: which of them takes the next task, which are lost,
//! and which shards lie where.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::cluster::{Connection, Greeting, Host, Settings};
use crate::engine::need::{Need, some_of};
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::{self, lock};

/// How many hosts are connected to at once: more would only queue up at a jump host.
pub(crate) const CONNECT_AT_ONCE: usize = 16;

/// How many lost shards, or hosts, a message names.
const NAMED_MAX: usize = 10;

/// The tasks that a host has beyond those that run: their inputs are there when a slot is free.
const AHEAD: usize = 1;

/// The workers of a stage.
pub struct Fleet {
    members: Vec<Member>,
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
    /// Why it gets no more tasks though it is there: it has no room.
    full: Mutex<Option<String>>,
    /// How its tasks end.
    record: Mutex<TrackRecord>,
}

/// How the tasks of a member end.
#[derive(Debug, Default)]
struct TrackRecord {
    well: u64,
    failed: u64,
    /// Those that failed there and went well elsewhere.
    well_elsewhere: u64,
    /// Whether it is left aside for it, where there are others.
    is_distrusted: bool,
}

/// How many tasks of a host must have failed there and gone well elsewhere before it is to blame.
const FAULTS_MAX: u64 = 3;

impl Member {
    fn made(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        lock(&self.made)
    }

    fn full(&self) -> MutexGuard<'_, Option<String>> {
        lock(&self.full)
    }

    /// Whether tasks can be given to it.
    fn is_usable(&self) -> bool {
        self.connection.lost().is_none() && self.full().is_none()
    }

    /// Whether its tasks go as well as elsewhere, as far as is known.
    fn is_trusted(&self) -> bool {
        !lock(&self.record).is_distrusted
    }

    /// Says once that it is lost.
    pub(crate) fn mourn(&self, say: impl FnOnce()) {
        let mut mourned = lock(&self.mourned);
        if !std::mem::replace(&mut *mourned, true) {
            say();
        }
    }
}

/// A task's place at a member; dropped, it is free for another.
pub(crate) struct Lease<'a>(pub(crate) &'a Member);

impl Drop for Lease<'_> {
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
    /// Starts a worker on each of `hosts`; those that are not there are left out, which is said, as
    /// far as `need` allows.
    ///
    /// # Errors
    /// What [`Connection::open`] says of the first one that is needed and not there; `Storage` when
    /// there are too few with room, `Hosts` when there are too few.
    pub fn open(
        hosts: &[(Host, String)],
        settings: &Settings,
        greeting: &Greeting,
        need: Need,
    ) -> Result<Fleet> {
        let (members, mut missing) = Fleet::open_some(hosts, settings, greeting);
        if let Some(at) = missing.iter().position(|error| !need.allows(error)) {
            let (error, there) = (missing.swap_remove(at), members.len());
            if there == 0 || there < need.least || need.least == hosts.len() {
                return Err(error);
            }
            let text = format!("{error}; --min-hosts {there} goes on with the others");
            return Err(Error::new(error.kind(), text));
        }
        let full = missing.iter().filter(|error| error.kind() == ErrorKind::Storage).count();
        if !need.is_met(members.len(), full) {
            return Err(need.too_few(members.len(), hosts.len(), missing));
        }
        missing.iter().for_each(|error| (settings.say)(&format!("{error}; going on without it")));
        Ok(Fleet { members })
    }

    fn open_some(
        hosts: &[(Host, String)],
        settings: &Settings,
        greeting: &Greeting,
    ) -> (Vec<Member>, Vec<Error>) {
        let connections = parallel::each(hosts, CONNECT_AT_ONCE, |(host, name)| {
            Connection::open(host, name, settings, greeting)
        });
        let (mut members, mut missing) = (Vec::new(), Vec::new());
        for connection in connections {
            match connection {
                Ok(connection) => members.push(Member {
                    connection,
                    load: AtomicUsize::new(0),
                    made: Mutex::default(),
                    mourned: Mutex::default(),
                    full: Mutex::default(),
                    record: Mutex::default(),
                }),
                Err(error) => missing.push(error),
            }
        }
        (members, missing)
    }

    /// The workers, in the order of the hosts.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Whether tasks can be given to any of them.
    pub(crate) fn is_usable(&self) -> bool {
        self.members.iter().any(Member::is_usable)
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

    /// The shards that are lost with their hosts.
    pub(crate) fn lost_shards(&self) -> BTreeSet<u64> {
        let lost = self.members.iter().filter(|member| member.connection.lost().is_some());
        let made = lost.flat_map(|member| member.made().iter().copied().collect::<Vec<u64>>());
        made.filter(|shard| !self.has_copy(*shard)).collect()
    }

    /// A lease at the member with the most room, of those at `near` if any of them is there, but at
    /// none of `avoid`, nor where tasks fail that go well elsewhere, if that can be helped. None when
    /// all are lost or have no room.
    pub(crate) fn lease(&self, near: &[String], avoid: &[String]) -> Option<Lease<'_>> {
        let usable = || self.members.iter().filter(|m| m.is_usable());
        let name = |m: &Member| m.connection.name().to_string();
        let is_fresh = |m: &Member| !avoid.contains(&name(m));
        let is_near = |m: &Member| near.contains(&name(m));
        let room = |m: &&Member| {
            let slots = m.connection.welcome().slots.max(1) as usize;
            (m.load.load(Ordering::SeqCst) + 1) * 1000 / slots
        };
        let best = |fits: &dyn Fn(&Member) -> bool| usable().filter(|m| fits(m)).min_by_key(room);
        let member = best(&|m| is_fresh(m) && is_near(m) && m.is_trusted())
            .or_else(|| best(&|m| is_fresh(m) && m.is_trusted()))
            .or_else(|| best(&|m| is_fresh(m) && is_near(m)))
            .or_else(|| best(&is_fresh))
            .or_else(|| best(&|_| true))?;
        member.load.fetch_add(1, Ordering::SeqCst);
        Some(Lease(member))
    }

    /// A task went well on the member that is called `name`.
    pub(crate) fn went_well(&self, name: &str) {
        if let Some(member) = self.member(name) {
            lock(&member.record).well += 1;
        }
    }

    /// A task failed on the member that is called `name`.
    pub(crate) fn went_wrong(&self, name: &str) {
        if let Some(member) = self.member(name) {
            lock(&member.record).failed += 1;
        }
    }

    /// A task went well that had failed on the member that is called `name`: whether that is the
    /// reason for it to get no more, as long as there are others. It is when that is so of more of its
    /// tasks than went well there, and another one has not half as many failures: where they fail
    /// everywhere at first, it is the command that is to blame.
    pub(crate) fn went_well_elsewhere(&self, name: &str) -> bool {
        let Some(member) = self.member(name) else { return false };
        let others = self.members.iter().filter(|m| m.is_usable() && m.connection.name() != name);
        let least = others.map(|other| lock(&other.record).failed).min();
        let mut record = lock(&member.record);
        record.well_elsewhere += 1;
        let faults = record.well_elsewhere;
        let is_bad = faults >= FAULTS_MAX
            && faults > record.well
            && least.is_some_and(|failed| 2 * failed < faults);
        is_bad && !std::mem::replace(&mut record.is_distrusted, true)
    }

    /// Whether there is a member of another name to work on.
    pub(crate) fn has_other(&self, name: &str) -> bool {
        self.members.iter().any(|m| m.is_usable() && m.connection.name() != name)
    }

    /// The member that is called `name`, if it is there.
    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|m| m.connection.name() == name)
    }

    /// Whether the member that is called `name` is not lost.
    pub(crate) fn is_there(&self, name: &str) -> bool {
        self.member(name).is_some_and(|member| member.connection.lost().is_none())
    }

    /// Takes note of a shard that lies with the member that is called `name`.
    pub(crate) fn has_made(&self, name: &str, shard: u64) {
        if let Some(member) = self.member(name) {
            member.made().insert(shard);
        }
    }

    /// The shard that the member that is called `name` has made does not count: another one was first.
    pub(crate) fn does_not_count(&self, name: &str, shard: u64) {
        if let Some(member) = self.member(name) {
            member.made().remove(&shard);
        }
    }

    /// Gives no more tasks to `member`, which has no room: `why` says so and names it. That is said
    /// once, if others are there.
    pub(crate) fn set_aside(&self, member: &Member, why: &Error, say: impl FnOnce(&str)) {
        let first = member.full().replace(why.to_string()).is_none();
        if first && self.is_usable() {
            say(&format!("{why}; its tasks go elsewhere"));
        }
    }

    /// Why too few members are left, where `too_few` says of what: they have no room, or are lost.
    pub(crate) fn exhausted(&self, too_few: &str) -> Error {
        let full: Vec<String> = self.members.iter().filter_map(|m| m.full().clone()).collect();
        match full.is_empty() {
            true => Error::new(ErrorKind::Hosts, too_few),
            false => Error::new(ErrorKind::Storage, format!("{too_few}: {}", some_of(&full))),
        }
    }

    /// Why a member that is called one of `names` has no room, if it is so.
    pub(crate) fn full(&self, names: &[String]) -> Option<Error> {
        let full = names.iter().find_map(|name| self.member(name)?.full().clone());
        full.map(|why| Error::new(ErrorKind::Storage, why))
    }

    /// That no shard is lost with its host.
    ///
    /// # Errors
    /// `Hosts`, naming the shards.
    pub fn check(&self) -> Result<()> {
        let lost = self.lost_shards();
        for member in &self.members {
            let Some(why) = member.connection.lost() else { continue };
            let made: Vec<u64> = lost.intersection(&member.made()).copied().collect();
            if !made.is_empty() {
                let named: Vec<String> = made.iter().take(NAMED_MAX).map(u64::to_string).collect();
                let more = made.len().saturating_sub(NAMED_MAX);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                return Err(Error::new(
                    ErrorKind::Hosts,
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

//! The workers that a stage has on its hosts: which of them takes the next task, which are lost,
//! and which shards lie where.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::cluster::{Connection, Greeting, Host, Settings};
use crate::engine::need::{Need, some_of};
use crate::engine::roster::Roster;
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::{self, lock};

/// How many hosts are connected to at once: more would only queue up at a jump host.
pub(crate) const CONNECT_AT_ONCE: usize = 16;

/// How many lost shards a message names.
const NAMED_MAX: usize = 10;

/// The tasks that a host has beyond those that run: their inputs are there when a slot is free.
const AHEAD: usize = 1;

/// The workers of a stage.
pub struct Fleet {
    members: Vec<Member>,
    roster: Mutex<Roster>,
}

/// One of them.
pub(crate) struct Member {
    pub(crate) connection: Arc<Connection>,
    /// Its number in the roster.
    number: usize,
    /// Whether it was said that it is lost.
    mourned: AtomicBool,
}

impl Member {
    /// Says once that it is lost.
    pub(crate) fn mourn(&self, say: impl FnOnce()) {
        if !self.mourned.swap(true, Ordering::SeqCst) {
            say();
        }
    }
}

/// A task's place at a member; dropped, it is free for another.
pub(crate) struct Lease<'a>(pub(crate) &'a Member, &'a Fleet);

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.1.roster().has_left(self.0.number);
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
        Ok(Fleet::of(members))
    }

    fn of(connections: Vec<Arc<Connection>>) -> Fleet {
        let mut roster = Roster::default();
        let member = |(number, connection): (usize, Arc<Connection>)| {
            roster.add(connection.name(), connection.welcome().slots as usize);
            Member { connection, number, mourned: AtomicBool::new(false) }
        };
        let members = connections.into_iter().enumerate().map(member).collect();
        Fleet { members, roster: Mutex::new(roster) }
    }

    fn open_some(
        hosts: &[(Host, String)],
        settings: &Settings,
        greeting: &Greeting,
    ) -> (Vec<Arc<Connection>>, Vec<Error>) {
        let connections = parallel::each(hosts, CONNECT_AT_ONCE, |(host, name)| {
            Connection::open(host, name, settings, greeting)
        });
        let (mut members, mut missing) = (Vec::new(), Vec::new());
        for connection in connections {
            match connection {
                Ok(connection) => members.push(connection),
                Err(error) => missing.push(error),
            }
        }
        (members, missing)
    }

    /// The hosts, each with its slots.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (String, usize)> {
        let connections = self.members.iter().map(|member| &member.connection);
        connections.map(|on| (on.name().to_string(), on.welcome().slots as usize))
    }

    /// The workers, in the order of the hosts.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    fn roster(&self) -> MutexGuard<'_, Roster> {
        lock(&self.roster)
    }

    fn is_lost(&self, number: usize) -> bool {
        self.members[number].connection.lost().is_some()
    }

    /// Whether `choose` finds a member that is there.
    fn has(&self, choose: impl Fn(&Roster) -> Option<usize>) -> bool {
        self.roster().there(&|number| self.is_lost(number), choose).is_some()
    }

    /// The roster, when it is known which members are lost.
    fn roll_call(&self) -> MutexGuard<'_, Roster> {
        let mut roster = self.roster();
        for member in &self.members {
            if !roster.is_lost(member.number) && member.connection.lost().is_some() {
                roster.lose(member.number);
            }
        }
        roster
    }

    /// Whether tasks can be given to any of them.
    pub(crate) fn is_usable(&self) -> bool {
        self.has(Roster::usable)
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
        self.roll_call().lost_shards()
    }

    /// The hosts that a shard lies on, the lost ones too.
    pub(crate) fn hosts_of(&self, shard: u64) -> Vec<String> {
        self.roster().hosts_of(shard)
    }

    /// A lease at the member that [`Roster::pick`] says. None when all are lost or have no room.
    pub(crate) fn lease(&self, near: &[String], avoid: &[String]) -> Option<Lease<'_>> {
        let pick = |roster: &Roster| roster.pick(near, avoid, &[]);
        self.lease_by(|roster, is_lost| roster.there(is_lost, pick).ok_or(())).ok()
    }

    /// A lease at the member that `place` says, which is told the roster, and which members are lost.
    ///
    /// # Errors
    /// What `place` says.
    pub(crate) fn lease_by<E>(
        &self,
        place: impl FnOnce(&mut Roster, &dyn Fn(usize) -> bool) -> std::result::Result<usize, E>,
    ) -> std::result::Result<Lease<'_>, E> {
        let mut roster = self.roster();
        let number = place(&mut roster, &|number| self.is_lost(number))?;
        roster.takes(number);
        Ok(Lease(&self.members[number], self))
    }

    /// A task went well on the member that is called `name`, and had not on those called one of `failed_on`: which
    /// of these get no more for it.
    pub(crate) fn went_well<'a>(&self, name: &str, failed_on: &'a [String]) -> Vec<&'a str> {
        let mut roster = self.roster();
        if let Some(number) = roster.number(name) {
            roster.went_well(number);
        }
        let is_to_blame = |failed: &&String| {
            let Some(number) = roster.number(failed).filter(|_| *failed != name) else {
                return false;
            };
            roster.went_well_elsewhere(number, &|number| self.is_lost(number))
        };
        failed_on.iter().filter(is_to_blame).map(String::as_str).collect()
    }

    /// A task failed on the member that is called `name`.
    pub(crate) fn went_wrong(&self, name: &str) {
        if let Some(member) = self.member(name) {
            self.roster().went_wrong(member.number);
        }
    }

    /// Whether there is a member of another name to work on.
    pub(crate) fn has_other(&self, name: &str) -> bool {
        self.has(|roster| roster.other(name))
    }

    /// The member that is called `name`, if it is there.
    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        let number = self.roster().number(name)?;
        self.members.get(number)
    }

    /// Whether the member that is called `name` is not lost.
    pub(crate) fn is_there(&self, name: &str) -> bool {
        self.member(name).is_some_and(|member| member.connection.lost().is_none())
    }

    /// Takes note of a shard that counts, and lies with the member that is called `name`.
    pub(crate) fn has_made(&self, name: &str, shard: u64) {
        if let Some(member) = self.member(name) {
            self.roster().has_made(member.number, shard);
        }
    }

    /// Gives no more tasks to `member`, which has no room: `why` says so and names it. That is said
    /// once, if others are there.
    pub(crate) fn set_aside(&self, member: &Member, why: &Error, say: impl FnOnce(&str)) {
        let first = self.roster().set_aside(member.number, &why.to_string());
        if first && self.is_usable() {
            say(&format!("{why}; its tasks go elsewhere"));
        }
    }

    /// Why too few members are left, where `too_few` says of what: they have no room, or are lost.
    pub(crate) fn exhausted(&self, too_few: &str) -> Error {
        let full = self.roster().all_full();
        match full.is_empty() {
            true => Error::new(ErrorKind::Hosts, too_few),
            false => Error::new(ErrorKind::Storage, format!("{too_few}: {}", some_of(&full))),
        }
    }

    /// Why a member that is called one of `names` has no room, if it is so.
    pub(crate) fn full(&self, names: &[String]) -> Option<Error> {
        let roster = self.roster();
        let full = names.iter().find_map(|name| roster.full(roster.number(name)?));
        full.map(|why| Error::new(ErrorKind::Storage, why))
    }

    /// That no shard is lost with its host.
    ///
    /// # Errors
    /// `Hosts`, naming the shards.
    pub fn check(&self) -> Result<()> {
        let roster = self.roll_call();
        for member in &self.members {
            let Some(why) = member.connection.lost().filter(|_| roster.is_lost(member.number))
            else {
                continue;
            };
            let made = roster.lost_with(member.number);
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

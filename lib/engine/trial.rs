//! The attempts at a task on hosts, one after the other: where the next one is not to go, and what follows the end
//! of each. It knows no connection, no thread and no clock, so that every order of events can be played to it.
//!
//! A command that failed is tried again as often as the plan says, elsewhere if there is an elsewhere. A host that
//! is lost, or has no room, is not the command's fault, nor is a copy of the input that is no good: that does not
//! count.

use crate::engine::roster::Roster;
use crate::record::digest::Contents;

/// The attempts so far.
#[derive(Debug)]
pub(crate) struct Trial {
    /// On how many hosts the shard is made.
    replicas: usize,
    /// Whether these are the second ones, of a task that lags behind: the first ones go on meanwhile.
    is_second: bool,
    /// How often the command failed.
    failures: u32,
    /// The hosts that are not to be tried again, if that can be helped.
    avoid: Vec<String>,
    /// Those that the shard lies on.
    copies: Vec<(String, Contents)>,
    /// Those where it failed, which may be not the command's fault but the host's.
    failed_on: Vec<String>,
}

/// Why there is no host for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// All are lost, or have no room.
    Nowhere,
    /// All that are left have a copy of the shard.
    TooFew,
    /// Other attempts at the task have those that are left, or their copies: two cannot be on one host. The first
    /// attempts wait for the second ones to end, and these give up.
    Taken,
}

/// What follows an attempt that went well.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Copied {
    /// The shard lies on as many hosts as it is to lie on.
    Enough,
    /// It is to lie on more.
    TooFew,
    /// What was made is not what was made on this host.
    Unlike(String),
}

impl Trial {
    /// Nothing was tried yet; whether these are second attempts, at a task that lags behind.
    pub(crate) fn new(replicas: usize, is_second: bool) -> Trial {
        Trial {
            replicas,
            is_second,
            failures: 0,
            avoid: Vec::new(),
            copies: Vec::new(),
            failed_on: Vec::new(),
        }
    }

    /// Whether these are the second attempts, of a task that lags behind.
    pub(crate) fn is_second(&self) -> bool {
        self.is_second
    }

    /// How often the command failed.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// The hosts where it failed.
    pub(crate) fn failed_on(&self) -> &[String] {
        &self.failed_on
    }

    /// The hosts that the shard lies on.
    pub(crate) fn copies(&self) -> Vec<String> {
        self.copies.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The host for the next attempt, whose input lies on `near`, when attempts or their copies are on `taken`;
    /// `is_lost` says which hosts are lost by now.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn place(
        &mut self,
        roster: &mut Roster,
        is_lost: &dyn Fn(usize) -> bool,
        near: &[String],
        taken: &[String],
    ) -> Result<usize, NoPlace> {
        self.copies.retain(|(name, _)| roster.number(name).is_some_and(|host| !is_lost(host)));
        let copies = self.copies();
        let closed = [&copies, taken].concat();
        let picked = roster.there(is_lost, |roster| roster.pick(near, &self.avoid, &closed));
        picked.ok_or_else(|| {
            let others = taken.iter().filter(|name| !copies.contains(name));
            let mut others = others.filter_map(|name| roster.number(name));
            match others.any(|host| roster.is_usable(host) && !is_lost(host)) {
                true => NoPlace::Taken,
                false if copies.is_empty() => NoPlace::Nowhere,
                false => NoPlace::TooFew,
            }
        })
    }

    /// An attempt on `host` went well, and made this.
    pub(crate) fn made(&mut self, host: &str, contents: Contents) -> Copied {
        if let Some((other, _)) = self.copies.iter().find(|(_, made)| *made != contents) {
            return Copied::Unlike(other.clone());
        }
        self.copies.push((host.to_string(), contents));
        if self.copies.len() == self.replicas { Copied::Enough } else { Copied::TooFew }
    }

    /// An attempt on `host` failed, and `may_pass` says whether that may go better another time: whether there is to
    /// be one, if `again` allows it after so many failures.
    pub(crate) fn failed(
        &mut self,
        host: &str,
        may_pass: bool,
        again: impl FnOnce(u32) -> bool,
    ) -> bool {
        self.avoid.push(host.to_string());
        self.failed_on.push(host.to_string());
        self.failures += u32::from(may_pass);
        may_pass && !self.is_second && again(self.failures)
    }
}

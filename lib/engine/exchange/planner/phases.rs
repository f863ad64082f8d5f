//! What each phase of an exchange asks of the hosts, and what the next one begins with.

use std::collections::BTreeSet;

use crate::cluster::Peer;
use crate::engine::exchange::planner::range_queue::{RangeQueue, WantedPart};
use crate::engine::exchange::planner::{
    ExchangeReport, Goal, HostTask, MERGES_AHEAD, PartTransfer, Phase, Planner, PlannerAction,
    RunningTask, TASKS_MAX, Work, cuts, weighing,
};
use crate::engine::exchange::{Roads, lost};
use crate::error::{Error, Result};
use crate::record::stream::Summary;

impl Planner {
    /// Plans what can be done now, through as many phases as nothing is to be waited for.
    pub(super) fn advance(&mut self) -> Result<()> {
        loop {
            match self.phase {
                Phase::Shards => self.give_shards(),
                Phase::Ranges => self.give_ranges(),
                _ => (),
            }
            while let Some((number, host, contents)) = self.results.next() {
                self.actions.push(PlannerAction::Publish(number, host, contents));
            }
            let next = match self.phase {
                Phase::Over => return Ok(()),
                _ if !self.tasks.is_empty() => return Ok(()),
                Phase::Shards if self.shards.wants_more() => return Ok(()),
                Phase::Shards => self.after_shards()?,
                Phase::Offers => self.after_offers()?,
                Phase::Listeners => self.after_listeners(),
                Phase::Introductions => Phase::Ranges,
                Phase::Ranges => self.after_ranges()?,
            };
            self.phase = next;
        }
    }

    fn ask(&mut self, host: usize, work: Work, task: HostTask) {
        self.last_task += 1;
        if !matches!(work, Work::Question) {
            self.hosts[host].running += 1;
        }
        self.tasks.insert(self.last_task, RunningTask { host, work });
        self.actions.push(PlannerAction::Ask(self.last_task, host, task));
    }

    /// Gives each host shards of those that wait for it.
    fn give_shards(&mut self) {
        self.roused.append(&mut self.shards.roused());
        while let Some(host) = self.roused.pop_first() {
            while self.hosts[host].running < self.hosts[host].slots.min(TASKS_MAX)
                && !self.shards.is_empty(host)
            {
                let mut batch = self.shards.next(host);
                let work = Work::Shards(batch.clone());
                let task = match self.goal {
                    Goal::Ranges(..) => HostTask::Sort(batch),
                    Goal::Reduced => HostTask::Reduce(batch.swap_remove(0)),
                };
                self.ask(host, work, task);
            }
        }
    }

    /// All shards are worked on.
    fn after_shards(&mut self) -> Result<Phase> {
        if !self.shards.is_done() {
            return Err(Error::incomplete("internal error: shards that nobody worked on"));
        }
        if let Goal::Reduced = self.goal {
            let (named, out) = (self.named, self.results.out());
            return match named == out {
                true => Ok(Phase::Over),
                false => Err(Error::incomplete(format!("of {named} shards {out} were reduced"))),
            };
        }
        if self.what.in_order {
            self.sorted.follow_one_another()?;
        }
        for host in 0..self.hosts.len() {
            let host = &mut self.hosts[host];
            if let Some(error) = host.lost.take() {
                return Err(if host.has_sorted { lost(error) } else { error });
            }
        }
        (0..self.hosts.len()).for_each(|host| self.ask(host, Work::Question, HostTask::Weigh));
        Ok(Phase::Offers)
    }

    /// All hosts have said what they offer: the keys are cut into ranges.
    fn after_offers(&mut self) -> Result<Phase> {
        weighing::all_sorted(&self.what, &self.sorted, &self.offers)?;
        let Goal::Ranges(wanted, roads) = self.goal else { return Ok(Phase::Over) };
        let ranges = match self.resume.ranges.is_empty() {
            true => cuts::ranges(&self.offers, wanted),
            false => cuts::again(&self.resume.ranges, &self.offers),
        };
        // Said once, and not of what may lie in several ranges.
        let heavy = if self.what.spread || !self.resume.ranges.is_empty() {
            None
        } else {
            cuts::heavy_key(&self.offers)
        };
        self.has_heavy_key = heavy.is_some();
        self.actions.extend(heavy.map(PlannerAction::Say));
        let wanted = self.resume.wanted.as_ref();
        self.ranges = RangeQueue::new(self.what.number, ranges, wanted, (&self.offers, roads));
        self.roused = (0..self.hosts.len()).collect();
        if roads == Roads::Relay || self.hosts.len() < 2 {
            return Ok(Phase::Ranges);
        }
        (0..self.hosts.len()).for_each(|host| self.ask(host, Work::Question, HostTask::Listen));
        Ok(Phase::Listeners)
    }

    /// All hosts have said where they listen: those that do are told of one another.
    fn after_listeners(&mut self) -> Phase {
        let mut peers = Vec::new();
        for (host, listener) in self.listeners.iter().enumerate() {
            let Some(listener) = listener else { continue };
            peers.push(Peer {
                name: self.hosts[host].name.clone(),
                addresses: listener.addresses.clone(),
                public_key: listener.public_key.clone(),
                most: self.ranges.bytes_max(&self.offers[host]),
            });
        }
        for host in 0..self.hosts.len() {
            if let Some(listener) = self.listeners[host].take() {
                let introduce = HostTask::Introduce(peers.clone(), listener.secret.clone());
                self.ranges.can_be_asked(host, listener.secret);
                self.ask(host, Work::Question, introduce);
            }
        }
        Phase::Introductions
    }

    /// Gives ranges to hosts that have room for more, one to each in turn; and has parts relayed.
    fn give_ranges(&mut self) {
        let mut from = 0;
        while self.ranges.is_waiting()
            && let Some(&host) = self.roused.range(from..).next().or(self.roused.first())
        {
            from = host + 1;
            let member = &self.hosts[host];
            let has_room = member.running < (member.slots + MERGES_AHEAD).min(TASKS_MAX);
            let next = if has_room { self.ranges.next(&self.hosts, host) } else { None };
            let Some((range, merge)) = next else {
                self.roused.remove(&host);
                continue;
            };
            let work = Work::Range(range, merge.attempt, BTreeSet::new());
            self.ask(host, work, HostTask::Merge(merge));
        }
        while let Some(part) = self.ranges.next_part(|task| self.tasks.contains_key(&task)) {
            let WantedPart { from, to, range, deliver, .. } = part;
            let (bounds, bytes_max) =
                (self.ranges.bounds(range), self.ranges.bytes_max(&self.offers[from]));
            self.last_task += 1;
            self.tasks.insert(self.last_task, RunningTask { host: to, work: Work::Relay });
            let part = PartTransfer { from, to, bounds, deliver, bytes_max };
            self.actions.push(PlannerAction::Relay(self.last_task, part));
        }
    }

    /// No range is merged any more.
    fn after_ranges(&mut self) -> Result<Phase> {
        let all = self.ranges.ranges.len();
        let due = self.resume.wanted.as_ref().map_or(all, BTreeSet::len);
        if self.results.out() != due as u64 {
            return Err(Error::incomplete("internal error: ranges that nobody merged"));
        }
        if self.resume.wanted.is_some() {
            // Each is held against what it was.
            return Ok(Phase::Over);
        }
        weighing::all_came(&self.offers, self.results.total.came)?;
        Ok(Phase::Over)
    }

    /// What came of it.
    pub(super) fn report(self) -> ExchangeReport {
        let (sorted, merged) = (&self.sorted, &self.results.total);
        let summary = Summary {
            records_in: sorted.due.items,
            bytes_in: sorted.due_bytes,
            records_out: merged.records,
            bytes_out: merged.bytes,
            missing: sorted.sorted.missing.saturating_add(merged.missing),
            lacking: sorted.sorted.lacking.saturating_add(merged.lacking),
            spilled_bytes: sorted.sorted.spilled.saturating_add(merged.spilled),
            ..Summary::default()
        };
        let Goal::Ranges(..) = self.goal else {
            return ExchangeReport { summary, details: Vec::new(), advice: None };
        };
        let mut details = vec![format!(
            "{} ranges over {} hosts; {} bytes went from host to host, {} through this one",
            self.ranges.ranges.len(),
            self.hosts.len(),
            merged.direct,
            merged.relayed
        )];
        let cut_off = &self.ranges.cut_off;
        details.extend(
            cut_off.iter().map(|(pair, why)| format!("{pair}: by way of this machine: {why}")),
        );
        let advice = cuts::advice(&self.ranges.ranges, &merged.sizes);
        let advice = advice.filter(|_| !self.has_heavy_key);
        ExchangeReport { summary, details, advice }
    }
}

//! The hosts of a stage, as tasks are given to them: which of them takes the next one, which are lost or have no
//! room, how tasks end there, and which shards lie where. It knows no connection, no thread and no clock, so that
//! every order of events can be played to it.
//!
//! No decision looks at all hosts: those that tasks can be given to are kept in the order of their room.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many tasks of a host must have failed there and gone well elsewhere before it is to blame.
const FAULTS_MAX: u64 = 3;

/// The hosts, by numbers from 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster {
    hosts: Vec<RosterHost>,
    numbers: HashMap<String, usize>,
    /// Those that tasks can be given to, and whose tasks go as well as elsewhere, as far as is known; how much of
    /// each is taken stands before it.
    trusted: BTreeSet<(usize, usize)>,
    /// Those that tasks can be given to, and that are left aside where there are others.
    distrusted: BTreeSet<(usize, usize)>,
    /// All that tasks can be given to, by how many have failed there.
    failures: BTreeSet<(u64, usize)>,
    /// Those that are lost.
    lost: BTreeSet<usize>,
    /// The hosts that each shard lies on.
    places: BTreeMap<u64, BTreeSet<usize>>,
    /// How many hosts were looked at.
    #[cfg(test)]
    pub(crate) looks: std::cell::Cell<u64>,
}

#[derive(Clone, Debug)]
struct RosterHost {
    name: String,
    slots: usize,
    /// Tasks that were sent there and have not come back.
    load: usize,
    /// The shards that lie on it.
    made: BTreeSet<u64>,
    is_lost: bool,
    /// Why it gets no more tasks though it is there: it has no room.
    full: Option<String>,
    record: TrackRecord,
}

/// How the tasks of a host end.
#[derive(Clone, Debug, Default)]
struct TrackRecord {
    well: u64,
    failed: u64,
    /// Those that failed there and went well elsewhere.
    well_elsewhere: u64,
    /// Whether it is left aside for it, where there are others.
    is_distrusted: bool,
}

impl RosterHost {
    fn is_usable(&self) -> bool {
        !self.is_lost && self.full.is_none()
    }

    /// How much of it is taken once it has another task, in thousandths.
    fn share(&self) -> usize {
        (self.load + 1) * 1000 / self.slots
    }
}

impl Roster {
    /// Adds a host with so many slots; its number is the next one.
    pub(crate) fn add(&mut self, name: &str, slots: usize) {
        let number = self.hosts.len();
        self.hosts.push(RosterHost {
            name: name.to_string(),
            slots: slots.max(1),
            load: 0,
            made: BTreeSet::new(),
            is_lost: false,
            full: None,
            record: TrackRecord::default(),
        });
        self.numbers.insert(name.to_string(), number);
        self.list(number);
    }

    /// The number of a host.
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// The host with the most room, of those at `near` if any of them is there, but none of `avoid`, nor where tasks
    /// fail that go well elsewhere, if that can be helped; and none of `taken`. None when there is no other.
    pub(crate) fn pick(
        &self,
        near: &[String],
        avoid: &[String],
        taken: &[String],
    ) -> Option<usize> {
        let is_open = |number: usize| !taken.contains(&self.look(number).name);
        let is_fresh = |number: usize| is_open(number) && !avoid.contains(&self.look(number).name);
        let near_with = |trust: bool| {
            let hosts = near.iter().filter_map(|name| self.number(name));
            let is_it = |host: &RosterHost| host.is_usable() && host.record.is_distrusted != trust;
            let fits = hosts.filter(|number| is_it(self.look(*number)) && is_fresh(*number));
            fits.min_by_key(|number| (self.hosts[*number].share(), *number))
        };
        let first = |hosts: &BTreeSet<(usize, usize)>, is_good: &dyn Fn(usize) -> bool| {
            hosts.iter().copied().find(|(_, number)| is_good(*number))
        };
        let first_fresh = |hosts| first(hosts, &is_fresh).map(|(_, number)| number);
        let any = || {
            let lists = [&self.trusted, &self.distrusted].into_iter();
            let least = lists.filter_map(|hosts| first(hosts, &is_open)).min();
            least.map(|(_, number)| number)
        };
        near_with(true)
            .or_else(|| first_fresh(&self.trusted))
            .or_else(|| near_with(false))
            .or_else(|| first_fresh(&self.distrusted))
            .or_else(any)
    }

    /// The host that `choose` chooses, of those that are there: it is asked again where one is lost by now, as
    /// `is_lost` says.
    pub(crate) fn there(
        &mut self,
        is_lost: &dyn Fn(usize) -> bool,
        choose: impl Fn(&Roster) -> Option<usize>,
    ) -> Option<usize> {
        loop {
            let number = choose(self)?;
            if !is_lost(number) {
                return Some(number);
            }
            self.lose(number);
        }
    }

    /// Whether tasks can be given to any host: the first of them.
    pub(crate) fn usable(&self) -> Option<usize> {
        self.trusted.first().or(self.distrusted.first()).map(|(_, number)| *number)
    }

    /// A host of another name that tasks can be given to.
    pub(crate) fn other(&self, name: &str) -> Option<usize> {
        let all = self.trusted.iter().chain(&self.distrusted).map(|(_, number)| *number);
        all.into_iter().find(|number| self.look(*number).name != name)
    }

    /// A host gets a task.
    pub(crate) fn takes(&mut self, number: usize) {
        self.change(number, |host| host.load += 1);
    }

    /// A task has left a host.
    pub(crate) fn has_left(&mut self, number: usize) {
        self.change(number, |host| host.load -= 1);
    }

    /// A host is lost.
    pub(crate) fn lose(&mut self, number: usize) {
        self.change(number, |host| host.is_lost = true);
        self.lost.insert(number);
    }

    /// Whether tasks can be given to a host, as far as was told.
    pub(crate) fn is_usable(&self, number: usize) -> bool {
        self.hosts[number].is_usable()
    }

    /// Whether a host is lost, as far as was told.
    pub(crate) fn is_lost(&self, number: usize) -> bool {
        self.hosts[number].is_lost
    }

    /// A host gets no more tasks, for it has no room, as `why` says: whether that was not known.
    pub(crate) fn set_aside(&mut self, number: usize, why: &str) -> bool {
        let mut first = false;
        self.change(number, |host| first = host.full.replace(why.to_string()).is_none());
        first
    }

    /// Why a host has no room, if it is so.
    pub(crate) fn full(&self, number: usize) -> Option<&str> {
        self.hosts[number].full.as_deref()
    }

    /// Why each host has no room that has none.
    pub(crate) fn all_full(&self) -> Vec<String> {
        self.hosts.iter().filter_map(|host| host.full.clone()).collect()
    }

    /// A task went well on a host.
    pub(crate) fn went_well(&mut self, number: usize) {
        self.hosts[number].record.well += 1;
    }

    /// A task failed on a host.
    pub(crate) fn went_wrong(&mut self, number: usize) {
        self.change(number, |host| host.record.failed += 1);
    }

    /// The host, other than this one, where the fewest tasks have failed.
    fn steadiest_other(&self, number: usize) -> Option<usize> {
        self.failures.iter().map(|(_, other)| *other).find(|other| *other != number)
    }

    /// A task went well that had failed on a host: whether that is the reason for it to get no more, as long as
    /// there are others. It is when that is so of more of its tasks than went well there, and another one has not
    /// half as many failures: where they fail everywhere at first, it is the command that is to blame.
    pub(crate) fn went_well_elsewhere(
        &mut self,
        number: usize,
        is_lost: &dyn Fn(usize) -> bool,
    ) -> bool {
        let other = self.there(is_lost, |roster| roster.steadiest_other(number));
        let least = other.map(|other| self.look(other).record.failed);
        let mut first = false;
        self.change(number, |host| {
            let record = &mut host.record;
            record.well_elsewhere += 1;
            let faults = record.well_elsewhere;
            let is_bad = faults >= FAULTS_MAX
                && faults > record.well
                && least.is_some_and(|failed| 2 * failed < faults);
            first = is_bad && !std::mem::replace(&mut record.is_distrusted, true);
        });
        first
    }

    /// A shard that counts lies on a host.
    pub(crate) fn has_made(&mut self, number: usize, shard: u64) {
        self.hosts[number].made.insert(shard);
        self.places.entry(shard).or_default().insert(number);
    }

    /// The shards that are lost with their hosts.
    pub(crate) fn lost_shards(&self) -> BTreeSet<u64> {
        self.lost.iter().flat_map(|number| self.lost_with(*number)).collect()
    }

    /// The names of the hosts that a shard lies on, the lost ones too.
    pub(crate) fn hosts_of(&self, shard: u64) -> Vec<String> {
        let places = self.places.get(&shard).into_iter().flatten();
        places.map(|number| self.hosts[*number].name.clone()).collect()
    }

    /// The shards of a lost host that lie on no other one.
    pub(crate) fn lost_with(&self, number: usize) -> Vec<u64> {
        let has_copy = |shard: &u64| {
            let places = self.places.get(shard).into_iter().flatten();
            places.into_iter().any(|place| !self.hosts[*place].is_lost)
        };
        self.hosts[number].made.iter().filter(|shard| !has_copy(shard)).copied().collect()
    }

    fn look(&self, number: usize) -> &RosterHost {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
        &self.hosts[number]
    }

    /// Changes a host, and its places in the lists.
    fn change(&mut self, number: usize, change: impl FnOnce(&mut RosterHost)) {
        let host = &self.hosts[number];
        let (share, failed) = (host.share(), host.record.failed);
        self.trusted.remove(&(share, number));
        self.distrusted.remove(&(share, number));
        self.failures.remove(&(failed, number));
        change(&mut self.hosts[number]);
        self.list(number);
    }

    /// Puts a host into the lists that it belongs to.
    fn list(&mut self, number: usize) {
        let host = &self.hosts[number];
        if host.is_usable() {
            self.failures.insert((host.record.failed, number));
            let lists = [&mut self.trusted, &mut self.distrusted];
            lists[usize::from(host.record.is_distrusted)].insert((host.share(), number));
        }
    }
}

//! The hosts of an exchange, as it is planned with. They are found by number or name, so that no decision looks at
//! all of them.

use std::collections::HashMap;
use std::ops::{Index, IndexMut};

use crate::cluster::host::shown;
use crate::error::Error;

/// A host.
pub(in crate::engine::exchange) struct PlannedHost {
    /// Its name in manifests, and in messages.
    pub(super) name: String,
    pub(super) shown: String,
    pub(super) slots: u32,
    /// How many shards or ranges it works on, several shards together counting as one.
    pub(super) running: u32,
    /// Whether it has sorted anything.
    pub(super) has_sorted: bool,
    /// That it is lost.
    pub(super) lost: Option<Error>,
}

/// The hosts, by numbers from 0.
pub(in crate::engine::exchange) struct PlannedHosts {
    hosts: Vec<PlannedHost>,
    numbers: HashMap<String, usize>,
    /// How many hosts, and ranges for them, were looked at.
    #[cfg(test)]
    pub(super) looks: std::cell::Cell<u64>,
}

impl PlannedHosts {
    /// Hosts that are called so in manifests, each with so many slots.
    pub(in crate::engine::exchange) fn new<'a>(
        hosts: impl IntoIterator<Item = (&'a str, u32)>,
    ) -> PlannedHosts {
        let host = |(name, slots): (&str, u32)| PlannedHost {
            name: name.to_string(),
            shown: shown(name),
            slots,
            running: 0,
            has_sorted: false,
            lost: None,
        };
        let hosts: Vec<PlannedHost> = hosts.into_iter().map(host).collect();
        let numbers = hosts.iter().zip(0..).map(|(host, number)| (host.name.clone(), number));
        PlannedHosts {
            numbers: numbers.collect(),
            hosts,
            #[cfg(test)]
            looks: std::cell::Cell::default(),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.hosts.len()
    }

    /// The numbers of those that are called one of `names`, in order.
    pub(super) fn numbers(&self, names: &[String]) -> Vec<usize> {
        let found = names.iter().filter_map(|name| self.numbers.get(name).copied());
        let mut found: Vec<usize> = found.collect();
        found.sort_unstable();
        found
    }

    /// Takes note that so many hosts, or ranges for them, are looked at.
    pub(super) fn look(&self, count: usize) {
        #[cfg(test)]
        self.looks.set(self.looks.get() + count as u64);
        #[cfg(not(test))]
        let _ = count;
    }
}

impl Index<usize> for PlannedHosts {
    type Output = PlannedHost;

    fn index(&self, number: usize) -> &PlannedHost {
        self.look(1);
        &self.hosts[number]
    }
}

impl IndexMut<usize> for PlannedHosts {
    fn index_mut(&mut self, number: usize) -> &mut PlannedHost {
        self.look(1);
        &mut self.hosts[number]
    }
}

//! Numbers that follow from the sizes of sources. Where these are not known, there are none.

use std::path::Path;

use crate::explain::schema::{
    HostPlan, NetworkPlan, PlanWord, ResourcePlan, StagePlan, StreamKind, StreamPlan, TemporaryPlan,
};
use crate::record::stream::Facts;

/// What goes from host to host where groups are reduced before.
pub const STATES: &str = "what the results of a group need, for each group and host";

/// The bytes of records that resources hold, about, and what that comes from; none where that of any
/// of them cannot be told: what is packed, or not on this machine.
pub fn of_resources(resources: &[ResourcePlan]) -> Option<u64> {
    resources.iter().map(of_resource).sum()
}

/// The bytes of one.
fn of_resource(resource: &ResourcePlan) -> Option<u64> {
    match (&resource.packed, resource.unpacked_bytes) {
        (_, Some(bytes)) => Some(bytes),
        (None, None) => resource.bytes.filter(|_| !resource.zipped && resource.format != "zip"),
        (Some(_), None) => None,
    }
}

/// The bytes that resources take on the disk.
pub fn on_disk(resources: &[ResourcePlan]) -> Option<u64> {
    resources.iter().map(|resource| resource.bytes).sum()
}

/// How many parts files are cut into: those that cannot be cut are one each.
pub fn parts(resources: &[ResourcePlan]) -> u64 {
    resources.iter().map(|one| one.parts.as_ref().map_or(1, |parts| parts.count)).sum()
}

/// How many bytes of `bytes` go to another host when each of `hosts` sends all of them their share.
pub fn exchanged(bytes: Option<u64>, hosts: usize) -> Option<u64> {
    let hosts = u64::try_from(hosts).ok().filter(|&hosts| hosts > 0)?;
    bytes.map(|bytes| bytes / hosts * (hosts - 1))
}

/// How many times its text a sort holds in memory, with keys and places, for small records.
const HELD_TIMES: u64 = 3;

/// How many bytes a sort spills out of `memory`: all, where they do not fit in.
pub fn spilled(bytes: Option<u64>, memory: Option<u64>) -> Option<u64> {
    let (bytes, memory) = (bytes?, memory?);
    Some(if bytes.saturating_mul(HELD_TIMES) > memory { bytes } else { 0 })
}

/// The slots of hosts, where all say how many they have.
pub fn slots(hosts: &[HostPlan]) -> Option<u64> {
    hosts.iter().map(|host| host.slots).sum()
}

impl StreamPlan {
    /// Takes over how many bytes there are of `other`, which become these without growing or
    /// shrinking.
    pub fn as_large_as(mut self, other: &StreamPlan) -> StreamPlan {
        self.bytes = other.bytes;
        self.based_on = other.based_on.clone();
        self
    }

    /// Whether these are shards that lie on hosts.
    pub fn lies_on_hosts(&self) -> bool {
        self.kind == StreamKind::Shards && !self.hosts.is_empty()
    }

    /// Whether these are shards that are parts of files of this machine.
    pub fn is_parts_of_files(&self) -> bool {
        self.kind == StreamKind::Shards && self.hosts.is_empty()
    }
}

impl StagePlan {
    /// Takes note of what crosses the network.
    pub fn crosses(&mut self, way: &str, bytes: Option<u64>, what: &str) {
        self.network.push(NetworkPlan { way: way.into(), bytes, what: what.into() });
    }

    /// Takes note of a sort, or of a shuffle: what it writes, of which `facts` will be known, what goes from
    /// host to host for it, and what is spilled, here into `directory`.
    pub fn sorted(&mut self, facts: &Facts, directory: &Path) {
        let bytes = self.reads.bytes;
        if self.ops.is_empty() {
            self.writes = self.writes.clone().as_large_as(&self.reads);
            self.writes.declare(facts);
        }
        if self.place.here {
            let (spilled, fits) = (spilled(bytes, self.memory), self.ops.is_empty());
            let bytes = spilled.filter(|&bytes| fits || bytes == 0);
            let dir = Some(PlanWord::of(directory.as_os_str()));
            self.temporary = Some(TemporaryPlan { dir, bytes });
            return;
        }
        self.temporary = Some(TemporaryPlan::default());
        match self.ops.is_empty() {
            true => {
                let sent = exchanged(bytes, self.place.hosts.len());
                self.crosses("between-hosts", sent, "records whose place is on another host");
            }
            false => self.crosses("between-hosts", None, STATES),
        }
    }

    /// Takes note of what comes here over the network for this stage to read it, where it works here.
    pub fn fetches(&mut self) {
        if self.place.here && self.reads.lies_on_hosts() {
            self.crosses("from-hosts", self.reads.bytes, "the records of the shards");
        }
        for dataset in self.reads.resources.iter().filter(|one| one.format == "shards") {
            let bytes = dataset.unpacked_bytes;
            self.network.push(NetworkPlan {
                way: "from-hosts".into(),
                bytes,
                what: format!("the records of {}", dataset.shown),
            });
        }
        let joined = self.join.iter().flat_map(|join| &join.resources);
        let is_url = |resource: &&ResourcePlan| resource.place == "url";
        if self.reads.resources.iter().chain(joined).any(|resource| is_url(&resource)) {
            self.crosses("from-url", None, "what is read by http");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_of_one_is_not_known_of_all() {
        let plain = |bytes| ResourcePlan { bytes, ..ResourcePlan::default() };
        assert_eq!(of_resources(&[plain(Some(3)), plain(Some(4))]), Some(7));
        assert_eq!(of_resources(&[plain(Some(3)), plain(None)]), None);
        let packed = ResourcePlan { packed: Some("gzip".into()), ..plain(Some(3)) };
        assert_eq!(
            (of_resources(std::slice::from_ref(&packed)), on_disk(&[packed])),
            (None, Some(3))
        );
        let zipped = ResourcePlan { zipped: true, ..plain(Some(3)) };
        assert_eq!(of_resources(std::slice::from_ref(&zipped)), None);
        let told = ResourcePlan { unpacked_bytes: Some(9), ..zipped };
        assert_eq!(of_resources(&[told]), Some(9));
    }

    #[test]
    fn each_host_keeps_its_own_share() {
        assert_eq!(exchanged(Some(400), 4), Some(300));
        assert_eq!((exchanged(Some(400), 1), exchanged(Some(400), 0)), (Some(0), None));
        assert_eq!(exchanged(None, 4), None);
        assert_eq!((spilled(Some(5), Some(15)), spilled(Some(9), Some(20))), (Some(0), Some(9)));
        assert_eq!((spilled(None, Some(5)), spilled(Some(9), None)), (None, None));
    }
}

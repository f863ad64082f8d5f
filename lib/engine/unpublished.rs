//! Data that is kept on hosts, by a tool that was killed before it could say that the manifest is
//! there: it counts where the manifest is, and is removed otherwise, by whichever tool next works on
//! those hosts. Nothing is connected to for this alone.

use crate::cluster::Connection;
use crate::dataset::RunId;
use crate::dataset::manifest::run_of;
use crate::dataset::run_dir::{RunHost, RunRecord};
use crate::engine::fleet::Fleet;
use crate::engine::host_access::HostAccess;

/// Settles what becomes of the runs `left`, whose owners are dead, as far as `fleet` reaches; what
/// lies on other hosts stays known.
pub(crate) fn settle(left: Vec<(RunId, RunRecord)>, reach: &HostAccess, fleet: &Fleet) {
    for (run, mut record) in left {
        let manifest = record.manifest();
        if manifest.is_some_and(|path| run_of(&path).is_ok_and(|found| found == run)) {
            read(run, &mut record, reach);
            continue;
        }
        let before = record.hosts.len();
        record.hosts.retain(|host| !is_gone(run, host, reach, fleet));
        // What cannot be written down is found, and done, again.
        if record.hosts.is_empty() {
            let _ = reach.runs.remove(run);
        } else if record.hosts.len() < before {
            let _ = reach.runs.keep(run, &record);
        }
    }
}

/// The manifest of `run` is there, for it is read: if its record does not say so, it does now.
pub(crate) fn read(run: RunId, record: &mut RunRecord, reach: &HostAccess) {
    if std::mem::take(&mut record.unpublished) {
        let _ = reach.runs.keep(run, record);
    }
}

/// Removes what is kept of `run` on `host`, if it is one of the fleet: whether nothing is there.
fn is_gone(run: RunId, host: &RunHost, reach: &HostAccess, fleet: &Fleet) -> bool {
    let is_it = |connection: &Connection| {
        let directory = connection.welcome().directory.clone();
        reach.record_of(connection.host(), &host.name, directory) == *host
    };
    let Some(connection) = fleet.connections().find(|connection| is_it(connection)) else {
        return false;
    };
    connection.remove(&run.to_string()).is_ok()
}
